"""One release on one real node, for all tests of this folder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.fixtures.installed import NAMESPACE, Commands, Receiver, Release, images
from cluster.fixtures.installed.notes import FirstTask, Notes, Report, staying
from cluster.fixtures.installed.receiver import GATED
from cluster.fixtures.installed.release import RESTRICTED, task_class
from cluster.harness import Cluster
from cluster.harness.node.realnode import RealNode
from support.mode import Rest, until
from support.required import CLUSTER

figures = pytest.StashKey[list[str]]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Figures are worth reading when all is well, too."""
    if lines := config.stash.get(figures, []):
        terminalreporter.section("measured on the real node")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def report(pytestconfig: pytest.Config) -> Report:
    """Notes a figure for the summary."""
    return pytestconfig.stash.setdefault(figures, []).append


@pytest.fixture(scope="session")
def quick_start_images() -> list[Path]:
    """The archives of all images that the quick start needs."""
    if (reason := images.lacking(*images.QUICK_START)) is not None:
        CLUSTER.unavailable(reason)
    return [images.archive(name) for name in images.QUICK_START]


@pytest.fixture(scope="session")
def node(quick_start_images: list[Path], real_cluster: Cluster) -> RealNode:
    """The node, with the images of the quick start."""
    real_cluster.node.import_images(*quick_start_images)
    return real_cluster.node


@pytest.fixture(scope="session")
def torch_image(node: RealNode, report: Report) -> str:
    """The job image with torch, on the node. It is too large to be asked of everyone, CI included."""
    if (reason := images.lacking(images.TORCH)) is not None:
        pytest.skip(reason)
    began = time.monotonic()
    node.import_images(images.archive(images.TORCH))
    report(f"import of the torch image: {time.monotonic() - began:.0f} s")
    return images.reference(images.TORCH)


@pytest.fixture(scope="session")
def commands(node: RealNode, real_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Commands:
    """helm and kubectl."""
    return Commands(real_cluster.kubeconfig, tmp_path_factory.mktemp("commands"))


@pytest.fixture(scope="session")
def receiver(commands: Commands) -> Receiver:
    """A pod that takes webhooks, serves inputs and holds gated tasks."""
    return Receiver(commands, images.reference("mediatask"))


@pytest.fixture(scope="session")
def first_task(commands: Commands, receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> FirstTask:
    """The chart installed as documented, into a namespace that is restricted, and the notes followed."""
    labels = {"kubernetes.io/metadata.name": NAMESPACE, **RESTRICTED}
    commands.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}})
    release = Release(commands)
    began = time.monotonic()
    notes = Notes.read(release.install())
    commands.shell(notes.wait, seconds=200)
    with staying(commands, notes.stay, tmp_path_factory.mktemp("notes") / "log"):
        answer = notes.first_task(commands)
        return FirstTask(notes, time.monotonic() - began, answer)


@pytest.fixture(scope="session")
def release(first_task: FirstTask, commands: Commands, receiver: Receiver) -> Release:
    """The release, its webhooks verified by the receiver."""
    installed = Release(commands)
    receiver.verify_with(installed.webhook_secret)
    return installed


@pytest.fixture(scope="module")
def gates(release: Release, receiver: Receiver) -> Iterator[Receiver]:
    """Every test_prompt of a project `gated-...` waits in its pod until the receiver opens the project's gate."""
    gated = task_class(
        "a-gated",  # of several defaults the first by name is taken
        taskTypes=["test_prompt"],
        default=True,
        image=images.reference("mediatask-job-light"),
        imagePullPolicy="Never",
        command=["python", "-c", GATED],
        gpu={"count": 0},
        resources={"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "512Mi"}},
    )
    release.commands.apply(gated)
    rest = Rest(release)

    def acted_by() -> bool:
        """Whether the operator has heard of the class: a task that is not gated tells."""
        id_ = rest.submit(f"probe {time.time_ns()}", "probes")
        until(lambda: rest.status(id_)["status"] == "completed")
        return bool(release.get("mediatask", id_)["status"]["className"] == "a-gated")

    until(acted_by)
    yield receiver
    release.kubectl("delete", "mediataskclass", "a-gated")
