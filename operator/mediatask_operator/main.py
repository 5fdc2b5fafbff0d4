"""`mediatask-operator`: everything put together, started in order, stopped gracefully."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

import kopf

from mediatask_common.kube import Kube, KubeError
from mediatask_common.logging import get_logger, setup_logging
from mediatask_common.redisview import connect
from mediatask_common.store import open_store
from mediatask_common.times import utcnow

from .acting.default_classes import apply_classes, read_classes
from .acting.events import EventPoster
from .acting.job import JobOptions
from .acting.redis_writer import RedisWriter
from .controller import Controller, Parts
from .deciding.admission import AdmissionQueue
from .effects.pool import EffectPool
from .effects.webhook import WebhookKeys, WebhookSender
from .health import serve_health, serve_metrics
from .metrics import Metrics
from .objects import Key, Object
from .settings import OperatorSettings
from .watching.cache import Cache
from .watching.kopf_watch import build_registry, build_settings
from .watching.reflector import Reflector
from .watching.resync import Resync
from .workqueue import TokenBucket, WorkQueue

log = get_logger(__name__)

FIRST_SWEEP_PAUSES = (0.2, 0.5, 1, 2, 5, 10)
RELIST_PAUSE_SECONDS = 2.0
"""After a relist its events arrive over a moment: one sweep follows them all."""


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = OperatorSettings()
    setup_logging(settings.log_level, settings.log_style)
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)  # it speaks of every event otherwise
    asyncio.run(run(settings))


async def run(settings: OperatorSettings, stop: asyncio.Event | None = None) -> None:
    """Run until stopped by SIGTERM or SIGINT, or by `stop`.

    Raises:
        ValueError, OSError, YAMLError: a settings file (webhook secrets, API key, classes) cannot be used.
    """
    async with await Kube.connect(settings.kubeconfig) as kube:
        await _Operator(kube, settings).run(stop)


class _Operator:
    """The parts of one operator process."""

    def __init__(self, kube: Kube, settings: OperatorSettings) -> None:
        keys = WebhookKeys(settings.webhook_secrets_file, settings.webhook_api_key_file)
        if not keys.secrets():
            log.warning("no webhook secrets are set: webhooks are sent unsigned")
        self._kube = kube
        self._settings = settings
        self._classes = read_classes(settings.classes_file) if settings.classes_file else []
        self._cache = Cache()
        self._queue: WorkQueue[Key] = WorkQueue()
        self._metrics = Metrics()
        self._admission = AdmissionQueue()
        self._effects = EffectPool(settings.webhook_workers)
        self._events = EventPoster(kube)
        self._view: RedisWriter | None = None
        if settings.redis_url is not None:
            self._view = RedisWriter(connect(settings.redis_url), self._cache, settings.namespaces)
        self._sweeper = Resync(kube, self._cache, settings.namespaces)
        self._sweep_soon = asyncio.Event()
        self._follower = Reflector(
            kube, self._cache, settings.namespaces, lambda key: self._task_changed(key, None), self._sweep_soon.set
        )
        self._controller = Controller(
            Parts(
                kube=kube,
                cache=self._cache,
                queue=self._queue,
                admission=self._admission,
                store=open_store(settings.store),
                webhooks=WebhookSender(keys, settings.allow_networks, settings.webhook_timeout_seconds),
                effects=self._effects,
                events=self._events,
                metrics=self._metrics,
                writes=TokenBucket(settings.writes_per_second, settings.writes_per_second),
                options=JobOptions(
                    api_url=settings.job_api_url,
                    service_account=settings.job_service_account,
                    allow_networks=tuple(settings.allow_networks),
                ),
                view=self._view,
                status_delay_seconds=settings.status_delay_seconds,
                clock=utcnow,
            )
        )
        self._metrics.watch_state(self._cache, self._admission)

    async def run(self, stop: asyncio.Event | None) -> None:
        """Know everything, then work; the watches take over from the first sweep."""
        settings = self._settings
        servers = [
            await serve_health(
                settings.health_host, settings.health_port, self._queue.__len__, lambda: self._controller.last_pass
            ),
            await serve_metrics(settings.metrics_host, settings.metrics_port, self._metrics.registry),
        ]
        background: list[asyncio.Task[None]] = []
        try:
            await self._first_sweep()
            self._controller.resume()
            jobs = [
                self._controller.run(self._settings.workers),
                self._events.run(),
                self._follower.run(),
                self._sweep_regularly(),
            ]
            if self._view is not None:
                jobs.append(self._view.run())
            background = [asyncio.create_task(job) for job in (*jobs, self._watch(stop))]
            # Whichever ends first ends the process: half an operator would be worse than none.
            done, _ = await asyncio.wait(background, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if not task.cancelled():  # kopf, once stopped by a signal, cancels what it did not start
                    task.result()
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await self._effects.close()
            if self._view is not None:
                await self._view.close()
            for server in servers:
                await server.cleanup()

    async def _watch(self, stop: asyncio.Event | None) -> None:
        namespaces = self._settings.namespaces
        await kopf.operator(
            registry=build_registry(
                self._kube, self._cache, self._task_changed, self._controller.class_changed, self._sweep_soon.set
            ),
            settings=build_settings(),
            standalone=True,
            clusterwide=not namespaces,
            namespaces=namespaces,
            stop_flag=stop,
        )

    def _task_changed(self, key: Key, last: Object | None) -> None:
        """A task or something of it has changed; `last` is its last version when it is gone."""
        entry = self._cache.get(key)
        # A GPU may be idle for want of a task's Job; what there is to tell about others can wait for that.
        self._queue.add(key, urgent=entry.task is not None and "status" not in entry.task and not entry.jobs)
        if self._view is not None:
            if last is not None:
                self._view.remove(key, last)
            else:
                self._view.mark(key)

    async def _first_sweep(self) -> None:
        """Wait for an API server that knows our kinds, and read everything."""
        pauses = iter(FIRST_SWEEP_PAUSES)
        while True:
            try:
                await apply_classes(self._kube, self._classes)
                await self._sweeper.sweep(lambda _key, _last: None, lambda: None)
                self._metrics.swept.set(time.time())
                log.info("ready", tasks=len(self._cache.entries), classes=len(self._cache.classes))
                return
            except KubeError as error:
                pause = next(pauses, FIRST_SWEEP_PAUSES[-1])
                log.warning("not ready: cannot list", error=str(error), again_in=pause)
                await asyncio.sleep(pause)

    async def _sweep_regularly(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.sweep_seconds):
                    await self._sweep_soon.wait()
                await asyncio.sleep(RELIST_PAUSE_SECONDS)
            self._sweep_soon.clear()
            try:
                differences = await self._sweeper.sweep(self._task_changed, self._controller.class_changed)
                self._metrics.drift.inc(differences)
                self._metrics.swept.set(time.time())
                if differences:
                    log.warning("sweep found what the watches had not told", differences=differences)
            except KubeError as error:
                log.warning("sweep failed, the next one follows", error=str(error))
                self._sweep_soon.set()  # what a watch has missed is known by nobody else
