"""The life of a release: upgraded, rolled back, uninstalled and installed again, with tasks running all the while."""

from __future__ import annotations

import time
from typing import Any

import pytest

from cluster.fixtures.installed import Receiver, Release
from cluster.fixtures.installed.calls import Calls
from cluster.fixtures.installed.held_tasks import HeldTasks
from cluster.fixtures.installed.notes import Report
from cluster.fixtures.installed.release import API_GONE, ROLLBACK, UNINSTALL, UPGRADE
from support.mode import Rest, until

Object = dict[str, Any]

pytestmark = pytest.mark.slow

RUNNING, BATCH = 20, 5


def replaced(release: Release, component: str, former: set[str]) -> set[str]:
    """The uids of a component's pods, once none of the former ones is left and all are ready."""
    release.kubectl("rollout", "status", f"deployment/mediatask-{component}", "--timeout=120s", seconds=125)
    until(lambda: not uids(release, component) & former, 90, every=0.5)
    return uids(release, component)


def uids(release: Release, component: str) -> set[str]:
    return {pod["metadata"]["uid"] for pod in release.pods(component)}


@pytest.mark.timeout(500)
def test_upgrade_and_rollback_lose_nothing_and_fail_no_call(release: Release, gates: Receiver, report: Report) -> None:
    batches = HeldTasks(release, gates, "upgrade", BATCH)
    batches.hold(RUNNING)
    key = release.api_key
    (example, *_) = release.tasks(batches.held[0])
    pods = {component: uids(release, component) for component in ("api", "operator")}
    assert len(pods["api"]) == 2

    with Calls(release, [f"/tasks/{example}/status", f"/projects/{batches.held[0]}/tasks", "/health/live"]) as calls:
        began = time.monotonic()
        release.commands.shell(f"{UPGRADE} --set log.level=DEBUG")
        batches.let_one_go()
        batches.submit()
        pods = {component: replaced(release, component, former) for component, former in pods.items()}
        report(f"helm upgrade, until all pods are new: {time.monotonic() - began:.1f} s")

        batches.let_one_go()
        release.commands.shell(ROLLBACK)
        batches.let_one_go()
        pods = {component: replaced(release, component, former) for component, former in pods.items()}
        batches.let_all_go()
        batches.check_ended_once()

    assert calls.failures == []
    assert calls.answered > 100
    assert release.api_key == key, "an upgrade keeps what was generated"
    report(
        f"helm upgrade and rollback: {calls.answered} calls, none failed; "
        f"{len(batches.let_go) * BATCH} tasks, each once"
    )


@pytest.mark.timeout(500)
def test_uninstall_keeps_the_tasks_and_a_new_release_adopts_them(
    release: Release, gates: Receiver, report: Report
) -> None:
    batches = HeldTasks(release, gates, "uninstall", BATCH)
    batches.hold(2 * BATCH)
    batches.let_one_go()
    batches.check_ended_once()
    (finished,) = batches.let_go
    (running,) = batches.held
    before = release.tasks(finished)

    began = time.monotonic()
    release.commands.shell(UNINSTALL)
    # Not helm's own --wait: it may return while the pods still drain (seen with 4.3).
    release.commands.shell(API_GONE)

    assert release.tasks(finished) == before
    assert len(release.tasks(running)) == BATCH
    assert release.get("deployments") == []

    release.install()
    release.until_available()
    gates.verify_with(release.webhook_secret)
    batches.let_all_go()

    rest = Rest(release)
    until(lambda: rest.count(running, "completed") == BATCH, 240, every=1)
    until(lambda: gates.ids().keys() >= release.tasks(running).keys(), 60, every=0.5)
    assert {len(gates.ids()[name]) for name in release.tasks(running)} == {1}
    assert release.tasks(finished) == before, "what has ended is left as it is"
    assert {task["status"]["attempt"] for task in release.tasks(running).values()} == {1}, "the same pods went on"
    report(f"uninstalled and installed again under {BATCH} running tasks: {time.monotonic() - began:.1f} s")
