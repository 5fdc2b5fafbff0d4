"""WATCH: order, history, selectors, bookmarks and ends."""

from __future__ import annotations

import time

from conformance.client import Api, names
from conformance.samples import sample


async def revision(api: Api, path: str) -> str:
    return str((await api.get(path)).meta["resourceVersion"])


async def test_new_events_come_in_order(api: Api, path: str, name: str) -> None:
    async with api.watch(
        path, resourceVersion=await revision(api, path), fieldSelector=f"metadata.name={name}"
    ) as watch:
        await api.create(path, sample(name))
        await api.patch(f"{path}/{name}", {"metadata": {"labels": {"l": "1"}}})
        await api.delete(f"{path}/{name}")
        events = await watch.take(3)
    assert names(events) == [("ADDED", name), ("MODIFIED", name), ("DELETED", name)]
    versions = [int(obj["metadata"]["resourceVersion"]) for _, obj in events]
    assert versions == sorted(set(versions))


async def test_history_is_replayed(api: Api, path: str, name: str) -> None:
    since = await revision(api, path)
    await api.create(path, sample(name))
    await api.delete(f"{path}/{name}")
    async with api.watch(path, resourceVersion=since, fieldSelector=f"metadata.name={name}") as watch:
        events = await watch.take(2)
    assert names(events) == [("ADDED", name), ("DELETED", name)]


async def test_without_a_version_the_present_state_comes_first(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name))
    async with api.watch(path, fieldSelector=f"metadata.name={name}") as watch:
        assert names(await watch.take(1)) == [("ADDED", name)]


async def test_the_time_limit_ends_the_stream(api: Api, path: str) -> None:
    start = time.monotonic()
    async with api.watch(path, resourceVersion=await revision(api, path), timeoutSeconds="1") as watch:
        await watch.rest()
    assert 0.7 < time.monotonic() - start < 4


async def test_other_spellings_of_true(api: Api, path: str) -> None:
    async with api.watch(path, watch="1", resourceVersion=await revision(api, path), timeoutSeconds="1") as watch:
        await watch.rest()


async def test_entering_a_selection_is_added_and_leaving_is_deleted(api: Api, path: str, name: str) -> None:
    async with api.watch(path, resourceVersion=await revision(api, path), labelSelector=f"sel={name}") as watch:
        await api.create(path, sample(name))
        await api.patch(f"{path}/{name}", {"metadata": {"labels": {"sel": name}}})
        await api.patch(f"{path}/{name}", {"spec": {"level": 3}})
        await api.patch(f"{path}/{name}", {"metadata": {"labels": {"sel": "other"}}})
        events = await watch.take(3)
    assert [kind for kind, _ in events] == ["ADDED", "MODIFIED", "DELETED"]


async def test_selectable_fields_select_events(api: Api, path: str, name: str) -> None:
    selector = f"metadata.name={name},spec.mode=audio"
    async with api.watch(path, resourceVersion=await revision(api, path), fieldSelector=selector) as watch:
        await api.create(path, sample(name))
        await api.patch(f"{path}/{name}", {"spec": {"mode": "audio"}})
        events = await watch.take(1)
    assert names(events) == [("ADDED", name)]


async def test_a_version_too_old_is_410(api: Api, path: str) -> None:
    answer = await api.get(path, watch="true", resourceVersion="1", timeoutSeconds="2")
    if answer.status == 200:
        assert answer.body["type"] == "ERROR"
        status = answer.body["object"]
    else:
        status = answer.body
    assert (status["code"], status["reason"]) == (410, "Expired")


async def test_streaming_lists_end_with_a_bookmark(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name))
    query = {
        "allowWatchBookmarks": "true",
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "fieldSelector": f"metadata.name={name}",
        "timeoutSeconds": "5",
    }
    async with api.watch(path, **query) as watch:
        (first, _), (second, bookmark) = await watch.take(2)
    assert (first, second) == ("ADDED", "BOOKMARK")
    assert bookmark["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true"
    assert int(bookmark["metadata"]["resourceVersion"]) > 0


async def test_a_streaming_list_must_say_how_fresh(api: Api, path: str) -> None:
    answer = await api.get(path, watch="true", sendInitialEvents="true", timeoutSeconds="1")
    assert answer.status == 422


async def test_watch_of_one_name(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name))
    async with api.watch(path, fieldSelector=f"metadata.name={name}", timeoutSeconds="1") as watch:
        assert names(await watch.rest()) == [("ADDED", name)]
