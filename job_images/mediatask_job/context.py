"""What a runner gets and gives: the whole interface between the job's frame and a task type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from pydantic import ValidationError

from mediatask_crds.base import Resource
from mediatask_crds.podcontract import JobSpec
from mediatask_crds.tasktypes import TaskData

from .failures import InvalidInput
from .inputs.inputs import Inputs
from .runtime.timings import Timings

if TYPE_CHECKING:
    from .models import Models

Data = TypeVar("Data", bound=TaskData, covariant=True)
Settings = TypeVar("Settings", bound=Resource)


@dataclass(frozen=True)
class Output:
    """What a runner made. The first file is the task's media."""

    files: list[OutputFile]
    metadata: dict[str, Any]


@dataclass(frozen=True)
class OutputFile:
    path: Path
    """In the work folder; its name becomes the artifact's."""
    content_type: str


@dataclass(frozen=True)
class Context(Generic[Data]):
    """One attempt of one task, as its runner sees it."""

    data: Data
    spec: JobSpec
    inputs: Inputs
    models: Models
    work: Path
    """Files may be left here; the folder goes with the pod."""
    timings: Timings
    progress: Callable[[str, float], None]
    """Step in snake_case and fraction 0..1 of the runner's work. Never waits."""
    show: Callable[[bytes], bool]
    """Shows a preview of the media, a JPEG within `PREVIEW_BYTES`. Never waits; False when there is no use in more."""
    check_stop: Callable[[], None]
    """Call it at every step; it raises when the job shall end."""
    warnings: list[str] = field(default_factory=list)
    """Sentences for `metadata.warnings`: everything asked for that could not be honoured."""

    def settings(self, kind: type[Settings]) -> Settings:
        """The class's parameters as a runner's model. Unknown ones are warned of: a class may serve several types.

        Raises:
            InvalidInput: a parameter has an impossible value.
        """
        known = {str(info.alias) for info in kind.model_fields.values()}
        self.warnings.extend(
            f"class parameter {name!r} is unknown to {self.spec.type}"
            for name in sorted(self.spec.parameters.keys() - known)
        )
        try:
            return kind.model_validate({k: v for k, v in self.spec.parameters.items() if k in known})
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(str(part) for part in problem["loc"])
            raise InvalidInput("InvalidClassParameters", f"class parameter {where}: {problem['msg']}") from error


class Runner(Protocol):
    """A task type's work. A module with a `run` function is one."""

    def run(self, ctx: Context[Any]) -> Output:
        """Make the media. Raises `JobFailure` kinds; any other exception is a bug of the runner."""
        ...
