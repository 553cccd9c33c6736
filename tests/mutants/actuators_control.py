"""Broken actuators: force, sensors, park lock, watchdog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from simcore.ecu.emb import Emb
from simcore.ecu.emb.application import Application
from simcore.ecu.emb.force_control import ForceController
from simcore.ecu.emb.parameters import MonitorParameters
from simcore.ecu.emb.plausibility import Plausibility
from simcore.ecu.emb.states import EmbState
from simcore.watchdog.challenge import ANSWERS
from tests.mutants.altering import Operated, ThroughPort


class _Controlled(Operated):
    """Another force controller."""

    controller: type[ForceController] = ForceController
    changes: Mapping[str, float] = {}

    def operate(self) -> None:
        parameters = replace(self.parameters.force_control, **self.changes)
        self.application._controller = self.controller(parameters)


class SoundControllerEmb(_Controlled, Emb):
    """No defect: a force controller that was built anew."""

    violates = ()


class ForceSlow(_Controlled, Emb):
    """Takes half a second to build its force up."""

    violates = ("BRK-009",)
    changes: Mapping[str, float] = {"position_gain_per_s": 8.0}


class _Overshooting(ForceController):
    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters)
        self.before_n, self.left = 0.0, 0

    def step(self, force_ref_n: float, *rest: float) -> float:
        if force_ref_n > self.before_n + 200.0:
            self.left = 120
        elif self.left:
            self.left -= 1
        self.before_n = force_ref_n
        wanted_n = force_ref_n * 1.2 if self.left else force_ref_n
        return super().step(min(wanted_n, self.parameters.force_max_n), *rest)


class Overshoots(_Controlled, Emb):
    """Clamps with a fifth too much for 120 ms after every rise."""

    violates = ("BRK-009",)
    controller = _Overshooting


class _Weak(ForceController):
    def step(self, force_ref_n: float, *rest: float) -> float:
        return super().step(0.9 * force_ref_n, *rest)


class ForceTooSmall(_Controlled, Emb):
    """Clamps with a tenth less than is asked for."""

    violates = ("BRK-005",)
    controller = _Weak


class _Strong(ForceController):
    def step(self, force_ref_n: float, *rest: float) -> float:
        return super().step(min(1.08 * force_ref_n, self.parameters.force_max_n), *rest)


class ForceTooGreat(_Controlled, Emb):
    """Clamps with 8 % more than is asked for."""

    violates = ("BRK-005",)
    controller = _Strong


class _Swinging(ForceController):
    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters)
        self.count = 0

    def step(self, force_ref_n: float, *rest: float) -> float:
        self.count += 1
        swing = 1.08 if self.count % 80 < 40 else 0.92
        return super().step(min(swing * force_ref_n, self.parameters.force_max_n), *rest)


class ForceOscillates(_Controlled, Emb):
    """Its force swings by 8 %, twelve times a second."""

    violates = ("BRK-005", "BRK-009")
    controller = _Swinging


class _Sluggish(ForceController):
    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters)
        self.last_n = 0.0

    def step(self, force_ref_n: float, *rest: float) -> float:
        self.last_n = max(force_ref_n, self.last_n - 40.0)
        return super().step(self.last_n, *rest)


class ReleaseSluggish(_Controlled, Emb):
    """Releases 40 kN/s: half a second from 20 kN."""

    violates = ("BRK-004",)
    controller = _Sluggish

    def __init__(self, name: str, database: Any) -> None:
        super().__init__(name, database)
        patient = MonitorParameters(fall_n_per_s=30_000.0)
        self.parameters = replace(self.parameters, monitor=patient)


class _Residual(ForceController):
    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters)
        self.braked = False

    def step(self, force_ref_n: float, *rest: float) -> float:
        self.braked = self.braked or force_ref_n > 2_000.0
        if force_ref_n <= self.parameters.release_below_n and self.braked:
            force_ref_n = 800.0
        return super().step(force_ref_n, *rest)


class ForceRemains(_Controlled, Emb):
    """Keeps 800 N after the first braking."""

    violates = ("BRK-003", "BRK-004")
    controller = _Residual


class _TestingForce(Application):
    __slots__ = ()

    def _outside_braking_n(
        self, state: EmbState, command: Any, supply_v: float, now_ns: int
    ) -> float:
        force_n = super()._outside_braking_n(state, command, supply_v, now_ns)
        if self.state is EmbState.SELF_TEST:
            self._gradient_step_n = 1_000.0
            return 3_000.0
        return force_n


class ForceInSelfTest(Operated, Emb):
    """Clamps with 3 kN during its self-test at power on."""

    violates = ("BRK-003", "COM-006", "PWR-001")

    def operate(self) -> None:
        self.application.__class__ = _TestingForce


class CurrentReversed(ThroughPort, Emb):
    """Drives its motor the wrong way round."""

    violates = ("BRK-005", "BRK-009")

    def drive(self, pin: str, value: float) -> None:
        super().drive(pin, -value if pin == "motor_current_a" else value)


class CurrentWeak(ThroughPort, Emb):
    """Gets no more than 2 A through its power stage."""

    violates = ("BRK-005", "BRK-009")

    def drive(self, pin: str, value: float) -> None:
        super().drive(pin, max(-2.0, min(2.0, value)) if pin == "motor_current_a" else value)


# -- sensors ---------------------------------------------------------------------------------------


class _Blind(Plausibility):
    __slots__ = ()

    def _watch_force(
        self, travel_m: float, speed_radps: float, force_n: float, current_a: float
    ) -> None:
        """Force and travel are not compared."""


class StuckForceUnseen(Operated, Emb):
    """Does not notice that its force sensor is stuck."""

    violates = ("SAF-005", "DIA-002")

    def operate(self) -> None:
        if self.plausibility is not None:
            self.plausibility.__class__ = _Blind


class _AnyRange(Application):
    __slots__ = ()

    def _judge_sensors(
        self, force_n: float, travel_m: float, supply_v: float, now_ns: int
    ) -> float:
        low_n, high_n, *_ = self._plausible
        if not low_n <= force_n <= high_n:
            return min(max(force_n, low_n), high_n)
        return super()._judge_sensors(force_n, travel_m, supply_v, now_ns)


class ForceRangeUnseen(Operated, Emb):
    """Believes a force sensor that is out of its range."""

    violates = ("SAF-005", "DIA-002")

    def operate(self) -> None:
        self.application.__class__ = _AnyRange
        if self.plausibility is not None:
            self.plausibility.__class__ = _Blind


class WheelRangeUnseen(Emb):
    """Calls a wheel speed valid that no wheel has."""

    violates = ("SAF-005", "DIA-002")

    def _pack_status_1(self, now_ns: int) -> bytes:
        codec = self.database.message(f"{self.name}_St1").codec
        return codec.overwrite_raw(super()._pack_status_1(now_ns), {f"{self.name}_WhlSpdQf": 3})


class _Unwatched(Plausibility):
    """Does not judge its motor at all."""

    __slots__ = ()

    def _watch_stall(
        self, travel_m: float, speed_radps: float, force_n: float, current_a: float
    ) -> None:
        """A jam is not seen."""

    def _watch_speed(self, speed_radps: float, current_a: float, supply_v: float) -> None:
        """A slow motor is not seen."""


class JamUnseen(Operated, Emb):
    """Does not notice that it is jammed."""

    violates = ("SAF-005", "DIA-002")

    def operate(self) -> None:
        if self.plausibility is not None:
            self.plausibility.__class__ = _Unwatched


class NotDerated(Operated, Emb):
    """Neither warns nor spares itself when its motor gets too hot."""

    violates = ("BRK-010",)

    def operate(self) -> None:
        if self.plausibility is not None:
            self.plausibility.__class__ = _NeverHot


class _NeverHot(Plausibility):
    __slots__ = ()

    def _derate(self, supply_v: float, temperature_c: float) -> None:
        """Nothing is too hot."""


class Level2Missing(Emb):
    """Does not watch whether its force is permitted."""

    violates = ("SAF-002",)

    def __init__(self, name: str, database: Any) -> None:
        super().__init__(name, database)
        self.without = frozenset({"monitor"})


# -- park lock -------------------------------------------------------------------------------------


class _LettingGo(Plausibility):
    __slots__ = ()

    def _watch_lock(self, now_ns: int) -> None:
        if self._locked_ns is None:
            self._locked_ns = now_ns
        elif now_ns - self._locked_ns == 200_000_000:
            self._port.write("park_lock_state", 0.0)


class ParkLockOpens(Operated, Emb):
    """Opens its park lock by itself 200 ms after it has closed it."""

    violates = ("BRK-008",)
    node = "EMB_RL"

    def operate(self) -> None:
        if self.plausibility is not None:
            self.plausibility.__class__ = _LettingGo


class _NoLock(Application):
    __slots__ = ()

    def happens(self, event: Any) -> None:
        super().happens(event)
        if self.state is EmbState.PARK_APPLIED:
            self._port.write("park_lock_state", 0.0)


class ParkLockForgotten(Operated, Emb):
    """Reports the park brake applied without closing its lock."""

    violates = ("BRK-008",)
    node = "EMB_RL"

    def operate(self) -> None:
        self.application.__class__ = _NoLock
        if self.plausibility is not None:
            self.plausibility.__class__ = _LettingGo


# -- external watchdog -----------------------------------------------------------------------------


class _Line:
    """A watchdog line that is served by somebody else."""

    def __init__(self, line: Any, service: Any) -> None:
        self._line = line
        self.service = service

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._line, name)


class _Late:
    """Serves 20 ms after the last time."""

    period_ns = 20_000_000

    def __init__(self) -> None:
        self.due_ns = -1

    def step(self, line: Any, now_ns: int, *, allowed: bool) -> None:
        if allowed and now_ns >= self.due_ns:
            self.due_ns = now_ns + self.period_ns
            self.answer(line, now_ns)

    def answer(self, line: Any, now_ns: int) -> None:
        line._line.service.step(line, now_ns, allowed=True)


class _Served(ThroughPort):
    service_of: type[Any] = _Late
    _service: Any = None

    def start(self, port: Any, now_ns: int) -> None:
        self._service = self.service_of()
        super().start(port, now_ns)

    @property
    def line(self) -> Any:
        line = super().line
        return None if line is None else _Line(line, self._service)


class WatchdogLate(_Served, Emb):
    """Serves its watchdog every 20 ms, too late for the window."""

    violates = ("WDG-003",)


class _Never(_Late):
    def answer(self, line: Any, now_ns: int) -> None:
        """Nothing."""


class WatchdogUnserved(_Served, Emb):
    """Never serves its watchdog."""

    violates = ("WDG-003",)
    service_of = _Never


class _Wrong(_Late):
    period_ns = 4_500_000

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def answer(self, line: Any, now_ns: int) -> None:
        self.count += 1
        if self.count > 100 and self.count % 3 == 0:
            line.answer(ANSWERS[line.question(now_ns)] ^ 0x01, now_ns)
        else:
            super().answer(line, now_ns)


class WatchdogAnsweredWrong(_Served, Emb):
    """After a while it answers every third question of its watchdog wrong."""

    violates = ("WDG-003",)
    service_of = _Wrong


class _Early(_Late):
    period_ns = 1

    def answer(self, line: Any, now_ns: int) -> None:
        line.answer(ANSWERS[line.question(now_ns)], now_ns)
        line.answer(ANSWERS[line.question(now_ns)], now_ns)


class WatchdogServedTwice(_Served, Emb):
    """Answers its watchdog twice in a row, the second time too early."""

    violates = ("WDG-003",)
    service_of = _Early


class EnableLineIgnored(Operated, Emb):
    """Goes on as if nothing were when its enable line has dropped."""

    violates = ("WDG-003",)

    def operate(self) -> None:
        self.application.__class__ = _Unimpressed


class _Unimpressed(Application):
    __slots__ = ()

    def lose_enable(self, now_ns: int) -> None:
        """Not noticed."""
