"""A small authorization server and issue tracker on loopback, so that nothing must be registered.

It is a provider like any other: the broker reaches it over HTTP by its issuer URL, and nothing of
the product's own OAuth code is in it. `python -I -m jupyter_valet.demo` prints one line of JSON,
``{"issuer": "http://127.0.0.1:PORT"}``, when it listens, and ends when its standard input does.

Authorization server (issuer = base URL)::

    GET  /.well-known/oauth-authorization-server   RFC 8414; also /.well-known/openid-configuration
    GET  /authorize     code flow, PKCE S256 required, `iss` in every answer (RFC 9207)
    POST /token         authorization_code, refresh_token (rotates; reuse ends the family)
    POST /revoke        RFC 7009
    GET  /userinfo      sub, name, preferred_username, email
    GET  /jwks          the key of the ID tokens

One public client is registered: `jupyter-valet-demo`, whose redirect URI is
``http://<loopback>:<any port>/<any base_url>/valet/callback/demo`` (RFC 8252 §7.3).
Scopes: `openid`, `profile`, `issues:read`, `issues:write`; the last two can be unticked.

API (bearer; RFC 6750 errors; problems as RFC 9457 JSON)::

    GET  /api/me                                        profile       {"login", "name", "email"}
    GET  /api/projects                                  issues:read   [{"key", "name", ...}]
    GET  /api/projects/{project}/issues?state=&limit=   issues:read   [{"number", "title", ...}]
    GET  /api/projects/{project}/issues/{number}        issues:read   {"number", ..., "body"}
    POST /api/projects/{project}/issues                 issues:write  a new issue -> 201, the issue
    PATCH /api/projects/{project}/issues/{number}       issues:write  what changes -> the issue

`state` is `open` (default), `closed` or `all`; `limit` is 1 to 100 (default 30).
A new issue is ``{"title", "body"?, "labels"?, "assignee"?}``; what changes, the same and `state`.

Documents of this API and of two others on ports of their own (OpenAPI; `weather.py`, `tides.py`)::

    GET  /openapi.json            the issue tracker, by sign-in
    GET  /weather/openapi.json    weather stations, by API key; a page at /weather shows the key
    GET  /tides/openapi.json      tide tables, open to everybody
"""
