"""The job as a process: its exit codes, its last words, what it publishes, and how it stops."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from mediatask_crds.podcontract import AttemptReport

PROMPT = {"prompt_template": "Describe {{name}}.", "test_parameters": {"name": "a lighthouse"}}
LONG_FILM = {"scene_description": "rain", "storyboard_images": ["upload://still.png"], "duration": 60}
IMPATIENT = "import mediatask_job.run as r, functools; r.Api = functools.partial(r.Api, patience=1.5)"


def still(store: Any) -> None:
    from PIL import Image

    Image.linear_gradient("L").convert("RGB").save(store.folder / "still.png")


def test_a_finished_task_is_uploaded_published_and_told(run: Any, store: Any) -> None:
    ended = run("test_prompt", PROMPT, cold=True)
    assert ended.code == 0, ended.log
    [report] = store.results
    artifact = report["result"]["artifacts"][0]
    assert json.loads(store.objects[artifact["key"]])["output_data"]["prompt"] == "Describe a lighthouse."
    assert artifact["bytes"] == len(store.objects[artifact["key"]])
    assert ended.words.result is not None
    assert ended.words.result.model_dump() == report["result"]
    assert set(report["result"]["timings"]) >= {"start", "import", "infer", "encode", "upload"}
    assert report["result"]["timings"]["start"] > 0.05


def test_a_job_without_torch_starts_fast_and_stays_small(run: Any) -> None:
    ended = run(
        "test_prompt",
        PROMPT,
        setup="import atexit, sys; atexit.register(lambda: print('torch' in sys.modules))",
        cold=True,
    )
    assert ended.log.strip().endswith("False")


@pytest.mark.parametrize(
    ("type", "data", "code", "said"),
    [
        ("test_prompt", {}, 10, "prompt_template"),
        ("test_prompt", {"prompt_template": "x", "colour": 1}, 10, "colour"),
        ("make_coffee", {}, 10, "make_coffee"),
        ("test_prompt", {"prompt_template": "{{a.b}} {{c}}"}, 10, "a.b, c"),
        ("generate_image", {"prompt": "x"}, 12, "names no model"),
    ],
)
def test_what_cannot_be_done_ends_with_a_reason(
    run: Any, store: Any, type: str, data: dict[str, Any], code: int, said: str
) -> None:
    ended = run(type, data)
    assert ended.code == code
    assert said in ended.words.error.message
    assert not ended.words.error.retryable
    assert not store.results


def test_a_pod_without_a_spec_says_so(run: Any) -> None:
    ended = run("test_prompt", PROMPT, env={"MEDIATASK_SPEC": ""})
    assert ended.code == 10
    assert "MEDIATASK_SPEC" in ended.words.error.message


def test_data_that_is_too_long_for_the_environment_is_fetched(run: Any, store: Any) -> None:
    store.task_data = PROMPT | {"test_parameters": {"name": "x" * 200_000}}
    store.failures = {"data": [503]}
    ended = run("test_prompt", None)
    assert ended.code == 0, ended.log
    [content] = store.objects.values()
    assert len(json.loads(content)["output_data"]["prompt"]) > 200_000
    metadata = store.results[0]["result"]["metadata"]
    assert len(metadata["output_data"]["prompt"]) == 4000
    assert "4000 characters" in metadata["warnings"][0]


def test_fetched_data_is_validated(run: Any, store: Any) -> None:
    store.task_data = {"prompt_template": ""}
    ended = run("test_prompt", None)
    assert ended.code == 10
    assert "prompt_template" in ended.words.error.message


def test_an_api_that_stays_away_is_temporary(run: Any, store: Any) -> None:
    store.always["artifacts"] = 503
    ended = run("test_prompt", PROMPT, setup=IMPATIENT)
    assert ended.code == 75
    assert ended.words.error.retryable
    assert not store.objects


def test_an_api_that_cannot_be_reached_is_temporary(run: Any) -> None:
    ended = run("test_prompt", PROMPT, setup=IMPATIENT, env={"MEDIATASK_API": "http://127.0.0.1:9"})
    assert ended.code == 75


def test_short_failures_are_waited_for(run: Any, store: Any) -> None:
    store.failures = {"artifacts": [503, 429], "put": [500], "result": [502, 401]}
    ended = run("test_prompt", PROMPT)
    assert ended.code == 0, ended.log
    assert len(store.objects) == len(store.results) == 1


def test_the_token_is_read_again(start: Any, store: Any) -> None:
    store.tokens = {"the-next-token"}
    job = start("test_prompt", PROMPT)
    job.until(lambda: "401" in job.log)
    (job.folder / "token").write_text("the-next-token\n")
    assert job.wait().code == 0
    assert len(store.results) == 1


@pytest.mark.parametrize("hangs_up", [False, True], ids=["answered", "hung up"])
def test_a_taken_key_is_left_alone(run: Any, store: Any, hangs_up: bool) -> None:
    store.hangs_up = hangs_up
    store.objects["projects/p/uid/1/prompt.json"] = b"another pod's"
    ended = run("test_prompt", PROMPT)
    assert ended.code == 0, ended.log
    assert store.objects["projects/p/uid/1/prompt.json"] == b"another pod's"
    artifact = store.results[0]["result"]["artifacts"][0]
    assert artifact["name"].startswith("prompt-")
    assert artifact["key"] in store.objects


def test_two_pods_of_one_attempt_publish_once(start: Any, store: Any) -> None:
    both = [start("test_prompt", PROMPT), start("test_prompt", PROMPT)]
    ended = [job.wait() for job in both]
    assert [end.code for end in ended] == [0, 0]
    assert sorted(end.words.superseded for end in ended) == [False, True]
    assert not any("Traceback" in end.log or "error" in end.log for end in ended)
    assert len(store.results) == 1


@pytest.mark.parametrize("route", ["artifacts", "result", "progress"])
def test_a_fenced_attempt_ends_well(start: Any, store: Any, route: str) -> None:
    still(store)
    store.always[route] = 409
    data = LONG_FILM if route == "progress" else PROMPT
    ended = start("generate_video" if route == "progress" else "test_prompt", data).wait()
    assert ended.code == 0
    assert ended.words.superseded
    assert not store.results


def test_sigterm_ends_the_job_soon_and_uploads_nothing(start: Any, store: Any) -> None:
    still(store)
    job = start("generate_video", LONG_FILM)
    job.until(lambda: any(report["step"] == "rendering_video" for report in store.reports))
    job.process.send_signal(signal.SIGTERM)
    asked = time.monotonic()
    ended = job.wait(15)
    assert ended.code == 143
    assert time.monotonic() - asked < 5
    assert ended.words.error.code == "Preempted"
    assert "ERROR" not in ended.log
    assert not store.objects
    assert not list((job.folder / "work").iterdir())


def test_sigterm_during_the_first_imports(start: Any, tmp_path: Path) -> None:
    """Where there is no handler yet the first process of a container would not even notice."""
    reached = tmp_path / "reached"
    (tmp_path / "httpx.py").write_text(f"import pathlib, time; pathlib.Path({str(reached)!r}).touch(); time.sleep(100)")
    job = start("test_prompt", PROMPT, env={"PYTHONPATH": str(tmp_path)}, cold=True)
    job.until(reached.exists)
    job.process.send_signal(signal.SIGTERM)
    assert job.process.wait(10) == 143


def test_sigterm_while_the_api_is_away(start: Any, store: Any) -> None:
    store.always["artifacts"] = 503
    job = start("test_prompt", PROMPT)
    job.until(lambda: "uploading" in job.log)
    job.process.send_signal(signal.SIGTERM)
    assert job.wait(10).code == 143


def test_a_step_that_does_not_end_is_left(start: Any, store: Any) -> None:
    """The main thread never comes back to Python code, as in a long call of a library."""
    # The signal interrupts the first sleep in C; the second is what a library that ignores signals looks like.
    stuck = (
        "import mediatask_job.runtime.signals as s, mediatask_job.runners.test_prompt as r, ctypes\n"
        "s.OVERDUE_SECONDS = 0.5\n"
        "sleep = ctypes.CDLL(None).sleep\n"
        "def run(ctx): ctx.progress('stuck', 0.5); sleep(100); sleep(100)\n"
        "r.run = run"
    )
    job = start("test_prompt", PROMPT, setup=stuck)
    job.until(lambda: any(report["step"] == "stuck" for report in store.reports))
    job.process.send_signal(signal.SIGTERM)
    ended = job.wait(10)
    assert ended.code == 143
    assert ended.words.error.code == "Preempted"


def test_a_cancelled_task_stops(start: Any, store: Any) -> None:
    still(store)
    store.cancel = True
    ended = start("generate_video", LONG_FILM).wait(30)
    assert ended.code == 143
    assert ended.words.error.code == "Cancelled"
    assert not store.objects


def test_a_bug_is_told_and_retried(run: Any) -> None:
    broken = "import mediatask_job.runners.test_prompt as r\ndef run(ctx): raise KeyError('oh')\nr.run = run"
    ended = run("test_prompt", PROMPT, setup=broken)
    assert ended.code == 1
    assert ended.words.error.code == "InternalError"
    assert "Traceback" in ended.log


def test_the_step_where_an_attempt_failed_is_reported(run: Any, store: Any) -> None:
    failing = (
        "import mediatask_job.runners.test_prompt as r\n"
        "from mediatask_job.failures import InvalidInput\n"
        "def run(ctx): ctx.progress('thinking', 0.5); raise InvalidInput('No', 'no')\n"
        "r.run = run"
    )
    assert run("test_prompt", PROMPT, setup=failing).code == 10
    assert store.reports[-1]["step"] == "thinking"


def test_a_full_disk_is_temporary(run: Any) -> None:
    full = (
        "import errno, mediatask_job.runners.test_prompt as r\n"
        "def run(ctx): raise OSError(errno.ENOSPC, 'No space left on device')\n"
        "r.run = run"
    )
    ended = run("test_prompt", PROMPT, setup=full)
    assert ended.code == 75


def test_progress_is_throttled_and_never_falls(start: Any, store: Any) -> None:
    still(store)
    data = LONG_FILM | {"duration": 4, "width": 640, "height": 360}
    ended = start("generate_video", data).wait()
    assert ended.code == 0, ended.log
    told = [report["progress"] for report in store.reports]
    assert told == sorted(told)
    pauses = [b["at"] - a["at"] for a, b in zip(store.reports, store.reports[1:], strict=False)]
    assert min(pauses, default=1.0) > 0.4


WAITING = (
    "import mediatask_job.runners.test_prompt as r, mediatask_job.runtime.progress as p, pathlib, time\n"
    "p.USAGE_SECONDS = p.INTERVAL_SECONDS = 0.01\n"
    "plain = r.run\n"
    "def run(ctx):\n"
    "    held, step = bytearray(b'x' * (64 << 20)), 0\n"
    "    while not pathlib.Path({!r}).exists():\n"
    "        step += 1; ctx.progress('step_%d' % step, 0.5); time.sleep(0.05)\n"
    "    return plain(ctx)\n"
    "r.run = run"
)
"""A runner that holds 64 MiB and counts steps until a file appears."""


def test_reports_say_what_the_process_uses(start: Any, store: Any, tmp_path: Path) -> None:
    job = start("test_prompt", PROMPT, setup=WAITING.format(str(tmp_path / "go")), cold=True)

    def last() -> int:
        return int(store.reports[-1].get("usage", {}).get("memory_used", 0)) if store.reports else 0

    job.until(lambda: last() > 64 << 20)
    status = Path(f"/proc/{job.process.pid}/status").read_text()
    resident = next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmRSS"))
    assert abs(last() - resident) < resident / 10
    (tmp_path / "go").touch()
    assert job.wait().code == 0
    usages = [report["usage"] for report in store.reports if "usage" in report]
    assert {usage["memory_kind"] for usage in usages} == {"process"}
    assert not any("gpu_utilization" in usage for usage in usages)
    assert not store.refused


def test_an_api_that_knows_no_usage_gets_the_same_reports_without(start: Any, store: Any, tmp_path: Path) -> None:
    store.understands = AttemptReport
    job = start("test_prompt", PROMPT, setup=WAITING.format(str(tmp_path / "go")))
    job.until(lambda: len(store.reports) > 5)
    (tmp_path / "go").touch()
    ended = job.wait()
    assert ended.code == 0, ended.log
    assert len(store.refused) == 1, "it is asked once"
    assert {name for report in store.reports for name in report} == {"attempt", "progress", "step", "at"}
    first, refused = store.reports[0], store.refused[0]
    assert (first["step"], first["progress"]) == (refused["step"], refused["progress"]), "sent again at once"


def test_unknown_class_parameters_are_warned_of(run: Any) -> None:
    ended = run("test_prompt", PROMPT, parameters={"maxTokens": 5, "tempo": 1})
    assert ended.code == 0
    assert ended.words.result.metadata["completion_tokens"] == 5
    assert any("'tempo'" in warning for warning in ended.words.result.metadata["warnings"])


def test_impossible_class_parameters_end_the_task(run: Any) -> None:
    ended = run("test_prompt", PROMPT, parameters={"maxTokens": 0})
    assert ended.code == 10
    assert "maxTokens" in ended.words.error.message
