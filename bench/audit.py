"""What the API server's audit log tells of a burst: who wrote what, and when. Pure.

Both contestants are timed by the server's own clock, so no client that watches has to be trusted or paid for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import orjson

WRITES = {"create", "update", "patch", "delete", "deletecollection"}
_TASK = re.compile(r"burst-\d+")


def task_name(number: int) -> str:
    """The name of the burst's task; names of its Jobs and Events begin with it."""
    return f"burst-{number:05}"


@dataclass
class Burst:
    """The burst in the server's words; times are seconds since the first task was received."""

    tasks: dict[str, float] = field(default_factory=dict)
    """When each task's creation was answered."""
    jobs: dict[str, float] = field(default_factory=dict)
    """When the creation of each task's first Job was answered."""
    writes: Counter[str] = field(default_factory=Counter)
    """The operator's writes about the tasks and Jobs, refused ones included, by verb and resource."""
    refused: Counter[str] = field(default_factory=Counter)
    """Those of `writes` that were answered with an error."""
    events: int = 0
    """Kubernetes Events that the operator posted."""
    reads: int = 0
    """Single objects that the operator read."""


def read(lines: Iterable[bytes], plural: str, operator: str) -> Burst:
    """Collect a burst.

    Args:
        lines: the audit log (audit.k8s.io/v1, one Event a line).
        plural: resource name of the contestant's tasks.
        operator: its user name.
    """
    burst = Burst()
    began: float | None = None
    for line in lines:
        event = orjson.loads(line)
        about = event.get("objectRef", {})
        named = _TASK.match(about.get("name", ""))
        if named is None or event["stage"] != "ResponseComplete":
            continue
        verb, resource, code = event["verb"], about["resource"], event["responseStatus"]["code"]
        task, answered = named[0], _seconds(event["stageTimestamp"])
        if resource == plural and verb == "create" and code == 201:
            received = _seconds(event["requestReceivedTimestamp"])
            began = received if began is None else min(began, received)
            burst.tasks[task] = answered
        if event["user"]["username"] != operator:
            continue
        if verb == "get":
            burst.reads += 1
        elif verb in WRITES and resource == "events":
            burst.events += 1
        elif verb in WRITES:
            what = "/".join(filter(None, (resource, about.get("subresource"))))
            burst.writes[f"{verb} {what}"] += 1
            if code >= 400:
                burst.refused[f"{verb} {what} {code}"] += 1
            if resource == "jobs" and verb == "create" and code == 201:
                burst.jobs[task] = min(answered, burst.jobs.get(task, answered))
    for times in (burst.tasks, burst.jobs):
        for name, at in times.items():
            times[name] = at - (began or 0.0)
    return burst


def percentile(values: Iterable[float], part: float) -> float:
    """The value that `part` (0..1) of the values do not exceed. Raises ValueError when there is none."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)]


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()
