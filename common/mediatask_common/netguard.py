"""Which addresses an outside URL may lead to. Standard library only: the job runtime uses it, too.

A URL is resolved once, every answer is checked, and the caller connects to the address that was checked, so that
a name which changes its mind between check and use gains nothing.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Special-use ranges that `is_global` lets through (RFC 7526, RFC 9637, RFC 6890, RFC 8215), and a public address
# under which Azure's hosts serve every virtual machine.
_REFUSED = tuple(
    ipaddress.ip_network(network)
    for network in ("192.88.99.0/24", "192.0.0.0/24", "3fff::/20", "2002::/16", "2001::/32", "168.63.129.16/32")
)
_UNICAST_V6 = ipaddress.ip_network("2000::/3")
_LOCALHOST = re.compile(r"(.+\.)?localhost\.?", re.IGNORECASE)
_NOT_IN_URL = re.compile(r"[\x00-\x20\x7f]")


class ForbiddenAddress(ValueError):
    """The URL leads to an address that outside URLs may not reach."""


class Unresolvable(OSError):
    """The host name has no address."""


@dataclass(frozen=True)
class Target:
    """A checked destination."""

    scheme: str
    host: str
    """Host name as in the URL: for the Host header, SNI and certificate check."""
    port: int
    addresses: tuple[str, ...]
    """The addresses to connect to, in the resolver's order of preference; never empty."""
    path: str
    """Path with query."""

    @property
    def address(self) -> str:
        """The first address."""
        return self.addresses[0]


def check_url(url: str, allow_networks: Sequence[str] = (), deny_networks: Sequence[str] = ()) -> Target:
    """Resolve and check a URL. Blocks on DNS: call it in a thread from async code.

    Args:
        url: an absolute http or https URL without user info.
        allow_networks: CIDRs that are allowed although they are not public.
        deny_networks: CIDRs that are refused although they are public; they take precedence.

    Raises:
        ValueError: not such a URL.
        ForbiddenAddress: any of its addresses is private, loopback, link-local or otherwise special.
        Unresolvable: the name does not resolve.
    """
    parts, host, port = _split(url)
    addresses = _resolve(host, port)
    for address in addresses:
        _check_address(host, address, allow_networks, deny_networks)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, tuple(map(str, addresses)), path)


def check_literal(url: str, allow_networks: Sequence[str] = (), deny_networks: Sequence[str] = ()) -> None:
    """Check what a URL says by itself, without asking DNS: its form, and its address where it names one or localhost.

    For a first answer to whoever sends the URL; whoever connects still has to use `check_url`.

    Raises:
        ValueError, ForbiddenAddress: as `check_url`.
    """
    _, host, _ = _split(url)
    address = ipaddress.IPv4Address("127.0.0.1") if _LOCALHOST.fullmatch(host) else _literal(host)
    if address is not None:
        _check_address(host, address, allow_networks, deny_networks)


def _split(url: str) -> tuple[SplitResult, str, int]:
    if _NOT_IN_URL.search(url):  # urlsplit would leave some of them out
        raise ValueError("blanks and control characters in a URL are not accepted")
    parts = urlsplit(url)
    if parts.scheme in ("upload", "task"):
        raise ValueError(f"{parts.scheme}:// references are not supported yet: give an http or https URL")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"not an http or https URL: {url!r}")
    if parts.username is not None or parts.password is not None:
        raise ValueError("user info in a URL is not accepted")
    port = parts.port  # raises ValueError for what is not a port
    if port == 0:
        raise ValueError("a URL cannot have port 0")
    return parts, parts.hostname, port or (443 if parts.scheme == "https" else 80)


def _check_address(host: str, address: Address, allow_networks: Sequence[str], deny_networks: Sequence[str]) -> None:
    if _within(address, deny_networks):
        raise ForbiddenAddress(f"{host} leads to {address}, which is denied here")
    if not _public(address) and not _within(address, allow_networks):
        raise ForbiddenAddress(f"{host} leads to {address}, which is not a public address")


def _within(address: Address, networks: Sequence[str]) -> bool:
    return any(
        address.version == network.version and address in network for network in map(ipaddress.ip_network, networks)
    )


def _literal(host: str) -> Address | None:
    """The address a host part spells, also in the short, octal, hexadecimal and integer forms of IPv4."""
    try:
        return _unmapped(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        pass
    try:
        # Resolvers read 127.1, 0x7f.1 and 2130706433 this way, too.
        return ipaddress.IPv4Address(socket.inet_aton(host)) if not re.search(r"\s", host) else None
    except (OSError, ValueError):
        return None


def _resolve(host: str, port: int) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unresolvable(f"{host} does not resolve: {error}") from error
    # In the resolver's order (RFC 6724), each once.
    return list(dict.fromkeys(_unmapped(ipaddress.ip_address(str(info[4][0]).partition("%")[0])) for info in found))


def _unmapped(address: Address) -> Address:
    """The IPv4 address inside an IPv4-mapped IPv6 one."""
    return (address.version == 6 and address.ipv4_mapped) or address


def _public(address: Address) -> bool:
    if address.version == 6 and address not in _UNICAST_V6:
        return False
    if any(address.version == network.version and address in network for network in _REFUSED):
        return False
    return address.is_global and not address.is_multicast
