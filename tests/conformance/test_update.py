"""PUT and the patches; preconditions, generations and the status subresource."""

from __future__ import annotations

import asyncio
from collections import Counter

from conformance.client import JSON_PATCH, STRATEGIC, Api
from conformance.samples import GROUP, sample


async def test_put_replaces(api: Api, path: str, name: str) -> None:
    body = (await api.create(path, sample(name, project="abc"))).body
    del body["spec"]["project"]
    body["spec"]["level"] = 5
    answer = await api.put(f"{path}/{name}", body)
    assert answer.status == 200
    assert answer.body["spec"] == {"mode": "image", "level": 5, "cancel": False}


async def test_put_with_a_stale_version_is_a_conflict(api: Api, path: str, name: str) -> None:
    body = (await api.create(path, sample(name))).body
    await api.patch(f"{path}/{name}", {"spec": {"level": 3}})
    answer = await api.put(f"{path}/{name}", body)
    assert (answer.status, answer.reason) == (409, "Conflict")
    assert answer.message == (
        f'Operation cannot be fulfilled on samples.{GROUP} "{name}": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )


async def test_put_without_a_version_is_invalid(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name))
    answer = await api.put(f"{path}/{name}", sample(name))
    assert answer.status == 422
    wrong = "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
    assert answer.message == f'samples.{GROUP} "{name}" is invalid: {wrong}'


async def test_put_of_nothing_is_404(api: Api, path: str, name: str) -> None:
    body = sample(name, {"resourceVersion": "5"})
    assert (await api.put(f"{path}/{name}", body)).status == 404


async def test_put_under_another_name_is_400(api: Api, path: str, name: str) -> None:
    body = (await api.create(path, sample(name))).body
    body["metadata"]["name"] = "other"
    assert (await api.put(f"{path}/{name}", body)).status == 400


async def test_of_twenty_writers_with_one_version_one_wins(api: Api, path: str, name: str) -> None:
    body = (await api.create(path, sample(name))).body

    async def write(number: int) -> int:
        mine = {**body, "spec": {**body["spec"], "level": 3 + number % 7}}
        mine["metadata"] = {**body["metadata"], "annotations": {"writer": str(number)}}
        return (await api.put(f"{path}/{name}", mine)).status

    statuses = await asyncio.gather(*(write(number) for number in range(20)))
    assert Counter(statuses) == {200: 1, 409: 19}


async def test_merge_patch_bumps_the_version_only(api: Api, path: str, name: str) -> None:
    before = await api.create(path, sample(name))
    answer = await api.patch(f"{path}/{name}", {"metadata": {"annotations": {"k": "v"}}})
    assert answer.meta["annotations"] == {"k": "v"}
    assert answer.meta["resourceVersion"] != before.meta["resourceVersion"]
    assert answer.meta["generation"] == 1


async def test_merge_patch_null_removes(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name, {"annotations": {"k": "v"}}))
    answer = await api.patch(f"{path}/{name}", {"metadata": {"annotations": {"k": None}}})
    assert "annotations" not in answer.meta


async def test_a_changed_spec_bumps_the_generation(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name))
    answer = await api.patch(f"{path}/{name}", {"spec": {"level": 3}})
    assert answer.meta["generation"] == 2


async def test_a_patch_without_effect_keeps_the_version(api: Api, path: str, name: str) -> None:
    before = await api.create(path, sample(name))
    answer = await api.patch(f"{path}/{name}", {"spec": {"level": 2}})
    assert answer.meta["resourceVersion"] == before.meta["resourceVersion"]


async def test_merge_patch_with_a_stale_version_is_a_conflict(api: Api, path: str, name: str) -> None:
    before = await api.create(path, sample(name))
    await api.patch(f"{path}/{name}", {"spec": {"level": 3}})
    stale = {"metadata": {"resourceVersion": before.meta["resourceVersion"]}, "spec": {"level": 6}}
    assert (await api.patch(f"{path}/{name}", stale)).status == 409


async def test_json_patch(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name))
    operations = [
        {"op": "test", "path": "/spec/level", "value": 2},
        {"op": "replace", "path": "/spec/level", "value": 4},
        {"op": "add", "path": "/spec/words", "value": ["wa"]},
        {"op": "add", "path": "/spec/words/-", "value": "wb"},
    ]
    answer = await api.patch(f"{path}/{name}", operations, JSON_PATCH)
    assert answer.status == 200
    assert (answer.body["spec"]["level"], answer.body["spec"]["words"]) == (4, ["wa", "wb"])


async def test_json_patch_with_a_failing_test_is_422(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name))
    operations = [{"op": "test", "path": "/spec/level", "value": 99}]
    assert (await api.patch(f"{path}/{name}", operations, JSON_PATCH)).status == 422


async def test_custom_resources_refuse_strategic_patches(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name))
    assert (await api.patch(f"{path}/{name}", {"spec": {"level": 4}}, STRATEGIC)).status == 415


async def test_patch_of_nothing_is_404(api: Api, path: str, name: str) -> None:
    assert (await api.patch(f"{path}/{name}", {"spec": {"level": 4}})).status == 404


async def test_dry_run_of_a_patch_changes_nothing(api: Api, path: str, name: str) -> None:
    before = await api.create(path, sample(name))
    answer = await api.patch(f"{path}/{name}", {"spec": {"level": 4}}, dryRun="All")
    assert answer.body["spec"]["level"] == 4
    after = await api.get(f"{path}/{name}")
    assert after.body == before.body


async def test_status_patches_change_the_status_alone(api: Api, path: str, name: str) -> None:
    before = await api.create(path, sample(name))
    change = {"status": {"phase": "Running"}, "spec": {"level": 7}, "metadata": {"labels": {"a": "b"}}}
    answer = await api.patch(f"{path}/{name}/status", change)
    assert answer.body["status"] == {"phase": "Running"}
    assert answer.body["spec"]["level"] == 2
    assert answer.meta["generation"] == 1
    assert answer.meta["resourceVersion"] != before.meta["resourceVersion"]


async def test_ordinary_patches_leave_the_status_alone(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name))
    await api.patch(f"{path}/{name}/status", {"status": {"phase": "Running"}})
    answer = await api.patch(f"{path}/{name}", {"status": {"phase": "Hack"}})
    assert answer.body["status"]["phase"] == "Running"
    body = answer.body
    body["status"]["phase"] = "Hack"
    assert (await api.put(f"{path}/{name}", body)).body["status"]["phase"] == "Running"


async def test_put_of_the_status(api: Api, path: str, name: str) -> None:
    body = (await api.create(path, sample(name))).body
    body["status"] = {"phase": "Done"}
    body["spec"]["level"] = 9
    answer = await api.put(f"{path}/{name}/status", body)
    assert (answer.body["status"]["phase"], answer.body["spec"]["level"]) == ("Done", 2)


async def test_get_of_the_status(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name))
    await api.patch(f"{path}/{name}/status", {"status": {"phase": "Running"}})
    answer = await api.get(f"{path}/{name}/status")
    assert answer.body["status"]["phase"] == "Running"


async def test_a_stale_version_in_a_status_patch_is_a_conflict(api: Api, path: str, name: str) -> None:
    before = await api.create(path, sample(name))
    change = {"metadata": {"resourceVersion": before.meta["resourceVersion"]}, "status": {"phase": "A"}}
    assert (await api.patch(f"{path}/{name}/status", change)).status == 200
    assert (await api.patch(f"{path}/{name}/status", change)).status == 409
