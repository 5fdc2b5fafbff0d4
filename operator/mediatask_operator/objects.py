"""What Jobs and pods say about themselves: how they are named, whose they are and of which attempt. Pure."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from mediatask_crds.names import ANNOTATION_TASK, API_VERSION, LABEL_ATTEMPT

Key = tuple[str, str]
"""A task's namespace and name."""
Object = dict[str, Any]
"""A resource as the API server gives it."""
_NAME_LIMIT = 63


def job_name(task: str, uid: str, attempt: int) -> str:
    """The name of an attempt's Job: a DNS label, the same whenever it is asked for.

    The readable part comes from the task's name; the digest keeps tasks of one name apart.
    """
    tail = f"-{hashlib.sha256(uid.encode()).hexdigest()[:8]}-{attempt}"
    readable = re.sub(r"[^a-z0-9-]", "-", task)[: min(40, _NAME_LIMIT - len(tail))].strip("-")
    return f"{readable or 'task'}{tail}"


def key_of(obj: Object) -> Key:
    """The key of a task."""
    return obj["metadata"]["namespace"], obj["metadata"]["name"]


def attempt_number(obj: Object) -> int:
    """The attempt that a Job or pod belongs to, by its label; 0 without one."""
    label = obj["metadata"].get("labels", {}).get(LABEL_ATTEMPT, "")
    return int(label) if label.isdecimal() else 0


def controller_uid(obj: Object) -> str | None:
    """The UID of the object that controls this one."""
    owners = obj["metadata"].get("ownerReferences") or []
    return next((owner["uid"] for owner in owners if owner.get("controller")), None)


def job_uid(pod: Object) -> str | None:
    """The UID of the Job that made a pod."""
    owners = pod["metadata"].get("ownerReferences") or []
    return next((owner["uid"] for owner in owners if owner.get("kind") == "Job"), None)


def made_by(pod: Object, job_uids: set[str], job_names: set[str]) -> bool:
    """Whether one of these Jobs made the pod, or one that had such a name and is gone."""
    owners = pod["metadata"].get("ownerReferences") or []
    return any(
        owner.get("kind") == "Job" and (owner["uid"] in job_uids or owner["name"] in job_names) for owner in owners
    )


def task_of_job(job: Object) -> Key | None:
    """The task that controls a Job."""
    for owner in job["metadata"].get("ownerReferences") or []:
        if owner.get("controller") and owner["kind"] == "MediaTask" and owner["apiVersion"] == API_VERSION:
            return job["metadata"]["namespace"], owner["name"]
    return None


def task_of_pod(pod: Object) -> Key | None:
    """The task that a pod says it belongs to; its Job's UID decides whether it is believed."""
    name = (pod["metadata"].get("annotations") or {}).get(ANNOTATION_TASK)
    return (pod["metadata"]["namespace"], name) if name else None
