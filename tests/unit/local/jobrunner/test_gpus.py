"""How many GPU slots a machine offers."""

from __future__ import annotations

import pytest

from mediatask_local.jobrunner.pods import gpus


@pytest.mark.parametrize(
    ("wanted", "devices", "slots"), [(None, 1, 1), (None, 8, 8), (None, 0, 2), (3, 1, 3), (0, 4, 0)]
)
def test_one_slot_per_device_unless_asked_otherwise(
    wanted: int | None, devices: int, slots: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpus, "real_gpus", lambda: devices)
    assert gpus.slot_count(wanted) == slots
