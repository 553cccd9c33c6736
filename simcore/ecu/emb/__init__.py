"""Electro-mechanical brake actuator: `node` around `application`, `states`, `force_control`."""

from simcore.ecu.emb.node import Emb
from simcore.ecu.emb.parameters import FRONT_EMB, REAR_EMB, EmbParameters

__all__ = ["FRONT_EMB", "REAR_EMB", "Emb", "EmbParameters"]
