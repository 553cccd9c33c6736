"""Question and answer watchdogs: a 4-bit question, four answer bytes RESP3, RESP2, RESP1, RESP0.

The table of answers is the same in the TLF35584, the TLE8888, the L9779 and the TI families. Two
ways to ask: against a heartbeat (TLF35584: the four bytes in order before the heartbeat ends), and
in two windows (TPS65381: three bytes in window 1, the last one in window 2). A sequence is judged
when it is complete or its time is over; a bad one keeps the question.

Windows are [start, end). The order in which questions follow each other is not published; here it
runs through all sixteen.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, unique

from simcore.watchdog.device import (
    NEVER_NS,
    FrozenSettings,
    Verdict,
    require_byte,
    require_whole,
)

_OF_BIT = (0x4F, 0x16, 0x8A, 0x2D)
"""What each bit of the question adds to RESP0, modulo 2."""
_MASK = (0x00, 0xF0, 0x0F, 0xFF)
"""RESP0..RESP3 differ from RESP0 in these bits."""
LAST = 3
"""Answers still to come after the first one."""


def response(question: int, index: int) -> int:
    """RESP`index` to a question 0..15."""
    require_whole("response, question", question, least=0, most=15)
    require_whole("response, index", index, least=0, most=3)
    byte = _MASK[index]
    for bit, mask in enumerate(_OF_BIT):
        if question >> bit & 1:
            byte ^= mask
    return byte


RESPONSES = tuple(tuple(response(question, i) for i in range(4)) for question in range(16))
"""`RESPONSES[question][index]`."""
UP_TO_LAST = tuple(tuple(tuple(answers[index:0:-1]) for index in range(4)) for answers in RESPONSES)
"""`UP_TO_LAST[question][index]`: from RESP`index` down to RESP1, in the order they are given."""


def following(question: int) -> int:
    """The question after a good answer; every one comes once in sixteen."""
    return (5 * question + 3) & 0xF


@unique
class DialogueState(IntEnum):
    """Where a dialogue stands."""

    STOPPED = 0
    FIRST = 1
    """The long first window: time does not matter yet."""
    WINDOW_1 = 2
    """RESP3, RESP2 and RESP1 are due; against a heartbeat all four are."""
    WINDOW_2 = 3
    """RESP0 is due."""


@unique
class DialogueEvent(IntEnum):
    """What moves it."""

    STARTED = 0
    COMPLETED = 1
    """The fourth answer came: judged, and the next sequence begins."""
    ELAPSED = 2
    """The window is over."""
    HALTED = 3


_S = DialogueState
_E = DialogueEvent

TRANSITIONS: dict[tuple[DialogueState, DialogueEvent], DialogueState] = {
    (_S.STOPPED, _E.STARTED): _S.FIRST,
    (_S.FIRST, _E.STARTED): _S.FIRST,
    (_S.FIRST, _E.COMPLETED): _S.WINDOW_1,
    (_S.FIRST, _E.ELAPSED): _S.WINDOW_1,
    (_S.FIRST, _E.HALTED): _S.STOPPED,
    (_S.WINDOW_1, _E.STARTED): _S.FIRST,
    (_S.WINDOW_1, _E.COMPLETED): _S.WINDOW_1,
    (_S.WINDOW_1, _E.ELAPSED): _S.WINDOW_2,
    (_S.WINDOW_1, _E.HALTED): _S.STOPPED,
    (_S.WINDOW_2, _E.STARTED): _S.FIRST,
    (_S.WINDOW_2, _E.COMPLETED): _S.WINDOW_1,
    (_S.WINDOW_2, _E.ELAPSED): _S.WINDOW_1,
    (_S.WINDOW_2, _E.HALTED): _S.STOPPED,
}

IGNORED: frozenset[tuple[DialogueState, DialogueEvent]] = frozenset(
    # Without supply, or in reset, nobody asks.
    {(_S.STOPPED, event) for event in _E if event is not _E.STARTED}
)
"""Pairs that change nothing."""


def next_state(state: DialogueState, event: DialogueEvent) -> DialogueState:
    """The state after `event`."""
    return TRANSITIONS.get((state, event), state)


@dataclass(frozen=True, slots=True, kw_only=True)
class DialogueSettings(FrozenSettings):
    """How long answers may take."""

    first_ns: int
    """The long first window after start, for a whole sequence."""
    window_1_ns: int
    """Against a heartbeat: 0, all the time is one window."""
    window_2_ns: int
    """Against a heartbeat: its period."""

    def __post_init__(self) -> None:
        require_whole("DialogueSettings, first_ns", self.first_ns, least=1)
        require_whole("DialogueSettings, window_1_ns", self.window_1_ns, least=0)
        require_whole("DialogueSettings, window_2_ns", self.window_2_ns, least=1)


class Dialogue:
    """One question and answer watchdog.

    Before any other call, `expire` until `deadline_ns` is in the future. That window 2 has begun
    shows in `state` only when it makes a difference.
    """

    __slots__ = (
        "_answers",
        "_fault",
        "_window_1_ends_ns",
        "_window_2_begins_ns",
        "deadline_ns",
        "index",
        "question",
        "settings",
        "state",
    )

    def __init__(self, settings: DialogueSettings) -> None:
        self.settings = settings
        self.state = DialogueState.STOPPED
        self.question = 0
        self.index = LAST
        """Which of RESP3..RESP0 is expected."""
        self._answers = RESPONSES[0]
        self._fault: Verdict | None = None
        """What was wrong first with the answers of this sequence."""
        self._window_1_ends_ns = NEVER_NS
        """From then on RESP3..RESP1 are too late; never in the first window, or without two."""
        self._window_2_begins_ns = 0
        """Until then RESP0 is too early."""
        self.deadline_ns = NEVER_NS
        """When a sequence turns bad by itself: the end of window 2."""

    @property
    def register(self) -> int:
        """What software reads: the expected answer in bits 5..4, the question in bits 3..0."""
        return self.index << 4 | self.question

    def start(self, now_ns: int) -> None:
        """Begin with the long first window."""
        self._happens(DialogueEvent.STARTED, now_ns)

    def halt(self) -> None:
        """Ask nothing."""
        self._happens(DialogueEvent.HALTED, 0)

    def answer(self, value: int, now_ns: int) -> Verdict | None:
        """One byte; a verdict with the fourth one, `None` before and while nobody asks."""
        index = self.index
        if index:
            if value != self._answers[index] or now_ns >= self._window_1_ends_ns:
                self._find_fault(value)
            if self.state is not DialogueState.STOPPED:
                self.index = index - 1
            return None
        if value != self._answers[0] or now_ns < self._window_2_begins_ns:
            self._find_fault(value)
        verdict = self._fault
        if verdict is None:
            verdict = Verdict.GOOD
            self.question = question = following(self.question)
            self._answers = RESPONSES[question]
        self._happens(DialogueEvent.COMPLETED, now_ns)
        return verdict

    def takes(self, values: tuple[int, ...], now_ns: int) -> bool:
        """Whether these are all that come before the last one, and right; else nothing happens."""
        if (
            values != UP_TO_LAST[self.question][self.index]
            or now_ns >= self._window_1_ends_ns
            or self.state is DialogueState.STOPPED
        ):
            return False
        self.index = 0
        return True

    def expire(self) -> Verdict | None:
        """The deadline has come with answers missing; the sequence begins anew there."""
        if self.state is DialogueState.STOPPED:
            return None
        verdict = self._fault or Verdict.ANSWER_MISSING
        due_ns = self.deadline_ns
        if self.state is DialogueState.WINDOW_1:
            self._happens(DialogueEvent.ELAPSED, self._window_2_begins_ns)
        self._happens(DialogueEvent.ELAPSED, due_ns)
        return verdict

    def _find_fault(self, value: int) -> None:
        if self._fault is None:
            if require_byte("answer to the watchdog", value) != self._answers[self.index]:
                self._fault = Verdict.ANSWER_WRONG
            else:
                self._fault = Verdict.ANSWER_LATE if self.index else Verdict.ANSWER_EARLY

    def _happens(self, event: DialogueEvent, now_ns: int) -> None:
        state = self.state
        if (state, event) in IGNORED:
            return
        after = self.state = TRANSITIONS[state, event]
        settings = self.settings
        if after is DialogueState.WINDOW_2:
            return  # the same sequence goes on
        self.index = LAST
        self._fault = None
        self._window_1_ends_ns = NEVER_NS
        self._window_2_begins_ns = 0
        if after is DialogueState.WINDOW_1:
            window_1_ns = settings.window_1_ns
            if window_1_ns:
                self._window_1_ends_ns = self._window_2_begins_ns = now_ns + window_1_ns
            self.deadline_ns = now_ns + window_1_ns + settings.window_2_ns
        elif after is DialogueState.FIRST:
            self.deadline_ns = now_ns + settings.first_ns
        else:
            self.deadline_ns = NEVER_NS
