"""What the operator remembers of the cluster: slim copies, found by the task they belong to.

Nothing here is older than the last event or answer about an object: an entry is replaced only by a newer
resourceVersion, so events, answers to own writes and sweeps may come in any order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import orjson
from pydantic import ValidationError

from mediatask_common.logging import get_logger
from mediatask_crds.taskclass import MediaTaskClassSpec

from ..objects import Key, Object, attempt_number, job_uid, task_of_job, task_of_pod

log = get_logger(__name__)

_JOB_SPEC_KEPT = ("suspend",)
_POD_SPEC_KEPT = ("nodeName",)
DATA_KEPT_BYTES = 16 * 1024
"""Prompts are smaller, embedded pictures larger: ten thousand new tasks may come at once."""


@dataclass
class Entry:
    """One task and what belongs to it."""

    task: Object | None = None
    data: Object | None = None
    """The `taskData` of a task that nothing was said of yet, so that its Job needs no further read; None where it is
    large, and from the first status on."""
    jobs: dict[str, Object] = field(default_factory=dict)
    """By UID."""
    pods: dict[str, Object] = field(default_factory=dict)
    """By UID; a deleted pod stays with its last state, marked `gone`, while its attempt is open."""


class Cache:
    """Tasks with their Jobs and pods, and the classes."""

    def __init__(self) -> None:
        self.entries: dict[Key, Entry] = {}
        self.classes: dict[str, MediaTaskClassSpec] = {}
        self._class_versions: dict[str, int] = {}

    def tasks(self) -> Iterator[Object]:
        """Every task."""
        return (entry.task for entry in self.entries.values() if entry.task is not None)

    def get(self, key: Key) -> Entry:
        """What is known for a key; an empty entry when nothing is."""
        return self.entries.get(key) or Entry()

    # Each of the following answers with the key to look at again; None when the news was no news.

    def put_task(self, obj: Object) -> Key | None:
        """A task as it is now."""
        key = (obj["metadata"]["namespace"], obj["metadata"]["name"])
        entry = self.entries.setdefault(key, Entry())
        if entry.task is not None and not _newer(obj, entry.task):
            return None
        entry.task = slim_task(obj)
        entry.data = _small_data(obj) if not obj.get("status") else None
        return key

    def drop_task(self, obj: Object) -> Key | None:
        """A task is gone; what it owned goes by itself."""
        key = (obj["metadata"]["namespace"], obj["metadata"]["name"])
        entry = self.entries.get(key)
        if entry is None or entry.task is None or _version(obj) < _version(entry.task):
            return None
        entry.task = entry.data = None
        self._tidy(key, entry)
        return key

    def put_job(self, obj: Object) -> Key | None:
        """A Job as it is now; one that no task owns is none of ours."""
        key = task_of_job(obj)
        if key is None:
            return None
        jobs = self.entries.setdefault(key, Entry()).jobs
        known = jobs.get(obj["metadata"]["uid"])
        if known is not None and not _newer(obj, known):
            return None
        jobs[obj["metadata"]["uid"]] = _slim(obj, _JOB_SPEC_KEPT)
        return key

    def drop_job(self, obj: Object) -> Key | None:
        """A Job is gone."""
        key = task_of_job(obj)
        entry = self.entries.get(key) if key else None
        if key is None or entry is None:
            return None
        entry.jobs.pop(obj["metadata"]["uid"], None)
        self._tidy(key, entry)
        return key

    def put_pod(self, obj: Object) -> Key | None:
        """A pod as it is now."""
        key = task_of_pod(obj)
        if key is None:
            return None
        pods = self.entries.setdefault(key, Entry()).pods
        known = pods.get(obj["metadata"]["uid"])
        if known is not None and not _newer(obj, known):
            return None
        pods[obj["metadata"]["uid"]] = _slim(obj, _POD_SPEC_KEPT)
        return key

    def drop_pod(self, obj: Object) -> Key | None:
        """A pod is gone: what it said last is kept until its attempt's end is on record."""
        key = task_of_pod(obj)
        entry = self.entries.get(key) if key else None
        if key is None or entry is None:
            return None
        entry.pods[obj["metadata"]["uid"]] = {**_slim(obj, _POD_SPEC_KEPT), "gone": True}
        return key

    def put_class(self, obj: Object) -> str | None:
        """A class as it is now; its name when there is something new."""
        name = obj["metadata"]["name"]
        if _version(obj) <= self._class_versions.get(name, -1):
            return None
        self._class_versions[name] = _version(obj)
        try:
            self.classes[name] = MediaTaskClassSpec.model_validate(obj["spec"])
        except ValidationError as error:
            log.warning("class cannot be used", task_class=name, error=str(error))
            self.classes.pop(name, None)
        return str(name)

    def drop_class(self, obj: Object) -> str | None:
        """A class is gone."""
        name = obj["metadata"]["name"]
        self._class_versions.pop(name, None)
        return name if self.classes.pop(name, None) is not None else None

    def class_version(self, name: str) -> int:
        """The resourceVersion of a class as last seen; -1 for one never seen."""
        return self._class_versions.get(name, -1)

    def forget_gone_pods(self, key: Key, open_attempt: int | None) -> None:
        """Drop deleted pods of attempts whose end is on record.

        Not while their Job is there: without its pod, a Job that the Job controller is slow to fail seems to run on.
        """
        entry = self.entries.get(key)
        if entry is None:
            return
        for uid, pod in list(entry.pods.items()):
            if pod.get("gone") and attempt_number(pod) != open_attempt and job_uid(pod) not in entry.jobs:
                del entry.pods[uid]
        self._tidy(key, entry)

    def _tidy(self, key: Key, entry: Entry) -> None:
        left = [pod for pod in entry.pods.values() if not pod.get("gone")]
        if entry.task is None and not entry.jobs and not left:
            self.entries.pop(key, None)


def slim_task(obj: Object) -> Object:
    """A task without its data and field managers: read again for the moment a Job is created."""
    meta = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    spec = {key: value for key, value in obj["spec"].items() if key != "taskData"}
    return {**obj, "metadata": meta, "spec": spec}


def _small_data(obj: Object) -> Object | None:
    data: Object = obj["spec"].get("taskData") or {}
    return data if len(orjson.dumps(data)) <= DATA_KEPT_BYTES else None


def _slim(obj: Object, spec_kept: tuple[str, ...]) -> Object:
    meta = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    spec = {key: value for key, value in obj.get("spec", {}).items() if key in spec_kept}
    return {"metadata": meta, "spec": spec, "status": obj.get("status") or {}}


def _version(obj: Object) -> int:
    """The resourceVersion as a number: comparable within a kind (KEP-5504)."""
    return int(obj["metadata"]["resourceVersion"])


def _newer(obj: Object, known: Object) -> bool:
    return obj["metadata"]["uid"] != known["metadata"]["uid"] or _version(obj) > _version(known)
