"""Who may call a route is said on the route: one that says nothing keeps the service from starting."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import APIRouter

from mediatask_api.auth.access import public, require
from mediatask_api.batch import routes as batch_routes
from mediatask_api.http.route import Access, Route
from mediatask_api.keys import routes as key_routes
from mediatask_api.platform import routes as platform_routes
from mediatask_api.platform import worker_routes
from mediatask_api.pods import routes as pod_routes
from mediatask_api.tasks import project_routes, routes, type_routes
from mediatask_api.uploads import routes as upload_routes
from mediatask_api.usage import routes as usage_routes
from mediatask_api.webhooks import routes as webhook_routes


def add(**options: Any) -> None:
    router = APIRouter(route_class=Route)

    @router.get("/x", **options)
    async def x() -> None:
        return None


def test_a_route_that_does_not_say_who_may_call_it_is_refused() -> None:
    with pytest.raises(TypeError, match="who may call"):
        add()


def test_a_route_that_says_it_twice_is_refused() -> None:
    with pytest.raises(TypeError, match="who may call"):
        add(dependencies=[public, require("tasks:read")])


def test_a_misspelt_scope_is_refused() -> None:
    with pytest.raises(ValueError, match="tasks:raed"):
        require("tasks:raed")


MODULES = [
    batch_routes,
    webhook_routes,
    usage_routes,
    key_routes,
    platform_routes,
    worker_routes,
    pod_routes,
    project_routes,
    routes,
    type_routes,
    upload_routes,
]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_route_of_ours_is_of_that_class(module: Any) -> None:
    assert module.router.routes
    for route in module.router.routes:
        assert isinstance(route, Route), route.path
        assert isinstance(route.access, Access)


def test_a_route_of_the_document_names_its_operation() -> None:
    with pytest.raises(TypeError, match="operation_id"):
        add(dependencies=[public])
