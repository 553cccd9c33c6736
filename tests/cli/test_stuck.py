"""The watch over scripts and modules that let no virtual time pass."""

from __future__ import annotations

import re
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from simcore import Rig, ms
from simcore.cli.stuck import StuckWatch
from simcore.kernel import StuckError

Simcore = Callable[..., Any]
Write = Callable[..., Path]


class Alarm:
    """Stands in for the operating system: rings once per call."""

    def __init__(self, watch: StuckWatch) -> None:
        self.watch = watch

    def ring(self) -> None:
        self.watch._look(signal.SIGALRM, sys._getframe())

    def __deepcopy__(self, memo: dict[int, Any]) -> Alarm:
        return self  # shared with forks, as the process is


@pytest.fixture
def alarm() -> Alarm:
    return Alarm(StuckWatch(30.0))


def test_time_that_stands_still_for_the_whole_stretch_raises_where_it_loops(alarm: Alarm) -> None:
    rig = Rig()
    rig.run_for(ms(5))
    alarm.watch.watch(rig)
    for _ in range(4):
        alarm.ring()
    text = (
        r"^virtual time has stood at 5 ms for 30 s of real time in ring "
        r"\(\S+/test_stuck\.py:\d+\); a loop lets time pass by run_for or run_until$"
    )
    with pytest.raises(StuckError, match=text):
        alarm.ring()


def test_time_that_passes_now_and_then_is_never_stuck(alarm: Alarm) -> None:
    rig = Rig()
    alarm.watch.watch(rig)
    for _ in range(10):
        for _ in range(4):
            alarm.ring()
        rig.run_for(ms(1))


def test_nothing_is_stuck_while_no_rig_is_watched(alarm: Alarm) -> None:
    alarm.watch.watch(Rig())
    alarm.watch.watch(None)
    for _ in range(20):
        alarm.ring()


def test_time_that_passes_in_a_fork_counts(alarm: Alarm) -> None:
    rig = Rig()
    alarm.watch.watch(rig)
    for millisecond in range(20):
        rig.at(ms(millisecond), alarm.ring)
    rig.fork().run_for(ms(20))
    assert rig.now_ns == 0


def test_forking_is_no_standstill(alarm: Alarm) -> None:
    class Rings:
        def __deepcopy__(self, memo: dict[int, Any]) -> Rings:
            alarm.ring()
            return self

    rig = Rig()
    alarm.watch.watch(rig)
    rig.attached = Rings()  # type: ignore[attr-defined]
    for _ in range(20):
        rig.fork()


def test_a_node_that_loops_is_stuck_although_the_script_is_in_run_for(alarm: Alarm) -> None:
    class Loops:
        def start(self, port: Any, now_ns: int) -> None: ...
        def receive(self, frame: Any, now_ns: int) -> None:
            while True:
                alarm.ring()

        def on_timer(self, now_ns: int) -> None: ...
        def next_deadline_ns(self) -> None: ...

    rig = Rig()
    rig.replace("EMB_FL", Loops())
    alarm.watch.watch(rig)
    rig.run_for(ms(5))
    (finding,) = rig.log.findings
    assert re.search(
        r"receive of Frame\(0x060, .* raised StuckError: virtual time has stood at 0\.\d+ ms for "
        r"30 s of real time in ring .*; the node is switched off",
        finding.text,
    )


def test_leaving_puts_back_what_was_there() -> None:
    def mine(number: int, frame: FrameType | None) -> None: ...

    before = signal.signal(signal.SIGALRM, mine)
    try:
        with StuckWatch(100.0):
            assert signal.getsignal(signal.SIGALRM) is not mine
            assert signal.getitimer(signal.ITIMER_REAL)[1] == 25.0
        assert signal.getsignal(signal.SIGALRM) is mine
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    finally:
        signal.signal(signal.SIGALRM, before)


def test_outside_the_main_thread_it_rests_and_says_nothing() -> None:
    errors: list[BaseException] = []

    def enter() -> None:
        try:
            with StuckWatch(100.0):
                assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert errors == []


def test_a_scenario_that_loops_in_pure_python_is_ended_and_the_next_one_runs(
    simcore: Simcore, write: Write, quick: Path
) -> None:
    path = write(
        "loops.py",
        """
        @scenario
        def loops(rig: Rig) -> None:
            rig.run_for(ms(5))
            while rig.now_ns < s(1):
                pass
        """,
    )
    ended = simcore("run", path, quick, "--stuck-after", 1, "--report", "out")
    assert ended.code == 3
    (line,) = [line for line in ended.lines if line.startswith("  ERROR")]
    place = re.escape(str(path.resolve()))
    assert re.match(
        rf"  ERROR  {place}:[67]: StuckError: virtual time has stood at 5 ms for 1 s of real time "
        rf"in loops \({place}:[67]\); a loop lets time pass",
        line,
    )
    assert ended.lines[-2].startswith("ERROR: 2 scenarios, 1 passed, 0 failed, 1 error")
    assert "loops" in Path("out/junit.xml").read_text(encoding="utf-8")
