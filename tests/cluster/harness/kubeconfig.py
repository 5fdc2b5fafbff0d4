"""Kubeconfigs: the cluster's own, one per service account, and the client that reads them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from kubernetes import client, config


def write_kubeconfig(path: Path, *, server: str, token: str, ca: bytes | None) -> Path:
    """Writes a kubeconfig that only its owner can read.

    Args:
        path: the file.
        server: URL of the API server.
        token: bearer token.
        ca: PEM certificates to trust; without them the system's.
    """
    cluster = {"server": server}
    if ca is not None:
        cluster["certificate-authority-data"] = base64.b64encode(ca).decode()
    path.touch(mode=0o600)
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "cluster", "cluster": cluster}],
                "users": [{"name": "user", "user": {"token": token}}],
                "contexts": [{"name": "context", "context": {"cluster": "cluster", "user": "user"}}],
                "current-context": "context",
            },
            indent=2,
        )
    )
    return path


def api_client(kubeconfig: Path) -> Any:
    """The official client (`kubernetes.client.ApiClient`) for a kubeconfig of any kind; close it after use."""
    return config.new_client_from_config(config_file=str(kubeconfig))


def service_account_kubeconfig(
    admin: Path, namespace: str, service_account: str, path: Path, *, seconds: int = 3600
) -> Path:
    """Writes a kubeconfig with which a program runs as a service account, so that RBAC judges it as in production.

    Args:
        admin: kubeconfig of somebody who may create tokens.
        namespace: where the service account is.
        service_account: its name; it has to exist.
        path: the file to write.
        seconds: how long the token is valid, at least 600.

    Raises:
        kubernetes.client.ApiException: the API server refuses, for instance 404.
    """
    with api_client(admin) as api:
        request = client.AuthenticationV1TokenRequest(
            spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=seconds)
        )
        granted = client.CoreV1Api(api).create_namespaced_service_account_token(service_account, namespace, request)
        trusted = api.configuration.ssl_ca_cert
        return write_kubeconfig(
            path,
            server=api.configuration.host,
            token=granted.status.token,
            ca=Path(trusted).read_bytes() if trusted else None,
        )
