"""Defects of any ECU beside what it is for: bus-off and diagnostics.

Each is a mixin that stands before `Emb` or `Cdc`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from simcore.bus import Frame
from simcore.bus.error_record import ErrorState
from simcore.diag.codes import Nrc, Session, Sid
from simcore.diag.rows import Did, SecurityLevel
from simcore.diag.server import UdsServer
from simcore.diag.services.service import Request
from simcore.diag.table import Access
from simcore.ecu.runtime.trouble_codes import TroubleCodes
from simcore.units import NS_PER_MS, NS_PER_S, NS_PER_US
from tests.mutants.altering import (
    Operated,
    Serving,
    ThroughPort,
    with_rows,
)

# -- bus-off ---------------------------------------------------------------------------------------


class SilentAfterBusOff(ThroughPort):
    """Stays silent on a bus for ever once it was bus-off there."""

    _dead: tuple[str, ...] = ()

    def start(self, port: Any, now_ns: int) -> None:
        self._dead = ()
        super().start(port, now_ns)

    def bus_state(self, channel: str, state: ErrorState, now_ns: int) -> None:
        if state is ErrorState.BUS_OFF:
            self._dead = (*self._dead, channel)

    def let_out(self, frame: Frame, channel: str | None) -> None:
        if not self._dead:
            super().let_out(frame, channel)
            return
        message = self.message_of(frame)
        channels = self.bare.channels
        if channel is not None:
            channels = (channel,)
        elif message is None or not message.is_redundant:
            channels = channels[:1]
        for each in channels:
            if each not in self._dead:
                super().let_out(frame, each)


class StormAfterBusOff(ThroughPort):
    """Sends its last frame every 300 us for 300 ms once a bus-off is over."""

    _last: Frame | None = None
    _due_ns: int | None = None
    _left = 0
    _was_off = False

    def start(self, port: Any, now_ns: int) -> None:
        self._due_ns, self._left, self._was_off = None, 0, False
        super().start(port, now_ns)
        self.attends(_Storm(self))

    def bus_state(self, channel: str, state: ErrorState, now_ns: int) -> None:
        if state is ErrorState.BUS_OFF:
            self._was_off = True
        elif self._was_off and channel == self.bare.channels[0]:
            self._was_off = False
            self._due_ns, self._left = now_ns + NS_PER_MS, 1_000
            self.bare.timer_changed()

    def let_out(self, frame: Frame, channel: str | None) -> None:
        self._last = frame
        super().let_out(frame, channel)


class _Storm:
    """The worker that sends it."""

    def __init__(self, mutant: Any) -> None:
        self._mutant = mutant

    def on_timer(self, now_ns: int) -> None:
        mutant = self._mutant
        mutant.bare.send(mutant._last, mutant.bare.channels[0])
        mutant._left -= 1
        mutant._due_ns = now_ns + 300 * NS_PER_US if mutant._left else None

    def next_deadline_ns(self) -> int | None:
        return self._mutant._due_ns


# -- diagnostics -----------------------------------------------------------------------------------


class _WrongNrcServer(UdsServer):
    __slots__ = ()

    def _evaluate(self, request: Request, now_ns: int) -> Any:
        answer = super()._evaluate(request, now_ns)
        return Nrc.CONDITIONS_NOT_CORRECT if answer is Nrc.REQUEST_OUT_OF_RANGE else answer


class WrongNrc(Serving):
    """Refuses an unknown identifier with 0x22 instead of 0x31."""

    server = _WrongNrcServer


class _LengthNrcServer(UdsServer):
    __slots__ = ()

    def _evaluate(self, request: Request, now_ns: int) -> Any:
        answer = super()._evaluate(request, now_ns)
        wrong = Nrc.INCORRECT_MESSAGE_LENGTH_OR_INVALID_FORMAT
        return Nrc.SUB_FUNCTION_NOT_SUPPORTED if answer is wrong else answer


class LengthUnchecked(Serving):
    """Refuses a request of the wrong length with 0x12 instead of 0x13."""

    server = _LengthNrcServer


class _AbsentServer(UdsServer):
    __slots__ = ()

    def request(
        self, payload: bytes, now_ns: int, *, functional: bool = False, source: int = 0
    ) -> tuple[bytes, ...]:
        if payload[:1] == bytes((Sid.TESTER_PRESENT,)):
            return ()
        return super().request(payload, now_ns, functional=functional, source=source)


class TesterPresentUnheard(Serving):
    """Knows no TesterPresent: no answer, and the session ends in spite of it."""

    server = _AbsentServer


class _TalkativeServer(UdsServer):
    __slots__ = ()

    def _suppresses(self, request: Request) -> bool:
        return False


class SuppressBitIgnored(Serving):
    """Answers where the request says that no answer is wanted."""

    server = _TalkativeServer


class _EternalServer(UdsServer):
    __slots__ = ()

    def _restart_s3(self, now_ns: int) -> None:
        self._s3_ns = None


class SessionNeverEnds(Serving):
    """Stays in the extended session without a tester."""

    server = _EternalServer


class _HastyServer(UdsServer):
    __slots__ = ()

    def _restart_s3(self, now_ns: int) -> None:
        super()._restart_s3(now_ns)
        if self._s3_ns is not None:
            self._s3_ns = now_ns + 2 * NS_PER_S


class SessionEndsEarly(Serving):
    """Ends a session 2 s after the last request instead of 5."""

    server = _HastyServer


class _OutspokenServer(UdsServer):
    __slots__ = ()

    def request(
        self, payload: bytes, now_ns: int, *, functional: bool = False, source: int = 0
    ) -> tuple[bytes, ...]:
        return super().request(payload, now_ns, functional=False, source=source)


class FunctionalRefused(Serving):
    """Answers functional requests that do not concern it with a refusal."""

    server = _OutspokenServer


class _Later:
    """An answer that takes its time."""

    def __init__(self, answer: Any, due_ns: int) -> None:
        self._answer, self._due_ns = answer, due_ns

    def step(self, now_ns: int) -> Any:
        return self._answer

    def next_deadline_ns(self) -> int:
        return self._due_ns


class _SlowServer(UdsServer):
    __slots__ = ()

    def _evaluate(self, request: Request, now_ns: int) -> Any:
        answer = super()._evaluate(request, now_ns)
        if isinstance(answer, bytes | Nrc):
            return _Later(answer, now_ns + 80 * NS_PER_MS)
        return answer

    def _p2_ns(self) -> int:
        return 10 * NS_PER_S


class AnswersLate(Serving):
    """Answers after 80 ms, and does not say that it takes longer."""

    server = _SlowServer


class _ForgetfulServer(UdsServer):
    __slots__ = ()

    def _evaluate(self, request: Request, now_ns: int) -> Any:
        before = self.state.session
        answer = super()._evaluate(request, now_ns)
        if request.payload[0] == Sid.DIAGNOSTIC_SESSION_CONTROL and isinstance(answer, bytes):
            if before != Session.DEFAULT and self.state.session == Session.DEFAULT:
                self.state.session = before
        return answer


class DefaultSessionRefused(Serving):
    """Says yes to the default session and stays in the other one."""

    server = _ForgetfulServer


class VinWritable(Serving):
    """Lets anybody write the vehicle identification number."""

    _vin = b""

    def table(self, table: Any) -> Any:
        row = next(row for row in table.dids if row.did == 0xF190)
        assert isinstance(row.read, bytes)
        self._vin = row.read
        other = Did(0xF190, row.name, len(row.read), read=self._read_vin, write=self._write_vin)
        return with_rows(
            table, dids=tuple(other if each.did == 0xF190 else each for each in table.dids)
        )

    def _read_vin(self, now_ns: int) -> bytes:
        return self._vin

    def _write_vin(self, data: bytes, now_ns: int) -> bytes:
        self._vin = data
        return b""


class CalibrationOpen(Serving):
    """Lets anybody write calibration in the extended session, without a key."""

    def table(self, table: Any) -> Any:
        everybody = Access(sessions=(Session.EXTENDED,))
        rows = tuple(
            replace(row, write_access=everybody)
            if row.write is not None and row.write_access is not None
            else row
            for row in table.dids
        )
        return with_rows(table, dids=rows)


class _ConstantKey:
    """A key that does not depend on the seed."""

    def __deepcopy__(self, memo: object) -> _ConstantKey:
        return self

    def key(self, seed: bytes) -> bytes:
        return bytes(8)


class KeyConstant(Serving):
    """Has the same key for every seed: eight zeros."""

    def table(self, table: Any) -> Any:
        levels = tuple(
            SecurityLevel(level.level, key=_ConstantKey().key, access=level.access)
            for level in table.security
        )
        return with_rows(table, security=levels)


class ResetWhileMoving(Serving):
    """Resets itself for a tester at any speed."""

    def table(self, table: Any) -> Any:
        return with_rows(table, resets=tuple(replace(row, condition=None) for row in table.resets))


class _NoCodes(TroubleCodes):
    __slots__ = ()

    def failed(self, name: str, now_ns: int) -> None:
        """Nothing is kept."""

    def sample(self, name: str, failed: bool, now_ns: int) -> None:
        """Nothing is judged."""


class NoTroubleCodes(Operated):
    """Finds faults and keeps no trouble codes."""

    def operate(self) -> None:
        self.trouble_codes.__class__ = _NoCodes
