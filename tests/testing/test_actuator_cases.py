"""The actuator's own cases of the conformance kit: the sound one passes, each defect is caught.

Here a sample of the cases; all of them on the reference actuator is the matter of `make mutants`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from io import BytesIO
from pickle import PicklingError
from typing import Any, ClassVar

import pytest

from simcore.attach.c_module import Snapshot
from simcore.attach.dut import Dut, dut_of, load_dut
from simcore.ecu import Emb
from simcore.ecu.emb.parameters import FRONT_EMB, REAR_EMB, EmbParameters
from simcore.faults import MessageStopped
from simcore.network import Database
from simcore.testing.conformance.actuator import Actuator, PowerStageDrives
from simcore.testing.conformance.case import StandKind
from simcore.testing.conformance.groups.long_run import _StatePickler
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.judge import CaseRun
from simcore.testing.conformance.plan import plan
from simcore.testing.conformance.result import CaseResult, CaseVerdict
from simcore.testing.conformance.trial import Trial
from simcore.units import ms

OWN = (
    "actuator_control",
    "actuator_status",
    "actuator_idle",
    "actuator_conditions",
    "actuator_parking",
    "actuator_e2e",
    "actuator_redundancy",
    "actuator_loss",
    "actuator_faults",
    "actuator_limits",
    "actuator_watchdog",
)
SAMPLE = (
    "control.step.up_050",
    "control.release.from_100",
    "control.idle.mode_service",
    "control.idle.start",
    "control.conditions.weak_supply_18_v",
    "e2e.receive.CDC_EmbCmd.valid_again",
    "e2e.receive.BPS_Pedal.sequence",
    "redundancy.lane.primary_back",
    "redundancy.bus.A_open",
    "timeout.command.held",
    "timeout.command.back",
    "fault.sensor.force.at_zero",
    "fault.gradient.honest_emergency",
    "fault.wheel_speed.too_fast",
    "fault.sensor.at_rest.speed.to_ground",
    "control.status.wheel_direction",
    "layout.saturation.wheel_speed_above",
    "layout.saturation.disc_temperature_below",
    "watchdog.all_wrong",
    "watchdog.start",
)
REFERENCE = load_dut("reference")


def made(dut: Dut, node: str = "EMB_FL") -> CaseRun:
    interface = Interface.of(Database.reference(), node)
    return CaseRun(interface=interface, dut=dut, seed=0, budget=10)


def judged(run: CaseRun, case_id: str) -> CaseResult:
    return run.run(next(case for case in plan(run.interface) if case.id == case_id))


@pytest.fixture(scope="module")
def reference() -> CaseRun:
    """Keeps its warmed-up stands."""
    return made(REFERENCE)


# -- the plan -------------------------------------------------------------------------------------


@pytest.mark.parametrize("node", ["EMB_FL", "EMB_RR"])
def test_an_actuator_has_at_least_a_hundred_and_twenty_cases_with_requirements(node: str) -> None:
    cases = plan(Interface.of(Database.reference(), node))
    own = [case for case in cases if _module(case.run) in OWN]
    assert len(cases) >= 120
    assert len(own) >= 150
    for case in own:
        assert case.requirements, case.id
        assert case.title[0].isupper(), case.title
        assert not case.title.endswith("."), case.title
    counts = Counter(_module(case.run) for case in own)
    assert set(counts) == set(OWN) - ({"actuator_parking"} if node == "EMB_FL" else set())


def _module(run: Callable[..., Any]) -> str:
    function = run.func if isinstance(run, partial) else run
    return str(function.__module__).rpartition(".")[2]


def test_only_corners_with_a_lock_are_asked_to_park() -> None:
    for node, parks in (("EMB_FR", False), ("EMB_RL", True)):
        cases = plan(Interface.of(Database.reference(), node))
        assert any(case.id.startswith("control.park.") for case in cases) is parks


# -- the sound actuator ---------------------------------------------------------------------------


@pytest.mark.parametrize("case_id", SAMPLE)
def test_the_reference_actuator_passes(reference: CaseRun, case_id: str) -> None:
    result = judged(reference, case_id)
    wrong = [each for each in result.judgements if not each.passed]
    assert result.verdict is CaseVerdict.PASSED, (wrong, result.reason, result.findings)
    assert len(result.judgements) >= 2


@pytest.mark.parametrize("case_id", ["control.park.without_supply", "control.park.release"])
def test_the_reference_actuator_of_a_rear_wheel_parks(case_id: str) -> None:
    assert judged(made(REFERENCE, "EMB_RR"), case_id).verdict is CaseVerdict.PASSED


def test_a_step_leaves_figures_with_units_limits_and_a_curve(reference: CaseRun) -> None:
    result = judged(reference, "control.step.up_050")
    rise = next(each for each in result.judgements if "18000 N" in each.text)
    assert rise.requirement == "BRK-009"
    assert rise.measured.endswith(" ms")
    assert rise.limit == "<= 200 ms"
    curve = result.curves[0]
    assert (curve.name, curve.unit) == ("clamp force", "N")
    assert max(curve.values) == pytest.approx(20_000, rel=0.03)
    assert dict(curve.limits)["command"][-1] == 20_000.0


# -- planted defects ------------------------------------------------------------------------------


class Without(Emb):
    """Lacks one mechanism."""

    lacks = ""

    def __init__(self, name: str, database: Database) -> None:
        super().__init__(name, database, changed(name))
        self.without = frozenset({self.lacks} if self.lacks else ())


def changed(name: str, **changes: Any) -> EmbParameters:
    base = FRONT_EMB if name.startswith("EMB_F") else REAR_EMB
    return replace(base, **changes)


class Unchecked(Without):
    lacks = "e2e"


class Untimed(Without):
    lacks = "deadline"


class Unmonitored(Without):
    lacks = "monitor"


class Credulous(Without):
    lacks = "plausibility"


class Unserved(Without):
    lacks = "watchdog"


class Parametrised(Emb):
    """The reference with other numbers."""

    changes: ClassVar[dict[str, Any]] = {}

    def __init__(self, name: str, database: Database) -> None:
        super().__init__(name, database, changed(name, **self.changes))


class Slow(Parametrised):
    changes: ClassVar = {"force_gradient_max_n_per_s": 80_000.0}


class Boundless(Parametrised):
    changes: ClassVar = {"force_control": replace(FRONT_EMB.force_control, force_max_n=56_000.0)}


class HoldsTooLong(Parametrised):
    changes: ClassVar = {"hold_last_ns": 600_000_000}


class LetsGo(Parametrised):
    changes: ClassVar = {"command_lost_ns": 40_000_000, "hold_last_ns": 0}


class HoldsAtRest(Parametrised):
    changes: ClassVar = {"hold_above_kmh": -1.0}


class Heatproof(Parametrised):
    """Takes a hot motor for a cold one, until it stops."""

    changes: ClassVar = {"motor_warning_c": 169.0}


class Suspicious(Parametrised):
    """Nothing explains a request, not even an emergency."""

    changes: ClassVar = {"pedal_plausible_ratio": 0.01, "confirm_commands": 10_000}


class TamperedPort:
    """Passes on everything but what is written to pins."""

    def __init__(self, port: Any, write: Any) -> None:
        self.port = port
        self.write = write

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.port, name)


class Tampered(Emb):
    """Something stands between the actuator and its pins."""

    def start(self, port: Any, now_ns: int) -> None:
        self.bare = port
        super().start(TamperedPort(port, self.tampered), now_ns)

    def tampered(self, pin: str, value_ratio: float) -> None:
        raise NotImplementedError


class Reversed(Tampered):
    def tampered(self, pin: str, value_ratio: float) -> None:
        self.bare.write(pin, -value_ratio if pin == "motor_current_a" else value_ratio)


class Lockless(Tampered):
    def tampered(self, pin: str, value_ratio: float) -> None:
        if pin != "park_lock_state":
            self.bare.write(pin, value_ratio)


class WeakByPedal(Parametrised):
    """Nine tenths of the force by pedal alone."""

    changes: ClassVar = {"pedal_direct_force_n": 0.9 * FRONT_EMB.pedal_direct_force_n}


class Overwritten(Emb):
    """Raw values of its status are not what it knows."""

    def raws(self) -> dict[str, int]:
        raise NotImplementedError

    def _overwritten(self, data: bytes, part: str) -> bytes:
        own = {name for name in self.raws() if part in name}
        raws = {f"{self.name}_{name.split('.')[1]}": self.raws()[name] for name in own}
        return self.database.message(f"{self.name}_{part}").codec.overwrite_raw(data, raws)

    def _pack_status_1(self, now_ns: int) -> bytes:
        return self._overwritten(super()._pack_status_1(now_ns), "St1")

    def _pack_status_2(self, now_ns: int) -> bytes:
        return self._overwritten(super()._pack_status_2(now_ns), "St2")


class WithoutStandstill(Overwritten):
    def raws(self) -> dict[str, int]:
        return {"St1.WhlDir": 0 if self.port.inputs["wheel_speed_radps"] >= 0.0 else 1}


class WrapsBelow(Overwritten):
    def raws(self) -> dict[str, int]:
        return {"St2.TempMot": int(self.port.inputs["motor_temperature_c"] + 40.0) & 0xFF}


class WrapsAbove(Overwritten):
    def raws(self) -> dict[str, int]:
        return {"St2.UBat": int(self.port.inputs["supply_v"] * 10.0) & 0x3FF}


class Rolls(Overwritten):
    """Calls a wheel valid that turns faster than its signal can say."""

    def raws(self) -> dict[str, int]:
        raw = int(abs(self.port.inputs["wheel_speed_radps"]) * 0.345 * 360.0) & 0xFFFF
        return {"St1.WhlSpd": raw, "St1.WhlSpdQf": 3}


class Hoards(Emb):
    """Keeps the first bytes of every frame."""

    def start(self, port: Any, now_ns: int) -> None:
        self.heard = bytearray()
        super().start(port, now_ns)

    def receive(self, frame: Any, now_ns: int) -> None:
        self.heard += frame.data[:8]
        super().receive(frame, now_ns)


DEFECTS: tuple[tuple[type[Emb], str, str, str], ...] = (
    (Unchecked, "EMB_FL", "e2e.receive.CDC_EmbCmd.crc", "COM-002"),
    (Unchecked, "EMB_FL", "e2e.receive.BPS_Pedal.data_id", "COM-002"),
    (Untimed, "EMB_FL", "redundancy.lane.primary_silent", "COM-004"),
    (Untimed, "EMB_FL", "timeout.command.standstill", "COM-004"),
    (Unmonitored, "EMB_FL", "fault.power_stage.at_rest", "SAF-002"),
    (Unmonitored, "EMB_FL", "fault.gradient.three_frames", "SAF-004"),
    (Credulous, "EMB_FL", "fault.sensor.force.at_zero", "SAF-005"),
    (Unserved, "EMB_FL", "watchdog.start", "WDG-003"),
    (Slow, "EMB_FL", "control.step.up_080", "BRK-009"),
    (Slow, "EMB_FL", "control.release.from_100", "BRK-004"),
    (Boundless, "EMB_FL", "control.saturation", "BRK-009"),
    (HoldsTooLong, "EMB_FL", "timeout.command.held", "COM-004"),
    (LetsGo, "EMB_FL", "timeout.command.kept", "COM-004"),
    (HoldsAtRest, "EMB_FL", "timeout.command.standstill", "COM-004"),
    (Heatproof, "EMB_FL", "control.conditions.motor_hot", "BRK-010"),
    (Suspicious, "EMB_FL", "fault.gradient.honest_emergency", "SAF-004"),
    (Reversed, "EMB_FL", "control.sign", "BRK-009"),
    (Lockless, "EMB_RR", "control.park.apply", "BRK-008"),
    (WeakByPedal, "EMB_FL", "timeout.command.pedal_follows", "COM-004"),
    (WithoutStandstill, "EMB_FL", "control.status.wheel_direction", "BRK-009"),
    (WrapsBelow, "EMB_FL", "layout.saturation.motor_temperature_below", "COM-007"),
    (WrapsAbove, "EMB_FL", "layout.saturation.supply_above", "COM-007"),
    (Rolls, "EMB_FL", "layout.saturation.wheel_speed_above", "COM-007"),
)


@pytest.mark.parametrize(
    ("defect", "node", "case_id", "requirement"),
    DEFECTS,
    ids=[f"{defect.__name__}-{case_id}" for defect, _, case_id, _ in DEFECTS],
)
def test_a_defect_is_caught_by_a_case_of_its_requirement(
    defect: type[Emb], node: str, case_id: str, requirement: str
) -> None:
    result = judged(made(dut_of(defect), node), case_id)
    assert result.verdict is CaseVerdict.FAILED, result.reason
    assert requirement in result.requirements
    wrong = [each for each in result.judgements if not each.passed]
    assert any(each.requirement in ("", requirement) for each in wrong) or result.findings


# -- state that grows ------------------------------------------------------------------------------


def quick_memory(dut: Dut) -> CaseResult:
    """The case of the module's memory, in rounds of 0.6 s."""
    source = Interface.of(Database.reference(), "EMB_FL").source
    long_run = source.requirements["COM-011"]
    numbers = {**long_run.parameters, "memory_s": 0.6}
    shorter = {**source.requirements, "COM-011": replace(long_run, parameters=numbers)}
    interface = Interface.of(Database.reference(), "EMB_FL", replace(source, requirements=shorter))
    return judged(CaseRun(interface=interface, dut=dut, seed=0, budget=10), "long.memory")


def test_the_reference_keeps_what_it_has() -> None:
    assert quick_memory(REFERENCE).verdict is CaseVerdict.PASSED


def test_a_module_that_keeps_a_little_of_every_frame_is_caught() -> None:
    result = quick_memory(dut_of(Hoards))
    assert result.verdict is CaseVerdict.FAILED
    (wrong,) = [each for each in result.judgements if not each.passed]
    assert wrong.text.startswith("bytes by which its state of ")
    assert wrong.limit == "<= 1024"


def test_a_state_that_cannot_be_read_is_not_tested() -> None:
    result = quick_memory(replace(REFERENCE, forkable=False))
    assert result.verdict is CaseVerdict.NOT_TESTED
    assert result.reason == "the state of the module cannot be read"


class Sealed(Emb):
    def __reduce_ex__(self, protocol: Any) -> Any:
        if protocol == 5:
            raise PicklingError("sealed")
        return super().__reduce_ex__(protocol)


def test_the_reason_of_a_state_that_cannot_be_read_is_told() -> None:
    result = quick_memory(dut_of(Sealed))
    assert result.verdict is CaseVerdict.NOT_TESTED
    assert result.reason == "the state of the module cannot be read: sealed"


def test_a_module_that_is_known_by_its_history_has_no_readable_state() -> None:
    told: Any = ()
    with pytest.raises(PicklingError, match="by all that it was ever told"):
        _StatePickler(BytesIO()).dump(Snapshot(told, b"", ()))


# -- what a requirement list need not bind ---------------------------------------------------------


def test_a_list_that_binds_no_direction_and_no_ranges_is_judged_without_them() -> None:
    shipped = Interface.of(Database.reference(), "EMB_FL").source
    tables = {name: dict(each) for name, each in shipped.interface.items()}
    del tables["actuator"]["beyond"]
    status = dict(tables["actuator"]["status"])
    del status["wheel_direction"]
    tables["actuator"]["status"] = status
    com_007 = shipped.requirements["COM-007"]
    patterns = tuple(each for each in com_007.cases if "saturation" not in each)
    own = {**shipped.requirements, "COM-007": replace(com_007, cases=patterns)}
    source = replace(shipped, interface=tables, requirements=own)
    interface = Interface.of(Database.reference(), "EMB_FL", source)
    assert not [each.id for each in plan(interface) if each.id.startswith("layout.saturation.")]
    run = CaseRun(interface=interface, dut=REFERENCE, seed=0, budget=10)
    result = judged(run, "control.status.wheel_direction")
    assert result.verdict is CaseVerdict.NOT_TESTED
    assert result.reason == "interface.actuator.status binds no wheel_direction"


# -- the invariant --------------------------------------------------------------------------------


def driven(share: str) -> dict[str, str]:
    """What the invariant says of an actuator whose power stage drives by itself."""
    run = made(dut_of(Unmonitored))
    bench = run.stand(StandKind.WARM)
    case = next(each for each in plan(run.interface) if each.id == "control.idle.no_request")
    trial = Trial(case, run.interface, bench, run.dut)
    act = Actuator(trial)
    if share == "asked for":
        act.brake(act.share_n(0.1))
    pin = act.pin_name("motor_current")
    bench.inject(PowerStageDrives(node="EMB_FL", pin=pin, current_a=5.0))
    bench.run_for(ms(200))
    trial.check_safe()
    assert trial.judgements[0].requirement == "BRK-003"
    return {each.text: each.measured for each in trial.judgements if not each.passed}


def test_the_invariant_finds_force_that_nothing_asks_for() -> None:
    assert list(driven("not asked for")) == ["largest clamp force that nothing asks for"]


def test_the_invariant_excuses_force_while_something_is_asked_for() -> None:
    assert not driven("asked for")


def test_the_invariant_finds_a_module_that_falls_silent(reference: CaseRun) -> None:
    bench = reference.stand(StandKind.WARM)
    case = next(each for each in plan(reference.interface) if each.id == "control.sign")
    trial = Trial(case, reference.interface, bench, reference.dut)
    bench.run_for(ms(250))
    bench.inject(MessageStopped(message="EMB_FL_St1"))
    bench.run_for(ms(250))
    trial.check_safe()
    wrong = [each for each in trial.judgements if not each.passed]
    assert [each.measured for each in wrong] == ["silent: EMB_FL_St1"]
