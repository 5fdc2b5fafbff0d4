"""The webhook of a task."""

from __future__ import annotations

from fastapi import APIRouter

from ..auth.access import Caller, require
from ..dependencies import Ctx
from ..http import BASE
from ..http.openapi.document import problems
from ..http.openapi.examples import PATH_SAMPLES
from ..http.route import Route
from ..tasks.refusals import no_webhook, not_your_task, task_not_found, webhook_not_sent
from .schemas import WebhookAnswer
from .state import redelivery, webhook

_NOT_FOUND = task_not_found(PATH_SAMPLES["task_id"])

router = APIRouter(prefix=f"{BASE}/tasks", tags=["webhooks"], route_class=Route)


@router.get(
    "/{task_id}/webhook",
    operation_id="getWebhookLog",
    dependencies=[require("tasks:read")],
    response_model=WebhookAnswer,
    responses=problems(_NOT_FOUND, no_webhook()),
)
async def log(services: Ctx, caller: Caller, task_id: str) -> WebhookAnswer:
    """What became of the task's webhook, with its last tries."""
    return webhook(await services.tasks.find(caller, task_id, true=True))


@router.post(
    "/{task_id}/webhook/redeliver",
    operation_id="redeliverWebhook",
    dependencies=[require("webhooks:write")],
    status_code=202,
    response_model=WebhookAnswer,
    responses=problems(_NOT_FOUND, no_webhook(), not_your_task(), webhook_not_sent()),
)
async def redeliver(services: Ctx, caller: Caller, task_id: str) -> WebhookAnswer:
    """Deliver the task's last webhook anew, under the same id and by the whole schedule. Media links are new ones."""
    return webhook(await services.tasks.change_spec(caller, task_id, redelivery))
