"""Whether a project's budgets leave enough for another attempt, and whose turn it is when they do. Pure.

What counts is what is spent and what running attempts are expected to cost: so a budget is overrun by no more than
what the attempts that were already running cost beyond their estimates.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from mediatask_common import money
from mediatask_common.budgets import Budget, Standing, by_project, earliest_day
from mediatask_common.spending import Spending
from mediatask_crds.cost import Rate

from ..objects import Key, Object
from .charges import due_by_day, so_far
from .observation import Rank


@dataclass(frozen=True)
class Sum:
    """An amount that a project is charged."""

    project: str
    currency: str
    amount: int

    @property
    def account(self) -> Account:
        return self.project, self.currency


Account = tuple[str, str]
"""A project and a currency."""


class Ledger:
    """What every task is charged, by the day on which it became due. Tasks that are deleted go on counting."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[Account, dict[str, int]]] = {}
        """By the task's UID."""
        self._totals: dict[str, dict[str, dict[str, int]]] = {}
        """By project, currency and day."""

    def put(self, task: Object) -> None:
        """A task as it is now."""
        currency, days = due_by_day(task)
        if not days:
            return
        uid = task["metadata"]["uid"]
        account, known = self._entries.get(uid, ((task["spec"]["projectId"], currency), {}))
        if days == known:
            return
        for day in {*known, *days}:
            self._add(account, day, days.get(day, 0) - known.get(day, 0))
        self._entries[uid] = account, days

    def drop(self, task: Object, moment: str) -> None:
        """A task was deleted at a moment, and was this; an attempt that ran is charged until then."""
        self.put(task)
        self._entries.pop(task["metadata"]["uid"], None)
        attempts = (task.get("status") or {}).get("attempts") or []
        if attempts and not attempts[-1].get("endedAt"):
            for currency, amount in so_far(attempts[-1], moment).items():
                self._add((task["spec"]["projectId"], currency), moment[:10], amount)

    def raise_to(self, project: str, recorded: Mapping[str, Mapping[str, int]]) -> None:
        """Count for a project, by currency and day, no less than was recorded: what is missing was of tasks that are
        gone."""
        for currency, days in recorded.items():
            for day, amount in days.items():
                self._add((project, currency), day, max(amount - self.spent((project, currency), [day]), 0))

    def since(self, project: str, day: str) -> dict[str, dict[str, int]]:
        """What a project is charged from a day on, by currency and day."""
        found = {
            currency: {each: amount for each, amount in days.items() if each >= day and amount}
            for currency, days in self._totals.get(project, {}).items()
        }
        return {currency: days for currency, days in found.items() if days}

    def spent(self, account: Account, days: Iterable[str]) -> int:
        """Millionths that became due on these days."""
        project, currency = account
        totals = self._totals.get(project, {}).get(currency, {})
        return sum(totals.get(day, 0) for day in days)

    def _add(self, account: Account, day: str, amount: int) -> None:
        project, currency = account
        totals = self._totals.setdefault(project, {}).setdefault(currency, {})
        totals[day] = totals.get(day, 0) + amount


class Budgets:
    """The budgets, what is committed of them, and the tasks that wait for them."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._by_project: dict[str, list[Budget]] = {}
        self._recorded: set[str] = set()
        """Projects of the record: what they have spent stays in it though their budget is gone for a while."""
        self._commitments: dict[Key, Sum] = {}
        self._committed: dict[str, dict[str, int]] = {}
        """By project and currency."""
        self._waiting = _Waiting()

    def replace(self, budgets: Iterable[Budget]) -> None:
        """The budgets as they are from now on."""
        self._by_project = by_project(budgets)

    # ---- whether an attempt may start

    def in_the_way(self, key: Key, rank: Rank, wanted: Sum | None, now: datetime) -> Standing | None:
        """The budget that leaves too little for another attempt: of several the one that renews last.

        Where it lets tasks wait, the task waits from now on: money goes by priority, then by age, to those for whom
        there is enough.
        """
        self._waiting.leave(key)
        if wanted is None or key in self._commitments:
            return None
        standings = self._of(wanted.account, now)
        left = min((standing.left for standing in standings), default=wanted.amount)
        for _, amount in self._waiting.before(rank, wanted.account):
            if left < wanted.amount:
                break
            left -= amount if amount <= left else 0
        if wanted.amount <= left:
            return None
        full = [standing for standing in standings if not standing.leaves(wanted.amount)]
        # There is enough, but for those who come first.
        full = full or [standing for standing in standings if standing.budget.when_exceeded == "wait"]
        over = max(full, key=lambda standing: standing.period.renews)
        if over.budget.when_exceeded == "wait":
            self._waiting.enter(key, rank, wanted)
        return over

    def expect(self, key: Key, rank: Rank, wanted: Sum | None) -> None:
        """The task may have waited before a restart: until its first pass nobody of lower rank gets what it needs."""
        if wanted is not None and any(
            budget.currency == wanted.currency and budget.when_exceeded == "wait"
            for budget in self._by_project.get(wanted.project, ())
        ):
            self._waiting.enter(key, rank, wanted)

    def wait_no_longer(self, key: Key) -> None:
        """The task wants no money, whether it got some or has ended."""
        self._waiting.leave(key)

    def commit(self, key: Key, wanted: Sum | None) -> None:
        """The task's next attempt begins, or goes on."""
        self._waiting.leave(key)
        if wanted is not None and key not in self._commitments:
            self._commitments[key] = wanted
            self._change(wanted, wanted.amount)

    def release(self, key: Key, now: datetime) -> list[Key]:
        """No attempt of the task is under way: what it has cost is in the ledger. Those who may start now."""
        known = self._commitments.pop(key, None)
        if known is None:
            return []
        self._change(known, -known.amount)
        return list(self._next_up(known.account, now))

    # ---- how the budgets stand

    def standings(self, now: datetime) -> list[Standing]:
        """How all budgets stand."""
        return [standing for project in self._by_project for standing in self._spending(project, now).standings(now)]

    def spending(self, now: datetime) -> dict[str, Spending]:
        """What there is to record, by project."""
        found = {project: self._spending(project, now) for project in {*self._by_project, *self._recorded}}
        self._recorded = {project for project, spending in found.items() if spending.budgets or spending.charged}
        return {project: found[project] for project in sorted(self._recorded)}

    def restore(self, recorded: Mapping[str, Spending]) -> None:
        """What was recorded before counts."""
        self._recorded |= recorded.keys()
        for project, spending in recorded.items():
            self._ledger.raise_to(project, spending.charged)

    # ---- helpers

    def _spending(self, project: str, now: datetime) -> Spending:
        reserved = {currency: amount for currency, amount in self._committed.get(project, {}).items() if amount}
        charged = self._ledger.since(project, earliest_day(now))
        return Spending(tuple(self._by_project.get(project, ())), charged, reserved)

    def _of(self, account: Account, now: datetime) -> list[Standing]:
        project, currency = account
        committed = self._committed.get(project, {}).get(currency, 0)
        found = []
        for budget in self._by_project.get(project, ()):
            if budget.currency == currency:
                present = budget.present(now)
                spent = self._ledger.spent(account, present.days)
                found.append(Standing(budget, present, spent, committed))
        return found

    def _next_up(self, account: Account, now: datetime) -> Iterator[Key]:
        left = min((standing.left for standing in self._of(account, now)), default=0)
        for key, amount in self._waiting.before(None, account):
            if left <= 0:
                return
            if amount <= left:
                left -= amount
                yield key

    def _change(self, wanted: Sum, amount: int) -> None:
        committed = self._committed.setdefault(wanted.project, {})
        committed[wanted.currency] = committed.get(wanted.currency, 0) + amount


class _Waiting:
    """Tasks that wait for money, in the order in which they get it."""

    def __init__(self) -> None:
        self._lines: dict[Account, list[tuple[Rank, int]]] = {}
        self._places: dict[Key, tuple[Account, tuple[Rank, int]]] = {}

    def enter(self, key: Key, rank: Rank, wanted: Sum) -> None:
        self.leave(key)
        place = rank, wanted.amount
        self._places[key] = wanted.account, place
        bisect.insort(self._lines.setdefault(wanted.account, []), place)

    def leave(self, key: Key) -> None:
        account, place = self._places.pop(key, (None, None))
        if account is not None and place is not None:
            line = self._lines[account]
            line.pop(bisect.bisect_left(line, place))
            if not line:
                del self._lines[account]

    def before(self, rank: Rank | None, account: Account) -> Iterator[tuple[Key, int]]:
        """Who comes before a rank, in order, and how much each needs; everybody for None."""
        for (_, _, key), amount in _until(self._lines.get(account, []), rank):
            yield key, amount


def _until(line: list[tuple[Rank, int]], rank: Rank | None) -> Iterator[tuple[Rank, int]]:
    for place in line:
        if rank is not None and place[0] >= rank:
            return
        yield place


def expected(project: str, rate: Rate | None, seconds: float) -> Sum | None:
    """What an attempt is expected to cost that completes its task after so long; None where it has no price."""
    if rate is None:
        return None
    amount = money.charge(money.micros(rate.per_hour), round(seconds * 1000)) + money.micros(rate.per_task)
    return Sum(project, rate.currency, amount)
