"""States of the sensor channels: the shared quality machine, see `ecu/quality.py`."""

from simcore.ecu.quality import IGNORED, TRANSITIONS, Quality, QualityEvent, next_quality

__all__ = ["IGNORED", "TRANSITIONS", "Quality", "QualityEvent", "next_quality"]
