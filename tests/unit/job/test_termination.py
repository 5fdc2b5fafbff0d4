"""The last words: at most 4096 bytes of JSON that can be read back, whatever went in."""

from __future__ import annotations

from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from mediatask_crds.podcontract import (
    TERMINATION_LIMIT,
    Artifact,
    ExitCode,
    JobResult,
    ResultAnswer,
    TerminationMessage,
)
from mediatask_job import failures
from mediatask_job.runtime import termination

ARTIFACT = Artifact(
    name="image.jpg", key="projects/p/u/1/image.jpg", sha256="0" * 64, bytes=1, content_type="image/jpeg"
)


def _published(metadata: dict[str, object]) -> TerminationMessage:
    result = JobResult(artifacts=[ARTIFACT], metadata=metadata)
    return termination.published(result, ResultAnswer(result_key="projects/p/u/result.json"))


def test_a_small_result_is_inline() -> None:
    read = TerminationMessage.model_validate_json(termination.encode(_published({"seed": 7})))
    assert read.result is not None
    assert read.result.metadata == {"seed": 7}


def test_a_large_result_is_left_to_its_key() -> None:
    data = termination.encode(_published({"text": "x" * 5000}))
    read = TerminationMessage.model_validate_json(data)
    assert len(data) <= TERMINATION_LIMIT
    assert read.result is None
    assert read.result_key == "projects/p/u/result.json"


def test_of_a_superseded_attempt_only_the_key_is_told() -> None:
    message = termination.published(
        JobResult(artifacts=[ARTIFACT], metadata={}), ResultAnswer(result_key="k", superseded=True)
    )
    assert message.superseded
    assert message.result is None
    assert message.result_key == "k"


@given(code=st.text(max_size=300), text=st.text(max_size=6000) | st.integers(1, 9000).map(lambda n: '\x07\u20ac"' * n))
@example(code="x" * 129, text="")
def test_an_error_always_fits(code: str, text: str) -> None:
    data = termination.encode(termination.failed(failures.InvalidInput(code, text)))
    read = TerminationMessage.model_validate_json(data)
    assert len(data) <= TERMINATION_LIMIT
    assert read.error is not None
    assert not read.error.retryable


def test_each_failure_has_the_contracts_exit_code() -> None:
    codes = {kind: kind.exit_code for kind in failures.JobFailure.__subclasses__()}
    assert codes == {
        failures.InvalidInput: ExitCode.INVALID_INPUT,
        failures.UnsafeContent: ExitCode.UNSAFE_CONTENT,
        failures.ModelMissing: ExitCode.MODEL_MISSING,
        failures.GpuOutOfMemory: ExitCode.GPU_OUT_OF_MEMORY,
        failures.GpuFault: ExitCode.GPU_FAULT,
        failures.Temporary: ExitCode.TEMPORARY,
        failures.Stopped: ExitCode.PREEMPTED,
    }


def test_a_missing_termination_log_is_no_error(tmp_path: Path) -> None:
    termination.write(tmp_path / "no" / "folder", TerminationMessage())
