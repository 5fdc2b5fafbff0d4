"""The served resources: the built-in ones listed here, and those that CRDs define."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from ..cel.rules import Rules
from ..errors import no_such_path, qualified
from ..objects import api_version
from ..schema import kinds as schemas

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class Resource:
    """One kind as served in one version. Versions of a kind, and the two groups of Event, share a `storage_name`."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: frozenset[str] = frozenset()
    verbs: tuple[str, ...] = ALL_VERBS
    schema: dict[str, Any] | None = None
    # Custom resources only: compiled CEL rules, table columns and selectable fields.
    custom: bool = False
    rules: Rules | None = None
    columns: tuple[dict[str, Any], ...] = ()
    selectable_fields: tuple[str, ...] = ()
    storage: str = ""

    @property
    def api_version(self) -> str:
        return api_version(self.group, self.version)

    @property
    def storage_name(self) -> str:
        """Key of the collection that keeps the objects, e.g. `jobs.batch`."""
        return self.storage or qualified(self.plural, self.group)

    @property
    def has_status(self) -> bool:
        return "status" in self.subresources

    @property
    def is_review(self) -> bool:
        """Whether it is a review (TokenReview, ...): answered, but never stored."""
        return self.verbs == ("create",)


def _builtin(group: str, version: str, plural: str, kind: str, short: str = "", subs: str = "") -> Resource:
    return Resource(
        group,
        version,
        plural,
        kind,
        singular=kind.lower(),
        short_names=tuple(short.split()),
        subresources=frozenset(subs.split()),
        categories=("all",) if kind in _IN_ALL else (),
        schema=schemas.builtin(group, version, kind),
    )


def _cluster(group: str, version: str, plural: str, kind: str, short: str = "", subs: str = "") -> Resource:
    resource = _builtin(group, version, plural, kind, short, subs)
    return replace(resource, namespaced=False)


def _review(group: str, plural: str, kind: str, *, namespaced: bool = False) -> Resource:
    return replace(_builtin(group, "v1", plural, kind), namespaced=namespaced, verbs=("create",))


_IN_ALL = frozenset(("Pod", "Service", "Job", "CronJob", "Deployment"))
_AUTHORIZATION = "authorization.k8s.io"
_RBAC = "rbac.authorization.k8s.io"

BUILTIN = (
    _cluster("", "v1", "namespaces", "Namespace", "ns", "status finalize"),
    _cluster("", "v1", "nodes", "Node", "no", "status"),
    _builtin("", "v1", "pods", "Pod", "po", "status log binding"),
    _builtin("", "v1", "events", "Event", "ev"),
    _builtin("", "v1", "configmaps", "ConfigMap", "cm"),
    _builtin("", "v1", "secrets", "Secret"),
    _builtin("", "v1", "services", "Service", "svc", "status"),
    _builtin("", "v1", "serviceaccounts", "ServiceAccount", "sa", "token"),
    _builtin("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", "pvc", "status"),
    _builtin("", "v1", "resourcequotas", "ResourceQuota", "quota", "status"),
    _builtin("batch", "v1", "jobs", "Job", "", "status"),
    _builtin("batch", "v1", "cronjobs", "CronJob", "cj", "status"),
    _builtin("apps", "v1", "deployments", "Deployment", "deploy", "status"),
    replace(_builtin("events.k8s.io", "v1", "events", "Event", "ev"), storage="events"),
    _builtin("coordination.k8s.io", "v1", "leases", "Lease"),
    _builtin("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", "pdb", "status"),
    _builtin("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", "netpol"),
    _builtin("networking.k8s.io", "v1", "ingresses", "Ingress", "ing", "status"),
    _cluster("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", "pc"),
    _cluster("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass"),
    _builtin(_RBAC, "v1", "roles", "Role"),
    _builtin(_RBAC, "v1", "rolebindings", "RoleBinding"),
    _cluster(_RBAC, "v1", "clusterroles", "ClusterRole"),
    _cluster(_RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding"),
    _cluster(
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        "crd crds",
        "status",
    ),
    _review("authentication.k8s.io", "tokenreviews", "TokenReview"),
    _review(_AUTHORIZATION, "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    _review(_AUTHORIZATION, "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
    _review(_AUTHORIZATION, "subjectaccessreviews", "SubjectAccessReview"),
    _review(_AUTHORIZATION, "localsubjectaccessreviews", "LocalSubjectAccessReview", namespaced=True),
)


class Registry:
    """Looks up what is served under a group, version and plural name."""

    def __init__(self, resources: Iterable[Resource] = BUILTIN) -> None:
        self._served: dict[tuple[str, str, str], Resource] = {}
        for resource in resources:
            self.add(resource)

    def add(self, resource: Resource) -> None:
        self._served[resource.group, resource.version, resource.plural] = resource

    def drop(self, group: str, plural: str) -> None:
        """Stop serving every version of a kind."""
        for key in [key for key in self._served if (key[0], key[2]) == (group, plural)]:
            del self._served[key]

    def get(self, group: str, version: str, plural: str) -> Resource:
        resource = self._served.get((group, version, plural))
        if resource is None:
            raise no_such_path()
        return resource

    def of_storage(self, storage: str) -> Resource | None:
        """The first served version of a collection, in which its objects are stored."""
        return next((r for r in self if r.storage_name == storage and not r.storage), None)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._served.values())

    def groups(self) -> list[str]:
        return sorted({resource.group for resource in self})

    def versions(self, group: str) -> list[str]:
        """Versions of a group, the preferred one first."""
        return sorted({r.version for r in self if r.group == group}, key=_version_priority)

    def in_version(self, group: str, version: str) -> list[Resource]:
        return [r for r in self if (r.group, r.version) == (group, version)]


def _version_priority(version: str) -> tuple[int, str]:
    """Stable before beta before alpha, as Kubernetes orders them."""
    stage = 2 if "alpha" in version else 1 if "beta" in version else 0
    return stage, version
