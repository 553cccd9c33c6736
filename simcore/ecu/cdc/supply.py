"""The two supplies as the power distribution module reports them (DEG-004).

The loss of a supply is a warning of its own, before and beside what it costs: the two actuators on
it say themselves that they are gone.
"""

from __future__ import annotations

from simcore.ecu.cdc.communication import SUPPLY_GONE, supply_reader
from simcore.ecu.cdc.parameters import CdcParameters
from simcore.ecu.cdc.trouble_codes import SUPPLY_LOST
from simcore.ecu.runtime import Reception
from simcore.ecu.runtime.trouble_codes import NO_TROUBLE_CODES, TroubleCodeReports
from simcore.ecu.seam import Port
from simcore.network import Database

NONE_LOST, A_LOST, B_LOST = range(3)
_NAMES = ("none", "A", "B")


class SupplyInput:
    """Which supply is lost, out of `PDM_Supply`."""

    __slots__ = ("_codes", "_data", "_p", "_port", "_read", "_reception", "lost")

    def __init__(
        self,
        port: Port,
        database: Database,
        reception: Reception,
        parameters: CdcParameters,
        codes: TroubleCodeReports = NO_TROUBLE_CODES,
    ) -> None:
        self._port = port
        self._codes = codes
        self._reception = reception
        self._read = supply_reader(database)
        self._p = parameters
        self._data: bytes | None = None
        self.lost = NONE_LOST
        """`A_LOST`, `B_LOST` or `NONE_LOST`; A where both are."""

    def update(self, now_ns: int) -> None:
        """Look at the last usable message; an old one stays true until another comes."""
        reception = self._reception
        if now_ns > reception.expected_ns:
            reception.monitor(now_ns)
        if reception.data is self._data or now_ns > reception.valid_until_ns:
            return
        self._data = reception.data
        a_v, b_v, a_state, b_state = self._read.read(reception.data)
        lost = NONE_LOST
        if self._gone(a_v, a_state):
            lost = A_LOST
        elif self._gone(b_v, b_state):
            lost = B_LOST
        if lost != self.lost:
            if lost:
                self._port.log("detection", f"supply {_NAMES[lost]} lost")
            else:
                self._port.log("note", "both supplies are back")
            for which in (A_LOST, B_LOST):
                self._codes.test(SUPPLY_LOST[which], lost == which, now_ns)
            self.lost = lost

    def _gone(self, voltage_v: float, state: int) -> bool:
        return state in SUPPLY_GONE or voltage_v < self._p.supply_min_v
