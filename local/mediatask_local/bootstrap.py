"""What an installation needs in the cluster before the services start: CRDs, MediaTaskClasses, an API key."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

import yaml

from mediatask_common.access.keys import ApiKey, digest
from mediatask_common.access.keysecret import KeyExists, KeysSecret
from mediatask_common.access.roles import ALL_PROJECTS
from mediatask_common.kube import APPLY, CLASSES, Kube, KubeError, Resource
from mediatask_crds.generate import rendered
from mediatask_operator.acting.default_classes import apply_classes, read_classes

CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", namespaced=False)
CLASSES_FILE = Path(__file__).with_name("classes.yaml")
FIELD_MANAGER = "mediatask-up"
NAMESPACE = "default"
"""Whose tasks the API serves here."""
KEY_NAME = "local"
ESTABLISHED_TIMEOUT = 10.0


async def bootstrap(kubeconfig: Path, api_key: str) -> None:
    """Apply the CRDs, wait until they are served, then apply the classes and store the API key. Raises KubeError."""
    async with await Kube.connect(kubeconfig) as kube:
        for text in rendered().values():
            crd = yaml.safe_load(text)
            name = crd["metadata"]["name"]
            await kube.patch(CRDS, name, crd, content_type=APPLY, fieldManager=FIELD_MANAGER, force="true")
        await _established(kube)
        await apply_classes(kube, read_classes(CLASSES_FILE))
        await _ensure_key(KeysSecret(kube, NAMESPACE), api_key)


async def _ensure_key(secret: KeysSecret, api_key: str) -> None:
    key = ApiKey(sha256=digest(api_key), projects=[ALL_PROJECTS], role="producer", description="made by `mediatask up`")
    stored = await secret.read()
    known = stored.keys.get(KEY_NAME) if stored else None
    if known is not None and known.sha256 != key.sha256:
        await secret.revoke(KEY_NAME)
    with contextlib.suppress(KeyExists):
        await secret.create(KEY_NAME, key, make_secret=True)


async def _established(kube: Kube) -> None:
    """Wait until the new kinds are served."""
    deadline = time.monotonic() + ESTABLISHED_TIMEOUT
    while True:
        try:
            await kube.list(CLASSES, limit="1")
            return
        except KubeError as error:
            if not error.not_found or time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.05)
