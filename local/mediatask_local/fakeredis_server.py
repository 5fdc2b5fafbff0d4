"""`python -m mediatask_local.fakeredis_server --port P`: an in-memory Redis where no real one is installed.

Losing it loses nothing: the operator rebuilds the view from the API server at its start.
"""

from __future__ import annotations

import argparse

from fakeredis import TcpFakeServer

from .ports import HOST


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    TcpFakeServer.daemon_threads = True
    TcpFakeServer((HOST, arguments.port), server_type="redis").serve_forever()


if __name__ == "__main__":
    main()
