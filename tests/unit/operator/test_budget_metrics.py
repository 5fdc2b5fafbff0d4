"""What is measured of budgets, as Prometheus reads it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

from prometheus_client import generate_latest

from mediatask_common import money
from mediatask_common.budgets import read_budgets
from mediatask_operator.deciding.budgets import Budgets, Ledger, Sum
from mediatask_operator.metrics import Metrics
from mediatask_operator.watching.budgets import BudgetReader

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def test_budgets_are_counted_by_state_and_told_with_their_amounts() -> None:
    found, _ = read_budgets(
        {
            "a": "{project: film, period: month, amount: '10', currency: EUR}",
            "b": "{project: film, period: day, amount: '3', currency: EUR}",
            "c": "{project: other, period: week, amount: '1', currency: JPY}",
            "same": "{project: other, period: week, amount: '2', currency: JPY}",
        }
    )
    ledger = Ledger()
    budgets = Budgets(ledger)
    budgets.replace(found)
    ledger.raise_to("film", {"EUR": {"2026-11-20": 5 * money.MICRO, "2026-11-21": 2_500_000}})
    budgets.commit(("n", "runs"), Sum("film", "EUR", 500_000))
    reader = BudgetReader(cast(Any, None), "media/budgets", budgets)
    reader.faults = {"broken": "why"}
    metrics = Metrics()
    metrics.watch_budgets(budgets, reader, lambda: NOW)
    told = generate_latest(metrics.registry).decode().splitlines()
    states = {"ok": 2, "warning": 1, "exceeded": 1, "unusable": 1}
    assert {f'mediatask_budgets{{state="{state}"}} {number:.1f}' for state, number in states.items()} <= set(told)
    for part, amount in (("limit", 10.0), ("spent", 7.5), ("reserved", 0.5)):
        assert (
            metrics.registry.get_sample_value(
                "mediatask_budget_amount", {"project": "film", "period": "month", "currency": "EUR", "part": part}
            )
            == amount
        )
    amounts = [line for line in told if line.startswith("mediatask_budget_amount{")]
    assert len(amounts) == len({line.rsplit(" ", 1)[0] for line in amounts}) == 9, "no series is told twice"
