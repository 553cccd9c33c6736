"""Faults between software and watchdog, on a device of each kind beside a small supervised ECU."""

from __future__ import annotations

import pickle

import pytest

from simcore import Database, Restbus, UsageError, ms, us
from simcore.ecu.runtime import Ecu
from simcore.faults import (
    EcuReset,
    WatchdogAnswerEarly,
    WatchdogAnswerLate,
    WatchdogAnswerMissing,
    WatchdogAnswerWrong,
)
from simcore.faults.watchdog import WatchdogFault
from simcore.watchdog import (
    AliveSupervision,
    EntityMode,
    SupervisedEntity,
    SupervisionMode,
    SupervisionSettings,
)
from simcore.watchdog.device import DeviceSettings
from simcore.watchdog.presets import fs65, tlf35584, tps65381

NODE = "VCU"
DEVICES: dict[str, DeviceSettings] = {
    "tlf35584": tlf35584(),
    "tps65381": tps65381(),
    "fs65": fs65(),
}
SETTINGS = SupervisionSettings(
    ms(5),
    (SupervisedEntity("work", ("start", "end")),),
    (SupervisionMode("on", (EntityMode("work", alive=(AliveSupervision("start", 1),)),)),),
)
WRONG = WatchdogAnswerWrong(node=NODE)
MISSING = WatchdogAnswerMissing(node=NODE)
EARLY = WatchdogAnswerEarly(node=NODE)
LATE = WatchdogAnswerLate(node=NODE)
EVERY_FAULT: list[WatchdogFault] = [WRONG, MISSING, EARLY, LATE]


class Supervised(Ecu):
    """One supervised task every 5 ms, and the service."""

    def configure(self, now_ns: int) -> None:
        self.supervises(SETTINGS)
        self.runs("work", period_ns=ms(5), offset_ns=0, action=self._work, entity="work")
        self.runs_supervision()

    def _work(self, now_ns: int) -> None:
        self.worked_ns = now_ns


def guarded(device: str) -> Restbus:
    """300 ms after power on: enabled, no error counted."""
    rig = Restbus(Database.reference(), play=["BPS"])
    rig.replace(NODE, Supervised(NODE, rig.database))
    rig.guard(NODE, DEVICES[device], cuts="nothing")
    rig.run_for(ms(300))
    board = rig.host(NODE).board
    assert board is not None
    assert (board.enabled, board.error_count) == (True, 0)
    return rig


def enabled(rig: Restbus) -> bool:
    board = rig.host(NODE).board
    return board is not None and board.enabled


def texts(rig: Restbus, kind: str) -> list[str]:
    return [e.text for e in rig.log.events if e.kind == kind and e.source == NODE]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (WRONG, "wrong"),
        (MISSING, "missing"),
        (EARLY, "early|closed window"),
        (LATE, "late|missing"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, WatchdogFault) else "",
)
def test_the_device_finds_it_drops_its_line_and_all_is_well_when_it_ends(
    fault: WatchdogFault, told: str, device: str
) -> None:
    rig = guarded(device)
    assert texts(rig, "detection") == []
    injected = rig.inject(fault)
    # A device that counts +1 and -1 forgives one bad service in two for ever.
    drops = (type(fault), device) != (WatchdogAnswerEarly, "tps65381")
    assert rig.run_until(lambda: not enabled(rig), timeout=ms(200)) is drops
    found = " ".join(texts(rig, "detection"))
    assert any(word in found for word in told.split("|")), found
    injected.clear()
    rig.run_for(ms(600))
    assert enabled(rig)
    before = len(texts(rig, "detection"))
    rig.run_for(ms(100))
    assert len(texts(rig, "detection")) == before


def test_wrong_answers_are_counted_and_a_number_of_them_ends_by_itself() -> None:
    rig = guarded("fs65")
    injected = rig.inject(WatchdogAnswerWrong(node=NODE, count=1, bit=3))
    rig.run_for(ms(60))
    assert injected.stop_ns is not None
    assert injected.record.effect == "1 service wrong"
    assert len([text for text in texts(rig, "detection") if "answer wrong" in text]) == 1
    assert enabled(rig)


def test_missing_services_that_are_few_do_not_drop_the_line() -> None:
    rig = guarded("fs65")
    injected = rig.inject(WatchdogAnswerMissing(node=NODE, count=1))
    rig.run_for(ms(60))
    assert injected.record.effect == "1 service missing"
    assert enabled(rig)


def test_a_window_watchdog_alone_has_no_answer_that_could_be_wrong() -> None:
    line = _Line()
    tampered = WRONG.disturbed(line, _tampering())  # type: ignore[arg-type]
    tampered.trigger(5)
    tampered.answer(0b1010, 6)
    assert line.calls == [("trigger", 5), ("answer", 0b1011, 6)]


class _Line:
    """Keeps what arrives."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def trigger(self, now_ns: int) -> None:
        self.calls.append(("trigger", now_ns))

    def answer(self, value: int, now_ns: int) -> None:
        self.calls.append(("answer", value, now_ns))


class _tampering:  # noqa: N801 (stands in for an object)
    def touches(self) -> bool:
        return True


def test_a_late_service_that_a_reset_overtakes_is_dropped() -> None:
    rig = guarded("fs65")
    rig.inject(WatchdogAnswerLate(node=NODE, delay_ns=us(2500)))
    rig.run_for(ms(11))
    rig.inject(EcuReset(node=NODE))
    rig.run_for(ms(40))
    assert rig.log.findings == []


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("fault", EVERY_FAULT, ids=lambda fault: type(fault).__name__)
def test_it_forks_and_pickles_in_the_middle(fault: WatchdogFault, device: str) -> None:
    rig = guarded(device)
    rig.inject(fault, duration=ms(25))
    rig.run_for(ms(11) + us(300))
    others = [rig.fork(), pickle.loads(pickle.dumps(rig))]
    for each in (rig, *others):
        each.run_for(ms(80))
        assert each.faults[0].stop_ns == ms(325)
    assert {each.digest for each in others} == {rig.digest}
    assert {each.faults[0].record.effect for each in others} == {rig.faults[0].record.effect}


# ---- what is refused ----


def test_a_node_without_a_watchdog_is_refused() -> None:
    rig = Restbus(Database.reference(), play=["VCU"])
    for fault in (MISSING, MISSING.at(ms(5)), MISSING.after("state")):
        with pytest.raises(
            UsageError,
            match=r"^WatchdogAnswerMissing, node VCU: expected a node with an external watchdog, "
            r"got none$",
        ):
            rig.inject(fault)
    assert rig.faults == []


def test_a_node_that_is_off_serves_no_watchdog() -> None:
    rig = guarded("fs65")
    rig.silence(NODE)
    with pytest.raises(UsageError, match=r"^WatchdogAnswerWrong, node VCU: expected a node that "):
        rig.inject(WRONG)


def test_services_that_never_came_are_counted_as_none() -> None:
    rig = guarded("tlf35584")
    injected = rig.inject(WRONG)
    rig.silence(NODE)
    rig.run_for(ms(20))
    assert (injected.did_nothing, injected.record.effect) == (True, "0 services wrong")


def test_two_faults_that_invert_the_same_bit_leave_it_inverted() -> None:
    rig = guarded("fs65")
    faults = [rig.inject(WRONG) for _ in range(2)]
    for injected in faults:
        before = len(texts(rig, "detection"))
        rig.run_for(ms(12))
        assert len(texts(rig, "detection")) > before
        injected.clear()
    rig.run_for(ms(600))
    before = len(texts(rig, "detection"))
    rig.run_for(ms(100))
    assert len(texts(rig, "detection")) == before


@pytest.mark.parametrize("kind", [type(fault) for fault in EVERY_FAULT])
def test_a_number_of_services_is_at_least_one(kind: type[WatchdogFault]) -> None:
    with pytest.raises(
        UsageError, match=rf"^{kind.__name__}.count: expected an integer >= 1, got 0"
    ):
        kind(node=NODE, count=0)


def test_a_bit_that_an_answer_has_not_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^WatchdogAnswerWrong.bit: expected 0..7, got 8$"):
        WatchdogAnswerWrong(node=NODE, bit=8)


def test_times_are_more_than_nothing() -> None:
    with pytest.raises(UsageError, match=r"^WatchdogAnswerEarly.after_ns: expected an integer >="):
        WatchdogAnswerEarly(node=NODE, after_ns=0)
    with pytest.raises(UsageError, match=r"^WatchdogAnswerLate.delay_ns: expected an integer >="):
        WatchdogAnswerLate(node=NODE, delay_ns=0)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (WRONG, "VCU: every service of the watchdog wrong"),
        (
            WatchdogAnswerMissing(node="CDC", count=3),
            "CDC: the next 3 services of the watchdog missing",
        ),
        (
            EARLY,
            "VCU: every service of the watchdog early: the next one 1 ms behind it",
        ),
        (LATE, "VCU: every service of the watchdog late by 20 ms"),
    ],
)
def test_every_watchdog_fault_has_its_sentence(fault: WatchdogFault, sentence: str) -> None:
    assert fault.sentence == sentence
