"""Cases of a domain controller: the sound one passes, planted defects are failed."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from simcore import Rig, UsageError, ms
from simcore.attach.dut import Dut, dut_of, load_dut
from simcore.bus import Frame
from simcore.ecu import Cdc
from simcore.ecu.cdc.pedal import PedalInput
from simcore.network import Database
from simcore.resources import dbc_path
from simcore.rig.software import factory_flash, layout
from simcore.testing.conformance.case import Case, StandKind
from simcore.testing.conformance.controller_stand import (
    build_vehicle,
    install,
    vehicle_gap,
)
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.judge import CaseRun
from simcore.testing.conformance.plan import plan
from simcore.testing.conformance.result import CaseResult, CaseVerdict
from simcore.update.flash import Flash
from tests.mutants.controllers import JoinsWithStep, UnknownSpeedIsZero

NODE = "CDC"
SOUND = (
    "control.step.latency",
    "e2e.receive.pedal.checksum",
    "fault.silent.FR",
    "redundancy.partner.silent",
    "watchdog.once",
)
"""One of each group; all of them are run by hand: see the closing figures of a change."""


@pytest.fixture(scope="module")
def interface() -> Interface:
    return Interface.of(Database.reference(), NODE)


@pytest.fixture(scope="module")
def cases(interface: Interface) -> dict[str, Case]:
    return {case.id: case for case in plan(interface)}


Judge = Callable[..., list[CaseResult]]


@pytest.fixture(scope="module")
def judge(interface: Interface, cases: dict[str, Case]) -> Judge:
    """Runs some cases on one module, each on a fork of one warmed-up vehicle."""

    def run(dut: Dut, *ids: str) -> list[CaseResult]:
        kept = CaseRun(interface=interface, dut=dut, seed=0, budget=20)
        return [kept.run(cases[each]) for each in ids]

    return run


def wrong(results: Sequence[CaseResult]) -> list[str]:
    """What was judged wrong, for a message that helps."""
    return [
        f"{result.id}: {each.text}: {each.measured}, {each.limit} {result.reason}"
        for result in results
        for each in result.judgements
        if not each.passed
    ]


# ---- planted defects ----


class TrustsItsFirstChannel(PedalInput):
    """Reads the first channel alone."""

    __slots__ = ()

    def _judge(self, sample: tuple[Any, ...], now_ns: int) -> None:
        self._sample = sample
        self.available = True
        self._travel_mm = float(sample[0])
        self.vote.selection = type(self.vote.selection)(1)


class _Altered(Cdc):
    """A controller whose application is changed after each start."""

    def start(self, port: Any, now_ns: int) -> None:
        super().start(port, now_ns)
        self.alter()

    def alter(self) -> None: ...


class OneChannel(_Altered):
    def alter(self) -> None:
        self.application.pedal.__class__ = TrustsItsFirstChannel


class NoRedistribution(_Altered):
    def alter(self) -> None:
        self.application._redistributes = False


class _Port:
    """A port that changes frames on their way out."""

    def __init__(self, port: Any, change: Callable[[Frame], Frame | None]) -> None:
        self.__dict__.update(_port=port, _change=change)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._port, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._port, name, value)

    def send(self, frame: Frame, channel: str | None = None) -> None:
        changed = self._change(frame)
        if changed is not None:
            self._port.send(changed, channel)


class SilentOnCommand(Cdc):
    """Sends no commands at all."""

    def start(self, port: Any, now_ns: int) -> None:
        super().start(_Port(port, self.changed), now_ns)

    def changed(self, frame: Frame) -> Frame | None:
        return None if frame.arbitration_id == self.command_id else frame

    command_id = Database.reference().message("CDC_EmbCmd").arbitration_id


# ---- the stand ----


def test_the_module_stands_beside_the_watchdog_and_the_flash_of_its_place() -> None:
    rig = Rig()
    install(rig, NODE, Cdc(NODE, rig.database))
    host = rig.host(NODE)
    assert host.board is not None and not host.board.built_in
    assert host.flash is not None and rig.node(NODE).software_settings is not None  # type: ignore[attr-defined]
    rig.run_for(ms(120))
    assert host.board.enabled and rig.signal("CDC_BrkSt", "CDC_WdgErrCnt") == 0
    running = layout().running
    written, blank = running.on(host.flash).read(0, 64), Flash(host.flash.geometry)
    assert written == running.on(factory_flash(NODE)).read(0, 64) != running.on(blank).read(0, 64)


def test_a_flash_is_refused_where_the_place_has_none() -> None:
    rig = Rig()
    with pytest.raises(UsageError, match=r"replace CDC2, flash: expected a place with a flash"):
        rig.replace("CDC2", Cdc("CDC2", rig.database), flash=factory_flash("CDC"))


def test_a_module_that_is_no_ecu_is_let_alone() -> None:
    class Deaf:
        def start(self, port: Any, now_ns: int) -> None: ...
        def receive(self, frame: Any, now_ns: int) -> None: ...
        def on_timer(self, now_ns: int) -> None: ...
        def next_deadline_ns(self) -> int | None: ...

    rig = Rig()
    install(rig, NODE, Deaf())
    rig.run_for(ms(20))
    assert not hasattr(rig.node(NODE), "software_settings")


def test_the_vehicle_is_warm_and_stands(interface: Interface) -> None:
    rig = build_vehicle(interface, load_dut("reference"))
    assert rig.now_ns == ms(500) and rig.vehicle.speed_mps == 0.0
    assert rig.signal("CDC_BrkSt", "CDC_DegrLvl") == 0 and not rig.log.findings


def test_a_network_without_the_chassis_has_no_vehicle(tmp_path: Any) -> None:
    assert vehicle_gap(Database.reference()) == ""
    file = tmp_path / "small.dbc"
    file.write_text('VERSION ""\nBU_: A B\nBO_ 1 M: 8 A\n SG_ S : 0|8@1+ (1,0) [0|255] "" B\n')
    gap = vehicle_gap(Database.load(file))
    assert gap.startswith("the reference chassis does not fit this network: ")


# ---- the plan ----


def test_there_are_enough_cases_in_every_group_and_each_names_a_requirement(
    cases: dict[str, Case],
) -> None:
    vehicle = [case for case in cases.values() if case.stand is StandKind.VEHICLE]
    counts = Counter(case.id.split(".")[0] for case in vehicle)
    assert len(vehicle) >= 100 and len(cases) >= 160
    assert counts["control"] >= 25 and counts["fault"] >= 35 and counts["e2e"] >= 30
    assert counts["redundancy"] >= 8 and counts["watchdog"] >= 8 and counts["timeout"] >= 6
    assert all(case.requirements for case in vehicle)
    assert all(pickle.loads(pickle.dumps(case)).id == case.id for case in vehicle)


def test_a_list_without_bindings_of_a_controller_has_no_case_of_it(interface: Interface) -> None:
    from dataclasses import replace

    from simcore.testing.conformance.groups import controller_control, controller_e2e

    bare = replace(interface, bindings={})
    assert controller_control.cases(bare) == [] and controller_e2e.cases(bare) == []


def test_every_demand_of_the_cases_stands_for_a_requirement_of_the_node(
    interface: Interface,
) -> None:
    for table in ("demands", "update_demands"):
        named = interface.binding(table)
        assert set(named.values()) <= set(interface.requirements)
        assert len(set(named.values())) == len(named)


# ---- verdicts ----


def test_the_reference_passes_one_of_each_group(judge: Judge) -> None:
    results = judge(load_dut("reference"), *SOUND)
    assert [each.verdict for each in results] == [CaseVerdict.PASSED] * len(SOUND), wrong(results)


@pytest.mark.parametrize(
    ("factory", "case", "requirement"),
    [
        (OneChannel, "fault.pedal.1.stuck_low", "SAF-003"),
        (NoRedistribution, "fault.silent.FR", "SAF-001"),
        (SilentOnCommand, "control.step.latency", "BRK-002"),
        (JoinsWithStep, "redundancy.partner.rejoin_slip", "DEG-002"),
        (UnknownSpeedIsZero, "control.wheels.unknown.FL", "BRK-011"),
    ],
)
def test_a_planted_defect_is_failed_by_its_requirement(
    judge: Judge, factory: type[Cdc], case: str, requirement: str
) -> None:
    (result,) = judge(dut_of(factory), case)
    assert result.verdict is CaseVerdict.FAILED and requirement in result.requirements
    blamed = {each.requirement for each in result.judgements if not each.passed}
    assert requirement in blamed, wrong([result])


@pytest.mark.parametrize("named", [True, False])
def test_a_list_with_other_ids_is_blamed_by_them(tmp_path: Path, named: bool) -> None:
    """Without the table of demands a judgement counts for all requirements of its case."""
    text = dbc_path("requirements.toml").read_text(encoding="utf-8").replace("BRK-", "OWN-")
    if not named:
        text = text.replace("[interface.controller.demands]", "[interface.controller.unread]")
    file = tmp_path / "own.toml"
    file.write_text(text, encoding="utf-8")
    own = Interface.of(Database.reference(), NODE, file)
    case = next(each for each in plan(own) if each.id == "control.step.latency")
    kept = CaseRun(interface=own, dut=dut_of(SilentOnCommand), seed=0, budget=20)
    result = kept.run(case)
    assert result.requirements == ("OWN-002", "OWN-003")
    blamed = {each.requirement for each in result.judgements if not each.passed}
    assert blamed == ({"OWN-002"} if named else {""})


def test_the_invariant_fails_a_controller_that_goes_silent(judge: Judge) -> None:
    (result,) = judge(dut_of(SilentOnCommand), "control.release.pedal")
    assert any("goes on commanding" in each for each in wrong([result]))
