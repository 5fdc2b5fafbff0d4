"""What is tried when GPU memory runs out, and which errors of a GPU mean what."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from mediatask_crds.model import ModelSource

from ..failures import GpuFault, GpuOutOfMemory
from ..runtime.timings import Timings
from .load import Loaded, Rung, load
from .source import ModelFolder

log = logging.getLogger(__name__)

T = TypeVar("T")

RUNGS: tuple[Rung, ...] = ("whole", "vae-tiling", "model-offload")
"""From fastest to smallest: the decoder in tiles costs little, parts moving over the bus cost more."""


def climb(
    folder: ModelFolder,
    source: ModelSource,
    timings: Timings,
    check_stop: Callable[[], None],
    work: Callable[[Loaded], T],
) -> T:
    """`work` with the model on the first rung that fits.

    Raises:
        GpuOutOfMemory: on the last one, too.
        GpuFault: the GPU's context broke; nothing in this process can use it any more.
    """
    for rung in RUNGS:
        check_stop()
        try:
            with _faults_named():
                with timings.stage("load"):
                    loaded = load(folder, source, rung)
                with timings.stage("infer"):
                    return work(loaded)
        except torch.OutOfMemoryError as error:
            log.warning("out of GPU memory on rung %r: %s", rung, str(error).splitlines()[0])
        # The tensors live as long as the traceback: the memory is free only after the except block.
        loaded = None  # type: ignore[assignment]
        gc.collect()
        torch.cuda.empty_cache()
    raise GpuOutOfMemory(
        "GpuOutOfMemory", f"{folder.name} does not fit into GPU memory, even on the last rung ({RUNGS[-1]})"
    )


@contextmanager
def _faults_named() -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except torch.AcceleratorError as error:
        raise GpuFault("GpuFault", str(error).splitlines()[0]) from error
    except RuntimeError as error:
        # Libraries above CUDA report its faults as plain RuntimeErrors.
        if any(name in str(error) for name in ("CUDA error", "CUDNN_STATUS", "CUBLAS_STATUS", "NCCL error")):
            raise GpuFault("GpuFault", str(error).splitlines()[0]) from error
        raise
