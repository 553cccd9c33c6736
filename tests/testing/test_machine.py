"""The machine on the full chassis: no false alarm, a crash is found, written and comes again."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from simcore import Database, UsageError, load_scenarios, ms, run_scenario
from simcore.ecu import Emb
from simcore.testing.failures import BrokenRequirementError
from simcore.testing.machine import ChassisMachine
from simcore.testing.machine_world import setup_of, snake

SETTINGS = settings(
    max_examples=3,
    stateful_step_count=6,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class Healthy(ChassisMachine):
    """The reference chassis with everything that may happen."""


class Tired(Emb):
    """An actuator that raises 60 ms after the rig was built."""

    def on_timer(self, now_ns: int) -> None:
        if now_ns > ms(60):
            raise RuntimeError("tired")
        super().on_timer(now_ns)


class Crashing(ChassisMachine):
    node = "EMB_FL"
    module = Tired
    warm_ns = ms(20)
    only = ("time",)
    requirements = ("ROB-001",)


def too_fast(rig: Any) -> str:
    """A requirement of one's own."""
    return "" if rig.vehicle.speed_kmh < 59.0 else f"{rig.vehicle.speed_kmh:.0f} km/h"


class Judging(ChassisMachine):
    only = ("time",)
    warm_ns = ms(20)
    requirements = ()
    judges: ClassVar[dict[str, Any]] = {"MY-001": too_fast}


def run(machine: type[ChassisMachine], chosen: settings = SETTINGS) -> None:
    run_state_machine_as_test(machine, settings=chosen)  # type: ignore[no-untyped-call]


def test_the_healthy_chassis_raises_no_false_alarm() -> None:
    run(Healthy)


def test_a_crash_is_found_shrunk_written_and_comes_again(tmp_path: Path) -> None:
    machine = type("Found", (Crashing,), {"folder": tmp_path})
    shrinking = settings(
        SETTINGS,
        phases=[Phase.generate, Phase.shrink],
        max_examples=2,
        stateful_step_count=3,
    )
    with pytest.raises(BrokenRequirementError, match=r"^ROB-001: EMB_FL: on_timer raised Runtime"):
        run(machine, shrinking)
    (folder,) = tmp_path.iterdir()
    text = (folder / "scenario.py").read_text(encoding="utf-8")
    assert text.count("rig.run_for(") == 2  # the warm-up, and one step
    assert "test_machine.py::Tired')" in text
    (item,) = load_scenarios(folder / "scenario.py")
    result = run_scenario(item)
    assert "ROB-001" in {each.requirement for each in result.checks if not each.passed}
    assert result.error is None


def test_a_requirement_of_ones_own_is_judged_and_goes_into_the_scenario(tmp_path: Path) -> None:
    machine = type("Own", (Judging,), {"folder": tmp_path})
    with pytest.raises(BrokenRequirementError, match=r"^MY-001: 60 km/h"):
        run(machine, settings(SETTINGS, max_examples=1))
    (folder,) = tmp_path.iterdir()
    (item,) = load_scenarios(folder / "scenario.py")
    failed = {each.requirement for each in run_scenario(item).checks if not each.passed}
    assert failed == {"MY-001"}


def test_the_warm_rig_is_made_once_and_every_sequence_has_its_own() -> None:
    first, second = Healthy(), Healthy()
    assert first.setup is second.setup is setup_of(Healthy)
    first.do("run_for", ms(1))
    assert (first.rig.now_ns, second.rig.now_ns) == (ms(501), ms(500))
    assert first.steps[0].call == "rig.run_for"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"only": ("roads",)}, r"^Wrong, only: unknown 'roads': did you mean 'road'\?$"),
        ({"without": ("updates",)}, r"^Wrong, without: unknown 'updates': did you mean 'update'"),
        ({"only": ("time",), "without": ("time",)}, r"^Wrong, only: expected a group of rules"),
        ({"module": Tired}, r"^Wrong, node: expected the module's place, got None$"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], complaint: str) -> None:
    machine = type("Wrong", (ChassisMachine,), options)
    with pytest.raises(UsageError, match=complaint):
        machine()


def test_an_unknown_requirement_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^requirement of a machine: expected one of BRK-003"):
        Healthy().watch.broken("BRK-999", None)


def test_names_of_scenarios_are_those_of_machines() -> None:
    assert snake("MyMachine") == "my_machine"
    assert Database.reference().name == "chassis_fd.dbc"
