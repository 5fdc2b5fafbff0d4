"""The README's commands, as somebody pastes them into a shell, against the local mode."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mediatask_local.up import UpInfo

README = Path(__file__).resolve().parents[2] / "README.md"


def commands(heading: str) -> str:
    """All shell blocks of a section, in order."""
    section = README.read_text().split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    assert blocks, f"{heading} has no commands"
    return "\n".join(blocks)


def paste(heading: str, info: UpInfo, folder: Path) -> str:
    """What the section's commands print, run in an empty folder beside a running `make up`."""
    state = Path(info.kubeconfig).parents[1]
    script = commands(heading)
    for written, here in {
        ".venv/bin/": f"{Path(sys.executable).parent}/",
        "http://localhost:8001": info.api_url,
        ".mediatask/": f"{state}/",
    }.items():
        script = script.replace(written, here)
    env = {**os.environ, "MEDIATASK_DIR": str(state), "HOME": str(folder)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(600)  # one of its pictures takes minutes beside other work
def test_over_rest(embedded_mode: UpInfo, tmp_path: Path) -> None:
    printed = paste("Over REST", embedded_mode, tmp_path)
    assert '"status":"completed"' in printed
    assert (tmp_path / "line.mp3").stat().st_size > 10_000
    pictures = list((tmp_path / "out").iterdir())
    assert len(pictures) == 1, "mediatask submit --download brings the picture"
    assert pictures[0].stat().st_size > 1_000


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_with_kubectl(embedded_mode: UpInfo, tmp_path: Path) -> None:
    printed = paste("With kubectl", embedded_mode, tmp_path)
    assert re.search(r"^first-line +detective_series_001 +process_audio +completed +1 ", printed, re.MULTILINE)
    assert "KIND:       MediaTask" in printed
