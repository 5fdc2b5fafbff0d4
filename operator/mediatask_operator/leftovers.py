"""What of a task may still run, and how to stop it. Pure."""

from __future__ import annotations

from datetime import datetime

from mediatask_crds.names import LABEL_ATTEMPT

from .attempts import is_finished, is_settled, may_still_run
from .observe import Object, Observed
from .plan import Action, DeleteJob, DeletePod


def running_on(seen: Observed, now: datetime) -> bool:
    """Whether anything that the task once started may still run."""
    known = {_job_uid(pod) for pod in seen.pods}
    orphans = known - {job["metadata"]["uid"] for job in seen.jobs}
    return any(_job_may_run(job, seen, now) for job in seen.jobs) or any(
        may_still_run(pod, now) for pod in seen.pods if _job_uid(pod) in orphans
    )


def _job_may_run(job: Object, seen: Observed, now: datetime) -> bool:
    """Whether the Job has, or may get, a pod that runs."""
    pods = [pod for pod in seen.pods if _job_uid(pod) == job["metadata"]["uid"]]
    if any(may_still_run(pod, now) for pod in pods):
        return True
    return not (is_finished(job) or is_settled(pods))


def stop_others(seen: Observed, now: datetime, keep: int | None = None) -> tuple[Action, ...]:
    """Stop whatever may still run, but for one attempt's Job."""
    jobs = {job["metadata"]["uid"]: job for job in seen.jobs}
    doomed = [
        DeleteJob(job["metadata"]["name"], uid)
        for uid, job in jobs.items()
        if attempt_number(job) != keep and "deletionTimestamp" not in job["metadata"] and _job_may_run(job, seen, now)
    ]
    orphans = [
        DeletePod(pod["metadata"]["name"], pod["metadata"]["uid"])
        for pod in seen.pods
        if _job_uid(pod) not in jobs
        and attempt_number(pod) != keep
        and "deletionTimestamp" not in pod["metadata"]
        and may_still_run(pod, now)
    ]
    return (*doomed, *orphans)


def attempt_number(obj: Object) -> int:
    """The attempt that a Job or pod belongs to, by its label."""
    label = obj["metadata"].get("labels", {}).get(LABEL_ATTEMPT, "")
    return int(label) if label.isdecimal() else 0


def _job_uid(pod: Object) -> str | None:
    owners = pod["metadata"].get("ownerReferences") or []
    return next((owner["uid"] for owner in owners if owner.get("kind") == "Job"), None)
