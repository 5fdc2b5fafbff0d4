"""One attempt from start to end: read the spec, run the type's runner, upload, report, leave the last words."""

from __future__ import annotations

import errno
import logging
import shutil
import sys
import tempfile
from pathlib import Path

from mediatask_crds.podcontract import (
    ExitCode,
    JobError,
    JobResult,
    JobSpec,
    ResultReport,
    TerminationMessage,
)
from mediatask_crds.tasktypes import TaskData

from .context import Context
from .failures import JobFailure, Superseded, Temporary
from .inputs.inputs import Inputs
from .models import Models
from .outputs.upload import upload
from .runners import find_runner
from .runtime.api import Api
from .runtime.progress import Progress
from .runtime.signals import Stop, stop_on_sigterm
from .runtime.spec import Environment, read_environment, read_spec, termination_log
from .runtime.termination import failed, published, write
from .runtime.timings import Timings

log = logging.getLogger(__name__)

_RUNNER_SHARE = 0.95
"""Part of the progress bar that belongs to the runner; the rest is uploading."""

_BUG = 1
"""Exit code of an unexpected exception, as Python itself would give."""


def main() -> int:
    """Run the task of the environment and return the process's exit code."""
    logging.basicConfig(
        stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S"
    )
    # One line per request would bury the job's own words.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    last_words = termination_log()
    stop = Stop()
    stop_on_sigterm(stop, lambda reason: write(last_words, failed(reason)))
    code, message = _attempt(stop)
    write(last_words, message)
    return code


def _attempt(stop: Stop) -> tuple[int, TerminationMessage]:
    """Do the work and turn every way it can end into an exit code and last words."""
    try:
        spec, data = read_spec()
        return ExitCode.DONE, _work(spec, data, read_environment(), stop)
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
    log.error("%s: %s", failure.code, failure.message)
    return failure.exit_code, failed(failure)


def _bug(error: Exception) -> tuple[int, TerminationMessage]:
    log.exception("unexpected error")
    last_words = JobError(code="InternalError", message=f"{type(error).__name__}: {error}", retryable=True)
    return _BUG, TerminationMessage(error=last_words)


def _work(spec: JobSpec, data: TaskData, env: Environment, stop: Stop) -> TerminationMessage:
    api = Api(env.api, spec.task, env.token_file, stop)
    env.work.mkdir(parents=True, exist_ok=True)
    # A folder of this process's own: the container may be the second one in this pod.
    work = Path(tempfile.mkdtemp(prefix="job-", dir=env.work))
    try:
        with Progress(api, spec.attempt, stop) as progress:
            result = _make(spec, data, env, stop, api, work, progress)
            # From here on there is no way back: a published result is published.
            stop.check()
            answer = api.publish(ResultReport(attempt=spec.attempt, result=result))
        log.info("%s %s", "superseded by" if answer.superseded else "published as", answer.result_key)
        return published(result, answer)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _make(
    spec: JobSpec, data: TaskData, env: Environment, stop: Stop, api: Api, work: Path, progress: Progress
) -> JobResult:
    timings = Timings()
    warnings: list[str] = []
    received, made = work / "inputs", work / "outputs"
    received.mkdir()
    made.mkdir()
    ctx = Context(
        data=data,
        spec=spec,
        inputs=Inputs(api, spec.attempt, spec.inputs, received, warnings, timings, stop.check),
        models=Models(spec.model, env.model_cache, work, timings, stop.check),
        work=made,
        timings=timings,
        progress=lambda step, fraction: progress.report(step, fraction * _RUNNER_SHARE),
        check_stop=stop.check,
        warnings=warnings,
    )
    output = find_runner(spec.type).run(ctx)
    artifacts = []
    with timings.stage("upload"):
        for file in output.files:
            stop.check()
            progress.report("uploading", _RUNNER_SHARE)
            artifacts.append(upload(api, spec.attempt, file.path, file.content_type))
    metadata = output.metadata | {"warnings": warnings}
    return JobResult(artifacts=artifacts, metadata=metadata, timings=timings.seconds())
