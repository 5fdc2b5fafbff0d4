"""The images of `make images`, and which of them are there."""

from __future__ import annotations

from pathlib import Path

from cluster.images.build import OUT
from cluster.images.recipes import BY_NAME

TRY_OUT = ("mediatask", "mediatask-job-light", "redis", "s3")
TORCH = "mediatask-job"


def archive(name: str) -> Path:
    """The OCI archive of an image."""
    return OUT / f"{name}.tar"


def reference(name: str) -> str:
    """What it is called on the node."""
    return BY_NAME[name].reference


def lacking(*names: str) -> str | None:
    """Why tests that need these images cannot run, as a sentence that says what to do; None when they can."""
    missing = [name for name in names if not archive(name).exists()]
    return f"no image of {', '.join(missing)} in {OUT}: `make images` builds them" if missing else None
