"""Broken domain controllers: what they send, and when."""

from __future__ import annotations

from collections.abc import Mapping

from simcore.bus import Frame
from simcore.ecu.cdc import Cdc
from simcore.units import NS_PER_MS
from tests.mutants.actuators_protecting import (
    _ByTwo,
    _OtherId,
    _Sealed,
    _Stuck,
    _WithoutCounter,
)
from tests.mutants.altering import Retimed, ThroughPort
from tests.mutants.controllers import _Overruled


class UnalteredCdc(ThroughPort, Cdc):
    """No defect: what all the others have alike."""

    violates = ()


class CommandCycleLong(Retimed, Cdc):
    """Sends its commands every 6 ms instead of 5."""

    violates = ("COM-001", "COM-005")
    parts = ("CDC_EmbCmd",)

    def gap_ns(self, count: int, cycle_ns: int) -> int:
        return cycle_ns * 6 // 5


class CommandJitters(Retimed, Cdc):
    """Sends its commands 1 ms early and 1 ms late by turns."""

    violates = ("COM-001", "COM-005")
    parts = ("CDC_EmbCmd",)

    def gap_ns(self, count: int, cycle_ns: int) -> int:
        return cycle_ns + (NS_PER_MS if count % 2 else -NS_PER_MS)


class WheelSpeedsDoubled(Retimed, Cdc):
    """Sends the wheel speeds half as often as agreed."""

    violates = ("COM-001", "COM-005")
    parts = ("CDC_WhlSpd",)

    def gap_ns(self, count: int, cycle_ns: int) -> int:
        return 2 * cycle_ns


class DynamicsMissing(Retimed, Cdc):
    """Never sends the vehicle's speed."""

    violates = ("COM-001", "COM-006")
    parts = ("CDC_VehDyn",)
    first_ns = 1 << 60


class StatusCycleShort(Retimed, Cdc):
    """Sends its brake status twice as often as agreed."""

    violates = ("COM-001", "COM-005")
    parts = ("CDC_BrkSt",)

    def gap_ns(self, count: int, cycle_ns: int) -> int:
        return cycle_ns // 2


class MessageForTheDriverLate(Retimed, Cdc):
    """Sends what the driver is shown 20 % too slowly."""

    violates = ("COM-001", "COM-005")
    parts = ("CDC_Hmi", "CDC_Epb")

    def gap_ns(self, count: int, cycle_ns: int) -> int:
        return cycle_ns * 6 // 5


class CommandChecksumWrong(_Sealed, Cdc):
    """Computes the checksum of its commands before the counter is put in."""

    violates = ("COM-008",)
    part = "CDC_EmbCmd"
    sealer_of = _WithoutCounter


class StatusDataIdWrong(_Sealed, Cdc):
    """Protects its brake status with another data id."""

    violates = ("COM-008",)
    part = "CDC_BrkSt"
    sealer_of = _OtherId


class WheelSpeedCounterStuck(_Sealed, Cdc):
    """Stops counting the frames with wheel speeds at 100."""

    violates = ("COM-008",)
    part = "CDC_WhlSpd"
    sealer_of = _Stuck


class DynamicsCounterByTwo(_Sealed, Cdc):
    """Counts the frames with the vehicle's speed by two."""

    violates = ("COM-008",)
    part = "CDC_VehDyn"
    sealer_of = _ByTwo


class ParkBrakeChecksumWrong(_Sealed, Cdc):
    """Computes the checksum of the park brake's frame before the counter is put in."""

    violates = ("COM-008",)
    part = "CDC_Epb"
    sealer_of = _WithoutCounter


class CommandOnOneBus(ThroughPort, Cdc):
    """Sends its commands on the first bus only."""

    violates = ("COM-008", "DEG-003", "COM-001")

    def let_out(self, frame: Frame, channel: str | None) -> None:
        first = self.bare.channels[0]
        super().let_out(frame, first if self.carries(frame, "CDC_EmbCmd") else channel)


class SpeedWrongScale(_Overruled, Cdc):
    """Tells the vehicle's speed in m/s where km/h were agreed."""

    violates = ("BRK-011",)
    part = "CDC_VehDyn"

    def raws(self, data: bytes) -> Mapping[str, int]:
        return {"CDC_VehSpd": int(self.raw(data, "CDC_VehSpd") / 3.6)}


class ReservedSource(_Overruled, Cdc):
    """Names a source of the request that the database reserves."""

    violates = ("COM-007",)
    part = "CDC_BrkSt"

    def raws(self, data: bytes) -> Mapping[str, int]:
        return {"CDC_ReqSrc": 13} if self.raw(data, "CDC_ReqSrc") == 0 else {}


class WheelSpeedsMirrored(_Overruled, Cdc):
    """Tells the wheel speeds of the left wheels for the right ones and the other way round."""

    violates = ("BRK-011",)
    part = "CDC_WhlSpd"

    def raws(self, data: bytes) -> Mapping[str, int]:
        found = {}
        for a, b in (("FL", "FR"), ("FR", "FL"), ("RL", "RR"), ("RR", "RL")):
            found[f"CDC_WhlSpd{a}"] = self.raw(data, f"CDC_WhlSpd{b}")
        return found
