"""Serves a device that asks in two windows, as presets_tps65381.py describes."""

from __future__ import annotations

from simcore.watchdog.device import WatchdogLine
from simcore.watchdog.question_answer import RESPONSES, UP_TO_LAST

FIRST_OF_LAST = 0x10
"""A register below this expects RESP0."""


def give(line: WatchdogLine, register: int, now_ns: int, *, down_to: int = 0) -> None:
    """Answer what the register asks for, from the answer that it expects on.

    A line that takes several answers in one gets all but the last one so.
    """
    index = register >> 4
    answers = getattr(line, "answers", None)
    if answers is not None and index:
        answers(UP_TO_LAST[register & 0xF][index], now_ns)
        index = 0
    for place in range(index, down_to - 1, -1):
        line.answer(RESPONSES[register & 0xF][place], now_ns)


class DialogueService:
    """Gives the last answer in window 2 and at once the first three to the next question.

    The first sequence after a start has time enough: all four at once. A sequence that began
    without the service, after a bad one, is picked up where the register says it is.
    """

    __slots__ = ("_begun", "_due_ns", "_pause_ns", "period_ns")

    def __init__(self, *, window_1_ns: int, window_2_ns: int) -> None:
        self._pause_ns = window_1_ns + window_2_ns // 32  # some way from the border
        self.period_ns = window_1_ns + 3 * window_2_ns // 4
        """`step` is to be called at least this often; more often does no harm."""
        self._due_ns = -1
        self._begun = False

    def step(self, line: WatchdogLine, now_ns: int, *, allowed: bool) -> None:
        """Serve the device if it is time to; while not `allowed`, leave it alone."""
        if not allowed or now_ns < self._due_ns:
            return
        self._due_ns = now_ns + self._pause_ns
        register = line.question(now_ns)
        if not self._begun:
            self._begun = True
            give(line, register, now_ns)
            register = line.question(now_ns)
        elif register < FIRST_OF_LAST:
            line.answer(RESPONSES[register][0], now_ns)
            register = line.question(now_ns)
        give(line, register, now_ns, down_to=1)
