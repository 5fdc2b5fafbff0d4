"""Models of a class: where they lie (`source`), how a diffusers pipeline is loaded (`load`), what is tried when GPU
memory runs out (`ladder`), and the ones the runtime makes itself (`builtin`).

Nothing here imports torch before a pipeline is wanted: speech and text jobs start without it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mediatask_crds.model import ModelSource

from ..runtime.timings import Timings
from .source import ModelFolder, locate

if TYPE_CHECKING:
    from .load import Loaded

__all__ = ["ModelFolder", "Models"]

T = TypeVar("T")


class Models:
    """The class's model, for the runner of one job."""

    def __init__(
        self,
        source: ModelSource | None,
        cache: Path,
        scratch: Path,
        timings: Timings,
        check_stop: Callable[[], None],
    ) -> None:
        self._source = source
        self._cache = cache
        self._scratch = scratch
        self._timings = timings
        self._check_stop = check_stop

    def folder(self) -> ModelFolder:
        """The model's files. Raises ModelMissing."""
        with self._timings.stage("model"):
            return locate(self._source, self._cache, self._scratch)

    def infer(self, work: Callable[[Loaded], T]) -> T:
        """Call `work` with the loaded pipeline; again with one that needs less memory when a GPU's runs out.

        Raises:
            ModelMissing: there is no such model, or it may not be loaded.
            GpuOutOfMemory: also on the last rung.
            GpuFault: the GPU's context broke.
        """
        folder = self.folder()
        self._check_stop()
        with self._timings.stage("import"):
            from .ladder import climb

        return climb(folder, self._source or ModelSource(), self._timings, self._check_stop, work)
