"""The parking brake: the driver's switch, and the park locks of the rear actuators (BRK-008).

The switch latches: up is applied, down is released. At standstill the rear actuators are told to
clamp and lock, and go on being told; what they report decides whether the car counts as parked. On
the way it is not braked with: a switch pulled at speed is logged and waits for standstill. Cars
that wake up parked with the switch down are released. Fronts have no lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum, unique

from simcore.ecu.cdc.communication import MODE_PARK_APPLY, MODE_PARK_RELEASE, emb_state_reader
from simcore.ecu.cdc.trouble_codes import PARK_NOT_APPLIED, PARK_NOT_RELEASED
from simcore.ecu.runtime import Reception
from simcore.ecu.runtime.trouble_codes import NO_TROUBLE_CODES, TroubleCodeReports
from simcore.ecu.seam import Port
from simcore.network import Database
from simcore.units import NS_PER_S

PARK_SWITCH = "park_switch_state"
"""Input pin, 1 while the switch is up."""
_APPLYING, _APPLIED, _RELEASING = 4, 5, 6
"""`EMB_xx_State`."""
_SLOW_NS = 3 * NS_PER_S
"""Later than this the locks should have done what they were told."""


@unique
class LockState(IntEnum):
    """`EPB_StateL` and `EPB_StateR`."""

    UNKNOWN = 0
    RELEASED = 1
    APPLIED = 2
    RELEASING = 3
    APPLYING = 4
    FAULT = 7


_LOCK_OF = {
    _APPLYING: LockState.APPLYING,
    _APPLIED: LockState.APPLIED,
    _RELEASING: LockState.RELEASING,
}


class ParkBrake:
    """Called every control period while there is anything to do."""

    __slots__ = ("_codes", "_port", "_readers", "_rear", "_since_ns", "_said", "locks", "mode")

    def __init__(
        self,
        port: Port,
        database: Database,
        rear: Sequence[Reception],
        codes: TroubleCodeReports = NO_TROUBLE_CODES,
    ) -> None:
        self._port = port
        self._codes = codes
        self._rear = tuple(rear)
        self._readers = tuple(emb_state_reader(database, corner) for corner in ("RL", "RR"))
        self._since_ns = 0
        self._said = False
        self.mode = 0
        """What the rear actuators are told, as `CDC_xx_Mode`; 0 for nothing."""
        self.locks = (LockState.UNKNOWN, LockState.UNKNOWN)
        """Left and right, as reported."""

    @property
    def switch_up(self) -> bool:
        """Whether the driver wants the car parked."""
        return self._port.inputs.get(PARK_SWITCH, 0.0) > 0.0

    @property
    def applied(self) -> bool:
        """Whether both locks are reported to be closed."""
        left, right = self.locks
        return left is LockState.APPLIED and right is LockState.APPLIED

    def step(self, now_ns: int, *, standstill: bool, starting: bool) -> None:
        """One control period."""
        up = self.switch_up
        if not up and not self.mode and not starting:
            return
        self._read(now_ns)
        if up:
            if self.mode != MODE_PARK_APPLY:
                self._apply(now_ns, standstill=standstill)
            elif not self.applied:
                self._complain(now_ns, "not applied", PARK_NOT_APPLIED)
            else:
                self._since_ns = now_ns
                self._said = False
                self._codes.passed(PARK_NOT_APPLIED, now_ns)
        elif any(lock in _LOCK_OF.values() for lock in self.locks):
            if self.mode != MODE_PARK_RELEASE:
                self._tell(MODE_PARK_RELEASE, "released", now_ns)
            else:
                self._complain(now_ns, "not released", PARK_NOT_RELEASED)
        elif self.mode:
            self.mode = 0
            self._codes.passed(PARK_NOT_RELEASED, now_ns)

    def _apply(self, now_ns: int, *, standstill: bool) -> None:
        if standstill:
            self._tell(MODE_PARK_APPLY, "applied", now_ns)
        elif not self._said:
            self._said = True
            self._port.log("note", "parking brake waits for standstill")

    def _tell(self, mode: int, what: str, now_ns: int) -> None:
        self.mode = mode
        self._since_ns = now_ns
        self._said = False
        self._port.log("state", f"parking brake is being {what}")

    def _complain(self, now_ns: int, what: str, code: str) -> None:
        if not self._said and now_ns - self._since_ns > _SLOW_NS:
            self._said = True
            names = "/".join(lock.name for lock in self.locks)
            self._port.log("detection", f"parking brake {what} after 3 s: {names}")
            self._codes.failed(code, now_ns)

    def _read(self, now_ns: int) -> None:
        left, right = (
            _lock_state(int(reader.read(reception.data)[0]))
            if now_ns <= reception.valid_until_ns
            else LockState.UNKNOWN
            for reader, reception in zip(self._readers, self._rear, strict=True)
        )
        self.locks = (left, right)


def _lock_state(state: int) -> LockState:
    return _LOCK_OF.get(state, LockState.RELEASED)
