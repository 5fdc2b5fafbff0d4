"""Every example of docs/integrations/agents.md runs, beside a started local mode."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters

from mediatask_crds.tasktypes import task_types
from mediatask_local.up import UpInfo
from support import scripted_model

PAGE = Path(__file__).resolve().parents[2] / "docs" / "integrations" / "agents.md"


async def test_what_desktop_programs_are_told_to_start_is_a_server(embedded_mode: UpInfo) -> None:
    (found,) = re.findall(r"^```json\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    server = json.loads(found)["mcpServers"]["mediatask"]
    env = dict.fromkeys(server["env"], "") | {
        "MEDIATASK_URL": embedded_mode.api_url,
        "MEDIATASK_API_KEY": embedded_mode.api_key,
    }
    assert env.keys() == server["env"].keys()
    program = str(Path(sys.executable).with_name(server["command"]))
    async with Client(StdioServerParameters(command=program, args=server["args"], env=env)) as client:
        assert "generate_image" in {tool.name for tool in (await client.list_tools()).tools}


def examples() -> dict[str, str]:
    """Code by the line where it begins."""
    text = PAGE.read_text()
    blocks = re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return {f"line {text.count(chr(10), 0, found.start(1)) + 1}": found[1] for found in blocks}


def test_the_page_names_each_task_type() -> None:
    assert all(f"`{name}`" in PAGE.read_text() for name in task_types())


@pytest.mark.parametrize("line", examples())
def test_it_ends_with_media(line: str, embedded_mode: UpInfo, tmp_path: Path) -> None:
    state = Path(embedded_mode.kubeconfig).parents[1]
    shutil.copy(scripted_model.__file__, tmp_path / "studio.py")
    env = {name: value for name, value in os.environ.items() if not name.startswith("MEDIATASK_")}
    done = subprocess.run(
        [sys.executable, "-c", examples()[line]],
        cwd=tmp_path,
        env=env | {"MEDIATASK_DIR": str(state), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "http" in done.stdout.splitlines()[-1], done.stdout
