"""The budgets of the platform team, read again and again from their ConfigMap."""

from __future__ import annotations

from collections.abc import Callable

from mediatask_common.budgets import Budget, Period, read_budgets
from mediatask_common.kube import Kube
from mediatask_common.logging import get_logger

from ..deciding.budgets import Budgets
from .configmaps import read_on

log = get_logger(__name__)


class BudgetReader:
    """Keeps the budgets as the ConfigMap has them; while it cannot be read, as it had them last."""

    def __init__(self, kube: Kube, place: str, budgets: Budgets) -> None:
        """A reader of the ConfigMap `NAMESPACE/NAME`."""
        self._kube = kube
        self._namespace, _, self._name = place.partition("/")
        self._budgets = budgets
        self._known: dict[str, str] | None = None
        self.faults: dict[str, str] = {}
        """Entries that cannot be used, by key, and why."""
        self._told: set[tuple[Budget, Period, str]] = set()

    async def read(self) -> bool:
        """Read once; whether there is anything new. Raises KubeError."""
        data = await self._kube.config_map(self._name, self._namespace)
        if data == self._known:
            return False
        self._known = data
        budgets, self.faults = read_budgets(data)
        self._budgets.replace(budgets)
        for key, why in self.faults.items():
            log.error("budget cannot be used", entry=key, error=why)
        log.info("budgets read", budgets=len(budgets), unusable=len(self.faults))
        return True

    async def run(self, changed: Callable[[], None]) -> None:
        """Read on until cancelled."""
        await read_on(self._read_and_warn, changed, "budgets")

    async def _read_and_warn(self) -> bool:
        news = await self.read()
        self._warn()
        return news

    def _warn(self) -> None:
        """Tell once a period that a budget is nearly used up, and that it is."""
        standings = self._budgets.standings(self._kube.now())
        told: set[tuple[Budget, Period, str]] = {
            (each.budget, each.period, each.state) for each in standings if each.state != "ok"
        }
        for budget, present, state in told - self._told:
            log.warning(
                f"budget {state}", project=budget.project, period=budget.period, amount=budget.amount,
                currency=budget.currency, renews=present.renews.isoformat(),
            )  # fmt: skip
        self._told = told
