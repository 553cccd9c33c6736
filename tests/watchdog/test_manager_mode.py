"""Changes of mode: who becomes supervised, who no longer, and what goes on."""

from __future__ import annotations

import pytest

from simcore.errors import UsageError
from simcore.units import ms
from simcore.watchdog import (
    AliveSupervision,
    DeadlineSupervision,
    EntityMode,
    ExternalGraph,
    GlobalStatus,
    LocalStatus,
    LogicalSupervision,
    StatusChange,
    SupervisedEntity,
    SupervisionMode,
    SupervisionSettings,
    WatchdogManager,
)

CYCLE_NS = ms(5)
CONTROL = SupervisedEntity(
    "control",
    ("start", "end"),
    LogicalSupervision(("start",), ("end",), (("start", "end"),)),
)
COMM = SupervisedEntity("comm", ("start",))
PARK = SupervisedEntity("park", ("start",))
CONTROL_MODE = EntityMode(
    "control",
    (AliveSupervision("start", 2, 2),),
    (DeadlineSupervision("start", "end", 0, ms(2)),),
    failed_alive_tolerance=2,
)
TIED = ExternalGraph(("control.end",), ("comm.start",), (("control.end", "comm.start"),))
DRIVE = SupervisionMode(
    "drive", (CONTROL_MODE, EntityMode("comm", (AliveSupervision("start", 1),), (), 1))
)
STAND = SupervisionMode(
    "stand", (CONTROL_MODE, EntityMode("park", (AliveSupervision("start", 1),)))
)
TIED_DRIVE = SupervisionMode("tied", DRIVE.entities, (TIED,))
QUIET = SupervisionMode("quiet", ())


def started() -> WatchdogManager:
    settings = SupervisionSettings(
        CYCLE_NS, (CONTROL, COMM, PARK), (DRIVE, STAND, TIED_DRIVE, QUIET)
    )
    manager = WatchdogManager(settings)
    manager.start(0)
    manager.main_function(0)
    return manager


def reach(manager: WatchdogManager, *names: str, now_ns: int = 0) -> None:
    for name in names:
        manager.reached(manager.checkpoint(name), now_ns)


def statuses(manager: WatchdogManager) -> dict[str, str]:
    return {name: manager.local_status(name).name for name in ("control", "comm", "park")}


def test_the_first_mode_is_the_initial_one() -> None:
    manager = started()
    assert manager.mode == "drive"
    assert statuses(manager) == {"control": "OK", "comm": "OK", "park": "DEACTIVATED"}


def test_newly_supervised_become_ok_and_others_deactivated() -> None:
    manager = started()
    changes = manager.set_mode("stand", 7)
    assert changes == (
        StatusChange(
            time_ns=7,
            entity="comm",
            before=LocalStatus.OK,
            after=LocalStatus.DEACTIVATED,
            reason="mode stand",
        ),
        StatusChange(
            time_ns=7,
            entity="park",
            before=LocalStatus.DEACTIVATED,
            after=LocalStatus.OK,
            reason="mode stand",
        ),
    )
    assert manager.mode == "stand"


def test_a_failed_entity_that_is_removed_comes_back_with_a_clean_count() -> None:
    manager = started()
    reach(manager, "control.start", "control.end")
    manager.main_function(CYCLE_NS)
    assert statuses(manager)["comm"] == "FAILED"
    manager.set_mode("stand", CYCLE_NS)
    manager.set_mode("drive", CYCLE_NS)
    manager.main_function(2 * CYCLE_NS)  # where its first reference cycle begins
    manager.main_function(3 * CYCLE_NS)
    assert statuses(manager)["comm"] == "FAILED"  # the first failed cycle, not the second
    manager.main_function(4 * CYCLE_NS)
    assert statuses(manager)["comm"] == "EXPIRED"


def test_the_global_status_follows_in_the_next_cycle() -> None:
    manager = started()
    manager.main_function(CYCLE_NS)
    assert manager.global_status is GlobalStatus.FAILED
    manager.set_mode("stand", CYCLE_NS)
    assert manager.global_status is GlobalStatus.FAILED
    manager.main_function(2 * CYCLE_NS)
    assert manager.global_status is GlobalStatus.FAILED  # control: 0 of 2
    manager = started()
    manager.main_function(CYCLE_NS)
    manager.set_mode("quiet", CYCLE_NS)
    manager.main_function(2 * CYCLE_NS)
    assert manager.global_status is GlobalStatus.OK


def test_what_is_supervised_in_both_modes_goes_on_counting() -> None:
    manager = started()
    reach(manager, "control.start", "control.end", "comm.start")
    manager.main_function(CYCLE_NS)
    manager.set_mode("stand", CYCLE_NS)
    reach(manager, "control.start", "control.end", now_ns=CYCLE_NS + 1)
    assert manager.main_function(2 * CYCLE_NS) == ()  # 2 of 2 in 2 cycles


def test_a_change_of_mode_in_the_middle_of_a_task_breaks_neither_order_nor_deadline() -> None:
    manager = started()
    reach(manager, "control.start")
    manager.set_mode("stand", 1)
    reach(manager, "control.end", now_ns=ms(2))
    assert manager.main_function(CYCLE_NS) == ()
    reach(manager, "control.start", now_ns=CYCLE_NS)
    manager.set_mode("drive", CYCLE_NS)
    reach(manager, "control.end", now_ns=CYCLE_NS + ms(3))
    (local, _) = manager.main_function(2 * CYCLE_NS)
    assert local.reason.startswith("deadline control.start..control.end 3.0 ms")


def test_an_external_graph_holds_in_its_mode_only() -> None:
    manager = started()
    reach(manager, "comm.start")
    manager.set_mode("tied", 0)
    reach(manager, "control.start", "control.end", now_ns=1)
    manager.set_mode("drive", 2)
    manager.set_mode("tied", 3)  # inactive again: an end of control has to come first
    reach(manager, "comm.start", now_ns=4)
    local, _ = manager.main_function(CYCLE_NS)
    assert local.reason == "order: comm.start before control.end"


def test_an_external_graph_of_both_modes_keeps_its_place() -> None:
    other = SupervisionMode("other", DRIVE.entities, (TIED,))
    manager = WatchdogManager(SupervisionSettings(CYCLE_NS, (CONTROL, COMM), (TIED_DRIVE, other)))
    manager.start(0)
    reach(manager, "control.start", "control.end")
    manager.set_mode("other", 1)
    reach(manager, "comm.start", now_ns=2)
    assert manager.main_function(CYCLE_NS) == ()


def test_what_was_found_in_the_old_mode_still_counts() -> None:
    manager = started()
    reach(manager, "control.end")
    change, *_ = manager.set_mode("quiet", 1)
    assert (change.entity, change.after, change.reason) == (
        "control",
        LocalStatus.EXPIRED,
        "order: control.end before control.start",
    )
    assert manager.first_expired == "control"
    manager.main_function(CYCLE_NS)
    assert manager.global_status is GlobalStatus.STOPPED


@pytest.mark.parametrize("mode", ["drive", "stand", "quiet"])
def test_no_mode_heals_an_expired_entity(mode: str) -> None:
    manager = started()
    reach(manager, "control.end")
    manager.main_function(CYCLE_NS)
    assert manager.set_mode(mode, CYCLE_NS) == ()
    assert manager.mode == "drive"
    manager.main_function(2 * CYCLE_NS)
    assert statuses(manager)["control"] == "EXPIRED"


def test_the_fraction_of_a_cycle_after_a_change_of_mode_is_not_judged() -> None:
    manager = started()
    reach(manager, "control.start", "control.end", "comm.start")
    manager.set_mode("stand", CYCLE_NS - 1)
    assert manager.main_function(CYCLE_NS) == ()
    told = {change.entity: change.reason for change in manager.main_function(2 * CYCLE_NS)}
    assert told["park"] == "alive 0 of 1 in 1 cycle at start"


def test_a_tolerance_of_the_new_mode_holds_from_the_next_cycle() -> None:
    patient = SupervisionMode("patient", (EntityMode("comm", DRIVE.entities[1].alive, (), 9),))
    hasty = SupervisionMode("hasty", (EntityMode("comm", DRIVE.entities[1].alive, (), 1),))
    manager = WatchdogManager(SupervisionSettings(CYCLE_NS, (COMM,), (patient, hasty)))
    manager.start(0)
    for cycle in range(5):
        manager.main_function(cycle * CYCLE_NS)
    assert manager.local_status("comm") is LocalStatus.FAILED
    manager.set_mode("hasty", 5 * CYCLE_NS)
    assert manager.local_status("comm") is LocalStatus.FAILED
    manager.main_function(5 * CYCLE_NS)
    assert manager.local_status("comm") is LocalStatus.EXPIRED


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^supervision mode: expected one of drive, stand, tied,"):
        started().set_mode("fly", 0)


def test_a_mode_before_the_start_is_refused() -> None:
    manager = WatchdogManager(SupervisionSettings(CYCLE_NS, (COMM,), (QUIET,)))
    with pytest.raises(UsageError, match=r"^supervision mode quiet: expected start\(\) first$"):
        manager.set_mode("quiet", 0)
