"""Which scenarios the arguments of a command line name."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from simcore.cli.selection import select, shipped_folder
from simcore.errors import InputError

Write = Callable[..., Path]

SHIPPED = [
    *(
        f"actuator_bus_off[corner=FL,fault={fault}]"
        for fault in ("bus-off", "open", "unplugged", "defective transmitter")
    ),
    "actuator_bus_off[corner=RR,fault=open]",
    "babbling_node",
    *(
        f"bus_a_shorted[fault={fault}]"
        for fault in ("recessive", "dominant", "open", "stuck transceiver")
    ),
    *(f"cdc_lost[moment={moment}]" for moment in ("braking", "cruising", "slip control")),
    *("cdc_back[mu=1.05]", "cdc_back[mu=0.3]"),
    "cruise",
    *(f"hung_controller[moment={moment}]" for moment in ("braking", "cruising")),
    *(f"skipped_task[task={task}]" for task in ("control", "monitor")),
    *(
        f"{what}[corner={corner}]"
        for what in ("jammed_caliper", "jammed_shut")
        for corner in ("FL", "RR")
    ),
    *("low_friction_stop[mu=0.3]", "low_friction_stop[mu=0.8]"),
    "panic_stop",
    *(f"pedal_disagreement[kind={kind}]" for kind in ("disagreeing", "stuck", "offset", "noisy")),
    *(
        f"replay_attack[attack={way}]"
        for way in ("braking while cruising", "cruising while braking")
    ),
    *(f"silent_actuator[corner={corner}]" for corner in ("FL", "FR", "RL", "RR")),
    *(f"silent_in_full_stop[corner={corner}]" for corner in ("FL", "FR", "RL", "RR")),
    "spoofed_command[attack=brake while cruising]",
    "spoofed_command[attack=release while braking]",
    "stop_and_hold",
    *(
        f"unintended_clamp[corner={corner},cause={cause}]"
        for corner in ("FL", "RR")
        for cause in ("software", "power stage")
    ),
    "update_attack_suite",
    *(
        f"update_foreign_image[theft={theft}]"
        for theft in (
            "repository keys",
            "repository keys, old software",
            "flash",
        )
    ),
    "update_parked",
    *(
        f"update_power_cut[node={node},moment={moment},kind={kind}]"
        for node, moment, kind in (
            ("EMB_RL", "download", "torn"),
            ("EMB_RL", "installation", "before"),
            ("EMB_RL", "swap", "torn"),
            ("EMB_RL", "commit", "after"),
            ("CDC", "swap", "torn"),
        )
    ),
    "update_rollback[node=EMB_FL,fault=hangs at start]",
    "update_rollback[node=EMB_RR,fault=hangs]",
    "update_rollback[node=CDC,fault=self-test fails]",
    "update_while_driving",
    *(f"wrong_answer[node=CDC,kind={kind}]" for kind in ("wrong", "early")),
    *(f"wrong_answer[node=EMB_FL,kind={kind}]" for kind in ("wrong", "late", "missing")),
    *(f"few_wrong_answers[node={node}]" for node in ("CDC", "EMB_FL")),
    "nobody_answers",
]
ONE = """
@scenario
def one(rig: Rig) -> None: ...

@scenario(cases=[{"mu": 0.3}, {"mu": 0.8}])
def other(rig: Rig, mu: float) -> None: ...
"""


def names(*arguments: str) -> list[str]:
    selection = select(arguments)
    assert selection.unreadable == ()
    return [item.name for item in selection.scenarios]


@pytest.fixture
def one(write: Write) -> str:
    return str(write("one.py", ONE))


def test_nothing_named_is_everything_shipped() -> None:
    assert names() == SHIPPED
    assert names(str(shipped_folder())) == SHIPPED


def test_a_shipped_scenario_is_found_by_its_bare_name() -> None:
    assert names("panic_stop") == ["panic_stop"]
    assert names("silent_actuator") == [name for name in SHIPPED if name.startswith("silent_")]
    assert names("silent_actuator::silent_actuator[corner=RL]") == ["silent_actuator[corner=RL]"]


def test_a_file_is_all_its_scenarios_in_the_order_they_stand_there(one: str) -> None:
    assert names(one) == ["one", "other[mu=0.3]", "other[mu=0.8]"]


def test_a_name_is_every_case_and_a_name_with_a_case_that_one(one: str) -> None:
    assert names(f"{one}::one") == ["one"]
    assert names(f"{one}::other") == ["other[mu=0.3]", "other[mu=0.8]"]
    assert names(f"{one}::other[mu=0.8]") == ["other[mu=0.8]"]


def test_a_value_with_colons_selects_its_case(write: Write) -> None:
    path = write(
        "colons.py", '@scenario(cases=[{"at": "a::b"}, {"at": "c"}])\ndef f(rig, at): ...\n'
    )
    assert names(f"{path}::f[at=a::b]") == ["f[at=a::b]"]


def test_a_folder_is_its_scripts_by_name_without_those_with_an_underscore(write: Write) -> None:
    for name in ("b.py", "a.py", "_helper.py", "deeper/c.py"):
        write(f"set/{name}", f"@scenario\ndef {Path(name).stem}(rig): ...\n")
    Path("set/readme.txt").write_text("x", encoding="utf-8")
    assert names("set") == ["a", "b"]


def test_arguments_keep_their_order_and_what_is_named_twice_runs_twice(one: str) -> None:
    assert names("panic_stop", f"{one}::one", "cruise", f"{one}::one") == [
        "panic_stop",
        "one",
        "cruise",
        "one",
    ]


def test_a_file_beside_comes_before_a_shipped_scenario_of_that_name(write: Write) -> None:
    write("panic_stop.py", "@scenario\ndef mine(rig): ...\n")
    assert names("panic_stop.py") == ["mine"]
    assert names("panic_stop") == ["panic_stop"]


def test_an_unreadable_file_does_not_hide_the_others(write: Write, one: str) -> None:
    bad = write("bad.py", "def f(:\n")
    selection = select((str(bad), f"{one}::one", "missing.py"))
    assert [item.name for item in selection.scenarios] == ["one"]
    assert [str(path) for path, _ in selection.unreadable] == ["bad.py", "missing.py"]
    assert [error.line for _, error in selection.unreadable] == [2, None]


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        (
            "nothing",
            "scenario 'nothing': expected a file, a folder, or a shipped scenario "
            "(actuator_bus_off, babbling_node, bus_a_shorted, cdc_lost, cruise, "
            "hung_controller, jammed_caliper, low_friction_stop, panic_stop, "
            "pedal_disagreement, replay_attack, silent_actuator, spoofed_command, "
            "stop_and_hold, unintended_clamp, update_attack_suite, update_parked, "
            "update_power_cut, update_rollback, update_while_driving, wrong_answer)",
        ),
        ("", "scenario '': expected a file, a folder, or a shipped scenario ("),
        (
            "one.py::two",
            "one.py: scenario 'two': expected one of one, other[mu=0.3], other[mu=0.8]",
        ),
        ("one.py::other[mu=0.5]", "one.py: scenario 'other[mu=0.5]': expected one of one, "),
        ("one.py::", "one.py: scenario '': expected one of one, "),
        ("empty", "empty: scenarios: expected *.py files in the folder"),
        (".::one", "scenario '.::one': expected FILE.py::NAME, a file before the colons"),
        ("::one", "scenario '::one': expected FILE.py::NAME, a file before the colons"),
    ],
)
def test_an_argument_that_names_nothing_is_refused(one: str, argument: str, text: str) -> None:
    Path("empty").mkdir()
    with pytest.raises(InputError, match=f"^{re.escape(text)}"):
        select((argument,))
