"""How the attributes of a message and of its signals combine, and what is refused."""

from __future__ import annotations

import copy
import pickle

import pytest

from simcore.errors import InputError, UsageError
from simcore.network import Database, Message
from simcore.network.interaction_rules import SendRules, send_rules_of
from simcore.network.send_types import SendTypes
from simcore.units import ms

DEFINITIONS = """
BA_DEF_ BO_ "GenMsgSendType" STRING ;
BA_DEF_ SG_ "GenSigSendType" STRING ;
BA_DEF_ SG_ "GenSigInactiveValue" STRING ;
BA_DEF_ SG_ "GenSigStartValue" INT 0 255;
BA_DEF_ BO_ "GenMsgCycleTime" INT 0 3600000;
BA_DEF_ BO_ "GenMsgCycleTimeFast" INT -10 3600000;
BA_DEF_ BO_ "GenMsgCycleTimeActive" INT 0 3600000;
BA_DEF_ BO_ "GenMsgStartDelayTime" INT 0 65535;
BA_DEF_ BO_ "GenMsgDelayTime" INT 0 65535;
BA_DEF_ BO_ "GenMsgNrOfRepetition" INT -10 100;
BA_DEF_ BO_ "GenMsgNrOfRepetitions" INT 0 100;
BA_DEF_ BO_ "GenMsgFastOnStart" STRING ;
"""


def message(*, a: dict[str, object] | None = None, **attributes: object) -> Message:
    """Message M with the signals A and B; `attributes` are its own, `a` those of A."""
    lines = [f'BA_ "{key}" BO_ 256 {_text(value)};' for key, value in attributes.items()]
    lines += [f'BA_ "{key}" SG_ 256 A {_text(value)};' for key, value in (a or {}).items()]
    return Database.from_text(
        'VERSION ""\nBU_: E R\nBO_ 256 M: 8 E\n'
        ' SG_ A : 0|8@1+ (1,0) [0|255] "" R\n SG_ B : 8|8@1+ (1,0) [0|255] "" R\n'
        + DEFINITIONS
        + "\n".join(lines)
        + "\n"
    ).message("M")


def _text(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


# -- rules ---------------------------------------------------------------------------------------


def test_a_cycle_time_alone_makes_a_message_cyclic() -> None:
    rules = send_rules_of(message(GenMsgCycleTime=20, GenMsgStartDelayTime=3))
    assert (rules.cycle_ns, rules.start_delay_ns) == (ms(20), ms(3))
    assert rules.is_plain and not rules.is_silent and not rules.events


def test_no_send_type_with_a_cycle_time_is_never_sent_and_says_so() -> None:
    rules = send_rules_of(message(GenMsgCycleTime=20, GenMsgSendType="NoMsgSendType"))
    assert rules.is_silent and not rules.is_plain
    assert rules.notes == ("a cycle time of 20 ms, but no send type: never sent by itself",)


def test_cyclic_without_a_cycle_time_says_so() -> None:
    rules = send_rules_of(message(GenMsgSendType="Cyclic"))
    assert rules.is_silent and rules.notes == ("cyclic, but has no cycle time",)


def test_a_cyclic_signal_makes_its_message_cyclic() -> None:
    signal = {"GenSigSendType": "Cyclic"}
    assert send_rules_of(message(a=signal, GenMsgCycleTime=20)).is_plain
    found = message(a=signal, GenMsgCycleTime=20, GenMsgSendType="NoMsgSendType")
    assert send_rules_of(found).is_plain


def test_an_event_message_leaves_it_to_its_signals_which_writes_count() -> None:
    assert send_rules_of(message(GenMsgSendType="Event")).on_write == {"A", "B"}
    rules = send_rules_of(message(a={"GenSigSendType": "OnChange"}, GenMsgSendType="Event"))
    assert (rules.on_write, rules.on_change) == (frozenset(), {"A"})


def test_a_signal_event_joins_a_cyclic_message() -> None:
    found = message(
        a={"GenSigSendType": "OnWriteWithRepetition"},
        GenMsgSendType="Cyclic",
        GenMsgCycleTime=100,
        GenMsgCycleTimeFast=20,
        GenMsgNrOfRepetition=3,
    )
    rules = send_rules_of(found)
    assert (rules.cycle_ns, rules.on_write, rules.repeated) == (ms(100), {"A"}, {"A"})
    assert (rules.repetitions, rules.spacing_ns) == (3, ms(20))


def test_an_event_signal_counts_every_write() -> None:
    assert send_rules_of(message(a={"GenSigSendType": "triggered"})).on_write == {"A"}


def test_inactive_values_are_raw_and_default_to_the_start_value() -> None:
    found = message(
        a={"GenSigInactiveValue": "7"}, GenMsgSendType="IfActive", GenMsgCycleTimeFast=20
    )
    assert send_rules_of(found).inactive == {"A": 7, "B": 0}
    found = message(
        a={"GenSigSendType": "IfActive", "GenSigStartValue": 3},
        GenMsgSendType="Cyclic",
        GenMsgCycleTime=100,
        GenMsgCycleTimeActive=10,
    )
    rules = send_rules_of(found)
    assert (rules.inactive, rules.fast_ns) == ({"A": 3}, ms(10))


def test_if_active_without_a_fast_time_keeps_to_the_cycle_time() -> None:
    rules = send_rules_of(message(GenMsgSendType="cyclicIfActive", GenMsgCycleTime=50))
    assert (rules.cycle_ns, rules.fast_ns) == (0, ms(50))
    rules = send_rules_of(message(GenMsgSendType="IfActive"))
    assert rules.is_silent
    assert rules.notes == ("sent while active, but has neither a fast nor a normal cycle time",)


def test_repetitions_without_any_spacing_are_left_out_and_said() -> None:
    found = message(GenMsgSendType="spontanWithRepetition", GenMsgNrOfRepetition=2)
    rules = send_rules_of(found)
    assert rules.repetitions == 0 and rules.on_write == {"A", "B"}
    assert rules.notes == (
        "2 repetitions, but neither GenMsgCycleTimeFast nor GenMsgDelayTime: events are sent once",
    )
    found = message(
        GenMsgSendType="spontanWithRepetition", GenMsgNrOfRepetitions=2, GenMsgDelayTime=10
    )
    rules = send_rules_of(found)
    assert (rules.repetitions, rules.spacing_ns, rules.notes) == (2, ms(10), ())


def test_repetitions_count_only_where_the_send_type_repeats() -> None:
    found = message(GenMsgSendType="Event", GenMsgNrOfRepetition=2, GenMsgCycleTimeFast=10)
    assert send_rules_of(found).repetitions == 0


def test_a_gap_longer_than_the_cycle_gives_way_to_the_cycle() -> None:
    rules = send_rules_of(message(GenMsgCycleTime=10, GenMsgDelayTime=20))
    assert (rules.cycle_ns, rules.gap_ns) == (ms(10), ms(10))
    assert rules.notes == (
        "GenMsgDelayTime of 20 ms is longer than the cycle of 10 ms: frames keep 10 ms apart",
    )


def test_a_fast_start_needs_both_cycle_times() -> None:
    found = message(GenMsgCycleTime=100, GenMsgCycleTimeFast=10, GenMsgFastOnStart="50")
    assert send_rules_of(found).fast_start_ns == ms(50)
    assert send_rules_of(message(GenMsgCycleTime=100, GenMsgFastOnStart="50")).is_plain


def test_counters_and_checksums_raise_no_events() -> None:
    for found in Database.reference().messages:
        made = {found.e2e.counter_signal, found.e2e.checksum_signal} if found.e2e else set()
        assert not send_rules_of(found).events & made


def test_the_shipped_interface_sends_as_its_cycle_times_say() -> None:
    for found in Database.reference().messages:
        rules = send_rules_of(found)
        assert rules.is_plain == (found.cycle_time_ns is not None)
        assert rules.notes == ()
        assert rules.cycle_ns == (found.cycle_time_ns or 0)


# -- refusals ------------------------------------------------------------------------------------


def test_an_unknown_text_is_refused_with_message_text_and_the_known_ones() -> None:
    with pytest.raises(
        InputError,
        match=r"^database\.dbc: message 0x100 M, GenMsgSendType: expected one of Cyclic, .*, "
        r"or an own table of send types, got 'Yes'$",
    ):
        send_rules_of(message(GenMsgSendType="Yes"))
    with pytest.raises(InputError, match=r"M, signal A, GenSigSendType: expected .*, got 'Maybe'$"):
        send_rules_of(message(a={"GenSigSendType": "Maybe"}))
    own = SendTypes({"Yes": "Event"})
    assert send_rules_of(message(GenMsgSendType="Yes"), own).on_write == {"A", "B"}


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({"GenMsgCycleTimeFast": -1}, "GenMsgCycleTimeFast: expected a time in ms, 0 or more"),
        ({"GenMsgFastOnStart": "x"}, "GenMsgFastOnStart: expected a time in ms, 0 or more"),
        ({"GenMsgFastOnStart": "inf"}, "GenMsgFastOnStart: expected a time in ms, 0 or more"),
        ({"GenMsgNrOfRepetition": -1}, "GenMsgNrOfRepetition: expected a number of frames, 0 or"),
    ],
)
def test_times_and_counts_that_are_none_are_refused(
    attributes: dict[str, object], text: str
) -> None:
    with pytest.raises(InputError, match=f"^database.dbc: message 0x100 M, {text}"):
        send_rules_of(
            message(GenMsgSendType="Cyclic", GenMsgCycleTime=10, **{**FAST, **attributes})
        )


FAST: dict[str, object] = {"GenMsgCycleTimeFast": 5}


@pytest.mark.parametrize("value", ["off", "nan", "inf"])
def test_an_inactive_value_that_is_no_number_is_refused(value: str) -> None:
    found = message(a={"GenSigInactiveValue": value}, GenMsgSendType="IfActive", GenMsgCycleTime=20)
    with pytest.raises(
        InputError, match=r"M, signal A, GenSigInactiveValue: expected a raw value, got '"
    ):
        send_rules_of(found)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"gap_ns": -1}, "gap_ns: expected 0 or more, got -1"),
        ({"repetitions": -1}, "repetitions: expected 0 or more, got -1"),
        ({"repetitions": 1}, "spacing_ns: expected more than 0 ns for repetitions, got 0"),
        ({"inactive": {"A": 0}}, "fast_ns: expected more than 0 ns for what is sent fast, got 0"),
        ({"fast_start_ns": 1, "fast_ns": 1}, "cycle_ns: expected more than 0 ns for a fast start"),
    ],
)
def test_rules_made_by_hand_are_checked(fields: dict[str, object], text: str) -> None:
    with pytest.raises(UsageError, match=f"^send rules of message 0x100 M, {text}"):
        SendRules(message=message(), **fields)  # type: ignore[arg-type]


def test_rules_are_shared_by_copies() -> None:
    rules = send_rules_of(message(GenMsgCycleTime=20))
    assert copy.deepcopy(rules) is rules and copy.copy(rules) is rules
    again = pickle.loads(pickle.dumps(rules))
    assert again.cycle_ns == rules.cycle_ns and again.message is rules.message


def test_an_unknown_text_is_replaced_by_the_cycle_time_in_a_lenient_reading() -> None:
    rules = send_rules_of(message(GenMsgSendType="Yes", GenMsgCycleTime=20), lenient=True)
    assert rules.is_plain and rules.cycle_ns == ms(20)
    assert rules.notes == ("send type 'Yes' is unknown: sent every 20 ms",)
    signal = {"GenSigSendType": "Maybe"}
    rules = send_rules_of(message(a=signal, GenMsgSendType="Yes"), lenient=True)
    assert rules.is_silent
    assert rules.notes == ("send types 'Yes', 'Maybe' are unknown: never sent by itself",)
    rules = send_rules_of(
        message(a=signal, GenMsgSendType="OnChange", GenMsgCycleTime=20), lenient=True
    )
    assert (rules.cycle_ns, rules.on_change) == (0, {"A", "B"})
    assert rules.notes == ("send type 'Maybe' is unknown: it adds nothing to the known ones",)


@pytest.mark.parametrize("value", ["256", "-1", "0.5", "1" + 400 * "0"])
def test_an_inactive_value_that_the_bits_cannot_carry_gives_way_to_the_start_value(
    value: str,
) -> None:
    found = message(
        a={"GenSigInactiveValue": value, "GenSigStartValue": 3},
        GenMsgSendType="IfActive",
        GenMsgCycleTimeFast=20,
    )
    if len(value) > 9:  # beyond every float
        with pytest.raises(InputError, match="GenSigInactiveValue: expected a raw value, got '10"):
            send_rules_of(found)
        return
    rules = send_rules_of(found)
    assert rules.inactive == {"A": 3, "B": 0}
    assert rules.notes == (
        f"signal A, GenSigInactiveValue: expected 0..255 raw, got {value}: "
        "the start value 3 is used",
    )


@pytest.mark.parametrize("text", ["Event", "OnWrite", "OnChange", "EventPeriodic", "IfActive"])
def test_a_number_of_repetitions_that_no_send_type_uses_is_said(text: str) -> None:
    found = message(GenMsgSendType=text, GenMsgNrOfRepetition=2, GenMsgCycleTimeFast=10)
    notes = [note for note in send_rules_of(found).notes if "cycle time" not in note]
    assert notes == [
        "GenMsgNrOfRepetition is 2, but no send type says WithRepetition: events are sent once "
        "(--send-type gives a text another meaning, as Event=spontanWithRepetition)"
    ]
    own = SendTypes({text: "spontanWithRepetition"})
    rules = send_rules_of(found, own)
    assert (rules.repetitions, rules.spacing_ns, rules.notes) == (2, ms(10), ())


def test_a_number_of_repetitions_means_nothing_for_what_raises_no_events() -> None:
    found = message(
        GenMsgSendType="Cyclic", GenMsgCycleTime=50, GenMsgNrOfRepetition=2, GenMsgCycleTimeFast=10
    )
    assert send_rules_of(found).notes == ()
