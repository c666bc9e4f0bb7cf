"""The schemas of the events that the broker emits and the Jupyter server registers.

YAML for `jupyter_events` and the names of the schemas, nothing else; no event carries a secret.
"""

from __future__ import annotations

CONNECTION = "https://jupyter-valet.dev/events/connection"
"""The `$id` of `connection.yaml`: what became of connections, sign-ins and the vault."""
