"""Makes the archives that are missing or out of date.

What took time is kept in the user's cache, so that a fresh checkout of the same state only links the archives:

    roots/NAME-DIGEST.tar       the packages of a base
    storage/DIGEST/             buildah's layers; another torch to be installed, or another base, begins a new one
    archives/NAME-DIGEST.tar    the images
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from cluster.harness.build import build as build_programs
from cluster.harness.lock import one_builder
from cluster.images.bases import make_root
from cluster.images.buildah import Buildah
from cluster.images.commands import Report, install_programs
from cluster.images.recipes import IMAGES, PYTHON, ROOT, Base, Image

OUT = ROOT / "build/images"


def cache_dir() -> Path:
    """Where everything is kept: MEDIATASK_IMAGE_CACHE, else a folder in the user's cache."""
    if chosen := os.environ.get("MEDIATASK_IMAGE_CACHE"):
        return Path(chosen).resolve()
    return Path.home() / ".cache/mediatask/images"


def make(images: Sequence[Image] = IMAGES, *, out: Path = OUT, report: Report = print) -> list[Path]:
    """Brings the archives `out/NAME.tar` up to date and returns their paths.

    Raises:
        ClusterError: an image cannot be built here, or its build failed (the message ends with what it said last).
    """
    cache = cache_dir()
    archives = {image: _kept(cache / "archives", image.name, image.fingerprint()) for image in images}
    if not all(archive.exists() for archive in archives.values()):
        install_programs(report)
        with one_builder(cache, report):
            workshop = _Workshop(cache, report)
            for image, archive in archives.items():
                if not archive.exists():  # somebody else may have built it while this one waited
                    workshop.make(image, archive)
    out.mkdir(parents=True, exist_ok=True)
    for image, archive in archives.items():
        _publish(archive, out / f"{image.name}.tar", report)
    return [out / f"{image.name}.tar" for image in images]


class _Workshop:
    """One run of builds: bases first, then what stands on them."""

    def __init__(self, cache: Path, report: Report) -> None:
        self._cache = cache
        self._report = report
        self._buildah = Buildah(cache / "storage" / _generation(), report)
        self._buildah.storage.mkdir(parents=True, exist_ok=True)
        for storage in (cache / "storage").iterdir():
            Buildah(storage, report).sweep()
            if storage != self._buildah.storage:
                # Layers of torch as it is locked no more: gigabytes that nothing ever uses again.
                shutil.rmtree(storage)

    def make(self, image: Image, archive: Path) -> None:
        usual = f" (about {image.seconds} s the first time on 2 cores)" if image.seconds else ""
        self._report(f"building {image.name}{usual}")
        base = self._base(image.base)
        program = build_programs([image.program], report=self._report) / image.program.name if image.program else None
        started = time.monotonic()
        self._buildah.build(image, base, _labels(image), program)
        with _whole(archive) as draft:
            self._buildah.export(image.reference, draft)
        self._report(f"  {image.name}: built in {time.monotonic() - started:.0f} s")

    def _base(self, base: Base) -> str:
        digest = base.fingerprint()
        reference = f"localhost/base-{base.name}:{digest[:12]}"
        if not self._buildah.has(reference):
            root = _kept(self._cache / "roots", base.name, digest)
            if not root.exists():
                self._report(f"  {base.name}: fetching Debian's {', '.join(base.packages)} (about 60 s)")
                with _whole(root) as draft:
                    make_root(base, draft, self._report)
            self._buildah.import_root(base, root, reference)
        return reference


@contextmanager
def _whole(file: Path) -> Iterator[Path]:
    """A path to write to; `file` appears once that is done, in place of the older ones of its name."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    try:
        yield draft
        name = file.stem.rpartition("-")[0]
        for older in file.parent.glob(f"{name}-*.tar"):
            if older.stem.rpartition("-")[0] == name:
                older.unlink()
        draft.rename(file)
    finally:
        draft.unlink(missing_ok=True)


def _publish(archive: Path, target: Path, report: Report) -> None:
    """Hard links: the archives are large, and the cache may be emptied without harm."""
    if target.exists() and target.stat().st_ino == archive.stat().st_ino:
        return
    with suppress(FileNotFoundError):
        target.unlink()
    try:
        os.link(archive, target)
    except OSError:  # another file system
        shutil.copy2(archive, target)
    report(f"{target.name}: {archive.stat().st_size / 1e6:.0f} MB")


def _kept(folder: Path, name: str, fingerprint: str) -> Path:
    return folder / f"{name}-{fingerprint[:12]}.tar"


def _generation() -> str:
    """A digest of what decides the one layer that is large."""
    lock = (ROOT / "job_images/requirements.lock").read_bytes()
    return hashlib.sha256(lock + PYTHON.fingerprint().encode()).hexdigest()[:12]


def _labels(image: Image) -> dict[str, str]:
    """Build arguments that say which state of the project the image shows; none where the project is no part of it."""
    if not image.inputs:
        return {}
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return {"VERSION": version, "REVISION": _revision(image)}


def _revision(image: Image) -> str:
    """The last commit that touched what the image is made of, and whether something was changed since."""
    paths = ["--", *image.inputs, image.dockerfile]
    commit = _git("log", "-1", "--format=%H", *paths)
    changed = _git("status", "--porcelain", *paths)
    return f"{commit}-dirty" if commit and changed else commit or "unknown"


def _git(*arguments: str) -> str:
    answer = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    return answer.stdout.strip()
