"""Nobody outside this machine reaches the local mode: every listener is bound to loopback."""

from __future__ import annotations

from mediatask_local.up import UpInfo
from support.sockets import listeners


def test_every_listener_is_on_loopback(embedded_mode: UpInfo) -> None:
    found = {name: listeners(pid) for name, pid in embedded_mode.pids.items()}
    ports = {port for listening in found.values() for _, port in listening}
    expected = {
        int(url.rpartition(":")[2].partition("/")[0]) for url in (embedded_mode.api_url, embedded_mode.metrics_url)
    }
    assert expected <= ports, "the kernel's tables were read"
    outside = {
        name: [f"{host}:{port}" for host, port in listening if not host.is_loopback]
        for name, listening in found.items()
    }
    assert not any(outside.values()), outside
