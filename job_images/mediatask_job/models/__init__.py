"""Models of a class: where they lie (`source`), how a diffusers pipeline is loaded (`load`) and called (`loaded`,
`adapters`), what is tried when GPU memory runs out (`ladder`), and the ones the runtime makes itself (`builtin`).

Nothing here imports torch before a model is wanted: speech and text jobs start without it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mediatask_crds.model import ModelSource

from ..runtime.timings import Timings
from .source import ModelFolder, locate

if TYPE_CHECKING:
    from ..text.transformer import TransformerText
    from .ladder import Rung
    from .loaded import Loaded

__all__ = ["READY", "ModelFolder", "Models"]

T = TypeVar("T")

READY = 0.3
"""Fraction of a runner's work at which its model is loaded."""
_IMPORTED = 0.15


class Models:
    """The class's model, for the runner of one job."""

    def __init__(
        self,
        source: ModelSource | None,
        cache: Path,
        scratch: Path,
        timings: Timings,
        progress: Callable[[str, float], None],
        check_stop: Callable[[], None],
        warnings: list[str],
    ) -> None:
        self._source = source
        self._cache = cache
        self._scratch = scratch
        self._timings = timings
        self._progress = progress
        self._check_stop = check_stop
        self._warnings = warnings

    def infer(self, work: Callable[[Loaded], T]) -> T:
        """Call `work` with the loaded pipeline; again with one that needs less memory when a GPU's runs out.

        Raises:
            ModelMissing: there is no such model, or it may not be loaded.
            GpuOutOfMemory: also on the last rung.
            GpuFault: the GPU's context broke.
        """
        folder = self._located()
        self._progress("importing_libraries", 0.05)
        with self._timings.stage("import"):
            from .ladder import RUNGS, climb
            from .load import import_classes, load

            source = self._source or ModelSource()
            import_classes(folder, source)

        def attempt(rung: Rung) -> T:
            self._check_stop()
            with self._timings.stage("load"):
                loaded = load(folder, source, rung, self._loading)
            with self._timings.stage("infer"):
                return work(loaded)

        self._warn_of_idle_gpus()
        return climb(folder.name, RUNGS, attempt)

    def infer_text(self, work: Callable[[TransformerText], T]) -> T:
        """Call `work` with the loaded language model. Raises what `infer` does."""
        folder = self._located()
        self._progress("importing_libraries", 0.05)
        with self._timings.stage("import"):
            from ..text.transformer import TransformerText
            from .ladder import climb

        def attempt(_rung: Rung) -> T:
            self._check_stop()
            self._loading(0.0)
            with self._timings.stage("load"):
                loaded = TransformerText(folder, self._source.dtype if self._source else None)
            with self._timings.stage("infer"):
                return work(loaded)

        self._warn_of_idle_gpus()
        return climb(folder.name, ("whole",), attempt)

    def _located(self) -> ModelFolder:
        self._progress("finding_model", 0.03)
        with self._timings.stage("model"):
            folder = locate(self._source, self._cache, self._scratch)
        self._check_stop()
        return folder

    def _loading(self, fraction: float) -> None:
        self._check_stop()
        self._progress("loading_model", _IMPORTED + (READY - _IMPORTED) * fraction)

    def _warn_of_idle_gpus(self) -> None:
        import torch

        if (count := torch.cuda.device_count()) > 1:
            self._warnings.append(f"the job has {count} GPUs, of which this runtime uses the first alone")
