"""`python -m support.payload`: a PayloadCMS in `build/payload/data` until Ctrl-C; prints what the operator needs."""

from __future__ import annotations

import contextlib
import signal

from .installed import FOLDER
from .server import payload_server

PORT = 3010
KEY = "payload-key-for-development"


def main() -> None:
    with payload_server(FOLDER / "data", PORT, KEY) as server, contextlib.suppress(KeyboardInterrupt):
        print(f"export PAYLOAD_API_URL={server.url}\nexport PAYLOAD_API_KEY={server.key}", flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
