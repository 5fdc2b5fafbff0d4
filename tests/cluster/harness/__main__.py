"""A real Kubernetes control plane on this machine, without Docker: build, start, stop.

It is built from Go modules once (about 5 minutes on 2 cores) and starts in about 10 seconds. `up` prints the line
that points kubectl at it and stays until Ctrl-C or `down`. No other machine reaches it, and nothing of it is left.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cluster.harness.build import binaries_dir, build
from cluster.harness.cluster import Cluster, Options
from cluster.harness.errors import ClusterError
from cluster.harness.node.containerd import Containerd
from cluster.harness.recipes import CLUSTER, EXTRAS, REAL_NODE, TOOLS
from cluster.harness.rundir import RunDir

CHECK_SECONDS = 1


def main() -> None:
    arguments = _parser().parse_args()
    run: Callable[[argparse.Namespace], None] = arguments.run
    try:
        run(arguments)
    except ClusterError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)  # as a shell has it: 128 + SIGINT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cluster.harness", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    verb = verbs.add_parser("build", help="compile what is missing or out of date")
    cluster = ", ".join(tool.name for tool in CLUSTER)
    extras = ", ".join(tool.name for tool in (*REAL_NODE, *EXTRAS))
    verb.add_argument("tools", nargs="*", metavar="TOOL", help=f"default: {cluster}; besides: {extras}")
    verb.set_defaults(run=_build)

    verb = verbs.add_parser("up", help="start a cluster and stay until Ctrl-C")
    verb.add_argument(
        "--node",
        choices=["kwok", "real", "none"],
        default=Options.node,
        help="what runs pods: kwok plays them, real runs them and needs root (%(default)s)",
    )
    verb.add_argument("--nodes", type=int, default=Options.nodes, help="number of nodes that kwok plays (%(default)s)")
    verb.add_argument("--gpus", type=int, default=Options.gpus, help="GPUs of each node (%(default)s)")
    verb.add_argument("--audit", action="store_true", help="write every request to DIR/logs/audit.log")
    verb.add_argument("--stock-controllers", action="store_true", help="do not speed up the Job controller")
    _add_dir(verb)
    verb.set_defaults(run=_up)

    verb = verbs.add_parser("import", help="load images into the real node of a running cluster")
    verb.add_argument("archives", nargs="+", type=Path, metavar="FILE", help="OCI or Docker archive (.tar)")
    _add_dir(verb)
    verb.set_defaults(run=_import)

    verb = verbs.add_parser("down", help="stop the cluster of a folder")
    _add_dir(verb)
    verb.set_defaults(run=_down)
    return parser


def _add_dir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dir", type=Path, help=f"the cluster's folder; its logs stay there afterwards ({_default_dir()}, removed)"
    )


def _default_dir() -> Path:
    return Path(tempfile.gettempdir()) / f"mediatask-cluster-{os.getuid()}"


def _build(arguments: argparse.Namespace) -> None:
    if unknown := [name for name in arguments.tools if name not in TOOLS]:
        raise ClusterError(f"no recipe for {', '.join(unknown)}: there is {', '.join(TOOLS)}")
    tools = [TOOLS[name] for name in arguments.tools] or CLUSTER
    build(tools, report=_report)
    _report(f"in {binaries_dir()}: {', '.join(tool.name for tool in tools)}")


def _up(arguments: argparse.Namespace) -> None:
    options = Options(
        node=arguments.node,
        nodes=arguments.nodes,
        gpus=arguments.gpus,
        audit=arguments.audit,
        stock_controllers=arguments.stock_controllers,
    )

    def stop(*_: object) -> None:
        # Once is enough: a second signal must not cut the cleaning up short.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    directory = arguments.dir or _default_dir()
    with (
        contextlib.suppress(KeyboardInterrupt),
        Cluster(directory, options, keep_logs=arguments.dir is not None, report=_report) as cluster,
    ):
        # The only line on stdout, so that a script can read it.
        print(f"export KUBECONFIG={cluster.kubeconfig}", flush=True)
        _report(f"logs in {directory}/logs; stop with Ctrl-C or `down`")
        while True:
            cluster.check()
            time.sleep(CHECK_SECONDS)


def _import(arguments: argparse.Namespace) -> None:
    rundir = RunDir(arguments.dir or _default_dir())
    Containerd(binaries_dir(), rundir.node).import_images(arguments.archives)


def _down(arguments: argparse.Namespace) -> None:
    directory = arguments.dir or _default_dir()
    rundir = RunDir(directory)
    if not rundir.stop_holder():
        _report(f"no cluster runs in {directory}")
        rundir.sweep()


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
