"""Tasks that wait inside their pods until the test lets them go on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mediatask_common.kube import CLASSES, Kube, Object
from mediatask_local.up import UpInfo, embedded

# The real job, once the gate is open: until then every task runs.
_GATED = """
import os, runpy, time
while not os.path.exists({gate!r}):
    time.sleep(0.1)
runpy.run_module("mediatask_job", run_name="__main__", alter_sys=True)
"""


async def make_gated_class(kubeconfig: Path, gate: Path) -> None:
    """From now on every test_prompt waits for the file `gate`."""
    spec: Object = {
        "taskTypes": ["test_prompt"],
        # Of several defaults the first by name is taken.
        "default": True,
        "image": "python",
        "command": ["python", "-c", _GATED.format(gate=str(gate))],
        "gpu": {"count": 0},
    }
    body = {
        "apiVersion": "tasks.ft.tc/v1alpha1",
        "kind": "MediaTaskClass",
        "metadata": {"name": "a-slow"},
        "spec": spec,
    }
    async with await Kube.connect(kubeconfig) as kube:
        await kube.create(CLASSES, body)


@contextmanager
def gated_mode(folder: Path, **options: Any) -> Iterator[UpInfo]:
    """The local mode where every test_prompt waits for the file `gate` in its folder; options as of `embedded`."""
    with embedded(folder, **options) as info:
        asyncio.run(make_gated_class(info.kubeconfig, folder / "gate"))
        yield info
