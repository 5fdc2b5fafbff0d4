"""Where address and key come from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mediatask_client.config import Connection, resolve
from mediatask_client.errors import NotConfigured

LOCAL = "http://127.0.0.1:8001"


@pytest.fixture
def local(tmp_path: Path) -> Path:
    (tmp_path / "up.json").write_text(json.dumps({"api_url": LOCAL, "api_key": "mtk_local"}))
    return tmp_path


def test_the_local_mode_is_found_by_itself(local: Path) -> None:
    assert resolve(folder=local, environ={}) == Connection(LOCAL, "mtk_local")


def test_arguments_before_environment_before_local_mode(local: Path) -> None:
    environ = {"MEDIATASK_URL": "https://env.example/", "MEDIATASK_API_KEY": "mtk_env"}
    assert resolve(folder=local, environ=environ) == Connection("https://env.example", "mtk_env")
    assert resolve("https://arg.example/api/v1", "mtk_arg", local, environ) == Connection(
        "https://arg.example", "mtk_arg"
    )


def test_the_folder_can_come_from_the_environment(local: Path) -> None:
    assert resolve(environ={"MEDIATASK_DIR": str(local)}).api_key == "mtk_local"


def test_the_local_key_goes_nowhere_else(local: Path) -> None:
    with pytest.raises(NotConfigured, match=r"no API key for https://prod\.example"):
        resolve("https://prod.example", folder=local, environ={})
    assert resolve(LOCAL + "/", folder=local, environ={}).api_key == "mtk_local"


def test_nothing_known_names_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match=r"mediatask up.*up\.json"):
        resolve(folder=tmp_path, environ={})
