"""The admission queue: slots are never exceeded, and priority, then age, says who is next."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mediatask_operator.deciding.admission import AdmissionQueue, Rank
from mediatask_operator.deciding.plan import Slot
from mediatask_operator.objects import Key
from support.taskworld import START

SLOTS = 2


def rank(name: str, priority: int = 5, created: str = "2026-11-21T10:00:00Z") -> tuple[Key, Rank]:
    key = ("default", name)
    return key, (priority, created, key)


def ask(queue: AdmissionQueue, name: str, priority: int = 5, slots: int = 1) -> tuple[bool, int]:
    key, place = rank(name, priority)
    turn = queue.turn(key, "image", place, slots, 60, START)
    return turn.admitted, turn.position


def test_the_first_gets_the_slot_and_the_others_their_place() -> None:
    queue = AdmissionQueue()
    assert ask(queue, "a") == (True, 0)
    assert ask(queue, "b") == (False, 1)
    assert ask(queue, "c") == (False, 2)
    assert ask(queue, "urgent", priority=0) == (False, 1)
    assert ask(queue, "b") == (False, 2)


def test_a_free_slot_goes_to_the_most_urgent() -> None:
    queue = AdmissionQueue()
    for name, priority in (("a", 5), ("b", 5), ("urgent", 0)):
        ask(queue, name, priority)
    key, place = rank("a")
    queue.settle(key, "image", place, Slot.NONE)
    assert queue.next_up("image", 1, START) == [("default", "urgent")]
    assert ask(queue, "b") == (False, 2)
    assert ask(queue, "urgent", 0) == (True, 0)


def test_a_waiting_task_takes_the_place_of_its_new_priority() -> None:
    queue = AdmissionQueue()
    for name in ("a", "b", "c"):
        ask(queue, name)
    assert ask(queue, "c", priority=0) == (False, 1)
    assert ask(queue, "b") == (False, 2)
    assert ask(queue, "c", priority=9) == (False, 2)
    assert ask(queue, "b") == (False, 1)
    assert queue.depths() == {"image": (2, 1)}


def test_the_expected_wait_follows_the_measured_runs() -> None:
    queue = AdmissionQueue()
    ask(queue, "a")
    queue.measured("image", 10)
    key, place = rank("b")
    assert queue.turn(key, "image", place, 1, 60, START).wait_seconds == 10


def test_moving_to_another_class_gives_the_slot_back() -> None:
    queue = AdmissionQueue()
    ask(queue, "a")
    key, place = rank("a")
    assert queue.turn(key, "big", place, 1, 60, START).admitted
    assert ask(queue, "b") == (True, 0)


class Queues(RuleBasedStateMachine):
    """Tasks ask, hold, wait and leave in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = AdmissionQueue()
        self.holding: set[str] = set()
        self.waiting: dict[str, int] = {}

    @rule(name=st.sampled_from("abcdefgh"), priority=st.integers(0, 3))
    def ask(self, name: str, priority: int) -> None:
        priority = self.waiting.get(name, priority)
        if name in self.holding:
            return
        admitted, position = ask(self.queue, name, priority, SLOTS)
        self.waiting[name] = priority
        if admitted:
            self.holding.add(name)
            del self.waiting[name]
        else:
            ahead = [other for other in self.waiting.items() if (other[1], other[0]) < (priority, name)]
            assert position == len(ahead) + 1

    @rule(name=st.sampled_from("abcdefgh"))
    def leave(self, name: str) -> None:
        self.queue.leave(("default", name))
        self.holding.discard(name)
        self.waiting.pop(name, None)

    @invariant()
    def slots_are_kept(self) -> None:
        assert len(self.holding) <= SLOTS
        assert self.queue.depths().get("image", (0, 0)) == (len(self.waiting), len(self.holding))


TestQueues = Queues.TestCase
TestQueues.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


def test_what_is_refused_in_one_namespace_is_not_tried_there_for_a_while() -> None:
    queue, later = AdmissionQueue(), START + timedelta(seconds=15)
    places = [
        (0, "2026-11-21T10:00:00Z", (namespace, name)) for namespace, name in (("a", "1"), ("a", "2"), ("b", "3"))
    ]

    def admitted(place: Rank, now: datetime = START) -> bool:
        return queue.turn(place[2], "image", place, 1, 60, now).admitted

    for place in places:
        queue.offer(place[2], "image", place)
    assert admitted(places[0])
    queue.hold_back("image", "a", later, START)
    queue.settle(places[0][2], "image", places[0], Slot.WAIT)
    assert queue.next_up("image", 1, START) == [("b", "3")]
    assert not admitted(places[1])
    assert admitted(places[2])
    queue.leave(places[2][2])
    assert queue.next_up("image", 1, START) == []
    assert queue.next_up("image", 1, later) == [("a", "1")]
    assert not admitted(places[1], later)
    assert admitted(places[0], later)
    assert queue.lift("image", "a")
    assert not queue.lift("image", "a")


def test_an_offer_keeps_a_place_without_taking_a_slot() -> None:
    queue = AdmissionQueue()
    key, place = rank("urgent", 0)
    queue.offer(key, "image", place)
    assert ask(queue, "a") == (False, 2)
    assert ask(queue, "urgent", 0) == (True, 0)


def test_fewer_slots_than_are_held_free_none() -> None:
    """A class whose `maxInFlight` was lowered: a negative number of free slots is none, and no slice from the end."""
    queue = AdmissionQueue()
    for name in "abc":
        ask(queue, name, slots=3)
    for name in "def":
        ask(queue, name, slots=1)
    assert queue.next_up("image", 1, START) == []
    assert not ask(queue, "d", slots=1)[0]


def test_the_expected_wait_follows_the_mean_and_not_the_last_run() -> None:
    queue = AdmissionQueue()
    ask(queue, "a")
    queue.measured("image", 100)
    queue.measured("image", 200)
    key, place = rank("b")
    assert queue.turn(key, "image", place, 1, 60, START).wait_seconds == 120


def test_the_expected_wait_is_shared_by_the_slots() -> None:
    queue = AdmissionQueue()
    for name in "abcd":
        ask(queue, name, slots=2)
    key, place = rank("e")
    assert queue.turn(key, "image", place, 2, 60, START).wait_seconds == 90


def test_a_slot_that_is_held_is_kept() -> None:
    """As after a restart: the task has its Job already and never asked for a turn."""
    queue = AdmissionQueue()
    key, place = rank("a")
    queue.settle(key, "image", place, Slot.HOLD)
    assert queue.class_of(key) == "image"
    assert queue.depths()["image"] == (0, 1)
    assert ask(queue, "b") == (False, 1)
    queue.settle(key, "image", place, Slot.HOLD)
    assert ask(queue, "a") == (True, 0)
    assert queue.depths()["image"] == (1, 1)
    queue.settle(key, "image", place, Slot.NONE)
    assert queue.class_of(key) is None
    assert ask(queue, "b") == (True, 0)


def test_a_slot_of_another_class_is_held_there_alone() -> None:
    queue = AdmissionQueue()
    for name in "abc":
        ask(queue, name)
    for name in "ab":
        key, place = rank(name)
        queue.settle(key, "video", place, Slot.HOLD)
        assert queue.class_of(key) == "video"
    assert queue.depths() == {"image": (1, 0), "video": (0, 2)}
    assert queue.next_up("image", 1, START) == [("default", "c")]


def test_a_task_whose_own_job_was_refused_finds_out_when_others_may_go_on() -> None:
    queue = AdmissionQueue()
    key, place = rank("a")
    queue.hold_back("image", "default", START + timedelta(seconds=15), START)
    assert not queue.turn(key, "image", place, 1, 60, START).admitted
    assert queue.turn(key, "image", place, 1, 60, START, retries=True).admitted


def test_a_task_that_waits_without_a_slot_takes_its_place_and_nobody_elses() -> None:
    queue = AdmissionQueue()
    ask(queue, "a")
    key, place = rank("b")
    queue.settle(key, "image", place, Slot.WAIT)
    assert queue.depths() == {"image": (1, 1)}, "it waits, and the slot's holder keeps it"
    queue.settle(key, "image", place, Slot.WAIT)
    assert queue.depths() == {"image": (1, 1)}, "and it waits once, however often it is said"
    assert ask(queue, "c") == (False, 2), "in its place"


def test_a_holder_that_has_to_wait_again_gives_its_slot_back() -> None:
    queue = AdmissionQueue()
    ask(queue, "a")
    key, place = rank("a")
    queue.settle(key, "image", place, Slot.WAIT)
    assert queue.depths() == {"image": (1, 0)}
    assert queue.next_up("image", 1, START) == [key]
