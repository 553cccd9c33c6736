"""What a workshop can have a brake actuator do, at standstill: put the pads on, test, park lock.

A force for the workshop stays below what counts as released everywhere (500 N, BRK-003), so that no
monitor takes it for a fault. A command that asks for more comes first, and a wheel that turns ends
it: braking is never at a tester's mercy.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum, unique
from typing import TYPE_CHECKING, Any, cast

from simcore.diag.codes import Nrc
from simcore.diag.operation import Answer
from simcore.diag.rows import IoParameter
from simcore.ecu.emb.application import Application
from simcore.ecu.emb.command import CommandSelection, force_target_n
from simcore.ecu.emb.communication import FAULT_NONE, MODE_FORCE, Command
from simcore.ecu.emb.states import EmbEvent, EmbState
from simcore.ecu.runtime.diagnostics_rows import number
from simcore.units import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from simcore.ecu.emb.node import Emb

FORCE_MAX_N = 450.0
"""Most that a tester can ask for."""
SLOPE_KN_PER_S = 1_000.0
"""As braking has it: the way back from a braking force must not be slower."""
SELF_TEST_NS = 200 * NS_PER_MS
SELF_TEST_LOOKS = 20
PARK_TIMEOUT_NS = 2 * NS_PER_S
_TENTH = 10.0
IsStill = Callable[[int], bool]


class AdjustedSelection:
    """Stands before a `CommandSelection`: its command, or the workshop's where that is more."""

    __slots__ = ("_command", "_inner", "_is_still")

    def __init__(self, inner: CommandSelection, force_n: float, is_still: IsStill) -> None:
        self._inner = inner
        self._is_still = is_still
        self._command = Command(force_n, MODE_FORCE, SLOPE_KN_PER_S, 1, 0)

    def __getattr__(self, name: str) -> Any:
        # Copying and pickling look for dunders before there is anything to ask.
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._inner, name)

    @property
    def command(self) -> Command:
        """What is obeyed."""
        return self._greater(self._inner.command)

    def select(self, now_ns: int) -> Command:
        """The command for this millisecond."""
        command = self._inner.select(now_ns)
        return self._greater(command) if self._is_still(now_ns) else command

    def _greater(self, command: Command) -> Command:
        mine = self._command
        return command if force_target_n(command, 0.0) >= mine.force_n else mine


class ForceAdjustment:
    """InputOutputControl of the clamp force."""

    __slots__ = ("_application", "_is_still", "_selection")

    def __init__(
        self, application: Application, selection: CommandSelection, is_still: IsStill
    ) -> None:
        self._application = application
        self._selection = selection
        self._is_still = is_still

    def control(self, parameter: IoParameter, state: bytes, mask: bytes, now_ns: int) -> Answer:
        """The present force, once the order is taken."""
        application = self._application
        present_n = application.clamp_force_n
        if parameter is IoParameter.RETURN_CONTROL:
            application.obey(self._selection)
            return number(present_n * _TENTH)
        if not self._is_still(now_ns):
            return Nrc.VEHICLE_SPEED_TOO_HIGH
        if application.state not in (EmbState.READY, EmbState.FORCE_CTRL):
            return Nrc.CONDITIONS_NOT_CORRECT
        force_n = 0.0
        if parameter is IoParameter.FREEZE:
            force_n = present_n if present_n > 0.0 else 0.0
        elif parameter is IoParameter.SHORT_TERM_ADJUSTMENT:
            force_n = int.from_bytes(state, "big", signed=True) / _TENTH
        if not 0.0 <= force_n <= FORCE_MAX_N:
            return Nrc.REQUEST_OUT_OF_RANGE
        adjusted = AdjustedSelection(self._selection, force_n, self._is_still)
        application.obey(cast("CommandSelection", adjusted), workshop_n=force_n)
        return number(present_n * _TENTH)


@unique
class TestResult(IntEnum):
    """Status record of the self-test routine."""

    NOT_RUN = 0
    PASSED = 1
    NOT_READY = 2
    """The actuator was not ready to brake."""
    SENSORS = 3
    SUPERVISION = 4
    ENABLE_LINE = 5
    PARK_LOCK = 6


class SelfTestRoutine:
    """Looks at the actuator twenty times in 200 ms; an `Operation` while it does."""

    __slots__ = ("_due_ns", "_emb", "_is_still", "_left", "result")

    def __init__(self, emb: Emb, is_still: IsStill) -> None:
        self._emb = emb
        self._is_still = is_still
        self._left = 0
        self._due_ns = 0
        self.result = TestResult.NOT_RUN

    def start(self, option: bytes, now_ns: int) -> Answer:
        """Begin."""
        if not self._is_still(now_ns):
            return Nrc.VEHICLE_SPEED_TOO_HIGH
        self._left = SELF_TEST_LOOKS
        self._due_ns = now_ns
        self.result = TestResult.PASSED
        return self

    def results(self, option: bytes, now_ns: int) -> Answer:
        """What the last one found."""
        return bytes((self.result,))

    def step(self, now_ns: int) -> bytes | Nrc | None:
        """One look."""
        found = self._found()
        if found is not TestResult.PASSED:
            self.result = found
            return bytes((found,))
        self._left -= 1
        self._due_ns = now_ns + SELF_TEST_NS // SELF_TEST_LOOKS
        return None if self._left else bytes((self.result,))

    def next_deadline_ns(self) -> int:
        """The next look."""
        return self._due_ns

    def _found(self) -> TestResult:
        emb = self._emb
        application = emb.application
        line = getattr(emb.port, "watchdog", None)
        if line is not None and not line.enabled:
            return TestResult.ENABLE_LINE
        if application.state not in (EmbState.READY, EmbState.FORCE_CTRL, EmbState.PARK_APPLIED):
            return TestResult.NOT_READY
        if not application.force_valid or application.fault_level != FAULT_NONE:
            return TestResult.SENSORS
        if not application.lock_trusted:
            return TestResult.PARK_LOCK
        return TestResult.PASSED if not emb.supervision.error_count else TestResult.SUPERVISION


class ParkLockRoutine:
    """Applies or releases the park lock; an `Operation` until it has moved."""

    __slots__ = ("_application", "_due_ns", "_end_ns", "_is_still", "_wanted")

    def __init__(self, application: Application, is_still: IsStill) -> None:
        self._application = application
        self._is_still = is_still
        self._wanted = EmbState.PARK_APPLIED
        self._due_ns = self._end_ns = 0

    def start(self, option: bytes, now_ns: int) -> Answer:
        """Begin to move; refused while the vehicle does."""
        if option not in (b"\x00", b"\x01"):
            return Nrc.REQUEST_OUT_OF_RANGE
        if not self._is_still(now_ns):
            return Nrc.VEHICLE_SPEED_TOO_HIGH
        apply = option == b"\x01"
        application = self._application
        wanted = EmbState.PARK_APPLIED if apply else EmbState.READY
        if application.state is wanted:
            return option
        if application.state is not (EmbState.READY if apply else EmbState.PARK_APPLIED):
            return Nrc.CONDITIONS_NOT_CORRECT
        self._wanted = wanted
        event = EmbEvent.PARK_APPLY_REQUESTED if apply else EmbEvent.PARK_RELEASE_REQUESTED
        application.happens(event)
        self._due_ns = now_ns + 10 * NS_PER_MS
        self._end_ns = now_ns + PARK_TIMEOUT_NS
        return self

    def results(self, option: bytes, now_ns: int) -> Answer:
        """Whether it is locked."""
        return bytes((self._application.state is EmbState.PARK_APPLIED,))

    def step(self, now_ns: int) -> bytes | Nrc | None:
        """Look whether it is done."""
        self._due_ns = now_ns + 10 * NS_PER_MS
        state = self._application.state
        if state is self._wanted or (
            self._wanted is EmbState.READY and state is EmbState.FORCE_CTRL
        ):
            return bytes((self._wanted is EmbState.PARK_APPLIED,))
        return Nrc.GENERAL_PROGRAMMING_FAILURE if now_ns >= self._end_ns else None

    def next_deadline_ns(self) -> int:
        """The next look."""
        return self._due_ns
