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
SOURCE, TARGET = PACKAGE / "async_client.py", PACKAGE / "client.py"

DOCSTRING = re.compile(r'\A""".*?\n')
REPLACEMENTS = (
    (r"\(await ([\w.]+\([\w.]+\))\)(?=\.)", r"\1"),
    (r"\bimport asyncio\n", ""),
    (r"\basyncio\.sleep\b", "time.sleep"),
    (r"\basyncio\.to_thread\(([\w.]+), ", r"\1("),
    (r"\basync (def|for|with)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bAsync(Client|Iterator)\b", r"\1"),
    (r"\b__a(enter|exit)__\b", r"__\1__"),
    (r"\ba(close|read|iter_lines|iter_bytes)\b", r"\1"),
)


def synchronous(source: str) -> str:
    text = DOCSTRING.sub('"""The synchronous client. Generated from `async_client.py` by `make client`.\n', source)
    for pattern, replacement in REPLACEMENTS:
        text = re.sub(pattern, replacement, text)
    return _ruff(_ruff(text, "check", "--fix", "--unsafe-fixes", "--select", "I,UP028", "--quiet"), "format")


def _ruff(text: str, *words: str) -> str:
    command = [sys.executable, "-m", "ruff", *words, "--stdin-filename", str(TARGET), "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the file differs")
    check = parser.parse_args().check
    text = synchronous(SOURCE.read_text())
    if check and text != TARGET.read_text():
        sys.exit(f"{TARGET.name} is out of date. Run `make client` and commit what it writes.")
    if not check:
        TARGET.write_text(text)


if __name__ == "__main__":
    main()
