"""What docs/client.md shows exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

import mediatask_client
from mediatask_client import cli

PAGE = (Path(__file__).parents[3] / "docs" / "client.md").read_text()
COMMANDS = re.findall(r"^mediatask .*$", PAGE, re.M)


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_have_the_options_that_are_shown(line: str) -> None:
    _, verb, *words = shlex.split(line, comments=True)
    told = CliRunner().invoke(cli.app, [verb, "--help"])
    assert told.exit_code == 0
    assert {word for word in words if word.startswith("--")} <= set(told.stdout.split())


def test_exit_codes_are_those_of_the_help() -> None:
    rows = dict(re.findall(r"^\| (\d+) \| (.*) \|$", PAGE, re.M))
    help_text = CliRunner().invoke(cli.app, ["--help"]).stdout
    assert rows == dict(re.findall(r"^    (\d+) +(.*)$", help_text, re.M))


def test_exceptions_and_code_are_real() -> None:
    named = set(re.findall(r"`([A-Z]\w+)`", PAGE.split("## Python")[1].split("## Webhooks")[0]))
    assert named <= set(mediatask_client.__all__)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
    assert blocks
    for block in blocks:
        compile(block, "docs/client.md", "exec")
