"""The cluster of the tests is what it claims to be: Kubernetes, with nodes that do as they are told."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cluster.harness import service_account_kubeconfig
from cluster.harness.provided import Provided
from cluster.harness.wait import wait_for
from mediatask_common.kube import JOBS, NODES, PODS, Kube, KubeError, Object, Resource

SELF_SUBJECT_REVIEWS = Resource("authentication.k8s.io", "v1", "selfsubjectreviews", namespaced=False)


def pod_spec(gpus: int = 1) -> Object:
    return {
        "restartPolicy": "Never",
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
        "containers": [{"name": "job", "image": "none", "resources": {"limits": {"nvidia.com/gpu": str(gpus)}}}],
    }


def pod(annotations: dict[str, str] | None = None, *, spec: Object | None = None) -> Object:
    """A pod that does what the annotations say, given without their prefix."""
    prefixed = {f"mediatask.test/{key}": value for key, value in (annotations or {}).items()}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "it", "annotations": prefixed},
        "spec": spec or pod_spec(),
    }


def condition(item: Object, kind: str) -> Object | None:
    conditions: list[Object] = item.get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == kind), None)


def container_state(item: Object) -> Object:
    state: Object = item["status"]["containerStatuses"][0]["state"]
    return state


def has_ended(item: Object) -> bool:
    return item["status"]["phase"] in ("Succeeded", "Failed")


@pytest.mark.usefixtures("stages")
async def test_the_nodes_offer_gpus_behind_a_taint(kube: Kube) -> None:
    nodes = (await kube.list(NODES))["items"]
    assert len(nodes) == 4
    for node in nodes:
        assert node["status"]["allocatable"]["nvidia.com/gpu"] == "8"
        assert [taint["key"] for taint in node["spec"]["taints"]] == ["nvidia.com/gpu"]


@pytest.mark.usefixtures("stages")
@pytest.mark.parametrize(
    ("annotations", "phase", "expected"),
    [
        ({}, "Succeeded", {"exitCode": 0, "reason": "Completed"}),
        (
            {"exit-code": "75", "message": '{"error": "two\nlines"}'},
            "Failed",
            {"exitCode": 75, "reason": "Error", "message": '{"error": "two\nlines"}'},
        ),
        ({"exit-code": "0", "message": "a result"}, "Succeeded", {"exitCode": 0, "message": "a result"}),
        ({"ending": "oom-killed"}, "Failed", {"exitCode": 137, "reason": "OOMKilled"}),
        ({"ending": "evicted"}, "Failed", {"exitCode": 137}),
    ],
    ids=["success", "exit code and message", "message of a success", "OOMKilled", "evicted"],
)
async def test_a_pod_on_a_gpu_ends_as_its_annotations_say(
    kube: Kube, namespace: str, annotations: dict[str, str], phase: str, expected: dict[str, Any]
) -> None:
    await kube.create(PODS, pod(annotations | {"run-seconds": "0.1"}), namespace)

    ended = await wait_for(kube, PODS, "it", has_ended, namespace=namespace)

    assert ended["spec"]["nodeName"].startswith("gpu-")
    assert ended["status"]["phase"] == phase
    terminated = container_state(ended)["terminated"]
    assert terminated.items() >= expected.items()
    assert (ended["status"].get("reason") == "Evicted") == (annotations.get("ending") == "evicted")
    assert (condition(ended, "DisruptionTarget") is not None) == (annotations.get("ending") == "evicted")


@pytest.mark.usefixtures("stages")
async def test_a_pod_runs_as_long_as_its_annotation_says(kube: Kube, namespace: str) -> None:
    await kube.create(PODS, pod({"run-seconds": "2.5"}), namespace)

    ended = await wait_for(kube, PODS, "it", has_ended, namespace=namespace)

    terminated = container_state(ended)["terminated"]
    started, finished = (datetime.fromisoformat(terminated[key]) for key in ("startedAt", "finishedAt"))
    # Kubernetes tells time in whole seconds.
    assert timedelta(seconds=2) <= finished - started <= timedelta(seconds=4)


@pytest.mark.usefixtures("stages")
async def test_an_image_that_cannot_be_pulled_keeps_the_pod_waiting(kube: Kube, namespace: str) -> None:
    await kube.create(PODS, pod({"ending": "image-pull-error"}), namespace)

    waiting = await wait_for(
        kube, PODS, "it", lambda item: bool(item["status"].get("containerStatuses")), namespace=namespace
    )

    assert waiting["status"]["phase"] == "Pending"
    assert container_state(waiting)["waiting"]["reason"] == "ImagePullBackOff"


@pytest.mark.usefixtures("stages")
async def test_a_pod_that_fits_no_node_is_never_scheduled(kube: Kube, namespace: str) -> None:
    await kube.create(PODS, pod(spec=pod_spec(gpus=9)), namespace)

    stuck = await wait_for(
        kube, PODS, "it", lambda item: condition(item, "PodScheduled") is not None, namespace=namespace
    )

    scheduled = condition(stuck, "PodScheduled")
    assert scheduled is not None
    assert (scheduled["status"], scheduled["reason"]) == ("False", "Unschedulable")


@pytest.mark.usefixtures("stages")
async def test_a_hanging_pod_is_stopped_by_its_deletion(kube: Kube, namespace: str) -> None:
    # The finalizer keeps the pod in sight after its end, as the Job controller's does.
    hanging = pod({"ending": "hang"})
    hanging["metadata"]["finalizers"] = ["mediatask.test/seen"]
    await kube.create(PODS, hanging, namespace)
    await wait_for(kube, PODS, "it", lambda item: item["status"]["phase"] == "Running", namespace=namespace)

    await kube.delete(PODS, "it", namespace)

    stopped = await wait_for(kube, PODS, "it", has_ended, namespace=namespace)
    assert stopped["status"]["phase"] == "Failed"
    assert container_state(stopped)["terminated"]["exitCode"] == 143
    await kube.patch(PODS, "it", {"metadata": {"finalizers": None}}, namespace)


@pytest.mark.usefixtures("stages")
async def test_a_job_becomes_complete(kube: Kube, namespace: str) -> None:
    body = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "it"},
        "spec": {"backoffLimit": 0, "template": {"spec": pod_spec()}},
    }
    await kube.create(JOBS, body, namespace)

    done = await wait_for(kube, JOBS, "it", lambda item: condition(item, "Complete") is not None, namespace=namespace)

    assert done["status"]["succeeded"] == 1


async def test_a_service_account_has_the_rights_that_rbac_gives_it(
    kube: Kube, kubeconfig: Path, namespace: str, tmp_path: Path
) -> None:
    own = service_account_kubeconfig(kubeconfig, namespace, "default", tmp_path / "kubeconfig")

    async with await Kube.connect(own) as account:
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        seen = await account.create(SELF_SUBJECT_REVIEWS, review)
        with pytest.raises(KubeError, match="cannot list resource") as refused:
            await account.list(PODS, namespace)

    assert seen["status"]["userInfo"]["username"] == f"system:serviceaccount:{namespace}:default"
    assert refused.value.status == 403


async def test_the_audit_log_names_who_did_what(cluster: Provided, kube: Kube, namespace: str) -> None:
    if cluster.audit_log is None:
        pytest.skip("the cluster of KUBECONFIG keeps its audit log to itself")
    await kube.list(PODS, namespace)

    with cluster.audit_log.open() as log:
        events = [json.loads(line) for line in log if namespace in line]

    listed = [event for event in events if event["verb"] == "list" and event["user"]["username"] == "admin"]
    assert [event["objectRef"]["resource"] for event in listed if event["objectRef"]["resource"] == "pods"] == ["pods"]
