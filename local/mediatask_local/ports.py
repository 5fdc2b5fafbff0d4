"""TCP ports of the local mode: chosen once, kept in `ports.json`, so that addresses survive a restart."""

from __future__ import annotations

import json
import socket
from pathlib import Path

HOST = "127.0.0.1"
INTERNAL = ("kubernetes", "internal", "s3", "health", "metrics", "api-metrics")


class PortTaken(Exception):
    """Somebody else listens there."""


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: a port whose old connections are still closing is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def choose_ports(file: Path, api_port: int) -> dict[str, int]:
    """Port by name: `api` and all of INTERNAL. Those of the last time where they are still free.

    Args:
        file: where the choice is kept.
        api_port: port of the REST API; 0 takes any free one.

    Raises:
        PortTaken: the API's port is in use.
    """
    kept: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
    if api_port and not is_free(api_port):
        raise PortTaken(
            f"port {api_port} is taken. Choose another one with --api-port, or see who has it: "
            f"ss -ltnp 'sport = :{api_port}'"
        )
    ports = {name: kept[name] for name in INTERNAL if name in kept and is_free(kept[name])}
    if api_port:
        ports["api"] = api_port
    elif "api" in kept and is_free(kept["api"]):
        ports["api"] = kept["api"]
    missing = [name for name in ("api", *INTERNAL) if name not in ports]
    ports |= dict(zip(missing, _free_ports(len(missing)), strict=True))
    file.write_text(json.dumps(ports, indent=2))
    return ports


def _free_ports(count: int) -> list[int]:
    """Different free ports: all are held until the last one is found."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((HOST, 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
