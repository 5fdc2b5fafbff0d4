"""What an installation needs in the cluster before the services start: the CRDs, and classes to run tasks with."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import yaml

from mediatask_common.kube import APPLY, CLASSES, Kube, KubeError, Object, Resource
from mediatask_common.logging import get_logger
from mediatask_crds.generate import rendered

log = get_logger(__name__)

CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", namespaced=False)
CLASSES_FILE = Path(__file__).with_name("classes.yaml")
FIELD_MANAGER = "mediatask-up"
ESTABLISHED_TIMEOUT = 10.0


async def bootstrap(kubeconfig: Path) -> None:
    """Apply CRDs and classes. Raises KubeError."""
    async with await Kube.connect(kubeconfig) as kube:
        definitions = [yaml.safe_load(text) for text in rendered().values()]
        for definition in definitions:
            await _apply(kube, CRDS, definition, force=True)
        await _established(kube)
        for task_class in yaml.safe_load_all(CLASSES_FILE.read_text()):
            try:
                await _apply(kube, CLASSES, task_class, force=False)
            except KubeError as error:
                if error.status != 409:
                    raise
                name = task_class["metadata"]["name"]
                log.warning("class was changed by somebody else and stays as it is", name=name, why=error.message)


async def _apply(kube: Kube, resource: Resource, obj: Object, *, force: bool) -> None:
    name = obj["metadata"]["name"]
    force_text = "true" if force else "false"
    await kube.patch(resource, name, obj, content_type=APPLY, fieldManager=FIELD_MANAGER, force=force_text)


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
