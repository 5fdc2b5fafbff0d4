"""What happens when a GPU gives up. The errors are real ones of torch, raised by hand: this machine has no GPU."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from mediatask_job.failures import GpuFault, GpuOutOfMemory
from mediatask_job.models.ladder import RUNGS, Rung, climb

OUT_OF_MEMORY: list[Exception] = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"),
    torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be reported asynchronously"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
]


def failing(error: Exception, tried: list[Rung], until: Rung | None = None) -> Callable[[Rung], str]:
    def attempt(rung: Rung) -> str:
        tried.append(rung)
        if rung == until:
            return "done"
        raise error

    return attempt


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=str)
def test_memory_running_out_climbs_down(error: Exception) -> None:
    tried: list[Rung] = []
    assert climb("m", RUNGS, failing(error, tried, until="model-offload")) == "done"
    assert tried == ["whole", "vae-tiling", "model-offload"]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=str)
def test_the_last_rung_is_the_last(error: Exception) -> None:
    with pytest.raises(GpuOutOfMemory, match="m does not fit"):
        climb("m", ("whole",), failing(error, []))


@pytest.mark.parametrize(
    "error",
    [
        torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    ],
    ids=str,
)
def test_a_broken_context_is_not_tried_again(error: Exception) -> None:
    tried: list[Rung] = []
    with pytest.raises(GpuFault):
        climb("m", RUNGS, failing(error, tried))
    assert tried == ["whole"]


def test_a_bug_stays_a_bug() -> None:
    with pytest.raises(RuntimeError, match="size mismatch"):
        climb("m", RUNGS, failing(RuntimeError("size mismatch"), []))
