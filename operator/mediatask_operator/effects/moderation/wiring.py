"""Moderation, put together from the settings."""

from __future__ import annotations

from collections.abc import Callable

from mediatask_common.moderation import RuleBook

from ...deciding.plan import CheckRequest
from ...metrics import Metrics
from ...settings import ModerationSettings
from ..base import Effects, ReadData
from ..keys import WebhookKeys
from ..pool import EffectPool
from .check import CheckRequests
from .classifier import Classifier


def register(
    effects: Effects,
    settings: ModerationSettings,
    data: ReadData,
    rules: Callable[[], RuleBook] | None,
    keys: WebhookKeys,
    metrics: Metrics,
) -> None:
    """Let requests be checked, by the rules and the classifier that there are."""
    workers = settings.classifier_workers
    check = CheckRequests(data, rules, _classifier(settings, keys), metrics)
    effects.register(CheckRequest, check, EffectPool(workers, max(workers // 4, 1)))


def _classifier(settings: ModerationSettings, keys: WebhookKeys) -> Classifier | None:
    if settings.classifier_url is None:
        return None
    return Classifier(
        settings.classifier_url,
        settings.classifier_api_key.get_secret_value() if settings.classifier_api_key is not None else None,
        keys,
        settings.classifier_allow_networks,
        settings.classifier_timeout_seconds,
        settings.classifier_workers,
    )
