"""CREATE: identity, defaults, validation and refusals."""

from __future__ import annotations

import uuid

from conformance.client import Api
from conformance.samples import GROUP, MODES, sample


async def test_empty_list_has_its_kind_and_a_resource_version(api: Api, path: str) -> None:
    answer = await api.get(path, labelSelector="nobody=has-this")
    assert answer.body["kind"] == "SampleList"
    assert answer.body["items"] == []
    assert int(answer.meta["resourceVersion"]) > 0


async def test_create_sets_the_servers_metadata(api: Api, path: str, name: str) -> None:
    answer = await api.post(path, sample(name))
    assert answer.status == 201
    assert uuid.UUID(answer.meta["uid"])
    assert answer.meta["creationTimestamp"].endswith("Z")
    assert int(answer.meta["resourceVersion"]) > 0
    assert answer.meta["generation"] == 1


async def test_clients_cannot_choose_the_servers_metadata(api: Api, path: str, name: str) -> None:
    chosen = {"uid": "mine", "generation": 7, "creationTimestamp": "2001-01-01T00:00:00Z"}
    answer = await api.create(path, sample(name, chosen))
    assert answer.meta["uid"] != "mine"
    assert answer.meta["generation"] == 1
    assert not answer.meta["creationTimestamp"].startswith("2001")


async def test_defaults_are_applied_at_every_level(api: Api, path: str, name: str) -> None:
    answer = await api.create(path, sample(name, steps=[{"name": "a"}]))
    assert answer.body["spec"]["level"] == 2
    assert answer.body["spec"]["steps"] == [{"name": "a", "count": 1}]


async def test_null_counts_as_absent_where_there_is_a_default(api: Api, path: str, name: str) -> None:
    answer = await api.create(path, sample(name, level=None))
    assert answer.body["spec"]["level"] == 2


async def test_nullable_fields_keep_null(api: Api, path: str, name: str) -> None:
    answer = await api.create(path, sample(name, maybe=None))
    assert answer.body["spec"]["maybe"] is None


async def test_unknown_fields_are_pruned_and_free_ones_kept(api: Api, path: str, name: str) -> None:
    free = {"a": {"b": [{"c": 1}, [2]]}}
    answer = await api.create(path, sample(name, unknown=1, free=free))
    assert "unknown" not in answer.body["spec"]
    assert answer.body["spec"]["free"] == free


async def test_status_is_dropped(api: Api, path: str, name: str) -> None:
    answer = await api.create(path, {**sample(name), "status": {"phase": "X"}})
    assert "status" not in answer.body


async def test_generated_names(api: Api, path: str) -> None:
    answer = await api.create(path, sample(metadata={"generateName": "gen-"}))
    assert answer.meta["name"].startswith("gen-")
    assert len(answer.meta["name"]) == len("gen-") + 5


async def test_a_name_is_required(api: Api, path: str) -> None:
    answer = await api.post(path, sample())
    assert (answer.status, answer.reason) == (422, "Invalid")
    assert "name or generateName is required" in answer.message


async def test_names_must_be_subdomains(api: Api, path: str) -> None:
    answer = await api.post(path, sample("Bad_Name"))
    assert answer.status == 422
    assert 'metadata.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain' in answer.message


async def test_labels_must_be_labels(api: Api, path: str, name: str) -> None:
    answer = await api.post(path, sample(name, {"labels": {"a": "no spaces"}}))
    assert answer.status == 422
    assert 'metadata.labels: Invalid value: "no spaces": a valid label must be' in answer.message


async def test_a_second_object_of_a_name_is_refused(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name))
    answer = await api.post(path, sample(name))
    assert (answer.status, answer.reason) == (409, "AlreadyExists")
    assert answer.message == f'samples.{GROUP} "{name}" already exists'


async def test_get_of_nothing_is_404_with_details(api: Api, path: str, name: str) -> None:
    answer = await api.get(f"{path}/{name}")
    assert (answer.status, answer.reason) == (404, "NotFound")
    assert answer.message == f'samples.{GROUP} "{name}" not found'
    assert answer.body["details"] == {"name": name, "group": GROUP, "kind": "samples"}


async def test_dry_run_does_not_persist(api: Api, path: str, name: str) -> None:
    answer = await api.post(path, sample(name), dryRun="All")
    assert answer.status == 201
    assert answer.meta["uid"]
    assert (await api.get(f"{path}/{name}")).status == 404


async def test_malformed_json_is_400(api: Api, path: str) -> None:
    assert (await api.post(path, "{not json")).status == 400


async def test_wrong_kind_and_version_are_refused(api: Api, path: str, name: str) -> None:
    answer = await api.post(path, {**sample(name), "kind": "Other"})
    assert answer.status == 422
    assert 'kind: Invalid value: "Other": must be Sample' in answer.message
    assert (await api.post(path, {**sample(name), "apiVersion": f"{GROUP}/v9"})).status == 400


async def test_custom_resources_must_say_their_kind(api: Api, path: str, name: str) -> None:
    body = sample(name)
    del body["kind"]
    answer = await api.post(path, body)
    assert answer.status == 400
    assert "Object 'Kind' is missing" in answer.message


async def test_labels_must_be_text(api: Api, path: str, name: str) -> None:
    answer = await api.post(path, sample(name, {"labels": {"a": 1}}))
    assert answer.status == 400
    assert 'Sample in version "v1" cannot be handled as a Sample: json: cannot unmarshal number' in answer.message


async def test_null_goes_where_it_is_not_allowed(api: Api, path: str, name: str) -> None:
    answer = await api.create(path, sample(name, project=None, words=None))
    assert answer.body["spec"] == {"mode": "image", "level": 2, "cancel": False}


async def test_whole_numbers_are_integers(api: Api, path: str, name: str) -> None:
    answer = await api.create(path, sample(name, level=3.0, ratio=2.0))
    assert (repr(answer.body["spec"]["level"]), repr(answer.body["spec"]["ratio"])) == ("3", "2")


async def test_another_namespace_in_the_body_is_400(api: Api, path: str, name: str) -> None:
    assert (await api.post(path, sample(name, {"namespace": "elsewhere"}))).status == 400


async def test_yaml_bodies_are_accepted(api: Api, path: str, name: str) -> None:
    text = f"apiVersion: {GROUP}/v1\nkind: Sample\nmetadata: {{name: {name}}}\nspec: {{mode: audio}}\n"
    answer = await api.request("POST", path, text, "application/yaml")
    assert answer.status == 201
    assert answer.body["spec"]["mode"] == MODES[2]


async def test_a_missing_namespace_is_404(api: Api, path: str, namespace: str, name: str) -> None:
    answer = await api.post(path.replace(namespace, "no-such-namespace"), sample(name))
    assert answer.status == 404
    assert answer.message == 'namespaces "no-such-namespace" not found'


async def test_too_large_bodies_are_413(api: Api, path: str, name: str) -> None:
    answer = await api.post(path, sample(name, free={"x": "y" * 4_000_000}))
    assert answer.status == 413
