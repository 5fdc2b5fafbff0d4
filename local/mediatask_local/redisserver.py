"""The Redis server that `mediatask up` starts if one is installed, on a Unix socket that only this user can open."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from mediatask_common.logging import get_logger

log = get_logger(__name__)

PROGRAMS = ("redis-server", "valkey-server")
_SOCKET_PATH_BYTES = 107
"""`sun_path` of sockaddr_un is 108 bytes, the last one NUL."""


@dataclass(frozen=True)
class RedisServer:
    """A server without TCP port or password: whoever can open its folder can use it."""

    program: str
    folder: Path
    """Holds its socket and its data."""

    @property
    def socket(self) -> Path:
        return self.folder / "redis.sock"

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket))}"

    @property
    def command(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "appendonly": "yes",
            "save": "",
        }
        return [self.program, *(argument for name, value in options.items() for argument in (f"--{name}", value))]

    def make_folder(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)


def installed_program() -> str | None:
    """Path of a Redis server on PATH; None when none is installed."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


def find_server(folder: Path) -> RedisServer | None:
    """The server to run in a folder; None when none is installed or the path of its socket would be too long."""
    program = installed_program()
    if program is None:
        return None
    server = RedisServer(program, folder)
    if len(bytes(server.socket)) > _SOCKET_PATH_BYTES:
        log.warning("no Redis: the path is too long for a Unix socket", path=str(server.socket))
        return None
    return server
