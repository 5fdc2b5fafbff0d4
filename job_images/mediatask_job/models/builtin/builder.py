"""Building a model from its configuration, once per cache, safely beside other pods that do the same."""

from __future__ import annotations

import hashlib
import importlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from .defaults import Defaults


@dataclass(frozen=True)
class Built:
    """A model whose module has `build(folder)`."""

    name: str
    module: str
    defaults: Defaults

    def place(self, cache: Path, scratch: Path) -> tuple[Path, str]:
        """The model's folder and its revision: in the cache, or in scratch where the cache is read-only.

        The revision is a hash of the recipe and of the libraries that initialise the weights, so an image with
        another recipe never meets an old folder, and equal revisions draw equal pictures.
        """
        revision = self._revision()
        folder = cache / f"builtin-{self.name}-{revision}"
        if folder.is_dir():
            return folder, revision
        try:
            cache.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=f".{self.name}-", dir=cache))
        except OSError:
            folder = scratch / folder.name
            draft = Path(tempfile.mkdtemp(prefix=f".{self.name}-", dir=scratch))
        _build(self.module, draft)
        draft.chmod(0o755)
        try:
            os.rename(draft, folder)
        except OSError:
            # Another pod was faster. Its folder is complete, because it got there by the same rename.
            shutil.rmtree(draft)
            if not folder.is_dir():
                raise
        return folder, revision

    def _revision(self) -> str:
        digest = hashlib.sha256()
        for name in (f"{self.module}.py", "tokenizer.py"):
            digest.update(files(__package__).joinpath(name).read_bytes())
        for library in ("torch", "diffusers", "transformers"):
            digest.update(f"{library}={version(library)}".encode())
        return digest.hexdigest()[:12]


def _build(module: str, folder: Path) -> None:
    from ..quiet import silence

    silence()
    importlib.import_module(f"{__package__}.{module}").build(folder)
