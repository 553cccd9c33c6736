"""Sequences of 20 steps per second of CPU: message level and full rig, against bare hypothesis.

The message level plays them on the demo module alone, as strategy and as state machine; the rig is
the reference chassis with every group of rules, each sequence on a fork. The yardstick is what
hypothesis needs to draw lists of 20 integers and do nothing with them, in the same run.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from simcore.attach.dut import load_dut
from simcore.network import Database
from simcore.resources import scenario_path
from simcore.testing.machine import ChassisMachine
from simcore.testing.machine_steps import Step
from simcore.testing.sequence import NodeMachine, play, sequences

STEPS = 20
SEQUENCES = 300
RIG_SEQUENCES = 30
INPUTS = {"IMU_Data": ("IMU_YawRate",), "CDC_SteerReq": ("CDC_SteTqOffs",)}
LIMITER = load_dut(str(scenario_path("panic_stop.py").parent / "modules" / "limiter.py"))


class OnTheLimiter(NodeMachine):
    node = "EPS"
    module = LIMITER
    messages = INPUTS
    kinds = ("time", "messages")


class OnTheChassis(ChassisMachine):
    """As it is."""


def _settings(count: int) -> settings:
    return settings(
        max_examples=count,
        stateful_step_count=STEPS,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@_settings(SEQUENCES)
@given(st.lists(st.integers(0, 100), min_size=STEPS, max_size=STEPS))
def bare_hypothesis(drawn: list[int]) -> None:
    """Nothing but drawing."""


@_settings(SEQUENCES)
@given(
    steps=sequences(
        Database.reference(),
        "EPS",
        kinds=("time", "messages"),
        messages=INPUTS,
        min_size=STEPS,
        max_size=STEPS,
    )
)
def message_level(steps: list[Step]) -> None:
    """Drawn, played and judged."""
    play(steps, node="EPS", module=LIMITER)


def message_machine() -> None:
    """The same as a state machine."""
    run_state_machine_as_test(OnTheLimiter, settings=_settings(SEQUENCES))


def full_rig() -> None:
    """The whole chassis."""
    run_state_machine_as_test(OnTheChassis, settings=_settings(RIG_SEQUENCES))


def per_second(count: int, action: Callable[[], object]) -> float:
    """Sequences per second of CPU time."""
    begun = time.process_time()
    action()
    return count / (time.process_time() - begun)


def run() -> dict[str, float]:
    """Sequences per second by level."""
    OnTheChassis()  # the warm-up is made once
    rows: tuple[tuple[str, int, Callable[[], object]], ...] = (
        ("bare hypothesis", SEQUENCES, bare_hypothesis),
        ("message level, strategy", SEQUENCES, message_level),
        ("message level, state machine", SEQUENCES, message_machine),
        ("full rig, state machine", RIG_SEQUENCES, full_rig),
    )
    return {name: per_second(count, action) for name, count, action in rows}


def main() -> None:
    print(f"Sequences of {STEPS} steps per second of CPU time")
    figures = run()
    yardstick = figures["bare hypothesis"]
    for name, value in figures.items():
        print(f"  {name:<32} {value:8.1f}   {value / yardstick:6.3f} of bare hypothesis")


if __name__ == "__main__":
    main()
