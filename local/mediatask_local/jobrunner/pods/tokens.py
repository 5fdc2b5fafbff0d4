"""Service-account tokens bound to a pod, refreshed in its files as the kubelet does."""

from __future__ import annotations

import asyncio

from mediatask_common.kube import Kube, KubeError, Object
from mediatask_common.logging import get_logger
from mediatask_common.times import parse_time, utcnow

from .volumes import TokenFile

log = get_logger(__name__)

REFRESH_AT = 0.8
"""Fraction of its lifetime after which a token is refreshed."""
RETRY_SECONDS = 5.0


async def write_token(kube: Kube, pod: Object, file: TokenFile) -> float:
    """Fetch a token and write its file atomically. Returns the seconds until its next refresh. Raises KubeError."""
    metadata = pod["metadata"]
    account = pod["spec"].get("serviceAccountName") or "default"
    spec: Object = {
        "expirationSeconds": file.expiration_seconds,
        "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]},
    }
    if file.audience is not None:
        spec["audiences"] = [file.audience]
    path = f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts/{account}/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    status = (await kube.request("POST", path, body))["status"]
    file.path.parent.mkdir(parents=True, exist_ok=True)
    partial = file.path.with_name(f".{file.path.name}.partial")
    partial.touch(mode=0o600)
    partial.write_text(status["token"])
    partial.replace(file.path)
    lifetime = (parse_time(status["expirationTimestamp"]) - utcnow()).total_seconds()
    return max(lifetime * REFRESH_AT, 1)


async def keep_fresh(kube: Kube, pod: Object, file: TokenFile, after: float) -> None:
    """Refresh the token until cancelled, first after `after` seconds."""
    while True:
        await asyncio.sleep(after)
        try:
            after = await write_token(kube, pod, file)
        except KubeError as error:
            log.warning("token not refreshed", pod=pod["metadata"]["name"], error=str(error))
            after = RETRY_SECONDS
