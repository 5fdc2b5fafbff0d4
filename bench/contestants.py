"""Who is measured: this project's operator, and the textbook one beside it."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import orjson
import yaml

from bench.cluster import CRDS, NAMESPACE, PICTURE
from cluster.harness.cluster import free_ports
from cluster.harness.wait import wait_for
from mediatask_common.kube import CLASSES, TASKS, Kube, Object, Resource
from mediatask_common.store.file import ABOUT, CONTENT
from mediatask_crds import generate
from mediatask_crds.names import API_VERSION

GPU = "nvidia.com/gpu"
IMAGE = "registry.example/media-job:1"
TASK_DATA = {"prompt": "A noir detective in a rain-soaked alley, neon reflections, film grain, 35 mm. " * 4}
PEER = Path(__file__).with_name("peer")


class Contestant(Protocol):
    """An operator under measurement."""

    name: str
    """As the results call it."""
    tasks: Resource
    """Its kind of task."""
    command: list[str]
    """What to run."""

    def environment(self, folder: Path) -> Mapping[str, str]:
        """Variables of the command, beside KUBECONFIG; `folder` is for its files."""
        ...

    async def prepare(self, kube: Kube, tasks: int) -> None:
        """Make its kinds known to the cluster, for a burst of `tasks`."""
        ...

    def task(self, name: str) -> Object:
        """The body of a task."""
        ...

    def created(self, task: Object, folder: Path) -> None:
        """A task has been created: play the parts of its pod that kwok cannot."""
        ...


class Ours:
    """This project's operator, without the Redis view: the peer keeps none."""

    name = "mediatask"
    tasks = TASKS
    command = [sys.executable, "-m", "mediatask_operator"]

    def environment(self, folder: Path) -> Mapping[str, str]:
        health, metrics = free_ports(2)
        return {
            "MEDIATASK_HEALTH_PORT": str(health),
            "MEDIATASK_METRICS_PORT": str(metrics),
            "MEDIATASK_STORE_KIND": "file",
            "MEDIATASK_STORE_FOLDER": str(folder / "store"),
            "MEDIATASK_LOG_STYLE": "json",
        }

    async def prepare(self, kube: Kube, tasks: int) -> None:
        for crd in (generate.mediatask(), generate.mediataskclass()):
            await establish(kube, crd)
        body = {
            "apiVersion": API_VERSION,
            "kind": "MediaTaskClass",
            "metadata": {"name": "bench"},
            "spec": {
                "taskTypes": ["generate_image"],
                "default": True,
                "image": IMAGE,
                "tolerations": [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}],
                # The burst is to reach the API server, not to wait in the operator's queue.
                "maxInFlight": tasks,
            },
        }
        await kube.create(CLASSES, body)

    def task(self, name: str) -> Object:
        return {
            "apiVersion": API_VERSION,
            "kind": "MediaTask",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"projectId": "bench", "taskType": "generate_image", "taskData": TASK_DATA},
        }

    def created(self, task: Object, folder: Path) -> None:
        # What the pod would have uploaded. Links, because the disk is not to be measured.
        key = f"projects/bench/{task['metadata']['uid']}/image.png"
        about = {"sha256": hashlib.sha256(PICTURE).hexdigest(), "content_type": "image/png"}
        for original, place, content in (
            (folder / "picture", folder / "store" / "objects" / key / CONTENT, PICTURE),
            (folder / "about", folder / "store" / "objects" / key / ABOUT, orjson.dumps(about)),
        ):
            if not original.exists():
                original.write_bytes(content)
            place.parent.mkdir(parents=True, exist_ok=True)
            os.link(original, place)


class Textbook:
    """An operator as kopf's documentation teaches it: peer/textbook.py."""

    name = "textbook kopf"
    tasks = Resource("bench.ft.tc", "v1", "plaintasks")
    command = [sys.executable, "-m", "kopf", "run", "--standalone", "--all-namespaces", str(PEER / "textbook.py")]

    def environment(self, folder: Path) -> Mapping[str, str]:
        return {}

    async def prepare(self, kube: Kube, tasks: int) -> None:
        await establish(kube, yaml.safe_load((PEER / "crd.yaml").read_text()))

    def task(self, name: str) -> Object:
        return {
            "apiVersion": "bench.ft.tc/v1",
            "kind": "PlainTask",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"image": IMAGE, "taskData": TASK_DATA},
        }

    def created(self, task: Object, folder: Path) -> None:
        pass


async def establish(kube: Kube, crd: Object) -> None:
    """Create a CRD, and wait until its kind can be used."""

    def established(obj: Object) -> bool:
        conditions = obj.get("status", {}).get("conditions") or []
        return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)

    await kube.create(CRDS, crd)
    await wait_for(kube, CRDS, crd["metadata"]["name"], established)
