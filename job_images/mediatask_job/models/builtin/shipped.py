"""A model whose weights come with the package."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from ...failures import ModelMissing
from .defaults import Defaults

_SUMS = "SHA256SUMS"


@dataclass(frozen=True)
class Shipped:
    """A folder under the package's `assets/`, as `save_pretrained` wrote it."""

    name: str
    defaults: Defaults

    def place(self, cache: Path, scratch: Path) -> tuple[Path, str]:
        """The model's folder, where the package lies, and its revision: a hash over all of its files.

        Raises:
            ModelMissing: a file is absent or not the one that was shipped.
        """
        # A package is installed as a folder of plain files; weights inside a zip could not be mapped into memory.
        folder = Path(str(files("mediatask_job"))) / "assets" / self.name
        return folder, verified(folder)


def verified(folder: Path) -> str:
    """Compare every file that `SHA256SUMS` lists; the result is the list's own hash, 12 hex digits.

    Raises:
        ModelMissing: a file is absent or not the one that was listed.
    """
    try:
        sums = (folder / _SUMS).read_bytes()
        for line in sums.decode().splitlines():
            wanted, name = line.split("  ", 1)
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != wanted:
                raise ModelMissing("ModelDamaged", f"{folder / name} is not the file that was shipped: reinstall")
    except OSError as error:
        raise ModelMissing("ModelMissing", f"{folder.name} is not complete in this installation: {error}") from error
    return hashlib.sha256(sums).hexdigest()[:12]
