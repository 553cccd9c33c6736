"""Cyclic sending in virtual time: what `send_periodic` returns.

`PeriodicSender` is part of the simulation and goes with a copy of it; `CyclicTask` is the handle
that python-can's programs hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import can

from simcore.attach.drive import Drive
from simcore.attach.endpoint import Endpoint
from simcore.attach.message import frame_of
from simcore.bus import ErrorState, Frame
from simcore.errors import UsageError
from simcore.kernel import Priority
from simcore.kernel.scheduler import Timer
from simcore.units import NS_PER_S

Modifier = Callable[[can.Message], None]


class PeriodicSender:
    """Sends one of `messages` after the other, one every `period_ns`.

    `duration_ns` counts from each start; `None` is without end. Whatever `modifier` does to a
    message before it is sent stays in it, as python-can has it.
    """

    __slots__ = (
        "_duration_ns",
        "_end_ns",
        "_endpoint",
        "_frames",
        "_index",
        "_messages",
        "_modifier",
        "_period_ns",
        "_timer",
        "missed_count",
    )

    def __init__(
        self,
        endpoint: Endpoint,
        messages: Sequence[can.Message],
        *,
        period_ns: int,
        duration_ns: int | None = None,
        modifier: Modifier | None = None,
    ) -> None:
        if period_ns <= 0:
            raise UsageError("send_periodic: period", expected="at least 1 ns", got=f"{period_ns}")
        self._endpoint = endpoint
        self._period_ns = period_ns
        self._duration_ns = duration_ns
        self._modifier = modifier
        self._timer: Timer | None = None
        self._end_ns: int | None = None
        self._index = 0
        self.missed_count = 0
        """Periods in which the node was bus-off and nothing could be sent."""
        self.set_messages(messages)

    @property
    def running(self) -> bool:
        """Whether it sends."""
        return self._timer is not None

    def set_messages(self, messages: Sequence[can.Message]) -> None:
        """Other contents, from the next period on."""
        self._frames: tuple[Frame, ...] = tuple(frame_of(message) for message in messages)
        self._messages = tuple(messages)

    def start(self) -> None:
        """Send the first message at this instant; does nothing where it is running."""
        if self._timer is not None:
            return
        scheduler = self._endpoint.bus.scheduler
        now_ns = scheduler.now_ns
        self._end_ns = None if self._duration_ns is None else now_ns + self._duration_ns
        self._index = 0
        self._timer = scheduler.timer(now_ns, Priority.ECU, self._fire)

    def stop(self) -> None:
        """Send no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        scheduler = self._endpoint.bus.scheduler
        now_ns = scheduler.now_ns
        self._timer = None
        if self._end_ns is not None and now_ns >= self._end_ns:
            return
        index = self._index
        self._index = (index + 1) % len(self._frames)
        frame = self._frames[index]
        if self._modifier is not None:
            self._modifier(self._messages[index])
            frame = frame_of(self._messages[index])
        if self._endpoint.controller_for(frame).error_state is ErrorState.BUS_OFF:
            self.missed_count += 1
        else:
            self._endpoint.send(frame)
        self._timer = scheduler.timer(now_ns + self._period_ns, Priority.ECU, self._fire)


class CyclicTask(
    can.LimitedDurationCyclicSendTaskABC,
    can.ModifiableCyclicTaskABC,
    can.RestartableCyclicTaskABC,
):
    """The handle of a `PeriodicSender`: stop, start again, modify."""

    def __init__(
        self,
        drive: Drive,
        endpoint: Endpoint,
        messages: Sequence[can.Message] | can.Message,
        period_s: float,
        duration_s: float | None,
        modifier: Modifier | None,
    ) -> None:
        super().__init__(messages, period_s, duration_s)
        self._drive = drive
        self._sender = PeriodicSender(
            endpoint,
            self.messages,
            period_ns=self.period_ns,
            duration_ns=None if duration_s is None else round(duration_s * NS_PER_S),
            modifier=modifier,
        )

    @property
    def stopped(self) -> bool:
        """Whether it no longer sends: stopped, or its duration is over."""
        return not self._sender.running

    @property
    def missed_count(self) -> int:
        """Periods in which the node was bus-off and nothing could be sent."""
        return self._sender.missed_count

    def start(self) -> None:
        with self._drive.touch():
            self._sender.start()

    def stop(self) -> None:
        with self._drive.touch(claims=False):
            self._sender.stop()

    def modify_data(self, messages: Sequence[can.Message] | can.Message) -> None:
        checked = self._check_and_convert_messages(messages)
        self._check_modified_messages(checked)
        with self._drive.touch():
            self._sender.set_messages(checked)
            self.messages = checked
