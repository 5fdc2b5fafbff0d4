"""Kubernetes quantities."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediatask_local.jobrunner.quantities import parse_quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2", 2),
        (2, 2),
        ("500m", Decimal("0.5")),
        ("1.5Gi", 1.5 * 1024**3),
        ("128Mi", 128 * 1024**2),
        ("1k", 1000),
        ("1e3", 1000),
        ("1E", 10**18),
        ("100n", Decimal("1e-7")),
    ],
)
def test_values(text: str | int, value: float | Decimal) -> None:
    assert parse_quantity(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "Gi", "1Q", "one", "1 Gi", "NaN", "Infinity", "--1"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        parse_quantity(text)


@given(st.integers(0, 10**12), st.sampled_from(["", "m", "k", "Ki", "Mi", "Gi"]))
def test_order_is_kept(number: int, suffix: str) -> None:
    assert parse_quantity(f"{number}{suffix}") < parse_quantity(f"{number + 1}{suffix}")
