"""`python -m support.payload`: a PayloadCMS in `build/payload/data` until Ctrl-C; prints what the operator needs.

`python -m support.payload COMMAND...` runs a command beside an empty one instead, with that in its environment.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from .installed import FOLDER
from .server import payload_server

PORT = 3010
KEY = "payload-key-for-development"


def main() -> int:
    if len(sys.argv) > 1:
        return _beside(sys.argv[1:])
    with payload_server(FOLDER / "data", PORT, KEY) as server, contextlib.suppress(KeyboardInterrupt):
        print(f"export PAYLOAD_API_URL={server.url}\nexport PAYLOAD_API_KEY={server.key}", flush=True)
        signal.pause()
    return 0


def _beside(command: list[str]) -> int:
    """The command's exit code."""
    with tempfile.TemporaryDirectory(prefix="payload-") as folder, payload_server(Path(folder)) as server:
        environment = {**os.environ, "PAYLOAD_API_URL": server.url, "PAYLOAD_API_KEY": server.key}
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
