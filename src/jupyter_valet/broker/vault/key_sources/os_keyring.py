"""The operating system's keyring, through one backend class that we chose.

`keyring.get_keyring()` is never called: headless it silently picks a plaintext file, and its
configuration file and environment variable run whatever code they name (security notes, 2.7).
"""

from __future__ import annotations

import contextlib
import importlib
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from ..errors import KeyUnavailable, VaultDamaged
from ..ring import KeyRing
from .source import Unsuitable

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

BACKENDS = {
    "linux": ("keyring.backends.SecretService", "Keyring"),
    "darwin": ("keyring.backends.macOS", "Keyring"),
    "win32": ("keyring.backends.Windows", "WinVaultKeyring"),
}
"""The only backends there are, by `sys.platform`."""

_USER = "key ring"
_PATIENCE = 20.0
"""Seconds. A keyring that asks the person, or hangs, must not hang the broker."""

_T = TypeVar("_T")


class KeyringSource:
    """The ring as one item of the system's keyring, named after the vault."""

    name = "keyring"
    words = (
        "your system's keyring; it protects the vault while you are logged out, "
        "not against programs that run as you"
    )
    apart = True
    travels = False

    def check(self) -> None:
        """Raise `Unsuitable` when there is no keyring here, or it is locked."""
        _answer(_check_open)
        _answer(_backend)

    def load(self, vault_id: str) -> KeyRing | None:
        """Fetch the ring. Raises `KeyUnavailable` or `VaultDamaged`."""
        with _clear_errors():
            text = self._ask(lambda backend: backend.get_password(_service(vault_id), _USER))
        if text is None:
            return None
        try:
            ring = KeyRing.from_bytes(text.encode())
        except ValueError:
            raise VaultDamaged("its key in the keyring is damaged") from None
        if ring.vault_id != vault_id:
            raise VaultDamaged("the key in the keyring is another vault's")
        return ring

    def store(self, ring: KeyRing) -> None:
        """Store the ring, and read it back: some keyrings lose what they cannot hold."""
        text = ring.to_bytes().decode()
        service = _service(ring.vault_id)
        with _clear_errors():
            self._ask(lambda backend: backend.set_password(service, _USER, text))
            kept = self._ask(lambda backend: backend.get_password(service, _USER))
        if kept != text:
            raise KeyUnavailable("the keyring did not keep it")

    def forget(self, vault_id: str) -> None:
        """Delete the item, if there is one."""
        if self.load(vault_id) is not None:
            with _clear_errors():
                self._ask(lambda backend: backend.delete_password(_service(vault_id), _USER))

    def _ask(self, question: Callable[[KeyringBackend], _T]) -> _T:
        self.check()
        return _answer(lambda: question(_backend()))


def _service(vault_id: str) -> str:
    return f"jupyter-valet {vault_id}"


def _answer(question: Callable[[], _T]) -> _T:
    """Return the answer to a question that may never be answered. Raises `Unsuitable` then."""
    answers: queue.SimpleQueue[tuple[_T | None, Exception | None]] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put((question(), None))
        except Exception as error:
            answers.put((None, error))

    threading.Thread(target=ask, daemon=True, name="keyring").start()
    try:
        answer, error = answers.get(timeout=_PATIENCE)
    except queue.Empty:
        raise Unsuitable(f"it does not answer within {_PATIENCE:.0f} seconds") from None
    if error is not None:
        raise error
    return answer  # type: ignore[return-value]


def _backend() -> KeyringBackend:
    """Return the one backend of this platform. Raises `Unsuitable` with its own reason."""
    chosen = BACKENDS.get(sys.platform)
    if chosen is None:
        raise Unsuitable(f"no keyring is supported on {sys.platform}")
    module, name = chosen
    try:
        backend: type[KeyringBackend] = getattr(importlib.import_module(module), name)
        backend.priority  # noqa: B018  # raises the reason
        return backend()
    except (ImportError, RuntimeError) as error:
        raise Unsuitable(str(error) or "it does not work here") from None
    except Exception as error:
        raise Unsuitable(f"it does not work here ({type(error).__name__})") from None


def _check_open() -> None:
    """Raise `Unsuitable` when a Secret Service would have to ask the person first.

    The broker has no window to ask in, and a prompt that nobody sees would hang it.
    """
    if sys.platform != "linux":
        return
    try:
        locked = _default_collection_is_locked()
    except ImportError:
        raise Unsuitable("SecretStorage is not installed") from None
    except Unsuitable:
        raise
    except Exception as error:
        raise Unsuitable(f"no Secret Service answers here ({type(error).__name__})") from None
    if locked:
        raise Unsuitable("the default keyring is locked")


def _default_collection_is_locked() -> bool:
    import secretstorage
    from secretstorage.exceptions import ItemNotFoundException

    with contextlib.closing(secretstorage.dbus_init()) as bus:
        if not secretstorage.check_service_availability(bus):
            raise Unsuitable("no Secret Service is running")
        try:
            return secretstorage.get_collection_by_alias(bus, "default").is_locked()
        except ItemNotFoundException:
            raise Unsuitable("the Secret Service has no default keyring") from None


@contextlib.contextmanager
def _clear_errors() -> Iterator[None]:
    """Turn whatever a backend raises into one line; its own text may hold anything."""
    try:
        yield
    except Unsuitable as reason:
        raise KeyUnavailable(f"the keyring cannot be used: {reason}") from None
    except KeyUnavailable:
        raise
    except Exception as error:
        raise KeyUnavailable(f"the keyring failed ({type(error).__name__})") from None
