"""Settings that are wrong are told without the values of others, which may be credentials."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from mediatask_api.settings import ApiSettings
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
