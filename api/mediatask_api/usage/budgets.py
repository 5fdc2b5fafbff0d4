"""How the budgets of a project stand, as they are shown. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from mediatask_common import money
from mediatask_common.budgets import Standing
from mediatask_common.times import rfc3339

from .schemas import BudgetItem, BudgetsAnswer


def shown(project: str, standings: Iterable[Standing]) -> BudgetsAnswer:
    """The answer, those that renew first at its head."""
    ordered = sorted(standings, key=lambda standing: standing.period.renews)
    return BudgetsAnswer(project_id=project, budgets=[_item(standing) for standing in ordered])


def _item(standing: Standing) -> BudgetItem:
    budget = standing.budget
    return BudgetItem(
        period=budget.period,
        limit=budget.amount,
        currency=budget.currency,
        when_exceeded=budget.when_exceeded,
        spent=money.spelled(standing.spent),
        reserved=money.spelled(standing.committed),
        left=money.spelled(max(standing.left, 0)),
        state=standing.state,
        renews_at=rfc3339(standing.period.renews_at),
    )
