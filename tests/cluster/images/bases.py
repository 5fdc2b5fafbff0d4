"""Makes a base image of Debian's packages."""

from __future__ import annotations

from pathlib import Path

from cluster.images.commands import Report, run
from cluster.images.recipes import Base

# Nobody reads manual pages in a container; what the licences say stays.
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/man/*")
KEPT = "/usr/share/doc/*/copyright"
# Of this machine, and no business of the image: where packages came from, the name server, the name.
TRACES = ("/etc/apt/sources.list", "/etc/apt/sources.list.d", "/etc/hostname", "/etc/resolv.conf")


def make_root(base: Base, archive: Path, report: Report) -> None:
    """Writes the root file system of `base` to `archive`, a tar file; about a minute.

    Equal packages give an equal file: mmdebstrap clamps all times to SOURCE_DATE_EPOCH.

    Raises:
        ClusterError: mmdebstrap failed.
    """
    command = ["mmdebstrap", "--quiet", "--format=tar", "--mode=root"]
    # Not `essential`: it would merge /usr by the package usrmerge and keep its Perl, a third of the size.
    command += ["--variant=custom", "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", "--include=usr-is-merged"]
    command += ["--include=?essential", *(f"--include={package}" for package in base.packages)]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT] + [f"--dpkgopt=path-include={KEPT}"]
    command += ["--customize-hook=" + " ".join(["rm", "-rf", *(f'"$1"{path}' for path in TRACES)])]
    run([*command, base.suite, str(archive)], report, environment={"SOURCE_DATE_EPOCH": "0"})
