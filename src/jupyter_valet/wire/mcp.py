"""The names of MCP 2026-07-28 that the kernel's small client and the broker share.

Source: MCP specification 2026-07-28, `basic/index` (`_meta`), `basic/patterns/mrtr`.
"""

PROTOCOL_VERSION = "2026-07-28"

META_VERSION = "io.modelcontextprotocol/protocolVersion"
META_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
META_CLIENT = "io.modelcontextprotocol/clientInfo"

HEADER_VERSION = "MCP-Protocol-Version"
HEADER_METHOD = "Mcp-Method"
HEADER_NAME = "Mcp-Name"

META_TOOLSET = "jupyter-valet/toolset"
"""In a tool's `_meta`: the toolset it belongs to, so that `tools.<toolset>.<tool>` can be built."""

META_TOOL = "jupyter-valet/tool"
"""In a tool's `_meta`: its name inside the toolset."""

META_PROVIDER = "jupyter-valet/provider"
"""In a tool's `_meta`: the provider whose connection it needs, if any."""

META_ERROR = "jupyter-valet/error"
"""In an `isError` result's `_meta`: the `ValetError` as JSON, for clients that know it."""

META_LIST = "jupyter-valet/list"
"""In the `_meta` of a `tools/list`: `LIST_ALL` asks also for what is not listed otherwise."""

LIST_ALL = "all"

META_WHOLE = "jupyter-valet/whole"
"""In the `_meta` of a `tools/call` request: true asks for the data as the API sent it, and for that
alone: not as text besides."""

META_NEXT = "jupyter-valet/next"
"""In a result's `_meta`: the arguments that change for the next page, where there is one."""
