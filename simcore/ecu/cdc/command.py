"""The command frame of a domain controller: what its application decided, as signal values."""

from __future__ import annotations

from simcore.ecu.cdc.application import Application
from simcore.ecu.cdc.communication import MODE_CLEARANCE, MODE_FORCE
from simcore.ecu.cdc.monitor import FunctionMonitor
from simcore.ecu.cdc.parameters import CdcParameters
from simcore.ecu.cdc.states import MonitorState, RequestSource
from simcore.ecu.runtime.repetition import RepeatingWriter
from simcore.network import SignalWriter

_DRIVER = RequestSource.DRIVER
_CUT = MonitorState.CUT
_REAR = 2
"""First of the rear corners: the ones with a park lock."""


def command_values(
    application: Application,
    parameters: CdcParameters,
    source: int,
    monitor: FunctionMonitor | None = None,
) -> list[float]:
    """Values in the order of `communication.command_writer`; `source` as `CDC_Src`.

    A monitor that limits has the last word, one that has cut makes the requests invalid.
    """
    values: list[float] = [
        source,
        application.source is _DRIVER,
        application.emergency,
        application.power_mode,
    ]
    p = parameters
    active = application.slip.active
    valid = application.request_valid
    lost = application.actuators.without
    request_n = application.force_request_n
    park_mode = application.park_brake.mode
    if monitor is not None and monitor.limit_n is not None:
        valid = valid and monitor.state is not _CUT
        request_n = [min(n, most) for n, most in zip(request_n, monitor.limit_n, strict=True)]
    for i, force_n in enumerate(request_n):
        braking = force_n > p.contact_force_n and not lost[i]
        values += (
            force_n if braking else 0.0,
            park_mode if park_mode and i >= _REAR else MODE_FORCE if braking else MODE_CLEARANCE,
            p.force_slope_kn_per_s,
            valid,
            active[i],
        )
    return values


class CommandWriter:
    """Packs what an application decided; what was decided before is packed already."""

    __slots__ = ("_data", "_decided", "_parameters", "_source", "_write")

    def __init__(self, writer: SignalWriter, parameters: CdcParameters, source: int) -> None:
        self._write = RepeatingWriter(writer)
        self._parameters = parameters
        self._source = source
        self._decided: tuple[object, ...] = ()
        self._data = b""

    def write(
        self,
        application: Application,
        monitor: FunctionMonitor | None,
        watchdog: tuple[int, ...] = (),
    ) -> bytes:
        """The payload; `watchdog` are the values of the watchdog behind the others, if any."""
        decided = (
            application.source,
            application.emergency,
            application.request_valid,
            application.actuators.without,
            application.park_brake.mode,
            application.power_mode,
            *application.force_request_n,
            *application.slip.active,
            None if monitor is None else (monitor.state, monitor.limit_n),
            watchdog,
        )
        if decided != self._decided:
            values = command_values(application, self._parameters, self._source, monitor)
            self._data = self._write.write(*values, *watchdog)
            self._decided = decided
        return self._data
