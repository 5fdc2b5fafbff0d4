"""`python -m mediatask_local.jobrunner --dir DIR --gpus N`: the Job runner as a separate process."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from mediatask_common.kube import Kube
from mediatask_common.logging import setup_logging

from .runner import JobRunner
from .scheduling.node import node_object

GRACE_SECONDS = 20.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m mediatask_local.jobrunner", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True, help="folder for the pods' files")
    parser.add_argument("--kubeconfig", type=Path, help="access to the API server; default: KUBECONFIG")
    parser.add_argument("--gpus", type=int, default=0, help="nvidia.com/gpu slots to offer")
    parser.add_argument("--cpus", type=int, help="cores to offer; default: twice those of the machine")
    parser.add_argument("--memory", type=int, help="bytes of memory to offer; default: all of the machine")
    parser.add_argument("--grace", type=float, default=GRACE_SECONDS, help="seconds pods get to terminate on SIGTERM")
    args = parser.parse_args()
    if sys.platform != "linux":
        parser.error("the local mode needs Linux: it supervises processes through /proc and prctl")
    setup_logging()
    node = node_object(gpus=args.gpus, cpus=args.cpus, memory=args.memory)
    asyncio.run(_run(args.dir, args.kubeconfig, node, args.grace))


async def _run(directory: Path, kubeconfig: Path | None, node: dict[str, object], grace: float) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with await Kube.connect(kubeconfig) as kube:
        await JobRunner(kube, directory, node).run(stop, grace_seconds=grace)


if __name__ == "__main__":
    main()
