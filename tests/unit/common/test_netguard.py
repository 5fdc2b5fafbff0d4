"""Outside URLs reach public addresses only, unless a network is allowed by name."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from mediatask_common.netguard import ForbiddenAddress, Unresolvable, check_literal, check_url


def resolving_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "192.0.0.8", "192.88.99.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1",
        "fc00::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::",
        "2001:0:1::", "3fff::1", "ff02::1", "2001:db8::1", "168.63.129.16", "::ffff:168.63.129.16",
    ],
)  # fmt: skip
def test_special_addresses_are_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    resolving_to(monkeypatch, address)
    with pytest.raises(ForbiddenAddress, match="not a public address"):
        check_url("https://innocent.example/x")


def test_one_bad_answer_among_good_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving_to(monkeypatch, "93.184.216.34", "10.0.0.1")
    with pytest.raises(ForbiddenAddress):
        check_url("https://mixed.example/")


def test_public_addresses_are_returned_in_the_resolvers_order(monkeypatch: pytest.MonkeyPatch) -> None:
    for addresses in (
        ("2606:2800:220:1::1", "93.184.216.34", "93.184.216.30"),
        ("93.184.216.34", "2606:2800:220:1::1", "93.184.216.30"),
    ):
        resolving_to(monkeypatch, *addresses, addresses[0])
        target = check_url("https://example.com:8443/hook?a=1")
        assert (target.addresses, target.address) == (addresses, addresses[0])
        assert (target.port, target.host, target.path) == (8443, "example.com", "/hook?a=1")


def test_a_denied_network_is_out_of_reach_even_where_it_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving_to(monkeypatch, "93.184.216.34", "93.184.216.35")
    check_url("http://front.example/", deny_networks=["93.184.216.36/32", "2000::/3"])
    with pytest.raises(ForbiddenAddress, match=r"93\.184\.216\.35, which is denied here"):
        check_url("http://front.example/", ["93.184.216.0/24"], ["93.184.216.35/32"])
    with pytest.raises(ForbiddenAddress, match="denied here"):
        check_literal("http://93.184.216.35/", (), ["93.184.216.0/24"])


def test_an_allowed_network_is_reachable_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving_to(monkeypatch, "127.0.0.1")
    assert check_url("http://localhost/x", ["127.0.0.0/8"]).address == "127.0.0.1"
    resolving_to(monkeypatch, "10.0.0.1")
    with pytest.raises(ForbiddenAddress):
        check_url("http://localhost/x", ["127.0.0.0/8", "::1/128"])


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/", "http:///x", "file:///etc/passwd", "http://a:b@example.com/", "http://a@example.com/",
        "http://@example.com/", "upload://abc", "task://t/1", "http://example.com:0/", "http://example.com:65536/",
        "http://example.com:x/", "http://example.com/\0", "http://exa\nmple.com/", "http://exa\tmple.com/",
        " http://example.com/", "http://example.com/\x7f", "http://[::1", "",
    ],
)  # fmt: skip
def test_other_urls_are_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    resolving_to(monkeypatch, "93.184.216.34")
    for check in (check_url, check_literal):
        with pytest.raises(ValueError, match=r"URL|Port|port") as refused:
            check(url)
        assert not isinstance(refused.value, ForbiddenAddress)


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LOCALHOST", "localhost.", "api.localhost", "127.0.0.1", "127.1", "0x7f.1", "2130706433", "[::1]",
        "10.0.0.1", "169.254.169.254", "[::ffff:10.0.0.1]", "[fe80::1%25eth0]", "168.63.129.16",
    ],
)  # fmt: skip
def test_what_a_url_says_by_itself_is_judged_without_dns(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", None)
    with pytest.raises(ForbiddenAddress):
        check_literal(f"http://{host}:8080/x")
    check_literal("http://localhost.example.com/x")
    check_literal("https://example.com/x")
    check_literal("http://localhost:8001/x", ["127.0.0.0/8"])


def test_a_name_without_an_address_says_so() -> None:
    with pytest.raises(Unresolvable, match=r"no-such-host\.invalid does not resolve"):
        check_url("http://no-such-host.invalid/")


@pytest.mark.parametrize(
    ("url", "port"),
    [("http://1.1.1.1", 80), ("https://1.1.1.1/", 443), ("http://1.1.1.1:443/", 443), ("https://1.1.1.1:80/", 80)],
)
def test_the_port_is_the_schemes_where_the_url_names_none(url: str, port: int) -> None:
    assert check_url(url).port == port
