"""The straw man: a process with a secret everywhere that a defence would have kept it from.

`straw.py SECRET FOLDER`: the secret is also in the environment, in memory and in an open file.
"""

import mmap
import sys
from pathlib import Path

secret, folder = sys.argv[1], Path(sys.argv[2])
(folder / "secret.txt").write_text(secret)
kept = (folder / "secret.txt").open()
memory = mmap.mmap(-1, 4096)
memory.write(secret.encode())
print("ready", flush=True)
sys.stdin.read()
