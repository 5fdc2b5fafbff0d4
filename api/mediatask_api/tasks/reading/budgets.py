"""The budgets, as the operator records how they stand. What is started it decides itself: it knows what runs."""

from __future__ import annotations

from mediatask_common import money
from mediatask_common.budgets import Standing
from mediatask_common.kube import Kube, KubeError
from mediatask_common.logging import get_logger
from mediatask_common.spending import Spending, place_of
from mediatask_common.times import utcnow

from ...http.errors import ApiError
from ...ttlcache import TtlCache
from ..refusals import budget_exceeded
from ..schemas import EstimatedCost

log = get_logger(__name__)

KEPT_SECONDS = 2


class Budgets:
    """The operator's record, perhaps two seconds old."""

    def __init__(self, kube: Kube, place: str) -> None:
        """The record that belongs to the budgets' ConfigMap `NAMESPACE/NAME`; no budgets where it is empty."""
        self._kube = kube
        self._namespace, self._name = place_of(place)
        self._known: TtlCache[dict[str, str]] = TtlCache(KEPT_SECONDS)

    async def of(self, project: str) -> list[Standing]:
        """How the budgets of a project stand. Raises KubeError."""
        if not self._name:
            return []
        recorded = await self._known.get("all", lambda: self._kube.config_map(self._name, self._namespace))
        spending = Spending.parse(recorded.get(project, ""))
        return spending.standings(utcnow()) if spending is not None else []

    async def refusal(self, project: str, cost: EstimatedCost | None) -> ApiError | None:
        """Why a task of the project that may cost so much is refused; None where it is not, or nothing is known."""
        if cost is None or cost.amount is None:
            return None
        try:
            standings = await self.of(project)
        except KubeError as error:
            log.warning("budgets are not known", error=str(error))
            return None
        full = [
            standing
            for standing in standings
            if standing.budget.currency == cost.currency and not standing.leaves(money.micros(cost.amount))
        ]
        over = max(full, key=lambda standing: standing.period.renews, default=None)
        if over is None or over.budget.when_exceeded != "refuse":
            return None
        return budget_exceeded(over, cost.amount)
