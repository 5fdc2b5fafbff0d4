"""What may be tuned about decisions, in groups. What an installation sets is in `settings.py` instead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Attempts:
    """How long an attempt is waited for, and how often it is followed by another."""

    image_pull: timedelta = timedelta(minutes=5)
    """An image that cannot be pulled for longer fails the attempt, though the start deadline may be later: a class
    with a wrong image should not hold its slots for as long as a GPU may be waited for."""
    lost_after: timedelta = timedelta(seconds=60)
    """A pod that is still there this long after it had to be gone is on a node that no longer answers."""
    first_pause: timedelta = timedelta(seconds=2)
    """Before the second attempt of a round; doubled before each further one."""
    most_pause: timedelta = timedelta(minutes=5)
    """The longest such pause."""
    jitter: float = 0.2
    """Up to this share is added to a pause, so that tasks that failed together do not come again together."""
    most_disruptions: int = 20
    """Ends of a round that cost no retry; a task that goes on being disrupted may be the cause of it."""


@dataclass(frozen=True)
class Pauses:
    """When a task is looked at again, though nothing may have happened."""

    store: tuple[float, float] = (5.0, 60.0)
    """Seconds, shortest and longest, before a store that cannot be read is asked again."""
    stopping: timedelta = timedelta(seconds=30)
    """While something of the task is being stopped: its end is told by a watch, this is for one that was missed."""
    queue: timedelta = timedelta(seconds=15)
    """While the task waits for a slot, to renew its position; behind so many that this is less than a second for each
    of those before it, it waits a second for each."""
    budget: timedelta = timedelta(seconds=60)
    """While the task waits for its project's budget; whoever has enough again is told at once."""
    refused: timedelta = timedelta(seconds=15)
    """Between two tries to create Jobs of a class in a namespace that does not take them: quota frees slowly."""


@dataclass(frozen=True)
class Admission:
    """What the expected wait for a slot is made of."""

    weight_of_last_run: float = 0.2
    """Weight of the latest run in the mean duration of a class's runs."""
    typical_seconds: float = 60.0
    """Expected run of a task type that is not installed here, while none of its class was measured."""


@dataclass(frozen=True)
class Retries:
    """When what could not be done at a service outside is tried again: for as long as there is the task."""

    pauses: tuple[timedelta, ...] = tuple(timedelta(seconds=seconds) for seconds in (2, 5, 15, 60, 300, 900))
    """After each try that failed; after further ones the last. They say for how long catching up may take."""
    refused: timedelta = timedelta(hours=1)
    """After a refusal that only other settings, or a change at the service, will take away."""
    longest_retry_after: timedelta = timedelta(hours=1)
    """Most of what the service may ask for."""
    jitter: float = 0.2
    """Up to this share is added, so that tasks that failed together do not come again together."""


ATTEMPTS = Attempts()
PAUSES = Pauses()
ADMISSION = Admission()
OUTSIDE = Retries()
"""What follows a completed task."""
CONTEXT = Retries(
    pauses=tuple(timedelta(seconds=seconds) for seconds in (2, 5, 15, 30, 60)),
    refused=timedelta(minutes=5),
    longest_retry_after=timedelta(minutes=10),
)
"""What a task waits for."""
MODERATION = CONTEXT
