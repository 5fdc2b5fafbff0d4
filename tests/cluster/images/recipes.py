"""Which images there are, and what each is made of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from cluster.harness.recipes import Tool
from mediatask_local.s3server import PACKAGE as VERSITYGW

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).parent
CODE = ("LICENSE", "README.md", "pyproject.toml", "requirements-build.lock", ".dockerignore", "common", "crds")


@dataclass(frozen=True)
class Base:
    """A root file system of Debian packages.

    Attributes:
        name: the local image is called `localhost/base-NAME`.
        packages: what it holds besides Debian's essential packages.
        suite: the release of Debian that they come from.
    """

    name: str
    packages: tuple[str, ...]
    suite: str = "bookworm"

    def fingerprint(self) -> str:
        """A digest of the recipe. Newer versions of the packages do not change it: a base is kept until told."""
        text = json.dumps(asdict(self)) + (HERE / "bases.py").read_text() + (HERE / "base.Dockerfile").read_text()
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Image:
    """An image and its recipe.

    Attributes:
        name: its archive is `NAME.tar`, its reference `localhost/NAME:dev`.
        base: what the Dockerfile gets as BASE_IMAGE.
        dockerfile: path below the repository's root.
        inputs: files and folders below the root that decide what comes out; empty when the context is not the root.
        program: a Go program that makes up the context instead.
        arguments: build arguments.
        seconds: how long the first build took on 2 cores, for the progress lines.
    """

    name: str
    base: Base
    dockerfile: str
    inputs: tuple[str, ...] = ()
    program: Tool | None = None
    arguments: tuple[tuple[str, str], ...] = ()
    seconds: int = 0

    @property
    def reference(self) -> str:
        return f"localhost/{self.name}:dev"

    def fingerprint(self) -> str:
        """A digest of everything that decides what the image is; a changed one means: build again."""
        digest = hashlib.sha256()
        recipe = [
            self.name,
            self.base.fingerprint(),
            self.program.fingerprint() if self.program else "",
            *self.arguments,
        ]
        parts = [json.dumps(recipe).encode(), (ROOT / self.dockerfile).read_bytes()]
        for file in self._files():
            parts += [file.relative_to(ROOT).as_posix().encode(), file.read_bytes()]
        for part in parts:
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.hexdigest()

    def _files(self) -> Iterator[Path]:
        for name in self.inputs:
            path = ROOT / name
            found = sorted(path.rglob("*")) if path.is_dir() else [path]
            yield from (file for file in found if file.is_file() and file.suffix != ".pyc")


# As python:3.11-slim has it: numpy and torch come without a C++ library and take the system's.
PYTHON = Base("python", ("ca-certificates", "libstdc++6", "python3", "python3-venv"))
REDIS = Base("redis", ("redis-server",))

IMAGES = (
    Image("mediatask", PYTHON, "operator/Dockerfile", (*CODE, "api", "client", "operator"), seconds=50),
    Image(
        "mediatask-job-light",
        PYTHON,
        "job_images/Dockerfile",
        (*CODE, "job_images/mediatask_job", "job_images/requirements-light.lock"),
        arguments=(("REQUIREMENTS", "requirements-light.lock"),),
        seconds=30,
    ),
    Image("redis", REDIS, "tests/cluster/images/redis.Dockerfile", seconds=5),
    Image(
        "s3", PYTHON, "tests/cluster/images/s3.Dockerfile", program=Tool("versitygw", VERSITYGW, seconds=40), seconds=5
    ),
    Image(
        "mediatask-job",
        PYTHON,
        "job_images/Dockerfile",
        (*CODE, "job_images/mediatask_job", "job_images/requirements.lock"),
        seconds=600,
    ),
)
BY_NAME = {image.name: image for image in IMAGES}
