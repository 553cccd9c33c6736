"""What a brake actuator receives and sends, and nothing about what it does with it.

Signal names come from the corner; ids, layout, cycle and protection come from the database.
"""

from __future__ import annotations

from typing import NamedTuple

from simcore.network import Database, SignalReader, SignalWriter


class Command(NamedTuple):
    """This actuator's part of `CDC_EmbCmd` or `CDC2_EmbCmd`."""

    force_n: float
    mode: int
    force_slope_kn_per_s: float
    valid: int
    abs_active: int
    emergency: int = 0
    """Of the whole frame: emergency braking, AEB or panic stop."""


MODE_OFF, MODE_CLEARANCE, MODE_FORCE, MODE_HOLD, MODE_PARK_APPLY, MODE_PARK_RELEASE = range(6)
ECHO_PEDAL_DIRECT, ECHO_HOLD_LAST, ECHO_RAMP_OUT, ECHO_REJECTED = 8, 9, 10, 14
QUALITY_INIT, QUALITY_INVALID, QUALITY_DEGRADED, QUALITY_VALID = range(4)
BUS_A, BUS_B, BUS_NONE = range(3)
"""`EMB_xx_BusSel`; the first two are the lanes of `Port.channels`."""
DIRECTION_FORWARD, DIRECTION_BACKWARD, DIRECTION_STANDSTILL = range(3)
SELF_TEST_NOT_RUN, SELF_TEST_RUNNING, SELF_TEST_PASSED = range(3)
SELF_TEST_FAIL_POSITION, SELF_TEST_FAIL_SUPPLY, SELF_TEST_ABORTED = 4, 7, 9
FAULT_NONE, FAULT_WARNING, FAULT_DEGRADED, FAULT_FAILED = range(4)


def command_reader(database: Database, lane: str, corner: str) -> SignalReader:
    """Reads `Command` out of `CDC_EmbCmd` (lane `CDC`) or `CDC2_EmbCmd` (lane `CDC2`)."""
    prefix = f"{lane}_{corner}_"
    return database.message(f"{lane}_EmbCmd").codec.reader(
        f"{prefix}FReq",
        f"{prefix}Mode",
        f"{prefix}FSlope",
        f"{prefix}ReqVld",
        f"{prefix}AbsActv",
        f"{lane}_EmgcyBrk",
    )


def pedal_reader(database: Database) -> SignalReader:
    """Both travel channels of the pedal with their qualities."""
    return database.message("BPS_Pedal").codec.reader(
        "BPS_Trvl1", "BPS_Trvl2", "BPS_Qf1", "BPS_Qf2"
    )


def speed_reader(database: Database) -> SignalReader:
    """Vehicle speed in km/h and its quality."""
    return database.message("CDC_VehDyn").codec.reader("CDC_VehSpd", "CDC_VehSpdQf")


def status_1_writer(database: Database, node: str) -> SignalWriter:
    """Positional writer of `EMB_xx_St1`, in the order of the DBC."""
    return database.message(f"{node}_St1").codec.writer(
        *(
            f"{node}_{signal}"
            for signal in (
                "FAct",
                "FActQf",
                "State",
                "FaultLvl",
                "WhlSpd",
                "WhlDir",
                "WhlSpdQf",
                "WhlPls",
                "MotCurr",
                "MotSpd",
                "Pos",
                "FMaxAvl",
                "ReqEcho",
                "BusSel",
                "WdgSt",
                "EnLine",
                "MonSt",
            )
        )
    )


def status_2_writer(database: Database, node: str) -> SignalWriter:
    """Positional writer of `EMB_xx_St2`; what is not named stays at its start value."""
    return database.message(f"{node}_St2").codec.writer(
        *(
            f"{node}_{signal}"
            for signal in (
                "Clear",
                "TempMot",
                "TempDisc",
                "UBat",
                "IBat",
                "LockSt",
                "SelfTest",
                "DtcCnt",
                "WdgErrCnt",
                "WdgFirstExp",
            )
        )
    )
