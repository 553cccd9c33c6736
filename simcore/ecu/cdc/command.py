"""The command frame of a domain controller: what its application decided, as signal values."""

from __future__ import annotations

from simcore.ecu.cdc.application import Application
from simcore.ecu.cdc.communication import MODE_CLEARANCE, MODE_FORCE, POWER_MODE_DRIVE
from simcore.ecu.cdc.parameters import CdcParameters
from simcore.ecu.cdc.states import RequestSource

_DRIVER = RequestSource.DRIVER


def command_values(application: Application, parameters: CdcParameters, source: int) -> list[float]:
    """Values in the order of `communication.command_writer`; `source` as `CDC_Src`."""
    values: list[float] = [
        source,
        application.source is _DRIVER,
        application.emergency,
        POWER_MODE_DRIVE,
    ]
    p = parameters
    active = application.slip.active
    valid = application.request_valid
    lost = application.actuators.lost
    for i, force_n in enumerate(application.force_request_n):
        braking = force_n > p.contact_force_n and not lost[i]
        values += (
            force_n if braking else 0.0,
            MODE_FORCE if braking else MODE_CLEARANCE,
            p.force_slope_kn_per_s,
            valid,
            active[i],
        )
    return values
