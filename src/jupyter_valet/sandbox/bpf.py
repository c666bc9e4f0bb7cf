"""Classic BPF programs over `struct seccomp_data`: just enough of it to say "when this, then that".

Each function returns a list of instructions; lists are joined by `+`. Jumps only go forward.
"""

from __future__ import annotations

import struct
from typing import NamedTuple


class Instruction(NamedTuple):
    """One instruction: operation, jumps when true and false, constant."""

    code: int
    when_true: int
    when_false: int
    constant: int


Program = list[Instruction]

LOAD, AND, RETURN = 0x20, 0x54, 0x06
EQUAL, AT_LEAST, ANY_BIT = 0x15, 0x35, 0x45

NUMBER_OFFSET, ARCH_OFFSET, ARGUMENTS_OFFSET = 0, 4, 16

ALLOW = 0x7FFF0000
ASK = 0x7FC00000
"""SECCOMP_RET_USER_NOTIF: the supervisor answers."""
KILL = 0x80000000
_ERRNO = 0x00050000
LIMIT = 4096
"""BPF_MAXINSNS."""


def fail(errno: int) -> int:
    """Return the action that makes a call fail with `errno`."""
    return _ERRNO | errno


def load(offset: int) -> Program:
    """Load a 32-bit word of the call."""
    return [Instruction(LOAD, 0, 0, offset)]


def argument(index: int) -> Program:
    """Load the lower half of an argument: the kernel uses no more of an `int` (little endian)."""
    return load(ARGUMENTS_OFFSET + 8 * index)


def masked(bits: int) -> Program:
    """Keep only these bits of what is loaded."""
    return [Instruction(AND, 0, 0, bits)]


def answer(action: int) -> Program:
    """End with `action`."""
    return [Instruction(RETURN, 0, 0, action)]


def when(test: int, constant: int, body: Program) -> Program:
    """Run `body` only if the loaded word passes `test` against `constant`."""
    if len(body) > 255:
        raise ValueError("a BPF jump reaches 255 instructions")
    return [Instruction(test, 0, len(body), constant), *body]


def unless(test: int, constant: int, body: Program) -> Program:
    """Run `body` only if the loaded word fails `test`."""
    if len(body) > 255:
        raise ValueError("a BPF jump reaches 255 instructions")
    return [Instruction(test, len(body), 0, constant), *body]


def encode(program: Program) -> bytes:
    """Return the program as an array of `struct sock_filter`."""
    if len(program) > LIMIT:
        raise ValueError(f"a BPF program has at most {LIMIT} instructions")
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
