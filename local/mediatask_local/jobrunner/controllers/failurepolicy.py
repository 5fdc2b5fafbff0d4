"""`spec.podFailurePolicy` of a Job: what a failed pod means. Semantics of batch/v1."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mediatask_common.kube import Object


class Action(StrEnum):
    """What to do about a failed pod."""

    COUNT = "Count"
    """Count it against backoffLimit."""
    IGNORE = "Ignore"
    """Replace it without counting it."""
    FAIL_JOB = "FailJob"
    """Fail the Job."""


@dataclass(frozen=True)
class Verdict:
    action: Action
    message: str = ""
    """For FailJob: which pod matched which rule."""


def judge(job: Object, pod: Object) -> Verdict:
    """The first rule that matches decides; without one the failure counts."""
    for index, rule in enumerate((job["spec"].get("podFailurePolicy") or {}).get("rules") or []):
        message = _matches(rule, pod)
        if message:
            where = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
            # FailIndex belongs to indexed Jobs, which are not supported here.
            return Verdict(
                Action(rule["action"]), f"{message.format(pod=where)} matching {rule['action']} rule at index {index}"
            )
    return Verdict(Action.COUNT)


def _matches(rule: Object, pod: Object) -> str:
    on_exit = rule.get("onExitCodes")
    if on_exit:
        for status in pod["status"].get("containerStatuses") or []:
            code = ((status.get("state") or {}).get("terminated") or {}).get("exitCode", 0)
            named = on_exit.get("containerName") in (None, status["name"])
            # Exit code 0 never matches, not even with NotIn.
            if code != 0 and named and (code in on_exit["values"]) == (on_exit["operator"] == "In"):
                return f"Container {status['name']} for pod {{pod}} failed with exit code {code}"
    for pattern in rule.get("onPodConditions") or []:
        for condition in pod["status"].get("conditions") or []:
            if condition["type"] == pattern["type"] and condition["status"] == pattern.get("status", "True"):
                return f"Pod {{pod}} has condition {condition['type']}"
    return ""
