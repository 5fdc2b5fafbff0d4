"""What the routes work with, opened once for all listeners."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Request

from mediatask_common.access.keysecret import KeysSecret
from mediatask_common.kube import Kube, Object
from mediatask_common.redisview import RedisView, connect
from mediatask_common.store import ArtifactStore, open_store

from .auth.authenticators import Authentication, Authenticator
from .auth.jwks import Jwks
from .auth.keyring import ApiKeyAuthenticator, KeyRing
from .auth.service_accounts import ServiceAccountAuthenticator
from .auth.tokens import JwtAuthenticator
from .events.feeds import Feeds
from .events.hub import Hub
from .events.streams import Streams
from .http.caps import Cap
from .http.drain import Drain
from .keys.service import KeyService
from .limits.bucket import Rate
from .limits.buckets import RedisBuckets
from .limits.leases import Leases
from .limits.limiter import Limiter
from .mcp.endpoint import Endpoint
from .platform.health import Health
from .platform.machines import Machines
from .platform.metrics import Metrics
from .platform.neighbours.known import Web, neighbours, own_checks
from .platform.neighbours.registry import Registry
from .pods.auth import PodAuth
from .pods.reports import ReportSinks
from .settings import ApiSettings
from .tasks.reading.budgets import Budgets
from .tasks.reading.classes import Classes
from .tasks.reading.estimates import Estimates
from .tasks.reading.reader import TaskReader
from .tasks.resource import phase_of
from .tasks.service import TaskService
from .tasks.submitting.submission import UrlPolicy
from .uploads.records import Lifetimes
from .uploads.references import References
from .uploads.service import Quota, Uploads
from .uploads.sweep import sweep_for_ever

LIMITER_CONNECTIONS = 8
"""To Redis, for rate limits: what is asked there is rare and quick."""


@dataclass(frozen=True)
class Caps:
    """Requests that may be held open at one time."""

    followers: Cap
    waiters: Cap
    streams: Cap


@dataclass(frozen=True)
class Events:
    """Live events: what feeds them, and the streams of callers."""

    feeds: Feeds
    streams: Streams

    @staticmethod
    def has_ended(task: Object) -> bool:
        """Whether nothing more will be told of a task."""
        return phase_of(task).terminal


@dataclass(frozen=True)
class Services:
    """Everything that lives as long as the process: put together here, and without any behaviour of its own."""

    settings: ApiSettings
    kube: Kube
    store: ArtifactStore
    keys: KeyRing
    key_service: KeyService
    callers: Authentication
    pods: PodAuth
    reader: TaskReader
    tasks: TaskService
    classes: Classes
    budgets: Budgets
    uploads: Uploads
    reports: ReportSinks
    events: Events
    health: Health
    neighbours: Registry
    metrics: Metrics
    drain: Drain
    limiter: Limiter
    caps: Caps
    machines: Machines
    mcp: Endpoint

    @property
    def urls(self) -> UrlPolicy:
        """Where URLs of callers may lead."""
        settings = self.settings
        base = settings.webhook_base_url
        callback = f"{base.rstrip('/')}/task-complete" if base else None
        return UrlPolicy(tuple(settings.allow_networks), tuple(settings.deny_networks), callback)

    def status_url(self, task_id: str) -> str:
        """Where a task's status is."""
        return f"{self.settings.public_url or ''}/api/v1/tasks/{task_id}/status"


@asynccontextmanager
async def open_services(settings: ApiSettings) -> AsyncIterator[Services]:
    """Connect to what the settings name. Nothing is asked yet: Kubernetes and Redis may come up later."""
    store = open_store(settings.store)
    view = RedisView.open(settings.redis_url, settings.namespace) if settings.redis_url else None
    drain, metrics = Drain(), Metrics()
    limiter = _limiter(settings, metrics)
    lifetimes = Lifetimes(timedelta(seconds=settings.upload_unused_seconds), timedelta(days=settings.upload_used_days))
    uploads = Uploads(store, Quota(settings.upload_quota_bytes, settings.upload_quota_count), lifetimes)
    async with (
        await Kube.connect(settings.kubeconfig) as kube,
        # Connections of its own: those of many requests may be dead, and keys are not to wait for each in turn.
        await Kube.connect(settings.kubeconfig, keep_alive=False) as kube_for_keys,
    ):
        hub = Hub(store.download_url, by_redis=view is not None)
        reports = ReportSinks(kube, view, {settings.namespace: hub})
        sink = reports.of(settings.namespace)
        reader = sink.reader
        feeds = Feeds(hub, kube, reader, sink.redis, settings.namespace)
        limits = settings.event_heartbeat_seconds, settings.event_stream_seconds
        keys_namespace = settings.api_keys_namespace or settings.namespace
        keys_secret = KeysSecret(kube_for_keys, keys_namespace, settings.api_keys_secret)
        keys = KeyRing(keys_secret)
        await keys.start()
        sweeping = sweep_for_ever(store, lifetimes, settings.upload_sweep_seconds)
        background = [asyncio.create_task(work) for work in (keys.follow(), keys.note_uses(), sweeping)]
        references = References(uploads, reader)
        classes, budgets = Classes(kube), Budgets(kube, settings.budgets_config_map)
        estimates = Estimates(reader, classes)
        machines = Machines(kube, settings.namespace)
        mcp = Endpoint()
        checks, web = own_checks(kube, settings.namespace, view, store), Web()
        registry = Registry(neighbours(settings, kube, checks, web))
        jwks = Jwks(settings.jwt.jwks_url, settings.jwt.algorithms) if settings.jwt.issuer else None
        try:
            yield Services(
                settings=settings,
                kube=kube,
                store=store,
                keys=keys,
                key_service=KeyService(keys_secret),
                callers=Authentication(_authenticators(settings, kube, keys, jwks)),
                pods=PodAuth(kube, settings.namespaces),
                reader=reader,
                tasks=TaskService(settings.namespace, kube, reader, store, drain, references, estimates, budgets),
                classes=classes,
                budgets=budgets,
                uploads=uploads,
                reports=reports,
                events=Events(feeds, Streams(feeds, reader, store.download_url, drain, *limits)),
                health=Health(checks, settings.environment),
                neighbours=registry,
                metrics=metrics,
                drain=drain,
                limiter=limiter,
                caps=Caps(
                    Cap("log followers", settings.max_log_followers, settings.max_log_followers_per_key),
                    Cap("held requests", settings.max_held_requests, settings.max_held_requests_per_key),
                    Cap("event streams", settings.max_event_streams, settings.max_event_streams_per_key),
                ),
                machines=machines,
                mcp=mcp,
            )
        finally:
            await mcp.close()
            await registry.close()
            await web.close()
            for task in background:
                task.cancel()
            await asyncio.wait(background)
            if jwks is not None:
                await jwks.close()
            await machines.close()
            await feeds.close()
            await reports.close()
            await limiter.close()
            if view is not None:
                await view.close()


def _limiter(settings: ApiSettings, metrics: Metrics) -> Limiter:
    caller, project, url = settings.requests_per_minute, settings.submits_per_minute, settings.redis_url
    return Limiter(
        Rate("caller", caller) if caller else None,
        Rate("project", project) if project else None,
        Leases(RedisBuckets(connect(url, LIMITER_CONNECTIONS), settings.namespace)) if url else None,
        metrics.rate_limited,
    )


def _authenticators(settings: ApiSettings, kube: Kube, keys: KeyRing, jwks: Jwks | None) -> list[Authenticator]:
    """One for each kind of credential that the settings accept."""
    accepted: list[Authenticator] = [ApiKeyAuthenticator(keys)]
    if jwks is not None:
        accepted.append(JwtAuthenticator(settings.jwt, jwks))
    if settings.service_accounts:
        audience, accounts = settings.service_account_audience, settings.service_accounts
        accepted.append(ServiceAccountAuthenticator(kube, audience, accounts))
    return accepted


# Async as all dependencies are: FastAPI would run it in a thread.
async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Ctx = Annotated[Services, Depends(_services)]
"""The services of the app that answers."""
