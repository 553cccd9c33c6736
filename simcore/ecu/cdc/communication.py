"""What the domain controller receives and sends: readers and writers, no behaviour."""

from __future__ import annotations

from simcore.network import Database, SignalReader, SignalWriter

CORNERS = ("FL", "FR", "RL", "RR")
QUALITY_INVALID, QUALITY_VALID = 1, 3
MODE_CLEARANCE, MODE_FORCE, MODE_HOLD, MODE_PARK_APPLY, MODE_PARK_RELEASE = 1, 2, 3, 4, 5
SOURCE_PRIMARY, SOURCE_SECONDARY = range(2)
POWER_MODE_DRIVE = 3
EMB_FAULT_FAILED = 3
ECHO_OBEYS = (1, 2)
"""Clearance, ForceCtrl."""
ECHO_REJECTED = 14
AEB_INACTIVE, AEB_PARTIAL, AEB_FULL = range(3)
HOLD_REQUEST, HOLD_RELEASE = 1, 2
MESSAGE_NONE, MESSAGE_ONE_BRAKE_LOST, MESSAGE_REDUCED, MESSAGE_PEDAL = 0, 3, 2, 5
MESSAGE_SUPPLY, MESSAGE_NETWORK, MESSAGE_ABS, MESSAGE_ESC = 4, 6, 7, 8
SUPPLY_GONE = (3, 4, 5)
"""Critical, Isolated, Fault."""
CHIME_NONE, CHIME_WARN, CHIME_CRITICAL = 0, 2, 4


def emb_status_reader(database: Database, corner: str) -> SignalReader:
    """Force, its quality, fault level, wheel speed (km/h), its quality, echo, wheel direction,
    screw travel (um), enable line."""
    node = f"EMB_{corner}"
    return database.message(f"{node}_St1").codec.reader(
        f"{node}_FAct",
        f"{node}_FActQf",
        f"{node}_FaultLvl",
        f"{node}_WhlSpd",
        f"{node}_WhlSpdQf",
        f"{node}_ReqEcho",
        f"{node}_WhlDir",
        f"{node}_Pos",
        f"{node}_EnLine",
    )


def emb_state_reader(database: Database, corner: str) -> SignalReader:
    """State of the actuator."""
    node = f"EMB_{corner}"
    return database.message(f"{node}_St1").codec.reader(f"{node}_State")


def power_mode_reader(database: Database) -> SignalReader:
    """Power mode of the vehicle."""
    return database.message("VEH_Mode").codec.reader("VEH_PwrMode")


def park_brake_writer(database: Database) -> SignalWriter:
    """Switch, commands left and right, states left and right of the parking brake."""
    return database.message("CDC_Epb").codec.writer(
        "EPB_Switch", "EPB_CmdL", "EPB_CmdR", "EPB_StateL", "EPB_StateR"
    )


def measured_reader(database: Database, corner: str) -> SignalReader:
    """Clamp force (N) and wheel speed (km/h)."""
    node = f"EMB_{corner}"
    return database.message(f"{node}_St1").codec.reader(f"{node}_FAct", f"{node}_WhlSpd")


def forces_reader(database: Database, lane: str = "CDC") -> SignalReader:
    """The four forces of a lane's command (N), then for each whether slip control held it back."""
    return database.message(f"{lane}_EmbCmd").codec.reader(
        *(f"{lane}_{c}_FReq" for c in CORNERS), *(f"{lane}_{c}_AbsActv" for c in CORNERS)
    )


def command_reader(database: Database, lane: str = "CDC") -> SignalReader:
    """The four forces of a lane's command (N), and whether its requests are valid."""
    names = [f"{lane}_{corner}_FReq" for corner in CORNERS]
    return database.message(f"{lane}_EmbCmd").codec.reader(*names, f"{lane}_FL_ReqVld")


def validity_reader(database: Database, lane: str = "CDC") -> SignalReader:
    """Whether a lane's requests are valid, per corner."""
    return database.message(f"{lane}_EmbCmd").codec.reader(*(f"{lane}_{c}_ReqVld" for c in CORNERS))


def pedal_reader(database: Database) -> SignalReader:
    """Both travel channels (mm) with their qualities, then force (N) and its quality."""
    return database.message("BPS_Pedal").codec.reader(
        "BPS_Trvl1", "BPS_Trvl2", "BPS_Qf1", "BPS_Qf2", "BPS_Force", "BPS_QfF"
    )


def travel_reader(database: Database) -> SignalReader:
    """Both travel channels (mm) with their qualities."""
    return database.message("BPS_Pedal").codec.reader(
        "BPS_Trvl1", "BPS_Trvl2", "BPS_Qf1", "BPS_Qf2"
    )


def imu_reader(database: Database) -> SignalReader:
    """Longitudinal acceleration (m/s2) and quality, lateral one alike, yaw rate (deg/s) alike."""
    return database.message("IMU_Data").codec.reader(
        "IMU_Ax", "IMU_AxQf", "IMU_Ay", "IMU_AyQf", "IMU_YawRate", "IMU_YawQf"
    )


def acceleration_reader(database: Database) -> SignalReader:
    """Longitudinal acceleration (m/s2) and quality."""
    return database.message("IMU_Data").codec.reader("IMU_Ax", "IMU_AxQf")


def adas_reader(database: Database) -> SignalReader:
    """Requests of the driver assistance."""
    return database.message("ADAS_LongReq").codec.reader(
        "ADAS_AebActv", "ADAS_AebDecel", "ADAS_AccActv", "ADAS_AccAccel", "ADAS_HoldReq"
    )


def supply_reader(database: Database) -> SignalReader:
    """Voltages of the supplies A and B, then their states."""
    return database.message("PDM_Supply").codec.reader("PDM_UA", "PDM_UB", "PDM_StA", "PDM_StB")


def accelerator_reader(database: Database) -> SignalReader:
    """Accelerator pedal in percent."""
    return database.message("VCU_Torque").codec.reader("VCU_AccPed")


def secondary_reader(database: Database) -> SignalReader:
    """Validity of the secondary's command, its four forces, and which of them are held back."""
    names = ["CDC2_FL_ReqVld"]
    names += [f"CDC2_{corner}_FReq" for corner in CORNERS]
    names += [f"CDC2_{corner}_AbsActv" for corner in CORNERS]
    return database.message("CDC2_EmbCmd").codec.reader(*names)


def command_writer(database: Database, lane: str = "CDC") -> SignalWriter:
    """Positional writer of `CDC_EmbCmd` or `CDC2_EmbCmd`: four common values, five per corner.

    Behind them in the secondary's the four values of its watchdog.
    """
    names = [f"{lane}_{part}" for part in ("Src", "DrvBrkActv", "EmgcyBrk", "PwrMode")]
    for corner in CORNERS:
        names += [
            f"{lane}_{corner}_{part}" for part in ("FReq", "Mode", "FSlope", "ReqVld", "AbsActv")
        ]
    if lane == "CDC2":
        names += [f"CDC2_{part}" for part in ("WdgSt", "WdgErrCnt", "EnLine", "WdgFirstExp")]
    return database.message(f"{lane}_EmbCmd").codec.writer(*names)


def wheel_speed_writer(database: Database) -> SignalWriter:
    """Positional writer of `CDC_WhlSpd`: speed, direction, quality per corner."""
    names = []
    for corner in CORNERS:
        names += [f"CDC_WhlSpd{corner}", f"CDC_WhlDir{corner}", f"CDC_WhlQf{corner}"]
    return database.message("CDC_WhlSpd").codec.writer(*names)


def vehicle_dynamics_writer(database: Database) -> SignalWriter:
    """Positional writer of `CDC_VehDyn`."""
    return database.message("CDC_VehDyn").codec.writer(
        "CDC_VehSpd", "CDC_VehSpdQf", "CDC_Standstill", "CDC_RefAccel", "CDC_Slope", "CDC_MassEst"
    )


def brake_status_writer(database: Database) -> SignalWriter:
    """Positional writer of `CDC_BrkSt`."""
    return database.message("CDC_BrkSt").codec.writer(
        "CDC_BrkTqTgt",
        "CDC_BrkTqAct",
        "CDC_ReqSrc",
        "CDC_AbsActv",
        "CDC_HoldSt",
        "CDC_DegrLvl",
        "CDC_StopLamp",
        "CDC_LampRed",
        "CDC_LampAbs",
        "CDC_LampEsc",
        "CDC_WdgSt",
        "CDC_WdgErrCnt",
        "CDC_EnLine",
        "CDC_WdgFirstExp",
        "CDC_MonSt",
    )


def hmi_writer(database: Database) -> SignalWriter:
    """Positional writer of `CDC_Hmi`."""
    return database.message("CDC_Hmi").codec.writer("HMI_MsgId", "HMI_Chime", "HMI_AutoHoldSw")
