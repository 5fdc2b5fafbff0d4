"""Many tasks that run at one time, let go in batches, and the proof that each of them has ended well and once."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

from cluster.kits.release.receiver import Receiver
from cluster.kits.release.release import Release
from mediatask_common.store import result_key
from mediatask_crds.names import LABEL_PROJECT, LABEL_TASK
from support.mode import Rest, until

SECONDS = 150.0
UNKNOWN = 255
"""Exit code that containerd gives to a process whose end it did not see."""


class Crowd:
    """Batches of gated tasks: each is a project of its own, whose gate is closed at first.

    Args:
        name: of the batches, so that no two crowds meet.
        size: tasks in a batch.
    """

    def __init__(self, release: Release, gates: Receiver, name: str, size: int) -> None:
        self._release = release
        self._gates = gates
        self._name = name
        self._size = size
        self._made = 0
        self.held: list[str] = []
        """Projects whose tasks wait in their pods, oldest first."""
        self.let_go: list[str] = []

    def hold(self, count: int) -> None:
        """Submit batches until this many tasks run, and wait until they all do."""
        while len(self.held) * self._size < count:
            self.submit()
        self.until("processing", self.held)

    def submit(self) -> None:
        """One more batch, by callers who repeat themselves until they are answered."""
        rest = Rest(self._release)
        self._made += 1
        project = f"gated-{self._name}-{self._made}"
        for number in range(self._size):
            rest.submit(f"task {number}", project, callback_url=self._gates.webhook_url)
        self.held.append(project)

    def let_one_go(self) -> None:
        """Open the oldest batch's gate: its tasks work, upload, publish and end from now on."""
        project = self.held.pop(0)
        self._gates.open_gate(project)
        self.let_go.append(project)

    def let_all_go(self) -> None:
        """Open all gates."""
        while self.held:
            self.let_one_go()

    def until(self, status: str, projects: list[str], seconds: float = SECONDS) -> None:
        """Wait until all tasks of some batches have a status, as REST tells it."""
        rest = Rest(self._release)

        def reached() -> bool:
            return all(rest.count(project, status) == self._size for project in projects)

        until(reached, seconds, every=0.5)

    def check_ended_once(self, *, node_was_killed: bool = False) -> None:
        """All that were let go: completed, in the first attempt and by one process; media whole; told of once.

        Args:
            node_was_killed: a containerd that was away when a process ended may never learn how.
        """
        self.until("completed", self.let_go)
        for project in self.let_go:
            tasks = self._release.tasks(project)
            assert len(tasks) == self._size
            assert {name: task["status"]["attempt"] for name, task in tasks.items()} == dict.fromkeys(tasks, 1)
            self._check_processes(project, tasks, (0, UNKNOWN) if node_was_killed else (0,))
            self._check_media(project, tasks)
            self._check_webhooks(tasks)

    def _check_webhooks(self, tasks: dict[str, Any]) -> None:
        until(lambda: self._gates.ids().keys() >= tasks.keys(), 60, every=0.5)
        ids = self._gates.ids()
        assert {name: len(ids[name]) for name in tasks} == dict.fromkeys(tasks, 1)

    def _check_processes(self, project: str, tasks: dict[str, Any], codes: tuple[int, ...]) -> None:
        pods = self._release.get("pods", "--selector", f"{LABEL_PROJECT}={project}")
        assert Counter(pod["metadata"]["labels"][LABEL_TASK] for pod in pods) == dict.fromkeys(tasks, 1)
        for pod in pods:
            (container,) = pod["status"]["containerStatuses"]
            assert container["restartCount"] == 0
            assert container["state"]["terminated"]["exitCode"] in codes, container

    def _check_media(self, project: str, tasks: dict[str, Any]) -> None:
        published = [key for key in self._release.stored(f"projects/{project}/") if key.endswith("/result.json")]
        assert sorted(published) == sorted(result_key(project, task["metadata"]["uid"]) for task in tasks.values())
        for task in tasks.values():
            result = task["status"]["result"]
            (media, *_) = result["artifacts"]
            assert hashlib.sha256(self._release.content(media["key"])).hexdigest() == media["sha256"]
