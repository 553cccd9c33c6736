"""What each mechanism is worth: left out, these of the cells measured here turn red."""

from __future__ import annotations

import pytest

from simcore.ecu.mechanisms import MECHANISMS
from simcore.rig.coverage import FaultModel, Mechanism
from simcore.rig.coverage_run import measure_coverage
from simcore.rig.ftti_result import CellVerdict
from simcore.rig.ftti_run import measure_table
from simcore.rig.ftti_table import cell_named
from simcore.watchdog.manager import WatchdogManager
from simcore.watchdog.statuses import StatusChange

pytestmark = pytest.mark.campaign

_UNDETECTED, _UNSAFE = CellVerdict.UNDETECTED, CellVerdict.UNSAFE
_CHECKSUM = "command_checksum.CDC_EmbCmd.braking"
_STATUS = "status_checksum.FL.braking"
_SILENT = "silent_actuator.FL.braking"
_STOPPED = "command_stopped.CDC_EmbCmd.braking"
_HUNG = "control_hung.CDC.braking"
_SKIPPED = "actuator_skipped.FL.braking"
_FREE = "brake_free.FL.braking"
_LATER = "command_ever_later.CDC_EmbCmd.braking"
_CLAMPS = "unintended_more.FL.braking"
_ALIVE = "alive_supervision.CDC/control.cruise"
_DEADLINE = "deadline_supervision.EMB_FL/monitor.cruise"
_ORDER = "logical_supervision_secondary.CDC2/control/send CDC2_EmbCmd.secondary"
_SUPERVISED = (_ALIVE, _DEADLINE, _ORDER)
_PEDAL = "pedal_stuck.pedal_travel_1_mm.braking"

RED: dict[str, dict[str, CellVerdict]] = {
    "e2e": {_CHECKSUM: _UNDETECTED, _STATUS: _UNDETECTED},
    "deadline": {_SILENT: _UNDETECTED, _STOPPED: _UNDETECTED},
    "arrival": {_LATER: _UNDETECTED},
    "watchdog": {
        **dict.fromkeys((_HUNG, _SKIPPED, *_SUPERVISED), _UNDETECTED),
        _CLAMPS: _UNSAFE,
    },
    "redistribution": {
        _SILENT: _UNSAFE,
        _STATUS: _UNSAFE,
        _SKIPPED: CellVerdict.LATE,  # safe once it is back after its reset
        _FREE: _UNSAFE,
    },
    "monitor": {_CLAMPS: _UNSAFE},
    "plausibility": {_PEDAL: CellVerdict.HAZARD},
}
CELLS = [cell_named(name) for name in dict.fromkeys(name for red in RED.values() for name in red)]


def red_cells(*without: str) -> dict[str, CellVerdict]:
    table = measure_table(CELLS, phases=1, without=without)
    assert [cell.error for cell in table.cells if cell.error] == []
    return {cell.id: cell.verdict for cell in table.cells if cell.verdict is not CellVerdict.PASSED}


def test_with_every_mechanism_in_place_all_of_these_cells_pass() -> None:
    assert red_cells() == {}


def test_every_mechanism_is_left_out_once() -> None:
    assert set(RED) == set(MECHANISMS)


@pytest.mark.parametrize("mechanism", RED)
def test_without_a_mechanism_its_rows_turn_red(mechanism: str) -> None:
    assert red_cells(mechanism) == RED[mechanism]


def test_a_watchdog_manager_whose_main_function_is_dead_turns_its_rows_red(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The external watchdogs are alive: that they are served says nothing of the supervision."""

    def dead(manager: WatchdogManager, now_ns: int) -> tuple[StatusChange, ...]:
        return ()

    monkeypatch.setattr(WatchdogManager, "main_function", dead)
    table = measure_table([cell_named(name) for name in _SUPERVISED], phases=1)
    assert [cell.verdict for cell in table.cells] == [_UNDETECTED] * 3


@pytest.mark.parametrize(
    ("mechanism", "model", "fired"),
    [
        ("deadline", FaultModel.BLOCKED, Mechanism.TIMEOUT),
        ("deadline", FaultModel.LOSS, Mechanism.TIMEOUT),
        ("arrival", FaultModel.CONSTANT_DELAY, Mechanism.ARRIVAL),
    ],
)
def test_without_a_mechanism_it_covers_nothing(
    mechanism: str, model: FaultModel, fired: Mechanism
) -> None:
    (normal,) = measure_coverage(seed=2, runs=3, models=(model,)).rows
    (without,) = measure_coverage(seed=2, runs=3, models=(model,), without=[mechanism]).rows
    assert normal.fired[fired] > 0
    assert without.fired[fired] == 0
    assert without.noticed < normal.noticed
