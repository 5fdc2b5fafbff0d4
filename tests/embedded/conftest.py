"""The local mode as a whole, and the part of it that runs plain Jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mediatask_common.kube import Kube
from mediatask_local.up import UpInfo, embedded
from support.apiserver import embedded_apiserver
from support.jobrunner import GPUS, job_runner
from support.jobs import Jobs


@pytest.fixture(scope="session")
def embedded_mode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UpInfo]:
    """Everything, as `mediatask up` starts it, in a folder that it makes, with the Redis server that is installed."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("REDIS_URL", "MEDIATASK_REDIS_URL"):
            patch.delenv(name, raising=False)
        with embedded(tmp_path_factory.mktemp("up") / "state", gpus=GPUS) as info:
            yield info


@dataclass(frozen=True)
class RunnerCluster:
    """An API server and a Job runner."""

    kubeconfig: Path
    folder: Path
    """The runner's."""


@pytest.fixture(scope="session")
def runner_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunnerCluster]:
    folder = tmp_path_factory.mktemp("cluster")
    with embedded_apiserver(folder) as kubeconfig, job_runner(kubeconfig, folder / "runner", "--cpus", "100"):
        yield RunnerCluster(kubeconfig, folder / "runner")


@pytest.fixture
async def jobs(runner_cluster: RunnerCluster) -> AsyncIterator[Jobs]:
    async with await Kube.connect(runner_cluster.kubeconfig) as kube:
        yield Jobs(kube)
