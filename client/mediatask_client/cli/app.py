"""The command itself: its help, version and exit codes."""

from __future__ import annotations

import errno
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ..errors import MediaTaskError, UsageError
from .terminal.text import safe

EXIT_CODES = """\b
Exit codes:
  0    done
  1    a task failed or was cancelled, the service refused or did not answer, or a file could not be written
  2    the command line or the configuration is wrong; nothing was sent
  130  stopped by Ctrl-C
"""


class _Group(TyperGroup):
    """Turns this package's errors into messages and exit codes, for every verb alike."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except MediaTaskError as error:
            complain(str(error))
            raise typer.Exit(2 if isinstance(error, UsageError) else 1) from error
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            complain(str(error))
            raise typer.Exit(1) from error


# Without Rich in the help: importing it takes longer than everything else together.
app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def complain(message: str) -> None:
    """One fault, on standard error."""
    typer.secho(f"Error: {safe(message)}", fg="red", err=True)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"mediatask {version('mediatask')}")
        raise typer.Exit


@app.callback()
def mediatask(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Make media: submit tasks, follow them, fetch what they made."""
