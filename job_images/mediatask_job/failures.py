"""How an attempt fails: one exception per exit code."""

from __future__ import annotations

from typing import ClassVar

from mediatask_crds.podcontract import ExitCode


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


class UnsafeContent(JobFailure):
    """A content check refused what was made."""

    exit_code = ExitCode.UNSAFE_CONTENT


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
