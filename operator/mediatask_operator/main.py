"""`mediatask-operator`: everything put together, started in order, stopped gracefully."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from mediatask_common.kube import TASKS, Kube, KubeError
from mediatask_common.logging import get_logger, setup_logging
from mediatask_common.redisview import connect
from mediatask_common.settings import warn_of_contradictions
from mediatask_common.store import open_store

from .acting.api_writer import ApiWriter
from .acting.default_classes import apply_classes, read_classes
from .acting.events import EventPoster
from .acting.executor import Executor
from .acting.job import JobOptions
from .acting.redis_writer import RedisWriter
from .acting.reporter import Reporter
from .acting.spending_record import SpendingRecord
from .controller import Controller, Workers
from .deciding.admission import AdmissionQueue
from .deciding.budgets import Budgets
from .deciding.classes import NoClass, TaskClass, resolve
from .deciding.memory import MemoryPolicy
from .deciding.moderation import ModerationPolicy
from .deciding.observation import Outcome, Task
from .deciding.plan import KeepLog, ReadResult, RegisterMedia, SendWebhook
from .deciding.reconcile import Policy
from .deciding.registration import RegistrationPolicy
from .effects.base import Effects
from .effects.brain import wiring as brain_wiring
from .effects.keys import KeyFile, WebhookKeys, decode_api_key
from .effects.logs import KeepLogs
from .effects.moderation import wiring as moderation_wiring
from .effects.payload.client import PayloadClient
from .effects.payload.recovery import Recovery
from .effects.payload.register import RegisterInPayload
from .effects.pool import EffectPool
from .effects.result import ProveResult
from .effects.webhook import DeliverWebhook
from .health import serve_health, serve_metrics
from .metrics import Metrics
from .objects import Key, Object, key_of
from .settings import OperatorSettings, PayloadSettings
from .slots import Slots
from .watching.budgets import BudgetReader
from .watching.cache import Cache
from .watching.expectations import Expectations
from .watching.observer import Observer
from .watching.reflector import Reflector
from .watching.resync import Resync
from .watching.rules import RuleReader
from .workqueue import TokenBucket, WorkQueue

log = get_logger(__name__)


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = OperatorSettings()
    setup_logging(settings.log_level, settings.log_style)
    warn_of_contradictions(OperatorSettings)
    asyncio.run(_run_until_signal(settings))


async def _run_until_signal(settings: OperatorSettings) -> None:
    running = asyncio.ensure_future(run(settings))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def run(settings: OperatorSettings) -> None:
    """Run until cancelled.

    Raises:
        ValueError, OSError, YAMLError: a settings file (webhook secrets, API key, classes) cannot be used.
    """
    async with await Kube.connect(settings.kubeconfig) as kube:
        await _Operator(kube, settings).run()


class _Operator:
    """One operator process, put together."""

    def __init__(self, kube: Kube, settings: OperatorSettings) -> None:
        self._kube = kube
        self._settings = settings
        self._classes = read_classes(settings.classes_file) if settings.classes_file else []
        self._cache = cache = Cache()
        self._queue: WorkQueue[Key] = WorkQueue()
        self._metrics = metrics = Metrics()
        self._expectations = expectations = Expectations()
        self._view: RedisWriter | None = None
        if settings.redis_url is not None:
            self._view = RedisWriter(connect(settings.redis_url), cache, settings.namespaces)
        self._resync = Resync(kube, cache, settings.namespaces, metrics)
        admission = AdmissionQueue()
        metrics.watch_state(cache, admission)
        budgets = Budgets(cache.ledger)
        self._budgets: BudgetReader | None = None
        if settings.budgets_config_map:
            self._budgets = BudgetReader(kube, settings.budgets_config_map, budgets)
            metrics.watch_budgets(budgets, self._budgets, kube.now)
        self._rules: RuleReader | None = None
        if settings.moderation_config_map:
            self._rules = RuleReader(kube, settings.moderation_config_map)
        self._slots = Slots(admission, cache, self._queue.add, kube.now, budgets)
        self._payload = payload_client(settings.payload, metrics)
        self._recovery = Recovery(cache.tasks, self._hurry)
        self._brain = brain_wiring.make_brain(settings.brain)
        self._effects = self._make_effects()
        api = ApiWriter(kube, TokenBucket(settings.writes_per_second, settings.writes_per_second), metrics)
        self._events = EventPoster(api)
        self._spending: SpendingRecord | None = None
        if settings.budgets_config_map:
            self._spending = SpendingRecord(kube, api, settings.budgets_config_map, budgets, kube.now)
        options = JobOptions(
            settings.job_api_url,
            settings.job_service_account,
            tuple(settings.allow_networks),
            tuple(settings.deny_networks),
            settings.job_scratch_limit,
            settings.job_model_cache_limit,
        )
        rules = self._rules
        reporter = Reporter(self._view, metrics, admission)
        controller = Controller(
            self._queue,
            Observer(kube, cache, expectations, None if rules is None else lambda: rules.in_use),
            self._slots,
            Executor(api, cache, expectations, self._events, reporter, options, kube.now),
            self._effects,
            kube.now,
            self._policy(),
        )
        self._workers = Workers(self._queue, controller.reconcile, metrics)

    async def run(self) -> None:
        """Know everything, then work; the watches take over from the first resync."""
        settings = self._settings
        servers = [
            await serve_health(
                settings.health_host, settings.health_port, self._queue.__len__, lambda: self._workers.last_pass
            ),
            await serve_metrics(settings.metrics_host, settings.metrics_port, self._metrics.registry),
        ]
        background: list[asyncio.Task[None]] = []
        try:
            await self._resync.first(lambda: apply_classes(self._kube, self._classes))
            if self._budgets is not None:
                await self._budgets.read()
            if self._spending is not None:
                await self._spending.restore()
            if self._rules is not None:
                await self._rules.read()
            self._slots.resume()
            for task in self._cache.tasks():
                self._queue.add(key_of(task))
            reflector = Reflector(
                self._kube,
                self._cache,
                settings.namespaces,
                self._task_changed,
                self._look_at_queued,
                self._resync.soon,
            )
            jobs = [
                self._workers.run(settings.workers),
                self._events.run(),
                reflector.run(),
                self._resync.run(settings.resync_seconds, self._task_changed, self._look_at_queued),
            ]
            if self._view is not None:
                jobs.append(self._view.run())
            if self._budgets is not None:
                jobs.append(self._budgets.run(self._look_at_queued))
            if self._spending is not None:
                jobs.append(self._spending.run())
            if self._payload is not None:
                self._recovery.start()
            if self._rules is not None:
                jobs.append(self._rules.run(self._look_at_queued))
            background = [asyncio.create_task(job) for job in jobs]
            # Whichever ends first ends the process: half an operator would be worse than none.
            done, _ = await asyncio.wait(background, return_when=asyncio.FIRST_COMPLETED)
            for ended in done:
                ended.result()
        finally:
            for running in background:
                running.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            self._recovery.close()
            await self._effects.close()
            if self._spending is not None:
                with contextlib.suppress(KubeError):
                    await self._spending.write()
            if self._payload is not None:
                await self._payload.close()
            if self._brain is not None:
                await self._brain.close()
            if self._view is not None:
                await self._view.close()
            for server in servers:
                await server.cleanup()

    def _make_effects(self) -> Effects:
        settings = self._settings
        store = open_store(settings.store)
        keys = WebhookKeys(
            settings.webhook_secrets_file,
            settings.webhook_api_key_file,
            settings.webhook_api_key_hosts,
            self._metrics.key_file_damaged,
        )
        if not keys.secrets():
            log.warning("no webhook secrets are set: webhooks are sent unsigned")
        if settings.webhook_api_key_file and not settings.webhook_api_key_hosts:
            log.warning("an API key for webhooks is set, but no host that gets it")
        webhook = DeliverWebhook(
            keys,
            lambda key, at: store.download_url(key, at=at),
            settings.allow_networks,
            settings.webhook_timeout_seconds,
            settings.webhook_workers,
            self._metrics,
            settings.deny_networks,
        )
        effects = Effects(self._current, self._learned, self._queue.add_after, self._metrics)
        results = EffectPool(settings.result_workers, settings.result_workers)
        webhooks = EffectPool(settings.webhook_workers, settings.webhook_workers_per_host)
        effects.register(ReadResult, ProveResult(store), results)
        effects.register(SendWebhook, webhook, webhooks)
        rules = self._rules
        book = None if rules is None else lambda: rules.book
        moderation_wiring.register(effects, settings.moderation, self._task_data, book, keys, self._metrics)
        if self._payload is not None:
            register = RegisterInPayload(
                self._payload, settings.payload, store, self._task_data, self._metrics, self._recovery
            )
            workers = settings.payload.workers
            effects.register(RegisterMedia, register, EffectPool(workers, max(workers // 2, 1)))
        if self._brain is not None:
            brain_wiring.register(
                effects, self._brain, settings.brain, store, self._task_data, self._class_of, self._metrics, book
            )
        effects.register(KeepLog, KeepLogs(self._kube, store), EffectPool(settings.log_workers, 2))
        return effects

    def _class_of(self, task: Task) -> TaskClass | NoClass:
        return resolve(task.spec, task.status, self._cache.classes, self._cache.unusable_classes)

    def _policy(self) -> Policy:
        excluded = frozenset(self._settings.brain.excluded_projects)
        return Policy(
            timedelta(seconds=self._settings.status_delay_seconds),
            self._registration_policy(),
            has_brain=self._brain is not None,
            memory=MemoryPolicy(excluded) if self._brain is not None and self._brain.stores else None,
            moderation=self._moderation_policy(),
        )

    def _moderation_policy(self) -> ModerationPolicy:
        settings = self._settings
        return ModerationPolicy(settings.moderation.classifier_url is not None, settings.store.public_url is not None)

    def _registration_policy(self) -> RegistrationPolicy | None:
        payload = self._settings.payload
        if self._payload is None:
            return None
        wait = timedelta(seconds=payload.webhook_wait_seconds)
        return RegistrationPolicy(wait, frozenset(payload.excluded_projects))

    async def _task_data(self, task: Task) -> dict[str, Any]:
        data: dict[str, Any] = (await self._kube.get(TASKS, task.name, task.namespace))["spec"].get("taskData") or {}
        return data

    def _current(self, key: Key, uid: str) -> Task | None:
        cached = self._cache.get(key).task
        if cached is None or cached["metadata"]["uid"] != uid:
            return None
        with contextlib.suppress(ValidationError):  # reconciling it leaves such a task alone, too
            return Task.parse(cached)
        return None

    def _hurry(self, task: Object, seconds: float) -> None:
        """The media's next try to be registered need not wait for its time."""
        self._expectations.hurry(task)
        self._queue.add_after(key_of(task), seconds)

    def _learned(self, task: Task, outcome: Outcome) -> None:
        self._expectations.learned(task, outcome)
        self._queue.add(task.key)

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

    def _look_at_queued(self) -> None:
        """A class or budget came, went or changed: whoever waits for one may have an answer now."""
        for task in self._cache.tasks():
            if (task.get("status") or {}).get("phase", "queued") == "queued":
                self._queue.add(key_of(task))


def payload_client(settings: PayloadSettings, metrics: Metrics) -> PayloadClient | None:
    """The client that the settings ask for; None where they name no PayloadCMS."""
    key: Callable[[], str] | None = None
    if settings.api_key_file is not None:
        key = KeyFile(settings.api_key_file, decode_api_key, metrics.key_file_damaged).value
    elif settings.api_key is not None:
        key = settings.api_key.get_secret_value
    if settings.api_url is None or key is None:
        if settings.api_url or key:
            log.warning("media is not put into PayloadCMS: that needs both its address and an API key")
        return None
    return PayloadClient(settings.api_url, key, settings.auth_collection, settings.timeout_seconds)
