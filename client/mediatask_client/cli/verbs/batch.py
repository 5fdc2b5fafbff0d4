"""The verb that submits many tasks.

Without `from __future__ import annotations`: see `tasks.py`.
"""

from typing import Annotated

import typer

from ...config import DEFAULT_DIR
from ..app import app
from ..options import Dir, Format, Key, Output, Project, Url

AT_ONCE = 100
"""Tasks of one request."""


@app.command(epilog="Example: mediatask batch tasks.yaml --project film --atomic")
def batch(
    file: Annotated[
        typer.FileBinaryRead,
        typer.Argument(metavar="FILE", help="JSON or YAML: a list of requests, or one under `tasks`; - is stdin."),
    ],
    project: Project = "default",
    atomic: Annotated[bool, typer.Option("--atomic", help="All or none; 100 tasks at most.")] = False,
    output: Output = Format.TABLE,
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Submit many tasks; prints the ids of those that were accepted."""
    from ...errors import UsageError
    from ..request import read_requests
    from ..session import Session
    from ..terminal.output import write_batch

    requests = read_requests(file.read(), project)
    if atomic and len(requests) > AT_ONCE:
        raise UsageError(f"--atomic takes {AT_ONCE} tasks at most, not {len(requests)}")
    with Session(url, api_key, folder) as session:
        results = []
        try:
            for start in range(0, len(requests), AT_ONCE):
                found = session.client.batch(requests[start : start + AT_ONCE], atomic=atomic)
                results += [result.model_copy(update={"index": start + result.index}) for result in found]
        finally:
            write_batch(output, results)  # what was accepted before a failure is worth knowing
    if any(result.task is None for result in results):
        raise typer.Exit(1)
