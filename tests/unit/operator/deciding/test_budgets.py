"""Budgets: read leniently, kept under every order of events."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediatask_common import money
from mediatask_common.budgets import Budget, Period, PeriodKind, period, read_budgets
from mediatask_common.spending import Spending
from mediatask_common.times import parse_time, rfc3339
from mediatask_operator.deciding.budgets import Budgets, Ledger, Sum
from mediatask_operator.deciding.observation import Rank
from support.taskworld import World, a_class, run_pod

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
FILM = "{project: film, period: month, amount: '10', currency: EUR}"
BOMB = "\n".join(
    ["a0: &a0 [x]", *(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]" for n in range(30)), "project: *a30"]
)
"""9 to the 30th times the same, for whoever spells it out."""


def a_budget(**changes: Any) -> Budget:
    return Budget.model_validate({"project": "film", "period": "month", "amount": "10", "currency": "EUR", **changes})


def a_task(uid: str, amount: int, ended: str = "2026-11-21T10:00:00Z", project: str = "film") -> dict[str, Any]:
    """A task with one attempt that is charged so much."""
    rate = {"currency": "EUR", "perHour": str(amount)}
    started = rfc3339(parse_time(ended) - timedelta(hours=1))
    attempts = [{"number": 1, "startedAt": started, "endedAt": ended, "reason": "JobFailed", "rate": rate}]
    cost = {"amount": str(amount), "currency": "EUR"}
    meta = {"uid": uid, "creationTimestamp": started}
    return {"metadata": meta, "spec": {"projectId": project}, "status": {"cost": cost, "attempts": attempts}}


def rank(name: str, priority: int = 5) -> Rank:
    return priority, "2026-11-21T09:00:00Z", ("n", name)


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
def test_periods_are_those_of_the_calendar(kind: PeriodKind, now: datetime, first: str, renews: str) -> None:
    found = period(kind, now)
    assert found == Period(date.fromisoformat(first), date.fromisoformat(renews))
    assert (found.days[0], found.renews_at.isoformat()) == (first, f"{renews}T00:00:00+00:00")


def test_what_was_spent_before_and_elsewhere_does_not_count() -> None:
    ledger = Ledger()
    budgets = Budgets(ledger)
    budgets.replace([a_budget()])
    ledger.put(a_task("before", 9, "2026-10-31T23:59:59Z"))
    ledger.put(a_task("elsewhere", 9, "2026-11-20T00:00:00Z", project="other"))
    ledger.put(a_task("now", 8, "2026-11-20T00:00:00Z"))
    (standing,) = budgets.standings(NOW)
    assert (standing.spent, standing.state) == (8 * money.MICRO, "warning")
    assert budgets.in_the_way(("n", "a"), rank("a"), Sum("film", "EUR", 2 * money.MICRO), NOW) is None
    over = budgets.in_the_way(("n", "a"), rank("a"), Sum("film", "EUR", 2 * money.MICRO + 1), NOW)
    assert over is not None
    assert "10 EUR a month leaves too little; it renews at 2026-12-01T00:00:00Z" in over.message
    for free in (None, Sum("film", "JPY", 10**12), Sum("other", "EUR", 10**12)):
        assert budgets.in_the_way(("n", "a"), rank("a"), free, NOW) is None
    ledger.drop(a_task("now", 8, "2026-11-20T00:00:00Z"), "2026-11-21T00:00:00Z")
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
            free = budgets.in_the_way(key, rank(str(number)), wanted, NOW) is None
            assert free == (spent + sum(running.values()) + estimate <= limit)
            if free:
                budgets.commit(key, wanted)
                running[number] = estimate
        elif what in ("end", "fail") and number in running:
            charged[number] = charged.get(number, 0) + actual
            spent += actual
            excess += max(actual - running.pop(number), 0)
            ledger.put(a_task(str(number), charged[number]))
            budgets.release(key, NOW)
        elif what == "delete" and number not in running and number in charged:
            ledger.drop(a_task(str(number), charged.pop(number)), "2026-11-21T10:00:00Z")
        assert budgets.standings(NOW)[0].spent == spent * money.MICRO
        assert spent <= limit + excess


# ---- what a restart and a deletion leave of it


def spent(budgets: Budgets, now: datetime = NOW) -> int:
    return budgets.standings(now)[0].spent // money.MICRO


def restarted(record: dict[str, str], *tasks: dict[str, Any]) -> Budgets:
    """The budgets of an operator that begins with a record and the tasks that are still there."""
    ledger = Ledger()
    for task in tasks:
        ledger.put(task)
    budgets = Budgets(ledger)
    budgets.replace([a_budget(amount="100")])
    budgets.restore({project: found for project, text in record.items() if (found := Spending.parse(text))})
    return budgets


def recorded(budgets: Budgets, now: datetime = NOW) -> dict[str, str]:
    return {project: spending.text() for project, spending in budgets.spending(now).items()}


def test_what_deleted_tasks_have_cost_is_known_after_a_restart() -> None:
    record = recorded(restarted({}, a_task("a", 5), a_task("b", 3)))
    for there in ([a_task("a", 5), a_task("b", 3)], [a_task("a", 5)], []):
        assert spent(restarted(record, *there)) == 8
    again = restarted(recorded(restarted(record)), a_task("c", 2))
    assert spent(again) == 8, "less than what was recorded of deleted tasks is missing: it may be theirs"
    assert spent(restarted(record, a_task("a", 5), a_task("b", 3), a_task("c", 2))) == 10


def test_a_retry_moves_nothing_to_another_day() -> None:
    failed = a_task("a", 5, "2026-11-20T10:00:00Z")
    record = recorded(restarted({}, failed))
    again = a_task("a", 5, "2026-11-20T10:00:00Z")
    second = {
        **again["status"]["attempts"][0],
        "number": 2,
        "startedAt": "2026-11-21T08:00:00Z",
        "endedAt": "2026-11-21T09:00:00Z",
    }
    again["status"]["attempts"].append(second)
    again["status"]["cost"]["amount"] = "10"
    assert spent(restarted(record, again)) == 10
    (day,) = (each for each in restarted(record, again).spending(NOW).values())
    assert day.charged == {"EUR": {"2026-11-20": 5 * money.MICRO, "2026-11-21": 5 * money.MICRO}}


def test_a_task_that_is_deleted_while_it_runs_is_charged_until_then() -> None:
    ledger = Ledger()
    budgets = Budgets(ledger)
    budgets.replace([a_budget()])
    task = a_task("a", 4, "2026-11-21T12:00:00Z")
    del task["status"]["cost"], task["status"]["attempts"][0]["endedAt"]
    ledger.put(task)
    assert spent(budgets) == 0
    ledger.drop(task, "2026-11-21T11:30:00Z")
    assert spent(budgets) == 2


def test_attempts_that_are_not_kept_any_more_count_with_the_oldest_one() -> None:
    task = a_task("a", 1, "2026-11-20T10:00:00Z")
    task["status"]["cost"]["amount"] = "9"
    (project,) = restarted({}, task).spending(NOW).values()
    assert project.charged == {"EUR": {"2026-11-20": 9 * money.MICRO}}


def test_the_record_keeps_what_a_present_period_has_and_outlives_a_budget_that_was_mistyped() -> None:
    budgets = restarted({}, a_task("old", 3, "2026-10-31T10:00:00Z"), a_task("new", 5))
    record = recorded(budgets)
    assert "2026-10-31" not in record["film"]
    budgets.replace([])
    assert spent(restarted(recorded(budgets))) == 5
    later = NOW + timedelta(days=30)
    assert recorded(budgets, later) == {}
    assert spent(restarted(record), later) == 0


@pytest.mark.parametrize("text", ["", "[]", "{", '{"charged": {"EUR": {"today": "1"}}}', "x" * 70_000])
def test_a_record_that_cannot_be_read_is_none(text: str) -> None:
    assert Spending.parse(text) is None


def test_of_a_newer_record_what_is_known_is_read() -> None:
    budgets = '[{"project": "film", "period": "year", "amount": "1", "currency": "EUR"}]'
    found = Spending.parse(f'{{"budgets": {budgets}, "charged": {{"EUR": {{"2026-11-21": "2"}}}}, "forecast": 3}}')
    assert found == Spending((), {"EUR": {"2026-11-21": 2 * money.MICRO}}, {})


# ---- whose turn it is


def waiting(limit: str = "10") -> tuple[Budgets, Ledger]:
    ledger = Ledger()
    budgets = Budgets(ledger)
    budgets.replace([a_budget(amount=limit, when_exceeded="wait")])
    return budgets, ledger


def ask(budgets: Budgets, name: str, euros: int, priority: int = 5) -> bool:
    """Whether the task may start; it does then."""
    wanted = Sum("film", "EUR", euros * money.MICRO)
    if budgets.in_the_way(("n", name), rank(name, priority), wanted, NOW) is not None:
        return False
    budgets.commit(("n", name), wanted)
    return True


def test_money_goes_by_priority_then_age_whoever_asks_first() -> None:
    budgets, _ = waiting()
    assert ask(budgets, "runs", 10)
    assert not any(ask(budgets, name, 5, priority) for name, priority in (("c", 5), ("a", 5), ("b", 5), ("z", 0)))
    assert budgets.release(("n", "runs"), NOW) == [("n", "z"), ("n", "a")]
    assert not ask(budgets, "c", 5)
    assert not ask(budgets, "new", 5), "also who comes later waits behind them"
    assert ask(budgets, "a", 5)
    assert not ask(budgets, "b", 5)
    assert ask(budgets, "z", 5, 0)


def test_who_needs_more_than_is_left_holds_up_nobody_who_needs_less() -> None:
    budgets, _ = waiting()
    assert ask(budgets, "runs", 8)
    assert not ask(budgets, "large", 5, 0)
    assert ask(budgets, "small", 2)


def test_who_waits_no_longer_is_not_waited_for() -> None:
    budgets, _ = waiting()
    assert ask(budgets, "runs", 10)
    assert not ask(budgets, "first", 10, 0)
    assert not ask(budgets, "second", 10)
    budgets.wait_no_longer(("n", "first"))
    assert budgets.release(("n", "runs"), NOW) == [("n", "second")]
    assert ask(budgets, "second", 10)


def test_after_a_restart_money_waits_for_those_who_come_first() -> None:
    budgets, _ = waiting()
    budgets.expect(("n", "first"), rank("first", 0), Sum("film", "EUR", 10 * money.MICRO))
    assert not ask(budgets, "second", 5)
    assert ask(budgets, "first", 10, 0)


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


def test_the_total_deadline_begins_when_the_budget_lets_the_task_go() -> None:
    world = priced("wait")
    world.task["spec"]["deadlines"] = {"totalSeconds": 600}
    world.settle()
    world.advance(30 * 24 * 3600)
    world.settle()
    assert (world.phase, world.condition("Funded")["status"]) == ("queued", "False")
    assert world.budgets is not None
    world.budgets.replace([])
    world.admitted = False
    world.settle()
    assert (world.condition("Funded")["status"], world.condition("JobCreated")["reason"]) == ("True", "Queued")
    world.advance(500)
    world.settle()
    assert world.phase == "queued"
    world.advance(200)
    world.settle()
    assert (world.phase, world.status["error"]["code"]) == ("failed", "TotalDeadlineExceeded")


def test_a_task_is_refused_where_its_budget_says_so_and_can_be_retried_later() -> None:
    world = priced("refuse")
    world.settle()
    assert (world.phase, world.status["error"]["code"]) == ("failed", "BudgetExceeded")
    assert world.status["error"]["retryable"]
    world.budgets.replace([])
    world.spec(retryRequest=1)
    run_pod(world)
    assert world.phase == "processing"
