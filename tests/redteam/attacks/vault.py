"""The vault, opened by the product's own code with whatever key lies open."""

import os
import sys
from pathlib import Path


def vault_and_key(t):
    """R01: the key file and the vault, opened by the product's own code."""
    sys.path.insert(0, t["source"])
    from jupyter_valet.broker.reveal import reveal
    from jupyter_valet.broker.vault import open_vault

    if not os.listdir(Path(t["state"], "keys")):
        return ""
    key = [path for path in Path(t["state"], "keys").iterdir() if "witness" not in path.name]
    seen = [path.read_bytes()[:10] for path in key]  # the refusal of the files, if there is one
    vault = open_vault(
        Path(t["state"]), t["key_source"] if t["key_source"] != "keyring" else "file"
    )
    try:
        if vault.locked:
            return "locked"
        kinds = ("connection", "oauth_app", "transaction")
        return f"{len(seen)} " + " ".join(
            reveal(record.payload) for kind in kinds for record in vault.list(kind)
        )
    finally:
        vault.close()


def vault_and_passphrase(t):
    """X05: the vault's file, by code that saw the passphrase on its way through the server."""
    sys.path.insert(0, t["source"])
    from jupyter_valet.broker.reveal import reveal
    from jupyter_valet.broker.secret import Secret
    from jupyter_valet.broker.vault import open_vault

    os.listdir(t["state"])
    vault = open_vault(Path(t["state"]), "passphrase", prompt=lambda: Secret(t["passphrase"]))
    try:
        kinds = ("connection", "oauth_app", "transaction")
        return " ".join(reveal(record.payload) for kind in kinds for record in vault.list(kind))
    finally:
        vault.close()
