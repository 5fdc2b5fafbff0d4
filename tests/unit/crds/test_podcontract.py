"""What a pod may say: every value is bounded, whoever wrote the container."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from mediatask_crds.artifact import ARTIFACT_LIMIT
from mediatask_crds.podcontract import (
    RESULT_METADATA_LIMIT,
    ArtifactRequest,
    InputRequest,
    JobError,
    ProgressReport,
    ResultReport,
    TerminationMessage,
)

ARTIFACT: dict[str, Any] = {
    "name": "image.png",
    "key": "projects/p.Q_r-1/0a4e4c6e-6c55/1/image.png",
    "sha256": "a" * 64,
    "bytes": 3,
    "content_type": "image/png",
}
RESULT: dict[str, Any] = {"artifacts": [ARTIFACT], "metadata": {"seed": 7}, "timings": {"infer": 1.5, "load": 0}}
REQUEST = {"attempt": 1, **{key: value for key, value in ARTIFACT.items() if key != "key"}}
PROGRESS = {"attempt": 1, "progress": 0.5, "step": "rendering_video"}


def refused(model: type[BaseModel], value: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as error:
        model.model_validate(value)
    assert field in {str(part) for entry in error.value.errors() for part in entry["loc"]}


def test_what_the_job_runtime_sends_passes() -> None:
    assert TerminationMessage.model_validate({"result": RESULT, "result_key": "projects/p/u/result.json"}).result
    ResultReport.model_validate({"attempt": 1, "result": RESULT})
    ArtifactRequest.model_validate(REQUEST)
    ProgressReport.model_validate(PROGRESS)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(
            ("name", name)
            for name in ("../x", "/etc/passwd", ".bashrc", "a/b", "a\\b", "a\0", "a\n", "\x1b[2J", "", "x" * 102)
        ),
        *(
            ("key", key)
            for key in ("/x", "a//b", "a/", "a/../b", "a/./b", "a/.b", "a\0b", "", "a/" + "x" * 511, "a\nb")
        ),
        *(("sha256", digest) for digest in ("", "A" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n")),
        *(("bytes", size) for size in (-1, ARTIFACT_LIMIT + 1, 10 * 10**12)),
        *(
            ("content_type", kind)
            for kind in ("text/html", "image/svg+xml", "application/javascript", "image/png\r\nX: y", "image/", "")
        ),
    ],
)
def test_a_file_is_described_within_bounds(field: str, value: object) -> None:
    result = {**RESULT, "artifacts": [{**ARTIFACT, field: value}]}
    refused(TerminationMessage, {"result": result}, field)
    refused(ResultReport, {"attempt": 1, "result": result}, field)
    if field != "key":
        refused(ArtifactRequest, {**REQUEST, field: value}, field)


@pytest.mark.parametrize("kind", ["video/mp4", "audio/mpeg", "audio/x-wav", "text/plain", "application/json"])
def test_media_and_data_are_accepted(kind: str) -> None:
    assert ArtifactRequest.model_validate({**REQUEST, "content_type": kind}).content_type == kind


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("artifacts", [ARTIFACT] * 65),
        ("metadata", {"a": 2**64}),
        ("metadata", {"a": "x" * RESULT_METADATA_LIMIT}),
        ("timings", {"infer": float("inf")}),
        ("timings", {"infer": -1}),
        ("timings", {"In fer": 1}),
        ("timings", {f"s{number}": 1 for number in range(33)}),
    ],
)
def test_a_result_is_bounded(field: str, value: object) -> None:
    refused(TerminationMessage, {"result": {**RESULT, field: value}}, field)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("attempt", 0),
        ("attempt", 2**63),
        ("progress", float("nan")),
        ("progress", 1.1),
        ("step", "\x1b[31mred"),
        ("step", "a\nb"),
        ("step", "\x9b31m"),
        ("step", "x" * 129),
        ("message", "a\0"),
    ],
)
def test_a_progress_report_is_bounded(field: str, value: object) -> None:
    refused(ProgressReport, {**PROGRESS, field: value}, field)


USAGE = {"memory_kind": "gpu", "memory_used": 12 * 2**30, "memory_total": 80 * 2**30, "gpu_utilization": 0.85}


def test_a_report_with_and_without_usage_passes() -> None:
    assert ProgressReport.model_validate(PROGRESS).usage is None
    assert ProgressReport.model_validate({**PROGRESS, "usage": USAGE}).usage is not None
    only = ProgressReport.model_validate({**PROGRESS, "usage": {"memory_kind": "process", "memory_used": 0}}).usage
    assert only is not None
    assert (only.memory_total, only.gpu_utilization) == (None, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("memory_used", size) for size in (-1, 2**50 + 1, 10**400, float("nan"), None)),
        *(("memory_total", size) for size in (-1, 2**50 + 1, float("inf"))),
        *(("gpu_utilization", share) for share in (-0.01, 1.01, float("nan"), float("inf"))),
        ("memory_kind", "tape"),
        ("temperature", 40),
    ],
)
def test_usage_is_bounded(field: str, value: object) -> None:
    refused(ProgressReport, {**PROGRESS, "usage": {**USAGE, field: value}}, field)


def test_references_are_bounded() -> None:
    for ref in ("upload://" + "x" * 2048, "upload://\x1b", "upload://\0"):
        refused(InputRequest, {"attempt": 1, "refs": [ref]}, "refs")


def test_an_error_keeps_its_words_without_control_characters() -> None:
    error = JobError(code="InternalError", message="Traceback:\n\t\x1b[31mboom\0\r", retryable=True)
    assert error.message == "Traceback:\n\t?[31mboom??"
    assert len(JobError(code="InternalError", message="x" * 5000, retryable=True).message) == 4096
