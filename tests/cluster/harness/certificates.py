"""The keys of a cluster that lives for a day at most: a CA, the API server's certificates, the key of the tokens."""

from __future__ import annotations

import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from mediatask_local.apiserver.access.certificates import Authority, private_pem

VALID = datetime.timedelta(days=30)
SERVER_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")


def write_certificates(folder: Path, addresses: list[str]) -> None:
    """Writes ca.crt; api and kubelet-client, each .crt and .key; service-accounts.key (all PEM) into `folder`.

    Args:
        folder: an existing folder that others cannot read.
        addresses: the IP addresses under which the API server is reached.
    """
    authority = Authority("mediatask test cluster", VALID)
    (folder / "ca.crt").write_bytes(authority.certificate)
    issued = {
        "api": authority.server("kube-apiserver", SERVER_NAMES, addresses),
        # With this one the API server fetches logs from kubelets.
        "kubelet-client": authority.client("kube-apiserver-kubelet-client", organization="system:masters"),
    }
    for name, (certificate, key) in issued.items():
        (folder / f"{name}.crt").write_bytes(certificate)
        _write_key(folder / f"{name}.key", key)
    tokens = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    _write_key(folder / "service-accounts.key", private_pem(tokens))


def _write_key(path: Path, key: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(key)
