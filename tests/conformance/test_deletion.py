"""DELETE: finalizers, preconditions, collections, owners, namespaces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conformance.client import Api, eventually
from conformance.samples import GROUP, job, sample


def owned_by(owner: dict[str, Any], **extra: Any) -> dict[str, Any]:
    """Metadata of a dependent of a Sample."""
    metadata = owner["metadata"]
    reference = {"apiVersion": f"{GROUP}/v1", "kind": "Sample", "name": metadata["name"], "uid": metadata["uid"]}
    return {"ownerReferences": [{**reference, "controller": True, **extra}]}


async def gone(api: Api, path: str) -> bool:
    return (await api.get(path)).status == 404


async def test_delete_answers_with_a_status(api: Api, path: str, name: str) -> None:
    uid = (await api.create(path, sample(name))).meta["uid"]
    answer = await api.delete(f"{path}/{name}")
    assert answer.body["status"] == "Success"
    assert answer.body["details"] == {"name": name, "group": GROUP, "kind": "samples", "uid": uid}
    assert (await api.delete(f"{path}/{name}")).status == 404


async def test_finalizers_hold_an_object_back(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name, {"finalizers": ["x.io/f"]}))
    assert (await api.delete(f"{path}/{name}")).status == 200
    held = await api.get(f"{path}/{name}")
    assert held.meta["deletionTimestamp"]
    assert held.meta["deletionGracePeriodSeconds"] == 0
    assert held.meta["generation"] == 2
    await api.patch(f"{path}/{name}", {"metadata": {"finalizers": None}})
    assert await gone(api, f"{path}/{name}")


async def test_no_finalizer_may_be_added_to_what_is_deleted(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name, {"finalizers": ["x.io/f"]}))
    await api.delete(f"{path}/{name}")
    answer = await api.patch(f"{path}/{name}", {"metadata": {"finalizers": ["x.io/f", "x.io/g"]}})
    assert answer.status == 422
    assert "metadata.finalizers: Forbidden: no new finalizers can be added" in answer.message
    await api.patch(f"{path}/{name}", {"metadata": {"finalizers": None}})


async def test_a_second_delete_changes_nothing(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name, {"finalizers": ["x.io/f"]}))
    first = await api.delete(f"{path}/{name}")
    second = await api.delete(f"{path}/{name}")
    assert second.meta["resourceVersion"] == first.meta["resourceVersion"]
    await api.patch(f"{path}/{name}", {"metadata": {"finalizers": None}})


async def test_preconditions(api: Api, path: str, name: str) -> None:
    created = await api.create(path, sample(name))
    assert (await api.delete(f"{path}/{name}", {"preconditions": {"uid": "other"}})).status == 409
    assert (await api.delete(f"{path}/{name}", {"preconditions": {"resourceVersion": "1"}})).status == 409
    answer = await api.delete(f"{path}/{name}", {"preconditions": {"uid": created.meta["uid"]}})
    assert answer.status == 200


async def test_dry_run(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name))
    assert (await api.delete(f"{path}/{name}", dryRun="All")).status == 200
    assert not await gone(api, f"{path}/{name}")


async def test_delete_a_collection_by_label(api: Api, path: str, unique: Callable[[], str]) -> None:
    label, other = unique(), unique()
    for _ in range(2):
        await api.create(path, sample(unique(), {"labels": {"dc": label}}))
    await api.create(path, sample(other))
    assert (await api.delete(path, labelSelector=f"dc={label}")).status == 200
    assert (await api.get(path, labelSelector=f"dc={label}")).body["items"] == []
    assert not await gone(api, f"{path}/{other}")


async def test_dependents_are_collected(api: Api, path: str, jobs: str, name: str) -> None:
    owner = (await api.create(path, sample(name))).body
    await api.create(jobs, job(name, owned_by(owner)))
    await api.delete(f"{path}/{name}", {"propagationPolicy": "Background"})
    assert await gone(api, f"{path}/{name}")
    await eventually(lambda: gone(api, f"{jobs}/{name}"), 90)


async def test_foreground_deletion_waits_for_dependents(api: Api, path: str, name: str) -> None:
    owner = (await api.create(path, sample(name))).body
    held = {**owned_by(owner, blockOwnerDeletion=True), "finalizers": ["x.io/f"]}
    await api.create(path, sample(f"{name}-d", held))
    answer = await api.delete(f"{path}/{name}", {"propagationPolicy": "Foreground"})
    assert answer.meta["finalizers"] == ["foregroundDeletion"]

    async def dependent_marked() -> bool:
        return "deletionTimestamp" in (await api.get(f"{path}/{name}-d")).meta

    await eventually(dependent_marked, 90)
    assert not await gone(api, f"{path}/{name}")
    await api.patch(f"{path}/{name}-d", {"metadata": {"finalizers": None}})
    await eventually(lambda: gone(api, f"{path}/{name}"), 90)


async def test_orphans_stay(api: Api, path: str, name: str) -> None:
    owner = (await api.create(path, sample(name))).body
    await api.create(path, sample(f"{name}-d", owned_by(owner)))
    await api.delete(f"{path}/{name}", {"propagationPolicy": "Orphan"})

    async def orphaned() -> bool:
        return "ownerReferences" not in (await api.get(f"{path}/{name}-d")).meta

    await eventually(orphaned, 90)
    await eventually(lambda: gone(api, f"{path}/{name}"), 90)


async def test_an_owner_that_never_existed_takes_its_dependents_along(api: Api, path: str, name: str) -> None:
    ghost = {"metadata": {"name": "ghost", "uid": "00000000-0000-0000-0000-000000000001"}}
    await api.create(path, sample(name, owned_by(ghost)))
    await eventually(lambda: gone(api, f"{path}/{name}"), 90)


async def test_a_second_owner_keeps_an_object(api: Api, path: str, unique: Callable[[], str]) -> None:
    first, second, name = unique(), unique(), unique()
    one = (await api.create(path, sample(first))).body
    two = (await api.create(path, sample(second))).body
    references = [
        *owned_by(one)["ownerReferences"],
        *owned_by(two, controller=False)["ownerReferences"],
    ]
    await api.create(path, sample(name, {"ownerReferences": references}))
    await api.delete(f"{path}/{first}")

    async def owners() -> bool:
        left = (await api.get(f"{path}/{name}")).meta["ownerReferences"]
        return [r["name"] for r in left] == [second]

    await eventually(owners, 90)


async def test_an_unknown_policy_is_refused(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name))
    assert (await api.delete(f"{path}/{name}", {"propagationPolicy": "Sideways"})).status == 422


async def test_a_namespace_takes_its_content_along(api: Api, path: str, namespace: str, name: str) -> None:
    answer = await api.create("/api/v1/namespaces", {"metadata": {"name": name}})
    assert answer.body["status"]["phase"] == "Active"
    assert answer.meta["labels"]["kubernetes.io/metadata.name"] == name
    inside = path.replace(namespace, name)
    await api.create(inside, sample("a", {"finalizers": ["x.io/f"]}))
    answer = await api.delete(f"/api/v1/namespaces/{name}")
    assert answer.body["status"]["phase"] == "Terminating"

    async def terminating() -> bool:
        return "deletionTimestamp" in (await api.get(f"{inside}/a")).meta

    await eventually(terminating, 90)
    assert (await api.post(inside, sample("b"))).status == 403
    await api.patch(f"{inside}/a", {"metadata": {"finalizers": None}})
    await eventually(lambda: gone(api, f"/api/v1/namespaces/{name}"), 90)


async def test_the_default_namespace_stays(api: Api) -> None:
    assert (await api.get("/api/v1/namespaces/default")).status == 200
    assert (await api.delete("/api/v1/namespaces/default")).status == 403
