"""The two FastAPI apps: the public one for callers, the internal one for Job pods."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi_offline import FastAPIOffline

from mediatask_common.store.file import FileStore

from .auth.audit import Audit
from .batch import routes as batch
from .dependencies import Services
from .events import routes as events
from .http.browser import SecurityHeaders, allow_origins
from .http.drain import Farewell
from .http.errors import install_handlers
from .http.openapi.document import document
from .http.request_ids import RequestIds
from .keys import routes as keys
from .limits.limiter import LimitHeaders
from .mcp import routes as mcp
from .platform import routes as monitoring
from .platform import store_files
from .platform import worker_routes as workers
from .platform.metrics import Measured
from .pods import routes as internal
from .reviews import routes as reviews
from .tasks import project_routes as projects
from .tasks import routes as tasks
from .tasks import type_routes as task_types
from .tasks.submitting.submit_schema import with_task_types
from .uploads import routes as uploads
from .usage import routes as usage
from .webhooks import routes as webhooks

DOCS_URL = "/docs"
DESCRIPTION = """
GPU media jobs: submit a task, follow its status, get the media and a signed webhook.

Every call but `/api/v1/health*` needs an API key in `X-API-Key`, or a token as `Authorization: Bearer`. Errors are
RFC 9457 problem documents that name each faulty field. `Idempotency-Key` makes a submit safe to repeat. Every answer
has an `X-Request-Id`: the caller's own, or one that is made for it.
"""


def _described_app(public_url: str | None) -> FastAPI:
    """The routes for callers, and their document."""
    app = FastAPIOffline(
        title="MediaTask", version=version("mediatask"), description=DESCRIPTION, docs_url=DOCS_URL, redoc_url=None
    )
    for module in (
        tasks,
        batch,
        webhooks,
        projects,
        events,
        reviews,
        usage,
        uploads,
        workers,
        task_types,
        keys,
        monitoring,
    ):
        _add_routes(app, module.router)

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = with_task_types(document(app, public_url))
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
    return app


def api_document() -> dict[str, Any]:
    """The OpenAPI document of the API, wherever it runs."""
    return _described_app(None).openapi()


def public_app(services: Services) -> FastAPI:
    """The app for callers (port 8001)."""
    app = _described_app(services.settings.public_url)
    if isinstance(services.store, FileStore):
        _add_routes(app, store_files.downloads(services.store))
        _add_routes(app, store_files.uploads_from_outside(services.store))
    _add_routes(app, mcp.router)
    https = (services.settings.public_url or "").startswith("https:")
    app.add_middleware(LimitHeaders)
    app.add_middleware(SecurityHeaders, docs_url=DOCS_URL, https=https)
    allow_origins(app, services.settings.cors_origins)
    _equip(app, services, "public")
    return app


def internal_app(services: Services) -> FastAPI:
    """The app for Job pods (port 8002); never behind the ingress."""
    app = FastAPI(title="MediaTask internal routes", openapi_url=None)
    _add_routes(app, internal.router)
    if isinstance(services.store, FileStore):
        _add_routes(app, store_files.uploads(services.store))
    _equip(app, services, "internal")
    return app


def _add_routes(app: FastAPI, router: APIRouter) -> None:
    """The router's own routes: `include_router` would match each request twice, for prefixes that we do not give."""
    app.router.routes.extend(router.routes)


def _equip(app: FastAPI, services: Services, listener: str) -> None:
    app.state.services = services
    # What `Access` of the listener's routes asks: there is one for callers and one for pods.
    app.state.authentication = services.callers if listener == "public" else services.pods
    install_handlers(app)
    # Added last, runs first.
    if listener == "public":
        app.add_middleware(Audit)
    app.add_middleware(Measured, metrics=services.metrics, listener=listener)
    app.add_middleware(Farewell, drain=services.drain)
    app.add_middleware(RequestIds)
