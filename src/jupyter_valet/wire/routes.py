"""The URL paths of both listeners, so that no side spells them by itself.

Broker listener (loopback, bearer capability on every request)::

    POST|GET|DELETE /mcp                            the MCP endpoint, both revisions
    POST|GET|DELETE /clients/mcp                    the same for outside clients: `wire.clients`
    POST            /connect                        ConnectRequest -> ConnectReply
    GET             /transactions/{id}?after=&wait= TransactionView; waits for revision > after
    DELETE          /transactions/{id}?action=      "decline" or "cancel"
    GET             /connections                    {"connections": [ConnectionView]}
    DELETE          /connections/{id}?revoke=true   forget here, and revoke at the provider if asked
                                                    -> {"ended": forgotten|revoked|not_confirmed}
    DELETE          /grants/{id}                    end a grant of the caller's own notebook -> {}
    GET             /status                         StatusView
    any             /egress/...                     a request of the notebook's own: `wire.egress`
    GET             /toolsets                       {"toolsets": [ToolsetView]} that were added
    POST            /toolsets                       AddRequest -> ToolsetView
    POST            /toolsets/servers               ServerRequest -> {}
    DELETE          /toolsets/{name}                an API or server of the caller's notebook -> {}
    PUT             /functions                      {"functions": [Function]} -> {}
    GET             /held?after=&wait=              questions that calls are held for: `wire.held`
    GET             /functions/calls?wait=          Calls; waits until there is one
    POST            /functions/calls/{id}           Report -> {}

Jupyter listener (below `base_url`; a person's browser): see the `PAGE_*` names.
"""

from __future__ import annotations

MCP = "/mcp"
CONNECT = "/connect"
TRANSACTIONS = "/transactions"
CONNECTIONS = "/connections"
GRANTS = "/grants"
STATUS = "/status"
TOOLSETS = "/toolsets"
FUNCTIONS = "/functions"
FUNCTION_CALLS = "/functions/calls"

LONG_POLL_SECONDS = 25.0
"""The longest a broker holds a long poll: below the 30 s at which proxies and clients give up."""

PAGE_CONNECT = "valet/connect"
"""A question: `valet/connect/<transaction>`; with `/approve`, `/code`, `/accept`, `/grant`,
`/allow`, `/decline` and `/save` below it."""

PAGE_CALLBACK = "valet/callback"
"""OAuth redirect URI: `valet/callback/<provider>`. One path each (mix-up, RFC 9700 §4.4)."""

CLIENT_DOCUMENT = "valet/client"
"""What this server is as an OAuth client: `valet/client/<provider>.json`, for anybody to read."""

CLIENT_NAME = "jupyter-valet"
"""What an authorization server calls this server when it asks a person."""

PAGE_DONE = "valet/done"
"""Where the callback sends the browser, so that no code stays in the address bar."""

PAGE_CONNECTIONS = "valet/connections"
"""The person's connections: accounts, scopes, last use, revoke."""

PAGE_UNLOCK = "valet/unlock"
"""The vault's passphrase is typed here, when that is the key source."""
