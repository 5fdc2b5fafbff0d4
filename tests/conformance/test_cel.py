"""`x-kubernetes-validations`: CEL rules on create and update."""

from __future__ import annotations

from conformance.client import Api
from conformance.samples import sample


async def test_a_rule_with_reason_and_field_path(api: Api, path: str, name: str) -> None:
    answer = await api.post(path, sample(name, mode="video"))
    assert answer.status == 422
    assert "spec.ratio: Required value: ratio is required for video" in answer.message
    [cause] = answer.body["details"]["causes"]
    assert (cause["field"], cause["reason"]) == ("spec.ratio", "FieldValueRequired")


async def test_a_rule_that_holds(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name, mode="video", ratio=1.5, words=["wa", "wb"]))


async def test_a_message_expression(api: Api, path: str, name: str) -> None:
    answer = await api.post(path, sample(name, words=["xa"]))
    assert answer.status == 422
    assert answer.message.endswith("spec: Invalid value: words must start with w, found xa")
    assert answer.body["details"]["causes"][0]["field"] == "spec"


async def test_rules_inside_lists(api: Api, path: str, name: str) -> None:
    answer = await api.post(path, sample(name, steps=[{"name": "a"}, {"name": "b", "count": 100}]))
    assert answer.status == 422
    assert "count must stay below 100" in answer.message
    assert answer.body["details"]["causes"][0]["field"] == "spec.steps[1].count"


async def test_a_rule_over_the_fields_that_are_there(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name, shape={"side": 3}))
    answer = await api.post(path, sample(f"{name}-2", shape={"side": 3, "radius": 1}))
    assert answer.status == 422
    assert answer.message.endswith("a square has a side")
    assert answer.body["details"]["causes"][0]["field"] == "spec.shape"


async def test_transition_rules_do_not_run_on_create(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name, fixed="a", cancel=True))


async def test_transition_rules_run_on_update(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name, fixed="a", cancel=True))
    answer = await api.patch(f"{path}/{name}", {"spec": {"fixed": "b"}})
    assert answer.status == 422
    assert 'spec.fixed: Invalid value: "b": fixed is immutable' in answer.message
    answer = await api.patch(f"{path}/{name}", {"spec": {"cancel": False}})
    assert "spec.cancel: Forbidden: cancel cannot be taken back" in answer.message


async def test_transition_rules_need_both_values(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name))
    assert (await api.patch(f"{path}/{name}", {"spec": {"fixed": "a"}})).status == 200
    assert (await api.patch(f"{path}/{name}", {"spec": {"fixed": None}})).status == 200


async def test_a_rule_at_the_root_sees_the_status(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name, rank=0))
    assert (await api.patch(f"{path}/{name}", {"spec": {"rank": 1}})).status == 200
    assert (await api.patch(f"{path}/{name}/status", {"status": {"step": "none"}})).status == 200
    assert (await api.patch(f"{path}/{name}", {"spec": {"rank": 2}})).status == 200
    assert (await api.patch(f"{path}/{name}/status", {"status": {"phase": "queued"}})).status == 200
    assert (await api.patch(f"{path}/{name}", {"spec": {"rank": 3}, "status": {"phase": "x"}})).status == 200
    assert (await api.patch(f"{path}/{name}/status", {"status": {"phase": "processing"}})).status == 200
    answer = await api.patch(f"{path}/{name}", {"spec": {"rank": 4}, "status": {"phase": "queued"}})
    assert answer.status == 422
    assert answer.message.endswith("spec.rank: Forbidden: rank may change only while queued")
    assert answer.body["details"]["causes"][0]["field"] == "spec.rank"
    assert (await api.patch(f"{path}/{name}", {"spec": {"level": 5}})).status == 200
    assert (await api.patch(f"{path}/{name}/status", {"status": {"step": "one"}})).status == 200


async def test_other_updates_pass(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name, fixed="a"))
    assert (await api.patch(f"{path}/{name}", {"spec": {"level": 5}})).status == 200
    assert (await api.patch(f"{path}/{name}/status", {"status": {"phase": "X"}})).status == 200


async def test_rules_are_compiled_when_the_definition_is_made(api: Api) -> None:
    from conformance import samples

    broken = samples.definition(plural="brokens", kind="Broken")
    version = broken["spec"]["versions"][0]
    version["schema"] = {
        "openAPIV3Schema": {
            "type": "object",
            "properties": {
                "spec": {"type": "object", "x-kubernetes-validations": [{"rule": "self.(", "message": "m"}]}
            },
        }
    }
    version["selectableFields"], version["additionalPrinterColumns"] = [], []
    answer = await api.post(samples.CRDS, broken)
    assert answer.status == 422
    assert "x-kubernetes-validations" in answer.message
