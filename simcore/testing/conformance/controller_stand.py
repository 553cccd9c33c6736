"""The vehicle stand: the whole reference chassis with the module under test in one of its places.

The place keeps what stands beside the ECU: the watchdog on its board, and the flash as the factory
wrote it. A network that the reference chassis cannot be wired up from has no vehicle; what a case
then misses, `vehicle_gap` says. The stand of a single node is in `rig.stand`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from simcore.ecu import Node
from simcore.errors import SimcoreError
from simcore.network import Database
from simcore.rig import Rig
from simcore.rig.reference import WATCHDOGS
from simcore.rig.software import HARDWARE, factory_flash, provision
from simcore.units import NS_PER_MS

if TYPE_CHECKING:
    from simcore.attach.dut import Dut
    from simcore.testing.conformance.interface import Interface

WARM_NS = 500 * NS_PER_MS
"""All nodes are up, and their start-up times are over."""


def build_vehicle(interface: Interface, dut: Dut, *, seed: int = 0, warm_ns: int = WARM_NS) -> Rig:
    """The reference chassis at standstill with the module in its place from the first instant."""
    rig = Rig(seed=seed, database=interface.database)
    install(rig, interface.node, dut.build(interface.node, interface.database))
    rig.run_for(warm_ns)
    return rig


def install(rig: Rig, node: str, module: Node) -> None:
    """Put a module into a place of the chassis, beside the watchdog and flash that belong there."""
    board = WATCHDOGS.get(node)
    if board is not None:
        settings, cuts = board
        rig.guard(node, settings, cuts=cuts)  # unlike a built-in one it stays when modules change
    provision(node, module)
    rig.replace(node, module, flash=factory_flash(node) if node in HARDWARE else None)


def vehicle_gap(database: Database) -> str:
    """Why the reference chassis cannot be wired up from a network; empty where it can."""
    return _gap(database)


@lru_cache(maxsize=8)
def _gap(database: Database) -> str:
    try:
        Rig(database=database)
    except SimcoreError as error:
        return f"the reference chassis does not fit this network: {error}"
    return ""
