"""Who asked the API server for what, by its audit log."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from mediatask_common.kube import Object


class Right(NamedTuple):
    """What RBAC grants or refuses; the resource with its subresource, as in `pods/log`."""

    verb: str
    group: str
    resource: str


def requests(log: Path, account: str) -> Iterator[dict[str, Any]]:
    """The requests of a user about resources: RBAC grants discovery to everybody."""
    needle = f'"username":"{account}"'
    with log.open() as lines:
        for line in lines:
            if needle in line and "objectRef" in (event := json.loads(line)):
                yield event


def used(events: Iterable[dict[str, Any]]) -> set[Right]:
    """The rights that requests have made use of."""
    rights = set()
    for event in events:
        about = event["objectRef"]
        resource = "/".join(filter(None, (about["resource"], about.get("subresource"))))
        right = Right(event["verb"], about.get("apiGroup", ""), resource)
        rights.add(right)
        if right.verb == "patch" and event["responseStatus"]["code"] == 201:
            rights.add(right._replace(verb="create"))  # server-side apply of something new needs both
    return rights


def refused(events: Iterable[dict[str, Any]]) -> list[str]:
    """The requests that RBAC did not allow. (A 403 may also come from a quota, or a namespace that goes.)"""
    return [
        f"{event['verb']} {event['requestURI']}"
        for event in events
        if event["annotations"].get("authorization.k8s.io/decision") != "allow"
    ]


def granted(objects: Iterable[Object], account: str) -> set[Right]:
    """The rights that rendered roles and bindings give to a service account, by `system:serviceaccount:NS:NAME`."""
    rendered = list(objects)
    rules = {
        (body["kind"], body["metadata"].get("namespace"), body["metadata"]["name"]): body["rules"]
        for body in rendered
        if body["kind"] in ("Role", "ClusterRole")
    }
    rights = set()
    for body in rendered:
        if body["kind"] not in ("RoleBinding", "ClusterRoleBinding"):
            continue
        subjects = {f"system:serviceaccount:{each['namespace']}:{each['name']}" for each in body["subjects"]}
        if account in subjects:
            role = body["roleRef"]
            namespace = body["metadata"].get("namespace") if role["kind"] == "Role" else None
            rights |= {
                Right(verb, group, resource)
                for rule in rules[role["kind"], namespace, role["name"]]
                for verb in rule["verbs"]
                for group in rule["apiGroups"]
                for resource in rule["resources"]
            }
    return rights
