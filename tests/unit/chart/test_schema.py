"""Wrong values are refused before anything is installed, and the message names the key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from helm_python import Chart
from helm_python.errors import HelmError, HelmValuesError

from mediatask_crds.tasktypes import task_types

from .conftest import CHART, PRODUCTION, QUICK_START, Render, Values, merged

FREE = {"affinity", "labelSelector", "global", "parameters", "nodeAffinity", "podAffinity", "podAntiAffinity"} | {
    "namespaceSelector",
    "podSelector",
}
"""Keys whose insides are Kubernetes' or the job runner's to check."""


def job_class(**spec: Any) -> Values:
    return {"classes": {"x": {"taskTypes": ["test_prompt"], **spec}}}


WRONG: list[tuple[Values, str]] = [
    ({"replicas": 2}, "replicas"),
    ({"image": {"name": "x"}}, "/image.*'name'"),
    ({"image": {"tag": 1}}, "/image/tag"),
    ({"image": {"repository": "has a space"}}, "/image/repository"),
    ({"image": {"digest": "sha256:abc"}}, "/image/digest"),
    ({"jobImage": {"pullPolicy": "Sometimes"}}, "/jobImage/pullPolicy"),
    ({"environment": "test"}, "/environment"),
    ({"platform": {"brainUrl": "brain:8002"}}, "/platform/brainUrl"),
    ({"platform": {"neo4jUrl": "http://neo4j:7474"}}, "/platform.*'neo4jUrl'"),
    ({"systemHealth": {"enabled": "yes"}}, "/systemHealth/enabled"),
    ({"webhooks": {"baseUrl": "hooks"}}, "/webhooks/baseUrl"),
    ({"imagePullSecrets": ["registry"]}, "/imagePullSecrets/0"),
    ({"crds": {"installed": True}}, "/crds.*'installed'"),
    ({"crds": {"keep": "yes"}}, "/crds/keep"),
    ({"serviceAccounts": {"worker": {}}}, "/serviceAccounts.*'worker'"),
    ({"serviceAccounts": {"job": {"automount": True}}}, "/serviceAccounts/job.*'automount'"),
    ({"rbac": {"namespaces": "media"}}, "/rbac/namespaces"),
    ({"rbac": {"namespaces": ["Media"]}}, "/rbac/namespaces/0"),
    ({"s3": {"secretKey": "x"}}, "/s3.*'secretKey'"),
    ({"s3": {"endpoint": "s3.example.com"}}, "/s3/endpoint"),
    ({"s3": {"bucket": "A"}}, "/s3/bucket"),
    ({"s3": {"addressing": "host"}}, "/s3/addressing"),
    ({"s3": {"urlExpirySeconds": 604801}}, "/s3/urlExpirySeconds"),
    ({"s3": {"bundled": {"persistence": {"storageClass": "fast"}}}}, "/s3/bundled/persistence.*'storageClass'"),
    ({"s3": {"bundled": {"persistence": {"size": "ten"}}}}, "/s3/bundled/persistence/size"),
    ({"redis": {"url": "localhost:6379"}}, "/redis/url"),
    ({"redis": {"bundled": True}}, "/redis/bundled"),
    ({"redis": {"password": "x"}}, "/redis.*'password'"),
    ({"webhooks": {"timeoutSeconds": 0}}, "/webhooks/timeoutSeconds"),
    ({"webhooks": {"apiKeyHosts": ["https://hooks.example.com"]}}, "/webhooks/apiKeyHosts/0"),
    ({"webhooks": {"apiKeyHosts": ["*"]}}, "/webhooks/apiKeyHosts/0"),
    ({"webhooks": {"secret": "whsec_x"}}, "/webhooks.*'secret'"),
    ({"brain": {"protocol": "ws"}}, "/brain/protocol"),
    ({"brain": {"token": "x"}}, "/brain.*'token'"),
    ({"brain": {"mcpPath": "mcp"}}, "/brain/mcpPath"),
    ({"payload": {"apiUrl": "cms.example.com"}}, "/payload/apiUrl"),
    ({"payload": {"apiUrl": "https://user:secret@cms.example.com"}}, "/payload/apiUrl"),
    ({"payload": {"apiKey": "x"}}, "/payload.*'apiKey'"),
    ({"payload": {"fields": {"alt": 1}}}, "/payload/fields/alt"),
    ({"payload": {"fields": {"a b": "x"}}}, "'a b'"),
    ({"payload": {"projects": "projects"}}, "/payload/projects"),
    ({"allowNetworks": ["10.0.0.0/33"]}, "/allowNetworks/0"),
    ({"allowNetworks": ["everything"]}, "/allowNetworks/0"),
    ({"log": {"level": "debug"}}, "/log/level"),
    ({"api": {"replicas": -1}}, "/api/replicas"),
    ({"api": {"replicas": "2"}}, "/api/replicas"),
    ({"api": {"drainSeconds": "10s"}}, "/api/drainSeconds"),
    ({"api": {"keys": {"value": "mtk_x"}}}, "/api/keys.*'value'"),
    ({"api": {"jwt": {"algorithms": ["HS256"]}}}, "/api/jwt/algorithms"),
    ({"api": {"jwt": {"jwksUrl": "http://idp"}}}, "/api/jwt/jwksUrl"),
    ({"api": {"serviceAccounts": [{"namespace": "a", "name": "b", "role": "king", "projects": ["*"]}]}}, "/role"),
    ({"api": {"service": {"type": "ExternalName"}}}, "/api/service/type"),
    ({"api": {"podDisruptionBudget": {"minAvailable": 1}}}, "/api/podDisruptionBudget.*'minAvailable'"),
    ({"api": {"topologySpreadConstraints": [{"maxSkew": 1}]}}, "/api/topologySpreadConstraints/0"),
    ({"api": {"extraEnv": [{"name": "A", "val": "b"}]}}, "/api/extraEnv/0.*'val'"),
    ({"api": {"resources": {"limits": {"memory": "512 MB"}}}}, "/api/resources/limits/memory"),
    ({"api": {"publicUrl": "media.example.com"}}, "/api/publicUrl"),
    ({"operator": {"replicas": 2}}, "/operator.*'replicas'"),
    ({"operator": {"tolerations": [{"key": "a", "op": "Exists"}]}}, "/operator/tolerations/0.*'op'"),
    ({"operator": {"nodeSelector": {"gpu": True}}}, "/operator/nodeSelector/gpu"),
    ({"classes": [{"name": "x"}]}, "/classes"),
    ({"classes": {"Big_Class": {"taskTypes": ["test_prompt"]}}}, "Big_Class"),
    ({"classes": {"x": {"image": "a"}}}, "/classes/x.*taskTypes"),
    (job_class(gpus=1), "/classes/x.*'gpus'"),
    (job_class(gpu={"count": -1}), "/classes/x/gpu/count"),
    (job_class(model={"url": "x"}), "/classes/x/model.*'url'"),
    (job_class(inputs={"onMissing": "ignore"}), "/classes/x/inputs/onMissing"),
    (job_class(resources={"limits": {"memory": 4}}), "/classes/x/resources/limits/memory"),
    (job_class(taskTypes=["nope"]), "/classes/x/taskTypes/0"),
    ({"rbac": {"aggregate": "yes"}}, "/rbac/aggregate"),
    ({"metrics": {"port": 9090}}, "/metrics.*'port'"),
    ({"networkPolicy": {"enabled": 1}}, "/networkPolicy/enabled"),
    ({"networkPolicy": {"metricsFrom": [{}]}}, "/networkPolicy/metricsFrom/0"),
    ({"networkPolicy": {"metricsFrom": [{"namespace": "x"}]}}, "/networkPolicy/metricsFrom/0.*'namespace'"),
    ({"networkPolicy": {"metricsFrom": [{"ipBlock": {"cidr": "all"}}]}}, "/networkPolicy/metricsFrom/0/ipBlock/cidr"),
    ({"test": {"timeoutSeconds": 0}}, "/test/timeoutSeconds"),
]


@pytest.mark.parametrize(("wrong", "named"), WRONG, ids=[json.dumps(values) for values, _ in WRONG])
def test_the_key_of_a_wrong_value_is_named(chart: Chart, wrong: Values, named: str) -> None:
    with pytest.raises(HelmValuesError, match=f"(?s){named}"):
        chart.validate_schema(merged(QUICK_START, wrong))


TOGETHER: list[tuple[Values, str]] = [
    ({"image": {"repository": ""}}, "image.repository"),
    ({"api": {"keys": {"generate": True}}}, "api.keys"),
    ({"api": {"jwt": {"jwksUrl": ""}}}, "api.jwt"),
    ({"webhooks": {"generate": True}}, "webhooks"),
    ({"webhooks": {"existingSecret": ""}}, "webhooks.apiKeyKey"),
    ({"webhooks": {"apiKeyHosts": []}}, "webhooks.apiKeyHosts"),
    ({"payload": {"existingSecret": ""}}, "payload.apiUrl"),
    ({"redis": {"url": "redis://redis:6379"}}, "redis"),
    ({"redis": {"bundled": {"enabled": True}}}, "redis"),
    ({"s3": {"bundled": {"enabled": True}}}, "s3"),
    ({"jobImage": {"repository": ""}}, "classes.image.image"),
    ({"rbac": {"namespaces": ["elsewhere"]}}, "rbac.namespaces"),
    ({"serviceAccounts": {"api": {"create": False}}}, "serviceAccounts.api.name"),
    ({"serviceAccounts": {"job": {"create": True}}, "rbac": {"namespaces": []}}, "rbac.namespaces"),
]


@pytest.mark.parametrize(("wrong", "named"), TOGETHER, ids=[json.dumps(values) for values, _ in TOGETHER])
def test_values_that_cannot_work_together_are_refused(render: Render, wrong: Values, named: str) -> None:
    with pytest.raises(HelmError, match=f"\n  {named}: "):
        render(merged(PRODUCTION, wrong))


def test_all_that_is_missing_is_told_at_once(render: Render) -> None:
    with pytest.raises(HelmError) as refused:
        render({"webhooks": {"apiKeyKey": "key"}})
    assert all(f"\n  {key}: " in str(refused.value) for key in ("image.repository", "webhooks.apiKeyKey"))


def test_the_schema_knows_the_keys_of_the_values_and_no_others() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    def compare(part: dict[str, Any], value: Any, path: str) -> None:
        part = _resolved(schema, part)
        properties = part.get("properties")
        if not isinstance(value, dict) or properties is None or not value:
            return
        if path.endswith(".resources"):
            return  # optional keys
        assert properties.keys() - {"global"} == value.keys(), path
        for key in value:
            compare(properties[key], value[key], f"{path}.{key}")

    compare(schema, values, "")


def test_a_class_may_have_every_task_type(chart: Chart) -> None:
    chart.validate_schema(merged(QUICK_START, job_class(taskTypes=list(task_types()))))


def test_no_object_takes_unknown_keys() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    open_ones = [path for path, part in _objects(schema, "") if "additionalProperties" not in part]
    assert [path for path in open_ones if path.rsplit("/", 1)[-1] not in FREE] == []


def _resolved(schema: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in part:
        found: dict[str, Any] = schema["$defs"][part["$ref"].rsplit("/", 1)[-1]]
        return found
    return part


def _objects(part: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(part, dict):
        if part.get("type") == "object":
            yield path, part
        for key, value in part.items():
            yield from _objects(value, f"{path}/{key}")
    elif isinstance(part, list):
        for index, value in enumerate(part):
            yield from _objects(value, f"{path}/{index}")
