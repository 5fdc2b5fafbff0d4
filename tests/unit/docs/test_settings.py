"""The page of all settings has every one of them, with what it means."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from pydantic_settings import BaseSettings, SettingsConfigDict

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = (DOCS / "settings.md").read_text()


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class Undescribed(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="MEDIATASK_", use_attribute_docstrings=True)

    told_seconds: int = 3
    """Secret. Meaning."""
    untold: int = 4


def test_a_setting_without_a_description_fails(generate: ModuleType) -> None:
    with pytest.raises(generate.Undescribed, match="MEDIATASK_UNTOLD has no description"):
        list(generate.settings_of(Undescribed))


def test_a_variable_of_job_or_client_without_a_description_fails(
    generate: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some_constants.py").write_text('ENV_TOLD = "A"\n"""Meaning."""\nENV_UNTOLD = "B"\nOTHER = "C"\n')
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(generate.Undescribed, match="B has no description"):
        list(generate.constants_of(importlib.import_module("some_constants")))


def test_a_row_tells_unit_default_and_whether_it_is_secret(generate: ModuleType) -> None:
    row = next(generate.settings_of(Undescribed))
    assert (row.variable, row.default, row.unit, row.secret) == ("MEDIATASK_TOLD_SECONDS", "3", "s", True)


def test_every_setting_has_a_row(generate: ModuleType) -> None:
    found = [setting for part in generate.tables().values() for setting in part]
    assert len(found) > 90
    assert [setting.variable for setting in found if f"\n| `{setting.variable}`" not in PAGE] == []


def test_what_may_not_be_shown_is_marked_as_secret(generate: ModuleType) -> None:
    secret = {setting.variable for part in generate.tables().values() for setting in part if setting.secret}
    assert {"MEDIATASK_REDIS_URL", "MEDIATASK_API_KEY", "MEDIATASK_TOKEN"} <= secret, "by their words"
    assert "MEDIATASK_STORE_SECRET_ACCESS_KEY" in secret, "by its type"
