"""One attempt from start to end: read the spec, run the type's runner, upload, report, say how it ended."""

from __future__ import annotations

import errno
import logging
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mediatask_crds.podcontract import (
    VERDICT,
    ExitCode,
    JobError,
    JobResult,
    JobSpec,
    ResultReport,
    TerminationMessage,
)
from mediatask_crds.tasktypes import TaskData

from .checks import verdict
from .context import Context
from .failures import JobFailure, Stopped, Superseded, Temporary
from .inputs.inputs import Inputs
from .models import Models
from .outputs.upload import upload
from .runners import find_runner
from .runtime.api import Api
from .runtime.previews import Previews
from .runtime.progress import Progress
from .runtime.signals import Stop, stop_on_sigterm
from .runtime.spec import Environment, parse_data, read_environment, read_spec, termination_log
from .runtime.termination import failed, published, write
from .runtime.timings import Timings, process_age

log = logging.getLogger(__name__)

_RUNNER_SHARE = 0.95
"""Part of the progress bar that belongs to the runner; the rest is uploading."""

_MOST_WARNINGS = 40
_WARNING_LENGTH = 400

_BUG = 1
"""Exit code of an unexpected exception, as Python itself would give."""


def main() -> int:
    """Run the task of the environment and return the process's exit code."""
    logging.basicConfig(
        stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S"
    )
    # One line per request would bury the job's own words.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    message_file = termination_log()
    stop = Stop()
    stop_on_sigterm(stop, lambda reason: write(message_file, failed(reason)))
    code, message = _attempt(stop)
    write(message_file, message)
    return code


def _attempt(stop: Stop) -> tuple[int, TerminationMessage]:
    """Do the work and turn every way it can end into an exit code and a termination message."""
    try:
        return ExitCode.DONE, _work(read_spec(), read_environment(), stop)
    except Superseded as reason:
        log.info("superseded: %s", reason)
        return ExitCode.DONE, TerminationMessage(superseded=True)
    except JobFailure as failure:
        return _failed(failure)
    except MemoryError:
        return _failed(Temporary("OutOfMemory", "the job needs more memory than its limit"))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EMFILE):
            return _failed(Temporary("NodeExhausted", str(error)))
        return _bug(error)
    except Exception as error:
        return _bug(error)


def _failed(failure: JobFailure) -> tuple[int, TerminationMessage]:
    level = logging.INFO if isinstance(failure, Stopped) else logging.ERROR
    log.log(level, "%s: %s", failure.code, failure.message)
    return failure.exit_code, failed(failure)


def _bug(error: Exception) -> tuple[int, TerminationMessage]:
    log.exception("unexpected error")
    described = JobError(code="InternalError", message=f"{type(error).__name__}: {error}", retryable=True)
    return _BUG, TerminationMessage(error=described)


def _work(spec: JobSpec, env: Environment, stop: Stop) -> TerminationMessage:
    timings = Timings()
    timings.add("start", process_age())
    api = Api(env.api, spec.task, env.token_file, stop)
    data = parse_data(spec.type, api.task_data() if spec.data is None else spec.data)
    with _scratch(env.work) as folder, Progress(api, spec.attempt, stop) as progress:
        ctx = _context(spec, data, env, api, folder, timings, progress, stop)
        with timings.stage("import"):
            runner = find_runner(spec.type)
        output = runner.run(ctx)
        metadata = output.metadata | {"warnings": _bounded(ctx.warnings)}
        if spec.output_check is not None:
            progress.report("checking_media", _RUNNER_SHARE)
            found = verdict(output.files, spec.output_check)
            metadata[VERDICT] = found.model_dump(by_alias=True, exclude_none=True)
        artifacts = []
        with timings.stage("upload"):
            for file in output.files:
                stop.check()
                progress.report("uploading", _RUNNER_SHARE)
                artifacts.append(upload(api, spec.attempt, file.path, file.content_type))
        result = JobResult(artifacts=artifacts, metadata=metadata, timings=timings.seconds())
        # From here on there is no way back: a published result is published.
        stop.check()
        answer = api.publish(ResultReport(attempt=spec.attempt, result=result))
    log.info("%s %s", "superseded by" if answer.superseded else "published as", answer.result_key)
    return published(result, answer)


def _to_nobody(image: bytes) -> bool:
    """For media that may be held."""
    return False


def _bounded(warnings: list[str]) -> list[str]:
    """So that the metadata stays within its limit: a URL may have 2,000 characters, and there may be 64 of them."""
    kept = [text[:_WARNING_LENGTH] for text in warnings[:_MOST_WARNINGS]]
    return [*kept, f"and {left} more"] if (left := len(warnings) - len(kept)) else kept


@contextmanager
def _scratch(parent: Path) -> Iterator[Path]:
    """A folder of this process's own: the container may be the second one in this pod."""
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="job-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _context(
    spec: JobSpec,
    data: TaskData,
    env: Environment,
    api: Api,
    folder: Path,
    timings: Timings,
    progress: Progress,
    stop: Stop,
) -> Context[Any]:
    """What the runner sees of all this."""
    warnings: list[str] = []
    received, made = folder / "inputs", folder / "outputs"
    received.mkdir()
    made.mkdir()

    def report(step: str, fraction: float) -> None:
        progress.report(step, fraction * _RUNNER_SHARE)

    return Context(
        data=data,
        spec=spec,
        inputs=Inputs(api, spec.attempt, spec.inputs, received, warnings, timings, stop.check),
        models=Models(spec.model, env.model_cache, folder, timings, report, stop.check, warnings),
        work=made,
        timings=timings,
        progress=report,
        show=Previews(api, spec.attempt, progress.state).show if spec.previews else _to_nobody,
        check_stop=stop.check,
        warnings=warnings,
    )
