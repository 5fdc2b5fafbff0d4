"""The budgets, as far as a submit is refused by them. What is started decides the operator, which knows what runs."""

from __future__ import annotations

from mediatask_common import money
from mediatask_common.budgets import Budget, Standing, by_project, period, read_budgets
from mediatask_common.kube import Kube, KubeError
from mediatask_common.logging import get_logger
from mediatask_common.times import utcnow

from ...http.errors import ApiError
from ...ttlcache import TtlCache
from ..refusals import budget_exceeded
from ..schemas import EstimatedCost
from .reader import TaskReader

log = get_logger(__name__)


class Budgets:
    """The budgets of a ConfigMap, perhaps ten seconds old."""

    def __init__(self, kube: Kube, reader: TaskReader, place: str) -> None:
        """Those of the ConfigMap `NAMESPACE/NAME`; none where it is empty."""
        self._kube = kube
        self._reader = reader
        self._namespace, _, self._name = place.partition("/")
        self._known: TtlCache[dict[str, list[Budget]]] = TtlCache(10)

    async def refusal(self, project: str, cost: EstimatedCost | None) -> ApiError | None:
        """Why a task of the project that may cost so much is refused; None where it is not, or nothing is known."""
        if not self._name or cost is None or cost.amount is None:
            return None
        try:
            budgets = (await self._known.get("all", self._read)).get(project, [])
            for budget in budgets:
                if budget.when_exceeded != "refuse" or budget.currency != cost.currency:
                    continue
                standing = await self._standing(budget)
                if not standing.leaves(money.micros(cost.amount)):
                    return budget_exceeded(standing.message, standing.spent, cost.amount)
        except KubeError as error:
            log.warning("budgets are not known", error=str(error))
        return None

    async def _standing(self, budget: Budget) -> Standing:
        present = period(budget, utcnow())
        found = await self._reader.usage(budget.project, present.days)
        return Standing(budget, present, sum(used.costs.get(budget.currency, 0) for used in found.values()))

    async def _read(self) -> dict[str, list[Budget]]:
        return by_project(read_budgets(await self._kube.config_map(self._name, self._namespace))[0])
