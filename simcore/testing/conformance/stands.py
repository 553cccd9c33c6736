"""From an interface to the stand that its cases run on.

The table `stand` of the role says what the place has: `axle` (with one caliper; by corner, or one
for all), `inputs` and `outputs` (pins with their values at power on), `watchdog` (the name of a
preset, or a table with `preset`, `cuts` and the preset's own settings), `flash`, `warm_ms` and
`values` (what is sent around it, by message and signal). Without a table there is the network only.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from simcore.errors import InputError, UsageError
from simcore.rig.bench import Bench
from simcore.rig.board import Cuts
from simcore.rig.stand import NodeStand
from simcore.rig.stand_pins import PARAMETERS, Axle
from simcore.testing.conformance.case import StandKind
from simcore.testing.conformance.controller_stand import build_vehicle
from simcore.units import ms
from simcore.watchdog import presets
from simcore.watchdog.device import DeviceSettings

if TYPE_CHECKING:
    from simcore.attach.dut import Dut
    from simcore.testing.conformance.interface import Interface

WARM_MS = 500.0
PRESETS: Mapping[str, Callable[..., DeviceSettings]] = {
    "fs65": presets.fs65,
    "tlf35584": presets.tlf35584,
    "tps65381": presets.tps65381,
}
_CUTS = ("outputs", "transmit", "nothing")
_FIELDS = frozenset({"axle", "inputs", "outputs", "watchdog", "flash", "warm_ms", "values"})


def build(interface: Interface, kind: StandKind, dut: Dut, seed: int = 0) -> Bench:
    """A stand for cases of one kind, with the module on it: running, or not yet switched on.

    On a cold one the place is empty until the case switches it on. Raises `InputError` for a table
    `stand` that cannot be built.
    """
    if kind is StandKind.VEHICLE:
        return build_vehicle(interface, dut, seed=seed)
    stand = empty_stand(interface, seed=seed)
    if kind is StandKind.WARM:
        stand.mount(dut.build(interface.node, interface.database))
        stand.run_for(ms(_warm_ms(interface)))
    return stand


def empty_stand(interface: Interface, *, seed: int = 0) -> NodeStand:
    """The place of the interface's node with nothing in it."""
    table = _table(interface)
    unknown = sorted(set(table) - _FIELDS)
    if unknown:
        raise _wrong(interface, "", f"no entries but {', '.join(sorted(_FIELDS))}", unknown[0])
    settings, cuts = _watchdog(interface)
    try:
        return NodeStand(
            interface.database,
            interface.node,
            seed=seed,
            inputs=table.get("inputs"),
            outputs=table.get("outputs"),
            axle=_axle(interface),
            watchdog=settings,
            cuts=cuts,
            flash=bool(table.get("flash", False)),
            values=table.get("values"),
        )
    except UsageError as error:
        raise InputError(_where(interface), got=str(error), file=interface.file) from error


def watchdog_of(interface: Interface) -> DeviceSettings | None:
    """The external watchdog beside the place; `None` without one."""
    return _watchdog(interface)[0]


def has_flash(interface: Interface) -> bool:
    """Whether the place has a flash."""
    return bool(_table(interface).get("flash", False))


def _table(interface: Interface) -> Mapping[str, Any]:
    table: Mapping[str, Any] = interface.binding("stand", {})
    return table


def _axle(interface: Interface) -> Axle | None:
    axle = _table(interface).get("axle")
    if isinstance(axle, Mapping):
        axle = axle.get(interface.corner)
        if axle is None:
            raise _wrong(interface, "axle", f"an entry for corner {interface.corner}", "none")
    if axle is not None and axle not in PARAMETERS:
        raise _wrong(interface, "axle", " or ".join(PARAMETERS), axle)
    return cast("Axle | None", axle)


def _watchdog(interface: Interface) -> tuple[DeviceSettings | None, Cuts]:
    entry = _table(interface).get("watchdog")
    if entry is None:
        return None, "outputs"
    settings = dict(entry) if isinstance(entry, Mapping) else {"preset": entry}
    name, cuts = settings.pop("preset", None), settings.pop("cuts", "outputs")
    if name not in PRESETS:
        raise _wrong(interface, "watchdog", f"a preset of {', '.join(PRESETS)}", name)
    if cuts not in _CUTS:
        raise _wrong(interface, "watchdog.cuts", f"one of {', '.join(_CUTS)}", cuts)
    known = inspect.signature(PRESETS[name]).parameters
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise _wrong(interface, "watchdog", f"settings of {name}: {', '.join(known)}", unknown[0])
    try:
        made = PRESETS[name](**settings)
    except UsageError as error:
        raise _wrong(interface, "watchdog", "settings that fit together", str(error)) from error
    return made, cast(Cuts, cuts)


def _warm_ms(interface: Interface) -> float:
    value = _table(interface).get("warm_ms", WARM_MS)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0.0:
        raise _wrong(interface, "warm_ms", "a number >= 0", value)
    return float(value)


def _where(interface: Interface, entry: str = "") -> str:
    return f"interface.{interface.role}.stand" + (f".{entry}" if entry else "")


def _wrong(interface: Interface, entry: str, expected: str, got: object) -> InputError:
    return InputError(
        _where(interface, entry), expected=expected, got=repr(got), file=interface.file
    )
