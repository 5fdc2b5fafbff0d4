"""What a reconcile may decide: the steps, and the plan made of them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ..objects import Object
from .attempts import Ended
from .classes import TaskClass

STOP_GRACE_SECONDS = 5
"""Between SIGTERM and SIGKILL of what is stopped: a GPU is to be free within 10 s of a cancel."""


class Slot(Enum):
    """What the task wants of its class's slots."""

    NONE = "none"
    WAIT = "wait"
    HOLD = "hold"


@dataclass(frozen=True)
class CreateJob:
    """Create the Job of an attempt. A refusal keeps the pass's status from being written."""

    attempt: int
    task_class: TaskClass
    avoid_nodes: tuple[str, ...] = ()


@dataclass(frozen=True)
class DeleteJob:
    """Delete a Job in the foreground: it stays until its pods are gone."""

    name: str
    uid: str


@dataclass(frozen=True)
class DeletePod:
    """Delete a pod, with `STOP_GRACE_SECONDS` between SIGTERM and SIGKILL."""

    name: str
    uid: str


@dataclass(frozen=True)
class PatchStatus:
    """Write this merge patch to the status of the version that was read."""

    patch: Object
    may_wait: bool = False
    """Whether it tells but uneventful steps of a start, which the news that the pod runs will tell as well."""


@dataclass(frozen=True)
class ReadResult:
    """Ask the store what the attempt has published, and look again after it has answered."""

    attempt: int
    ended: Ended
    after_seconds: float = 0.0


@dataclass(frozen=True)
class SendWebhook:
    """Try to deliver the task's webhook once."""

    webhook_id: str
    number: int


@dataclass(frozen=True)
class Tell:
    """A Kubernetes Event about the task, posted once the status is written."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True)
class RequeueAfter:
    """Look again, though nothing may have happened."""

    seconds: float


Action = CreateJob | DeleteJob | DeletePod | PatchStatus | ReadResult | SendWebhook | Tell | RequeueAfter


@dataclass(frozen=True)
class Plan:
    """What is to be done, in this order."""

    actions: tuple[Action, ...] = ()
    slot: Slot = Slot.NONE
