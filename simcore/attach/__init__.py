"""The doors to the outside: modules under test, python-can programs, real CAN interfaces.

`rig.replace("EMB_FL", module("brake.so"))` puts a module under test into a rig. `publish(rig)` lets
python-can programs in this process find a rig; importing this room makes
`can.Bus(interface="simcore")` known also where simcore runs without being installed. Clocks and
threads live here and in `cli/` only.
"""

import can
import can.interfaces
import can.util

from simcore.attach.bare import BareBus
from simcore.attach.clock import VirtualClock
from simcore.attach.dut import Dut, dut_of, load_dut, module
from simcore.attach.message import BusOpenError, BusOperationError
from simcore.attach.python_can import SimcoreBus
from simcore.attach.session import Session, publish, published

__all__ = [
    "BareBus",
    "BusOpenError",
    "BusOperationError",
    "Dut",
    "Session",
    "SimcoreBus",
    "VirtualClock",
    "dut_of",
    "load_dut",
    "module",
    "publish",
    "published",
]


def _make_known() -> None:
    """What the entry point does for an installed package."""
    if "simcore" not in can.interfaces.BACKENDS:
        can.interfaces.BACKENDS["simcore"] = (SimcoreBus.__module__, SimcoreBus.__name__)
    for each in (can, can.interfaces, can.util):
        setattr(each, "VALID_INTERFACES", can.interfaces.VALID_INTERFACES | {"simcore"})  # noqa: B010


_make_known()
