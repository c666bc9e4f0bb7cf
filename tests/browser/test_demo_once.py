"""`make demo ARGS=--once`: the quickstart itself, from its first cell to its last."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SHOTS = ["card-before.png", "card-after.png", "consent.png"]


def test_the_quickstart_runs_to_its_end(tmp_path: Path) -> None:
    """The README's promise; the screenshots are of the card, before and after, and our page."""
    command = [sys.executable, str(HERE / "demo_once.py"), "--folder", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Outlier filter removes real storm surges" in done.stdout
    assert all((tmp_path / name).stat().st_size > 10_000 for name in SHOTS)
