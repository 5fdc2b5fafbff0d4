"""Settings: how they are told when they are wrong, and the names that the rest of the platform has for them."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from mediatask_api.settings import ApiSettings
from mediatask_common.logging import setup_logging
from mediatask_common.settings import contradictions, warn_of_contradictions
from mediatask_operator.settings import OperatorSettings


@pytest.mark.parametrize("settings", [ApiSettings, OperatorSettings])
def test_a_message_about_a_wrong_setting_quotes_no_values(
    monkeypatch: pytest.MonkeyPatch, settings: type[ApiSettings]
) -> None:
    monkeypatch.setenv("MEDIATASK_REDIS_URL", "redis://:pw@a")
    monkeypatch.setenv("MEDIATASK_ALLOW_NETWORKS", '["nowhere"]')
    with pytest.raises(ValidationError, match="nowhere") as refused:
        settings()
    assert "redis" not in str(refused.value)


PLATFORM = {
    "REDIS_URL": "redis://there:6379/0",
    "R2_PUBLIC_URL": "https://media.ft.tc",
    "CELERY_TASK_SERVICE_URL": "https://tasks.ft.tc",
    "AUTO_MOVIE_APP_URL": "https://auto-movie.ft.tc",
    "MCP_BRAIN_SERVICE_URL": "https://brain.ft.tc",
    "PAYLOAD_API_URL": "https://auto-movie.ft.tc/api",
    "WEBHOOK_BASE_URL": "https://auto-movie.ft.tc/api/webhooks",
    "PROMETHEUS_URL": "https://metrics.ft.tc",
    "GRAFANA_URL": "https://dashboard.ft.tc",
}


def set_all(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def values(settings: ApiSettings) -> dict[str, str | None]:
    return {
        "REDIS_URL": settings.redis_url,
        "R2_PUBLIC_URL": settings.store.public_url,
        "CELERY_TASK_SERVICE_URL": settings.public_url,
        "AUTO_MOVIE_APP_URL": settings.auto_movie_url,
        "MCP_BRAIN_SERVICE_URL": settings.brain_url,
        "PAYLOAD_API_URL": settings.payload_api_url,
        "WEBHOOK_BASE_URL": settings.webhook_base_url,
        "PROMETHEUS_URL": settings.prometheus_url,
        "GRAFANA_URL": settings.grafana_url,
    }


def test_the_platforms_names_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, PLATFORM)
    assert values(ApiSettings()) == PLATFORM
    operator = OperatorSettings()
    assert operator.redis_url == PLATFORM["REDIS_URL"]
    assert operator.store.public_url == PLATFORM["R2_PUBLIC_URL"]
    assert list(contradictions(ApiSettings)) == []


def test_our_names_take_precedence_and_a_contradiction_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, PLATFORM)
    set_all(monkeypatch, {"MEDIATASK_REDIS_URL": "redis://here:6379/0", "MEDIATASK_STORE_PUBLIC_URL": "https://cdn"})
    set_all(monkeypatch, {"MEDIATASK_BRAIN_URL": PLATFORM["MCP_BRAIN_SERVICE_URL"]})
    settings = ApiSettings()
    assert (settings.redis_url, settings.store.public_url) == ("redis://here:6379/0", "https://cdn")
    assert set(contradictions(ApiSettings)) == {
        ("MEDIATASK_REDIS_URL", "REDIS_URL"),
        ("MEDIATASK_STORE_PUBLIC_URL", "R2_PUBLIC_URL"),
    }


def test_an_empty_variable_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {"MEDIATASK_REDIS_URL": "", "REDIS_URL": "redis://there", "GRAFANA_URL": ""})
    settings = ApiSettings()
    assert (settings.redis_url, settings.grafana_url) == ("redis://there", None)
    assert list(contradictions(ApiSettings)) == []


def test_what_code_says_takes_precedence_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, PLATFORM)
    assert ApiSettings(redis_url="redis://code").redis_url == "redis://code"


def test_a_contradiction_is_told_without_the_values(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_all(monkeypatch, {"REDIS_URL": "redis://:hidden@a", "MEDIATASK_REDIS_URL": "redis://:secret@b"})
    setup_logging("INFO", "json")
    warn_of_contradictions(ApiSettings)
    told = capsys.readouterr()
    assert "MEDIATASK_REDIS_URL" in told.out + told.err
    assert "hidden" not in told.out + told.err
    assert "secret" not in told.out + told.err
