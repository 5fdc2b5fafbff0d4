"""Classes that an installation brings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import yaml

from mediatask_common.kube import CLASSES, Kube, KubeError, Object
from mediatask_operator.acting.default_classes import apply_classes, read_classes
from support.apiserver import embedded_apiserver


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with embedded_apiserver(tmp_path_factory.mktemp("apiserver")) as path:
        yield path


@pytest.fixture
async def kube(kubeconfig: Path) -> AsyncIterator[Kube]:
    async with await Kube.connect(kubeconfig) as client:
        yield client


def task_class(name: str, **spec: object) -> Object:
    return {
        "apiVersion": "tasks.ft.tc/v1alpha1",
        "kind": "MediaTaskClass",
        "metadata": {"name": name},
        "spec": {"taskTypes": ["test_prompt"], "image": "job:1", **spec},
    }


async def image(kube: Kube, name: str) -> str:
    return str((await kube.get(CLASSES, name))["spec"]["image"])


async def test_an_upgrade_reaches_the_classes_that_nobody_else_has_changed(kube: Kube) -> None:
    await apply_classes(kube, [task_class("left-alone"), task_class("changed-by-hand")])
    await kube.patch(CLASSES, "changed-by-hand", {"spec": {"image": "mine:1"}})

    newer = [task_class(name, image="job:2") for name in ("changed-by-hand", "left-alone")]
    await apply_classes(kube, newer)

    assert await image(kube, "left-alone") == "job:2"
    assert await image(kube, "changed-by-hand") == "mine:1"


async def test_a_faulty_class_does_not_keep_the_others_back(kube: Kube) -> None:
    faulty = [task_class("faulty", maxInFlight=0), task_class("mistyped", taskType="x")]
    await apply_classes(kube, [*faulty, task_class("fine")])

    assert await image(kube, "fine") == "job:1"
    names = {item["metadata"]["name"] for item in (await kube.list(CLASSES))["items"]}
    assert not names & {"faulty", "mistyped"}


@pytest.fixture
def kubeconfig_of_nobody(tmp_path: Path, kubeconfig: Path) -> Path:
    config = yaml.safe_load(kubeconfig.read_text())
    for cluster in config["clusters"]:
        cluster["cluster"]["server"] = "https://127.0.0.1:1"
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


async def test_an_absent_api_server_is_for_the_caller_to_wait_for(kubeconfig_of_nobody: Path) -> None:
    async with await Kube.connect(kubeconfig_of_nobody) as kube:
        with pytest.raises(KubeError) as caught:
            await apply_classes(kube, [task_class("one")])
    assert caught.value.unavailable


def test_the_file_may_hold_any_number_of_documents(tmp_path: Path) -> None:
    path = tmp_path / "classes.yaml"
    classes = [task_class("one"), task_class("two")]
    path.write_text(yaml.safe_dump_all(classes, explicit_start=True))
    assert read_classes(path) == classes
