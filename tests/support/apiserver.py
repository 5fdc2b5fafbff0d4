"""A Kubernetes API server for tests: the embedded one with our CRDs, as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import yaml

from mediatask_common.kube import Kube, KubeError, Resource

from .processes import first_line, python_module

CRDS = Path(__file__).resolve().parents[2] / "crds"
_CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", namespaced=False)


@contextlib.contextmanager
def embedded_apiserver(folder: Path, port: int = 0) -> Iterator[Path]:
    """The kubeconfig of a running server whose state lies in `folder`."""
    log = folder / "apiserver.log"
    arguments = ("--dir", str(folder / "apiserver"), "--port", str(port))
    with python_module("mediatask_local.apiserver", *arguments, log=log) as process:
        kubeconfig = Path(json.loads(first_line(process, log))["kubeconfig"])
        asyncio.run(install_crds(kubeconfig))
        yield kubeconfig


async def install_crds(kubeconfig: Path) -> None:
    """Create our CRDs where they are not there yet."""
    async with await Kube.connect(kubeconfig) as kube:
        for path in sorted(CRDS.glob("*.yaml")):
            with contextlib.suppress(KubeError):
                await kube.create(_CRDS, yaml.safe_load(path.read_text()))
