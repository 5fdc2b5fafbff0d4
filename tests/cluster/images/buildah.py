"""Builds images with buildah, in a storage of our own: layers are reused from one build to the next."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster.images.commands import Report, run
from cluster.images.recipes import HERE, ROOT, Base, Image

# It must not outlive a reboot, as it says what is mounted.
RUN_ROOT = "/run/mediatask-images"
CA_IN_BUILD = "/run/secrets/ca.crt"
CA_BUNDLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")


@dataclass(frozen=True)
class Buildah:
    """buildah with its images and layers in `storage`."""

    storage: Path
    report: Report

    def sweep(self) -> None:
        """Takes away what a killed build has left: its containers and their mounts."""
        self._run("rm", "--all")

    def has(self, reference: str) -> bool:
        """Whether the storage holds the image."""
        return reference in self._run("images", "--format", "{{.Name}}:{{.Tag}}").splitlines()

    def import_root(self, base: Base, archive: Path, reference: str) -> None:
        """Makes the image `reference` of a root file system, a tar file."""
        with tempfile.TemporaryDirectory(dir=archive.parent) as context:
            os.link(archive, Path(context) / "root.tar")
            self._build(HERE / "base.Dockerfile", Path(context), reference, [])

    def build(self, image: Image, base: str, labels: dict[str, str], program: Path | None) -> None:
        """Builds an image on the base `base`.

        Args:
            labels: build arguments for the labels.
            program: the file that makes up the context, where it is not the repository.
        """
        arguments = [("BASE_IMAGE", base), *image.arguments, *labels.items()]
        options = [f"--build-arg={key}={value}" for key, value in arguments]
        if program is None:
            with _pip_secrets() as secrets:
                self._build(ROOT / image.dockerfile, ROOT, image.reference, options + secrets)
            return
        with tempfile.TemporaryDirectory() as context:
            shutil.copy2(program, context)
            self._build(ROOT / image.dockerfile, Path(context), image.reference, options)

    def export(self, reference: str, archive: Path) -> None:
        """Writes the image to an OCI archive."""
        self._run("push", "--quiet", reference, f"oci-archive:{archive}:{reference}")

    def _build(self, dockerfile: Path, context: Path, reference: str, options: list[str]) -> None:
        # chroot: the build needs no container runtime and works in a container. All times are 1970, as equal inputs
        # are to give equal layers.
        fixed = ["--isolation=chroot", "--layers", "--timestamp=0", "--pull-never"]
        self._run("build", *fixed, f"--file={dockerfile}", f"--tag={reference}", *options, str(context))

    def _run(self, *arguments: str) -> str:
        places = [f"--root={self.storage}", f"--runroot={RUN_ROOT}", "--storage-driver=overlay"]
        # Else it mounts its storage onto itself and leaves that mount to us.
        places += ["--storage-opt=overlay.skip_mount_home=true"]
        return run(["buildah", *places, *arguments], self.report)


@contextmanager
def _pip_secrets() -> Iterator[list[str]]:
    """How pip reaches its index on this machine, as secrets of the build: no layer and no cache keeps them."""
    with tempfile.TemporaryDirectory() as folder:
        settings = pip_settings()
        secrets = []
        bundle = settings.pop("cert", None) or next(filter(None, map(os.environ.get, CA_BUNDLES)), None)
        if bundle is not None:
            settings["cert"] = CA_IN_BUILD
            secrets.append(f"--secret=id=ca.crt,src={bundle}")
        file = Path(folder) / "pip.conf"
        file.write_text("[global]\n" + "".join(f"{key} = {value}\n" for key, value in settings.items()))
        yield [f"--secret=id=pip.conf,src={file}", *secrets]


def pip_settings() -> dict[str, str]:
    """pip's settings, those of the environment last: they win. Folders of this machine do not exist in a build."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    lines = [line.partition("=") for line in listed.splitlines()]
    lines.sort(key=lambda line: line[0].startswith(":env:"))
    settings = {key.rpartition(".")[2]: value.strip("'") for key, _, value in lines}
    return {key: value for key, value in settings.items() if key != "find-links"}
