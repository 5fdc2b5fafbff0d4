"""The Job of an attempt, rendered. Pure.

A Job pod is a stranger in the cluster: no Kubernetes token, no secret but a token bound to itself that only the
internal routes accept, no privileges, a read-only root, and folders of its own that go with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mediatask_crds import names, podcontract
from mediatask_crds.podcontract import ExitCode, InputsPolicy, JobSpec
from mediatask_crds.task import Resources

from ..deciding.charges import Holding
from ..deciding.classes import TaskClass, limits
from ..deciding.observation import Task
from ..objects import Object, job_name

USER = 65532
WORK = "/work"
TMP = "/tmp"
MODELS = "/models"
TOKEN_SECONDS = 3600
DEADLINE_SLACK_SECONDS = 300
"""The Job's own deadline is a backstop for an absent operator: it comes after the operator's."""
STOP_SECONDS = 30
"""Time between SIGTERM and SIGKILL when a node is drained or preempted: enough to save a checkpoint."""
_Data = dict[str, Any] | None
_FINAL_EXIT_CODES = [ExitCode.INVALID_INPUT, ExitCode.UNSAFE_CONTENT, ExitCode.MODEL_MISSING]


@dataclass(frozen=True)
class JobOptions:
    """What an installation sets for all Jobs."""

    api_url: str
    """Base URL of the API's internal routes, as pods reach it."""
    service_account: str = "default"
    """Account that the pod's token speaks for; it needs no permission at all."""
    allow_networks: tuple[str, ...] = ()
    """CIDRs that inputs may be fetched from although they are not public."""
    deny_networks: tuple[str, ...] = ()
    """CIDRs that inputs may not be fetched from although they are public."""
    scratch_limit: str = "20Gi"
    """Most that a pod may write into its work folder, and into /tmp: beyond it the kubelet evicts the pod."""
    model_cache_limit: str = "200Gi"
    """The same for models that it downloads, where the class has no claim for them."""


def render(
    task: Task,
    data: _Data,
    attempt: int,
    task_class: TaskClass,
    options: JobOptions,
    avoid: tuple[str, ...],
    previews: bool = True,
) -> Object:
    """The Job of an attempt.

    Args:
        data: the task's `taskData`, validated; None where the pod gets it from the API.
        avoid: nodes on which a GPU has failed this task; others are preferred.
        previews: whether anybody may see the media before it is finished.
    """
    labels = _labels(task, attempt, task_class)
    annotations = {names.ANNOTATION_TASK: task.name, **Holding.of(task.spec, task_class).written()}
    deadline = limits(task.spec, task_class.spec)
    seconds = int((deadline.start + deadline.run).total_seconds()) + DEADLINE_SLACK_SECONDS
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(task.name, task.uid, attempt),
            "namespace": task.namespace,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [
                {
                    "apiVersion": names.API_VERSION,
                    "kind": "MediaTask",
                    "name": task.name,
                    "uid": task.uid,
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": seconds,
            "ttlSecondsAfterFinished": task_class.spec.ttl_seconds_after_finished,
            "podFailurePolicy": _failure_policy(),
            "template": {
                "metadata": {"labels": labels, "annotations": annotations},
                "spec": _pod(task, data, attempt, task_class, options, avoid, previews),
            },
        },
    }


def _labels(task: Task, attempt: int, task_class: TaskClass) -> dict[str, str]:
    return {
        names.LABEL_MANAGED_BY: names.MANAGED_BY,
        names.LABEL_TASK: names.label_value(task.name),
        names.LABEL_ATTEMPT: str(attempt),
        names.LABEL_PROJECT: names.label_value(task.spec.project_id),
        names.LABEL_TYPE: names.label_value(task.spec.task_type),
        names.LABEL_CLASS: names.label_value(task_class.name),
    }


def _failure_policy() -> Object:
    """A disrupted pod is replaced within the attempt; hopeless ends fail the Job at once."""
    return {
        "rules": [
            {
                "action": "FailJob",
                "onExitCodes": {
                    "containerName": names.CONTAINER,
                    "operator": "In",
                    "values": [int(code) for code in _FINAL_EXIT_CODES],
                },
            },
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        ]
    }


def _pod(
    task: Task,
    data: _Data,
    attempt: int,
    task_class: TaskClass,
    options: JobOptions,
    avoid: tuple[str, ...],
    previews: bool,
) -> Object:
    given, own = task_class.spec, task.spec
    tolerations = own.tolerations if own.tolerations is not None else given.tolerations
    optional = {
        "nodeSelector": own.node_selector if own.node_selector is not None else given.node_selector,
        "tolerations": [toleration.model_dump(by_alias=True, exclude_none=True) for toleration in tolerations],
        "runtimeClassName": given.runtime_class_name,
        "schedulerName": given.scheduler_name,
        "imagePullSecrets": [{"name": name} for name in given.image_pull_secrets],
        "affinity": _affinity(avoid),
    }
    return {
        "restartPolicy": "Never",
        "serviceAccountName": options.service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": STOP_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            _container(task, _job_spec(task, data, attempt, task_class, options, previews), task_class, options)
        ],
        "volumes": _volumes(task_class, options),
        **{key: value for key, value in optional.items() if value},
    }


def _container(task: Task, spec: JobSpec, task_class: TaskClass, options: JobOptions) -> Object:
    given = task_class.spec
    env = {
        podcontract.ENV_SPEC: _spec_variable(spec),
        podcontract.ENV_API: options.api_url,
        podcontract.ENV_TOKEN_FILE: f"{podcontract.TOKEN_DIR}/token",
        podcontract.ENV_TERMINATION_LOG: podcontract.TERMINATION_LOG,
        podcontract.ENV_WORK: WORK,
        podcontract.ENV_MODEL_CACHE: MODELS,
        # A read-only root has no home; libraries that insist on one get the work folder.
        "HOME": WORK,
    }
    container = {
        "name": names.CONTAINER,
        "image": given.image,
        "command": given.command,
        "env": [{"name": name, "value": value} for name, value in env.items()],
        "resources": _resources(task.spec.resources or given.resources, given.gpu.resource_name, given.gpu.count),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "terminationMessagePath": podcontract.TERMINATION_LOG,
        "terminationMessagePolicy": "File",
        "volumeMounts": _mounts(task_class),
    }
    if given.image_pull_policy:
        container["imagePullPolicy"] = given.image_pull_policy
    return container


def _spec_variable(spec: JobSpec) -> str:
    """The whole spec, or all but the data where that is large: the pod then asks the API for the data."""
    silent = {"output_check"} if spec.output_check is None else set()
    silent |= {"previews"} if spec.previews else set()
    whole = spec.model_dump_json(by_alias=True, exclude=silent)
    if len(whole.encode()) <= podcontract.SPEC_LIMIT:
        return whole
    return spec.model_dump_json(by_alias=True, exclude={"data", *silent})


def _job_spec(
    task: Task, data: _Data, attempt: int, task_class: TaskClass, options: JobOptions, previews: bool
) -> JobSpec:
    given = task_class.spec
    return JobSpec(
        task=task.name,
        namespace=task.namespace,
        uid=task.uid,
        project=task.spec.project_id,
        attempt=attempt,
        type=task.spec.task_type,
        data=data,
        model=given.model,
        parameters=given.parameters,
        inputs=InputsPolicy(
            on_missing=given.inputs.on_missing,
            max_bytes=given.inputs.max_bytes,
            max_pixels=given.inputs.max_pixels,
            max_total_bytes=given.inputs.max_total_bytes,
            max_seconds=given.inputs.max_seconds,
            allow_networks=list(options.allow_networks),
            deny_networks=list(options.deny_networks),
        ),
        output_check=given.moderation.output,
        previews=previews,
    )


def _resources(wanted: Resources, gpu: str, gpus: int) -> Object:
    """CPU and memory as the class says. GPUs come from its `gpu` field alone: extended resources have limits only."""
    limits_ = {name: value for name, value in wanted.limits.items() if name != gpu}
    requests = {name: value for name, value in wanted.requests.items() if name != gpu}
    if gpus:
        limits_[gpu] = str(gpus)
    out = {"requests": requests, "limits": limits_}
    return {key: value for key, value in out.items() if value}


def _model_mount(task_class: TaskClass) -> str | None:
    """Where the model's claim is mounted; None when the model has none."""
    model = task_class.spec.model
    if model is None or model.claim_name is None:
        return None
    return model.path or MODELS


def _volumes(task_class: TaskClass, options: JobOptions) -> list[Object]:
    model = task_class.spec.model
    token = {
        "serviceAccountToken": {
            "audience": names.TOKEN_AUDIENCE,
            "expirationSeconds": TOKEN_SECONDS,
            "path": "token",
        }
    }
    volumes: list[Object] = [
        {"name": "work", "emptyDir": {"sizeLimit": options.scratch_limit}},
        {"name": "tmp", "emptyDir": {"sizeLimit": options.scratch_limit}},
        {"name": "token", "projected": {"sources": [token]}},
    ]
    if _model_mount(task_class) != MODELS:
        volumes.append({"name": "models", "emptyDir": {"sizeLimit": options.model_cache_limit}})
    if model is not None and model.claim_name is not None:
        volumes.append({"name": "model", "persistentVolumeClaim": {"claimName": model.claim_name, "readOnly": True}})
    return volumes


def _mounts(task_class: TaskClass) -> list[Object]:
    mounts: list[Object] = [
        {"name": "work", "mountPath": WORK},
        {"name": "tmp", "mountPath": TMP},
        {"name": "token", "mountPath": podcontract.TOKEN_DIR, "readOnly": True},
    ]
    claim = _model_mount(task_class)
    if claim != MODELS:
        mounts.append({"name": "models", "mountPath": MODELS})
    if claim is not None:
        mounts.append({"name": "model", "mountPath": claim, "readOnly": True})
    return mounts


def _affinity(avoid: tuple[str, ...]) -> Object:
    if not avoid:
        return {}
    terms = [
        {
            "weight": 100,
            "preference": {"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": [node]}]},
        }
        for node in avoid
    ]
    return {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": terms}}
