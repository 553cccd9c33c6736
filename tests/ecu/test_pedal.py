"""The driver's request from two travel channels and a force, healthy and not (SAF-003)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.ecu.cdc.distribution import distribute
from simcore.ecu.cdc.parameters import CdcParameters
from simcore.ecu.cdc.pedal import SELECTION, PedalInput, PedalVote, Selection, Verdict, compare
from simcore.ecu.runtime import Reception
from simcore.network import Database
from simcore.protection import Profile05Sender
from simcore.units import ms

DATABASE = Database.reference()
P = CdcParameters()
STEP_LIMIT_N = 2_000.0
Fault = Callable[[int, float], float]


class Pedal:
    """A reception that a sender fills every 5 ms, and the input that reads it."""

    def __init__(self, *, checked: bool = True) -> None:
        self.message = DATABASE.message("BPS_Pedal")
        self.reception = Reception(self.message)
        assert self.message.e2e is not None
        self.sender = Profile05Sender(self.message.e2e.data_id, self.message.length)
        self.now_ns = 0
        self.events: list[tuple[str, str]] = []
        self.input = PedalInput(DATABASE, self.reception, P, self.log, checked=checked)
        self.press(0.0, count=10)

    def log(self, kind: str, text: str) -> None:
        self.events.append((kind, text))

    def press(
        self,
        first_mm: float,
        second_mm: float | None = None,
        *,
        first: str = "Valid",
        second: str = "Valid",
        force_n: float | None = None,
        force: str | None = None,
        count: int = 1,
    ) -> None:
        values: dict[str, Any] = {
            "BPS_Trvl1": first_mm,
            "BPS_Trvl2": first_mm if second_mm is None else second_mm,
            "BPS_Qf1": first,
            "BPS_Qf2": second,
            "BPS_Force": force_n or 0.0,
            "BPS_QfF": force if force is not None else "Init" if force_n is None else "Valid",
        }
        for _ in range(count):
            self.now_ns += ms(5)
            data = self.message.codec.writer(*values).write(*values.values())
            self.reception.receive(self.sender.protect(data), self.now_ns)

    def decel(self, *, starting: bool = False) -> float:
        return self.input.decel_mps2(self.now_ns, starting=starting)

    def happened(self, kind: str) -> list[str]:
        return [text for each, text in self.events if each == kind]


def front_n(decel_mps2: float) -> float:
    """Clamp force of a front wheel."""
    return distribute(
        decel_mps2,
        mass_kg=P.mass_kg,
        available=[True] * 4,
        force_max_n=[40_000.0] * 2 + [27_000.0] * 2,
        speed_mps=27.0,
    )[0]


# -- the message -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("travel_mm", "decel_mps2"),
    [(0.0, 0.0), (2.0, 0.0), (31.0, 6.0), (60.0, 12.0), (90.0, 12.0)],
)
def test_pedal_travel_becomes_a_deceleration(travel_mm: float, decel_mps2: float) -> None:
    pedal = Pedal()
    pedal.press(travel_mm)
    assert pedal.decel() == pytest.approx(decel_mps2)
    assert not pedal.input.degraded


def test_agreeing_channels_are_averaged() -> None:
    pedal = Pedal()
    pedal.press(29.0, 33.0)
    assert pedal.decel() == pytest.approx(6.0)
    assert not pedal.input.degraded


@pytest.mark.parametrize(("first_mm", "second_mm"), [(31.0, 40.0), (40.0, 31.0)])
def test_without_a_force_the_smaller_of_two_disagreeing_channels_counts(
    first_mm: float, second_mm: float
) -> None:
    pedal = Pedal()
    pedal.press(31.0)
    pedal.decel()
    pedal.press(first_mm, second_mm)
    assert pedal.decel() == pytest.approx(6.0)
    assert pedal.input.degraded
    assert len(pedal.happened("detection")) == 1
    assert "channels disagree" in pedal.happened("detection")[0]


def test_five_millimetres_are_no_disagreement_and_a_little_more_is() -> None:
    pedal = Pedal()
    pedal.press(30.0, 35.0)
    pedal.decel()
    assert not pedal.input.degraded
    pedal.press(30.0, 35.05)
    pedal.decel()
    assert pedal.input.degraded


@pytest.mark.parametrize("bad", ["Invalid", "Degraded", "Init"])
def test_one_valid_channel_is_enough_and_degrades_the_pedal(bad: str) -> None:
    pedal = Pedal()
    pedal.press(0.0, 31.0, first=bad)
    assert pedal.decel() == pytest.approx(6.0)
    assert pedal.input.degraded
    pedal.press(31.0, 0.0, second=bad)
    assert pedal.decel() == pytest.approx(6.0)
    assert pedal.input.degraded


def test_without_a_valid_channel_there_is_no_request() -> None:
    pedal = Pedal()
    pedal.press(60.0, first="Invalid", second="Invalid")
    assert pedal.decel() == 0.0
    assert pedal.input.degraded


def test_a_silent_pedal_is_no_request_after_three_cycles() -> None:
    pedal = Pedal()
    pedal.press(60.0)
    pedal.now_ns += ms(15)
    assert pedal.decel() == 12.0
    pedal.now_ns += 1
    assert pedal.decel() == 0.0
    assert pedal.decel() == 0.0
    assert pedal.input.degraded
    assert pedal.happened("detection") == ["pedal silent"]


def test_a_pedal_that_returns_is_read_again() -> None:
    pedal = Pedal()
    pedal.press(60.0)
    pedal.now_ns += ms(16)
    assert pedal.decel() == 0.0
    pedal.press(60.0)
    assert pedal.decel() == 12.0
    assert not pedal.input.degraded


def test_the_same_travel_as_before_a_silence_counts_again() -> None:
    pedal = Pedal()
    pedal.press(31.0, force_n=258.0)
    pedal.decel()
    pedal.press(31.0, force_n=258.0)
    asked_mps2 = pedal.decel()
    assert asked_mps2 == pytest.approx(6.0, abs=0.01)
    pedal.now_ns += ms(60)
    assert (pedal.decel(), pedal.input.available) == (0.0, False)
    for _ in range(6):
        pedal.press(31.0, force_n=258.0)
        found_mps2 = pedal.decel()
    assert (found_mps2, pedal.input.available) == (asked_mps2, True)
    assert not pedal.input.degraded


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 30.0, 30.4, 36.0, 60.0]),
            st.sampled_from([0.0, 30.0, 30.4, 36.0, 60.0]),
            st.sampled_from([None, 0.0, 250.0, 300.0]),
            st.integers(1, 4),
        ),
        max_size=12,
    )
)
def test_a_sample_that_comes_again_is_voted_on_as_every_sample_is(
    samples: list[tuple[float, float, float | None, int]],
) -> None:
    pedal = Pedal()
    pedal.decel()
    vote = PedalVote(P, lambda kind, text: None)
    vote.sample(0.0, 0.0, None)
    for first_mm, second_mm, force_n, count in samples:
        for _ in range(count):
            pedal.press(first_mm, second_mm, force_n=force_n)
            pedal.decel()
            codec = pedal.message.codec.decode(pedal.reception.data)
            first, second = float(codec["BPS_Trvl1"]), float(codec["BPS_Trvl2"])
            witness_mm = None if force_n is None else force_n * 60.0 / 500.0
            vote.sample(first, second, witness_mm)
            found = pedal.input.vote
            assert (found.travel_mm, found.selection, found.suspicion, found.witness_trusted) == (
                vote.travel_mm,
                vote.selection,
                vote.suspicion,
                vote.witness_trusted,
            )


def test_while_the_controller_starts_the_pedal_is_not_reported_degraded() -> None:
    pedal = Pedal()
    pedal.press(60.0, first="Init")
    pedal.decel(starting=True)
    assert not pedal.input.degraded
    pedal.now_ns += ms(100)
    assert pedal.decel(starting=True) == 0.0
    assert not pedal.input.degraded


def test_a_late_pedal_counts_and_warns() -> None:
    pedal = Pedal()
    pedal.press(31.0)
    pedal.input.late = True
    assert pedal.decel() == pytest.approx(6.0)
    assert pedal.input.degraded


@pytest.mark.parametrize(("force", "degraded"), [("Invalid", True), ("Init", False)])
def test_a_force_channel_that_says_it_is_broken_warns(force: str, degraded: bool) -> None:
    pedal = Pedal()
    pedal.press(31.0, force=force)
    assert pedal.decel() == pytest.approx(6.0)
    assert pedal.input.degraded is degraded


def test_without_plausibility_the_mean_counts_and_nothing_is_said() -> None:
    pedal = Pedal(checked=False)
    pedal.press(2.0, 60.0, force_n=500.0)
    assert pedal.decel() == pytest.approx(6.0)
    assert not pedal.input.degraded and pedal.events == []
    pedal.press(2.0, 60.0, first="Invalid")
    assert pedal.decel() == pytest.approx(12.0)
    assert pedal.input.degraded


# -- the vote --------------------------------------------------------------------------------------


def test_the_decision_table_is_total() -> None:
    assert set(SELECTION) == set(product((False, True), (False, True), Verdict))


@pytest.mark.parametrize(
    ("first_mm", "second_mm", "witness_mm", "verdict"),
    [
        (30.0, 35.0, None, Verdict.AGREE),
        (30.0, 35.0, 0.0, Verdict.AGREE),
        (30.0, 36.0, None, Verdict.UNDECIDED),
        (30.0, 36.0, 30.0, Verdict.SECOND_WRONG),
        (36.0, 30.0, 30.0, Verdict.FIRST_WRONG),
        (30.0, 36.0, 33.0, Verdict.UNDECIDED),
        (30.0, 36.0, 20.0, Verdict.UNDECIDED),
        (0.0, 40.0, 37.0, Verdict.FIRST_WRONG),
        (0.0, 40.0, 20.0, Verdict.UNDECIDED),
    ],
)
def test_the_force_tells_which_channel_is_wrong_where_it_can(
    first_mm: float, second_mm: float, witness_mm: float | None, verdict: Verdict
) -> None:
    assert compare(first_mm, second_mm, witness_mm, P) is verdict


def ramp(full_mm: float, samples: int) -> list[float]:
    """A pedal pressed within so many samples, held, released at once, at rest."""
    rise = [full_mm * (i + 1) / samples for i in range(samples)] if samples else []
    return [0.0] * 10 + rise + [full_mm] * 40 + [0.0] * 20


def stuck_at_rest(sample: int, true_mm: float) -> float:
    return 0.0


def stuck_braking(sample: int, true_mm: float) -> float:
    return true_mm if sample < 40 else 60.0


def offset(by_mm: float) -> Fault:
    return lambda sample, true_mm: true_mm + by_mm if 20 <= sample < 50 else true_mm


def drift(sample: int, true_mm: float) -> float:
    return true_mm + 0.3 * max(0, sample - 15)


def noise(sample: int, true_mm: float) -> float:
    return true_mm + (sample * 7919 % 41 - 20)


def zero_to_full(sample: int, true_mm: float) -> float:
    return 200.0 if sample >= 20 else true_mm


FAULTS: dict[str, Fault] = {
    "stuck at rest": stuck_at_rest,
    "stuck while braking": stuck_braking,
    "offset up": offset(20.0),
    "offset down": offset(-20.0),
    "drift": drift,
    "noise": noise,
    "range": zero_to_full,
}


def travels(
    true_mm: Iterable[float], fault: Fault, channel: int, *, witness: bool
) -> tuple[list[float], PedalVote, list[str]]:
    """What the vote makes of a driver's movement with one channel broken."""
    detections: list[str] = []
    vote = PedalVote(P, lambda kind, text: detections.append(text) if kind == "detection" else None)
    found = []
    for sample, mm in enumerate(true_mm):
        channels = [mm, mm]
        channels[channel] = max(0.0, fault(sample, mm))
        found.append(vote.sample(*channels, mm if witness else None))
    return found, vote, detections


@pytest.mark.parametrize("samples", [24, 1, 100])
@pytest.mark.parametrize("channel", [0, 1])
@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_channel_never_steps_the_force_and_is_right_within_three_samples(
    name: str, channel: int, samples: int
) -> None:
    """SAF-003, in a panic stop, with a pedal kicked down at once and with a gentle one."""
    true_mm = ramp(60.0, samples)
    found, _, detections = travels(true_mm, FAULTS[name], channel, witness=True)
    error_n = [
        front_n(min(12.0, max(0.0, (a - 2.0) / 58.0 * 12.0)))
        - front_n(min(12.0, max(0.0, (b - 2.0) / 58.0 * 12.0)))
        for a, b in zip(found, true_mm, strict=True)
    ]
    steps_n = [abs(b - a) for a, b in pairwise(error_n)]
    assert max(steps_n) <= STEP_LIMIT_N
    # Wherever the channels have been apart for three samples, the travel is the driver's.
    apart = 0
    for sample, (mm, used_mm) in enumerate(zip(true_mm, found, strict=True)):
        broken = abs(max(0.0, FAULTS[name](sample, mm)) - mm) > P.pedal_disagreement_mm
        apart = apart + 1 if broken else 0
        if apart >= 3:
            assert used_mm == pytest.approx(mm, abs=0.01)
    assert len(detections) == 1
    assert f"channel {channel + 1} is wrong" in detections[0]


@pytest.mark.parametrize("name", FAULTS)
def test_without_a_force_the_travel_still_never_steps_where_the_driver_is_still(name: str) -> None:
    true_mm = [30.0] * 120
    found, _, detections = travels(true_mm, FAULTS[name], 0, witness=False)
    assert max(found) <= 30.0 + 0.5 * P.pedal_disagreement_mm
    steps_mm = [abs(b - a) for a, b in pairwise(found[1:])]
    assert max(steps_mm, default=0.0) <= P.pedal_blend_mm + 0.5 * P.pedal_disagreement_mm
    assert detections and "channels disagree" in detections[0]


@given(
    travel=st.lists(st.floats(0.0, 60.0), min_size=5, max_size=40),
    wrong=st.lists(st.floats(0.0, 200.0), min_size=40, max_size=40),
    channel=st.sampled_from((0, 1)),
)
def test_with_one_arbitrary_channel_the_travel_stays_near_the_drivers(
    travel: list[float], wrong: list[float], channel: int
) -> None:
    found, _, _ = travels(travel, lambda sample, _: wrong[sample], channel, witness=True)
    for used_mm, mm in zip(found, travel, strict=True):
        assert abs(used_mm - mm) <= 0.5 * P.pedal_tolerance_mm + 1e-9


def test_a_channel_counts_again_only_after_a_stretch_of_agreement() -> None:
    pedal = Pedal()
    pedal.press(30.0, 50.0, force_n=250.0)
    pedal.decel()
    for _ in range(P.pedal_heal_samples - 1):
        pedal.press(30.0, force_n=250.0)
        pedal.decel()
    assert pedal.input.degraded
    pedal.press(30.0, force_n=250.0)
    pedal.decel()
    assert not pedal.input.degraded
    assert pedal.happened("note") == ["pedal channels agree again"]


def test_a_force_that_fits_neither_of_two_agreeing_channels_is_the_wrong_one() -> None:
    pedal = Pedal()
    for _ in range(P.pedal_witness_bad_samples):
        assert not pedal.input.degraded
        pedal.press(31.0, force_n=0.0)
        assert pedal.decel() == pytest.approx(6.0)
    assert pedal.input.degraded
    assert pedal.happened("detection") == ["pedal force does not fit the travel, 31.0 mm off"]
    for _ in range(P.pedal_heal_samples):
        pedal.press(31.0, force_n=31.0 * 500.0 / 60.0)
        pedal.decel()
    assert not pedal.input.degraded


def test_a_wrong_force_never_talks_the_vote_into_a_wrong_channel() -> None:
    """Force stuck at rest, then channel 2 jumps: the force would confirm nobody."""
    pedal = Pedal()
    for _ in range(10):
        pedal.press(31.0, force_n=0.0)
        pedal.decel()
    pedal.press(31.0, 0.0, force_n=0.0)
    pedal.decel()
    assert pedal.input.vote.selection is Selection.SMALLER


def test_healthy_channels_are_never_suspected_however_the_driver_presses() -> None:
    for samples in (0, 1, 3, 24, 200):
        _, vote, detections = travels(ramp(60.0, samples), lambda sample, mm: mm, 0, witness=True)
        assert detections == [] and not vote.degraded


def test_a_channel_that_becomes_invalid_is_told_once_and_comes_back_after_agreement() -> None:
    pedal = Pedal()
    for quality in ("Valid", "Degraded", "Valid", "Degraded", "Invalid", "Invalid"):
        pedal.press(31.0, first=quality)
        assert pedal.decel() == pytest.approx(6.0)
    assert pedal.happened("detection") == ["pedal channel 1 is not valid"]
    for _ in range(P.pedal_heal_samples):
        assert pedal.input.degraded
        pedal.press(31.0)
        pedal.decel()
    assert not pedal.input.degraded
