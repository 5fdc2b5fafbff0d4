"""Verbs that run the whole service on this machine.

Without `from __future__ import annotations`: Typer would evaluate each annotation from its text, which slows `--help`.
"""

from pathlib import Path
from typing import Annotated

import typer

from ...config import DEFAULT_DIR
from ..app import app
from ..options import Dir, Store


@app.command()
def up(
    folder: Dir = DEFAULT_DIR,
    api_port: Annotated[int, typer.Option(help="Port of the REST API.")] = 8001,
    gpus: Annotated[
        int | None,
        typer.Option(
            min=1, help="GPU slots: tasks with a GPU that run at once; one per device, 2 where there is none."
        ),
    ] = None,
    store: Store = "file",
) -> None:
    """Start the whole service on this machine, until Ctrl-C.

    A restart continues where it stopped. It runs an embedded Kubernetes API, the operator, the REST API and a Job
    runner; no cluster is needed.
    """
    from mediatask_common.logging import setup_logging
    from mediatask_local.up import UpInfo, run

    setup_logging()

    def ready(info: UpInfo) -> None:
        rows = {"API": info.api_url, "docs": f"{info.api_url}/docs", "API key": info.api_key}
        rows["GPU slots"] = f"{info.gpu_slots}" if info.gpu_devices else f"{info.gpu_slots}, virtual: no NVIDIA device"
        if info.s3_url:
            rows["S3"] = f"{info.s3_url} (its keys are in {folder / 'secrets'})"
        rows["kubeconfig"] = str(info.kubeconfig)
        for name, value in rows.items():
            typer.echo(f"{name:<11} {value}")
        here = "" if folder == DEFAULT_DIR else f" --dir {folder}"
        typer.echo(f'\nTry:  mediatask submit generate_image "a lighthouse at dusk" --wait --download .{here}')
        typer.echo(f"      kubectl --kubeconfig {info.kubeconfig} get mt -w")
        typer.secho("Ctrl-C stops it; the state stays.", dim=True)

    raise typer.Exit(run(folder, api_port=api_port, gpus=gpus, store=store, on_ready=ready))


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("out"),
    folder: Annotated[
        Path | None, typer.Option("--dir", help="State folder; a temporary one when absent.", show_default=False)
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the state and logs at the end.")] = False,
    store: Store = "file",
) -> None:
    """Run four example tasks on this machine and show the results.

    They make a picture, a film, a voice line and a prompt result, from REST call to signed webhook. The local mode is
    started for them on free ports and stopped at the end.
    """
    from rich.console import Console

    from ...demo.run import run

    raise typer.Exit(run(out, state=folder, keep=keep, store=store, console=Console(highlight=False)))
