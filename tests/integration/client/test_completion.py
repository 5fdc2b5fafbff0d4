"""What the shell completes, in bash itself and as zsh and fish ask for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mediatask_client.cli import app

SHELLS = ("bash", "zsh", "fish")
PROGRAM = Path(sys.executable).parent / "mediatask"


def run(*command: str, **environ: str) -> str:
    path = f"{PROGRAM.parent}:{os.environ['PATH']}"
    done = subprocess.run(
        command, env=os.environ | {"PATH": path} | environ, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


@cache
def script(shell: str) -> str:
    return run(str(PROGRAM), _MEDIATASK_COMPLETE=f"source_{shell}")


def in_bash(words: list[str]) -> str:
    line = " ".join(f"'{word}'" for word in words)
    asking = (
        f'COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _mediatask_completion mediatask; echo "${{COMPREPLY[@]}}"'
    )
    return run("bash", "--norc", "-c", f"{script('bash')}\ncomplete -p mediatask >&2\n{asking}")


def asked(**environ: str) -> str:
    return CliRunner().invoke(app, [], env=environ, prog_name="mediatask").stdout


def in_zsh(words: list[str]) -> str:
    return asked(_MEDIATASK_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS=" ".join(words))


def in_fish(words: list[str]) -> str:
    ask = {"_TYPER_COMPLETE_FISH_ACTION": "get-args", "_TYPER_COMPLETE_ARGS": " ".join(words)}
    return asked(_MEDIATASK_COMPLETE="complete_fish", **ask)


@pytest.mark.parametrize("ask", [in_bash, in_zsh, in_fish], ids=SHELLS)
@pytest.mark.parametrize(
    ("words", "offered", "not_offered"),
    [
        (["sub"], "submit", "cancel"),
        (["webhook", "l"], "listen", "redeliver"),
        (["list", "--status", "p"], "processing", "queued"),
        (["get", "-o", "y"], "yaml", "json"),
        (["keys", "create", "--pro"], "--project", "--role"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_it_completes(ask: object, words: list[str], offered: str, not_offered: str) -> None:
    assert callable(ask)
    told = ask(["mediatask", *words])
    assert offered in told
    assert not_offered not in told


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_one_of_the_shell(shell: str, tmp_path: Path) -> None:
    written = tmp_path / "script"
    written.write_text(script(shell))
    assert "mediatask" in written.read_text()
    if found := shutil.which(shell):
        run(found, "-n", str(written))
