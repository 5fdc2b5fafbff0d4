"""How a job ends: one exception per exit code, and the last words in the termination log."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import ClassVar

from mediatask_crds.podcontract import (
    TERMINATION_LIMIT,
    ExitCode,
    JobError,
    JobResult,
    ResultAnswer,
    TerminationMessage,
)

log = logging.getLogger(__name__)


class JobFailure(Exception):
    """The attempt ends with `exit_code`; `code` is a CamelCase reason, `message` a sentence for the user."""

    exit_code: ClassVar[ExitCode]
    retryable: ClassVar[bool] = False

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class InvalidInput(JobFailure):
    """The request or an input cannot be used."""

    exit_code = ExitCode.INVALID_INPUT


class ModelMissing(JobFailure):
    """The class's model is not there, or may not be loaded."""

    exit_code = ExitCode.MODEL_MISSING


class GpuOutOfMemory(JobFailure):
    """GPU memory ran out on the last rung of the ladder."""

    exit_code = ExitCode.GPU_OUT_OF_MEMORY


class GpuFault(JobFailure):
    """The GPU's context is broken."""

    exit_code = ExitCode.GPU_FAULT
    retryable = True


class Temporary(JobFailure):
    """Something outside failed."""

    exit_code = ExitCode.TEMPORARY
    retryable = True


class Stopped(JobFailure):
    """SIGTERM, or the API said that the task is cancelled."""

    exit_code = ExitCode.PREEMPTED
    retryable = True


class Superseded(Exception):
    """Another pod or attempt has the task: there is nothing left to do, which is a good end."""


def failed(failure: JobFailure) -> TerminationMessage:
    """The last words of a failed attempt."""
    return TerminationMessage(error=JobError(code=failure.code, message=failure.message, retryable=failure.retryable))


def published(result: JobResult, answer: ResultAnswer) -> TerminationMessage:
    """The last words of an attempt that reached the result route."""
    return TerminationMessage(
        result=None if answer.superseded else result,
        result_key=answer.result_key,
        superseded=answer.superseded,
    )


def encode(message: TerminationMessage) -> bytes:
    """The message as JSON of at most `TERMINATION_LIMIT` bytes, because the kubelet cuts off the rest.

    A result that is too large is left to its key; an error's text is shortened.
    """
    data = _json(message)
    if len(data) > TERMINATION_LIMIT and message.result is not None and message.result_key is not None:
        message = message.model_copy(update={"result": None})
        data = _json(message)
    if len(data) > TERMINATION_LIMIT and message.error is not None:
        short = message.error.model_copy(
            update={"code": message.error.code[:100], "message": _shortened(message.error.message)}
        )
        data = _json(message.model_copy(update={"error": short}))
    return data


def _shortened(text: str, limit: int = TERMINATION_LIMIT // 4) -> str:
    """At most `limit` bytes of UTF-8. JSON may escape one byte into six, at worst in text nobody wrote by hand."""
    printable = "".join(char if char.isprintable() or char == "\n" else "?" for char in text)
    return printable.encode()[:limit].decode(errors="ignore") + " ..."


def write(path: Path, message: TerminationMessage) -> None:
    """Leave the last words. A pod without a termination log still has its exit code, so this never raises."""
    try:
        path.write_bytes(encode(message))
    except OSError as error:
        log.warning("could not write the termination message to %s: %s", path, error)


def _json(message: TerminationMessage) -> bytes:
    return message.model_dump_json(exclude_none=True).encode()
