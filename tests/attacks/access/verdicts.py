"""What ought to come of a call, reckoned from what the route requires and what the caller may do."""

from __future__ import annotations

from enum import Enum

from mediatask_api.auth.principal import Principal

from .callers import Caller
from .calls import Call
from .estate import Target


class Verdict(Enum):
    """What ought to come of it."""

    LINK_ONLY = "the signature in the link decides, which is missing"
    PUBLIC = "everybody is answered"
    UNKNOWN_CALLER = "401"
    NO_SCOPE = "403: the scope is missing"
    HIDDEN = "as if it were not there"
    NOT_THEIRS = "403: submitted by somebody else"
    OPEN = "it is carried out, or refused for what the object is"


def verdict(call: Call, caller: Caller, target: Target) -> Verdict:
    """Of a call of the public app."""
    principal = caller.principal
    if not call.asks_who:
        return Verdict.LINK_ONLY if "key" in call.parameters else Verdict.PUBLIC
    if principal is None:
        return Verdict.UNKNOWN_CALLER
    if call.scope is not None and call.scope not in principal.scopes:
        return Verdict.NO_SCOPE
    if not _reaches(call, principal, target):
        return Verdict.HIDDEN
    if changes_task(call) and not principal.may_change(target.submitted_by):
        return Verdict.NOT_THEIRS
    return Verdict.OPEN


def pod_verdict(call: Call, caller: Caller, target: Target) -> Verdict:
    """Of a call of the internal app: a pod reaches its own task."""
    if call.parameters == ("key",):
        return Verdict.LINK_ONLY
    if not caller.task_id and not caller.name.startswith(("a pod", "the pod")):
        return Verdict.UNKNOWN_CALLER
    return Verdict.OPEN if caller.task_id == target.ids["task_id"] else Verdict.HIDDEN


def changes_task(call: Call) -> bool:
    return call.method != "GET" and "task_id" in call.parameters


def _reaches(call: Call, principal: Principal, target: Target) -> bool:
    by_project = "project_id" in call.parameters or (call.names_project and not call.parameters)
    about_something = by_project or bool({"task_id", "key_id", "upload_id"} & set(call.parameters))
    if not about_something:
        return True
    return principal.allows(target.project) and (target.exists or by_project)
