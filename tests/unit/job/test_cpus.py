"""How many threads are worth starting: affinity and quotas of both versions of cgroups, read from made folders."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mediatask_job.runtime.cpus import cpu_quota, limit_threads, parse_v1, parse_v2, usable_cpus

V2 = "0::/kubepods/pod1/c1\n"
V1 = "12:memory:/kubepods/pod1\n4:cpu,cpuacct:/kubepods/pod1/c1\n1:name=systemd:/x\n"


def made(root: Path, membership: str | None, files: dict[str, str]) -> Path:
    if membership is not None:
        (root / "proc/self").mkdir(parents=True)
        (root / "proc/self/cgroup").write_text(membership)
    for name, content in files.items():
        file = root / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return root


@pytest.mark.parametrize(
    ("content", "cpus"),
    [
        ("200000 100000\n", 2.0),
        ("50000 100000", 0.5),
        ("max 100000\n", None),
        ("150000", 1.5),
        ("", None),
        ("x y", None),
    ],
)
def test_cpu_max(content: str, cpus: float | None) -> None:
    assert parse_v2(content) == cpus


@pytest.mark.parametrize(
    ("quota", "period", "cpus"), [("300000\n", "100000\n", 3.0), ("-1\n", "100000\n", None), ("100000", "0", None)]
)
def test_cfs_quota(quota: str, period: str, cpus: float | None) -> None:
    assert parse_v1(quota, period) == cpus


@pytest.mark.parametrize(
    ("membership", "files", "quota"),
    [
        (V2, {"kubepods/pod1/c1/cpu.max": "300000 100000"}, 3.0),
        (V2, {"kubepods/pod1/c1/cpu.max": "max 100000", "kubepods/pod1/cpu.max": "150000 100000"}, 1.5),
        (V2, {"cpu.max": "250000 100000"}, 2.5),  # in a container: its own cgroup is the mount point
        (V2, {"other/cpu.max": "100000 100000"}, None),
        (V2, {"kubepods/pod1/c1/cpu.max": "max 100000"}, None),
        (V1, {"cpu,cpuacct/kubepods/pod1/c1/cpu.cfs_quota_us": "200000",
              "cpu,cpuacct/kubepods/pod1/c1/cpu.cfs_period_us": "100000"}, 2.0),
        (V1, {"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, 0.5),
        (V1, {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        (None, {}, None),
    ],
)  # fmt: skip
def test_the_lowest_quota_on_the_way_up(
    tmp_path: Path, membership: str | None, files: dict[str, str], quota: float | None
) -> None:
    assert cpu_quota(made(tmp_path, membership, files)) == quota


def test_threads_are_whole_and_never_more_than_the_affinity(tmp_path: Path) -> None:
    allowed = len(os.sched_getaffinity(0))
    for name, cpus, threads in (("half", 0.5, 1), ("more", 1.5, min(2, allowed)), ("many", 1000, allowed)):
        root = made(tmp_path / name, V2, {"cpu.max": f"{int(cpus * 100000)} 100000"})
        assert usable_cpus(root) == threads
    assert usable_cpus(tmp_path) == allowed


def test_what_the_user_set_stays() -> None:
    env = {"OMP_WAIT_POLICY": "ACTIVE"}
    limit_threads(env, 3)
    assert env == {"OMP_NUM_THREADS": "3", "OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "0"}
