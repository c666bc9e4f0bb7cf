"""`make bench`: every figure as a ratio of two things measured side by side in this run.

Absolute times of a shared two-core machine say little; both sides of a ratio are interleaved, and
what is compared is the median. Writes `build/bench.json`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BENCHES = [
    "notebook",
    "server",
    "calls",
    "documents",
    "search",
    "egress",
    "flow",
    "vault",
    "sandbox",
    "clients",
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=BENCHES, help=f"some of: {', '.join(BENCHES)}")
    parser.add_argument("--out", type=Path, default=HERE.parents[1] / "build" / "bench.json")
    options = parser.parse_args()
    sys.path.insert(0, str(HERE))
    figures = []
    for name in options.names:
        figures += importlib.import_module(f"bench_{name}").measure()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({f["name"]: f for f in figures}, indent=2) + "\n")
    print(f"\n{'what':<58} {'is':>8} {'goal':>8}")
    for figure in figures:
        print(f"{figure['name']:<58} {figure['value']:>8.2f} {figure['goal']:>8}  {figure['unit']}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
