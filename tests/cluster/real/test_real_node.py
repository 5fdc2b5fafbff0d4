"""The real node runs pods as any node does: their network, their limits, their rights, and their way to report."""

from __future__ import annotations

import asyncio
import urllib.request
from pathlib import Path
from typing import get_args

import pytest
from kubernetes import client
from kubernetes.stream import stream

from cluster.harness import Cluster, ClusterError
from cluster.harness.kubeconfig import api_client
from cluster.harness.node.realnode import Part
from cluster.harness.wait import wait_for
from mediatask_common.kube import NAMESPACES, NODES, PODS, TOKENREVIEWS, Kube, Object, Resource

SERVICES = Resource("", "v1", "services")

RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def pod(image: str, script: str, *, name: str = "it", container: Object | None = None, **spec: object) -> Object:
    """A pod that runs a script in the shell, once."""
    own = {"name": "main", "image": image, "imagePullPolicy": "Never", "command": ["sh", "-c", script]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "containers": [own | (container or {})],
        }
        | spec,
    }


def has_ended(item: Object) -> bool:
    return item["status"]["phase"] in ("Succeeded", "Failed")


def is_ready(item: Object) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in item["status"].get("conditions", []))


def container(item: Object) -> Object:
    status: Object = item["status"]["containerStatuses"][0]
    return status


def logs(kubeconfig: Path, namespace: str, name: str = "it") -> str:
    """What the pod wrote."""
    with api_client(kubeconfig) as api:
        return str(client.CoreV1Api(api).read_namespaced_pod_log(name, namespace))


def execute(kubeconfig: Path, namespace: str, *command: str) -> str:
    """What a command in the running pod writes."""
    with api_client(kubeconfig) as api:
        call = client.CoreV1Api(api).connect_get_namespaced_pod_exec
        return str(stream(call, "it", namespace, command=list(command), stdout=True, stderr=True))


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return bytes(answer.read())


async def run(kube: Kube, namespace: str, body: Object) -> Object:
    """The pod, after its end."""
    await kube.create(PODS, body, namespace)
    return await wait_for(kube, PODS, body["metadata"]["name"], has_ended, namespace=namespace)


async def test_a_pod_runs_reports_and_is_heard(kube: Kube, kubeconfig: Path, namespace: str, busybox: str) -> None:
    ended = await run(kube, namespace, pod(busybox, "echo to the log; echo a result > /dev/termination-log; exit 3"))

    assert container(ended)["state"]["terminated"].items() >= {"exitCode": 3, "message": "a result\n"}.items()
    assert await asyncio.to_thread(logs, kubeconfig, namespace) == "to the log\n"


async def test_commands_run_in_a_running_pod(kube: Kube, kubeconfig: Path, namespace: str, busybox: str) -> None:
    await kube.create(PODS, pod(busybox, "sleep 600"), namespace)
    await wait_for(kube, PODS, "it", is_ready, namespace=namespace)

    assert await asyncio.to_thread(execute, kubeconfig, namespace, "cat", "/etc/hostname") == "it\n"


async def test_a_service_is_found_by_name_and_reached_from_pods_and_from_this_machine(
    kube: Kube, kubeconfig: Path, namespace: str, busybox: str
) -> None:
    script = "sleep 1; touch /tmp/ready; echo hello > /tmp/index.html; httpd -f -p 8080 -h /tmp"
    server = pod(
        busybox,
        script,
        name="server",
        container={
            "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1},
            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
        },
        volumes=[{"name": "tmp", "emptyDir": {}}],
    )
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "server"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    address = (await kube.create(SERVICES, service, namespace))["spec"]["clusterIP"]
    await kube.create(PODS, server, namespace)
    await wait_for(kube, PODS, "server", is_ready, namespace=namespace)

    # kube-proxy and CoreDNS hear of it a moment after the pod is ready.
    body = pod(busybox, f"until wget -q -O - http://web.{namespace}.svc.cluster.local/; do sleep 0.2; done")
    assert (await run(kube, namespace, body))["status"]["phase"] == "Succeeded"
    assert (await asyncio.to_thread(logs, kubeconfig, namespace)).endswith("hello\n")
    assert await asyncio.to_thread(fetch, f"http://{address}/") == b"hello\n"


async def test_a_failing_liveness_probe_restarts_the_container(kube: Kube, namespace: str, busybox: str) -> None:
    probe = {"exec": {"command": ["cat", "/alive"]}, "periodSeconds": 1, "failureThreshold": 1}
    body = pod(busybox, "sleep 600", container={"livenessProbe": probe}, restartPolicy="Always")
    await kube.create(PODS, body, namespace)

    await wait_for(
        kube,
        PODS,
        "it",
        lambda item: bool(item["status"].get("containerStatuses")) and container(item)["restartCount"] > 0,
        namespace=namespace,
    )


async def test_a_restricted_pod_has_what_it_was_granted_and_no_more(
    kube: Kube, kubeconfig: Path, namespace: str, busybox: str
) -> None:
    await kube.patch(
        NAMESPACES, namespace, {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    )
    projected = {"audience": "mediatask", "path": "token", "expirationSeconds": 600}
    script = """
        echo user $(id -u) group $(stat -c %g /memory)
        touch /memory/file && echo memory writable $(grep -c ' /memory tmpfs ' /proc/mounts)
        touch /file 2>/dev/null || echo root read-only
        echo seccomp $(grep Seccomp: /proc/self/status)
        echo service account $(stat /var/run/secrets/kubernetes.io 2>/dev/null || echo none)
        cat /var/run/secrets/mediatask/token
    """
    body = pod(
        busybox,
        script,
        container={
            "securityContext": RESTRICTED,
            "volumeMounts": [
                {"name": "memory", "mountPath": "/memory"},
                {"name": "token", "mountPath": "/var/run/secrets/mediatask"},
            ],
        },
        securityContext={"runAsUser": 10001, "fsGroup": 10002},
        automountServiceAccountToken=False,
        volumes=[
            {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}},
            {"name": "token", "projected": {"sources": [{"serviceAccountToken": projected}]}},
        ],
    )

    assert (await run(kube, namespace, body))["status"]["phase"] == "Succeeded"

    *seen, token = (await asyncio.to_thread(logs, kubeconfig, namespace)).splitlines()
    assert seen == [
        "user 10001 group 10002",
        "memory writable 1",
        "root read-only",
        "seccomp Seccomp: 2",
        "service account none",
    ]
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}
    reviewed = await kube.create(TOKENREVIEWS, review | {"spec": {"token": token, "audiences": ["mediatask"]}})
    assert reviewed["status"]["user"]["extra"]["authentication.kubernetes.io/pod-name"] == ["it"]


async def test_a_pod_beyond_its_memory_is_reported_as_oom_killed(kube: Kube, namespace: str, busybox: str) -> None:
    # tail keeps all of a line that does not end.
    ended = await run(
        kube,
        namespace,
        pod(busybox, "tail /dev/zero", container={"resources": {"limits": {"memory": "32Mi"}}}),
    )

    assert container(ended)["state"]["terminated"].items() >= {"exitCode": 137, "reason": "OOMKilled"}.items()


async def test_gpus_are_counted(kube: Kube, namespace: str, busybox: str) -> None:
    all_of_them, one = ({"resources": {"limits": {"nvidia.com/gpu": number}}} for number in ("8", "1"))
    await kube.create(PODS, pod(busybox, "sleep 600", name="first", container=all_of_them), namespace)
    await wait_for(kube, PODS, "first", is_ready, namespace=namespace)
    await kube.create(PODS, pod(busybox, "true", container=one), namespace)
    waiting = await wait_for(kube, PODS, "it", lambda item: bool(item["status"].get("conditions")), namespace=namespace)
    assert "Insufficient nvidia.com/gpu" in waiting["status"]["conditions"][0]["message"]

    await kube.delete(PODS, "first", namespace)

    assert (await wait_for(kube, PODS, "it", has_ended, namespace=namespace))["status"]["phase"] == "Succeeded"


async def test_a_container_can_be_killed_from_outside(
    real_cluster: Cluster, kube: Kube, namespace: str, busybox: str
) -> None:
    await kube.create(PODS, pod(busybox, "sleep 600"), namespace)
    running = await wait_for(kube, PODS, "it", is_ready, namespace=namespace)

    real_cluster.node.kill_container(container(running)["containerID"])

    ended = await wait_for(kube, PODS, "it", has_ended, namespace=namespace)
    assert container(ended)["state"]["terminated"].items() >= {"exitCode": 137, "reason": "Error"}.items()


@pytest.mark.parametrize("part", get_args(Part))
async def test_pods_outlive_a_part_that_is_killed(
    real_cluster: Cluster, kube: Kube, kubeconfig: Path, namespace: str, busybox: str, part: Part
) -> None:
    await kube.create(PODS, pod(busybox, "sleep 600", name="before"), namespace)
    before = await wait_for(kube, PODS, "before", is_ready, namespace=namespace)

    real_cluster.node.restart(part)

    body = pod(busybox, "nslookup kubernetes.default.svc.cluster.local && echo after")
    assert (await run(kube, namespace, body))["status"]["phase"] == "Succeeded"
    assert (await asyncio.to_thread(logs, kubeconfig, namespace)).endswith("after\n")
    still = await kube.get(PODS, "before", namespace)
    assert container(still)["containerID"] == container(before)["containerID"]
    assert "running" in container(still)["state"]
    [node] = (await kube.list(NODES))["items"]
    assert node["status"]["allocatable"]["nvidia.com/gpu"] == "8"


def test_what_is_no_image_is_refused(real_cluster: Cluster, tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense.tar"
    nonsense.write_bytes(b"not an archive")

    with pytest.raises(ClusterError, match=f"importing {nonsense} failed"):
        real_cluster.node.import_images(nonsense)
