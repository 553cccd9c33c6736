"""The safety devices there are, by the names of the families they are modelled on.

Each is a function that checks its parameters and returns settings; `settings.build()` makes the
chip, `settings.service()` the software that serves it.
"""

from __future__ import annotations

from simcore.watchdog import presets_fs65, presets_tlf35584, presets_tps65381
from simcore.watchdog.presets_fs65 import Fs65, Fs65Settings, fs65
from simcore.watchdog.presets_tlf35584 import Tlf35584, Tlf35584Settings, tlf35584
from simcore.watchdog.presets_tps65381 import Tps65381, Tps65381Settings, tps65381

LEDGER = (presets_tlf35584.LEDGER, presets_tps65381.LEDGER, presets_fs65.LEDGER)
"""What is simplified in each."""

__all__ = [
    "LEDGER",
    "Fs65",
    "Fs65Settings",
    "Tlf35584",
    "Tlf35584Settings",
    "Tps65381",
    "Tps65381Settings",
    "fs65",
    "tlf35584",
    "tps65381",
]
