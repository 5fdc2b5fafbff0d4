"""The Brain that the settings name, and the effects that need it."""

from __future__ import annotations

from collections.abc import Callable

from mediatask_common.moderation import RuleBook
from mediatask_common.store import ArtifactStore

from ...deciding.plan import AskBrain, TellBrain
from ...metrics import Metrics
from ...settings import BrainSettings
from ..base import Effects, ReadClass, ReadData
from ..pool import EffectPool
from .ask import AskTheBrain
from .breaker import Breaker
from .remember import RememberResult
from .rest import RestBrain
from .service import Brain


def make_brain(settings: BrainSettings) -> Brain | None:
    """The client that the settings ask for; None where they name no Brain."""
    if settings.url is None:
        return None
    token = settings.token.get_secret_value() if settings.token else None
    if settings.protocol == "rest":
        return RestBrain(settings.url, token)
    # Only here: the SDK takes memory and a second that an operator without a Brain need not spend.
    from .mcp import McpBrain

    return McpBrain(settings.url.rstrip("/") + settings.mcp_path, token)


def register(
    effects: Effects,
    brain: Brain,
    settings: BrainSettings,
    store: ArtifactStore,
    data: ReadData,
    of_class: ReadClass,
    metrics: Metrics,
    rules: Callable[[], RuleBook] | None = None,
) -> None:
    """Let the Brain be asked and told, each in a pool of its own of which one project gets half."""
    asking, telling = settings.workers, (settings.workers + 1) // 2
    ask = AskTheBrain(brain, store, data, of_class, metrics, rules)
    effects.register(AskBrain, ask, EffectPool(asking, (asking + 1) // 2))
    tell = RememberResult(brain, Breaker(), data, of_class, settings.timeout_seconds, metrics)
    effects.register(TellBrain, tell, EffectPool(telling, (telling + 1) // 2))
