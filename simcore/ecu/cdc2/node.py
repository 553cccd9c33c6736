"""The secondary domain controller as a node: what it receives, runs and sends."""

from __future__ import annotations

from simcore.ecu.cdc.command import command_values
from simcore.ecu.cdc2.application import Application
from simcore.ecu.cdc2.communication import (
    CORNERS,
    SOURCE_SECONDARY,
    command_writer,
    standby_payload,
)
from simcore.ecu.cdc2.parameters import Cdc2Parameters
from simcore.ecu.runtime import Ecu
from simcore.network import Database
from simcore.units import NS_PER_MS

CONTROL_PERIOD_NS = 5 * NS_PER_MS
CONTROL_OFFSET_NS = 4 * NS_PER_MS
"""Right before its own command goes out, so that a loss is answered with the very next one."""


class Cdc2(Ecu):
    """Secondary domain controller. Input pin: `auto_hold_switch_state` (0 or 1)."""

    __slots__ = ("_standby", "_write_command", "application", "parameters")

    def __init__(
        self, name: str, database: Database, parameters: Cdc2Parameters | None = None
    ) -> None:
        super().__init__(name, database)
        self.parameters = parameters or Cdc2Parameters()

    def configure(self, now_ns: int) -> None:
        database = self.database
        names = ["CDC_EmbCmd", "CDC_VehDyn", *(f"EMB_{corner}_St1" for corner in CORNERS)]
        names += ["BPS_Pedal", "IMU_Data", "VCU_Torque", "ADAS_LongReq"]
        receptions = {name: self.receives(name) for name in names}
        self.application = Application(
            self.port,
            database,
            self.parameters,
            receptions,
            period_ns=CONTROL_PERIOD_NS,
            now_ns=now_ns,
            lanes=self.lanes,
        )
        self._write_command = command_writer(database, "CDC2")
        slope_kn_per_s = self.parameters.control.force_slope_kn_per_s
        self._standby = standby_payload(self._write_command, slope_kn_per_s)
        # Declared before the message: at a common instant the control task runs first.
        self.runs(
            "control",
            period_ns=CONTROL_PERIOD_NS,
            offset_ns=CONTROL_OFFSET_NS,
            action=self.application.step,
        )
        self.sends("CDC2_EmbCmd", self._pack_command)

    def _pack_command(self, now_ns: int) -> bytes:
        control = self.application.control
        if control is None:
            return self._standby
        values = command_values(control, self.parameters.control, SOURCE_SECONDARY)
        return self._write_command.write(*values)
