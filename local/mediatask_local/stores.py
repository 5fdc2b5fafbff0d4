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
    """The kind that the environment asks for; a folder when it says nothing."""
    return "s3" if environ.get(ENV_KIND) == "s3" else "file"


def names_s3(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment names an S3 (an endpoint, or a bucket of AWS): then none is started here."""
    return bool(environ.get(ENDPOINT_URL) or environ.get(BUCKET))


def remember(directory: Path, kind: Kind, environ: Mapping[str, str] = os.environ) -> None:
    """Keep in the state folder where its media lies, so that a later run does not look for it elsewhere.

    Raises:
        StartError: an earlier run kept it elsewhere.
    """
    own = kind == "file" or not names_s3(environ)
    place = kind if own else f"s3 {environ.get(ENDPOINT_URL, 'AWS')} {environ.get(BUCKET, 'mediatask')}"
    file = directory / "store"
    known = file.read_text().strip() if file.exists() else place
    if known != place:
        raise StartError(
            f"the media of {directory} is in the store `{known}`, not in `{place}`: its tasks would lose their media. "
            f"Start it with the store that it has (--store {known.split()[0]}), choose another --dir, "
            f"or delete {file} once the media has moved"
        )
    file.write_text(f"{place}\n")


def without_credentials(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """For all that does not touch the store: what a process does not have, it cannot leak."""
    return {name: value for name, value in environ.items() if not name.startswith((PREFIX, "AWS_"))}


async def check_named() -> None:
    """Try the S3 that the environment names, so that a wrong setting is told before anything starts.

    Raises:
        OSError: it cannot be used; the text says why.
        StartError: a setting makes no sense.
    """
    # Half a second to import: only for those who need it.
    from mediatask_common.settings import StoreSettings
    from mediatask_common.store import open_store

    try:
        store = open_store(StoreSettings(kind="s3"))
    except ValueError as error:
        raise StartError(f"the settings of the S3 store ({PREFIX}*): {error}") from error
    await store.check()
