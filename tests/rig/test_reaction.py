"""Reaction times on planted and real faults: exact to the nanosecond, edge, level, bad input."""

from __future__ import annotations

from functools import partial

import pytest

from simcore.errors import UsageError
from simcore.faults import EcuSilent, MessageStopped
from simcore.rig import Rig
from simcore.rig.evidence import AnyOf, ColumnHolds, EventSeen, Evidence, SignalSeen
from simcore.rig.reaction import Reaction
from simcore.units import ms

HARMLESS = EcuSilent(node="TST")
DETECTED = EventSeen("detection", "CDC", "planted")
SAFE = EventSeen("reaction", "CDC", "planted")


def plant(rig: Rig, after_ns: int, kind: str, text: str = "planted") -> None:
    rig.at(rig.now_ns + after_ns, partial(rig.log.add, "CDC", kind, text))


def test_intervals_are_exact_to_the_nanosecond(standing: Rig) -> None:
    standing.run_for(123_457)
    plant(standing, 20_000_001, "detection")
    plant(standing, 31_234_567, "reaction")
    fault_ns = standing.now_ns
    reaction = standing.measure_reaction(
        HARMLESS, detection=DETECTED, safe_state=SAFE, timeout=ms(200)
    )
    assert reaction.fault_ns == fault_ns
    assert reaction.detected == Evidence(
        time_ns=fault_ns + 20_000_001, text="CDC detection: planted"
    )
    assert (reaction.fdti_ns, reaction.frti_ns, reaction.fhti_ns) == (
        20_000_001,
        11_234_566,
        31_234_567,
    )
    assert reaction.fault == HARMLESS.sentence
    assert reaction.margin_ns(ms(50)) == 50_000_000 - 31_234_567
    assert str(reaction) == (
        "TST silent: supply of the ECU lost: detected after 20.000001 ms (CDC detection: planted), "
        "safe after 31.234567 ms (CDC reaction: planted)"
    )


@pytest.mark.parametrize(
    ("ftti_ns", "fdti_ns", "passed"),
    [
        (31_000_000, None, True),
        (30_999_999, None, False),
        (31_000_000, 20_000_000, True),
        (31_000_000, 19_999_999, False),
    ],
)
def test_a_budget_is_kept_to_its_last_nanosecond(
    standing: Rig, ftti_ns: int, fdti_ns: int | None, passed: bool
) -> None:
    plant(standing, ms(20), "detection")
    plant(standing, ms(31), "reaction")
    reaction = standing.measure_reaction(
        HARMLESS, detection=DETECTED, safe_state=SAFE, timeout=ms(100)
    )
    assert reaction.within(ftti_ns=ftti_ns, fdti_ns=fdti_ns) is passed


def test_what_was_there_before_the_fault_is_no_detection(standing: Rig) -> None:
    standing.log.add("CDC", "detection", "planted")
    plant(standing, ms(10), "reaction")
    reaction = standing.measure_reaction(
        HARMLESS, detection=DETECTED, safe_state=SAFE, timeout=ms(60)
    )
    assert reaction.detected is None
    assert (reaction.fdti_ns, reaction.frti_ns, reaction.fhti_ns) == (None, None, ms(10))
    assert not reaction.within(ftti_ns=ms(60))
    assert "undetected for 60 ms" in str(reaction)


def test_a_safe_state_before_the_detection_counts_from_the_detection(standing: Rig) -> None:
    plant(standing, ms(10), "reaction")
    plant(standing, ms(30), "detection")
    reaction = standing.measure_reaction(
        HARMLESS, detection=DETECTED, safe_state=SAFE, timeout=ms(200)
    )
    assert (reaction.fdti_ns, reaction.frti_ns, reaction.fhti_ns) == (ms(30), 0, ms(30))


def test_a_safe_state_that_does_not_last_is_none(rolling: Rig) -> None:
    """The clamp forces rise 60 ms after the fault and with them goes what looked safe."""
    plant(rolling, ms(5), "detection")
    rolling.at(rolling.now_ns + ms(60), partial(rolling.press_pedal, 50.0))
    open_brakes = ColumnHolds("clamp_force_n.FL", "<=", 500)
    reaction = rolling.measure_reaction(
        HARMLESS, detection=DETECTED, safe_state=open_brakes, timeout=ms(300), settle=ms(250)
    )
    assert reaction.detected is not None
    assert reaction.safe is None
    assert reaction.fhti_ns is None
    assert "no safe state" in str(reaction)


def test_the_observation_ends_once_the_safe_state_has_lasted(standing: Rig) -> None:
    plant(standing, ms(10), "detection")
    plant(standing, ms(20), "reaction")
    began_ns = standing.now_ns
    reaction = standing.measure_reaction(
        HARMLESS, detection=DETECTED, safe_state=SAFE, timeout=ms(900), settle=ms(50)
    )
    assert reaction.until_ns == standing.now_ns
    assert ms(70) <= standing.now_ns - began_ns < ms(100)


def test_where_a_hazard_is_named_the_observation_lasts_as_long_as_it_has_to_stay_away(
    rolling: Rig,
) -> None:
    """All is detected and safe after 10 ms; what must not come within 300 ms comes after 250."""
    plant(rolling, ms(5), "detection")
    plant(rolling, ms(10), "reaction")
    rolling.at(rolling.now_ns + ms(200), partial(rolling.press_pedal, 50.0))
    hazard = ColumnHolds("clamp_force_n.FL", ">", 1000)

    def measured(rig: Rig, hazard_within: int | None) -> Reaction:
        return rig.measure_reaction(
            HARMLESS,
            detection=DETECTED,
            safe_state=SAFE,
            timeout=ms(150),
            hazard=hazard,
            hazard_within=hazard_within,
        )

    watched = measured(rolling.fork(), ms(300))
    assert watched.hazard is not None
    assert ms(200) < (watched.hazard_after_ns or 0) < ms(300)
    assert watched.fault_ns is not None
    assert watched.until_ns >= watched.fault_ns + ms(300)
    by_default = measured(rolling, None)
    assert by_default.hazard is None
    assert by_default.until_ns - (by_default.fault_ns or 0) == ms(150)


def test_a_safe_state_that_ceases_while_the_hazard_is_watched_is_none(rolling: Rig) -> None:
    plant(rolling, ms(5), "detection")
    rolling.at(rolling.now_ns + ms(150), partial(rolling.press_pedal, 50.0))
    reaction = rolling.measure_reaction(
        HARMLESS,
        detection=DETECTED,
        safe_state=ColumnHolds("clamp_force_n.FL", "<=", 500),
        timeout=ms(100),
        hazard=EventSeen("bus"),
        hazard_within=ms(300),
    )
    assert reaction.safe is None


def test_another_faults_event_is_not_when_this_one_began(standing: Rig) -> None:
    now_ns = standing.now_ns
    standing.inject(EcuSilent(node="GW").at(now_ns + ms(5)))
    plant(standing, ms(50), "detection")
    plant(standing, ms(55), "reaction")
    reaction = standing.measure_reaction(
        HARMLESS.at(now_ns + ms(40)), detection=DETECTED, safe_state=SAFE, timeout=ms(100)
    )
    assert (reaction.fault_ns, reaction.fdti_ns) == (now_ns + ms(40), ms(10))


def test_an_undetected_fault_is_watched_for_a_second_by_default(standing: Rig) -> None:
    reaction = standing.measure_reaction(HARMLESS, detection=DETECTED, safe_state=SAFE)
    assert reaction.until_ns - (reaction.fault_ns or 0) == ms(1000)


def test_a_fault_with_a_time_of_its_own_is_waited_for(standing: Rig) -> None:
    fault_ns = standing.now_ns + ms(40)
    plant(standing, ms(10), "detection")  # before the fault
    plant(standing, ms(55), "detection")
    plant(standing, ms(60), "reaction")
    reaction = standing.measure_reaction(
        HARMLESS.at(fault_ns), detection=DETECTED, safe_state=SAFE, timeout=ms(100)
    )
    assert reaction.fault_ns == fault_ns
    assert (reaction.fdti_ns, reaction.fhti_ns) == (ms(15), ms(20))


def test_of_several_faults_the_first_begins_the_time(standing: Rig) -> None:
    plant(standing, ms(30), "detection")
    plant(standing, ms(35), "reaction")
    first_ns = standing.now_ns + ms(10)
    sequence = HARMLESS.at(first_ns) + EcuSilent(node="GW").at(first_ns + ms(5))
    reaction = standing.measure_reaction(
        sequence, detection=DETECTED, safe_state=SAFE, timeout=ms(100)
    )
    assert (reaction.fault_ns, reaction.fdti_ns, reaction.fhti_ns) == (first_ns, ms(20), ms(25))
    assert reaction.fault.count("silent: supply of the ECU lost") == 2


def test_a_fault_that_never_happens_is_reported_as_such(standing: Rig) -> None:
    never = HARMLESS.after("detection", text="something that does not come")
    reaction = standing.measure_reaction(never, detection=DETECTED, safe_state=SAFE, timeout=ms(50))
    assert reaction.fault_ns is None
    assert (reaction.fdti_ns, reaction.fhti_ns, reaction.hazard_after_ns) == (None, None, None)
    assert str(reaction).endswith("never happened")


def test_a_hazard_that_comes_first_spoils_the_reaction(rolling: Rig) -> None:
    plant(rolling, ms(90), "detection")
    plant(rolling, ms(95), "reaction")
    rolling.press_pedal(50.0)
    hazard = ColumnHolds("clamp_force_n.FL", ">", 1000)
    reaction = rolling.measure_reaction(
        HARMLESS, detection=DETECTED, safe_state=SAFE, timeout=ms(300), hazard=hazard
    )
    assert reaction.hazard is not None
    assert reaction.hazard_after_ns is not None
    assert reaction.hazard_after_ns < ms(90)
    assert not reaction.within(ftti_ns=ms(200))
    assert reaction.within(ftti_ns=ms(95)) is False


def test_the_same_measurement_gives_the_same_result_twice(rolling: Rig) -> None:
    def measured(rig: Rig) -> Reaction:
        return rig.measure_reaction(
            EcuSilent(node="EMB_RL"),
            detection=EventSeen("detection", "CDC", "EMB_RL lost"),
            safe_state=EventSeen("reaction", "CDC", "degradation"),
            timeout=ms(200),
        )

    assert measured(rolling.fork()) == measured(rolling)


def test_a_silent_actuator_is_detected_by_a_missing_frame(rolling: Rig) -> None:
    reaction = rolling.measure_reaction(
        EcuSilent(node="EMB_FL"),
        detection=EventSeen("detection", "CDC", "EMB_FL lost"),
        safe_state=SignalSeen("CDC_BrkSt", "CDC_DegrLvl", "==", "OneFront"),
        timeout=ms(200),
    )
    assert reaction.fdti_ns is not None
    assert reaction.safe is not None
    assert ms(10) <= reaction.fdti_ns <= ms(20)  # three cycles of 5 ms and the task behind them
    message = rolling.database.message("CDC_BrkSt")
    ends = [
        record.eof_ns
        for record in rolling.recorder.frames
        if record.frame.arbitration_id == message.arbitration_id
    ]
    assert reaction.safe.time_ns in ends
    assert reaction.within(ftti_ns=ms(100), fdti_ns=ms(50))


def test_a_message_that_stops_is_noticed_by_the_secondary(rolling: Rig) -> None:
    reaction = rolling.measure_reaction(
        MessageStopped(message="CDC_EmbCmd"),
        detection=AnyOf(EventSeen("detection", "CDC2", "CDC_EmbCmd")),
        safe_state=SignalSeen("CDC2_EmbCmd", "CDC2_FL_ReqVld", "==", "Valid"),
        timeout=ms(200),
    )
    assert reaction.fhti_ns is not None
    assert reaction.fhti_ns <= ms(35)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"detection": "EMB_FL lost"}, "measure_reaction, detection: expected what to look for"),
        ({"safe_state": None}, "measure_reaction, safe_state: expected what to look for"),
        ({"timeout": 0.2}, "measure_reaction, timeout: expected whole ns"),
        ({"settle": -1}, "measure_reaction, settle: expected whole ns"),
        ({"hazard_within": ms(1)}, "measure_reaction, hazard_within: expected a hazard as well"),
        ({"hazard_within": 0.5}, "measure_reaction, hazard_within: expected whole ns"),
        ({"safe_state": ColumnHolds("clamp", ">", 1)}, "recorded column 'clamp'"),
    ],
)
def test_bad_questions_are_refused_before_anything_is_broken(
    standing: Rig, changes: dict[str, object], text: str
) -> None:
    arguments = {"detection": DETECTED, "safe_state": SAFE, "timeout": ms(50)} | changes
    with pytest.raises(UsageError, match=text):
        standing.measure_reaction(HARMLESS, **arguments)  # type: ignore[arg-type]
    assert not standing.faults
