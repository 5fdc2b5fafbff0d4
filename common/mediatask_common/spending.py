"""What is spent of the budgets, as the operator records it: an entry of a ConfigMap for each project. Pure.

The API reads nothing else about budgets, and the operator begins with it what it cannot know from the tasks that are
still there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, ValidationError

from mediatask_crds.base import Resource
from mediatask_crds.cost import Amount, Currency

from . import money
from .budgets import Budget, Standing

SUFFIX = "-spending"
ENTRY_LIMIT = 64 * 1024
"""Characters of an entry that is read; budgets for a month and a week take 2,000."""

Day = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]


class _Entry(Resource):
    budgets: list[dict[str, Any]] = []
    charged: dict[Currency, dict[Day, Amount]] = {}
    reserved: dict[Currency, Amount] = {}


@dataclass(frozen=True)
class Spending:
    """The budgets of a project, and what counts against them. Amounts are millionths."""

    budgets: tuple[Budget, ...] = ()
    charged: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By currency and day."""
    reserved: Mapping[str, int] = field(default_factory=dict)
    """What the running attempts are expected to cost, by currency."""

    def standings(self, now: datetime) -> list[Standing]:
        """How the budgets stand."""
        return [self._standing(budget, now) for budget in self.budgets]

    def _standing(self, budget: Budget, now: datetime) -> Standing:
        present = budget.present(now)
        days = self.charged.get(budget.currency, {})
        spent = sum(days.get(day, 0) for day in present.days)
        return Standing(budget, present, spent, self.reserved.get(budget.currency, 0))

    def text(self) -> str:
        """The entry."""
        charged = {
            currency: {day: money.spelled(amount) for day, amount in sorted(days.items())}
            for currency, days in sorted(self.charged.items())
        }
        reserved = {currency: money.spelled(amount) for currency, amount in sorted(self.reserved.items())}
        budgets = [budget.model_dump(by_alias=True) for budget in self.budgets]
        return json.dumps({"budgets": budgets, "charged": charged, "reserved": reserved}, separators=(",", ":"))

    @classmethod
    def parse(cls, text: str) -> Spending | None:
        """What an entry says; None where it cannot be read. Budgets of a newer version's kind are left out."""
        if len(text) > ENTRY_LIMIT:
            return None
        try:
            entry = _Entry.model_validate_json(text, extra="ignore")
        except ValidationError:
            return None
        charged = {
            currency: {day: money.micros(amount) for day, amount in days.items()}
            for currency, days in entry.charged.items()
        }
        reserved = {currency: money.micros(amount) for currency, amount in entry.reserved.items()}
        return cls(tuple(_budgets(entry.budgets)), charged, reserved)


def place_of(budgets: str) -> tuple[str, str]:
    """Namespace and name of the record that belongs to the budgets' ConfigMap `NAMESPACE/NAME`; empty for none."""
    namespace, _, name = budgets.partition("/")
    return namespace, f"{name}{SUFFIX}" if name else ""


def _budgets(stored: list[dict[str, Any]]) -> list[Budget]:
    found = []
    for each in stored:
        try:
            found.append(Budget.from_stored(each))
        except ValidationError:
            continue
    return found
