"""What an installation needs in the cluster before the services start: the CRDs, and classes to run tasks with."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import yaml

from mediatask_common.kube import APPLY, CLASSES, Kube, KubeError, Resource
from mediatask_crds.generate import rendered
from mediatask_operator.acting.default_classes import apply_classes, read_classes

CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", namespaced=False)
CLASSES_FILE = Path(__file__).with_name("classes.yaml")
FIELD_MANAGER = "mediatask-up"
ESTABLISHED_TIMEOUT = 10.0


async def bootstrap(kubeconfig: Path) -> None:
    """Apply CRDs and classes. Raises KubeError."""
    async with await Kube.connect(kubeconfig) as kube:
        for text in rendered().values():
            definition = yaml.safe_load(text)
            name = definition["metadata"]["name"]
            await kube.patch(CRDS, name, definition, content_type=APPLY, fieldManager=FIELD_MANAGER, force="true")
        await _established(kube)
        await apply_classes(kube, read_classes(CLASSES_FILE))


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
