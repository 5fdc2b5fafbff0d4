"""What every result's metadata says about how it was made."""

from __future__ import annotations

import hashlib
import platform
import secrets
from importlib.metadata import PackageNotFoundError, version
from typing import Any


def versions(*packages: str) -> dict[str, str]:
    """Installed versions of the libraries that shaped the result."""
    found = {"python": platform.python_version()}
    for package in ("mediatask", *packages):
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # a source tree on PYTHONPATH
            continue
    return found


def facts(
    *,
    seed: int,
    model: str,
    libraries: tuple[str, ...],
    revision: str | None = None,
    dtype: str | None = None,
    device: str = "cpu",
    steps: int | None = None,
) -> dict[str, Any]:
    """The keys that all types share; None where a kind of model has no such thing."""
    return {
        "seed": seed,
        "model": model,
        "revision": revision,
        "dtype": dtype,
        "device": device,
        "steps": steps,
        "versions": versions(*libraries),
    }


def chosen_seed(wanted: int | None) -> int:
    """The seed of the request, or one chosen at random."""
    return secrets.randbits(32) if wanted is None else wanted


def seed_from(text: str) -> int:
    """A seed for types whose request has none: equal requests give equal results."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
