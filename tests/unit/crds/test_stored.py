"""Objects that a newer version has written are read; one that is made is checked field by field."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from mediatask_crds.task import MediaTaskSpec, MediaTaskStatus
from mediatask_crds.taskclass import MediaTaskClassSpec

SPEC: dict[str, Any] = {"projectId": "p1", "taskType": "test_prompt", "taskData": {"prompt_template": "x"}}
STATUS: dict[str, Any] = {"phase": "processing", "attempts": [{"number": 1, "jobName": "j"}]}
CLASS: dict[str, Any] = {"taskTypes": ["test_prompt"], "image": "python", "gpu": {"count": 1}}


@pytest.mark.parametrize(
    ("model", "known", "newer"),
    [
        (MediaTaskSpec, SPEC, {**SPEC, "shards": 3, "callback": {"url": "https://a.example", "secretRef": "x"}}),
        (MediaTaskStatus, STATUS, {"shards": 3, "attempts": [{"number": 1, "jobName": "j", "gpuSeconds": 7}]}),
        (MediaTaskClassSpec, CLASS, {**CLASS, "gpu": {"count": 1, "sharing": "mps"}, "quota": {}}),
    ],
)
def test_fields_of_a_newer_version_are_left_out_of_what_is_read(
    model: Any, known: dict[str, Any], newer: dict[str, Any]
) -> None:
    assert model.from_stored(known) == model.model_validate(known)
    read = model.from_stored(newer).model_dump(by_alias=True, exclude_unset=True)
    assert not {"shards", "quota"} & read.keys()
    with pytest.raises(ValidationError, match="Extra inputs"):
        model.model_validate(newer)


def test_what_is_known_is_still_checked() -> None:
    with pytest.raises(ValidationError, match="phase"):
        MediaTaskStatus.from_stored({"phase": "dancing"})
