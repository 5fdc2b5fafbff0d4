"""The chart on a real API server: helm installs, upgrades and removes it, and no task is lost over it.

On a cluster of its own: CRDs and classes belong to the whole cluster, and other tests have theirs. It has no
node, so no pod runs; that the pods are made at all shows that the namespace's Pod Security profile lets them pass.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from cluster.harness import Cluster, Options, build, service_account_kubeconfig
from cluster.harness.recipes import TOOLS
from cluster.harness.wait import wait_for
from mediatask_common.kube import CLASSES, NAMESPACES, PODS, TASKS, Kube, Object, Resource
from mediatask_operator.acting.default_classes import apply_classes

CHART = Path(__file__).parents[2] / "charts/mediatask"
QUICK_START = CHART / "ci/local-values.yaml"
NAMESPACE = "media"
SCHEMAS = "kubernetes-json-schema/v1.36.0-local-strict"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
DEPLOYMENTS = Resource("apps", "v1", "deployments")
REPLICA_SETS = Resource("apps", "v1", "replicasets")
SECRETS = Resource("", "v1", "secrets")
ROLE_BINDINGS = Resource("rbac.authorization.k8s.io", "v1", "rolebindings")
CONFIG_MAPS = Resource("", "v1", "configmaps")
TASK = {
    "apiVersion": "tasks.ft.tc/v1alpha1",
    "kind": "MediaTask",
    "metadata": {"name": "survivor"},
    "spec": {"projectId": "p", "taskType": "test_prompt", "taskData": {"prompt_template": "Say so."}},
}


@dataclass(frozen=True)
class Helm:
    """The real helm, as somebody with the administrator's rights runs it."""

    kubeconfig: Path

    def __call__(self, *arguments: str) -> str:
        command = [str(build([TOOLS["helm"]]) / "helm"), "--namespace", NAMESPACE, *arguments]
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def install(self, *arguments: str) -> str:
        return self("install", "mediatask", str(CHART), "--values", str(QUICK_START), *arguments)

    def upgrade(self, *arguments: str) -> str:
        return self("upgrade", "mediatask", str(CHART), "--values", str(QUICK_START), *arguments)


@pytest.fixture(scope="module")
def helm(binaries: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Helm]:
    with Cluster(tmp_path_factory.mktemp("chart"), Options(node="none")) as cluster:
        asyncio.run(make_namespace(cluster.kubeconfig))
        yield Helm(cluster.kubeconfig)


async def make_namespace(kubeconfig: Path) -> None:
    """The release's namespace, which lets only restricted pods in."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": RESTRICTED}}
    async with await Kube.connect(kubeconfig) as kube:
        await kube.create(NAMESPACES, body)


@pytest.fixture
async def kube(helm: Helm) -> AsyncIterator[Kube]:
    async with await Kube.connect(helm.kubeconfig) as client:
        yield client


@pytest.fixture
def release(helm: Helm) -> Iterator[None]:
    """What the test installs is gone after it."""
    yield
    helm("uninstall", "mediatask", "--ignore-not-found", "--wait")


async def names(kube: Kube, resource: Resource) -> set[str]:
    return {item["metadata"]["name"] for item in (await kube.list(resource, NAMESPACE))["items"]}


async def data_of(kube: Kube, secret: str) -> dict[str, str]:
    found = await kube.get(SECRETS, secret, NAMESPACE)
    return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}


def is_up_to_date(deployment: Object) -> bool:
    """Whether the controller has acted on the latest spec. (No pod will ever be ready here.)"""
    status = deployment.get("status", {})
    return (
        status.get("observedGeneration") == deployment["metadata"]["generation"]
        and status.get("updatedReplicas") == deployment["spec"]["replicas"]
    )


async def pods_of(kube: Kube, wanted: int) -> list[Object]:
    """The pods that the Deployments have made, as soon as there are so many."""
    async with asyncio.timeout(30):
        while True:
            pods: list[Object] = (await kube.list(PODS, NAMESPACE))["items"]
            if len(pods) >= wanted:
                return pods
            await asyncio.sleep(0.1)


async def test_one_command_installs_the_quick_start_where_only_restricted_pods_may_be(
    release: None, helm: Helm, kube: Kube
) -> None:
    notes = await asyncio.to_thread(helm.install)
    assert "kubectl -n media port-forward svc/mediatask-api 8001" in notes
    assert "NOTE: media are stored in the bundled S3" in notes

    pods = await pods_of(kube, 5)
    made = sorted(pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in pods)
    assert made == ["api", "api", "operator", "redis", "s3"]


async def test_who_may_edit_a_namespace_may_make_tasks_in_it_and_who_may_view_it_reads_them(
    release: None, helm: Helm, kube: Kube
) -> None:
    await asyncio.to_thread(helm.install)
    for role in ("view", "edit", "admin"):
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": role}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
        body = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": role}}
        await kube.create(ROLE_BINDINGS, {**body, "roleRef": reference, "subjects": [subject]}, NAMESPACE)

    async def may(user: str, verb: str, subresource: str = "", namespace: str = NAMESPACE) -> bool:
        wanted = {"namespace": namespace, "group": "tasks.ft.tc", "resource": "mediatasks", "subresource": subresource}
        body = {"spec": {"user": user, "resourceAttributes": {**wanted, "verb": verb}}}
        answer = await kube.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
        return bool(answer["status"]["allowed"])

    async with asyncio.timeout(30):  # a controller adds up the roles
        while True:
            if await may("admin", "delete") and await may("edit", "create") and await may("view", "list"):
                break
            await asyncio.sleep(0.1)
    assert [await may(user, "watch") for user in ("view", "edit", "admin")] == [True, True, True]
    assert [await may(user, "create") for user in ("view", "edit", "admin")] == [False, True, True]
    assert not any([await may(user, "patch", "status") for user in ("view", "edit", "admin")])
    assert not await may("edit", "create", namespace="default")


async def test_the_operator_may_apply_the_classes_that_come_with_it(
    release: None, helm: Helm, kube: Kube, tmp_path: Path
) -> None:
    await asyncio.to_thread(helm.install)
    brought = (await kube.get(CONFIG_MAPS, "mediatask-classes", NAMESPACE))["data"]["classes.yaml"]
    account = service_account_kubeconfig(helm.kubeconfig, NAMESPACE, "mediatask-operator", tmp_path / "operator")
    async with await Kube.connect(account) as operator:
        await apply_classes(operator, yaml.safe_load_all(brought))

    found = {item["metadata"]["name"]: item["spec"] for item in (await kube.list(CLASSES))["items"]}
    assert found.keys() == {"demo-audio", "demo-prompt", "demo-video"}
    assert {spec["image"] for spec in found.values()} == {"localhost/mediatask-job-light:dev"}


async def test_an_upgrade_keeps_the_generated_secrets_and_restarts_what_has_changed(
    release: None, helm: Helm, kube: Kube
) -> None:
    await asyncio.to_thread(helm.install)
    secrets = [f"mediatask-{name}" for name in ("api-keys", "webhook", "redis", "s3")]
    before = [await data_of(kube, name) for name in secrets]
    await pods_of(kube, 5)
    replica_sets = await names(kube, REPLICA_SETS)

    await asyncio.to_thread(helm.upgrade, "--set", "classes.demo-audio.maxInFlight=7")

    assert [await data_of(kube, name) for name in secrets] == before
    await wait_for(kube, DEPLOYMENTS, "mediatask-operator", is_up_to_date, namespace=NAMESPACE)
    await wait_for(kube, DEPLOYMENTS, "mediatask-api", is_up_to_date, namespace=NAMESPACE)
    new = await names(kube, REPLICA_SETS) - replica_sets
    assert {name.rsplit("-", 1)[0] for name in new} == {"mediatask-operator"}

    await asyncio.to_thread(helm, "rollback", "mediatask", "1")
    assert [await data_of(kube, name) for name in secrets] == before


async def test_tasks_outlive_the_release_and_the_next_one_adopts_them(release: None, helm: Helm, kube: Kube) -> None:
    await asyncio.to_thread(helm.install)
    created = await kube.create(TASKS, TASK, NAMESPACE)

    await asyncio.to_thread(helm, "uninstall", "mediatask", "--wait")
    assert await names(kube, DEPLOYMENTS) == set()
    assert (await kube.get(TASKS, "survivor", NAMESPACE))["metadata"]["uid"] == created["metadata"]["uid"]

    await asyncio.to_thread(helm.install)
    await wait_for(kube, DEPLOYMENTS, "mediatask-operator", lambda _: True, namespace=NAMESPACE)
    assert (await kube.get(TASKS, "survivor", NAMESPACE))["metadata"]["uid"] == created["metadata"]["uid"]


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kubernetes' own schemas from a package on this machine; kubeconform would fetch them from the internet."""
    folder = tmp_path_factory.mktemp("schemas")
    for path in (Path(kubernetes_validate.__file__).parent / SCHEMAS).glob("*.json"):
        # Their ids are addresses, and so their references to each other lead there.
        schema = json.loads(path.read_text().replace('"/api/_definitions.json', '"_definitions.json'))
        schema.pop("$id", None)
        (folder / path.name).write_text(json.dumps(schema))
    return folder


@pytest.mark.parametrize(
    "more",
    [
        (),
        (
            "api.podDisruptionBudget.enabled=true",
            "rbac.namespaces={media,other}",
            "s3.bundled.persistence.enabled=true",
        ),
    ],
    ids=["quick-start", "everything"],
)
def test_kubeconform_finds_nothing(binaries: None, schemas: Path, more: Sequence[str]) -> None:
    tools = build([TOOLS["helm"], TOOLS["kubeconform"]])
    options = [argument for setting in more for argument in ("--set", setting)]
    rendered = subprocess.run(
        [tools / "helm", "template", "mediatask", CHART, "--namespace", NAMESPACE, "--values", QUICK_START, *options],
        capture_output=True,
        text=True,
        check=True,
    )
    location = f"{schemas}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    checked = subprocess.run(
        [tools / "kubeconform", "-strict", "-summary", "-schema-location", location],
        input=rendered.stdout,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
    assert "Errors: 0, Skipped: 0" in checked.stdout
