"""Determinism: same seed, same digest; a fork or a pickle continues like the original.

How long a fork takes is not asserted, a loaded machine would fail it. Measured: 6 to 15 ms half a
second after power on, and slowly more with what was recorded.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from simcore.bus import Frame
from simcore.faults import EcuSilent
from simcore.rig import Rig
from simcore.units import NS_PER_MS, ms

QUICKLY = (Phase.explicit, Phase.reuse, Phase.generate)
"""An instant does not get any simpler by shrinking it, and every example costs a run."""


def drive(rig: Rig) -> Rig:
    """A tenth of a second with something happening."""
    rig.press_pedal(60, ramp_ns=ms(30))
    rig.run_for(ms(70))
    rig.release_pedal()
    rig.run_for(ms(30))
    return rig


def test_the_same_run_has_the_same_digest() -> None:
    first, second = Rig(seed=3), Rig(seed=3)
    for rig in (first, second):
        rig.vehicle.set_speed(kmh=80)
        drive(rig)
    assert first.digest == second.digest
    assert len(first.digest) == 32


SCRIPT = """
from simcore.rig import Rig
from simcore.units import ms
rig = Rig(seed=3)
rig.vehicle.set_speed(kmh=80)
rig.press_pedal(60, ramp_ns=ms(30))
rig.run_for(ms(70))
rig.release_pedal()
rig.run_for(ms(30))
print(rig.digest)
"""


def test_another_process_with_another_hash_seed_has_the_same_digest() -> None:
    rig = Rig(seed=3)
    rig.vehicle.set_speed(kmh=80)
    drive(rig)
    root = Path(__file__).resolve().parents[2]
    for hash_seed in ("0", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == rig.digest


def test_asking_for_the_digest_changes_nothing(warm_rolling: Rig) -> None:
    asked, quiet = warm_rolling.fork(), warm_rolling.fork()
    for _ in range(50):
        asked.run_for(ms(2))
        assert asked.digest != ""
    quiet.run_for(ms(100))
    assert asked.digest == quiet.digest


def test_how_the_time_is_cut_into_calls_changes_nothing(warm_rolling: Rig) -> None:
    cut, whole = warm_rolling.fork(), warm_rolling.fork()
    for _ in range(97):
        cut.run_for(1_000_003)
    cut.run_for(100 * NS_PER_MS - 97 * 1_000_003)
    whole.run_for(100 * NS_PER_MS)
    assert cut.now_ns == whole.now_ns
    assert cut.digest == whole.digest


@pytest.mark.parametrize(
    "act",
    [
        lambda rig: rig.press_pedal(1),
        lambda rig: rig.vehicle.set_speed(kmh=99),
        lambda rig: rig.inject(EcuSilent(node="GW")),
        lambda rig: rig.restbus("VCU").set("VCU_Torque", VCU_AccPed=50),
        lambda rig: rig.check("X-1", True),
        lambda rig: rig.node("TST").port.send(Frame(0x7DF)),
    ],
    ids=["pedal", "speed", "fault", "restbus", "check", "frame"],
)
def test_any_other_behaviour_has_another_digest(warm_rolling: Rig, act: object) -> None:
    other, same = warm_rolling.fork(), warm_rolling.fork()
    act(other)  # type: ignore[operator]
    for rig in (other, same):
        rig.run_for(ms(30))
    assert other.digest != same.digest


def test_what_only_looks_has_the_same_digest(warm_rolling: Rig) -> None:
    looked, same = warm_rolling.fork(), warm_rolling.fork()
    looked.signal("CDC_BrkSt", "CDC_DegrLvl")
    looked.report("speed", "100 km/h")
    looked.pin("EMB_FL", "clamp_force_n")
    looked.run_until(lambda: False, timeout=ms(30))
    same.run_for(ms(30))
    assert looked.digest == same.digest


# -- fork and pickle -----------------------------------------------------------------------------


def continued(original: Rig, at_ns: int) -> None:
    """Copy at `at_ns` by fork and by pickle; all go on alike."""
    original.run_for(at_ns)
    forked = original.fork()
    pickled = pickle.loads(pickle.dumps(original))
    assert forked.now_ns == pickled.now_ns == original.now_ns
    assert forked.digest == pickled.digest == original.digest
    for rig in (original, forked, pickled):
        drive(rig)
    assert forked.digest == original.digest
    assert pickled.digest == original.digest
    assert forked.recorder.table().tolist() == original.recorder.table().tolist()
    assert pickled.log.events == original.log.events


@settings(max_examples=12, phases=QUICKLY)
@given(at_ns=st.integers(0, ms(60)))
def test_a_fork_and_a_pickle_at_any_instant_continue_like_the_original(
    warm_rolling: Rig, at_ns: int
) -> None:
    continued(warm_rolling.fork(), at_ns)


@settings(max_examples=8, phases=QUICKLY)
@given(at_ns=st.integers(0, ms(60)))
def test_so_they_do_in_the_middle_of_a_slip_controlled_stop(braking: Rig, at_ns: int) -> None:
    continued(braking.fork(), at_ns)


@pytest.fixture(scope="module")
def braking(warm_rolling: Rig) -> Rig:
    rig = warm_rolling.fork()
    rig.vehicle.set_friction(0.4)
    rig.press_pedal(100)
    rig.inject(EcuSilent(node="EMB_RL"))
    rig.run_for(ms(300))
    return rig


def test_so_they_do_in_the_middle_of_a_frame(warm_rolling: Rig) -> None:
    """Between start and end of a frame that is known to be on the wire then."""
    probe = warm_rolling.fork()
    before = len(probe.recorder.frames)
    probe.run_for(ms(6))
    inside = [
        (record.sof_ns + record.eof_ns) // 2 - warm_rolling.now_ns
        for record in probe.recorder.frames[before + 1 : before + 6]
    ]
    for at_ns in inside:
        original = warm_rolling.fork()
        count = len(original.recorder.frames)
        original.run_for(at_ns)
        assert len(original.recorder.frames) >= count
        assert any(bus.armed for bus in original.buses)  # busy
        continued(original, 0)


def test_so_they_do_before_anything_has_run() -> None:
    continued(Rig(seed=5), 0)


def test_so_they_do_with_a_pending_action(warm_rolling: Rig) -> None:
    original = warm_rolling.fork()
    original.at(original.now_ns + ms(20), original.driver_event)  # type: ignore[attr-defined]
    continued(original, ms(5))


@pytest.fixture(autouse=True)
def _driver_event(monkeypatch: pytest.MonkeyPatch) -> None:
    def driver_event(self: Rig) -> None:
        self.log.add("test", "note", "pending action ran")

    monkeypatch.setattr(Rig, "driver_event", driver_event, raising=False)


def test_a_fork_is_independent_both_ways(rolling: Rig) -> None:
    before = rolling.digest
    rows, frames, events = (
        rolling.recorder.row_count,
        len(rolling.recorder.frames),
        len(rolling.log.events),
    )
    fork = rolling.fork()
    fork.vehicle.set_friction(0.2)
    fork.inject(EcuSilent(node="EMB_FL"))
    fork.check("X-1", False)
    fork.report("a", "b")
    fork.restbus("VCU").set("VCU_Torque", VCU_AccPed=90)
    drive(fork)
    assert rolling.digest == before
    assert rolling.recorder.row_count == rows
    assert len(rolling.recorder.frames) == frames
    assert len(rolling.log.events) == events
    assert (rolling.checks, rolling.measurements, rolling.silenced) == ([], {}, {})
    assert rolling.plant.surface.segments[0].left_ratio == 1.05
    assert rolling.signal("VCU_Torque", "VCU_AccPed") == 0
    twin = rolling.fork()
    rolling.press_pedal(100)
    rolling.run_for(ms(50))
    untouched = twin.digest
    assert untouched == before != rolling.digest


def test_a_hundred_forks_of_one_instant_are_all_alike(warm_rolling: Rig) -> None:
    digests = set()
    for _ in range(100):
        fork = warm_rolling.fork()
        fork.run_for(ms(2))
        digests.add(fork.digest)
    assert len(digests) == 1


def test_a_fork_from_inside_a_node_is_refused(rolling: Rig) -> None:
    class Forking:
        def start(self, port: object, now_ns: int) -> None:
            self.due_ns: int | None = now_ns + ms(1)

        def receive(self, frame: Frame, now_ns: int) -> None:
            pass

        def on_timer(self, now_ns: int) -> None:
            self.due_ns = None
            rolling.fork()

        def next_deadline_ns(self) -> int | None:
            return self.due_ns

    rolling.replace("GW", Forking())  # type: ignore[arg-type]
    rolling.run_for(ms(5))
    (finding,) = rolling.log.findings
    assert "fork: expected between two instants, not from inside a node" in finding.text


def test_a_fork_from_a_scheduled_action_is_a_whole_instant(warm_rolling: Rig) -> None:
    class Forker:
        def fork(self, rig: Rig) -> None:
            self.twin = rig.fork()

    rig, forker = warm_rolling.fork(), Forker()
    rig.at(rig.now_ns + ms(7), partial(forker.fork, rig))
    rig.run_for(ms(30))
    forker.twin.run_for(ms(23))
    assert forker.twin.now_ns == rig.now_ns
    assert forker.twin.digest == rig.digest


def test_a_fork_shares_what_cannot_change(rolling: Rig) -> None:
    fork = rolling.fork()
    assert fork.database is rolling.database
    for name in ("EMB_FL", "CDC", "BPS", "IMU"):
        one: Any = fork.node(name)
        other: Any = rolling.node(name)
        assert one is not other
        assert one.parameters is other.parameters
    assert fork.recorder.frames is not rolling.recorder.frames
    mine, its = fork.recorder.frames, rolling.recorder.frames
    assert mine == its
    assert mine.sealed_count > 0
    blocks = zip(
        mine.columns(stop=mine.sealed_count), its.columns(stop=its.sealed_count), strict=True
    )
    assert all(block is other_block for block, other_block in blocks)
    assert mine[-1] is its[-1]


def test_random_streams_go_with_a_fork(standing: Rig) -> None:
    stream = standing.random.stream("noise")
    stream.uniform()
    fork = standing.fork()
    wanted = [stream.uniform() for _ in range(5)]
    assert [fork.random.stream("noise").uniform() for _ in range(5)] == wanted
