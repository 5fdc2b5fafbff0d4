"""The crew of docs/integrations/agents.md makes media beside the local mode: `make agents`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mediatask_local.up import embedded

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ENVIRONMENT = ROOT / "build" / "crewai"
PYTHON_VERSION = ">=3.12,<3.14"
SILENT = {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_DISABLE_VERSION_CHECK": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "OTEL_SDK_DISABLED": "true",
}


@pytest.fixture(scope="session")
def python() -> Path:
    """Python with CrewAI; installed where it is not there."""
    wanted = (HERE / "requirements.txt").read_text()
    marker, program = ENVIRONMENT / "requirements.txt", ENVIRONMENT / "bin" / "python"
    if not marker.exists() or marker.read_text() != wanted:
        uv = str(Path(sys.executable).with_name("uv"))
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", PYTHON_VERSION, str(ENVIRONMENT)], check=True)
        install = [uv, "pip", "install", "--quiet", "--python", str(program), "-r", str(HERE / "requirements.txt")]
        subprocess.run(install, check=True)
        marker.write_text(wanted)
    return program


@pytest.mark.timeout(300)
def test_the_crew_ends_with_media(python: Path, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "integrations" / "agents.md").read_text()
    [code] = re.findall(r"^```py\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    shutil.copy(HERE / "crew_model.py", tmp_path / "studio.py")
    with embedded(tmp_path / "up"):
        env = {name: value for name, value in os.environ.items() if not name.startswith("MEDIATASK_")}
        env |= {"MEDIATASK_DIR": str(tmp_path / "up"), "HOME": str(tmp_path), "PYTHONPATH": str(tmp_path), **SILENT}
        done = subprocess.run(
            [python, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=200, check=False
        )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert done.stdout.splitlines()[-1].startswith("completed: http"), done.stdout
