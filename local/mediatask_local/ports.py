"""TCP ports of the local mode: chosen once and kept in `ports.json`, so that addresses survive a restart."""

from __future__ import annotations

import json
import socket
from pathlib import Path

HOST = "127.0.0.1"
INTERNAL = ("kubernetes", "internal", "s3", "health", "metrics", "api-metrics")


class PortTaken(Exception):
    """Another process listens on that port."""


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: a port with old connections in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def choose_ports(file: Path, api_port: int) -> dict[str, int]:
    """Ports by name: `api` and all of INTERNAL. Ports of the last run are reused while they are free.

    Args:
        file: JSON file that keeps the choice.
        api_port: port of the REST API; 0 picks a free one.

    Raises:
        PortTaken: the API's port is in use.
    """
    kept: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
    if api_port and not is_free(api_port):
        raise PortTaken(
            f"port {api_port} is taken. Choose another one with --api-port, or see which process has it: "
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
    """Distinct free ports: all sockets stay bound until the last port is found."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((HOST, 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
