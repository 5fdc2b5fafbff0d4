"""The pure translations: whatever the status holds, the answer has the promised form."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediatask_api.http.errors import ApiError
from mediatask_api.pods.fencing import Pod, check_task
from mediatask_api.tasks.reading.estimates import typical_seconds
from mediatask_api.tasks.resource import phase_of, to_answer, to_resource
from mediatask_api.tasks.schemas import SubmitRequest
from mediatask_api.tasks.submitting.idempotency import body_digest, task_name
from mediatask_crds.names import LABEL_ATTEMPT
from mediatask_crds.task import MediaTaskSpec, Phase

phases = st.sampled_from([None, *Phase])
statuses = st.fixed_dictionaries(
    {},
    optional={
        "phase": st.sampled_from(list(Phase)),
        "progress": st.floats(0, 1),
        "currentStep": st.sampled_from(["rendering", "encoding"]),
        "attempt": st.integers(0, 5),
        "round": st.integers(0, 2),
        "queue": st.fixed_dictionaries({"position": st.integers(1, 9)}),
        "startedAt": st.just("2026-11-21T10:00:00Z"),
        "completedAt": st.just("2026-11-21T10:01:00Z"),
        "error": st.just({"code": "X", "message": "x"}),
        "result": st.just({"mediaUrl": "http://x", "metadata": {}}),
        "timings": st.just({"infer": 1.0}),
    },
)


def task_with(status: dict[str, Any], retry_request: int = 0, cancel: bool = False) -> dict[str, Any]:
    spec = {"projectId": "film", "taskType": "test_prompt", "retryRequest": retry_request, "cancel": cancel}
    meta = {"name": "t", "uid": "u", "creationTimestamp": "2026-11-21T10:00:00Z"}
    return {"metadata": meta, "spec": spec, "status": status}


@given(statuses, st.integers(0, 3), st.booleans())
def test_every_status_has_a_consistent_answer(status: dict[str, Any], retry_request: int, cancel: bool) -> None:
    answer = to_answer(task_with(status, retry_request, cancel), lambda key: f"signed:{key}")
    assert 0 <= answer.progress <= 1
    assert (answer.progress == 1.0) if answer.status == "completed" else True
    assert (answer.result is None) or answer.status == "completed"
    assert (answer.completed_at is None) or answer.status.terminal
    if answer.status == "queued":
        assert (answer.progress, answer.queue_position or 1) == (0.0, answer.queue_position or 1)
    if answer.status == "completed":
        assert answer.current_step == "upload_complete"


def test_a_cost_is_told_as_it_is_kept_also_by_an_older_version() -> None:
    def cost(**kept: Any) -> Any:
        return to_answer(task_with({"cost": kept} if kept else {}, retry_request=1), str).cost

    assert cost() is None
    assert cost(gpuSeconds=2.5).model_dump() == {
        "gpu_seconds": 2.5, "cpu_seconds": 0.0, "amount": None, "currency": None,
    }  # fmt: skip
    whole = {"gpuSeconds": 2.5, "cpuSeconds": 10.0, "amount": "0.000001", "currency": "EUR"}
    assert list(cost(**whole).model_dump().values()) == list(whole.values())


@given(statuses, st.integers(0, 3))
def test_a_completed_task_stays_completed_whatever_is_asked(status: dict[str, Any], retry_request: int) -> None:
    assert phase_of(task_with({**status, "phase": "completed"}, retry_request)) is Phase.COMPLETED


@given(statuses, st.integers(0, 3), st.integers(1, 6))
def test_no_report_of_an_earlier_attempt_passes(status: dict[str, Any], retry_request: int, attempt: int) -> None:
    pod = Pod("default", "p", "u", "2026-11-21T10:00:05Z", {LABEL_ATTEMPT: str(attempt)})
    current = status.get("attempt", 0)
    if attempt < current or (attempt == current and status.get("phase") == Phase.COMPLETED):
        with pytest.raises(ApiError) as refused:
            check_task(pod, task_with(status, retry_request))
        assert refused.value.status == 409
    if attempt == current and status.get("phase") == Phase.PROCESSING:
        check_task(pod, task_with(status, retry_request))


def test_a_pod_of_an_earlier_task_of_the_same_name_is_a_stranger() -> None:
    pod = Pod("default", "p", "u", "2026-11-21T09:59:59Z", {LABEL_ATTEMPT: "1"})
    with pytest.raises(ApiError) as refused:
        check_task(pod, task_with({"attempt": 1}))
    assert refused.value.status == 403


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.dictionaries(st.text(max_size=8), json_values, max_size=5))
def test_the_digest_knows_no_order(body: dict[str, Any]) -> None:
    assert body_digest(body) == body_digest(dict(reversed(body.items())))
    assert body_digest(body) != body_digest({**body, "another-field": 1})


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_names_are_the_keys_and_the_projects(key: str, other: str) -> None:
    assert task_name("film", key) == task_name("film", key)
    assert (task_name("film", key) == task_name("film", other)) == (key == other)
    assert task_name("film", key) != task_name("film2", key)
    assert task_name("film", None) != task_name("film", None)


@given(st.dictionaries(st.text(max_size=5), json_values, max_size=4), st.integers(0, 9))
def test_resources_are_valid_by_the_crds_own_model(data: dict[str, Any], priority: int) -> None:
    request = SubmitRequest(
        project_id="film", task_type="test_prompt", task_data=data, priority=priority, callback_url="https://x.org/"
    )
    resource = to_resource(request, "t", "default", {})
    spec = MediaTaskSpec.model_validate(resource["spec"])
    assert spec.priority == priority
    assert None not in spec.task_data.values()


def test_the_usual_duration_is_the_median_once_enough_have_run() -> None:
    assert typical_seconds([], 300) == 300
    assert typical_seconds([1, 2], 300) == 300
    assert typical_seconds([4, 2, 50], 300) == 4
    assert typical_seconds([0, 0, 0], 300) == 1
