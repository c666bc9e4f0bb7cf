"""What a kernel may reach, as data that both back ends understand and a person can read.

Every place of the file system has a mode: that of the longest listed path above it.
"""

from __future__ import annotations

import enum
import glob
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from . import places


class Mode(enum.Enum):
    """What may be done beneath a path."""

    HIDDEN = "hidden"
    READ = "read"
    WRITE = "write"


@dataclass(frozen=True)
class Opening:
    """One thing that a person opens, in the words of the configuration."""

    kind: str
    what: str

    @classmethod
    def parse(cls, text: str) -> Opening:
        """Read `read:PATH`, `write:PATH`, `listen:PORT`, `connect:PORT` or `env:NAME`.

        Raises `ValueError` with what is wrong.
        """
        kind, colon, what = text.partition(":")
        if not colon or kind not in {"read", "write", "listen", "connect", "env"} or not what:
            raise ValueError(
                f"{text!r} is not read:PATH, write:PATH, listen:PORT, connect:PORT or env:NAME"
            )
        if kind in {"listen", "connect"} and not (what.isdecimal() and 0 < int(what) < 65536):
            raise ValueError(f"{text!r}: a port is a number from 1 to 65535")
        if kind in {"read", "write"}:
            path = Path(what).expanduser()
            if not path.is_absolute():
                raise ValueError(f"{text!r}: the path must be absolute or begin with ~")
            what = str(path)
        return cls(kind, what)


@dataclass(frozen=True)
class Policy:
    """What kernels may reach. Paths are absolute and real: no symbolic link in them."""

    modes: Mapping[str, Mode]
    guarded: Sequence[str] = ()
    """Read-only inside writable places, where a back end can do that at no cost."""
    devices: Sequence[str] = ()
    listen: frozenset[int] = frozenset()
    """Ports on which a kernel may listen, by the person's own decision (R80)."""
    connect: frozenset[int] = frozenset()
    """Ports that a kernel may connect to though they are the session's own."""
    variables: frozenset[str] = frozenset()
    """Environment variables that pass, beside those on the list."""
    openings: Sequence[Opening] = field(default=())
    home: str = "/"
    """The home folder, where names that are not there yet are dangerous, too."""

    def mode(self, path: str) -> Mode:
        """Return the mode of `path`."""
        while path not in self.modes:
            above = os.path.dirname(path)  # noqa: PTH120 - asked for hundreds of paths a start
            if above == path:
                return Mode.HIDDEN
            path = above
        return self.modes[path]

    def from_the_root(self) -> list[tuple[str, Mode]]:
        """Return the listed places, those nearer to the root first."""
        return sorted(self.modes.items(), key=lambda item: (item[0].count("/"), item[0]))

    def with_only(self, modes: Mapping[str, Mode]) -> Policy:
        """Return this policy with these places instead."""
        return replace(self, modes=dict(modes))

    def with_home_sealed(self, most: int) -> Policy:
        """Return this policy with a writable home folder in which nothing new can be made.

        What is in it stays writable, folders first, as far as `most` entries go: a shell's
        start-up file that is not there yet must not be made (R29 to R32).
        """
        if self.mode(self.home) is not Mode.WRITE:
            return self
        with os.scandir(self.home) as entries:
            shown = [e for e in entries if not e.name.startswith(".") and not e.is_symlink()]
        shown.sort(key=lambda entry: (not entry.is_dir(), entry.name))
        inside = {entry.path: Mode.WRITE for entry in shown[:most]}
        return self.with_only({**inside, **self.modes, self.home: Mode.READ})

    def with_modes(self, modes: Mapping[str, Mode]) -> Policy:
        """Return this policy with more places."""
        return replace(self, modes={**self.modes, **modes})


def standard(
    *,
    home: Path,
    project: Path,
    hidden: Iterable[Path | str] = (),
    protected: Iterable[Path | str] = (),
    openings: Sequence[Opening] = (),
) -> Policy:
    """Return the policy that kernels start with.

    `hidden` are Jupyter's own folders and the vault's; `protected` are those that the server runs
    code from, which stay readable and are never written to, wherever they lie (R28, D5).
    """
    modes: dict[str, Mode] = {"/": Mode.READ, "/dev": Mode.HIDDEN}
    for path in places.SHARED_TEMPORARY:
        modes[path] = Mode.HIDDEN
    modes[_real(home)] = Mode.READ
    modes[_real(project)] = Mode.WRITE
    for pattern in places.NOT_WRITABLE_IN_HOME:
        for path in glob.glob(pattern, root_dir=home, include_hidden=True):  # noqa: PTH207
            modes.setdefault(_real(home / path), Mode.READ)
    for place in protected:
        modes[_real(place)] = Mode.READ
    for name in (*places.CREDENTIALS, *places.SYSTEM_CREDENTIALS, *map(str, hidden)):
        modes[_real(home / name)] = Mode.HIDDEN
    for opening in openings:
        if opening.kind in {"read", "write"}:
            modes[_real(opening.what)] = Mode(opening.kind)
    return Policy(
        modes=modes,
        guarded=[_real(project / name) for name in places.GUARDED_IN_PROJECT],
        devices=_devices(),
        listen=_ports(openings, "listen"),
        connect=_ports(openings, "connect"),
        variables=frozenset(o.what for o in openings if o.kind == "env"),
        openings=openings,
        home=_real(home),
    )


def _ports(openings: Iterable[Opening], kind: str) -> frozenset[int]:
    return frozenset(int(opening.what) for opening in openings if opening.kind == kind)


def _devices() -> list[str]:
    found: list[str] = []
    for pattern in places.DEVICES:
        found += glob.glob(f"/dev/{pattern}")  # noqa: PTH207
    return sorted(found)


def _real(path: Path | str) -> str:
    return os.path.realpath(path)
