"""Amounts of money as whole millionths of the currency's unit, so that sums are exact. Pure."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, localcontext

MICRO = 1_000_000
MOST = 10**9 * MICRO - 1
"""The greatest amount that a status takes."""
_HOUR_MS = 3600 * 1000


def micros(text: str | None) -> int:
    """The amount of a decimal text; 0 for none. Raises ArithmeticError for anything else."""
    return rounded(Decimal(text or "0") * MICRO)


def spelled(amount: int) -> str:
    """The decimal text of an amount, without zeros at its end: `2.5`."""
    whole, part = divmod(amount, MICRO)
    return f"{whole}.{part:06d}".rstrip("0").rstrip(".")


def charge(per_hour: int, milliseconds: int) -> int:
    """What a time costs at a price per hour, rounded to the nearest millionth."""
    return rounded(Decimal(per_hour * milliseconds) / _HOUR_MS)


def rounded(amount: Decimal) -> int:
    """The nearest whole number; a half goes to the even one, so that many of them even out."""
    with localcontext(prec=50):
        return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
