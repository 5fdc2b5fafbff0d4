"""What a job says that it uses, read from made folders and from a stand-in for torch's view of GPUs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mediatask_job.runtime.usage import measure

GIB = 2**30
PAGE = os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(autouse=True)
def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch.cuda", raising=False)


def made(root: Path, membership: str, files: dict[str, str]) -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(membership)
    (root / "proc/self/statm").write_text("90000 1000 300 1 0 500 0\n")
    for name, content in files.items():
        file = root / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return root


V2 = "0::/kubepods/pod1/c1\n"
V1 = "12:memory:/kubepods/pod1\n4:cpu,cpuacct:/kubepods/pod1/c1\n"


@pytest.mark.parametrize(
    ("membership", "files", "limit"),
    [
        (V2, {"kubepods/pod1/c1/memory.max": f"{4 * GIB}\n", "kubepods/pod1/memory.max": "max\n"}, 4 * GIB),
        (V2, {"kubepods/pod1/c1/memory.max": f"{4 * GIB}\n", "kubepods/pod1/memory.max": f"{GIB}\n"}, GIB),
        (V2, {"memory.max": f"{2 * GIB}"}, 2 * GIB),  # in a container: its own cgroup is the mount point
        (V2, {"memory.max": "max\n", "other/memory.max": "5"}, None),
        (V1, {"memory/kubepods/pod1/memory.limit_in_bytes": f"{3 * GIB}"}, 3 * GIB),
        (V1, {"memory/kubepods/pod1/memory.limit_in_bytes": "9223372036854771712"}, None),
        ("", {}, None),
    ],
)
def test_without_a_gpu_it_is_the_process_against_the_lowest_limit(
    tmp_path: Path, membership: str, files: dict[str, str], limit: int | None
) -> None:
    usage = measure(made(tmp_path, membership, files))
    assert usage is not None
    assert usage.model_dump() == {
        "memory_kind": "process", "memory_used": 1000 * PAGE, "memory_total": limit, "gpu_utilization": None,
    }  # fmt: skip


class Cuda:
    """Stands for torch.cuda with three GPUs of 80 GiB, of which the job works on two."""

    reserved = (1, 0, 1)
    initialized = True

    def __init__(self) -> None:
        self.asked: list[int] = []

    def is_initialized(self) -> bool:
        return self.initialized

    def device_count(self) -> int:
        return 3

    def memory_reserved(self, device: int) -> int:
        return self.reserved[device]

    def mem_get_info(self, device: int) -> tuple[int, int]:
        self.asked.append(device)
        return (80 - 12 * (device + 1)) * GIB, 80 * GIB

    def utilization(self, device: int) -> int:
        return (90, 0, 40)[device]


def test_with_gpus_it_is_those_that_the_job_works_on(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = Cuda()
    monkeypatch.setitem(sys.modules, "torch.cuda", cuda)  # type: ignore[arg-type]
    usage = measure()
    assert usage is not None
    assert usage.model_dump() == {
        "memory_kind": "gpu", "memory_used": 48 * GIB, "memory_total": 160 * GIB, "gpu_utilization": 0.65,
    }  # fmt: skip
    assert cuda.asked == [0, 2], "a GPU that the job does not use is left alone"


@pytest.mark.parametrize("changes", [{"initialized": False}, {"reserved": (0, 0, 0)}])
def test_a_gpu_that_the_job_has_not_touched_is_not_touched(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    cuda = Cuda()
    cuda.__dict__.update(changes)
    monkeypatch.setitem(sys.modules, "torch.cuda", cuda)  # type: ignore[arg-type]
    usage = measure()
    assert usage is not None
    assert usage.memory_kind == "process"
    assert cuda.asked == []


def broken(*_: Any) -> Any:
    raise RuntimeError("CUDA error: an illegal memory access was encountered")


def no_nvml(*_: Any) -> Any:
    raise ModuleNotFoundError("nvidia-ml-py does not seem to be installed")


def test_utilization_that_cannot_be_read_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = Cuda()
    monkeypatch.setattr(cuda, "utilization", no_nvml)
    monkeypatch.setitem(sys.modules, "torch.cuda", cuda)  # type: ignore[arg-type]
    usage = measure()
    assert usage is not None
    assert (usage.memory_used, usage.gpu_utilization) == (48 * GIB, None)


@pytest.mark.parametrize("cuda", [SimpleNamespace(), SimpleNamespace(is_initialized=broken)], ids=["half", "broken"])
def test_a_torch_that_is_half_imported_or_broken_fails_nothing(monkeypatch: pytest.MonkeyPatch, cuda: Any) -> None:
    monkeypatch.setitem(sys.modules, "torch.cuda", cuda)
    assert measure() is None
