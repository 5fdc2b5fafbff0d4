"""What the routes work with, opened once for both listeners."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from mediatask_common.kube import Kube
from mediatask_common.redisview import RedisView
from mediatask_common.store import ArtifactStore, open_store

from .auth.keys import KeyRing
from .http.drain import Drain
from .platform.health import Health
from .platform.metrics import Metrics
from .pods.auth import PodAuth
from .pods.reports import Desks
from .settings import ApiSettings
from .tasks.reader import TaskReader
from .tasks.service import TaskService


@dataclass(frozen=True)
class Services:
    """Everything that lives as long as the process."""

    settings: ApiSettings
    kube: Kube
    store: ArtifactStore
    keys: KeyRing
    reader: TaskReader
    tasks: TaskService
    pods: PodAuth
    desks: Desks
    health: Health
    metrics: Metrics
    drain: Drain


@asynccontextmanager
async def open_services(settings: ApiSettings) -> AsyncIterator[Services]:
    """Connect to what the settings name. Nothing is asked yet: Kubernetes and Redis may come up later."""
    keys = KeyRing(settings.api_keys_file)
    store = open_store(settings.store)
    view = RedisView.open(settings.redis_url, settings.namespace) if settings.redis_url else None
    drain = Drain()
    async with await Kube.connect(settings.kubeconfig) as kube:
        desks = Desks(kube, view)
        reader = desks.of(settings.namespace).reader
        try:
            yield Services(
                settings=settings,
                kube=kube,
                store=store,
                keys=keys,
                reader=reader,
                tasks=TaskService(settings, kube, reader, store, drain),
                pods=PodAuth(kube, settings.namespaces),
                desks=desks,
                health=Health(kube, settings.namespace, view, store),
                metrics=Metrics(),
                drain=drain,
            )
        finally:
            await desks.close()
            if view is not None:
                await view.close()


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Ctx = Annotated[Services, Depends(_services)]
"""The services of the app that answers."""
