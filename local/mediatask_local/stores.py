"""Where the local mode keeps media: a folder, an S3 server of its own, or the S3 that the environment names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from .child import StartError

Kind = Literal["file", "s3"]
PREFIX = "MEDIATASK_STORE_"
ENV_KIND = PREFIX + "KIND"
ENDPOINT_URL = PREFIX + "ENDPOINT_URL"
BUCKET = PREFIX + "BUCKET"


def kind_of(environ: Mapping[str, str] = os.environ) -> Kind:
    """The kind of store that the environment selects; `file` by default."""
    return "s3" if environ.get(ENV_KIND) == "s3" else "file"


def names_s3(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment names an S3 service (an endpoint, or an AWS bucket); then none is started here."""
    return bool(environ.get(ENDPOINT_URL) or environ.get(BUCKET))


def remember(directory: Path, kind: Kind, environ: Mapping[str, str] = os.environ) -> None:
    """Record in the state folder where its media is stored, so that a later run does not look for it elsewhere.

    Raises:
        StartError: an earlier run stored it elsewhere.
    """
    own = kind == "file" or not names_s3(environ)
    place = kind if own else f"s3 {environ.get(ENDPOINT_URL, 'AWS')} {environ.get(BUCKET, 'mediatask')}"
    file = directory / "store"
    known = file.read_text().strip() if file.exists() else place
    if known != place:
        raise StartError(
            f"the media of {directory} is in the store `{known}`, not in `{place}`: its tasks would lose their media. "
            f"Start it with its own store (--store {known.split()[0]}), choose another --dir, "
            f"or delete {file} once you have moved the media"
        )
    file.write_text(f"{place}\n")


def without_credentials(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of processes that do not use the store: what they do not have, they cannot leak."""
    return {name: value for name, value in environ.items() if not name.startswith((PREFIX, "AWS_"))}


async def check_named() -> None:
    """Try the S3 service that the environment names, so that a wrong setting is reported before anything starts.

    Raises:
        OSError: it cannot be used; the message says why.
        StartError: a setting is invalid.
    """
    # Takes half a second to import: only when needed.
    from mediatask_common.settings import StoreSettings
    from mediatask_common.store import open_store

    try:
        store = open_store(StoreSettings(kind="s3"))
    except ValueError as error:
        raise StartError(f"invalid settings of the S3 store ({PREFIX}*): {error}") from error
    await store.check()
