"""CustomResourceDefinitions themselves: served at once, gone with all they brought."""

from __future__ import annotations

import uuid
from typing import Any

from conformance import samples
from conformance.client import Api, eventually


def other() -> dict[str, Any]:
    return samples.definition(plural="others", kind="Other")


async def test_the_life_of_a_definition(api: Api) -> None:
    # A name that no earlier run can have left behind.
    plural = f"others{uuid.uuid4().hex[:8]}"
    path = f"{samples.API}/namespaces/default/{plural}"
    definition = f"{samples.CRDS}/{plural}.{samples.GROUP}"
    assert (await api.get(path)).status == 404
    answer = await api.create(samples.CRDS, samples.definition(plural=plural, kind=plural.capitalize()))
    assert answer.body["spec"]["names"]["listKind"] == f"{plural.capitalize()}List"

    async def established() -> bool:
        status = (await api.get(definition)).body.get("status", {})
        true = {c["type"] for c in status.get("conditions") or () if c["status"] == "True"}
        return {"Established", "NamesAccepted"} <= true

    async def served() -> bool:
        return (await api.get(path)).status == 200

    await eventually(established)
    await eventually(served)
    body = {**samples.sample("a"), "kind": plural.capitalize()}
    await api.create(path, body)
    assert (await api.delete(definition)).status == 200

    async def gone() -> bool:
        return (await api.get(definition)).status == 404 and (await api.get(path)).status == 404

    await eventually(gone)


async def test_a_name_must_be_plural_and_group(api: Api) -> None:
    wrong = other()
    wrong["metadata"]["name"] = "wrong.example.com"
    answer = await api.post(samples.CRDS, wrong)
    assert answer.status == 422
    assert "metadata.name" in answer.message


async def test_a_schema_is_required(api: Api) -> None:
    wrong = other()
    del wrong["spec"]["versions"][0]["schema"]
    assert (await api.post(samples.CRDS, wrong)).status == 422


async def test_a_schema_must_be_structural(api: Api) -> None:
    wrong = other()
    root = wrong["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    root["properties"]["spec"]["properties"]["untyped"] = {"description": "no type"}
    answer = await api.post(samples.CRDS, wrong)
    assert answer.status == 422
    assert "type: Required value" in answer.message
