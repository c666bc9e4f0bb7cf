"""The MCP endpoint on Jupyter's port, for clients outside of the notebooks.

It finds out whether the server's identity provider knows the token, and passes everything on to the
broker; no tool, no scope and no token of ours is known here.
"""
