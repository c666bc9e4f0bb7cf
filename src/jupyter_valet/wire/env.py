"""The two environment variables by which the Jupyter server tells a kernel where the broker is."""

URL = "JUPYTER_VALET_URL"
"""Base URL of the broker's own loopback listener, without a trailing slash."""

CAPABILITY = "JUPYTER_VALET_CAPABILITY"
"""The kernel's capability: a bearer that is worth something only to this broker and this kernel."""
