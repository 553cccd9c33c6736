"""The table `[fmu]`: what it says, and what it is told when it is wrong; no FMU is needed."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest

from simcore.attach.dut_sidecar import load_sidecar
from simcore.attach.fmu_model import FmuVariable
from simcore.attach.fmu_plan import FmuPlan, plan_of
from simcore.errors import InputError
from simcore.network import Database


def variable(name: str, kind: str, causality: str, unit: str = "", **rest: bool) -> FmuVariable:
    array = rest.get("is_array", False)
    return FmuVariable(
        name=name, reference=0, kind=kind, causality=causality, unit=unit, is_array=array
    )


VARIABLES = {
    each.name: each
    for each in (
        variable("force_n", "Real", "input", "N"),
        variable("speed", "Float64", "input", "m/s"),
        variable("wheel", "Float64", "input", "rad/s"),
        variable("mode", "Integer", "input"),
        variable("name", "String", "input"),
        variable("table", "Float64", "input", is_array=True),
        variable("current", "Real", "output", "A"),
        variable("state", "Enumeration", "output"),
        variable("gain", "Real", "parameter"),
        variable("count", "Int32", "parameter"),
        variable("on", "Boolean", "parameter"),
        variable("label", "String", "parameter"),
    )
}


def plan(tmp_path: Path, text: str, node: str = "EMB_RL") -> FmuPlan:
    (tmp_path / "brake.toml").write_text(text, encoding="utf-8")
    mapping = load_sidecar(tmp_path / "brake.fmu").fmu
    assert mapping is not None
    return plan_of(mapping, VARIABLES, node, Database.reference())


def test_places_are_filled_in(tmp_path: Path) -> None:
    found = plan(
        tmp_path,
        """
        [fmu.inputs]
        force_n = "CDC_EmbCmd.CDC_{corner}_FReq"
        mode = "valid:CDC_EmbCmd"
        [fmu.outputs]
        state = ["{node}_St1.{node}_State", "{node}_St2.{node}_LockSt"]
        current = "pin:motor_current_a"
        [fmu.values]
        "{node}_St1" = { "{node}_FActQf" = "Valid", "{node}_WhlPls" = 7 }
        """,
    )
    assert [(each.message.name, each.signal) for each in found.inputs if each.message] == [
        ("CDC_EmbCmd", "CDC_RL_FReq"),
        ("CDC_EmbCmd", ""),
    ]
    assert [message.name for message in found.received] == ["CDC_EmbCmd"]
    assert [each.signal or each.pin for each in found.outputs] == [
        "EMB_RL_State",
        "EMB_RL_LockSt",
        "motor_current_a",
    ]
    assert found.values == {"EMB_RL_St1": {"EMB_RL_FActQf": "Valid", "EMB_RL_WhlPls": 7}}
    assert found.unmapped == ("speed", "wheel", "name", "table")


def test_units_are_compared_and_a_scale_settles_it(tmp_path: Path) -> None:
    found = plan(
        tmp_path,
        """
        [fmu.inputs]
        wheel = "pin:wheel_speed_radps"
        speed = { from = "CDC_VehDyn.CDC_VehSpd", scale = 0.2777777777777778, on_invalid = -1 }
        """,
    )
    by_name = {each.variable.name: each for each in found.inputs}
    assert by_name["wheel"].scale == 1
    assert by_name["speed"].scale == pytest.approx(1 / 3.6)
    assert by_name["speed"].on_invalid == -1


def test_a_mapping_is_shared_by_copies_and_survives_pickling(tmp_path: Path) -> None:
    (tmp_path / "brake.toml").write_text('[fmu.inputs]\nforce_n = "pin:clamp_force_n"\n')
    mapping = load_sidecar(tmp_path / "brake.fmu").fmu
    assert copy.deepcopy(mapping) is mapping
    assert pickle.loads(pickle.dumps(mapping)) == mapping


INPUTS = "[fmu.inputs]\n"
OUTPUTS = "[fmu.outputs]\n"
PARAMETERS = "[fmu.parameters]\n"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("[fmu]\nstep = 1", 2, r"fmu\.step: expected one of step_ms, .*did you mean 'step_ms'"),
        ("[fmu]\nstep_ms = -1", 2, r"fmu\.step_ms: expected more than 0 ms, got -1 ms"),
        ('[fmu]\nstep_ms = "1"', 2, r"fmu\.step_ms: expected a number, got a text"),
        ('[fmu]\non_invalid = "last"', 2, r'on_invalid: expected "hold" or "start", got \'last\''),
        ("fmu = 3", 1, r"fmu: expected a table, got a whole number"),
        (INPUTS + "force_n = 3", 2, r"fmu\.inputs\.force_n: expected a table, got a whole number"),
        (INPUTS + "force_n = {}", 2, r"fmu\.inputs\.force_n: .*missing required field `from`"),
        (
            INPUTS + 'force_n = { from = "pin:a_n", scal = 1 }',
            2,
            r"fmu\.inputs\.force_n\.scal: expected one of from, scale, .*did you mean 'scale'",
        ),
        (
            INPUTS + 'force_n = { from = "pin:a_n", on_invalid = "last" }',
            2,
            r'force_n\.on_invalid: expected "hold" or "start", got \'last\'',
        ),
        (
            INPUTS + 'mode = "pin:x"\nforc_n = "pin:a_n"',
            3,
            r"fmu\.inputs\.forc_n: expected one of the FMU's inputs: did you mean 'force_n'\?, "
            r"got forc_n, which it lacks",
        ),
        (INPUTS + 'gain = "pin:a_n"', 2, r"got gain, its parameter"),
        (INPUTS + 'name = "pin:a_n"', 2, r"expected a single number, got name, String"),
        (INPUTS + 'table = "pin:a_n"', 2, r"a single number, got table, an array of Float64"),
        (
            INPUTS + 'force_n = "clamp_force_n"',
            2,
            r"expected pin:NAME, valid:MESSAGE or MESSAGE\.SIGNAL, got 'clamp_force_n'",
        ),
        (
            INPUTS + 'force_n = "CDC_EmbCmb.CDC_RL_FReq"',
            2,
            r"fmu\.inputs\.force_n: .*CDC_EmbCmb.*: did you mean 'CDC_EmbCmd'",
        ),
        (INPUTS + 'mode = "valid:Nonsense"', 2, r"fmu\.inputs\.mode: .*unknown message.*Nonsense"),
        (
            INPUTS + 'force_n = "CDC_EmbCmd.CDC_RL_FReg"',
            2,
            r"a signal of CDC_EmbCmd: did you mean 'CDC_RL_FReq'\?, got CDC_RL_FReg",
        ),
        (
            INPUTS + 'force_n = "EMB_RL_St1.EMB_RL_FAct"',
            2,
            r"expected a message of another node, got EMB_RL_St1, which EMB_RL sends",
        ),
        (
            INPUTS + 'speed = "CDC_VehDyn.CDC_VehSpd"',
            2,
            r"expected m/s, the unit of the FMU's speed, or a `scale` to it, "
            r"got CDC_VehDyn\.CDC_VehSpd in km/h",
        ),
        (INPUTS + 'force_n = "pin:motor_current_a"', 2, r"expected N, .*got motor_current_a in a"),
        (OUTPUTS + 'current = "state"', 2, r"expected pin:NAME or MESSAGE\.SIGNAL, got 'state'"),
        (OUTPUTS + 'current = ["pin:a", 3]', 2, r"fmu\.outputs\.current: expected a table, got a"),
        (
            OUTPUTS + 'current = "CDC_EmbCmd.CDC_RL_FReq"',
            2,
            r"expected a message that EMB_RL sends.*, got CDC_EmbCmd",
        ),
        (
            OUTPUTS + 'current = "pin:motor_current_a"\nstate = "pin:motor_current_a"',
            3,
            r"fmu\.outputs\.state: expected one output for pin:motor_current_a, got current as",
        ),
        (
            OUTPUTS + 'force_n = "pin:motor_current_a"',
            2,
            r"the FMU's outputs.*got force_n, its inp",
        ),
        (
            OUTPUTS + 'state = "{node}_St1.E2E_Cnt"',
            2,
            r"a signal that E2E and SecOC do not fill in, got EMB_RL_St1\.E2E_Cnt",
        ),
        (
            '[fmu.values]\n"{node}_St1" = { "{node}_State" = "Dancing" }',
            2,
            r"EMB_RL_State of 'Init', .*, got 'Dancing'",
        ),
        ('[fmu.values]\n"{node}_St1" = { State = 1 }', 2, r"a signal of EMB_RL_St1.*, got State"),
        (PARAMETERS + "gian = 1.0", 2, r"the FMU's parameters: did you mean 'gain'"),
        (PARAMETERS + 'gain = "2"', 2, r"gain: expected a number for its Real, got '2'"),
        (PARAMETERS + "count = 1.5", 2, r"count: expected a whole number for its Int32, got 1\.5"),
        (PARAMETERS + "on = 1", 2, r"on: expected true or false for its Boolean, got 1"),
        (PARAMETERS + "label = true", 2, r"label: expected a text for its String, got True"),
    ],
)
def test_a_mistake_is_told_with_its_line(
    tmp_path: Path, text: str, line: int, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        plan(tmp_path, text)
    assert (caught.value.file, caught.value.line) == (str(tmp_path / "brake.toml"), line)
