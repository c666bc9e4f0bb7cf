"""Which environment variables reach the broker, and which do not reach a kernel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..wire import env as valet_env

_BROKER = frozenset(
    {
        # where files and libraries are
        "HOME", "PATH", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR",
        # who and in which language
        "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ",
        # the keyring's session bus
        "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR",
        # what Python and sockets need on Windows
        "SYSTEMROOT", "WINDIR", "USERPROFILE", "USERNAME", "APPDATA", "LOCALAPPDATA", "TEMP", "TMP",
        # and on macOS
        "__CF_USER_TEXT_ENCODING",
    }
)  # fmt: skip
"""Nothing here is a secret or sends traffic elsewhere (D2, R53): no proxy, no `PYTHON*`, no token.
`-I` makes Python itself ignore its own variables. `LD_LIBRARY_PATH` does choose libraries: some
interpreters do not start without it, and Jupyter itself was started with it."""

WITHHELD = (
    "JUPYTER_TOKEN",
    "JPY_API_TOKEN",
    "JUPYTERHUB_API_TOKEN",
    "JUPYTERHUB_CLIENT_ID",
    "JUPYTERHUB_CRYPT_KEY",
    "CONFIGPROXY_AUTH_TOKEN",
    "GITHUB_TOKEN",
    "GH_TOKEN",
)
"""What a kernel does not inherit: the keys to the Jupyter server, to the Hub, and the tokens that
tools pick up from the environment by themselves (M01, R53)."""


def for_broker(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that the broker gets: those on the list, and no other."""
    return {
        name: value
        for name, value in environ.items()
        if name.upper() in _BROKER or name.startswith("LC_")
    }


def for_kernel(environ: Mapping[str, str], withheld: Iterable[str]) -> dict[str, str]:
    """Return `environ` without what is withheld, and without an outer kernel's capability."""
    gone = {*withheld, valet_env.URL, valet_env.CAPABILITY}
    return {name: value for name, value in environ.items() if name not in gone}
