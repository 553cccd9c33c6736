"""For tests: the pytest plugin, hypothesis strategies and state machines, the conformance kit.

Stands below `simcore.attach`: what is tested comes in through its doors. Names are imported when
first used, for every pytest run imports this room with the plugin, whether it simulates or not.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simcore.testing.machine import ChassisMachine
    from simcore.testing.sequence import NodeMachine, play, sequences

_WHERE = {
    "ChassisMachine": "simcore.testing.machine",
    "NodeMachine": "simcore.testing.sequence",
    "play": "simcore.testing.sequence",
    "sequences": "simcore.testing.sequence",
}

__all__ = ["ChassisMachine", "NodeMachine", "play", "sequences"]


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})


def __getattr__(name: str) -> object:
    where = _WHERE.get(name)
    if where is None:
        raise AttributeError(f"module 'simcore.testing' has no attribute {name!r}")
    value = getattr(import_module(where), name)
    globals()[name] = value
    return value
