"""Broken domain controllers: what they do with the vehicle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from simcore.ecu.cdc import Cdc
from simcore.ecu.cdc.actuators import Actuator, Actuators
from simcore.ecu.cdc.application import Application
from simcore.ecu.cdc.arbitration import AssistanceInput
from simcore.ecu.cdc.hold import StandstillHold
from simcore.ecu.cdc.joining import Joining
from simcore.ecu.cdc.pedal import PedalInput
from simcore.ecu.cdc.slip_control import SlipController
from simcore.ecu.cdc.states import RequestSource
from simcore.ecu.cdc.supply import SupplyInput
from simcore.ecu.runtime.unchecked import AlwaysValid, LengthOnly
from simcore.units import NS_PER_MS
from tests.mutants.altering import NEVER_NS, HalfSeen, Hearing, Operated, Sending

CORNERS = ("FL", "FR", "RL", "RR")


class _Overruled(Sending):
    """Physical values of a message are overruled; the checksum is right."""

    part: ClassVar[str] = "CDC_EmbCmd"

    def packed(self, data: bytes, now_ns: int) -> bytes:
        codec = self.database.message(self.part).codec
        return codec.overwrite_raw(data, self.raws(data))

    def raws(self, data: bytes) -> Mapping[str, int]:
        return {}

    def raw(self, data: bytes, signal: str) -> int:
        return self.database.message(self.part).codec.raw_reader(signal).read(data)[0]


class _EvenApplication(Application):
    __slots__ = ()

    def _demand_n(self, now_ns: int) -> Sequence[float]:
        fl, fr, rl, rr = super()._demand_n(now_ns)
        left_n, right_n = 0.5 * (fl + rl), 0.5 * (fr + rr)
        return [left_n, right_n, min(left_n, 27_000.0), min(right_n, 27_000.0)]


class WrongDistribution(Operated, Cdc):
    """Brakes front and rear alike, whatever the deceleration."""

    violates = ("BRK-001",)

    def operate(self) -> None:
        self.application.__class__ = _EvenApplication


class AxlesSwapped(_Overruled, Cdc):
    """Sends the commands of the front wheels to the rear and the other way round."""

    violates = ("BRK-001",)

    def raws(self, data: bytes) -> Mapping[str, int]:
        pairs = (("FL", "RL"), ("FR", "RR"), ("RL", "FL"), ("RR", "FR"))
        return {f"CDC_{a}_FReq": self.raw(data, f"CDC_{b}_FReq") for a, b in pairs}


class SidesSwappedCdc(_Overruled, Cdc):
    """Sends the commands of the left wheels to the right and the other way round."""

    violates = ("BRK-001", "BRK-007", "DEG-001", "SAF-001", "BRK-002")

    def raws(self, data: bytes) -> Mapping[str, int]:
        found = {}
        for a, b in (("FL", "FR"), ("FR", "FL"), ("RL", "RR"), ("RR", "RL")):
            for part in ("FReq", "Mode", "AbsActv"):
                found[f"CDC_{a}_{part}"] = self.raw(data, f"CDC_{b}_{part}")
        return found


class NoRedistribution(Operated, Cdc):
    """Leaves the share of a lost brake undone."""

    violates = ("SAF-001", "DEG-001")

    def operate(self) -> None:
        self.application._redistributes = False


class _LateActuator(Actuator):
    __slots__ = ()

    def update(self, now_ns: int, *, starting: bool) -> None:
        super().update(now_ns, starting=starting)
        heard_ns = self.reception.updated_ns
        if self.reason == "silent" and heard_ns is not None and now_ns - heard_ns < 300 * NS_PER_MS:
            self.lost = False
            self.reason = ""


class RedistributesLate(Operated, Cdc):
    """Notices a silent brake after 300 ms."""

    violates = ("SAF-001",)

    def operate(self) -> None:
        for actuator in self.application.actuators.corners:
            actuator.__class__ = _LateActuator


class _TrustingActuator(Actuator):
    __slots__ = ()

    def lose(self, reason: str) -> None:
        """Never."""


class ActuatorStatusIgnored(Operated, Cdc):
    """Counts on every brake, whatever that one says or does not say."""

    violates = ("SAF-001", "DEG-001")

    def operate(self) -> None:
        for actuator in self.application.actuators.corners:
            actuator.__class__ = _TrustingActuator


class _SelfReportIgnored(Actuator):
    __slots__ = ()

    def _judge(self, *, starting: bool) -> None:
        self._self_reported = ""
        super()._judge(starting=starting)


class SelfReportIgnored(Operated, Cdc):
    """Counts on a brake that reports itself failed."""

    violates = ("SAF-001", "DEG-001")

    def operate(self) -> None:
        for actuator in self.application.actuators.corners:
            actuator.__class__ = _SelfReportIgnored


class _Unmeasured(Actuators):
    __slots__ = ()

    def watch_forces(self, command_n: Any, now_ns: int, parameters: Any) -> None:
        """Commands and forces are not compared."""


class ForceUnwatched(Operated, Cdc):
    """Does not compare the forces of the brakes with their commands."""

    violates = ("DEG-001", "SAF-002")

    def operate(self) -> None:
        self.application.actuators.__class__ = _Unmeasured


class LampMissing(_Overruled, Cdc):
    """Never switches the red lamp on."""

    violates = ("DEG-001", "DEG-004")
    part = "CDC_BrkSt"

    def raws(self, data: bytes) -> Mapping[str, int]:
        return {"CDC_LampRed": 0}


class LampStuckOn(_Overruled, Cdc):
    """Has the red lamp on with all brakes healthy."""

    violates = ("DEG-001", "DEG-004")
    part = "CDC_BrkSt"

    def raws(self, data: bytes) -> Mapping[str, int]:
        return {"CDC_LampRed": 1}


class StopLampMissing(_Overruled, Cdc):
    """Never switches the stop lamps on."""

    violates = ("BRK-002",)
    part = "CDC_BrkSt"

    def raws(self, data: bytes) -> Mapping[str, int]:
        return {"CDC_StopLamp": 0}


class PedalFaultsIgnored(Operated, Cdc):
    """Takes the mean of both pedal channels, however far they are apart."""

    violates = ("SAF-003",)

    def operate(self) -> None:
        self.application.pedal._checked = False


class _FirstChannel(PedalInput):
    __slots__ = ()

    def _judge(self, sample: tuple[Any, ...], now_ns: int) -> None:
        self._sample = sample
        self.available = True
        self._travel_mm = float(sample[0])
        self.vote.selection = type(self.vote.selection)(1)


class PedalSecondChannelUnused(Operated, Cdc):
    """Reads the first pedal channel alone, valid or not."""

    violates = ("SAF-003",)

    def operate(self) -> None:
        self.application.pedal.__class__ = _FirstChannel


class _NoSlip(SlipController):
    def step(self, demand_n: Any, *rest: Any) -> list[float]:
        super().step(demand_n, *rest)
        self.active = [False] * 4 if isinstance(self.active, list) else (False,) * 4
        return list(demand_n)


class NoSlipControl(Operated, Cdc):
    """Lets wheels lock."""

    violates = ("BRK-006", "BRK-007")

    def operate(self) -> None:
        self.application.slip = _NoSlip()


class CommandsLate(Sending, Cdc):
    """Sends every command 100 ms after it was decided."""

    violates = ("BRK-002", "BRK-004", "SAF-001")
    part = "CDC_EmbCmd"
    late_ns = 100 * NS_PER_MS

    def packed(self, data: bytes, now_ns: int) -> bytes:
        queue = self.__dict__.setdefault("_queue", [])
        queue.append(data)
        return queue.pop(0) if len(queue) > self.late_ns // (5 * NS_PER_MS) else queue[0]


class ForceAfterRelease(_Overruled, Cdc):
    """Keeps asking the front brakes for 1 kN once the driver has braked."""

    violates = ("BRK-003", "BRK-004")

    _braked = False

    def raws(self, data: bytes) -> Mapping[str, int]:
        force_n = self.raw(data, "CDC_FL_FReq")
        self._braked = self._braked or force_n > 3_000
        if not self._braked or force_n > 1_000:
            return {}
        found = {}
        for corner in ("FL", "FR"):
            found[f"CDC_{corner}_FReq"] = 1_000
            found[f"CDC_{corner}_Mode"] = 2
        return found


class ForceUnasked(_Overruled, Cdc):
    """Asks all brakes for 700 N all the time."""

    violates = ("BRK-003",)

    def raws(self, data: bytes) -> Mapping[str, int]:
        found = {}
        for corner in CORNERS:
            if self.raw(data, f"CDC_{corner}_FReq") < 700:
                found[f"CDC_{corner}_FReq"] = 700
                found[f"CDC_{corner}_Mode"] = 2
        return found


class _NoAssistance(AssistanceInput):
    __slots__ = ()

    def _take(self, data: bytes) -> None:
        """Nobody asks."""


class AssistanceIgnored(Operated, Cdc):
    """Does not hear the driver assistance."""

    violates = ("BRK-002",)

    def operate(self) -> None:
        self.application.assistance.__class__ = _NoAssistance


class _Bossy(Application):
    __slots__ = ()

    def _arbitrate(self, driver_mps2: float, hold_mps2: float) -> None:
        super()._arbitrate(driver_mps2, hold_mps2)
        assistance = self.assistance
        asked_mps2 = max(assistance.emergency_mps2, assistance.cruise_mps2)
        if asked_mps2 > 0.0:
            self.decel_mps2, self.source = asked_mps2, RequestSource.ACC


class AssistanceOverrulesDriver(Operated, Cdc):
    """Brakes as the driver assistance asks, though the driver asks for more."""

    violates = ("BRK-002",)

    def operate(self) -> None:
        self.application.__class__ = _Bossy


class _Unchecked(Hearing):
    def doctor(self, reception: Any) -> None:
        reception._checker = LengthOnly(reception.message.length)
        reception._machine = AlwaysValid()


class PedalUncheckedCdc(_Unchecked, Cdc):
    """Does not check the protection of the pedal."""

    violates = ("COM-002", "COM-003")
    heard = ("BPS_Pedal",)


class AssistanceUnchecked(_Unchecked, Cdc):
    """Does not check the protection of the driver assistance."""

    violates = ("COM-002", "COM-003")
    heard = ("ADAS_LongReq",)


class StatusUnchecked(_Unchecked, Cdc):
    """Does not check the protection of what the brakes tell."""

    violates = ("COM-002", "COM-003")
    heard = ("EMB_FL_St1", "EMB_FR_St1", "EMB_RL_St1", "EMB_RR_St1")


class PedalHalfChecked(Hearing, Cdc):
    """Compares one byte of the pedal's checksum, of two."""

    violates = ("COM-002", "SAF-003")
    heard = ("BPS_Pedal",)

    def doctor(self, reception: Any) -> None:
        reception._checker = HalfSeen(reception._checker, reception.message)


class TimeoutsMissing(Hearing, Cdc):
    """Never notices that pedal or driver assistance have fallen silent."""

    violates = ("COM-003",)
    heard = ("BPS_Pedal", "ADAS_LongReq")

    def doctor(self, reception: Any) -> None:
        reception._cycle_ns = None
        reception._lifetime_ns = NEVER_NS


class AssistanceTimeoutMissing(TimeoutsMissing):
    """Never notices that the driver assistance has fallen silent."""

    violates = ("COM-003",)
    heard = ("ADAS_LongReq",)


class _ZeroActuator(Actuator):
    __slots__ = ()

    def update(self, now_ns: int, *, starting: bool) -> None:
        super().update(now_ns, starting=starting)
        if not self.wheel_valid:
            self.wheel_speed_kmh = 0.0
            self.wheel_valid = True


class UnknownSpeedIsZero(Operated, Cdc):
    """Takes a wheel whose speed is not valid for one that stands still."""

    violates = ("BRK-006", "BRK-011")

    def operate(self) -> None:
        for actuator in self.application.actuators.corners:
            actuator.__class__ = _ZeroActuator


class _Rash(Joining):
    __slots__ = ()

    def step(self, application: Any, now_ns: int) -> None:
        self.done = True
        application.may_command = True


class JoinsWithStep(Cdc):
    """Begins from nothing when it is switched on while the secondary brakes."""

    violates = ("DEG-002", "COM-004", "PWR-001", "BRK-006")

    def _join(self, now_ns: int) -> Joining:
        joining = super()._join(now_ns)
        joining.__class__ = _Rash
        return joining


class _NoHold(StandstillHold):
    __slots__ = ()

    def step(self, now_ns: int, **more: Any) -> float:
        self.watch_wheels(now_ns, more["wheel_speed_mps"], more["wheel_valid"])
        return 0.0


class HoldMissing(Operated, Cdc):
    """Does not hold the vehicle at standstill."""

    violates = ("BRK-008",)

    def operate(self) -> None:
        self.application.hold.__class__ = _NoHold


class RequestsInvalid(_Overruled, Cdc):
    """Marks the requests for the rear brakes as not valid."""

    violates = ("BRK-001", "BRK-002")

    def raws(self, data: bytes) -> Mapping[str, int]:
        return {"CDC_RL_ReqVld": 0, "CDC_RR_ReqVld": 0}


class PedalHalved(Operated, Cdc):
    """Takes the pedal for half of what it is."""

    violates = ("BRK-002",)

    def operate(self) -> None:
        self.application.pedal.__class__ = _HalfPedal


class _HalfPedal(PedalInput):
    __slots__ = ()

    def decel_mps2(self, now_ns: int, *, starting: bool) -> float:
        return 0.5 * super().decel_mps2(now_ns, starting=starting)


class SupplyUnwatched(Operated, Cdc):
    """Does not notice the loss of a supply."""

    violates = ("DEG-004",)

    def operate(self) -> None:
        self.application.supply.__class__ = _AnySupply


class _AnySupply(SupplyInput):
    __slots__ = ()

    def update(self, now_ns: int) -> None:
        """All is well."""
