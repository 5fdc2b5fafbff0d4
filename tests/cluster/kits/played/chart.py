"""The chart, rendered by the real helm."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

import yaml

from cluster.harness.build import build
from cluster.harness.recipes import TOOLS
from mediatask_common.kube import APPLY, Kube, Object, Resource

ROOT = Path(__file__).parents[4]
CHART = ROOT / "charts/mediatask"
TRY_OUT = CHART / "ci/local-values.yaml"
RELEASE = "mediatask"
ACCESS = ("templates/serviceaccounts.yaml", "templates/rbac-operator.yaml", "templates/rbac-api.yaml")

_RBAC = ("rbac.authorization.k8s.io", "v1")
_RESOURCES = {
    "CustomResourceDefinition": Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", namespaced=False),
    "ServiceAccount": Resource("", "v1", "serviceaccounts"),
    "ClusterRole": Resource(*_RBAC, "clusterroles", namespaced=False),
    "ClusterRoleBinding": Resource(*_RBAC, "clusterrolebindings", namespaced=False),
    "Role": Resource(*_RBAC, "roles"),
    "RoleBinding": Resource(*_RBAC, "rolebindings"),
}


def render(namespace: str, values: Object | None = None, *, only: Iterable[str] = ACCESS) -> list[Object]:
    """The objects of some of the chart's templates, as `helm install` would create them.

    Args:
        namespace: the release's.
        values: what differs from the try-out's.
        only: the templates, by path inside the chart.
    """
    helm = build([TOOLS["helm"]]) / "helm"
    command = [str(helm), "template", RELEASE, str(CHART), "--namespace", namespace]
    command += ["--values", str(TRY_OUT), "--values", "-"]
    command += [argument for template in only for argument in ("--show-only", template)]
    rendered = subprocess.run(command, input=yaml.safe_dump(values or {}), capture_output=True, text=True, check=False)
    assert rendered.returncode == 0, rendered.stderr
    return [document for document in yaml.safe_load_all(rendered.stdout) if document]


def definitions() -> list[Object]:
    """Our CustomResourceDefinitions."""
    return [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "crds").glob("*.yaml"))]


async def apply(kube: Kube, objects: Iterable[Object]) -> None:
    """Create the objects, or change them to this."""
    for body in objects:
        meta = body["metadata"]
        await kube.patch(
            _RESOURCES[body["kind"]],
            meta["name"],
            body,
            meta.get("namespace"),
            content_type=APPLY,
            fieldManager="test",
            force="true",
        )


async def remove(kube: Kube, objects: Iterable[Object]) -> None:
    """Delete the objects."""
    for body in objects:
        meta = body["metadata"]
        await kube.delete(_RESOURCES[body["kind"]], meta["name"], meta.get("namespace"))
