"""What of a task may still run, and how to stop it. Pure."""

from __future__ import annotations

from datetime import datetime

from ..objects import Object, attempt_number, job_uid
from .attempts import ends_for_good, is_finished, is_settled, may_still_run
from .observation import Observed
from .plan import STOP_GRACE_SECONDS, Action, DeleteJob, DeletePod, KeepLog


def running_on(seen: Observed, now: datetime) -> bool:
    """Whether anything that the task once started may still run."""
    known = {job_uid(pod) for pod in seen.pods}
    orphans = known - {job["metadata"]["uid"] for job in seen.jobs}
    return any(_job_may_run(job, seen, now) for job in seen.jobs) or any(
        may_still_run(pod, now) for pod in seen.pods if job_uid(pod) in orphans
    )


def _job_may_run(job: Object, seen: Observed, now: datetime) -> bool:
    """Whether the Job has, or may get, a pod that runs."""
    pods = [pod for pod in seen.pods if job_uid(pod) == job["metadata"]["uid"]]
    if any(may_still_run(pod, now) for pod in pods):
        return True
    return not (is_finished(job) or is_settled(pods))


def stop_others(seen: Observed, now: datetime, keep: int | None = None) -> tuple[Action, ...]:
    """Stop whatever may still run, but for one attempt's Job: first the Jobs, so that no pod is replaced."""
    jobs = {job["metadata"]["uid"]: job for job in seen.jobs}
    doomed = [
        DeleteJob(job["metadata"]["name"], uid)
        for uid, job in jobs.items()
        if attempt_number(job) != keep and "deletionTimestamp" not in job["metadata"] and _job_may_run(job, seen, now)
    ]
    # A Job's pods go with it, but only after the grace period of their own.
    pods = [
        DeletePod(pod["metadata"]["name"], pod["metadata"]["uid"])
        for pod in seen.pods
        if attempt_number(pod) != keep and may_still_run(pod, now) and not _stops_soon(pod)
    ]
    return (*doomed, *pods)


def logs_to_keep(seen: Observed) -> tuple[KeepLog, ...]:
    """The logs that go soon: those of pods that have ended, or are being stopped."""
    return tuple(KeepLog(attempt_number(pod), pod["metadata"]["name"]) for pod in seen.pods if ends_for_good(pod))


def _stops_soon(pod: Object) -> bool:
    """Whether the pod is being deleted within the grace period that we give."""
    meta = pod["metadata"]
    return "deletionTimestamp" in meta and meta.get("deletionGracePeriodSeconds", 0) <= STOP_GRACE_SECONDS
