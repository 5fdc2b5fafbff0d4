"""What a reconcile may decide: the steps, and the plan made of them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from ..objects import Object
from .attempts import Ended
from .classes import TaskClass

STOP_GRACE_SECONDS = 5
"""Between SIGTERM and SIGKILL of what is stopped: a GPU is to be free within 10 s of a cancel."""


class Need(Enum):
    """What a decision lacks: the pass gets it and decides again."""

    TURN = "turn"
    """The task's turn in its class's admission queue."""
    DATA = "data"
    """The task's `taskData`, with the task as it is at this moment."""


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
    data: dict[str, Any] | None
    """The task's `taskData`, valid for its type; None where the pod gets it from the API, with what the Brain added."""
    avoid_nodes: tuple[str, ...] = ()
    previews: bool = True
    """Whether anybody may see the media before it is finished."""


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


@dataclass(frozen=True)
class ReadResult:
    """Ask the store what the attempt has published, and look again after it has answered."""

    attempt: int
    ended: Ended
    after_seconds: float = 0.0

    @property
    def key(self) -> str:
        return f"result/{self.attempt}"


@dataclass(frozen=True)
class SendWebhook:
    """Try to deliver the task's webhook once."""

    webhook_id: str
    number: int
    after_seconds: float = 0.0

    @property
    def key(self) -> str:
        return f"webhook/{self.webhook_id}/{self.number}"


@dataclass(frozen=True)
class RegisterMedia:
    """Try once to put the task's media into PayloadCMS."""

    number: int
    after_seconds: float = 0.0

    @property
    def key(self) -> str:
        return f"register/{self.number}"


@dataclass(frozen=True)
class CheckRequest:
    """Check the texts of the task's request once."""

    number: int
    class_name: str
    after_seconds: float = 0.0

    @property
    def key(self) -> str:
        return f"moderate/{self.number}"


@dataclass(frozen=True)
class AskBrain:
    """Ask the Brain once what it adds to the task's data."""

    number: int
    after_seconds: float = 0.0

    @property
    def key(self) -> str:
        return f"ask/{self.number}"


@dataclass(frozen=True)
class TellBrain:
    """Try once to store the task's result in the Brain."""

    number: int
    after_seconds: float = 0.0

    @property
    def key(self) -> str:
        return f"tell/{self.number}"


@dataclass(frozen=True)
class KeepLog:
    """Keep the end of the log of an attempt's pod, which has ended or is being stopped."""

    attempt: int
    pod_name: str
    after_seconds: float = 0.0

    @property
    def key(self) -> str:
        return f"log/{self.attempt}/{self.pod_name}"


@dataclass(frozen=True)
class PostEvent:
    """A Kubernetes Event about the task, posted once the status is written."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True)
class RequeueAfter:
    """Look again, though nothing may have happened."""

    seconds: float


ClusterAction = CreateJob | DeleteJob | DeletePod | PatchStatus | PostEvent
EffectAction = ReadResult | CheckRequest | SendWebhook | RegisterMedia | AskBrain | TellBrain | KeepLog
"""What `effects/` carries out. `key` says which of two are the same, within one task."""
Action = ClusterAction | EffectAction | RequeueAfter


@dataclass(frozen=True)
class Plan:
    """What is to be done."""

    then: tuple[Action, ...] = ()
    """What follows the write of the status: what is told has been written."""
    slot: Slot = Slot.NONE
    needs: Need | None = None
    """What is to be got before this can be decided; there are no actions then."""
    create: CreateJob | None = None
    """The Job comes before the status that speaks of it: a crash in between leaves a Job that is taken up."""
    write: PatchStatus | None = None
    logs: tuple[KeepLog, ...] = ()

    @property
    def actions(self) -> tuple[Action, ...]:
        """Everything, in order."""
        return (
            *((self.create,) if self.create else ()),
            *((self.write,) if self.write else ()),
            *self.then,
            *self.logs,
        )
