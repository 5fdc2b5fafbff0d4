"""What docs/client.md says in its tables is so; its examples run in tests/embedded/test_client_docs.py."""

from __future__ import annotations

import re
from pathlib import Path

from typer.testing import CliRunner

import mediatask_client
from mediatask_client import cli

PAGE = (Path(__file__).parents[3] / "docs" / "client.md").read_text()


def test_exit_codes_are_those_of_the_help() -> None:
    rows = dict(re.findall(r"^\| (\d+) \| (.*) \|$", PAGE, re.M))
    help_text = CliRunner().invoke(cli.app, ["--help"]).stdout
    assert rows == dict(re.findall(r"^    (\d+) +(.*)$", help_text, re.M))


def test_exceptions_are_real() -> None:
    table = PAGE.split("### Errors")[1].split("```")[0]
    named = set(re.findall(r"`([A-Z]\w+)`", table))
    assert named
    assert named <= set(mediatask_client.__all__)
