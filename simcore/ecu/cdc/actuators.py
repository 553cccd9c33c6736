"""Watching the four actuators: silent, failed, too weak, too strong.

An actuator is lost when its status is not usable (deadline or E2E, SAF-001), when it says so
itself, or when its force does not follow the command for longer than it physically needs. Lost is
final until the actuator reports in again without fault; a force fault until the next power cycle.
"""

from __future__ import annotations

from collections.abc import Sequence

from simcore.ecu.cdc.communication import (
    CORNERS,
    ECHO_REJECTED,
    EMB_FAULT_FAILED,
    QUALITY_INVALID,
    QUALITY_VALID,
    emb_status_reader,
)
from simcore.ecu.cdc.parameters import CdcParameters
from simcore.ecu.runtime import Reception
from simcore.ecu.seam import Port
from simcore.network import Database
from simcore.units import KMH_PER_MPS


class Actuator:
    """What the domain controller knows of one actuator."""

    __slots__ = (
        "_data",
        "_excess_since_ns",
        "_reader",
        "_weak_since_ns",
        "clamp_force_n",
        "direction",
        "force_fault",
        "lost",
        "reason",
        "reception",
        "wheel_speed_kmh",
        "wheel_valid",
        "_self_reported",
    )

    def __init__(self, database: Database, corner: str, reception: Reception) -> None:
        self.reception = reception
        self._reader = emb_status_reader(database, corner)
        self._data: bytes | None = None
        self._self_reported = False
        self._weak_since_ns: int | None = None
        self._excess_since_ns: int | None = None
        self.clamp_force_n = 0.0
        self.wheel_speed_kmh = 0.0
        self.wheel_valid = False
        self.direction = 0
        self.force_fault = False
        self.lost = False
        self.reason = ""

    def update(self, now_ns: int, *, starting: bool) -> None:
        """Take the last usable status and judge presence."""
        reception = self.reception
        if now_ns > reception.expected_ns:
            reception.monitor(now_ns)
        if not reception.usable(now_ns):
            self.wheel_valid = False
            if not starting:
                self._lose("silent")
            return
        data = reception.data
        if data is not self._data:
            self._data = data
            force_n, force_quality, fault, speed_kmh, speed_quality, echo, self.direction = (
                self._reader.read(data)
            )
            self.clamp_force_n = force_n
            self.wheel_speed_kmh = speed_kmh
            self.wheel_valid = speed_quality == QUALITY_VALID
            self._self_reported = fault == EMB_FAULT_FAILED or (
                not starting and (force_quality == QUALITY_INVALID or echo == ECHO_REJECTED)
            )
        if self._self_reported and not starting:
            self._lose("reports itself failed")
        elif self.force_fault:
            self._lose(self.reason or "force does not follow")
        elif not self._self_reported:
            self.lost = False
            self.reason = ""

    def watch_force(self, command_n: float, now_ns: int, p: CdcParameters) -> None:
        """Compare command and delivered force over time."""
        force_n = self.clamp_force_n
        if command_n > p.weak_above_n and force_n < p.weak_share_ratio * command_n:
            if self._weak_since_ns is None:
                self._weak_since_ns = now_ns
            elif now_ns - self._weak_since_ns > p.weak_for_ns and not self.lost:
                self.force_fault = True
                self._lose("force far below command")
        else:
            self._weak_since_ns = None
        if force_n > command_n + p.excess_n:
            if self._excess_since_ns is None:
                self._excess_since_ns = now_ns
            elif now_ns - self._excess_since_ns > p.excess_for_ns and not self.lost:
                self.force_fault = True
                self._lose("force far above command")
        else:
            self._excess_since_ns = None

    def _lose(self, reason: str) -> None:
        if not self.lost:
            self.lost = True
            self.reason = reason


class Actuators:
    """All four, in the order FL FR RL RR."""

    __slots__ = ("_lost", "_port", "corners", "lost_since_ns")

    def __init__(self, database: Database, port: Port, receptions: Sequence[Reception]) -> None:
        self._port = port
        self.corners = tuple(
            Actuator(database, corner, reception)
            for corner, reception in zip(CORNERS, receptions, strict=True)
        )
        self._lost = (False, False, False, False)
        self.lost_since_ns: int | None = None
        """When an actuator was last lost, `None` with all four present."""

    @property
    def lost(self) -> tuple[bool, bool, bool, bool]:
        """Which actuators may not be counted on."""
        return self._lost

    def update(self, now_ns: int, *, starting: bool) -> None:
        """Judge all four and log every change."""
        a, b, c, d = self.corners
        for actuator in self.corners:
            actuator.update(now_ns, starting=starting)
        lost = (a.lost, b.lost, c.lost, d.lost)
        if lost != self._lost:
            self._report(lost, now_ns)

    def watch_forces(
        self, command_n: Sequence[float], now_ns: int, parameters: CdcParameters
    ) -> None:
        """Compare last commands with delivered forces."""
        for actuator, force_n in zip(self.corners, command_n, strict=True):
            actuator.watch_force(force_n, now_ns, parameters)

    def wheel_speeds_mps(self) -> list[float]:
        """Circumferential speed per wheel, magnitudes."""
        return [actuator.wheel_speed_kmh / KMH_PER_MPS for actuator in self.corners]

    def _report(self, lost: tuple[bool, bool, bool, bool], now_ns: int) -> None:
        for corner, actuator, was in zip(CORNERS, self.corners, self._lost, strict=True):
            if actuator.lost and not was:
                self._port.log("detection", f"EMB_{corner} lost: {actuator.reason}")
                self.lost_since_ns = now_ns
            elif was and not actuator.lost:
                self._port.log("detection", f"EMB_{corner} back")
        self._lost = lost
        if not any(lost):
            self.lost_since_ns = None
