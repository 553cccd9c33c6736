"""What the inertial measurement unit sends."""

from __future__ import annotations

from simcore.network import Database, SignalWriter


def imu_writer(database: Database) -> SignalWriter:
    """Positional writer of `IMU_Data`, in the order of the DBC."""
    return database.message("IMU_Data").codec.writer(
        "IMU_YawRate",
        "IMU_Ax",
        "IMU_Ay",
        "IMU_RollRate",
        "IMU_YawQf",
        "IMU_AxQf",
        "IMU_AyQf",
    )
