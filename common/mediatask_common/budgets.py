"""Budgets: what a project may spend in a period, as the platform team writes it into a ConfigMap. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

import yaml
from pydantic import ConfigDict, ValidationError

from mediatask_crds.base import Resource
from mediatask_crds.cost import Amount, Currency
from mediatask_crds.task import ProjectId

from . import money
from .times import rfc3339

WARN_AT = 80
"""Per cent of a budget from which on it is warned of."""
ENTRY_LIMIT = 4096
"""Characters of an entry."""


PeriodKind = Literal["day", "week", "month"]
WhenExceeded = Literal["refuse", "wait"]


class Budget(Resource):
    """What a project may spend in each period."""

    # Errors without the input: YAML's aliases make text of a few lines that takes gigabytes to spell out.
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    project: ProjectId
    period: PeriodKind
    """By the calendar, in UTC; weeks begin on Monday."""
    amount: Amount
    """As decimal text."""
    currency: Currency
    """Only what is charged in it counts."""
    when_exceeded: WhenExceeded = "refuse"
    """Refuse tasks, or let them wait until the period renews or the budget is raised."""

    def present(self, now: datetime) -> Period:
        """Its present period."""
        return period(self.period, now)


@dataclass(frozen=True)
class Period:
    """The days that a budget is for."""

    first: date
    renews: date
    """The first day of the next one."""

    @property
    def days(self) -> list[str]:
        """`2026-11-21`, in order."""
        return [(self.first + timedelta(days=number)).isoformat() for number in range((self.renews - self.first).days)]

    @property
    def renews_at(self) -> datetime:
        return datetime(self.renews.year, self.renews.month, self.renews.day, tzinfo=UTC)


@dataclass(frozen=True)
class Standing:
    """How a budget stands."""

    budget: Budget
    period: Period
    spent: int
    """Millionths that are charged in the period."""
    committed: int = 0
    """What the running attempts are expected to cost."""

    @property
    def left(self) -> int:
        """Millionths; below 0 where it is overrun."""
        return money.micros(self.budget.amount) - self.spent - self.committed

    def leaves(self, amount: int) -> bool:
        """Whether there is as much left."""
        return amount <= self.left

    @property
    def state(self) -> Literal["ok", "warning", "exceeded"]:
        """`warning` from 80 % on, `exceeded` when nothing is left."""
        if not self.leaves(1):
            return "exceeded"
        used = (self.spent + self.committed) * 100
        return "warning" if used >= money.micros(self.budget.amount) * WARN_AT else "ok"

    @property
    def message(self) -> str:
        """Why a task does not start; the same for as long as that holds, whatever is spent meanwhile."""
        budget = self.budget
        return (
            f"The budget of project {budget.project} of {budget.amount} {budget.currency} a {budget.period} "
            f"leaves too little; it renews at {rfc3339(self.period.renews_at)}."
        )


def period(kind: PeriodKind, now: datetime) -> Period:
    """The present period of a kind."""
    today = now.astimezone(UTC).date()
    match kind:
        case "day":
            return Period(today, today + timedelta(days=1))
        case "week":
            monday = today - timedelta(days=today.weekday())
            return Period(monday, monday + timedelta(days=7))
        case "month":
            first = today.replace(day=1)
            return Period(first, (first + timedelta(days=31)).replace(day=1))


def earliest_day(now: datetime) -> str:
    """The first day that any present period has."""
    return min(period("week", now).first, period("month", now).first).isoformat()


def by_project(budgets: Iterable[Budget]) -> dict[str, list[Budget]]:
    """The budgets of each project."""
    found: dict[str, list[Budget]] = {}
    for budget in budgets:
        found.setdefault(budget.project, []).append(budget)
    return found


def read_budgets(data: Mapping[str, Any]) -> tuple[list[Budget], dict[str, str]]:
    """The budgets of a ConfigMap, one an entry, and by key why others cannot be used."""
    found, faults = [], {}
    for key, text in data.items():
        try:
            if len(text) > ENTRY_LIMIT:
                raise ValueError(f"longer than {ENTRY_LIMIT} characters")
            found.append(Budget.model_validate(yaml.safe_load(text)))
        except (ValidationError, ValueError, TypeError, yaml.YAMLError, RecursionError) as error:
            faults[key] = str(error)[:500]
    return found, faults
