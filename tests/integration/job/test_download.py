"""The connection goes to the address that was checked, while the name stays in Host, SNI and the certificate check."""

from __future__ import annotations

import datetime
import http.server
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mediatask_common import netguard
from mediatask_crds.podcontract import InputsPolicy
from mediatask_job.failures import InvalidInput
from mediatask_job.inputs.download import Downloader, Unreachable

POLICY = InputsPolicy(allow_networks=["127.0.0.0/8"], timeout_seconds=5)


def downloader() -> Downloader:
    return Downloader(POLICY, lambda: None)


def certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """A self-signed certificate for a host, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert_file, key_file


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """An HTTPS server that is `cdn.example` to its certificate; every name resolves to it."""
    seen: dict[str, Any] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen["host"] = self.headers["Host"]
            self.send_response(200)
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"data")

        def log_message(self, *_: object) -> None:
            pass

    cert_file, key_file = certificate(tmp_path, "cdn.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert_file, key_file)
    context.sni_callback = lambda _socket, name, _context: seen.update(sni=name)
    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    monkeypatch.setattr("certifi.where", lambda: str(cert_file))
    monkeypatch.setattr(netguard, "_resolve", lambda host, port: [ipaddress.ip_address("127.0.0.1")])
    seen["port"] = listening.server_port
    yield seen
    listening.shutdown()
    listening.server_close()
    thread.join()


def test_the_name_stays_in_host_and_sni(server: dict[str, Any], tmp_path: Path) -> None:
    downloader().outside(f"https://cdn.example:{server['port']}/x", tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"data"
    assert server["sni"] == "cdn.example"
    assert server["host"] == f"cdn.example:{server['port']}"


def test_the_next_address_is_tried_where_one_takes_no_connection(
    server: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = [ipaddress.ip_address(address) for address in ("127.0.0.2", "127.0.0.1")]
    monkeypatch.setattr(netguard, "_resolve", lambda host, port: addresses)
    downloader().outside(f"https://cdn.example:{server['port']}/x", tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"data"


def test_a_certificate_for_another_name_is_refused(server: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
        downloader().outside(f"https://other.example:{server['port']}/x", tmp_path / "x")


@pytest.mark.parametrize("url", ["http://[::1", "http:///x", "http://exa\x00mple/", "http://x:99999/"])
def test_what_is_no_url_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidInput):
        downloader().outside(url, tmp_path / "x")
