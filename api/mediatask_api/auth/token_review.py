"""What the cluster says about a token."""

from __future__ import annotations

from mediatask_common.kube import TOKENREVIEWS, Kube, Object

ACCOUNT_PREFIX = "system:serviceaccount:"


async def review(kube: Kube, token: str, audience: str) -> Object | None:
    """The user of a token that is valid for the audience, as of TokenReview; None where it is not. Raises KubeError."""
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": token, "audiences": [audience]},
    }
    status: Object = (await kube.create(TOKENREVIEWS, body)).get("status") or {}
    if not status.get("authenticated") or audience not in (status.get("audiences") or []):
        return None
    user: Object = status.get("user") or {}
    return user
