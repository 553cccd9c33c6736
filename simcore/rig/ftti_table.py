"""The shipped reaction-time table: all rows, their cells, and choosing among them."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from simcore.errors import UsageError
from simcore.rig import (
    ftti_rows_actuators,
    ftti_rows_controllers,
    ftti_rows_network,
    ftti_rows_power,
    ftti_rows_robustness,
    ftti_rows_sensors,
    ftti_rows_supervision,
    ftti_rows_tasks,
)
from simcore.rig.ftti import Cell, Row

ROWS: tuple[Row, ...] = (
    *ftti_rows_actuators.ROWS,
    *ftti_rows_controllers.ROWS,
    *ftti_rows_network.ROWS,
    *ftti_rows_tasks.ROWS,
    *ftti_rows_supervision.ROWS,
    *ftti_rows_power.ROWS,
    *ftti_rows_sensors.ROWS,
    *ftti_rows_robustness.ROWS,
)
IN_NO_ROW: dict[str, str] = {
    "FlashPowerCut": "needs an update under way: the sweep of `simcore power-cut` does it",
    "AckSuppressed": "one node's acknowledgement changes nothing where others give theirs",
    "BitError": "wire: one frame, repeated by the controller within its cycle",
    "DominantPulse": "wire: one frame, repeated by the controller within its cycle",
    "GroundOffset": "wire: within the margin of the bit timing or as an open wire, which has rows",
    "StuckRecessive": "for all others as a node unplugged, which has rows",
    "CounterOffset": "one jump: refused once, then as good as ever",
    "MessageCycle": "too slow is a timeout, which has rows; too fast loses nothing",
    "ReplayAttack": "an attack: SEC-001, judged by its scenario",
}
"""Faults of the catalogue that no row has and the coverage does not draw, and why."""
CELLS: tuple[Cell, ...] = tuple(cell for row in ROWS for cell in row.cells)
_BY_ID = {cell.id: cell for cell in CELLS}


def cell_named(cell_id: str) -> Cell:
    """A cell by its id. Raises `UsageError` for one that the table does not have."""
    found = _BY_ID.get(cell_id)
    if found is None:
        raise UsageError(f"cell {cell_id!r}", expected="a cell of the reaction-time table")
    return found


def select(only: Iterable[str] = (), places: Iterable[str] = ()) -> tuple[Cell, ...]:
    """Cells by requirement, row or cell id (patterns as `SAF-*`, `silent_*`) and by place.

    Places match a wheel, a node or a message, `FL` as well as `EMB_FL`; nothing means all. Raises
    `UsageError` for a pattern or place that matches no cell, and where nothing is left.
    """
    wanted, where = tuple(only), tuple(places)
    for pattern in wanted:
        if not any(_named(cell, pattern) for cell in CELLS):
            raise UsageError(
                "reaction-time table",
                expected=f"a requirement ({', '.join(requirements())}) or a row",
                got=repr(pattern),
            )
    for place in where:
        if not any(_at(cell, place) for cell in CELLS):
            names = ", ".join(dict.fromkeys(cell.place for cell in CELLS))
            raise UsageError("reaction-time table", expected=f"one of {names}", got=repr(place))
    chosen = tuple(
        cell
        for cell in CELLS
        if (not wanted or any(_named(cell, pattern) for pattern in wanted))
        and (not where or any(_at(cell, place) for place in where))
    )
    if not chosen:
        got = f"{', '.join(wanted)} at {', '.join(where)}"
        raise UsageError("reaction-time table", expected="at least one cell", got=got)
    return chosen


def requirements() -> tuple[str, ...]:
    """Requirements of the table, in its order."""
    return tuple(dict.fromkeys(row.requirement for row in ROWS))


def _named(cell: Cell, pattern: str) -> bool:
    return any(fnmatchcase(name, pattern) for name in (cell.row.requirement, cell.row.id, cell.id))


def _at(cell: Cell, place: str) -> bool:
    return place in (cell.place, f"EMB_{cell.place}") or cell.place == f"EMB_{place}"
