"""MediaTaskClass: how tasks of a kind run. To a MediaTask what a StorageClass is to a volume claim."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from .base import Resource
from .brain import ClassBrain
from .cost import ClassCost
from .model import ModelSource
from .task import Resources, Retry, Seconds, ShortMap, Toleration


class Gpu(Resource):
    """GPUs of one job."""

    resource_name: Annotated[str, Field(pattern=r"^[a-z0-9.-]+/[a-z0-9.-]+$", max_length=128)] = "nvidia.com/gpu"
    """Extended resource to request, for example `nvidia.com/mig-1g.10gb` for a MIG slice."""
    count: Annotated[int, Field(ge=0, le=64)] = 1
    """How many; 0 for work that needs none."""


class ClassDeadlines(Resource):
    """Limits in seconds, counted by the operator."""

    start_seconds: Seconds = 900
    """From the Job's creation to its container running."""
    run_seconds: Seconds = 3600
    """One attempt, from its container's start."""
    total_seconds: Seconds = 86400
    """From creation to the end, over all attempts."""


class InputsSpec(Resource):
    """How inputs named by URL are treated."""

    on_missing: Literal["fail", "skip"] = "fail"
    """An unreachable input ends the task (exit 10), or is skipped with a warning in the result's metadata."""
    max_bytes: Annotated[int, Field(ge=1, le=2**40)] = 64 * 1024**2
    """Bytes of one input."""
    max_pixels: Annotated[int, Field(ge=1, le=10**9)] = 64 * 10**6
    """Pixels of one picture."""
    max_total_bytes: Annotated[int, Field(ge=1, le=2**40)] = 512 * 1024**2
    """Bytes of all inputs together."""
    max_seconds: Annotated[int, Field(ge=1, le=86400)] = 120
    """Seconds until all inputs have arrived; one that is late counts as unreachable."""


class OutputCheck(Resource):
    """A check of the media, run in the job before anybody sees it."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$", max_length=63)]
    """Which one: `known_pictures`, or one that the job image brings as an entry point of `mediatask.checks`."""
    model: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """What it judges by, in its own terms, for example the name of a model."""
    parameters: Annotated[dict[str, Any], Field(max_length=64)] = {}
    """Its settings."""
    hold_at: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Media of this score or a higher one is held for a review."""
    previews: bool = False
    """Whether previews are shown although nothing has checked them."""


class ClassModeration(Resource):
    """How requests and media are checked."""

    failure_policy: Literal["Closed", "Open"] = "Closed"
    """While the installation's classifier gives no answer: `Closed` lets tasks wait, `Open` goes on without it."""
    output: OutputCheck | None = None
    """Check of the media; none where it is absent."""


class MediaTaskClassSpec(Resource):
    """Image, model, hardware and limits."""

    task_types: Annotated[list[Annotated[str, Field(max_length=63)]], Field(min_length=1, max_length=32)]
    """Task types that may use this class."""
    default: bool = False
    """Used for its task types when a task names no class. Of several the first by name wins."""
    image: Annotated[str, Field(min_length=1, max_length=1024)]
    """Container image of the job. `python` is the local interpreter in the local mode."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    """As in core/v1."""
    image_pull_secrets: Annotated[list[Annotated[str, Field(max_length=253)]], Field(max_length=8)] = []
    """Names of pull secrets in the task's namespace."""
    command: Annotated[list[Annotated[str, Field(max_length=4096)]], Field(min_length=1, max_length=64)] = [
        "python",
        "-m",
        "mediatask_job",
    ]
    """Command of the container."""
    model: ModelSource | None = None
    """The model to load."""
    parameters: Annotated[dict[str, Any], Field(max_length=64)] = {}
    """Settings of the runner, for example steps or mode."""
    gpu: Gpu = Gpu()
    """GPUs of one job."""
    resources: Resources = Resources()
    """CPU and memory of one job."""
    cost: ClassCost | None = None
    """What the class's jobs cost; nothing is charged where it is absent."""
    node_selector: ShortMap = {}
    """Nodes the jobs may use."""
    tolerations: Annotated[list[Toleration], Field(max_length=32)] = []
    """Taints the jobs tolerate."""
    runtime_class_name: Annotated[str, Field(max_length=253)] | None = None
    """As in core/v1."""
    scheduler_name: Annotated[str, Field(max_length=253)] | None = None
    """As in core/v1."""
    deadlines: ClassDeadlines = ClassDeadlines()
    """Time limits where the task sets none."""
    retry: Retry = Retry(limit=3)
    """Retry policy where the task sets none."""
    inputs: InputsSpec = InputsSpec()
    """How inputs are fetched."""
    brain: ClassBrain | None = None
    """What is asked of the Brain before a task, and told to it after; nothing where absent."""
    moderation: ClassModeration = ClassModeration()
    """How requests and media are checked."""
    max_in_flight: Annotated[int, Field(ge=1, le=100000)] = 100
    """Jobs of this class that exist at one time; more tasks wait in the queue."""
    allow_overrides: Annotated[
        list[Literal["resources", "nodeSelector", "tolerations", "deadlines", "retry"]], Field(max_length=8)
    ] = ["deadlines", "retry"]
    """Fields a task may override."""
    fallback_class: Annotated[str, Field(max_length=253)] | None = None
    """Class of the next attempt after GPU memory ran out on the last rung."""
    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=30 * 86400)] = 3600
    """How long finished Jobs (not tasks) stay."""
