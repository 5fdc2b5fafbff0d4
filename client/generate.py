"""Writes the synchronous client from the asynchronous one: `python client/generate.py [--check]`.

Only names differ: `await` goes, `async for` becomes `for`, `httpx.AsyncClient` becomes `httpx.Client`, and so on.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent / "mediatask_client"
SOURCE, TARGET = PACKAGE / "_async", PACKAGE / "_sync"

REPLACEMENTS = (
    (r"\bThe asynchronous client", "The synchronous client"),
    (r"\(await ([\w.]+\([\w.]+\))\)(?=\.)", r"\1"),
    (r"\bimport asyncio\n", "import time\n"),
    (r"\basyncio\.sleep\b", "time.sleep"),
    (r"\basyncio\.to_thread\(([\w.]+), ", r"\1("),
    (r"\basync (def|for|with)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bAsyncGenerator\[(.+), None\]", r"Generator[\1, None, None]"),
    (r"\bAsync(?=[A-Z])", ""),
    (r"\baclosing\b", "closing"),
    (r"\b__a(enter|exit)__\b", r"__\1__"),
    (r"\ba(close|read|iter_lines|iter_bytes)\b", r"\1"),
)
NOTE = "# Generated from `_async` by `make client`.\n"


def synchronous() -> dict[str, str]:
    """Content of each file of the synchronous client, by name."""
    return {path.name: _synchronous(path.read_text(), TARGET / path.name) for path in sorted(SOURCE.glob("*.py"))}


def _synchronous(text: str, target: Path) -> str:
    for pattern, replacement in REPLACEMENTS:
        text = re.sub(pattern, replacement, text)
    fixed = _ruff(NOTE + text, target, "check", "--fix", "--unsafe-fixes", "--select", "I,F401,UP028", "--quiet")
    return _ruff(fixed, target, "format")


def _ruff(text: str, target: Path, *words: str) -> str:
    command = [sys.executable, "-m", "ruff", *words, "--stdin-filename", str(target), "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file differs")
    check = parser.parse_args().check
    wanted = synchronous()
    present = {path.name: path.read_text() for path in TARGET.glob("*.py")}
    if check and wanted != present:
        differing = sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))
        sys.exit(f"{TARGET.name}/{', '.join(differing)}: out of date. Run `make client` and commit what it writes.")
    if not check:
        TARGET.mkdir(exist_ok=True)
        for name in present.keys() - wanted.keys():
            (TARGET / name).unlink()
        for name, text in wanted.items():
            (TARGET / name).write_text(text)


if __name__ == "__main__":
    main()
