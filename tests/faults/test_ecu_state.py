"""Faults of memory and outputs: flipped bits, stuck variables and pins."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore import Rig, UsageError, ms
from simcore.faults import BitFlip, EcuReset, OutputStuck
from simcore.faults.ecu_state import FLOAT_BITS, Variable, flipped, like
from simcore.rig.restbus import AbsentNode

NODE = "VCU"


def flip(variable: str, bit: int) -> BitFlip:
    return BitFlip(node=NODE, variable=variable, bit=bit)


# ---- bit flips ----


def test_a_bit_of_an_integer_of_a_flag_of_a_float_and_of_a_list_flips(diary: Any) -> None:
    diary.run_for(ms(1))
    ecu = diary.ecu
    total = ecu.total
    for fault in (flip("total", 4), flip("flag", 0), flip("speed_mps", 63), flip("values.1", 52)):
        injected = diary.inject(fault)
        assert injected.stop_ns == injected.start_ns == ms(1)
    assert (ecu.total, ecu.flag, ecu.speed_mps) == (total ^ 16, True, -1.5)
    assert ecu.values == [1.0, 4.0]
    notes = [event.text for event in diary.log.events if event.kind == "note"][-4:]
    assert notes[2:] == ["speed_mps: 1.5 -> -1.5", "values.1: 2.0 -> 4.0"]


def test_a_flip_happens_once_and_the_software_goes_on_with_it(diary: Any) -> None:
    diary.inject(flip("total", 20).at(ms(5)))
    diary.run_for(ms(30))
    assert diary.ecu.total == len(diary.ecu.lines) + (1 << 20)


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, FLOAT_BITS - 1))
def test_a_flip_of_a_float_undoes_itself_or_is_refused(value: float, bit: int) -> None:
    try:
        once = flipped("x", value, bit)
    except UsageError as error:
        assert "expected a bit that leaves a number" in str(error)
        return
    assert once != value or value == 0.0
    assert repr(flipped("x", once, bit)) == repr(value)


@given(st.integers(0, 2**32 - 1), st.integers(0, 31))
def test_a_flip_of_an_integer_changes_just_that_bit(value: int, bit: int) -> None:
    assert int(flipped("x", value, bit)) ^ value == 1 << bit


def test_a_state_flips_to_another_state_or_is_refused() -> None:
    rig = Rig()
    rig.run_for(ms(200))
    application = rig.node("EMB_FL").application  # type: ignore[attr-defined]
    state = application.state
    states = {int(each) for each in type(state)}
    allowed = [bit for bit in range(8) if int(state) ^ 1 << bit in states]
    refused = next(bit for bit in range(8) if bit not in allowed)
    path = "application.state"
    with pytest.raises(
        UsageError,
        match=rf"^BitFlip, node EMB_FL, {path}: bit {refused}: expected a bit that leads from "
        rf"{state.name} to another state .*, got the value {int(state) ^ 1 << refused}$",
    ):
        rig.inject(BitFlip(node="EMB_FL", variable=path, bit=refused))
    assert application.state is state


@pytest.mark.parametrize(
    ("variable", "bit", "message"),
    [
        ("total", 32, r"^BitFlip, node VCU, total: bit: expected 0..31, got 32$"),
        ("flag", 1, r"^BitFlip, node VCU, flag: bit: expected 0..0, got 1$"),
        ("speed_mps", 62, r"bit 62: expected a bit that leaves a number, got nan of 1.5$"),
        ("speed", 0, r"^BitFlip, node VCU: expected a variable of .*flag, .*speed_mps, .*values\."),
        ("values.7", 0, r"^BitFlip, node VCU: expected a variable of values.0, values.1, got valu"),
        ("values.x", 0, r"expected a variable of values.0, values.1, got values.x$"),
        ("values", 0, r"expected a number, one of values.0, values.1, got values, a list$"),
        ("total.real.deeper", 0, r"expected .*, got total"),
    ],
)
def test_a_variable_or_bit_that_is_not_there_is_refused_with_what_there_is(
    variable: str, bit: int, message: str, diary: Any
) -> None:
    with pytest.raises(UsageError, match=message):
        diary.inject(flip(variable, bit))
    assert diary.faults == []


def test_a_parameter_is_no_variable() -> None:
    rig = Rig()
    with pytest.raises(
        UsageError, match=r"expected a variable, got parameters\.init_ns, a parameter of a BpsParam"
    ):
        rig.inject(BitFlip(node="BPS", variable="parameters.init_ns", bit=0))


@pytest.mark.parametrize("bit", [-1, 64, 1.0, True])
def test_a_bit_is_one_of_64(bit: Any) -> None:
    with pytest.raises(UsageError, match=r"^BitFlip.bit: expected 0..63, got "):
        flip("total", bit)


# ---- stuck outputs ----


def test_a_stuck_variable_keeps_its_value_until_it_is_cleared(diary: Any) -> None:
    injected = diary.inject(OutputStuck(node=NODE, variable="total", value=7).at(ms(10)))
    diary.run_for(ms(20))
    assert diary.ecu.total == 7
    injected.clear()
    diary.run_for(ms(5))
    assert diary.ecu.total > 7


def test_a_stuck_variable_is_stuck_again_after_a_reset(diary: Any) -> None:
    diary.inject(OutputStuck(node=NODE, variable="values.0", value=9.5))
    diary.run_for(ms(5))
    diary.inject(EcuReset(node=NODE))
    assert diary.ecu.values == [9.5, 2.0]


def test_a_variable_of_a_module_that_was_replaced_is_stuck_no_more(diary: Any) -> None:
    injected = diary.inject(OutputStuck(node=NODE, variable="total", value=7))
    diary.run_for(ms(5))
    diary.replace(NODE, AbsentNode())
    assert injected.stop_ns == ms(5)
    diary.run_for(ms(5))


def test_a_stuck_pin_drives_the_plant_whatever_the_software_writes() -> None:
    rig = Rig()
    rig.run_for(ms(300))
    healthy = rig.fork()
    injected = rig.inject(OutputStuck(node="EMB_FL", pin="motor_current_a", value=0.0))
    for each in (rig, healthy):
        each.press_pedal(50.0)
        each.run_for(ms(45))  # before the controller gives the wheel up
    assert rig.plant.motor_current_a[0] == 0.0
    assert rig.pin("EMB_FL", "motor_current_a") > 0.0  # what the software wants
    assert healthy.pin("EMB_FL", "clamp_force_n") > 1_000.0
    assert rig.pin("EMB_FL", "clamp_force_n") < 100.0
    injected.clear()
    rig.run_for(ms(5))
    assert rig.plant.motor_current_a[0] > 0.0


@pytest.mark.parametrize(
    "fault",
    [
        OutputStuck(node=NODE, variable="speed_mps", value=3.0),
        OutputStuck(node=NODE, variable="total", value=3.0),
        flip("total", 3),
    ],
)
def test_it_forks_and_pickles_in_the_middle(fault: Any, diary: Any) -> None:
    diary.inject(fault.during(ms(5), ms(25)))
    diary.run_for(ms(12))
    others = [diary.fork(), pickle.loads(pickle.dumps(diary))]
    for each in (diary, *others):
        each.run_for(ms(40))
    assert {(each.digest, each.ecu.total, each.ecu.speed_mps) for each in others} == {
        (diary.digest, diary.ecu.total, diary.ecu.speed_mps)
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"^OutputStuck: expected either a variable or a pin, got neither$"),
        ({"variable": "a", "pin": "b"}, r"^OutputStuck: expected either .*, got both$"),
    ],
)
def test_what_is_stuck_is_said_once(options: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        OutputStuck(node=NODE, value=1.0, **options)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, "1"])
def test_a_value_is_a_finite_number(value: Any) -> None:
    with pytest.raises(UsageError, match=r"^OutputStuck.value: expected a finite number, got "):
        OutputStuck(node=NODE, pin="p", value=value)


def test_a_pin_that_is_not_there_is_refused(diary: Any) -> None:
    with pytest.raises(UsageError, match=r"^fault of pins: expected a Rig, which has a vehicle, "):
        diary.inject(OutputStuck(node=NODE, pin="p", value=1.0))
    with pytest.raises(UsageError, match=r"expected one of EMB_FL, .*, got 'CDC'$"):
        Rig().inject(OutputStuck(node="CDC", pin="p", value=1.0))
    with pytest.raises(UsageError, match=r"EMB_FL, output pin.*expected .*motor_current_a"):
        Rig().inject(OutputStuck(node="EMB_FL", pin="p", value=1.0))


def test_a_state_cannot_be_stuck_at_what_is_no_state() -> None:
    rig = Rig()
    rig.run_for(ms(200))
    with pytest.raises(
        UsageError, match=r"^OutputStuck, application.state: expected a value of Emb"
    ):
        rig.inject(OutputStuck(node="EMB_FL", variable="application.state", value=77))
    assert rig.faults == []


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (flip("application.x", 52), "VCU: bit 52 of application.x flips"),
        (OutputStuck(node="A", pin="b_a", value=1.5), "A: pin b_a stuck at 1.5"),
        (OutputStuck(node="A", variable="c.d", value=0), "A: c.d stuck at 0"),
    ],
)
def test_every_state_fault_has_its_sentence(fault: Any, sentence: str) -> None:
    assert fault.sentence == sentence


# ---- types ----


class Typed:
    """What stands in a class says what its variables are, whatever they are at the moment."""

    annotated: float
    maybe: float | None
    several: list[float]
    whole: int
    held_n: int
    foreign: Nowhere  # type: ignore[name-defined]  # noqa: F821

    def __init__(self) -> None:
        self.annotated = 0
        self.maybe = 0
        self.several = [0, 0]
        self.whole = self.held_n = self.foreign = 0
        self.force_n = 0
        self.forces_n = [0, 0]
        self.due_ns = 0
        self.total = 0
        self.n = 0


class Holder:
    """Stands where a node would."""

    def __init__(self) -> None:
        self.part = Typed()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("annotated", float),
        ("maybe", float),
        ("several.1", float),
        ("whole", int),
        ("held_n", int),
        ("foreign", int),
        ("force_n", float),
        ("forces_n.1", float),
        ("due_ns", int),
        ("total", int),
        ("n", int),
    ],
)
def test_the_type_of_a_variable_does_not_depend_on_the_moment(
    name: str, kind: type[object]
) -> None:
    variable = Variable("test", Holder(), f"part.{name}")
    assert type(variable.value) is kind
    assert type(like(variable, 3.0)) is kind
    if kind is int:
        with pytest.raises(UsageError, match=rf"^OutputStuck, part.{name}: expected a whole numb"):
            like(variable, 3.5)
    else:
        assert like(variable, 3.5) == 3.5
        assert type(flipped("test", variable.value, 61)) is float


def test_a_force_that_is_0_for_the_moment_has_64_bits_and_fractions() -> None:
    rig = Rig()
    rig.run_for(ms(200))
    rig.node("EMB_FL").application.force_ref_n = 0  # type: ignore[attr-defined]
    rig.inject(BitFlip(node="EMB_FL", variable="application.force_ref_n", bit=62))
    assert rig.node("EMB_FL").application.force_ref_n == 2.0  # type: ignore[attr-defined]
    rig.node("EMB_FL").application.force_ref_n = 0  # type: ignore[attr-defined]
    rig.inject(OutputStuck(node="EMB_FL", variable="application.force_ref_n", value=0.75))
    rig.run_for(ms(5))
    assert rig.node("EMB_FL").application.force_ref_n == 0.75  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("flag", 0.5, r"^OutputStuck, flag: expected 0 or 1, for a flag, got 0\.5$"),
        ("flag", 2, r"^OutputStuck, flag: expected 0 or 1, for a flag, got 2$"),
        ("total", 2.5, r"^OutputStuck, total: expected a whole number, got 2\.5$"),
    ],
)
def test_a_value_is_never_cut(variable: str, value: float, message: str, diary: Any) -> None:
    diary.run_for(ms(1))
    stuck = OutputStuck(node=NODE, variable=variable, value=value)
    for fault in (stuck, stuck.at(ms(5))):
        with pytest.raises(UsageError, match=message):
            diary.inject(fault)


def test_values_that_were_overwritten_are_counted(diary: Any) -> None:
    diary.run_for(ms(1))
    same = diary.inject(OutputStuck(node=NODE, variable="speed_mps", value=1.5))
    other = diary.inject(OutputStuck(node=NODE, variable="total", value=1))
    diary.run_for(ms(2))
    assert (same.did_nothing, same.record.effect) == (True, "0 values overwritten")
    assert (other.did_nothing, other.record.effect) == (False, "3 values overwritten")
