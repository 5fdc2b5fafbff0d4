"""Other built-in kinds that the product or `kubectl` uses."""

from __future__ import annotations

import time
from typing import Any

import pytest

from conformance.client import Api


async def test_events_can_be_selected_by_their_object(api: Api, namespace: str, name: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/events"
    about = {"kind": "Sample", "name": name, "namespace": namespace, "uid": f"uid-{name}"}
    body = {
        "metadata": {"generateName": "ev-"},
        "involvedObject": about,
        "reason": "R",
        "message": "m",
        "type": "Normal",
    }
    await api.create(path, body)
    selector = f"involvedObject.name={name},involvedObject.kind=Sample,involvedObject.uid=uid-{name}"
    assert len((await api.get(path, fieldSelector=selector)).body["items"]) == 1


async def test_both_event_apis_show_the_same_events(api: Api, namespace: str, name: str) -> None:
    new = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"
    body = {
        "metadata": {"name": f"{name}.{time.time_ns():x}"},
        "regarding": {"kind": "Sample", "name": name, "namespace": namespace},
        "reason": "Made",
        "note": "a note",
        "type": "Normal",
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "action": "Make",
        "reportingController": "tests.ft.tc/c",
        "reportingInstance": "c-1",
    }
    answer = await api.create(new, body)
    assert answer.body["regarding"]["name"] == name
    assert answer.body["note"] == "a note"
    core = await api.get(f"/api/v1/namespaces/{namespace}/events/{body['metadata']['name']}")
    assert core.body["apiVersion"] == "v1"
    assert core.body["involvedObject"]["name"] == name
    assert (core.body["message"], core.body["reportingComponent"]) == ("a note", "tests.ft.tc/c")
    listed = await api.get(new)
    assert f"{name}" in [e["regarding"]["name"] for e in listed.body["items"]]


async def test_an_event_belongs_to_the_namespace_of_its_object(api: Api, namespace: str) -> None:
    body = {"metadata": {"generateName": "ev-"}, "involvedObject": {"namespace": "elsewhere"}, "reason": "R"}
    assert (await api.post(f"/api/v1/namespaces/{namespace}/events", body)).status == 422


async def test_self_subject_access_review(api: Api, namespace: str) -> None:
    body = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": namespace}}}
    answer = await api.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)
    assert answer.body["status"]["allowed"] is True


async def test_subject_access_review(api: Api, namespace: str) -> None:
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    attributes = {"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": namespace}}
    answer = await api.create(path, {"spec": {"user": "nobody", **attributes}})
    assert answer.body["status"]["allowed"] is False
    answer = await api.create(path, {"spec": {"user": "x", "groups": ["system:masters"], **attributes}})
    assert answer.body["status"]["allowed"] is True


async def test_self_subject_rules_review(api: Api, namespace: str) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    answer = await api.create(path, {"spec": {"namespace": namespace}})
    assert {"*"} in [set(rule["verbs"]) for rule in answer.body["status"]["resourceRules"]]


async def test_secret_string_data(api: Api, namespace: str, name: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/secrets"
    answer = await api.create(path, {"metadata": {"name": name}, "stringData": {"k": "v"}})
    assert answer.body["data"] == {"k": "dg=="}
    assert answer.body["type"] == "Opaque"
    assert "stringData" not in answer.body
    assert "generation" not in answer.meta


async def test_lease_with_optimistic_lock(api: Api, namespace: str, name: str) -> None:
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    lease = (await api.create(path, {"metadata": {"name": name}, "spec": {"holderIdentity": "a"}})).body
    lease["spec"] = {"holderIdentity": "b", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"}
    assert (await api.put(f"{path}/{name}", lease)).body["spec"]["holderIdentity"] == "b"
    assert (await api.put(f"{path}/{name}", lease)).status == 409


async def test_each_namespace_has_a_default_service_account(api: Api, namespace: str) -> None:
    assert (await api.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/default")).status == 200


@pytest.mark.parametrize(
    ("method", "where", "body", "query"),
    [
        ("GET", "pods", None, {"limit": "x"}),
        ("GET", "pods", None, {"watch": "1", "timeoutSeconds": "x"}),
        ("DELETE", "pods/nobody", {"gracePeriodSeconds": "soon"}, {}),
        ("DELETE", "pods/nobody", {"preconditions": "none"}, {}),
        ("DELETE", "pods/nobody", None, {"gracePeriodSeconds": "soon"}),
        ("POST", "serviceaccounts/default/token", {"spec": []}, {}),
        ("POST", "serviceaccounts/default/token", {"spec": {"expirationSeconds": "long"}}, {}),
        ("POST", "pods/nobody/binding", {"target": "node"}, {}),
    ],
)
async def test_nonsense_is_400(
    api: Api, namespace: str, method: str, where: str, body: Any, query: dict[str, str]
) -> None:
    answer = await api.request(method, f"/api/v1/namespaces/{namespace}/{where}", body, **query)
    assert answer.status == 400, answer.body


@pytest.mark.parametrize("body", [[], {"spec": []}, {"spec": {"token": 1}}])
async def test_nonsense_reviews_are_400(api: Api, body: Any) -> None:
    assert (await api.post("/apis/authentication.k8s.io/v1/tokenreviews", body)).status == 400
