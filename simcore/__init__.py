"""simcore: a simulated chassis to test supplier modules against, in virtual time.

`from simcore import Rig, ms, s, scenario` is all a scenario needs; rooms hold the rest. Names are
imported when first used, so that the pytest plugin costs a project that does not use it nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from simcore.version import __version__

if TYPE_CHECKING:
    from simcore.bus import BitTiming, Frame
    from simcore.errors import InputError, SimcoreError, UsageError
    from simcore.faults import EcuSilent
    from simcore.kernel import RealTime
    from simcore.network import Database
    from simcore.plant.environment import Surface
    from simcore.rig import Restbus, Rig, load_scenarios, run_scenario, scenario
    from simcore.units import ms, s, us

_WHERE = {
    "BitTiming": "simcore.bus",
    "Database": "simcore.network",
    "EcuSilent": "simcore.faults",
    "Frame": "simcore.bus",
    "InputError": "simcore.errors",
    "RealTime": "simcore.kernel",
    "Restbus": "simcore.rig",
    "Rig": "simcore.rig",
    "SimcoreError": "simcore.errors",
    "Surface": "simcore.plant.environment",
    "UsageError": "simcore.errors",
    "load_scenarios": "simcore.rig",
    "ms": "simcore.units",
    "run_scenario": "simcore.rig",
    "s": "simcore.units",
    "scenario": "simcore.rig",
    "us": "simcore.units",
}

__all__ = [
    "BitTiming",
    "Database",
    "EcuSilent",
    "Frame",
    "InputError",
    "RealTime",
    "Restbus",
    "Rig",
    "SimcoreError",
    "Surface",
    "UsageError",
    "__version__",
    "load_scenarios",
    "ms",
    "run_scenario",
    "s",
    "scenario",
    "us",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})


def __getattr__(name: str) -> object:
    where = _WHERE.get(name)
    if where is None:
        raise AttributeError(f"module 'simcore' has no attribute {name!r}")
    value = getattr(import_module(where), name)
    globals()[name] = value
    return value
