"""Requests that Schemathesis makes up from the OpenAPI document: none is answered by 5xx, nor by what is not in it.

A short form by default; `make fuzz` sets MEDIATASK_FUZZ_CASES, the number of cases to reach.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from mediatask_common.kube import TASKS
from support.front import Figure, Front
from support.issuer import issuer

FUZZ = Path(__file__).with_name("fuzz")
CASES = int(os.environ.get("MEDIATASK_FUZZ_CASES", "0"))
SHORT = ("--phases", "examples,fuzzing", "--max-examples", "5")
LONG = ("--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "60")
PROMPT = {
    "project_id": "film",
    "task_type": "test_prompt",
    "task_data": {"prompt_template": "x"},
    "callback_url": "https://hooks.example.com/x",
}
SETTINGS = {
    # Streams that last would be all that is tried.
    "EVENT_STREAM_SECONDS": "0.2",
    "LOG_FOLLOW_SECONDS": "0.2",
    "REQUESTS_PER_MINUTE": "0",
    "SUBMITS_PER_MINUTE": "0",
    "UPLOAD_QUOTA_COUNT": "100000",
    "UPLOAD_QUOTA_BYTES": str(2**62),
}


async def task(front: Front, token: str, phase: str) -> str:
    """A task in this state, with a webhook that was sent."""
    async with front.client(token=token) as client:
        made = await client.post(f"{front.urls[0]}/api/v1/tasks/submit", json=PROMPT)
        assert made.status_code == 202, made.text
    callback = {"id": "w-1", "event": f"task.{phase}", "attempts": 1, "deliveredAt": "2026-11-21T10:00:05Z"}
    status = {"phase": phase, "attempt": 1, "completedAt": "2026-11-21T10:00:00Z", "callback": callback}
    task_id: str = made.json()["task_id"]
    await front.kube.patch(TASKS, task_id, {"status": status}, front.namespace, subresource="status")
    return task_id


def settings(folder: Path, task_id: str | None) -> Path:
    """The settings of a run: about this task wherever one is named, or about any."""
    content = (FUZZ / "schemathesis.toml").read_text()
    if task_id is not None:
        content = f'[parameters]\n"path.task_id" = "{task_id}"\n\n{content}'
    path = folder / f"{task_id or 'any'}.toml"
    path.write_text(content)
    return path


async def run(url: str, token: str, config: Path, report: Path, options: tuple[str, ...]) -> tuple[int, str]:
    """Cases that were tried; and what was found, empty where nothing was."""
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("st"),
        *("--config-file", config, "run", f"{url}/openapi.json", "-H", f"Authorization: Bearer {token}"),
        *(
            "--continue-on-failure",
            "--workers",
            "4",
            "--request-timeout",
            "60",
            "--no-color",
            "--suppress-health-check",
            "all",
        ),
        *("--report", "ndjson", "--report-ndjson-path", report, *options),
        env={**os.environ, "PYTHONPATH": str(FUZZ), "SCHEMATHESIS_HOOKS": "hooks"},
        cwd=report.parent,  # it leaves a folder there
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await process.communicate())[0].decode()
    counted = re.search(r"(\d[\d,]*) generated", said)
    return int(counted[1].replace(",", "")) if counted else 0, said if process.returncode else ""


def answers(report: Path) -> Iterator[int]:
    """The status codes of all answers in a report."""
    with report.open() as lines:
        for line in lines:
            finished: dict[str, Any] = json.loads(line).get("ScenarioFinished") or {}
            for interaction in (finished.get("recorder") or {}).get("interactions", {}).values():
                if interaction["response"]:
                    yield interaction["response"]["status_code"]


@pytest.mark.timeout(3 * 3600)
async def test_requests_made_up_from_the_document(open_front: Any, tmp_path: Path, figure: Figure) -> None:
    async with issuer() as provider:
        environment = {f"JWT_{name.upper()}": value for name, value in provider.settings.items()}
        # A token, as it could revoke its own key.
        token = provider.token(role="producer", projects=["*"], exp=int(time.time()) + 4 * 3600)
        async with open_front(**SETTINGS, **environment) as front:
            tasks: list[str | None] = [await task(front, token, "completed")]
            if CASES:
                tasks += [await task(front, token, "failed"), None]
            cases, statuses = 0, Counter[int]()
            for number, task_id in enumerate(cycle(tasks)):
                report = tmp_path / f"{number}.ndjson"
                config = settings(tmp_path, task_id)
                tried, found = await run(front.urls[0], token, config, report, LONG if CASES else SHORT)
                assert not found, found[-20_000:]
                assert tried, "nothing was tried"
                cases += tried
                statuses.update(answers(report))
                if cases >= CASES and number + 1 >= len(tasks):
                    break
    by_kind = Counter(f"{status // 100}xx" for status in statuses.elements())
    figure(f"{cases} cases ({', '.join(f'{kind} {count}' for kind, count in sorted(by_kind.items()))}); 0 undocumented")
    assert not by_kind["5xx"]
    assert by_kind["2xx"] > cases / 50, "hardly anything was let in"
