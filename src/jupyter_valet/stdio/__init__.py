"""MCP over standard input and output, for a client that starts its servers as programs.

It is a bridge and nothing else: every message goes to the endpoint of a Jupyter server that runs
here, as the person who runs both, and every answer comes back. It knows no tool and no secret but
the token that lets the person into their own server.
"""
