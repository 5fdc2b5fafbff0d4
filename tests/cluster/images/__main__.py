"""Builds the project's container images without Docker, each as an OCI archive."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from cluster.harness.errors import ClusterError
from cluster.images.build import OUT, make
from cluster.images.recipes import BY_NAME


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m cluster.images", description=__doc__)
    parser.add_argument("images", nargs="*", metavar="IMAGE", help=f"default: all of {', '.join(BY_NAME)}")
    parser.add_argument("--out", type=Path, default=OUT, help="the archives' folder (build/images)")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.images if name not in BY_NAME]:
        parser.error(f"no recipe for {', '.join(unknown)}: there is {', '.join(BY_NAME)}")
    # A build ends its programs when it is interrupted; `kill` is to do the same.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        made = make([BY_NAME[name] for name in arguments.images or BY_NAME], out=arguments.out, report=_report)
    except ClusterError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)  # as a shell has it: 128 + SIGINT
    for archive in made:
        print(archive)


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
