"""The API server as a separate process: `python -m mediatask_local.apiserver --dir DIR --port PORT`.

Prints one line of JSON when it is ready, `{"event": "ready", "url": ..., "kubeconfig": ...}`, and stops on SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
from pathlib import Path

from .access.pki import ensure_pki
from .http.server import ApiServer


async def serve(directory: Path, port: int) -> None:
    ensure_pki(directory, port)
    server = ApiServer(directory)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    bound = await server.start(port)
    # Port 0 asks for a free port, which is known only now.
    kubeconfig = ensure_pki(directory, bound)
    ready = {"event": "ready", "url": f"https://127.0.0.1:{bound}", "kubeconfig": str(kubeconfig)}
    print(json.dumps(ready), flush=True)
    await stopped.wait()
    await server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m mediatask_local.apiserver", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True, help="folder for the server's state and credentials")
    parser.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1; 0 picks a free one")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(serve(arguments.dir.resolve(), arguments.port))


if __name__ == "__main__":
    main()
