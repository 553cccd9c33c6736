"""The rig as a fault sees it: implements `Site` and `NodeControl` of `faults/site.py`.

What a fault does to a node goes through its host; taking and giving back its supply also goes
through the bench, which keeps count of who holds it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simcore.ecu.seam import Node
from simcore.errors import UsageError
from simcore.faults.site import PinTransform, WatchdogWrapper
from simcore.kernel import RandomStream, Scheduler
from simcore.plant.chassis import ChassisPlant
from simcore.update.flash import Flash

if TYPE_CHECKING:
    from simcore.rig.bench import Bench
    from simcore.rig.host import NodeHost
    from simcore.rig.pins import PlantLoop


class RigSite:
    """Implements `Site` for a bench: a `Rig`, or a `Restbus`, which has neither plant nor pins."""

    __slots__ = ("_rig",)

    def __init__(self, rig: Bench) -> None:
        self._rig = rig

    @property
    def scheduler(self) -> Scheduler:
        return self._rig.scheduler

    @property
    def plant(self) -> ChassisPlant:
        plant: ChassisPlant | None = getattr(self._rig, "plant", None)
        if plant is None:
            raise self._no_vehicle("plant")
        return plant

    def node(self, name: str) -> RigNode:
        return RigNode(self._rig, self._rig.host(name))

    def require_input(self, node: str, pin: str) -> None:
        self._loop.require_input(node, pin)

    def require_output(self, node: str, pin: str) -> None:
        self._loop.require_output(node, pin)

    def disturb_pin(self, node: str, pin: str, transform: PinTransform) -> None:
        self._loop.disturb_pin(node, pin, transform)

    def undisturb_pin(self, node: str, pin: str, transform: PinTransform) -> None:
        self._loop.undisturb_pin(node, pin, transform)

    def disturb_output(self, node: str, pin: str, transform: PinTransform) -> None:
        self._loop.disturb_output(node, pin, transform)

    def undisturb_output(self, node: str, pin: str, transform: PinTransform) -> None:
        self._loop.undisturb_output(node, pin, transform)

    def stream(self, name: str) -> RandomStream:
        return self._rig.random.stream(name)

    def log(self, source: str, kind: str, text: str) -> None:
        self._rig.log.add(source, kind, text)

    @property
    def _loop(self) -> PlantLoop:
        loop: PlantLoop | None = getattr(self._rig, "_loop", None)
        if loop is None:
            raise self._no_vehicle("pins")
        return loop

    def _no_vehicle(self, what: str) -> UsageError:
        return UsageError(
            f"fault of {what}",
            expected="a Rig, which has a vehicle",
            got=f"a {type(self._rig).__name__}",
        )


class Taken:
    """One fault's claim to a node's supply."""

    __slots__ = ()


class RigNode:
    """Implements `NodeControl` for one node of a bench."""

    __slots__ = ("_host", "_rig")

    def __init__(self, rig: Bench, host: NodeHost) -> None:
        self._rig = rig
        self._host = host

    @property
    def name(self) -> str:
        return self._host.name

    @property
    def node(self) -> Node:
        return self._host.node

    @property
    def running(self) -> bool:
        return self._host.running

    @property
    def has_watchdog(self) -> bool:
        return self._host.board is not None

    @property
    def flash(self) -> Flash | None:
        return self._host.flash

    def halt(self) -> object:
        taken = Taken()
        self._rig.silence(self._host.name, taken)
        return taken

    def start(self, taken: object) -> None:
        self._rig.supply(self._host.name, taken)

    def holders(self, what: str) -> list[Any]:
        return self._rig.fault_holders.setdefault((self._host.name, what), [])

    def refresh_timer(self) -> None:
        self._host.refresh_timer()

    def restart_controllers(self) -> None:
        self._host.restart_controllers()

    def listen_starts(self, listener: Callable[[], object]) -> None:
        self._host.listen_starts(listener)

    def forget_starts(self, listener: Callable[[], object]) -> None:
        self._host.forget_starts(listener)

    def listen_ticks(self, listener: Callable[[], object]) -> None:
        self._host.listen_ticks(listener)

    def forget_ticks(self, listener: Callable[[], object]) -> None:
        self._host.forget_ticks(listener)

    def set_clock_ratio(self, ratio: float) -> None:
        self._host.set_clock_ratio(ratio)

    def interpose_watchdog(self, wrapper: WatchdogWrapper) -> None:
        self._host.interpose_watchdog(wrapper)

    def expose_watchdog(self, wrapper: WatchdogWrapper) -> None:
        self._host.expose_watchdog(wrapper)
