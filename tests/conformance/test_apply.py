"""Server-side apply and managedFields."""

from __future__ import annotations

from typing import Any

from conformance.client import Answer, Api
from conformance.samples import GROUP, sample


def owners(answer: Answer) -> dict[tuple[str, str, str], Any]:
    """managedFields by manager, operation and subresource."""
    return {
        (entry["manager"], entry["operation"], entry.get("subresource", "")): entry["fieldsV1"]
        for entry in answer.meta["managedFields"]
    }


def only(name: str, **spec: Any) -> dict[str, Any]:
    """A configuration that states these fields of the spec and no other."""
    return {**sample(name), "spec": spec}


def status(name: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": f"{GROUP}/v1", "kind": "Sample", "metadata": {"name": name}, "status": fields}


async def test_apply_creates(api: Api, path: str, name: str) -> None:
    answer = await api.apply(f"{path}/{name}", sample(name), "one")
    assert answer.status == 201
    assert owners(answer)["one", "Apply", ""] == {"f:spec": {"f:mode": {}}}


async def test_apply_again_changes_nothing(api: Api, path: str, name: str) -> None:
    first = await api.apply(f"{path}/{name}", sample(name), "one")
    second = await api.apply(f"{path}/{name}", sample(name), "one")
    assert second.status == 200
    assert second.meta["resourceVersion"] == first.meta["resourceVersion"]


async def test_apply_needs_a_manager(api: Api, path: str, name: str) -> None:
    answer = await api.request("PATCH", f"{path}/{name}", sample(name), "application/apply-patch+yaml")
    assert answer.status == 422
    assert "fieldManager: Required value: is required for apply patch" in answer.message


async def test_two_managers_share_an_object(api: Api, path: str, name: str) -> None:
    await api.apply(f"{path}/{name}", sample(name), "one")
    answer = await api.apply(f"{path}/{name}", only(name, level=5), "two")
    assert answer.body["spec"]["mode"] == "image"
    assert owners(answer)["two", "Apply", ""] == {"f:spec": {"f:level": {}}}


async def test_another_value_of_anothers_field_is_a_conflict(api: Api, path: str, name: str) -> None:
    await api.apply(f"{path}/{name}", sample(name), "one")
    answer = await api.apply(f"{path}/{name}", only(name, mode="audio"), "two")
    assert (answer.status, answer.reason) == (409, "Conflict")
    assert answer.message.startswith('Apply failed with 1 conflict: conflict with "one"')
    assert answer.message.endswith(": .spec.mode")
    assert answer.body["details"]["causes"][0]["reason"] == "FieldManagerConflict"
    assert answer.body["details"]["causes"][0]["field"] == ".spec.mode"


async def test_the_same_value_is_shared(api: Api, path: str, name: str) -> None:
    await api.apply(f"{path}/{name}", sample(name), "one")
    answer = await api.apply(f"{path}/{name}", sample(name), "two")
    assert answer.status == 200
    assert {("one", "Apply", ""), ("two", "Apply", "")} <= owners(answer).keys()


async def test_force_takes_over(api: Api, path: str, name: str) -> None:
    await api.apply(f"{path}/{name}", sample(name), "one")
    answer = await api.apply(f"{path}/{name}", only(name, mode="audio"), "two", force="true")
    assert answer.body["spec"]["mode"] == "audio"
    assert ("one", "Apply", "") not in owners(answer)


async def test_a_field_no_longer_applied_goes(api: Api, path: str, name: str) -> None:
    await api.apply(f"{path}/{name}", sample(name, project="abc", labels={"a": "1", "b": "2"}), "one")
    answer = await api.apply(f"{path}/{name}", sample(name, labels={"a": "1"}), "one")
    assert "project" not in answer.body["spec"]
    assert answer.body["spec"]["labels"] == {"a": "1"}


async def test_a_field_that_another_holds_stays(api: Api, path: str, name: str) -> None:
    await api.apply(f"{path}/{name}", sample(name, project="abc"), "one")
    await api.apply(f"{path}/{name}", only(name, project="abc"), "two")
    answer = await api.apply(f"{path}/{name}", sample(name), "one")
    assert answer.body["spec"]["project"] == "abc"


async def test_a_defaulted_field_comes_back_as_default(api: Api, path: str, name: str) -> None:
    await api.apply(f"{path}/{name}", sample(name, level=7), "one")
    answer = await api.apply(f"{path}/{name}", sample(name), "one")
    assert answer.body["spec"]["level"] == 2


async def test_list_maps_merge_by_key(api: Api, path: str, name: str) -> None:
    await api.apply(f"{path}/{name}", sample(name, steps=[{"name": "a", "count": 1}]), "one")
    answer = await api.apply(f"{path}/{name}", only(name, steps=[{"name": "b", "count": 2}]), "two")
    assert answer.body["spec"]["steps"] == [{"name": "a", "count": 1}, {"name": "b", "count": 2}]
    assert owners(answer)["two", "Apply", ""] == {
        "f:spec": {"f:steps": {'k:{"name":"b"}': {".": {}, "f:count": {}, "f:name": {}}}}
    }
    answer = await api.apply(f"{path}/{name}", sample(name), "one")
    assert answer.body["spec"]["steps"] == [{"name": "b", "count": 2}]


async def test_list_sets_unite(api: Api, path: str, name: str) -> None:
    await api.apply(f"{path}/{name}", sample(name, tags=["a"]), "one")
    answer = await api.apply(f"{path}/{name}", only(name, tags=["b"]), "two")
    assert sorted(answer.body["spec"]["tags"]) == ["a", "b"]
    answer = await api.apply(f"{path}/{name}", sample(name), "one")
    assert answer.body["spec"]["tags"] == ["b"]


async def test_atomic_lists_are_replaced(api: Api, path: str, name: str) -> None:
    await api.apply(f"{path}/{name}", sample(name, words=["wa", "wb"]), "one")
    answer = await api.apply(f"{path}/{name}", sample(name, words=["wc"]), "one")
    assert answer.body["spec"]["words"] == ["wc"]
    assert (await api.apply(f"{path}/{name}", only(name, words=["wd"]), "two")).status == 409


async def test_plain_updates_take_over_what_they_change(api: Api, path: str, name: str) -> None:
    await api.apply(f"{path}/{name}", sample(name, level=3), "one")
    answer = await api.patch(f"{path}/{name}", {"spec": {"level": 4}}, fieldManager="editor")
    assert owners(answer)["editor", "Update", ""] == {"f:spec": {"f:level": {}}}
    assert owners(answer)["one", "Apply", ""] == {"f:spec": {"f:mode": {}}}
    answer = await api.apply(f"{path}/{name}", sample(name, level=3), "one")
    assert answer.status == 409
    assert 'conflict with "editor" using' in answer.message


async def test_create_is_tracked_as_an_update(api: Api, path: str, name: str) -> None:
    answer = await api.create(path, sample(name), fieldManager="maker")
    assert owners(answer)["maker", "Update", ""]["f:spec"]["f:mode"] == {}


async def test_the_status_has_owners_of_its_own(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name), fieldManager="maker")
    answer = await api.apply(f"{path}/{name}/status", status(name, progress=0.5, step="load"), "reporter")
    assert answer.status == 200
    assert answer.body["status"] == {"progress": 0.5, "step": "load"}
    expected = {"f:status": {"f:progress": {}, "f:step": {}}}
    assert owners(answer)["reporter", "Apply", "status"] == expected
    answer = await api.patch(f"{path}/{name}/status", {"status": {"phase": "Running"}}, fieldManager="operator")
    assert owners(answer)["operator", "Update", "status"]["f:status"]["f:phase"] == {}
    assert owners(answer)["reporter", "Apply", "status"] == expected


async def test_a_status_that_another_writer_changed_is_a_conflict_until_forced(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name))
    await api.apply(f"{path}/{name}/status", status(name, progress=0.5), "reporter")
    await api.patch(f"{path}/{name}/status", {"status": {"progress": 1}}, fieldManager="operator")
    assert (await api.apply(f"{path}/{name}/status", status(name, progress=0.6), "reporter")).status == 409
    answer = await api.apply(f"{path}/{name}/status", status(name, progress=0.6), "reporter", force="true")
    assert answer.body["status"]["progress"] == 0.6


async def test_conditions_merge_by_type(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name))
    ready = {"type": "Ready", "status": "True"}
    await api.apply(f"{path}/{name}/status", status(name, conditions=[ready]), "one")
    other = {"type": "Other", "status": "False"}
    answer = await api.apply(f"{path}/{name}/status", status(name, conditions=[other]), "two")
    assert {c["type"] for c in answer.body["status"]["conditions"]} == {"Ready", "Other"}


async def test_apply_of_a_status_never_touches_the_spec(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name))
    body = {**status(name, phase="A"), "spec": {"level": 9}}
    answer = await api.apply(f"{path}/{name}/status", body, "one")
    assert answer.body["spec"]["level"] == 2


async def test_apply_of_a_status_needs_the_object(api: Api, path: str, name: str) -> None:
    assert (await api.apply(f"{path}/{name}/status", status(name, phase="A"), "one")).status == 404


async def test_apply_refuses_undeclared_fields(api: Api, path: str, name: str) -> None:
    answer = await api.apply(f"{path}/{name}", sample(name, foo=1), "one")
    assert answer.status == 500
    assert answer.message.endswith(".spec.foo: field not declared in schema")


async def test_several_conflicts(api: Api, path: str, name: str) -> None:
    mine = sample(name, level=3, words=["wa"], steps=[{"name": "s", "count": 2}])
    await api.apply(f"{path}/{name}", mine, "one")
    theirs = sample(name, level=4, words=["wb"], steps=[{"name": "s", "count": 3}])
    answer = await api.apply(f"{path}/{name}", theirs, "two")
    assert answer.message == (
        'Apply failed with 3 conflicts: conflicts with "one":\n'
        '- .spec.level\n- .spec.words\n- .spec.steps[name="s"].count'
    )


async def test_containers_have_owners_among_updates(api: Api, path: str, name: str) -> None:
    await api.apply(f"{path}/{name}", sample(name), "one")
    change = {
        "metadata": {"labels": {"q": "1"}, "finalizers": ["a.io/f"]},
        "spec": {"free": {"a": {"b": [1]}, "e": {}}},
    }
    answer = await api.patch(f"{path}/{name}", change, fieldManager="editor")
    assert owners(answer)["editor", "Update", ""] == {
        "f:metadata": {"f:finalizers": {".": {}, 'v:"a.io/f"': {}}, "f:labels": {".": {}, "f:q": {}}},
        "f:spec": {"f:free": {".": {}, "f:a": {".": {}, "f:b": {}}, "f:e": {}}},
    }
    await api.patch(f"{path}/{name}", {"metadata": {"finalizers": None}})


async def test_apply_validates(api: Api, path: str, name: str) -> None:
    answer = await api.apply(f"{path}/{name}", sample(name, level=99), "one")
    assert answer.status == 422


async def test_apply_to_a_builtin_kind(api: Api, namespace: str, name: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps/{name}"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "1", "b": "2"}}
    assert (await api.apply(path, body, "one")).status == 201
    body["data"] = {"a": "1"}
    answer = await api.apply(path, body, "one")
    assert answer.body["data"] == {"a": "1"}
    body["data"] = {"a": "3"}
    assert (await api.apply(path, body, "two")).status == 409
