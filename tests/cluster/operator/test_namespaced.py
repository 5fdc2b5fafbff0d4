"""An installation for some namespaces: Roles there, and no right to anything in any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.fixtures.kwok import Installation, Seen, install, open_sandbox
from cluster.fixtures.kwok.audit import refused, requests
from cluster.harness.provided import Provided
from mediatask_common.kube import JOBS, PODS, TASKS, Kube, KubeError


async def test_only_the_watched_namespaces_are_touched(
    cluster: Provided, kube: Kube, installed: Installation, tmp_path: Path
) -> None:
    with installed.operator_away():
        async with (
            open_sandbox(kube, installed) as other,
            open_sandbox(kube, installed) as watched,
            install(kube, cluster.kubeconfig, tmp_path, [watched.namespace]) as namespaced,
        ):
            watched.installed = namespaced
            await other.task()
            await watched.task()
            await watched.succeed()
            events = ["JobCreated", "Completed"]
            told = ["task.completed"]
            await watched.shows(
                Seen("completed", "Completed", ["Succeeded exit 0"], events, jobs=1, pods=1, webhooks=told)
            )
            await other.shows(Seen("", ""))
            if cluster.audit_log is not None:
                account = f"system:serviceaccount:{namespaced.namespace}:mediatask-operator"
                assert refused(requests(cluster.audit_log, account)) == []
            async with await Kube.connect(namespaced.kubeconfigs["operator"]) as operator:
                for kind in (TASKS, JOBS, PODS):
                    assert await operator.list(kind, watched.namespace)
                    with pytest.raises(KubeError, match="403"):
                        await operator.list(kind, other.namespace)
