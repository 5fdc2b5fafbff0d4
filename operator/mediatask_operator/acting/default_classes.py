"""Classes that the installation brings: applied at the start, before anything is reconciled."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml

from mediatask_common.kube import APPLY, CLASSES, Kube, KubeError, Object
from mediatask_common.logging import get_logger

log = get_logger(__name__)

FIELD_MANAGER = "mediatask-classes"


def read_classes(path: Path) -> list[Object]:
    """The MediaTaskClasses of a file of YAML documents. Raises OSError or yaml.YAMLError."""
    return list(yaml.safe_load_all(path.read_text()))


async def apply_classes(kube: Kube, classes: Iterable[Object]) -> None:
    """Apply them. What others have changed stays as it is, and a faulty one keeps none of the others back.

    Raises:
        KubeError: the API server is away, or does not know the kind yet: try again.
    """
    for task_class in classes:
        name = task_class["metadata"]["name"]
        try:
            await kube.patch(CLASSES, name, task_class, content_type=APPLY, fieldManager=FIELD_MANAGER)
        except KubeError as error:
            # 500 is not among them: it is what the API server says of an unknown field in an apply.
            if error.status in (0, 404, 429, 503, 504):
                raise
            if error.conflict:
                log.warning("class was changed by somebody else and stays as it is", name=name, why=error.message)
            else:
                log.error("class cannot be applied", name=name, error=str(error))
