"""`python -m support.brain`: a Brain in `build/brain` until Ctrl-C; prints what `mediatask up` needs."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path

from .server import brain_server

FOLDER = Path(__file__).parents[3] / "build" / "brain"
PORT = 8002


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with brain_server(FOLDER, token=None, port=PORT) as brain, contextlib.suppress(KeyboardInterrupt):
        print(f"export MCP_BRAIN_SERVICE_URL={brain.url}", flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
