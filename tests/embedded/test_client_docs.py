"""Every example of docs/client.md runs, beside a started local mode, in a folder of the reader's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from mediatask_local.up import UpInfo
from support.inputs import png
from support.processes import free_port

PAGE = Path(__file__).resolve().parents[2] / "docs" / "client.md"


@dataclass(frozen=True)
class Example:
    """A block of code."""

    line: int
    language: str
    code: str

    @property
    def command(self) -> list[str]:
        return ["bash", "-euo", "pipefail", "-c"] if self.language == "sh" else [sys.executable, "-c"]


def examples() -> list[Example]:
    text = PAGE.read_text()
    blocks = re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [Example(text.count("\n", 0, found.start(2)) + 1, found[1], found[2]) for found in blocks]


def test_each_example_is_of_a_language_that_runs() -> None:
    assert {example.language for example in examples()} == {"sh", "python"}


@pytest.mark.parametrize("example", examples(), ids=lambda example: f"{example.language} line {example.line}")
def test_it_runs(example: Example, embedded_mode: UpInfo, tmp_path: Path) -> None:
    (tmp_path / "noir.png").write_bytes(png())
    state = Path(embedded_mode.kubeconfig).parents[1]
    env = {name: value for name, value in os.environ.items() if not name.startswith("MEDIATASK_")} | {
        "MEDIATASK_DIR": str(state),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
    }
    env.pop("KUBECONFIG", None)
    code = example.code.replace("8080", str(free_port()))
    done = subprocess.run(
        [*example.command, code], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
