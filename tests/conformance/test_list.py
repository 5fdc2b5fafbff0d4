"""LIST: selectors, pages and tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from conformance.client import TABLE, Answer, Api
from conformance.samples import job, sample


def found(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.body
    return [item["metadata"]["name"] for item in answer.body["items"]]


async def test_label_selector_equality(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name, {"labels": {"id": name, "p": "1"}}))
    assert found(await api.get(path, labelSelector=f"id={name}")) == [name]
    assert found(await api.get(path, labelSelector=f"id=={name},p=1")) == [name]
    assert found(await api.get(path, labelSelector=f"id={name},p=2")) == []


async def test_label_selector_sets_and_existence(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name, {"labels": {"id": name, "p": "1"}}))
    assert found(await api.get(path, labelSelector=f"id in ({name},y),p!=2,!zz,p")) == [name]
    assert found(await api.get(path, labelSelector=f"id={name},p notin (1,2)")) == []
    assert found(await api.get(path, labelSelector=f"id={name},q notin (1)")) == [name]


@pytest.mark.parametrize("selector", ["a in b", "=x", "a=b=c", "a,,&"])
async def test_a_bad_label_selector_is_400(api: Api, path: str, selector: str) -> None:
    assert (await api.get(path, labelSelector=selector)).status == 400


async def test_field_selector_name(api: Api, path: str, namespace: str, name: str) -> None:
    await api.create(path, sample(name))
    assert found(await api.get(path, fieldSelector=f"metadata.name={name}")) == [name]
    selector = f"metadata.name={name},metadata.namespace!={namespace}"
    assert found(await api.get(path, fieldSelector=selector)) == []


async def test_selectable_fields(api: Api, path: str, unique: Callable[[], str]) -> None:
    one, two, label = unique(), unique(), unique()
    await api.create(path, sample(one, {"labels": {"set": label}}, mode="audio"))
    await api.create(path, sample(two, {"labels": {"set": label}}, mode="image"))
    query = {"labelSelector": f"set={label}"}
    assert found(await api.get(path, fieldSelector="spec.mode=audio", **query)) == [one]
    assert found(await api.get(path, fieldSelector="spec.mode!=audio", **query)) == [two]


async def test_other_fields_cannot_be_selected(api: Api, path: str) -> None:
    answer = await api.get(path, fieldSelector="spec.level=2")
    assert answer.status == 400
    assert "field label not supported: spec.level" in answer.message


async def test_all_namespaces(api: Api, path: str, namespace: str, name: str) -> None:
    await api.create(path, sample(name))
    everywhere = path.replace(f"/namespaces/{namespace}", "")
    assert name in found(await api.get(everywhere))
    assert (await api.post(everywhere, sample("x"))).status == 404


async def test_pages(api: Api, path: str, unique: Callable[[], str]) -> None:
    label = unique()
    wanted = sorted(unique() for _ in range(5))
    for name in wanted:
        await api.create(path, sample(name, {"labels": {"page": label}}))
    query = {"labelSelector": f"page={label}", "limit": "2"}
    pages: list[list[str]] = []
    token = ""
    while True:
        answer = await api.get(path, **query, **({"continue": token} if token else {}))
        pages.append(found(answer))
        token = answer.meta.get("continue", "")
        if not token:
            break
    assert pages == [wanted[:2], wanted[2:4], wanted[4:]]


async def test_a_bad_continue_token_is_400(api: Api, path: str) -> None:
    assert (await api.get(path, limit="2", **{"continue": "rubbish"})).status == 400


async def table(api: Api, path: str, **query: str) -> tuple[list[str], list[Any]]:
    answer = await api.request("GET", path, accept=TABLE, **query)
    assert answer.body["kind"] == "Table"
    columns = [c["name"] for c in answer.body["columnDefinitions"]]
    return columns, [row["cells"] for row in answer.body["rows"]]


async def test_table_with_printer_columns(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name))
    conditions = [{"type": "Other", "status": "False"}, {"type": "Ready", "status": "True"}]
    await api.patch(f"{path}/{name}/status", {"status": {"conditions": conditions}})
    columns, rows = await table(api, path, fieldSelector=f"metadata.name={name}")
    assert columns == ["Name", "Mode", "Ready", "Level", "Age"]
    assert rows[0][:4] == [name, "image", "True", 2]
    assert rows[0][4].endswith("s")


async def test_table_of_one_object(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name))
    _, rows = await table(api, f"{path}/{name}")
    assert rows[0][:3] == [name, "image", None]


async def test_table_rows_carry_metadata(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name))
    answer = await api.request("GET", f"{path}/{name}", accept=TABLE)
    row = answer.body["rows"][0]
    assert row["object"]["kind"] == "PartialObjectMetadata"
    assert row["object"]["metadata"]["name"] == name


async def test_table_of_jobs(api: Api, jobs: str, name: str) -> None:
    await api.create(jobs, job(name))
    columns, rows = await table(api, f"{jobs}/{name}")
    assert columns == ["Name", "Status", "Completions", "Duration", "Age", "Containers", "Images", "Selector"]
    assert rows[0][0] == name
    assert rows[0][2] == "0/1"


async def test_table_of_pods(api: Api, pods: str) -> None:
    columns, _ = await table(api, pods)
    expected = ["Name", "Ready", "Status", "Restarts", "Age", "IP", "Node", "Nominated Node", "Readiness Gates"]
    assert columns == expected


async def test_table_of_events(api: Api, namespace: str) -> None:
    columns, _ = await table(api, f"/api/v1/namespaces/{namespace}/events")
    assert [c for c in columns if c in ("Last Seen", "Type", "Reason", "Object", "Message")] == [
        "Last Seen",
        "Type",
        "Reason",
        "Object",
        "Message",
    ]
