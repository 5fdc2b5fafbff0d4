"""Options and arguments that several verbs share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..config import ENV_API_KEY, ENV_DIR, ENV_URL, StoreKind


class Format(StrEnum):
    """Ways to write a result."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


Status = Literal["queued", "processing", "completed", "failed", "cancelled"]

Url = Annotated[str | None, typer.Option(envvar=ENV_URL, help="Address of the service; the local mode's when absent.")]
Key = Annotated[str | None, typer.Option(envvar=ENV_API_KEY, help="API key; the local mode's when absent.")]
Dir = Annotated[Path, typer.Option("--dir", envvar=ENV_DIR, help="State folder of the local mode.")]
Store = Annotated[
    StoreKind,
    typer.Option(
        envvar="MEDIATASK_STORE_KIND",
        help="Where media is stored. s3: an S3 server started here, or the one that MEDIATASK_STORE_ENDPOINT_URL and "
        "MEDIATASK_STORE_BUCKET name.",
    ),
]
Output = Annotated[
    Format, typer.Option("--output", "-o", help="Table for people, JSON or YAML for programs, or names (ids) only.")
]
Project = Annotated[str, typer.Option("--project", "-p", envvar="MEDIATASK_PROJECT", help="Project id.")]
IdProject = Annotated[
    str,
    typer.Option("--project", "-p", envvar="MEDIATASK_PROJECT", help="Project in which to look up a shortened ID."),
]
TypeName = Annotated[
    str | None, typer.Argument(metavar="TYPE", help="Task type, for example generate_image; see `types`.")
]
MainText = Annotated[
    str | None, typer.Argument(metavar="TEXT", help="What to draw, film, say or ask: the type's main field.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="A field of the request's task_data; may be repeated. FIELD=@FILE uploads a file, where a URL is "
        "expected.",
    ),
]
RequestFile = Annotated[
    typer.FileBinaryRead | None,
    typer.Option(
        metavar="FILE",
        help="JSON or YAML: a whole request (task_type, task_data, project_id ...) or its task_data alone; "
        "- reads standard input. The command line takes precedence over the file.",
    ),
]
Priority = Annotated[int | None, typer.Option(min=0, max=9, help="0 is most urgent; 5 when absent.")]
TaskId = Annotated[
    str,
    typer.Argument(metavar="ID", help="Task id; its first characters (4 or more) do for the project's newest 100."),
]


def named_project(context: typer.Context, project: str) -> str | None:
    """The project where the command line itself names it: it takes precedence over a file's."""
    source = context.get_parameter_source("project")
    return project if source and source.name == "COMMANDLINE" else None
