"""PayloadCMS in `build/payload`: installed once, by whoever needs it first."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

SOURCES = Path(__file__).parent
FOLDER = Path(__file__).parents[3] / "build" / "payload"
INSTALL_SECONDS = 600


class NotInstallable(RuntimeError):
    """Node or the packages are missing."""


def installed() -> Path:
    """The folder with `server.mjs` and everything that it imports; installs it where it is not there.

    Raises:
        NotInstallable: no Node, or the packages cannot be had.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise NotInstallable("node and npm (20 or newer) are not on PATH")
    FOLDER.mkdir(parents=True, exist_ok=True)
    wanted, marker = (SOURCES / "package.json").read_text(), FOLDER / "installed"
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test workers come at the same moment
        if not marker.exists() or marker.read_text() != wanted:
            marker.unlink(missing_ok=True)
            (FOLDER / "package.json").write_text(wanted)
            _install(npm)
            marker.write_text(wanted)
        # In one step: Node may be reading it for another worker.
        fresh = Path(shutil.copy(SOURCES / "server.mjs", FOLDER / "server.new"))
        fresh.rename(FOLDER / "server.mjs")
    return FOLDER


def _install(npm: str) -> None:
    command = [npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    try:
        done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise NotInstallable(f"npm did not end within {INSTALL_SECONDS} s") from error
    if done.returncode:
        raise NotInstallable(f"npm install failed: {done.stderr[-2000:]}")
