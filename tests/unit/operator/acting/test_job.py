"""The rendered Job: its name, its deadlines, and what a pod may and may not do."""

from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from mediatask_crds.podcontract import SPEC_LIMIT, JobSpec
from mediatask_operator.acting.job import JobOptions, job_name, render
from mediatask_operator.deciding.classes import TaskClass
from mediatask_operator.deciding.observation import Task
from mediatask_operator.objects import Object
from support.taskworld import a_class, a_task

DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
RESOURCE_NAME = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,100}[a-z0-9])?", fullmatch=True)


def rendered(
    task: Object | None = None, avoid: tuple[str, ...] = (), data: Object | None = None, **spec: object
) -> Object:
    task_class = TaskClass("image", a_class(**spec))
    options = JobOptions("http://api:8002", "jobs", ("127.0.0.0/8",), ("203.0.113.0/24",))
    return render(Task.parse(task or a_task()), data or {"prompt": "x"}, 2, task_class, options, avoid)


def pod_of(job: Object) -> Object:
    spec: Object = job["spec"]["template"]["spec"]
    return spec


@given(task=RESOURCE_NAME, uid=st.uuids(), attempt=st.integers(1, 10**6))
def test_names_are_dns_labels(task: str, uid: object, attempt: int) -> None:
    name = job_name(task, str(uid), attempt)
    assert DNS_LABEL.fullmatch(name)
    assert name == job_name(task, str(uid), attempt)
    assert name != job_name(task, str(uid), attempt + 1)


def test_names_keep_tasks_of_one_name_apart() -> None:
    assert job_name("scene", "uid-1", 1) != job_name("scene", "uid-2", 1)


def test_the_task_owns_the_job() -> None:
    (owner,) = rendered()["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("MediaTask", "scene-1", True)


def test_a_pod_meets_the_restricted_profile() -> None:
    pod = pod_of(rendered())
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert all(volume.keys() & {"emptyDir", "projected"} for volume in pod["volumes"])


def test_a_pod_has_no_credential_but_its_own_token() -> None:
    pod = pod_of(rendered())
    assert pod["automountServiceAccountToken"] is False
    sources = [source for volume in pod["volumes"] for source in volume.get("projected", {}).get("sources", [])]
    assert [source["serviceAccountToken"]["audience"] for source in sources] == ["mediatask"]
    assert not any("valueFrom" in variable for variable in pod["containers"][0]["env"])


def test_the_job_is_told_what_to_do() -> None:
    env = {item["name"]: item["value"] for item in pod_of(rendered(parameters={"steps": 4}))["containers"][0]["env"]}
    spec = JobSpec.model_validate(json.loads(env["MEDIATASK_SPEC"]))
    assert (spec.task, spec.attempt, spec.data, spec.parameters) == ("scene-1", 2, {"prompt": "x"}, {"steps": 4})
    assert spec.inputs.allow_networks == ["127.0.0.0/8"]
    assert spec.inputs.deny_networks == ["203.0.113.0/24"]
    assert env["MEDIATASK_API"] == "http://api:8002"


def test_gpus_are_limits_and_cannot_be_smuggled_in() -> None:
    asked = a_task(resources={"limits": {"nvidia.com/gpu": "8", "memory": "4Gi"}})
    container = pod_of(rendered(asked, gpu={"count": 1}, allowOverrides=["resources"]))["containers"][0]
    assert container["resources"] == {"limits": {"memory": "4Gi", "nvidia.com/gpu": "1"}}
    assert pod_of(rendered(gpu={"count": 0}))["containers"][0]["resources"] == {}
    slices = pod_of(rendered(gpu={"resourceName": "nvidia.com/mig-1g.10gb", "count": 2}))["containers"][0]
    assert slices["resources"] == {"limits": {"nvidia.com/mig-1g.10gb": "2"}}


def test_deadlines_and_the_failure_policy() -> None:
    job = rendered(deadlines={"startSeconds": 60, "runSeconds": 600})["spec"]
    assert (job["backoffLimit"], job["activeDeadlineSeconds"]) == (0, 960)
    final, disrupted = job["podFailurePolicy"]["rules"]
    assert (final["action"], final["onExitCodes"]["values"]) == ("FailJob", [10, 11, 12])
    assert (disrupted["action"], disrupted["onPodConditions"][0]["type"]) == ("Ignore", "DisruptionTarget")


def test_where_it_may_run() -> None:
    toleration = {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}
    pod = pod_of(rendered(nodeSelector={"gpu": "h200"}, tolerations=[toleration], runtimeClassName="nvidia"))
    assert pod["nodeSelector"] == {"gpu": "h200"}
    assert pod["tolerations"] == [toleration]
    assert pod["runtimeClassName"] == "nvidia"
    affinity = pod_of(rendered(avoid=("node-1",)))["affinity"]["nodeAffinity"]
    assert "requiredDuringSchedulingIgnoredDuringExecution" not in affinity


def test_a_model_claim_is_mounted_read_only() -> None:
    pod = pod_of(rendered(model={"hub": "org/model", "claimName": "weights"}))
    mounts = {mount["mountPath"]: mount for mount in pod["containers"][0]["volumeMounts"]}
    assert mounts["/models"] == {"name": "model", "mountPath": "/models", "readOnly": True}
    elsewhere = pod_of(rendered(model={"path": "/weights/flux", "claimName": "weights"}))
    paths = [mount["mountPath"] for mount in elsewhere["containers"][0]["volumeMounts"]]
    assert {"/models", "/weights/flux"} <= set(paths)


def test_labels_are_values_for_any_name() -> None:
    task = a_task()
    task["metadata"]["name"] = "x" * 200
    job = rendered(task)
    assert all(len(value) <= 63 for value in job["metadata"]["labels"].values())
    assert job["spec"]["template"]["metadata"]["annotations"]["tasks.ft.tc/task-name"] == "x" * 200


def test_data_that_is_too_long_for_a_variable_is_left_to_the_api() -> None:
    """Linux refuses to start a process with a variable of more than 128 KiB."""
    for length, whole in ((1000, True), (SPEC_LIMIT, False), (40_000, False)):
        job = rendered(data={"prompt": "ä" * length})
        env = {item["name"]: item["value"] for item in pod_of(job)["containers"][0]["env"]}
        assert len(env["MEDIATASK_SPEC"].encode()) <= SPEC_LIMIT
        assert ("data" in json.loads(env["MEDIATASK_SPEC"])) is whole
        assert JobSpec.model_validate_json(env["MEDIATASK_SPEC"]).task == "scene-1"


def test_what_a_pod_writes_is_limited() -> None:
    limits = {
        volume["name"]: volume["emptyDir"]["sizeLimit"]
        for volume in pod_of(rendered())["volumes"]
        if "emptyDir" in volume
    }
    assert limits == {"work": "20Gi", "tmp": "20Gi", "models": "200Gi"}


def test_a_pod_is_told_nothing_of_other_services_and_has_time_to_stop() -> None:
    pod = pod_of(rendered())
    assert pod["enableServiceLinks"] is False
    assert pod["terminationGracePeriodSeconds"] == 30


def test_gpus_are_never_requested() -> None:
    asked = a_task(resources={"requests": {"nvidia.com/gpu": "8", "cpu": "1"}})
    container = pod_of(rendered(asked, gpu={"count": 2}, allowOverrides=["resources"]))["containers"][0]
    assert container["resources"] == {"requests": {"cpu": "1"}, "limits": {"nvidia.com/gpu": "2"}}
