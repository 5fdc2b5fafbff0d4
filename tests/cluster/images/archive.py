"""Reads an OCI archive: what an image is said to be, and the files in it."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, cast


@dataclass(frozen=True)
class Archive:
    """One image in one tar file, as the OCI image layout has it."""

    path: Path

    @cached_property
    def reference(self) -> str:
        """The name under which it is imported."""
        return str(self._index["annotations"]["org.opencontainers.image.ref.name"])

    @cached_property
    def config(self) -> dict[str, Any]:
        """The process's part of the configuration: User, Env, Cmd, Labels..."""
        return cast("dict[str, Any]", self._json(self._manifest["config"]["digest"])["config"])

    def layers(self) -> Iterator[tarfile.TarFile]:
        """The layers, lowest first, each to be read from front to back."""
        for layer in self._manifest["layers"]:
            with self._open() as archive:
                stored = cast("IO[bytes]", archive.extractfile(_blob(layer["digest"])))
                with tarfile.open(fileobj=stored, mode="r|*") as opened:
                    yield opened

    def unpack(self, folder: Path) -> None:
        """Writes the image's files to `folder` with all their rights, which takes root."""
        for layer in self.layers():
            for member in layer:
                file = Path(member.name)
                if file.name.startswith(".wh."):
                    (folder / file.parent / file.name.removeprefix(".wh.")).unlink(missing_ok=True)
                    continue
                layer.extract(member, folder, filter="fully_trusted")

    @cached_property
    def _index(self) -> dict[str, Any]:
        with self._open() as archive:
            index = json.load(cast("IO[bytes]", archive.extractfile("index.json")))
        return cast("dict[str, Any]", index["manifests"][0])

    @cached_property
    def _manifest(self) -> dict[str, Any]:
        return self._json(self._index["digest"])

    def _json(self, digest: str) -> dict[str, Any]:
        with self._open() as archive:
            return cast("dict[str, Any]", json.load(cast("IO[bytes]", archive.extractfile(_blob(digest)))))

    def _open(self) -> tarfile.TarFile:
        return tarfile.open(self.path)


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"
