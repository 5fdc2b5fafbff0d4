"""The `mediatask` command. Results go to standard output, what happens meanwhile to standard error.

Each verb imports what is heavy (HTTP, models, Rich) for itself, so that `--help` and completion are fast.
"""

from __future__ import annotations

import sys

from .app import app, complain
from .verbs import batch, keys, local, mcp, reviews, tasks, uploads, usage, webhook

__all__ = ["app", "batch", "keys", "local", "main", "mcp", "reviews", "tasks", "uploads", "usage", "webhook"]


def main() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    if any("\udc80" <= character <= "\udcff" for word in sys.argv for character in word):
        complain("an argument is not UTF-8")
        sys.exit(2)
    app()
