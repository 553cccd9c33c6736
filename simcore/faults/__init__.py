"""The fault vocabulary: what can be broken, as named objects with a sentence for the report.

One file per layer. Today: ECU faults.
"""

from simcore.faults.ecu import EcuSilent

__all__ = ["EcuSilent"]
