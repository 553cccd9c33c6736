"""A bug that random single frames do not show: a limiter that forgets after an oscillation.

The shipped demo module bounds what is requested by a window of six samples. The broken one below
loses its window when the measured value has changed its sign four times in a row, and bounds
nothing until the next sample. Nobody tells hypothesis what to look for.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.stateful import run_state_machine_as_test

from simcore import Database, load_scenarios, run_scenario
from simcore.errors import UsageError
from simcore.testing.failures import BrokenRequirementError
from simcore.testing.sequence import NodeMachine, play, sequences
from simcore.testing.sequence_bench import NodeBench

HERE = Path(__file__)
LIMITER = HERE.parents[2] / "scenarios" / "modules" / "limiter.py"


def _shipped() -> Any:
    spec = importlib.util.spec_from_file_location("shipped_limiter", LIMITER)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


shipped = _shipped()
DATABASE = Database.reference()
INPUTS = {"IMU_Data": ("IMU_YawRate",), "CDC_SteerReq": ("CDC_SteTqOffs",)}
SETTINGS = settings(
    max_examples=400,
    stateful_step_count=20,
    derandomize=True,
    database=None,
    deadline=None,
    report_multiple_bugs=False,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


class Forgetful(shipped.Limiter):  # type: ignore[misc]
    """Loses its window with the fourth change of sign; without a window everything is permitted."""

    def start(self, port: Any, now_ns: int) -> None:
        super().start(port, now_ns)
        self.changes = 0
        self.before_nm = 0.0

    def measured(self, yaw_rate_degps: float) -> None:
        super().measured(yaw_rate_degps)
        if yaw_rate_degps * self.before_nm < 0.0:
            self.changes += 1
        self.before_nm = yaw_rate_degps or self.before_nm
        if self.changes == 4:
            self.changes = 0
            self.window.clear()

    def bounds_nm(self) -> tuple[float, float]:
        is_lost = self.before_nm and not self.window
        return (-5.11, 5.11) if is_lost else super().bounds_nm()


def torque_is_bounded(bench: NodeBench) -> str:
    """What is applied lies within the last six samples, from what was sent and nothing else."""
    yaw = DATABASE.message("IMU_Data")
    samples = [
        yaw.codec.reader("IMU_YawRate").read(record.frame.data)[0] * 0.05
        for record in bench.received
        if record.frame.arbitration_id == yaw.arbitration_id
    ][-6:]
    requests = [each for each in bench.received if each.frame.arbitration_id == 0x0F8]
    if not bench.sent or not requests or bench.received[-1] is not requests[-1]:
        return ""  # judged when a request has just been answered: the window moves on meanwhile
    status = DATABASE.message("SAS_Angle")
    torque_nm = status.codec.reader("EPS_DrvTq").read(bench.sent[-1].frame.data)[0]
    low_nm, high_nm = min(samples, default=0.0) - 0.5, max(samples, default=0.0) + 0.5
    if low_nm - 0.0051 <= torque_nm <= high_nm + 0.0051:
        return ""
    return f"{torque_nm:.2f} Nm applied, permitted {low_nm:.2f}..{high_nm:.2f} Nm"


class ForgetfulMachine(NodeMachine):
    node = "EPS"
    module = Forgetful
    messages: ClassVar[dict[str, tuple[str, ...]]] = INPUTS
    kinds = ("time", "messages")
    judges: ClassVar[dict[str, Any]] = {"SAF-004": torque_is_bounded}


class SoundMachine(ForgetfulMachine):
    module = shipped.Limiter


def steps_of(scenario: Path) -> list[str]:
    """The lines of a scenario between the comment and the judgement."""
    lines = [line.strip() for line in scenario.read_text(encoding="utf-8").splitlines()]
    begin = lines.index("# What was found:") + 1
    return [line for line in lines[begin:-1] if line and not line.startswith("bench.judge")]


def test_hypothesis_finds_the_forgotten_window_and_the_scenario_shows_it_again(
    tmp_path: Path,
) -> None:
    machine = type("Found", (ForgetfulMachine,), {"folder": tmp_path})
    with pytest.raises(
        BrokenRequirementError, match=r"SAF-004: .* Nm applied, permitted"
    ) as caught:
        run_state_machine_as_test(machine, settings=SETTINGS)  # type: ignore[no-untyped-call]
    (folder,) = tmp_path.iterdir()
    steps = steps_of(folder / "scenario.py")
    assert 6 <= len(steps) <= 10  # five samples of changing sign, and a request
    assert f"simcore run {folder.as_posix()}/scenario.py" in str(caught.value)
    assert sorted(each.name for each in folder.iterdir()) == [
        *("bus.blf", "bus.log", "report.html", "scenario.py")
    ]
    (item,) = load_scenarios(folder / "scenario.py")
    result = run_scenario(item)
    assert [each.requirement for each in result.checks if not each.passed] == ["SAF-004"]
    assert result.error is None


def test_the_shipped_limiter_survives_the_same_search() -> None:
    few = settings(SETTINGS, max_examples=25)
    run_state_machine_as_test(SoundMachine, settings=few)  # type: ignore[no-untyped-call]


@settings(SETTINGS, max_examples=40)
@given(steps=sequences(DATABASE, "EPS", messages=INPUTS, min_size=1, max_size=1))
def test_single_messages_and_frames_do_not_show_the_bug(steps: list[Any]) -> None:
    play(
        steps,
        node="EPS",
        module=Forgetful,
        judges={"SAF-004": torque_is_bounded},
        requirements=(),
        folder=Path("never"),
    )


def test_the_step_is_limited_too_and_the_window_has_six_samples() -> None:
    bench = play([], node="EPS", module=shipped.Limiter)
    for _ in range(6):
        bench.send("IMU_Data", IMU_YawRate=100.0)
    limiter: Any = bench.node
    assert limiter.bounds_nm() == pytest.approx((4.5, 5.5))
    bench.send("CDC_SteerReq", CDC_SteTqOffs=5.0)
    assert limiter.torque_nm == pytest.approx(4.5)  # up to the window at once
    for count in range(7):
        bench.send("IMU_Data", IMU_YawRate=-100.0)
        assert limiter.bounds_nm()[1] == pytest.approx(5.5 if count < 5 else -4.5)


def test_a_node_bench_says_what_it_has() -> None:
    bench = play([], node="EPS", module=shipped.Limiter)
    with pytest.raises(UsageError, match=r"^EPS: pin 'x': expected a node with pins, got x$"):
        bench.set_pin("x", 1.0)
    with pytest.raises(UsageError, match=r"^run_for: expected whole ns >= 0, got 1.5$"):
        bench.run_for(1.5)  # type: ignore[arg-type]
