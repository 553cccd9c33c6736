"""Trouble codes of the secondary controller: its own, and those of the control task it may run."""

from __future__ import annotations

from simcore.diag.dtc import Dtc, DtcSettings, code_of
from simcore.ecu.cdc.trouble_codes import MESSAGES, SNAPSHOT, control_dtcs
from simcore.ecu.runtime.trouble_code_rows import message_dtcs, runtime_dtcs

PRIMARY_LOST = "no valid command of the primary"
PRIMARY_LATE = "command of the primary late"
MESSAGES_SECONDARY = ("CDC_EmbCmd", "CDC_VehDyn")
"""By the secondary alone."""

SETTINGS = DtcSettings(
    (
        Dtc(
            code_of("C1F40-87"),
            PRIMARY_LOST,
            priority=1,
            indicator="brake",
            severity=0x80,
            snapshot=SNAPSHOT,
        ),
        Dtc(
            code_of("C1F40-82"),
            PRIMARY_LATE,
            priority=1,
            indicator="brake",
            severity=0x80,
            snapshot=SNAPSHOT,
        ),
        # In standby nobody runs the control task.
        *control_dtcs(continuous=False),
        *runtime_dtcs(SNAPSHOT),
        *message_dtcs((*MESSAGES, *MESSAGES_SECONDARY), SNAPSHOT),
    ),
    size=24,
)
