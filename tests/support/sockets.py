"""TCP listeners of processes, as the kernel knows them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

_LISTEN = "0A"


def listeners(pid: int) -> list[tuple[IPv4Address | IPv6Address, int]]:
    """Address and port of every TCP socket that a process listens on."""
    own = set(_socket_inodes(pid))
    return [address for inode, address in _listening(pid) if inode in own]


def _socket_inodes(pid: int) -> Iterator[str]:
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except FileNotFoundError:
            continue  # closed meanwhile
        if target.startswith("socket:["):
            yield target.removeprefix("socket:[").rstrip("]")


def _listening(pid: int) -> Iterator[tuple[str, tuple[IPv4Address | IPv6Address, int]]]:
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            local, state = fields[1], fields[3]
            if state == _LISTEN:
                host, _, port = local.partition(":")
                yield fields[9], (_address(host), int(port, 16))


def _address(digits: str) -> IPv4Address | IPv6Address:
    """The kernel prints 32-bit words in the byte order of the machine."""
    words = [int(digits[start : start + 8], 16) for start in range(0, len(digits), 8)]
    packed = struct.pack(f"={len(words)}I", *words)
    return IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed)
