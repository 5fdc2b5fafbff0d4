"""Discovery documents of groups, versions and resources, separate and aggregated."""

from __future__ import annotations

from ..errors import no_such_path
from ..objects import Object, api_version
from .resources import Registry, Resource

AGGREGATED_TYPE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_STATUS_VERBS = ["get", "patch", "update"]
_SUBRESOURCE_VERBS = {"log": ["get"], "binding": ["create"], "token": ["create"], "finalize": ["update"]}
_SUBRESOURCE_KINDS = {"token": "TokenRequest", "binding": "Binding"}


def wants_aggregated(accept: str) -> bool:
    return "as=APIGroupDiscoveryList" in accept and "v=v2" in accept


def core_versions() -> Object:
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def group_list(registry: Registry) -> Object:
    groups = [_group(registry, group) for group in registry.groups() if group]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(registry: Registry, name: str) -> Object:
    if not name or name not in registry.groups():
        raise no_such_path()
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(registry, name)}


def _group(registry: Registry, name: str) -> Object:
    versions = [{"groupVersion": api_version(name, v), "version": v} for v in registry.versions(name)]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def resource_list(registry: Registry, group: str, version: str) -> Object:
    resources = registry.in_version(group, version)
    if not resources:
        raise no_such_path()
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": api_version(group, version),
        "resources": [entry for resource in resources for entry in _resource(resource)],
    }


def _resource(resource: Resource) -> list[Object]:
    entry: Object = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    subresources = [
        {
            "name": f"{resource.plural}/{name}",
            "singularName": "",
            "namespaced": resource.namespaced,
            "kind": _SUBRESOURCE_KINDS.get(name, resource.kind),
            "verbs": _SUBRESOURCE_VERBS.get(name, _STATUS_VERBS),
        }
        for name in sorted(resource.subresources)
    ]
    return [entry, *subresources]


def aggregated(registry: Registry, *, core: bool) -> Object:
    """`/api` (the core group) or `/apis` (all others) as one document."""
    groups = [name for name in registry.groups() if bool(name) is not core]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [
            {
                "metadata": {"name": name} if name else {},
                "versions": [
                    {
                        "version": version,
                        "freshness": "Current",
                        "resources": [_aggregated(r) for r in registry.in_version(name, version)],
                    }
                    for version in registry.versions(name)
                ],
            }
            for name in groups
        ],
    }


def _aggregated(resource: Resource) -> Object:
    def kind(name: str) -> Object:
        return {"group": resource.group, "version": resource.version, "kind": name}

    entry: Object = {
        "resource": resource.plural,
        "responseKind": kind(resource.kind),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
        "shortNames": list(resource.short_names),
        "categories": list(resource.categories),
    }
    if resource.subresources:
        entry["subresources"] = [
            {
                "subresource": name,
                "responseKind": kind(_SUBRESOURCE_KINDS.get(name, resource.kind)),
                "verbs": _SUBRESOURCE_VERBS.get(name, _STATUS_VERBS),
            }
            for name in sorted(resource.subresources)
        ]
    return {key: value for key, value in entry.items() if value or key == "verbs"}
