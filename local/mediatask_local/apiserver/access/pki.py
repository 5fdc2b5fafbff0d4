"""The server's own certificate authority, its credentials and the kubeconfig that refers to them.

TLS is necessary: `kubectl` and client-go do not send bearer tokens over plain HTTP.
"""

from __future__ import annotations

import base64
import os
import secrets
from datetime import timedelta
from pathlib import Path

import yaml
from cryptography.hazmat.primitives.asymmetric import ec

from .certificates import Authority, private_pem

_VALIDITY = timedelta(days=3650)
CONTEXT = "mediatask"


def ensure_pki(directory: Path, port: int) -> Path:
    """Create what is missing (CA, server certificate, admin token, token signing key) and write the kubeconfig.

    Everything but the kubeconfig is kept across restarts, so clients that trust this server keep trusting it.
    Returns the kubeconfig's path; the file is readable only by its owner.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    ca, cert, key = directory / "ca.crt", directory / "server.crt", directory / "server.key"
    if not (ca.exists() and cert.exists() and key.exists()):
        authority = Authority("mediatask-embedded-ca", _VALIDITY)
        certificate, private_key = authority.server("kube-apiserver", ["localhost"], ["127.0.0.1"])
        ca.write_bytes(authority.certificate)
        cert.write_bytes(certificate)
        _write_private(key, private_key)
    token = directory / "admin.token"
    if not token.exists():
        _write_private(token, secrets.token_urlsafe(32).encode())
    signing_key = directory / "service-account.key"
    if not signing_key.exists():
        _write_private(signing_key, private_pem(ec.generate_private_key(ec.SECP256R1())))
    kubeconfig = directory / "kubeconfig"
    _write_private(kubeconfig, _kubeconfig(ca.read_bytes(), token.read_text(), port))
    return kubeconfig


def _kubeconfig(ca: bytes, token: str, port: int) -> bytes:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": CONTEXT,
                "cluster": {
                    "server": f"https://127.0.0.1:{port}",
                    "certificate-authority-data": base64.b64encode(ca).decode(),
                },
            }
        ],
        "users": [{"name": CONTEXT, "user": {"token": token}}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT, "namespace": "default"}}],
        "current-context": CONTEXT,
    }
    return yaml.safe_dump(config, sort_keys=False).encode()


def _write_private(path: Path, content: bytes) -> None:
    """Write atomically: a reader never sees a partial file, nor one with wider permissions."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    partial.replace(path)
