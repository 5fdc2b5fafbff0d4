"""What the operator remembers of the cluster: slim copies, found by the task they belong to.

Nothing here is older than the last event or answer about an object: an entry is replaced only by a newer
resourceVersion, so events, answers to own writes and resyncs may come in any order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import orjson
from pydantic import ValidationError

from mediatask_common.logging import get_logger
from mediatask_common.times import rfc3339, utcnow
from mediatask_crds.names import ANNOTATION_IDEMPOTENCY_ANSWER, ANNOTATION_IDEMPOTENCY_BODY
from mediatask_crds.taskclass import MediaTaskClassSpec

from ..deciding.budgets import Ledger
from ..objects import Key, Object, attempt_number, job_uid, key_of, task_of_job, task_of_pod

log = get_logger(__name__)

DELETED_KEPT = 20_000
"""More than are deleted while one list is read; 2 MB."""
_ANNOTATIONS_LEFT_OUT = frozenset(
    (
        "kubectl.kubernetes.io/last-applied-configuration",
        ANNOTATION_IDEMPOTENCY_ANSWER,
        ANNOTATION_IDEMPOTENCY_BODY,
    )
)
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
    """By UID; a deleted pod stays with its last state, marked `gone`, until its attempt's end is on record."""


class Cache:
    """Tasks with their Jobs and pods, and the classes."""

    def __init__(self) -> None:
        self.entries: dict[Key, Entry] = {}
        self.classes: dict[str, MediaTaskClassSpec] = {}
        self.ledger = Ledger()
        """What the tasks are charged, those that were deleted included."""
        self.unusable_classes: dict[str, str] = {}
        """Classes that cannot be read, and why."""
        self._class_versions: dict[str, int] = {}
        """Also of deleted classes: an older version of one does not come back."""
        self._deleted: dict[str, None] = {}
        """UIDs of the objects deleted last, oldest first: none comes back, though a slow list may still name it."""

    def tasks(self) -> Iterator[Object]:
        """Every task."""
        return (entry.task for entry in self.entries.values() if entry.task is not None)

    def get(self, key: Key) -> Entry:
        """What is known for a key; an empty entry when nothing is."""
        return self.entries.get(key) or Entry()

    # Each of the following answers with the key to look at again; None when the news was no news.

    def put_task(self, obj: Object) -> Key | None:
        """A task as it is now."""
        key = key_of(obj)
        if _uid(obj) in self._deleted:
            return None
        entry = self.entries.setdefault(key, Entry())
        if entry.task is not None and not _newer(obj, entry.task):
            return None
        entry.task = _slim(obj, spec_without=("taskData",))
        self.ledger.put(entry.task)
        entry.data = _small_data(obj) if not obj.get("status") else None
        self._tidy(key, entry)
        return key

    def drop_task(self, obj: Object) -> Key | None:
        """A task is gone; what it owned goes by itself."""
        key = key_of(obj)
        entry = self.entries.get(key)
        self._remember_deleted(obj)
        if entry is None or entry.task is None or _version(obj) < _version(entry.task):
            return None
        last = _slim(obj, spec_without=("taskData",)) if _newer(obj, entry.task) else entry.task
        self.ledger.drop(last, obj["metadata"].get("deletionTimestamp") or rfc3339(utcnow()))
        entry.task = entry.data = None
        self._tidy(key, entry)
        return key

    def put_job(self, obj: Object) -> Key | None:
        """A Job as it is now; one that no task owns is none of ours."""
        key = task_of_job(obj)
        if key is None or _uid(obj) in self._deleted:
            return None
        jobs = self.entries.setdefault(key, Entry()).jobs
        known = jobs.get(_uid(obj))
        if known is not None and not _newer(obj, known):
            return None
        jobs[_uid(obj)] = _slim(obj, spec_with=("suspend",))
        return key

    def drop_job(self, obj: Object) -> Key | None:
        """A Job is gone."""
        key = task_of_job(obj)
        if key is None:
            return None
        self._remember_deleted(obj)
        entry = self.entries.get(key)
        if entry is None:
            return None
        entry.jobs.pop(_uid(obj), None)
        self._tidy(key, entry)
        return key

    def put_pod(self, obj: Object) -> Key | None:
        """A pod as it is now."""
        key = task_of_pod(obj)
        if key is None or _uid(obj) in self._deleted:
            return None
        pods = self.entries.setdefault(key, Entry()).pods
        known = pods.get(_uid(obj))
        if known is not None and not _newer(obj, known):
            return None
        pods[_uid(obj)] = _slim(obj, spec_with=("nodeName",))
        return key

    def drop_pod(self, obj: Object) -> Key | None:
        """A pod is gone: what it said last is kept until its attempt's end is on record."""
        key = task_of_pod(obj)
        if key is None:
            return None
        self._remember_deleted(obj)
        entry = self.entries.get(key)
        if entry is None:
            return None
        entry.pods[_uid(obj)] = {**_slim(obj, spec_with=("nodeName",)), "gone": True}
        self._tidy(key, entry)
        return key

    def put_class(self, obj: Object) -> str | None:
        """A class as it is now; its name when there is something new."""
        name = obj["metadata"]["name"]
        if _version(obj) <= self._class_versions.get(name, -1):
            return None
        self._class_versions[name] = _version(obj)
        self.unusable_classes.pop(name, None)
        try:
            self.classes[name] = MediaTaskClassSpec.from_stored(obj["spec"])
        except ValidationError as error:
            log.warning("class cannot be used", task_class=name, error=str(error))
            self.classes.pop(name, None)
            self.unusable_classes[name] = str(error)
        return str(name)

    def drop_class(self, obj: Object) -> str | None:
        """A class is gone."""
        name = obj["metadata"]["name"]
        self._class_versions[name] = max(self.class_version(name), int(obj["metadata"].get("resourceVersion", -1)))
        known = self.unusable_classes.pop(name, None) or self.classes.pop(name, None)
        return name if known is not None else None

    def class_version(self, name: str) -> int:
        """The resourceVersion of a class as last seen; -1 for one never seen."""
        return self._class_versions.get(name, -1)

    def _remember_deleted(self, obj: Object) -> None:
        self._deleted[_uid(obj)] = None
        if len(self._deleted) > DELETED_KEPT:
            del self._deleted[next(iter(self._deleted))]

    def _tidy(self, key: Key, entry: Entry) -> None:
        """Drop deleted pods whose attempt's end is on record, and an entry of which nothing is left.

        Not while their Job is there: without its pod, a Job that the Job controller is slow to fail seems to run on.
        """
        for uid, pod in list(entry.pods.items()):
            if pod.get("gone") and job_uid(pod) not in entry.jobs and _on_record(pod, entry.task):
                del entry.pods[uid]
        if entry.task is None and not entry.jobs and not entry.pods:
            self.entries.pop(key, None)


def _on_record(pod: Object, task: Object | None) -> bool:
    """Whether the end of the pod's attempt is on record; it is of no interest either when there is no task."""
    status = (task or {}).get("status") or {}
    ended = [attempt["number"] for attempt in status.get("attempts") or [] if "endedAt" in attempt]
    return task is None or attempt_number(pod) in ended or attempt_number(pod) < (status.get("attempt") or 0)


def _small_data(obj: Object) -> Object | None:
    data: Object = obj["spec"].get("taskData") or {}
    return data if len(orjson.dumps(data)) <= DATA_KEPT_BYTES else None


def _slim(obj: Object, *, spec_with: tuple[str, ...] | None = None, spec_without: tuple[str, ...] = ()) -> Object:
    """The object without the bookkeeping of others in its metadata, and with so much of its spec."""
    meta = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    if "annotations" in meta:
        kept = {key: value for key, value in meta["annotations"].items() if key not in _ANNOTATIONS_LEFT_OUT}
        meta["annotations"] = kept
    spec = {
        key: value
        for key, value in obj.get("spec", {}).items()
        if key not in spec_without and (spec_with is None or key in spec_with)
    }
    return {**obj, "metadata": meta, "spec": spec}


def _uid(obj: Object) -> str:
    uid: str = obj["metadata"]["uid"]
    return uid


def _version(obj: Object) -> int:
    """The resourceVersion as a number: comparable within a kind (KEP-5504)."""
    return int(obj["metadata"]["resourceVersion"])


def _newer(obj: Object, known: Object) -> bool:
    """Versions alone decide, also between an object and a namesake that was made after its deletion."""
    return _version(obj) > _version(known)
