"""Ports of the local mode."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from mediatask_local.ports import INTERNAL, PortTaken, choose_ports


def test_they_stay_the_same(tmp_path: Path) -> None:
    first = choose_ports(tmp_path / "ports.json", 0)
    assert len(set(first.values())) == len(INTERNAL) + 1
    assert choose_ports(tmp_path / "ports.json", 0) == first


def test_one_that_somebody_took_is_replaced(tmp_path: Path) -> None:
    first = choose_ports(tmp_path / "ports.json", 0)
    with socket.socket() as other:
        other.bind(("127.0.0.1", first["s3"]))
        other.listen()
        second = choose_ports(tmp_path / "ports.json", 0)
    assert {name for name in first if first[name] != second[name]} == {"s3"}


def test_the_one_the_user_chose_is_never_replaced(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(PortTaken, match="--api-port"):
            choose_ports(tmp_path / "ports.json", other.getsockname()[1])
