"""What is tried when GPU memory runs out, and which errors of a GPU mean what."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, TypeVar

import torch

from ..failures import GpuFault, GpuOutOfMemory

log = logging.getLogger(__name__)

T = TypeVar("T")

Rung = Literal["whole", "vae-tiling", "model-offload"]
"""How much time is traded for memory."""

RUNGS: tuple[Rung, ...] = ("whole", "vae-tiling", "model-offload")
"""From fastest to smallest: the decoder in tiles costs little, parts moving over the bus cost more."""

_MEMORY = ("out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED", "CUSOLVER_STATUS_ALLOC_FAILED")
_FAULTS = ("CUDA error", "CUDNN_STATUS", "CUBLAS_STATUS", "NCCL error")


def climb(name: str, rungs: Sequence[Rung], attempt: Callable[[Rung], T]) -> T:
    """`attempt` on the first rung that fits; it loads the model and uses it.

    Raises:
        GpuOutOfMemory: on the last one, too.
        GpuFault: the GPU's context broke; nothing in this process can use it any more.
    """
    for rung in rungs:
        try:
            with _classified():
                return attempt(rung)
        except torch.OutOfMemoryError as error:
            log.warning("out of GPU memory on rung %r: %s", rung, _first_line(error))
        # The tensors live as long as the traceback: the memory is free only after the except block.
        gc.collect()
        torch.cuda.empty_cache()
    raise GpuOutOfMemory("GpuOutOfMemory", f"{name} does not fit into GPU memory, even on the last rung ({rungs[-1]})")


@contextmanager
def _classified() -> Iterator[None]:
    """Libraries above CUDA report its errors as plain RuntimeErrors; CUDA itself reports a failed allocation of the
    driver like a broken context."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        text = str(error)
        of_gpu = isinstance(error, torch.AcceleratorError) or any(name in text for name in _FAULTS)
        if of_gpu and any(name in text for name in _MEMORY):
            raise torch.OutOfMemoryError(text) from error
        if of_gpu:
            raise GpuFault("GpuFault", _first_line(error)) from error
        raise


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
