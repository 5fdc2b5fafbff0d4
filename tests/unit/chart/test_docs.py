"""The values that docs/install.md shows can be installed."""

from __future__ import annotations

import re

import yaml

from .conftest import REPOSITORY, Render, find, merged, pod_specs

BLOCKS = [
    yaml.safe_load(block)
    for block in re.findall(r"^```yaml\n(.*?)^```", (REPOSITORY / "docs" / "install.md").read_text(), re.M | re.S)
]


def test_the_production_installation_has_all_it_needs(render: Render) -> None:
    objects = render(BLOCKS[0])
    assert not [item for item in objects if item["kind"] == "Secret"]
    assert "mediatask-test" in pod_specs(objects)


def test_the_gpu_class_is_one(render: Render) -> None:
    [values] = [block for block in BLOCKS[1:] if "classes" in block]
    objects = render(merged(BLOCKS[0], values))
    brought = yaml.safe_load_all(find(objects, "ConfigMap", "mediatask-classes")["data"]["classes.yaml"])
    assert {item["metadata"]["name"] for item in brought} == {"audio", "image", "prompt"}
