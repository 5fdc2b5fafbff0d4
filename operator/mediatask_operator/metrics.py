"""Prometheus metrics of the operator. No label ever holds a task's name or a user's text.

Projects are labels of budgets alone, of which the platform team makes only so many.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from mediatask_common import money
from mediatask_common.budgets import Standing

from .deciding.admission import AdmissionQueue
from .deciding.budgets import Budgets
from .deciding.reasons import Reason
from .watching.budgets import BudgetReader
from .watching.cache import Cache

_SECONDS = (1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120)
_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_KNOWN = frozenset(reason.value for reason in Reason)


def known_reason(reason: str | None) -> str:
    """The reason as a label value: jobs may name reasons of their own, which would have no end."""
    return reason if reason in _KNOWN else "Other"


class Metrics:
    """All metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.finished = Counter(
            "mediatask_tasks_finished", "Tasks that ended.", ["type", "outcome", "reason"], registry=registry
        )
        self.attempts = Counter(
            "mediatask_attempts_ended", "Attempts that ended.", ["task_class", "reason"], registry=registry
        )
        self.charged = Counter(
            "mediatask_charged",
            "What ended attempts and completed tasks are charged, in units of the currency.",
            ["type", "task_class", "currency"],
            registry=registry,
        )
        self.stage_seconds = Histogram(
            "mediatask_stage_seconds",
            "Seconds that tasks spent in a stage (queued, scheduled, image, model, infer, total, ...).",
            ["type", "stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.reconcile_seconds = Histogram(
            "mediatask_reconcile_seconds", "Seconds of one reconcile.", buckets=_FAST, registry=registry
        )
        self.reconcile_errors = Counter(
            "mediatask_reconcile_errors", "Reconciles that have to be repeated.", ["reason"], registry=registry
        )
        self.api_writes = Counter(
            "mediatask_api_writes",
            "Writes to the API server (code 0: not reached).",
            ["verb", "resource", "code"],
            registry=registry,
        )
        self.webhooks = Counter(
            "mediatask_webhook_attempts", "Tries to deliver a webhook.", ["outcome"], registry=registry
        )
        self.registrations = Counter(
            "mediatask_payload_attempts", "Tries to put media into PayloadCMS.", ["outcome"], registry=registry
        )
        self.brain_questions = Counter(
            "mediatask_brain_questions", "Tries to ask the Brain about a task.", ["outcome"], registry=registry
        )
        self.brain_results = Counter(
            "mediatask_brain_results", "Tries to store a result in the Brain.", ["outcome"], registry=registry
        )
        self.moderated = Counter(
            "mediatask_moderation_checks", "Checks of requests by rules and classifier.", ["outcome"], registry=registry
        )
        self.effect_failures = Counter(
            "mediatask_effect_failures",
            "Effects (result, webhook, payload, brain) that failed in a way nobody foresaw; tried again.",
            ["effect"],
            registry=registry,
        )
        self.key_file_damaged = Gauge(
            "mediatask_webhook_key_file_damaged",
            "1 while a file of webhook keys cannot be used: the keys it held before stay in use.",
            ["file"],
            registry=registry,
        )
        self.drift = Counter(
            "mediatask_watch_drift", "Differences that a resync found and the watches had not told.", registry=registry
        )
        self.resynced = Gauge(
            "mediatask_last_resync_timestamp_seconds", "When the last resync ended.", registry=registry
        )

    def watch_state(self, cache: Cache, admission: AdmissionQueue) -> None:
        """Count tasks and queues whenever metrics are read."""
        self.registry.register(_State(cache, admission))

    def watch_budgets(self, budgets: Budgets, reader: BudgetReader, now: Callable[[], datetime]) -> None:
        """Count budgets whenever metrics are read."""
        self.registry.register(_Budgets(budgets, reader, now))


class _Budgets(Collector):
    def __init__(self, budgets: Budgets, reader: BudgetReader, now: Callable[[], datetime]) -> None:
        self._budgets = budgets
        self._reader = reader
        self._now = now

    def collect(self) -> Iterable[GaugeMetricFamily]:
        family = GaugeMetricFamily("mediatask_budgets", "Budgets by state (warning: from 80 % on).", labels=["state"])
        standings = self._budgets.standings(self._now())
        tally = Tally(standing.state for standing in standings)
        for state in ("ok", "warning", "exceeded"):
            family.add_metric([state], tally[state])
        family.add_metric(["unusable"], len(self._reader.faults))
        yield family
        amounts = GaugeMetricFamily(
            "mediatask_budget_amount",
            "Limit of each budget, and what is spent and reserved in its present period, in units of the currency.",
            labels=["project", "period", "currency", "part"],
        )
        for key, standing in {_budget_of(standing): standing for standing in standings}.items():
            limit = money.micros(standing.budget.amount)
            for part, amount in (("limit", limit), ("spent", standing.spent), ("reserved", standing.committed)):
                amounts.add_metric([*key, part], amount / money.MICRO)
        yield amounts


def _budget_of(standing: Standing) -> tuple[str, str, str]:
    """Labels of a budget; of several with the same ones, one is enough to tell."""
    budget = standing.budget
    return budget.project, budget.period, budget.currency


class _State(Collector):
    def __init__(self, cache: Cache, admission: AdmissionQueue) -> None:
        self._cache = cache
        self._admission = admission

    def collect(self) -> Iterable[GaugeMetricFamily]:
        unusable = len(self._cache.unusable_classes)
        yield GaugeMetricFamily("mediatask_unusable_classes", "Classes that cannot be read.", value=unusable)
        yield from self._tasks()
        waiting = GaugeMetricFamily("mediatask_queue_waiting", "Tasks that wait for a slot.", labels=["task_class"])
        holding = GaugeMetricFamily("mediatask_queue_in_flight", "Tasks with a slot.", labels=["task_class"])
        for name, (waits, holds) in self._admission.depths().items():
            waiting.add_metric([name], waits)
            holding.add_metric([name], holds)
        yield waiting
        yield holding

    def _tasks(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily("mediatask_tasks", "Tasks by type and phase.", labels=["type", "phase"])
        tally = Tally(
            (task["spec"]["taskType"], (task.get("status") or {}).get("phase", "queued"))
            for task in self._cache.tasks()
        )
        for labels, number in tally.items():
            family.add_metric(list(labels), number)
        yield family
