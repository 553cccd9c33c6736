"""Supervision in an ECU: tasks reach status, log and watchdog service; without it nothing happens.

A tiny ECU on a bare port. What the machines decide is tested in `tests/watchdog`.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterable

import pytest

from simcore.bus import Frame
from simcore.ecu.runtime import (
    NO_SUPERVISION,
    Ecu,
    ScheduleTable,
    SupervisedTask,
    WatchdogSupervision,
    no_checkpoint,
    read_change,
)
from simcore.ecu.runtime.supervision import ERROR_COUNT_MAX
from simcore.errors import UsageError
from simcore.network import Database
from simcore.units import ms, s, us
from simcore.watchdog.settings import (
    AliveSupervision,
    DeadlineSupervision,
    EntityMode,
    LogicalSupervision,
    SupervisedEntity,
    SupervisionMode,
    SupervisionSettings,
)
from simcore.watchdog.statuses import GlobalStatus, LocalStatus

WORK = SupervisedEntity(
    "work",
    ("start", "decided", "end"),
    logical=LogicalSupervision(("start",), ("end",), (("start", "decided"), ("decided", "end"))),
)
IDLE = SupervisedEntity("idle", ("start", "end"))


def settings(*, tolerance: int = 0, expired_tolerance: int = 0) -> SupervisionSettings:
    """Work once per cycle of 5 ms and in at most 1 ms; idle is looked at every fourth cycle."""
    work = EntityMode(
        "work",
        alive=(AliveSupervision("start", 1),),
        deadline=(DeadlineSupervision("start", "end", us(100), ms(1)),),
        failed_alive_tolerance=tolerance,
    )
    idle = EntityMode("idle", alive=(AliveSupervision("start", 1, reference_cycles=4),))
    return SupervisionSettings(
        ms(5),
        (WORK, IDLE),
        (
            SupervisionMode("run", (work, idle), expired_tolerance=expired_tolerance),
            SupervisionMode("sleep", (idle,)),
        ),
    )


class Service:
    """The software side of a watchdog: writes down whether it was allowed to serve."""

    def __init__(self) -> None:
        self.allowed: list[bool] = []

    def step(self, line: Line, now_ns: int, *, allowed: bool) -> None:
        self.allowed.append(allowed)


class Line:
    """What an ECU sees of its external watchdog."""

    def __init__(self) -> None:
        self.enabled = True
        self.error_count = 0
        self.service = Service()


class BarePort:
    """A port with memory, log and perhaps a watchdog; no bus worth speaking of."""

    def __init__(self, line: Line | None = None) -> None:
        self.name = "ECU"
        self.channels = ("CHASSIS_A",)
        self.inputs: dict[str, float] = {}
        self.memory: dict[str, bytes] = {}
        self.events: list[tuple[str, str]] = []
        self.sent: list[Frame] = []
        if line is not None:
            self.watchdog = line

    def send(self, frame: Frame, channel: str | None = None) -> None:
        self.sent.append(frame)

    def accept(self, arbitration_ids: Iterable[int] | None) -> None:
        pass

    def read(self, pin: str) -> float:
        raise AssertionError(pin)

    def write(self, pin: str, value_ratio: float) -> None:
        raise AssertionError(pin)

    def log(self, kind: str, text: str) -> None:
        self.events.append((kind, text))

    def happened(self, kind: str) -> list[str]:
        return [text for each, text in self.events if each == kind]


class Tiny(Ecu):
    """Works every 5 ms and idles every 20 ms, under supervision."""

    def __init__(
        self,
        supervision: SupervisionSettings,
        *,
        without: frozenset[str] = frozenset(),
        execution_ns: int = us(200),
    ) -> None:
        super().__init__("ECU", Database.reference())
        self.chosen = supervision
        self.without = without
        self.execution_ns = execution_ns
        self.decides = True
        self.worked_ns: list[int] = []

    def configure(self, now_ns: int) -> None:
        self.supervises(self.chosen)
        self.decided = self.checkpoint("work.decided")
        self.runs(
            "work",
            period_ns=ms(5),
            offset_ns=0,
            action=self.work,
            execution_ns=self.execution_ns,
            entity="work",
        )
        self.runs("idle", period_ns=ms(20), offset_ns=0, action=self.rest, entity="idle")
        self.runs_supervision()

    def work(self, now_ns: int) -> None:
        self.worked_ns.append(now_ns)
        if self.decides:
            self.decided(now_ns)

    def rest(self, now_ns: int) -> None:
        pass


def started(ecu: Tiny, port: BarePort, now_ns: int = 0) -> Tiny:
    ecu.start(port, now_ns)
    return ecu


def run(ecu: Ecu, until_ns: int) -> None:
    """Every task due before `until_ns`."""
    while True:
        deadline_ns = ecu.next_deadline_ns()
        assert deadline_ns is not None
        if deadline_ns >= until_ns:
            return
        ecu.on_timer(deadline_ns)


def supervised_tasks(ecu: Ecu) -> dict[str, SupervisedTask]:
    return {t.name: t.action for t in ecu._tasks if isinstance(t.action, SupervisedTask)}


def status_of(ecu: Ecu) -> GlobalStatus:
    return ecu.supervision.global_status


def is_demanded(ecu: Ecu) -> bool:
    return ecu.supervision.safe_state_demanded


def put(ecu: Ecu, name: str, action: Callable[[int], object]) -> Callable[[int], object]:
    """Run something else in place of a task from now on; returns what it was."""
    assert isinstance(ecu._schedule, ScheduleTable)
    actions = ecu._schedule._actions
    place = [task.name for task in ecu._tasks].index(name)
    was, actions[place] = actions[place], action
    return was


def hang(ecu: Ecu, name: str) -> Callable[[int], object]:
    """From now on the task is never run."""
    return put(ecu, name, no_checkpoint)


# -- everything in order -----------------------------------------------------------------------


def test_tasks_that_run_as_expected_stay_ok_and_the_watchdog_is_served_every_cycle() -> None:
    line = Line()
    port = BarePort(line)
    ecu = started(Tiny(settings()), port)
    run(ecu, ms(1000))
    assert ecu.supervision.global_status is GlobalStatus.OK
    assert ecu.supervision.local_status("work") is LocalStatus.OK
    assert ecu.supervision.first_expired_code == 0
    assert line.service.allowed == [True] * 200
    assert port.events == [("note", "supervision DEACTIVATED -> OK (started)")]


def test_the_supervision_task_runs_after_all_others_of_its_instant() -> None:
    ecu = started(Tiny(settings()), BarePort())
    assert [task.name for task in ecu._tasks] == ["work", "idle", "supervision"]


def test_a_supervised_task_can_be_called_in_parts() -> None:
    """As a disturbed schedule does: the deadline is that of start and end, whenever they come."""
    ecu = started(Tiny(settings()), BarePort())
    task = supervised_tasks(ecu)["work"]
    assert task.execution_ns == us(200)
    for start_ns, end_ns, expired in ((ms(5), ms(6), False), (ms(10), ms(11) + 1, True)):
        task.start(start_ns)
        task.action(start_ns + us(1))
        task.end(end_ns)
        run(ecu, start_ns + 1)
        assert (ecu.supervision.local_status("work") is LocalStatus.EXPIRED) is expired


# -- what goes wrong in a task -----------------------------------------------------------------


def test_a_hung_task_expires_and_the_service_stops_in_the_same_cycle() -> None:
    line = Line()
    port = BarePort(line)
    ecu = started(Tiny(settings()), port)
    run(ecu, ms(20))
    hang(ecu, "work")
    run(ecu, ms(40))
    assert ecu.supervision.local_status("work") is LocalStatus.EXPIRED
    assert ecu.supervision.global_status is GlobalStatus.STOPPED
    assert ecu.supervision.first_expired_code == 1
    assert line.service.allowed == [True] * 4 + [False] * 4
    (found,) = port.happened("detection")
    assert found.startswith("supervision: work EXPIRED (alive 0 of 1")
    (state,) = port.happened("state")
    assert state.startswith("supervision OK -> STOPPED (")


def test_a_tolerated_miss_is_failed_and_heals_with_a_note() -> None:
    line = Line()
    port = BarePort(line)
    ecu = started(Tiny(settings(tolerance=2)), port)
    run(ecu, ms(20))
    was = hang(ecu, "work")
    run(ecu, ms(25))
    assert status_of(ecu) is GlobalStatus.FAILED
    put(ecu, "work", was)
    run(ecu, ms(60))
    assert status_of(ecu) is GlobalStatus.OK
    assert all(line.service.allowed)
    assert [text.split(" (")[0] for text in port.happened("detection")] == [
        "supervision: work FAILED"
    ]
    assert "supervision: work OK" in [text.split(" (")[0] for text in port.happened("note")]
    assert [text.split(" (")[0] for text in port.happened("state")] == [
        "supervision OK -> FAILED",
        "supervision FAILED -> OK",
    ]


def test_a_task_that_takes_too_long_is_a_deadline_violation() -> None:
    port = BarePort(Line())
    ecu = started(Tiny(settings()), port)
    run(ecu, ms(20))
    supervised_tasks(ecu)["work"].execution_ns = ms(1) + 1
    run(ecu, ms(30))
    assert ecu.supervision.local_status("work") is LocalStatus.EXPIRED
    assert "deadline work.start..work.end" in port.happened("detection")[0]


def test_a_task_that_leaves_out_a_step_breaks_the_order() -> None:
    port = BarePort(Line())
    ecu = started(Tiny(settings()), port)
    run(ecu, ms(20))
    ecu.decides = False
    run(ecu, ms(30))
    assert ecu.supervision.local_status("work") is LocalStatus.EXPIRED
    assert "order: work.end after work.start" in port.happened("detection")[0]


def test_an_expired_entity_is_served_for_as_long_as_it_is_tolerated() -> None:
    line = Line()
    ecu = started(Tiny(settings(expired_tolerance=2)), BarePort(line))
    run(ecu, ms(20))
    hang(ecu, "work")
    run(ecu, ms(50))
    assert line.service.allowed == [True] * 6 + [False] * 4


# -- monitoring of function --------------------------------------------------------------------


def test_who_demands_the_safe_state_stops_the_service_for_good_and_is_logged_once() -> None:
    line = Line()
    port = BarePort(line)
    ecu = started(Tiny(settings()), port)
    run(ecu, ms(10))
    ecu.supervision.demand_safe_state("force beyond what is permitted")
    ecu.supervision.demand_safe_state("and again")
    run(ecu, ms(20))
    assert is_demanded(ecu)
    assert line.service.allowed == [True, True, False, False]
    assert ecu.supervision.global_status is GlobalStatus.OK
    assert port.happened("reaction") == [
        "watchdog no longer served: force beyond what is permitted"
    ]
    started(ecu, port, ms(20))
    assert not is_demanded(ecu)
    run(ecu, ms(30))
    assert line.service.allowed[-2:] == [True, True]


def test_a_change_of_status_does_not_bring_the_service_back() -> None:
    line = Line()
    ecu = started(Tiny(settings(tolerance=2)), BarePort(line))
    run(ecu, ms(10))
    ecu.supervision.demand_safe_state("force beyond what is permitted")
    was = hang(ecu, "work")
    run(ecu, ms(15))
    assert status_of(ecu) is GlobalStatus.FAILED
    put(ecu, "work", was)
    run(ecu, ms(50))
    assert status_of(ecu) is GlobalStatus.OK
    assert line.service.allowed == [True] * 2 + [False] * 8


# -- resets ------------------------------------------------------------------------------------


def test_the_first_expired_entity_survives_a_restart_through_memory() -> None:
    port = BarePort(Line())
    ecu = started(Tiny(settings()), port)
    hang(ecu, "idle")
    run(ecu, ms(25))
    assert ecu.supervision.first_expired_code == 2
    started(ecu, port, ms(100))
    assert ecu.supervision.global_status is GlobalStatus.OK
    assert ecu.supervision.first_expired_code == 2
    assert "supervision: idle had expired first before this start" in port.happened("note")
    started(ecu, BarePort(Line()), ms(200))
    assert ecu.supervision.first_expired_code == 0


# -- the external watchdog ---------------------------------------------------------------------


def test_the_supervision_tells_what_the_watchdog_shows() -> None:
    line = Line()
    ecu = started(Tiny(settings()), BarePort(line))
    line.enabled, line.error_count = False, 7
    assert (ecu.supervision.enabled, ecu.supervision.error_count) == (False, 7)
    line.error_count = 200
    assert ecu.supervision.error_count == ERROR_COUNT_MAX


def test_a_watchdog_that_is_changed_while_it_runs_is_the_one_that_is_served() -> None:
    line, other = Line(), Line()
    port = BarePort(line)
    ecu = started(Tiny(settings()), port)
    run(ecu, ms(10))
    port.watchdog = other
    run(ecu, ms(20))
    assert (len(line.service.allowed), len(other.service.allowed)) == (2, 2)


def test_supervision_works_without_an_external_watchdog() -> None:
    port = BarePort()
    ecu = started(Tiny(settings()), port)
    run(ecu, ms(20))
    hang(ecu, "work")
    run(ecu, ms(40))
    assert ecu.supervision.global_status is GlobalStatus.STOPPED
    assert (ecu.supervision.enabled, ecu.supervision.error_count) == (True, 0)


def test_a_change_of_mode_is_told_by_entity() -> None:
    port = BarePort()
    ecu = started(Tiny(settings()), port)
    run(ecu, ms(20))
    ecu.supervision.set_mode("sleep", ms(20))
    assert ecu.supervision.local_status("work") is LocalStatus.DEACTIVATED
    assert "supervision: work DEACTIVATED (mode sleep)" in port.happened("note")
    hang(ecu, "work")
    run(ecu, ms(60))
    assert ecu.supervision.global_status is GlobalStatus.OK


# -- left out ----------------------------------------------------------------------------------


def test_without_the_watchdog_there_is_no_supervision_and_no_task_of_it() -> None:
    line = Line()
    port = BarePort(line)
    ecu = started(Tiny(settings(), without=frozenset({"watchdog"})), port)
    assert supervised_tasks(ecu) == {}
    assert [task.name for task in ecu._tasks] == ["work", "idle"]
    assert ecu.decided is no_checkpoint
    ecu.supervision.demand_safe_state("nobody cares")
    run(ecu, ms(100))
    assert line.service.allowed == []
    assert port.events == []
    assert ecu.supervision.global_status is GlobalStatus.DEACTIVATED
    assert ecu.supervision.local_status("work") is LocalStatus.DEACTIVATED
    assert not ecu.supervision.safe_state_demanded
    line.enabled = False
    assert (ecu.supervision.enabled, ecu.supervision.error_count) == (True, 0)


def test_without_the_watchdog_the_tasks_do_what_they_did() -> None:
    with_it, without = Tiny(settings()), Tiny(settings(), without=frozenset({"watchdog"}))
    for ecu in (with_it, without):
        run(started(ecu, BarePort()), ms(50))
    assert with_it.worked_ns == without.worked_ns == [ms(5 * k) for k in range(10)]


class Talking(Ecu):
    """Sends a supervised message and receives one."""

    def __init__(self, *without: str) -> None:
        super().__init__("CDC", Database.reference())
        self.without = frozenset(without)

    def configure(self, now_ns: int) -> None:
        sending = EntityMode("idle", alive=(AliveSupervision("end", 1, reference_cycles=2),))
        self.supervises(SupervisionSettings(ms(5), (IDLE,), (SupervisionMode("run", (sending,)),)))
        self.pedal = self.receives("BPS_Pedal")
        self.sends("CDC_WhlSpd", self.pack, execution_ns=us(100), entity="idle")
        self.runs_supervision()

    def pack(self, now_ns: int) -> bytes:
        return bytes(self.database.message("CDC_WhlSpd").length)


def test_sending_can_be_supervised_like_any_task() -> None:
    port = BarePort()
    ecu = Talking()
    ecu.start(port, 0)
    run(ecu, ms(1000))
    assert len(port.sent) == 100
    assert ecu.supervision.global_status is GlobalStatus.OK
    put(ecu, "send CDC_WhlSpd", no_checkpoint)
    run(ecu, ms(1020))
    assert status_of(ecu) is GlobalStatus.STOPPED


@pytest.mark.parametrize("without", ["e2e", "deadline"])
def test_receptions_do_without_what_the_ecu_does_without(without: str) -> None:
    ecu = Talking(without)
    ecu.start(BarePort(), 0)
    ecu.pedal.receive(bytes(ecu.pedal.message.length), 0)  # checksum wrong
    assert ecu.pedal.usable(0) is (without == "e2e")
    assert (ecu.pedal.expected_ns > s(1000)) is (without == "deadline")


# -- copies ------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["deepcopy", "pickle"])
def test_a_copy_goes_on_as_the_original_would_and_apart_from_it(by: str) -> None:
    ecu = started(Tiny(settings(tolerance=2)), BarePort(Line()))
    run(ecu, ms(20))
    copied = copy.deepcopy(ecu) if by == "deepcopy" else pickle.loads(pickle.dumps(ecu))
    hang(copied, "work")
    for each in (ecu, copied):
        run(each, ms(100))
    assert ecu.supervision.global_status is GlobalStatus.OK
    assert copied.supervision.global_status is GlobalStatus.STOPPED


# -- orders that cannot be followed ------------------------------------------------------------


class Forgetful(Ecu):
    """Supervises only if told; then does one thing wrong."""

    def __init__(self, mistake: str) -> None:
        super().__init__("ECU", Database.reference())
        self.mistake = mistake

    def configure(self, now_ns: int) -> None:
        getattr(self, self.mistake)()

    def task_without(self) -> None:
        self.runs("work", period_ns=1, offset_ns=0, action=no_checkpoint, entity="work")

    def checkpoint_without(self) -> None:
        self.checkpoint("work.start")

    def supervision_task_without(self) -> None:
        self.runs_supervision()

    def unknown_entity(self) -> None:
        self.supervises(settings())
        self.runs("play", period_ns=1, offset_ns=0, action=no_checkpoint, entity="play")

    def late(self) -> None:
        self.runs("work", period_ns=1, offset_ns=0, action=no_checkpoint)
        self.supervises(settings())

    def task_behind(self) -> None:
        self.supervises(settings())
        self.runs_supervision()
        self.runs("work", period_ns=1, offset_ns=0, action=no_checkpoint)

    def odd_period(self) -> None:
        self.supervises(settings())
        self.runs_supervision(period_ns=ms(3))

    def negative(self) -> None:
        self.runs("work", period_ns=1, offset_ns=0, action=no_checkpoint, execution_ns=-1)


@pytest.mark.parametrize(
    ("mistake", "text"),
    [
        ("task_without", r"ECU: task work: expected self.supervises\(settings\) first"),
        ("checkpoint_without", r"ECU: checkpoint work.start: expected self.supervises"),
        ("supervision_task_without", r"ECU: runs_supervision: expected self.supervises"),
        ("unknown_entity", r"checkpoint: expected one of work.start, .*got 'play.start'"),
        ("late", r"ECU: supervises: expected before any task, got work"),
        ("task_behind", r"ECU: task work: expected runs_supervision as the last"),
        (
            "odd_period",
            r"ECU: period of the supervision task: expected .* of 5 ms, got 3 ms",
        ),
        ("negative", r"ECU: task work, execution_ns: expected >= 0, got -1"),
    ],
)
def test_an_ecu_that_is_put_together_wrongly_is_refused(mistake: str, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        Forgetful(mistake).start(BarePort(), 0)


class TwiceACycle(Tiny):
    """Serves every 5 ms, judges every 10 ms."""

    def configure(self, now_ns: int) -> None:
        mode = SupervisionMode("run", (EntityMode("idle"),))
        self.supervises(SupervisionSettings(ms(10), (IDLE,), (mode,)))
        self.runs_supervision(ms(5))


def test_the_watchdog_may_be_served_more_often_than_the_supervision_cycle() -> None:
    line = Line()
    ecu = started(TwiceACycle(settings()), BarePort(line))
    assert isinstance(ecu.supervision, WatchdogSupervision)
    run(ecu, ms(50))
    assert len(line.service.allowed) == 10


def test_an_ecu_supervises_nothing_before_its_start() -> None:
    assert Tiny(settings()).supervision is NO_SUPERVISION


# -- the log and back --------------------------------------------------------------------------


def test_every_change_of_status_can_be_read_back_from_the_log() -> None:
    port = BarePort()
    ecu = started(Tiny(settings(tolerance=1, expired_tolerance=1)), port)
    run(ecu, ms(20))
    hang(ecu, "work")
    run(ecu, ms(60))
    seen = [read_change(text) for _, text in port.events]
    assert [(each.entity, each.status) for each in seen if each is not None] == [
        ("", GlobalStatus.OK),
        ("work", LocalStatus.FAILED),
        ("", GlobalStatus.FAILED),
        ("work", LocalStatus.EXPIRED),
        ("", GlobalStatus.EXPIRED),
        ("", GlobalStatus.STOPPED),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "READY -> DEGRADED (FAULT)",
        "supervision: idle had expired first before this start",
        "supervision OK -> LOST (x)",
        "supervision: work TIRED (x)",
        "",
    ],
)
def test_other_events_are_no_change_of_supervision(text: str) -> None:
    assert read_change(text) is None
