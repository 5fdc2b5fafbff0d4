"""What a Job pod is told, what it may ask the API, and how it ends.

The pod gets `JobSpec` as `MEDIATASK_SPEC` and a token bound to itself; task data that would make the variable too long
is read from the API instead. The pod speaks only to the API's internal routes and ends with an exit code of `ExitCode`
and a `TerminationMessage` in its termination log.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, RootModel

from .artifact import ContentType, Digest, FileName, FileSize, StoreKey
from .base import Wire
from .freeform import FREE_FORM, LINE, at_most, without_control_characters
from .model import ModelSource
from .taskclass import OutputCheck

ENV_SPEC = "MEDIATASK_SPEC"
"""What the pod is to do, as JSON; set by the operator."""
ENV_API = "MEDIATASK_API"
"""Base URL of the API's internal routes; set by the operator."""
ENV_TOKEN_FILE = "MEDIATASK_TOKEN_FILE"
"""The pod's own token; `/var/run/secrets/mediatask/token` when absent."""
ENV_TERMINATION_LOG = "MEDIATASK_TERMINATION_LOG"
"""Where the termination message goes; `/dev/termination-log` when absent."""
ENV_WORK = "MEDIATASK_WORK"
"""Folder for inputs and results; `/work` when absent."""
ENV_MODEL_CACHE = "MEDIATASK_MODEL_CACHE"
"""Folder of downloaded models; `/models` when absent."""
SPEC_LIMIT = 64 * 1024
"""Bytes of `MEDIATASK_SPEC` with the task's data in it. Linux refuses to start a process with a longer variable than
128 KiB. Beyond the limit the data is left out."""
TOKEN_DIR = "/var/run/secrets/mediatask"
TERMINATION_LOG = "/dev/termination-log"
TERMINATION_LIMIT = 4096
"""Bytes of a termination message that the kubelet keeps."""
CODE_LIMIT = 128
"""Characters of a failure's code."""
PREVIEW_BYTES = 32 * 1024
"""Bytes of a preview."""
PREVIEW_SIDE = 512
"""Pixels of its longer side."""
VERDICT = "moderation"
"""Where the verdict of the class's check stands in a result's metadata."""
HEARTBEAT_SECONDS = 10.0
"""Longest pause between two reports of progress, which tell what the job uses."""
RESULT_METADATA_LIMIT = 64 * 1024
"""Bytes of a result's metadata as JSON: it is kept in the task's status; larger data belongs in a file."""

# A pod is a stranger: everything that it sends is bounded.
AttemptNumber = Annotated[int, Field(ge=1, le=10**6)]
Seconds = Annotated[float, Field(ge=0, le=10**9)]
Timings = Annotated[dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")], Seconds], Field(max_length=32)]
MemorySize = Annotated[int, Field(ge=0, le=2**50)]
Prose = Annotated[str, AfterValidator(lambda text: without_control_characters(text[:4096]))]
"""A message for people, often an exception's: it is cut and control characters are replaced, since a refusal would
lose it."""


Stage = Literal["start", "inputs", "import", "model", "load", "infer", "render", "encode", "upload"]
"""Of an attempt, in order: the interpreter and the runtime; fetching inputs; importing libraries; finding the model's
files, or building them; weights into memory; inference and synthesis; drawing frames; encoding files; uploading."""


class ExitCode(IntEnum):
    """How a Job's process ends; the operator derives the attempt's fate from it."""

    DONE = 0
    """Finished, or another pod had published the result before (superseded)."""
    INVALID_INPUT = 10
    """The request or an input cannot be used; trying again would not help."""
    UNSAFE_CONTENT = 11
    """Refused by a content check."""
    MODEL_MISSING = 12
    """Model or licence is not there."""
    GPU_OUT_OF_MEMORY = 20
    """Out of GPU memory on the last rung of the class's ladder."""
    GPU_FAULT = 30
    """The GPU's context is broken; another node may do."""
    TEMPORARY = 75
    """Something outside failed; try again."""
    PREEMPTED = 143
    """Stopped by SIGTERM; costs no retry."""


class InputsPolicy(Wire):
    """How inputs named by URL are fetched."""

    on_missing: Literal["fail", "skip"] = "fail"
    """What an unreachable input does: end the task (exit 10, URL named), or go on with a warning."""
    max_bytes: int = 64 * 1024**2
    """Bytes read of one input before it is refused."""
    max_pixels: int = 64 * 10**6
    """Pixels of one picture before it is refused."""
    timeout_seconds: float = 20
    """Time for one input to arrive."""
    max_total_bytes: int = 512 * 1024**2
    """Bytes read of all inputs together before the task is refused."""
    max_seconds: float = 120
    """Time for all inputs together to arrive."""
    allow_networks: list[str] = []
    """CIDRs that are reachable although they are not public: loopback in the local mode, nothing elsewhere."""
    deny_networks: list[str] = []
    """CIDRs that are not reachable although they are public."""


class JobSpec(Wire):
    """The content of `MEDIATASK_SPEC`."""

    task: str
    """Name of the MediaTask, which is the task id of REST."""
    namespace: str
    uid: str
    """UID of the MediaTask: two tasks of one name, one after the other, never mix."""
    project: str
    attempt: Annotated[int, Field(ge=1)]
    type: str
    data: dict[str, Any] | None = None
    """`task_data`, already validated by REST or the CRD; validated once more by the job. Absent where the spec would
    exceed `SPEC_LIMIT`: the pod gets it from `GET /internal/v1/tasks/{id}/data`."""
    model: ModelSource | None = None
    parameters: dict[str, Any] = {}
    """The class's settings for its runner."""
    inputs: InputsPolicy = InputsPolicy()
    output_check: OutputCheck | None = None
    """What the media has to pass before it is published. Newer than the rest, as is `previews`: both are left out where
    they say nothing, and a job image that does not know them refuses the others."""
    previews: bool = True
    """False where nobody may see the media before it is finished."""


class Artifact(Wire):
    """A published file."""

    name: FileName
    key: StoreKey
    """Where it lies in the artifact store."""
    sha256: Digest
    bytes: FileSize
    content_type: ContentType


class JobResult(Wire):
    """What a task produced."""

    artifacts: Annotated[list[Artifact], Field(max_length=64)]
    """The first one is the task's media; others accompany it."""
    metadata: Annotated[dict[str, Any], FREE_FORM, at_most(RESULT_METADATA_LIMIT)]
    """As the type promises, plus seed, model, versions and `warnings`."""
    timings: Timings = {}
    """Seconds by `Stage`."""


class JobError(Wire):
    """Why an attempt failed."""

    code: Annotated[str, Field(max_length=CODE_LIMIT)]
    """CamelCase reason, for example `InputUnreachable`."""
    message: Prose
    retryable: bool


class TerminationMessage(Wire):
    """The last words of a Job's container (at most `TERMINATION_LIMIT` bytes of JSON)."""

    result: JobResult | None = None
    """The result, where it fits; else it is read from the store under `result_key`."""
    result_key: StoreKey | None = None
    """Where the API keeps the published result."""
    error: JobError | None = None
    superseded: bool = False
    """Another pod had published first; `result_key` names that result."""


# ---- bodies of the internal routes /internal/v1/tasks/{id}/..., POST where nothing else is said


class TaskDataAnswer(RootModel[dict[str, Any]]):
    """`GET .../data`: the task's data, for a spec that came without it."""


class ResourceUsage(Wire):
    """What a job uses, measured by itself."""

    memory_kind: Literal["gpu", "process"]
    """`gpu`: memory of the GPUs that the job works on, all of it that is taken, whoever else shares them; `process`:
    resident memory of the job's process, which has not touched a GPU."""
    memory_used: MemorySize
    memory_total: MemorySize | None = None
    """Of the GPUs, or the limit of the process's cgroup; absent where there is none."""
    gpu_utilization: Annotated[float, Field(ge=0, le=1)] | None = None
    """Share of the last moment in which the GPUs computed, their mean; absent where it cannot be read."""


class AttemptReport(Wire):
    """What every report of a running attempt says."""

    attempt: AttemptNumber
    progress: Annotated[float, Field(ge=0, le=1)]
    step: Annotated[str, Field(pattern=LINE, max_length=128)]
    """What is being done, snake_case, for example `rendering_video`."""
    message: Annotated[str, Field(pattern=LINE, max_length=1024)] | None = None


class ProgressReport(AttemptReport):
    """`.../progress`: how far the attempt is."""

    usage: ResourceUsage | None = None
    """Newer than the rest: an API that does not know it answers 400."""


class PreviewReport(AttemptReport):
    """`.../preview`: how the picture looks so far. Newer than the other routes: an older API answers 404."""

    image: Annotated[str, Field(max_length=PREVIEW_BYTES * 4 // 3 + 4)]
    """JPEG in base64, `PREVIEW_BYTES` and `PREVIEW_SIDE` at most."""


class ProgressAnswer(Wire):
    cancel: bool = False
    """The task is cancelled: stop soon, the pod is about to be deleted."""


class ArtifactRequest(Wire):
    """`.../artifacts`: asks for permission to store one file."""

    attempt: AttemptNumber
    name: FileName
    content_type: ContentType
    bytes: FileSize
    sha256: Digest


class ArtifactGrant(Wire):
    """Where and how to upload: send `headers` unchanged. A 412 means that the key is taken: ask for another name."""

    key: str
    method: Literal["PUT"] = "PUT"
    url: str
    headers: dict[str, str] = {}


class InputRequest(Wire):
    """`.../inputs`: readable URLs for references that only the platform can resolve; those of the task's own data."""

    attempt: AttemptNumber
    refs: Annotated[list[Annotated[str, Field(pattern=LINE, max_length=2048)]], Field(max_length=64)]


class InputGrant(Wire):
    urls: dict[str, str]
    """By reference."""
    sha256: dict[str, Digest] = {}
    """What each content has to be; the pod checks it, since a store does not for what was uploaded in parts."""


class ResultReport(Wire):
    """`.../result`: publish. The first report of a task wins, whichever attempt or pod sends it."""

    attempt: AttemptNumber
    result: JobResult


class ResultAnswer(Wire):
    result_key: str
    superseded: bool = False
    """True when another pod's result had been published before; the sender ends with exit code 0."""
