"""The termination message: the last words of the job's container, read by the operator from the pod's status."""

from __future__ import annotations

import logging
from pathlib import Path

from mediatask_crds.podcontract import (
    CODE_LIMIT,
    TERMINATION_LIMIT,
    JobError,
    JobResult,
    ResultAnswer,
    TerminationMessage,
)

from ..failures import JobFailure

log = logging.getLogger(__name__)


def failed(failure: JobFailure) -> TerminationMessage:
    """The message of a failed attempt."""
    # A runner names its failures itself; one with a long name is still told.
    code = failure.code[:CODE_LIMIT]
    return TerminationMessage(error=JobError(code=code, message=failure.message, retryable=failure.retryable))


def published(result: JobResult, answer: ResultAnswer) -> TerminationMessage:
    """The message of an attempt that reached the result route."""
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
    """Write the message. A pod without a termination log still has its exit code, so this never raises."""
    try:
        path.write_bytes(encode(message))
    except OSError as error:
        log.warning("could not write the termination message to %s: %s", path, error)


def _json(message: TerminationMessage) -> bytes:
    return message.model_dump_json(exclude_none=True).encode()
