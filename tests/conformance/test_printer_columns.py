"""Printer columns: the paths that `kubectl get` shows, and what becomes of those that are none."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from conformance import samples
from conformance.client import TABLE, Answer, Api, eventually

FREE = {
    "runs": [{"node": "a", "code": 1}, {"node": "b", "code": 2}, {"node": "c", "code": 3}],
    "empty": [],
    "labels": {"example.com/x": "slash"},
    "word": "w",
}
PATHS = {
    ".spec.free.runs[-1:].node": "c",
    ".spec.free.runs[0].node": "a",
    ".spec.free.runs[-1].node": "c",
    ".spec.free.runs[1:].node": "b",
    ".spec.free.runs[:2].code": 1,
    ".spec.free.runs[7].node": None,
    ".spec.free.runs[2:9].node": None,
    ".spec.free.empty[-1:].node": None,
    ".spec.free.missing[-1:].node": None,
    ".spec.free.word[0]": None,
    ".spec.free.runs[1,2].node": "b",
    ".spec.free.runs[*].node": "a",
    ".spec.free.runs[?(@.code==2)].node": "b",
    ".spec.free.runs[?(@.code>1)].node": "b",
    ".spec.free.runs[?(@.code=='2')].node": None,
    ".spec.free.runs[?(@.node!='a')].node": "b",
    ".spec.free.runs[?(@.node)].node": "a",
    ".spec.free.runs[?(@.none)].node": None,
    r".spec.free.labels.example\.com/x": "slash",
    r".spec.free.labels['example\.com/x']": "slash",
    ".spec.free.labels['example.com/x']": None,
    "..runs[0].node": "a",
}


async def define(api: Api, columns: list[dict[str, Any]]) -> tuple[str, Answer]:
    """Create a kind with these columns: the path of its objects, and the answer."""
    plural = f"printed{uuid.uuid4().hex[:8]}"
    definition = samples.definition(plural=plural, kind=plural.capitalize())
    definition["spec"]["names"].pop("shortNames", None)  # two kinds of a group cannot share one
    definition["spec"]["versions"][0]["additionalPrinterColumns"] = columns
    return f"{samples.API}/namespaces/default/{plural}", await api.post(samples.CRDS, definition)


async def printed(api: Api, path: str, kind: str) -> tuple[list[str], list[Any]]:
    """Names of the columns, and the cells of one object."""

    async def served() -> bool:
        return (await api.get(path)).status == 200

    await eventually(served)
    await api.create(path, {**samples.sample("one", free=FREE), "kind": kind})
    table = (await api.request("GET", path, accept=TABLE)).body
    return [column["name"] for column in table["columnDefinitions"]], table["rows"][0]["cells"]


async def test_what_paths_lead_to(api: Api) -> None:
    columns = [
        {"name": f"C{number}", "type": "integer" if path.endswith("code") else "string", "jsonPath": path}
        for number, path in enumerate(PATHS)
    ]
    path, answer = await define(api, columns)
    assert answer.status == 201, answer.message
    _, cells = await printed(api, path, answer.body["spec"]["names"]["kind"])
    assert dict(zip(PATHS, cells[1:], strict=True)) == PATHS


@pytest.mark.parametrize(
    "wrong", [".spec.free[", ".spec.free[x]", '.spec.free["word"]', ".spec.free.runs[?(@.code==2)"]
)
async def test_a_path_that_cannot_be_parsed_ends_the_table(api: Api, wrong: str) -> None:
    paths = {"Mode": ".spec.mode", "Wrong": wrong, "After": ".spec.mode"}
    columns = [{"name": name, "type": "string", "jsonPath": path} for name, path in paths.items()]
    path, answer = await define(api, columns)
    assert answer.status == 201, answer.message
    names, _ = await printed(api, path, answer.body["spec"]["names"]["kind"])
    assert names == ["Name", "Mode"]


@pytest.mark.parametrize(
    ("column", "complaint"),
    [
        ({"name": "X", "type": "string", "jsonPath": "spec.mode"}, "must be a simple json path starting with ."),
        ({"name": "X", "type": "text", "jsonPath": ".spec.mode"}, "must be one of boolean,date,integer,number,string"),
        ({"name": "", "type": "string", "jsonPath": ".spec.mode"}, "additionalPrinterColumns[0].name: Required value"),
    ],
)
async def test_a_column_that_is_refused(api: Api, column: dict[str, Any], complaint: str) -> None:
    _, answer = await define(api, [column])
    assert answer.status == 422
    assert complaint in answer.message
