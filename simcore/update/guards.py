"""Guards of an update as decision tables: what must hold, and the answer where it does not.

The install guard covers writing the second slot in the background; the activation guard covers the
moment after which another software runs (OTA-003, UN R156 7.2.2.1). First row that does not hold
decides; every row names the negative response code of ISO 14229-1 that a tester is answered with.
Where the conditions come from is the ECU's matter (`ConditionsSource`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

from simcore.diag.codes import Nrc
from simcore.units import NS_PER_S

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What the ECU knows about vehicle and itself at one instant. The default is unfit."""

    speed_1_mps: float = 0.0
    speed_1_valid: bool = False
    speed_2_mps: float = 0.0
    speed_2_valid: bool = False
    """From a source that shares nothing with the first."""
    standstill_ns: int = 0
    """For how long both sources have said 0 without a break (`Standstill`)."""
    parked_commanded: bool = False
    parked_confirmed: bool = False
    """By the actuator that holds the vehicle."""
    abs_active: bool = False
    esc_active: bool = False
    epb_active: bool = False
    """The parking brake intervenes dynamically."""
    epb_moving: bool = False
    ignition_allowed: bool = False
    supply_v: float = 0.0
    supply_margin_ns: int = 0
    """How long the supply lasts, as estimated from its state of charge."""
    temperature_c: float = 25.0
    consent: bool = False
    dependents_ready: bool = False
    """Every other ECU of the bundle has its image ready."""
    safety_dtc: bool = True
    """A safety-relevant fault is active."""
    erase_cycles_left: int = 0
    """Of the most worn sector."""
    audit_room: bool = True
    """The audit log takes further entries."""
    other_programming: bool = False
    """Another programming session is active in the vehicle."""


def fit_conditions(**changes: Any) -> Conditions:
    """Conditions that hold every guard, with `changes`: a parked vehicle, consent given."""
    fit: dict[str, Any] = {
        "speed_1_valid": True,
        "speed_2_valid": True,
        "standstill_ns": 3600 * NS_PER_S,
        "parked_commanded": True,
        "parked_confirmed": True,
        "ignition_allowed": True,
        "supply_v": 12.6,
        "supply_margin_ns": 3600 * NS_PER_S,
        "consent": True,
        "dependents_ready": True,
        "safety_dtc": False,
        "erase_cycles_left": 1_000,
    }
    return Conditions(**{**fit, **changes})


class ConditionsSource(Protocol):
    """Where the client gets the conditions of now."""

    def conditions(self, now_ns: int) -> Conditions:
        """The conditions at `now_ns`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSettings:
    """Limits of the guards."""

    standstill_ns: int = 2 * NS_PER_S
    supply_min_v: float = 11.5
    supply_max_v: float = 15.5
    margin_ns: int = 120 * NS_PER_S
    """What activation, trial and a rollback take at most, with reserve."""
    temperature_min_c: float = -20.0
    temperature_max_c: float = 85.0
    erase_cycles_min: int = 20

    def __copy__(self: _T) -> _T:
        return self

    def __deepcopy__(self: _T, memo: dict[int, Any]) -> _T:
        return self


class Row(NamedTuple):
    """One row of a guard: if `holds` says no, the command is refused with `nrc`."""

    name: str
    reason: str
    nrc: Nrc


class Refused(NamedTuple):
    """The command was not accepted: the answer of the service, and why."""

    nrc: Nrc
    reason: str
    row: str = ""
    """Name of the guard's row; empty where no guard decided."""


_R = Row
_NOT_CORRECT = Nrc.CONDITIONS_NOT_CORRECT
_TOO_FAST = Nrc.VEHICLE_SPEED_TOO_HIGH
_NOT_IN_PARK = Nrc.SHIFTER_LEVER_NOT_IN_PARK

_SUPPLY = (
    _R("supply_low", "supply is below its window", Nrc.VOLTAGE_TOO_LOW),
    _R("supply_high", "supply is above its window", Nrc.VOLTAGE_TOO_HIGH),
)

BACKGROUND_GUARD: tuple[Row, ...] = (
    *_SUPPLY,
    _R("temperature", "temperature is outside the range of the flash", _NOT_CORRECT),
    _R("other_programming", "another programming session is active", _NOT_CORRECT),
)
"""Lost while downloading or waiting: suspended until it is back."""

INSTALL_GUARD: tuple[Row, ...] = (
    *BACKGROUND_GUARD,
    _R("endurance", "the flash has too few erase cycles left", _NOT_CORRECT),
    _R("audit_room", "the audit log is full", _NOT_CORRECT),
)

ACTIVATION_GUARD: tuple[Row, ...] = (
    _R("speed_sources", "fewer than two valid speed sources", _NOT_CORRECT),
    _R("speed", "the vehicle moves", _TOO_FAST),
    _R("standstill", "the vehicle has not stood still for long enough", _TOO_FAST),
    _R("park_commanded", "park is not selected", _NOT_IN_PARK),
    _R("park_confirmed", "the actuator does not confirm park", _NOT_IN_PARK),
    _R("intervention", "ABS, ESC or parking brake intervenes", _NOT_CORRECT),
    _R("epb_moving", "the parking brake moves", _NOT_CORRECT),
    _R("ignition", "the drive is not off", Nrc.ENGINE_IS_RUNNING),
    *_SUPPLY,
    _R("supply_margin", "the supply does not last for the update", Nrc.VOLTAGE_TOO_LOW),
    _R("temperature", "temperature is outside the range of the flash", _NOT_CORRECT),
    _R("other_programming", "another programming session is active", _NOT_CORRECT),
    _R("endurance", "the flash has too few erase cycles left", _NOT_CORRECT),
    _R("audit_room", "the audit log is full", _NOT_CORRECT),
    _R("safety_dtc", "a safety-relevant fault is active", _NOT_CORRECT),
    _R("consent", "the driver has not consented", _NOT_CORRECT),
    _R("dependents", "an ECU of the bundle is not ready", _NOT_CORRECT),
)


def holding_rows(conditions: Conditions, settings: GuardSettings) -> dict[str, bool]:
    """For each row of the guards, whether it holds."""
    c, s = conditions, settings
    return {
        "speed_sources": c.speed_1_valid and c.speed_2_valid,
        "speed": c.speed_1_mps == 0.0 and c.speed_2_mps == 0.0,
        "standstill": c.standstill_ns >= s.standstill_ns,
        "park_commanded": c.parked_commanded,
        "park_confirmed": c.parked_confirmed,
        "intervention": not (c.abs_active or c.esc_active or c.epb_active),
        "epb_moving": not c.epb_moving,
        "ignition": c.ignition_allowed,
        "supply_low": c.supply_v >= s.supply_min_v,
        "supply_high": c.supply_v <= s.supply_max_v,
        "supply_margin": c.supply_margin_ns >= s.margin_ns,
        "temperature": s.temperature_min_c <= c.temperature_c <= s.temperature_max_c,
        "other_programming": not c.other_programming,
        "endurance": c.erase_cycles_left >= s.erase_cycles_min,
        "audit_room": c.audit_room,
        "safety_dtc": not c.safety_dtc,
        "consent": c.consent,
        "dependents": c.dependents_ready,
    }


def refusal(
    guard: tuple[Row, ...], conditions: Conditions, settings: GuardSettings
) -> Refused | None:
    """The first row of `guard` that does not hold; None where all do."""
    holds = holding_rows(conditions, settings)
    for row in guard:
        if not holds[row.name]:
            return Refused(row.nrc, row.reason, row.name)
    return None


class Standstill:
    """For how long two speed sources have said 0 without a break."""

    __slots__ = ("_since_ns",)

    def __init__(self) -> None:
        self._since_ns: int | None = None

    def update(
        self,
        speed_1_mps: float,
        speed_1_valid: bool,
        speed_2_mps: float,
        speed_2_valid: bool,
        now_ns: int,
    ) -> int:
        """Take a pair of readings; how long the standstill has lasted now."""
        if speed_1_valid and speed_2_valid and speed_1_mps == 0.0 and speed_2_mps == 0.0:
            if self._since_ns is None:
                self._since_ns = now_ns
            return now_ns - self._since_ns
        self._since_ns = None
        return 0
