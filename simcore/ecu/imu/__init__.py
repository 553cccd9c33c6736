"""Inertial measurement unit: yaw rate, roll rate, longitudinal and lateral acceleration."""

from simcore.ecu.imu.node import Imu
from simcore.ecu.imu.parameters import ImuParameters

__all__ = ["Imu", "ImuParameters"]
