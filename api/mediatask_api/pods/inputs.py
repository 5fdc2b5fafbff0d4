"""What a pod may read of what the platform keeps: the references of its own task's data."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from mediatask_common.kube import Object
from mediatask_common.store import ArtifactStore
from mediatask_crds.podcontract import InputGrant
from mediatask_crds.references import is_reference
from mediatask_crds.tasktypes import UnknownTaskType, input_urls, task_type

from ..http.errors import ApiError, store_away
from ..uploads.references import References
from ..uploads.service import Unusable

URL_SECONDS = 3600


async def granted_inputs(
    store: ArtifactStore, references: References, task: Object, wanted: Sequence[str]
) -> InputGrant:
    """Signed URLs for references. Raises ApiError: 404 for one that names nothing or is not the task's, 503."""
    spec = task["spec"]
    own = _references(spec["taskType"], spec.get("taskData") or {})
    for reference in wanted:
        if reference not in own:
            raise ApiError(404, "input-not-found", f"{reference[:200]!r} is no input of this task.")
    try:
        found = await references.resolve(spec["projectId"], wanted)
    except Unusable as error:
        raise ApiError(404, "input-not-found", str(error)) from error
    except OSError as error:
        raise store_away(error) from error
    return InputGrant(
        urls={reference: store.pod_url(file.key, expires=URL_SECONDS) for reference, file in found.items()},
        sha256={reference: file.sha256 for reference, file in found.items()},
    )


def _references(type_name: str, data: Object) -> set[str]:
    """Those that stand where the type takes an input, not in any of its texts."""
    try:
        parsed = task_type(type_name).model_validate(data)
    except (UnknownTaskType, ValidationError):  # the pod refuses such data itself
        return set()
    return {url for _, url in input_urls(parsed) if is_reference(url)}
