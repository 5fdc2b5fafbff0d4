"""Budgets: read leniently, kept under every order of events."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediatask_common import money
from mediatask_common.budgets import Budget, Period, period, read_budgets
from mediatask_operator.deciding.budgets import Budgets, Ledger, Sum
from support.taskworld import World, a_class, run_pod

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
FILM = "{project: film, period: month, amount: '10', currency: EUR}"
BOMB = "\n".join(
    ["a0: &a0 [x]", *(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]" for n in range(30)), "project: *a30"]
)
"""9 to the 30th times the same, for whoever spells it out."""


def a_budget(**changes: Any) -> Budget:
    return Budget.model_validate({"project": "film", "period": "month", "amount": "10", "currency": "EUR", **changes})


def a_task(amount: int, ended: str | None = None, project: str = "film") -> dict[str, Any]:
    status: dict[str, Any] = {"cost": {"amount": money.spelled(amount * money.MICRO), "currency": "EUR"}}
    if ended:
        status["completedAt"] = ended
    return {"spec": {"projectId": project}, "status": status}


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{", "5", "!!python/object:os.system {}", "{project: film}", "x" * 5000, "[" * 3000,
        FILM.replace("'10'", "10"), FILM.replace("'10'", "'-1'"), FILM.replace("'10'", "'NaN'"),
        FILM.replace("EUR", "euro"), BOMB,
        FILM.replace("month", "year"), FILM.replace("film", "'../x'"), FILM.replace("{", "{more: 1, "),
    ],
)  # fmt: skip
def test_an_entry_that_cannot_be_used_is_told_and_takes_no_other_down(text: str) -> None:
    found, faults = read_budgets({"bad": text, "good": FILM})
    assert (found, list(faults)) == ([a_budget()], ["bad"])
    assert len(faults["bad"]) <= 500


@pytest.mark.parametrize(
    ("kind", "now", "first", "renews"),
    [
        ("day", NOW, "2026-11-21", "2026-11-22"),
        ("week", NOW, "2026-11-16", "2026-11-23"),
        ("month", NOW, "2026-11-01", "2026-12-01"),
        ("month", datetime(2026, 12, 31, 23, 59, tzinfo=UTC), "2026-12-01", "2027-01-01"),
        ("month", datetime(2028, 2, 29, tzinfo=UTC), "2028-02-01", "2028-03-01"),
        ("week", datetime(2027, 1, 1, tzinfo=UTC), "2026-12-28", "2027-01-04"),
    ],
)
def test_periods_are_those_of_the_calendar(kind: str, now: datetime, first: str, renews: str) -> None:
    found = period(a_budget(period=kind), now)
    assert found == Period(date.fromisoformat(first), date.fromisoformat(renews))
    assert (found.days[0], found.renews_at.isoformat()) == (first, f"{renews}T00:00:00+00:00")


def test_what_was_spent_before_and_elsewhere_does_not_count() -> None:
    ledger = Ledger()
    budgets = Budgets(ledger)
    budgets.replace([a_budget()])
    ledger.put(("n", "before"), a_task(9, "2026-10-31T23:59:59Z"))
    ledger.put(("n", "elsewhere"), a_task(9, "2026-11-20T00:00:00Z", project="other"))
    ledger.put(("n", "now"), a_task(7, "2026-11-20T00:00:00Z"))
    ledger.put(("n", "runs"), a_task(1))
    (standing,) = budgets.standings(NOW)
    assert (standing.spent, standing.state) == (8 * money.MICRO, "warning")
    assert budgets.in_the_way(("n", "a"), Sum("film", "EUR", 2 * money.MICRO), NOW) is None
    over = budgets.in_the_way(("n", "a"), Sum("film", "EUR", 2 * money.MICRO + 1), NOW)
    assert over is not None
    assert "10 EUR a month leaves too little; it renews at 2026-12-01T00:00:00Z" in over.message
    for free in (None, Sum("film", "JPY", 10**12), Sum("other", "EUR", 10**12)):
        assert budgets.in_the_way(("n", "a"), free, NOW) is None
    ledger.drop(("n", "now"), a_task(7, "2026-11-20T00:00:00Z"))
    assert budgets.standings(NOW)[0].spent == 8 * money.MICRO, "who deletes a task gets no money back"


steps = st.lists(
    st.tuples(st.sampled_from(["start", "end", "fail", "delete"]), st.integers(0, 7), *[st.integers(0, 5)] * 2),
    max_size=60,
)  # fmt: skip


@given(steps, st.integers(0, 12))
@settings(max_examples=300)
def test_a_budget_is_overrun_by_no_more_than_what_was_running_costs_beyond_its_estimate(
    happened: list[tuple[str, int, int, int]], limit: int
) -> None:
    ledger = Ledger()
    budgets = Budgets(ledger)
    budgets.replace([a_budget(amount=str(limit))])
    spent, running, charged, excess = 0, dict[int, int](), dict[int, int](), 0
    for what, number, estimate, actual in happened:
        key = "n", str(number)
        if what == "start" and number not in running:
            wanted = Sum("film", "EUR", estimate * money.MICRO)
            free = budgets.in_the_way(key, wanted, NOW) is None
            assert free == (spent + sum(running.values()) + estimate <= limit)
            if free:
                budgets.commit(key, wanted)
                running[number] = estimate
        elif what in ("end", "fail") and number in running:
            charged[number] = charged.get(number, 0) + actual
            spent += actual
            excess += max(actual - running.pop(number), 0)
            ledger.put(key, a_task(charged[number], "2026-11-21T10:00:00Z" if what == "end" else None))
            budgets.release(key)
        elif what == "delete" and number not in running and number in charged:
            ledger.drop(key, a_task(charged.pop(number), "2026-11-21T10:00:00Z"))
        assert budgets.standings(NOW)[0].spent == spent * money.MICRO
        assert spent <= limit + excess


# ---- what it means for a task


def priced(when: str) -> World:
    world = World(classes={"image": a_class(cost={"currency": "EUR", "perTask": "6"})})
    world.budgets = Budgets(Ledger())
    world.budgets.replace([a_budget(project="p1", amount="5", when_exceeded=when)])
    return world


def test_a_task_waits_for_its_budget_and_says_so_once() -> None:
    world = priced("wait")
    world.settle()
    assert (world.phase, world.jobs, world.condition("JobCreated")["reason"]) == ("queued", [], "BudgetExceeded")
    assert "renews at 2026-12-01" in world.condition("JobCreated")["message"]
    writes = world.writes
    world.advance(60)
    world.settle()
    assert world.writes == writes, "waiting writes nothing"
    world.budgets.replace([a_budget(project="p1", amount="6", when_exceeded="wait")])
    run_pod(world)
    assert world.phase == "processing"


def test_a_task_is_refused_where_its_budget_says_so_and_can_be_retried_later() -> None:
    world = priced("refuse")
    world.settle()
    assert (world.phase, world.status["error"]["code"]) == ("failed", "BudgetExceeded")
    assert world.status["error"]["retryable"]
    world.budgets.replace([])
    world.spec(retryRequest=1)
    run_pod(world)
    assert world.phase == "processing"
