"""Kubernetes quantities: `500m`, `2`, `1.5Gi`, `1e3`."""

from __future__ import annotations

import re
from decimal import Decimal

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10) ** 3,
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12,
    "P": Decimal(10) ** 15,
    "E": Decimal(10) ** 18,
    "Ki": Decimal(2) ** 10,
    "Mi": Decimal(2) ** 20,
    "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40,
    "Pi": Decimal(2) ** 50,
    "Ei": Decimal(2) ** 60,
}


def parse_quantity(text: str | int | float) -> Decimal:
    """The number of base units (cores, bytes, devices) that a quantity stands for.

    Raises:
        ValueError: not a quantity.
    """
    number = str(text)
    for suffix, factor in sorted(_SUFFIXES.items(), key=lambda item: -len(item[0])):
        if number.endswith(suffix):
            return _decimal(number.removesuffix(suffix), text) * factor
    return _decimal(number, text)


def _decimal(number: str, quantity: object) -> Decimal:
    if not _NUMBER.fullmatch(number):
        raise ValueError(f"not a quantity: {quantity!r}")
    return Decimal(number)
