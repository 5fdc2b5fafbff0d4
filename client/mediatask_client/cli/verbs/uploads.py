"""Verbs for the inputs that callers upload.

Without `from __future__ import annotations`: see `tasks.py`.
"""

from pathlib import Path
from typing import Annotated

import typer

from ...config import DEFAULT_DIR
from ..app import app
from ..options import Dir, Format, Key, Output, Project, Url


@app.command(
    epilog="Example: mediatask submit generate_image 'an alley' --set style_guide=$(mediatask upload noir.png)"
)
def upload(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Pictures, recordings or films.")],
    project: Project = "default",
    output: Output = Format.TABLE,
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Upload files as inputs of tasks; prints their references."""
    from ..session import Session
    from ..terminal.output import write_uploads

    with Session(url, api_key, folder) as session:
        write_uploads(output, [(str(path), session.upload(path, project)) for path in files])


@app.command(epilog="Example: mediatask delete-upload upload://0123456789abcdef0123456789abcdef --project film")
def delete_upload(
    references: Annotated[list[str], typer.Argument(metavar="REFERENCE...", help="What `mediatask upload` printed.")],
    project: Project = "default",
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Delete uploads that no running task uses; prints the references of those that are gone."""
    from mediatask_crds.references import UPLOAD

    from ...errors import UsageError
    from ..session import Session

    for reference in references:
        if not reference.startswith(UPLOAD):
            raise UsageError(f"{reference!r} is no reference of an upload: they are of the form {UPLOAD}ID.")
    with Session(url, api_key, folder) as session:
        for reference in references:
            session.client.delete_upload(reference.removeprefix(UPLOAD), project)
            typer.echo(reference)
