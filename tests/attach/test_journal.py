"""The journal: a copy lives through the same calls, and a difference is found out."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from simcore.attach.c_abi import Answer, Call, Entry, Order
from simcore.attach.journal import JournalEntry, RecordingWorld, ReplayedWorld
from simcore.errors import UsageError


class Questions:
    """Answers every question with the next number."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def read(self, pin: str) -> float:
        return float(len(pin))

    def take(self, order: int, *arguments: Any) -> Answer:
        self.asked.append((order, *arguments))
        return len(self.asked) if order >= Order.MEMORY_READ else None


PINS = ("a", "bcd")
CALL = Call(Entry.TIMER, 12_000_000)


@pytest.fixture
def recorded() -> JournalEntry:
    world = RecordingWorld(Questions(), PINS)
    assert (world.read("a"), world.read("bcd")) == (1.0, 3.0)
    world.take(Order.WRITE, "x", 0.5)
    assert world.take(Order.WATCHDOG_QUESTION) == 2
    assert world.take(Order.MEMORY_READ, "key") == 3
    return world.entry(CALL, 13_000_000)


def replay(entry: JournalEntry) -> ReplayedWorld:
    world = ReplayedWorld(entry, PINS)
    world.take(Order.WRITE, "x", 0.5)
    assert world.take(Order.WATCHDOG_QUESTION) == 2
    return world


def test_a_copy_sees_the_pins_and_hears_the_answers_of_then(recorded: JournalEntry) -> None:
    entry: JournalEntry = pickle.loads(pickle.dumps(recorded))
    world = replay(entry)
    assert (world.read("a"), world.read("bcd")) == (1.0, 3.0)
    assert world.take(Order.MEMORY_READ, "key") == 3
    world.require_the_same(13_000_000)


def test_what_is_asked_reaches_the_world_once() -> None:
    questions = Questions()
    world = RecordingWorld(questions, PINS)
    world.take(Order.LOG, "note", "x")
    ReplayedWorld(world.entry(CALL, None), PINS).take(Order.LOG, "note", "x")
    assert questions.asked == [(Order.LOG, "note", "x")]


@pytest.mark.parametrize(
    "deviation", ["less", "more", "other", "other argument", "question", "deadline"]
)
def test_a_copy_that_does_something_else_is_found_out(
    recorded: JournalEntry, deviation: str
) -> None:
    world = replay(recorded)
    with pytest.raises(
        UsageError,
        match=r"^timer at 12 ms, repeated for a copy of the module: expected that it does the same "
        "with the same inputs, got something else: it reads what is not in its calls$",
    ):
        if deviation == "other":
            world.take(Order.WATCHDOG_PERIOD, "key")
        elif deviation != "less":
            world.take(Order.MEMORY_READ, "yek" if deviation == "other argument" else "key")
        if deviation == "more":
            world.take(Order.WATCHDOG_TRIGGER)
        if deviation == "question":
            world.take(Order.WATCHDOG_ENABLED)
        world.require_the_same(1 if deviation == "deadline" else 13_000_000)
