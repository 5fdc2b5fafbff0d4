"""The chart, rendered by Helm's own library: no cluster, no helm binary."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_python import Chart

Object = dict[str, Any]
Values = dict[str, Any]

REPOSITORY = Path(__file__).resolve().parents[3]
CHART = REPOSITORY / "charts" / "mediatask"
QUICK_START: Values = yaml.safe_load((CHART / "ci" / "local-values.yaml").read_text())
PRODUCTION: Values = {
    "image": {"repository": "registry.example.com/mediatask"},
    "jobImage": {"repository": "registry.example.com/mediatask-job"},
    "imagePullSecrets": [{"name": "registry"}],
    "s3": {"bucket": "media", "endpoint": "https://s3.example.com", "existingSecret": "s3-credentials"},
    "redis": {"existingSecret": "redis"},
    "webhooks": {"existingSecret": "webhooks", "apiKeyKey": "api-key", "apiKeyHosts": ["hooks.example.com"]},
    "payload": {
        "apiUrl": "https://cms.example.com/api",
        "existingSecret": "payload",
        "fields": {"alt": "{task_data.prompt}"},
    },
    "api": {
        "keys": {"existingSecret": "api-keys"},
        "jwt": {"issuer": "https://idp.example.com", "audience": "media", "jwksUrl": "https://idp.example.com/jwks"},
        "serviceAccounts": [{"namespace": "studio", "name": "renderer", "role": "writer", "projects": ["film"]}],
        "podDisruptionBudget": {"enabled": True},
    },
    "rbac": {"namespaces": ["media"]},
    "classes": {"image": {"taskTypes": ["generate_image"], "model": {"hub": "example/model", "revision": "1"}}},
}
Render = Callable[..., list[Object]]


@pytest.fixture(scope="session")
def chart() -> Iterator[Chart]:
    with Chart.load(CHART) as loaded:
        yield loaded


@pytest.fixture
def render(chart: Chart) -> Render:
    """The objects that an installation named mediatask in the namespace media would create."""

    def objects(values: Values, **options: Any) -> list[Object]:
        texts = chart.render(values, name="mediatask", namespace="media", **options)
        manifests = [text for path, text in texts.items() if path.endswith(".yaml")]
        return [item for text in manifests for item in yaml.safe_load_all(text) if item]

    return objects


def merged(base: Values, more: Values) -> Values:
    """Values over values, as Helm lays them."""
    out = dict(base)
    for key, value in more.items():
        out[key] = merged(base[key], value) if isinstance(value, dict) and isinstance(base.get(key), dict) else value
    return out


def find(objects: list[Object], kind: str, name: str) -> Object:
    return next(item for item in objects if item["kind"] == kind and item["metadata"]["name"] == name)


def pod_specs(objects: list[Object]) -> dict[str, Object]:
    """Every pod's spec by the name of what makes it."""
    specs = {}
    for item in objects:
        if item["kind"] == "Pod":
            specs[item["metadata"]["name"]] = item["spec"]
        elif "template" in item.get("spec", {}):
            specs[item["metadata"]["name"]] = item["spec"]["template"]["spec"]
    return specs


def env_of(container: Object) -> dict[str, str]:
    """The container's variables; what comes from a Secret as `secret:<name>/<key>`."""
    out = {}
    for entry in container["env"]:
        reference = entry.get("valueFrom", {}).get("secretKeyRef")
        out[entry["name"]] = f"secret:{reference['name']}/{reference['key']}" if reference else entry["value"]
    return out
