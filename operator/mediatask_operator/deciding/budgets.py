"""Whether a project's budgets leave enough for another attempt. Pure.

What counts is what is spent and what running attempts are expected to cost: so a budget is overrun by no more than
what the attempts that were already running cost beyond their estimates.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from mediatask_common import money
from mediatask_common.budgets import Budget, Standing, by_project, period
from mediatask_common.usage import charged
from mediatask_crds.cost import Rate

from ..objects import Key, Object

_OPEN = ""
"""In the place of the day of tasks that have not ended: they count in every present period."""


@dataclass(frozen=True)
class Sum:
    """An amount that a project is charged."""

    project: str
    currency: str
    amount: int


class Ledger:
    """What every task is charged, by the day of its end. Tasks that are deleted go on counting."""

    def __init__(self) -> None:
        self._entries: dict[Key, tuple[Sum, str]] = {}
        self._totals: dict[tuple[str, str], dict[str, int]] = {}

    def put(self, key: Key, task: Object) -> None:
        """A task as it is now."""
        self._withdraw(key)
        status = task.get("status") or {}
        for currency, amount in charged(status).items():
            entry = Sum(task["spec"]["projectId"], currency, amount), (status.get("completedAt") or _OPEN)[:10]
            self._entries[key] = entry
            self._add(*entry)

    def drop(self, key: Key, task: Object) -> None:
        """A task is gone, and was this."""
        self._withdraw(key)
        status = task.get("status") or {}
        ends = [attempt["endedAt"] for attempt in status.get("attempts") or [] if attempt.get("endedAt")]
        day = (status.get("completedAt") or max(ends, default=_OPEN))[:10]
        for currency, amount in charged(status).items():
            self._add(Sum(task["spec"]["projectId"], currency, amount), day)

    def spent(self, project: str, currency: str, days: Iterable[str]) -> int:
        """Millionths that are charged on these days, and for tasks that have not ended."""
        totals = self._totals.get((project, currency), {})
        return totals.get(_OPEN, 0) + sum(totals.get(day, 0) for day in days)

    def _withdraw(self, key: Key) -> None:
        known = self._entries.pop(key, None)
        if known is not None:
            entry, day = known
            self._add(Sum(entry.project, entry.currency, -entry.amount), day)

    def _add(self, entry: Sum, day: str) -> None:
        totals = self._totals.setdefault((entry.project, entry.currency), {})
        totals[day] = totals.get(day, 0) + entry.amount


class Budgets:
    """The budgets, and what is committed of them."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._by_project: dict[str, list[Budget]] = {}
        self._commitments: dict[Key, Sum] = {}
        self._committed: dict[tuple[str, str], int] = {}

    def replace(self, budgets: Iterable[Budget]) -> None:
        """The budgets as they are from now on."""
        self._by_project = by_project(budgets)

    def in_the_way(self, key: Key, wanted: Sum | None, now: datetime) -> Standing | None:
        """The budget that leaves too little for another attempt: of several the one that renews last."""
        if wanted is None or key in self._commitments:
            return None
        full = [
            standing
            for standing in self._of(wanted.project, now)
            if standing.budget.currency == wanted.currency and not standing.leaves(wanted.amount)
        ]
        return max(full, key=lambda standing: standing.period.renews, default=None)

    def commit(self, key: Key, wanted: Sum | None) -> None:
        """The task's next attempt begins, or goes on."""
        if wanted is not None and key not in self._commitments:
            self._commitments[key] = wanted
            self._change(wanted, wanted.amount)

    def release(self, key: Key) -> None:
        """No attempt of the task is under way: what it has cost is in the ledger."""
        known = self._commitments.pop(key, None)
        if known is not None:
            self._change(known, -known.amount)

    def standings(self, now: datetime) -> list[Standing]:
        """How all budgets stand."""
        return [standing for project in self._by_project for standing in self._of(project, now)]

    def _of(self, project: str, now: datetime) -> list[Standing]:
        return [self._standing(budget, now) for budget in self._by_project.get(project, ())]

    def _standing(self, budget: Budget, now: datetime) -> Standing:
        present = period(budget, now)
        spent = self._ledger.spent(budget.project, budget.currency, present.days)
        return Standing(budget, present, spent, self._committed.get((budget.project, budget.currency), 0))

    def _change(self, wanted: Sum, amount: int) -> None:
        place = wanted.project, wanted.currency
        self._committed[place] = self._committed.get(place, 0) + amount


def expected(project: str, rate: Rate | None, seconds: float) -> Sum | None:
    """What an attempt is expected to cost that completes its task after so long; None where it has no price."""
    if rate is None:
        return None
    amount = money.charge(money.micros(rate.per_hour), round(seconds * 1000)) + money.micros(rate.per_task)
    return Sum(project, rate.currency, amount)
