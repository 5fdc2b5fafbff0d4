"""What the chart repeats of other places says the same there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

GENERATE = Path(__file__).resolve().parents[3] / "charts" / "generate.py"


def test_copies_schema_and_table_are_current() -> None:
    checked = subprocess.run([sys.executable, GENERATE, "--check"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
