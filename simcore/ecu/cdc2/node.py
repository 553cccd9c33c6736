"""The secondary domain controller as a node: what it receives, runs and sends."""

from __future__ import annotations

from dataclasses import replace

from simcore.ecu.cdc.application import Application as ControlTask
from simcore.ecu.cdc.command import CommandWriter
from simcore.ecu.cdc.diagnosis import CALIBRATIONS, STILL_KMH
from simcore.ecu.cdc.supervision import CONTROL_BODY
from simcore.ecu.cdc.trouble_codes import MESSAGES, Snapshot
from simcore.ecu.cdc.watchdog_status import WatchdogStatus
from simcore.ecu.cdc2.application import Application
from simcore.ecu.cdc2.communication import (
    CORNERS,
    SOURCE_SECONDARY,
    command_writer,
    standby_values,
)
from simcore.ecu.cdc2.diagnosis import Cdc2Diagnosis
from simcore.ecu.cdc2.parameters import Cdc2Parameters
from simcore.ecu.cdc2.supervision import COMMANDING, STANDBY, supervision_settings
from simcore.ecu.cdc2.trouble_codes import MESSAGES_SECONDARY, SETTINGS
from simcore.ecu.runtime import Ecu
from simcore.ecu.runtime.diagnostics_rows import calibrated
from simcore.ecu.runtime.repetition import RepeatingWriter
from simcore.ecu.runtime.trouble_codes import keep_trouble_codes
from simcore.network import Database
from simcore.units import NS_PER_MS

CONTROL_PERIOD_NS = 5 * NS_PER_MS
MONITOR_PERIOD_NS = 10 * NS_PER_MS
CONTROL_OFFSET_NS = 4 * NS_PER_MS
"""Right before its own command goes out, so that a loss is answered with the very next one."""


class Cdc2(Ecu):
    """Secondary domain controller. Input pin: `auto_hold_switch_state` (0 or 1)."""

    __slots__ = (
        "_command",
        "_command_due",
        "_commanding",
        "_due",
        "_standby",
        "_standby_status",
        "_standby_values",
        "_watchdog",
        "_write_standby",
        "application",
        "parameters",
        "sent_command",
    )

    def __init__(
        self, name: str, database: Database, parameters: Cdc2Parameters | None = None
    ) -> None:
        super().__init__(name, database)
        self.parameters = parameters or Cdc2Parameters()

    def configure(self, now_ns: int) -> None:
        p = calibrated(self.parameters.control, CALIBRATIONS, self.port.memory)
        if p is not self.parameters.control:
            self.parameters = replace(self.parameters, control=p)
        self.diagnoses(Cdc2Diagnosis(self).table)
        self.supervises(supervision_settings(self.parameters))
        readers = Snapshot(self, self._control_task).readers()
        keep_trouble_codes(self, SETTINGS, readers, now_ns)
        self._build(now_ns)
        # Declared before the message: at a common instant the control task runs first.
        self.runs(
            "control",
            period_ns=CONTROL_PERIOD_NS,
            offset_ns=CONTROL_OFFSET_NS,
            action=self._control,
            execution_ns=p.control_execution_ns,
            entity="control",
        )
        self.sends(
            "CDC2_EmbCmd",
            self._pack_command,
            execution_ns=p.command_execution_ns,
            entity="command",
        )
        self.runs(
            "monitor",
            period_ns=MONITOR_PERIOD_NS,
            offset_ns=self.database.message("CDC2_EmbCmd").start_delay_ns,
            action=self._check,
            execution_ns=p.monitor_execution_ns,
            entity="monitor",
        )
        self.runs_supervision(offset_ns=CONTROL_OFFSET_NS)
        for name in (*MESSAGES, *MESSAGES_SECONDARY):
            self.trouble_codes.watch(self.reception(name))

    def _build(self, now_ns: int) -> None:
        """The volatile state."""
        database = self.database
        names = ["CDC_EmbCmd", "CDC_VehDyn", *(f"EMB_{corner}_St1" for corner in CORNERS)]
        names += ["BPS_Pedal", "IMU_Data", "VCU_Torque", "ADAS_LongReq", "PDM_Supply"]
        receptions = {name: self.receives(name) for name in names}
        self.application = Application(
            self.port,
            database,
            self.parameters,
            receptions,
            period_ns=CONTROL_PERIOD_NS,
            now_ns=now_ns,
            lanes=self.lanes,
            without=self.without,
            checkpoints=[self.checkpoint(f"braking.{name}") for name in CONTROL_BODY],
            arrival_of=self.monitors_arrival,
            codes=self.trouble_codes,
        )
        self._commanding = False
        self._due = True
        self._command_due = self.checkpoint("control.due")
        self.sent_command = b""
        self._watchdog = WatchdogStatus()
        writer = command_writer(database, "CDC2")
        self._command = CommandWriter(writer, self.parameters.control, SOURCE_SECONDARY)
        self._write_standby = RepeatingWriter(writer)
        self._standby_values = standby_values(self.parameters.control.force_slope_kn_per_s)
        self._standby = b""
        self._standby_status: tuple[int, int, bool, int] | None = None

    def _control_task(self) -> ControlTask | None:
        return self.application.control

    def moves(self, now_ns: int) -> bool:
        """Whether the primary, or the own control while it commands, says that it moves."""
        return (Cdc2Diagnosis(self).speed_kmh(now_ns) or 0.0) > STILL_KMH

    def _control(self, now_ns: int) -> None:
        application = self.application
        application.step(now_ns)
        if (application.control is not None) is not self._commanding:
            self._commanding = not self._commanding
            self.supervision.set_mode(COMMANDING if self._commanding else STANDBY, now_ns)
        # The command goes out after every second run.
        self._due = not self._due
        if self._due:
            self._command_due(now_ns)

    def _check(self, now_ns: int) -> None:
        """Level 2, once the command of this instant is packed."""
        if now_ns >= self.trouble_codes.due_ns:
            self.trouble_codes.look(now_ns)
        application = self.application
        monitor, control = application.monitor, application.control
        if (
            monitor is not None
            and control is not None
            and monitor.check(self.sent_command, control.force_request_n, now_ns)
        ):
            self.supervision.demand_safe_state(f"monitor, {monitor.reason}")

    def _pack_command(self, now_ns: int) -> bytes:
        application = self.application
        control = application.control
        watchdog = self._watchdog.values(self.supervision)
        if control is None:
            if watchdog != self._standby_status:
                self._standby_status = watchdog
                self._standby = self._write_standby.write(*self._standby_values, *watchdog)
            data = self._standby
        else:
            data = self._command.write(control, application.monitor, watchdog)
        self.sent_command = data
        return data
