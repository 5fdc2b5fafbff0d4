"""One round: a new front door, each call at each number of clients."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx

from bench import audit, machine
from bench.contestants import TASK_DATA
from bench.rest.contestants import PROJECT, FrontDoor, Served
from bench.rest.generator import HOST, Plan

CALLS = ("status", "list", "events", "submit")
"""Submit comes last: what it leaves behind would be in the way of the others."""
CLIENTS = (1, 32, 256)
TASKS = 100
"""Tasks that are there before anything is measured; status and events go round them."""
WARM_UP = 50
LISTED = 20
QUIET_SHARE = 0.15
"""Of a core: below it, what submits have set off is done."""
QUIET_SECONDS = 60
"""Longest wait for that."""
EXPECTED = {"submit": "202"}
BASE = "/api/v1"
Round = dict[str, dict[str, dict[str, Any]]]
"""Figures by call and number of clients."""
SUBMIT = {
    "project_id": PROJECT,
    "task_type": "generate_image",
    "task_data": TASK_DATA,
    "metadata": {"user_id": "user123", "scene_id": "scene_005"},
}


async def one_round(
    front_door: FrontDoor, calls: Sequence[str], clients: Sequence[int], requests: int, tick: Callable[[], None]
) -> Round:
    """Measure.

    Args:
        requests: of each measurement; a tenth for a single client.
        tick: called after each measurement.

    Raises:
        ClusterError: a part of it died.
        RuntimeError: a call was not answered as it should be.
    """
    figures: Round = {}
    with tempfile.TemporaryDirectory(prefix="mediatask-bench-") as temporary:
        folder = Path(temporary)
        async with front_door.running(folder) as served:
            try:
                ids = await _tasks(served)
                for call in calls:
                    texts = _requests(call, served, ids)
                    await _load(Plan(served.port, texts, 1, WARM_UP, stream=call == "events"))
                    for number in clients:
                        await _quiet(served)
                        count = max(requests // 10, WARM_UP) if number == 1 else max(requests, number)
                        plan = Plan(served.port, texts, number, count, stream=call == "events")
                        measured = await _measured(call, served, plan)
                        figures.setdefault(call, {})[str(number)] = measured
                        tick()
            except Exception as error:
                log = folder / "api.log"
                error.add_note(log.read_text(errors="replace")[-2000:] if log.exists() else "no log")
                raise
    return figures


async def _tasks(served: Served) -> list[str]:
    """Submit the tasks that are asked for later."""
    async with httpx.AsyncClient(base_url=f"http://{HOST}:{served.port}{BASE}", timeout=30) as client:
        ids = []
        for _ in range(TASKS):
            answer = await client.post("/tasks/submit", json=SUBMIT, headers={"X-API-Key": served.key})
            if answer.status_code != 202:
                raise RuntimeError(f"submit was answered with {answer.status_code}: {answer.text[:500]}")
            ids.append(answer.json()["task_id"])
    return ids


def _requests(call: str, served: Served, ids: Sequence[str]) -> list[str]:
    """The requests of a call, as they go over the wire."""

    def request(method: str, path: str, body: str = "") -> str:
        head = [f"{method} {BASE}{path} HTTP/1.1", f"Host: {HOST}:{served.port}", f"X-API-Key: {served.key}"]
        if body:
            head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join([*head, "", body])

    match call:
        case "submit":
            return [request("POST", "/tasks/submit", json.dumps(SUBMIT))]
        case "list":
            return [request("GET", f"/projects/{PROJECT}/tasks?page=1&limit={LISTED}")]
        case _:
            return [request("GET", f"/tasks/{task_id}/{call}") for task_id in ids]


async def _measured(call: str, served: Served, plan: Plan) -> dict[str, Any]:
    before = {name: machine.cpu_seconds(pid) for name, pid in served.processes.items()}
    busy, began, own = machine.busy_seconds(), time.monotonic(), os.times()
    found = await _load(plan)
    lasted, after = time.monotonic() - began, os.times()
    spent = {name: machine.cpu_seconds(pid) - before[name] for name, pid in served.processes.items()}
    # The generator has ended, and so counts among the children of this process.
    generator = sum(after[:4]) - sum(own[:4])
    others = machine.busy_seconds() - busy - sum(spent.values()) - generator
    wrong = {status: n for status, n in found["answers"].items() if status != EXPECTED.get(call, "200")}
    if wrong:
        raise RuntimeError(f"{call} was answered with {wrong}")
    latencies: list[float] = found["latencies"]
    count = len(latencies)
    control_plane = sum(seconds for name, seconds in spent.items() if name.startswith(("etcd", "kube-")))
    own_processes = {name: seconds for name, seconds in spent.items() if not name.startswith(("etcd", "kube-"))}
    return {
        "requests": count,
        "requests_per_s": round(count / found["seconds"], 1),
        "p50_ms": round(1000 * statistics.median(latencies), 2),
        "p99_ms": round(1000 * audit.percentile(latencies, 0.99), 2),
        "cpu_ms_per_request": {
            name: round(1000 * seconds / count, 2)
            for name, seconds in {**own_processes, "control plane": control_plane, "load generator": generator}.items()
        },
        "others_cores": round(max(others, 0.0) / lasted, 2),
    }


async def _load(plan: Plan) -> dict[str, Any]:
    """Run the generator in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.rest.generator",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate(plan.to_json())
    if process.returncode:
        raise RuntimeError(f"the load generator failed:\n{errors.decode(errors='replace')[-2000:]}")
    found: dict[str, Any] = json.loads(output)
    return found


async def _quiet(served: Served) -> None:
    """Wait until the work is done that earlier submits have set off."""
    pid, deadline = served.processes[served.busy], time.monotonic() + QUIET_SECONDS
    while time.monotonic() < deadline:
        before = machine.cpu_seconds(pid)
        await asyncio.sleep(1)
        if machine.cpu_seconds(pid) - before < QUIET_SHARE:
            return
