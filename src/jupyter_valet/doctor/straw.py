"""The straw man: a process of the person's with a secret in all the places that a broker closes.

`straw.py SECRET FILE`, where FILE holds the secret as well. An attack that gets nothing even here
proves nothing elsewhere. It ends with its standard input.
"""

from __future__ import annotations

import mmap
import sys


def main() -> None:
    """Hold the secret until nobody is there any more."""
    with open(sys.argv[2], encoding="utf-8") as kept, mmap.mmap(-1, 4096) as memory:  # noqa: PTH123
        memory.write(sys.argv[1].encode())
        print("ready", flush=True)
        sys.stdin.read()
        kept.close()


if __name__ == "__main__":
    main()
