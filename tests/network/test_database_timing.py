"""From a database to the rows of the analysis: periods, deadlines, jitter, frames."""

from __future__ import annotations

import pytest

from simcore.bus import BitTiming
from simcore.errors import InputError, UsageError
from simcore.network import Database
from simcore.network.database_timing import (
    TimingOptions,
    may_send_between_cycles,
    message_timings,
)
from simcore.network.longest_frame import longest_frame_ns
from simcore.network.response_time import MessageTiming
from simcore.units import ms, us

TIMING = BitTiming(nominal_bps=500_000, data_bps=2_000_000)

TEXT = """VERSION ""
NS_ :
BS_:
BU_: ONE TWO
BO_ 256 Cyclic: 8 ONE
BO_ 257 Event: 4 TWO
BO_ 258 Gap: 8 Vector__XXX
BO_ 259 Both: 8 ONE
BO_ 260 Loose: 8 ONE
BO_ 2566844672 Extended: 3 ONE
BO_ 512 Odd: 10 TWO
BA_DEF_ BO_ "GenMsgCycleTime" INT 0 65535;
BA_DEF_ BO_ "GenMsgDelayTime" INT 0 1000;
BA_DEF_ BO_ "GenMsgSendType" ENUM "Cyclic","Event","CyclicAndSpontanWithDelay";
BA_DEF_ BO_ "VFrameFormat" ENUM "StandardCAN","ExtendedCAN","a","b","c","d","e","f","g","h",\
"i","j","k","l","StandardCAN_FD","ExtendedCAN_FD";
BA_DEF_DEF_ "GenMsgCycleTime" 0;
BA_DEF_DEF_ "GenMsgDelayTime" 0;
BA_DEF_DEF_ "GenMsgSendType" "Event";
BA_DEF_DEF_ "VFrameFormat" "StandardCAN";
BA_ "GenMsgCycleTime" BO_ 256 10;
BA_ "GenMsgSendType" BO_ 256 0;
BA_ "GenMsgDelayTime" BO_ 258 25;
BA_ "GenMsgCycleTime" BO_ 259 100;
BA_ "GenMsgDelayTime" BO_ 259 20;
BA_ "GenMsgSendType" BO_ 259 2;
BA_ "GenMsgCycleTime" BO_ 260 100;
BA_ "GenMsgSendType" BO_ 260 2;
BA_ "VFrameFormat" BO_ 2566844672 1;
BA_ "VFrameFormat" BO_ 512 14;
BA_ "GenMsgCycleTime" BO_ 512 50;
"""


def rows(options: TimingOptions | None = None) -> dict[str, MessageTiming]:
    database = Database.from_text(TEXT, name="mixed.dbc")
    return {each.name: each for each in message_timings(database, TIMING, options)}


def test_a_cyclic_message_has_its_cycle_time_as_period_and_deadline() -> None:
    cyclic = rows()["Cyclic"]
    assert (cyclic.period_ns, cyclic.deadline_ns, cyclic.jitter_ns) == (ms(10), None, 0)
    assert (cyclic.arbitration_id, cyclic.is_extended_id, cyclic.sender) == (256, False, "ONE")
    assert cyclic.transmission_ns == TIMING.to_ns(135)


def test_an_event_message_repeats_with_its_least_gap_where_there_is_one() -> None:
    assert rows()["Gap"].period_ns == ms(25)
    assert rows()["Event"].period_ns is None
    with_gap = rows(TimingOptions(event_gap_ns=ms(40)))
    assert (with_gap["Gap"].period_ns, with_gap["Event"].period_ns) == (ms(25), ms(40))


def test_a_message_sent_both_ways_repeats_with_its_gap_and_is_due_within_its_cycle() -> None:
    both = rows()["Both"]
    assert (both.period_ns, both.deadline_ns) == (ms(20), ms(100))
    assert rows(TimingOptions(deadline_ns=ms(7)))["Both"].deadline_ns == ms(7)


def test_a_message_sent_both_ways_without_a_gap_is_named() -> None:
    database = Database.from_text(TEXT, name="mixed.dbc")
    assert rows()["Loose"].period_ns == ms(100)
    # Odd is called an event message and has a cycle all the same.
    assert [m.name for m in may_send_between_cycles(database.messages)] == ["Loose", "Odd"]


def test_an_extended_classic_frame_has_its_own_length() -> None:
    assert rows()["Extended"].is_extended_id
    assert rows()["Extended"].transmission_ns == TIMING.to_ns(110)


def test_an_fd_payload_no_dlc_has_is_padded_to_the_next() -> None:
    padded_ns = longest_frame_ns(12, TIMING, is_fd=True, bitrate_switch=True)
    assert rows()["Odd"].transmission_ns == padded_ns


def test_a_sender_nobody_named_is_none() -> None:
    assert rows()["Gap"].sender == ""


def test_options_by_name_come_before_those_for_all() -> None:
    chosen = rows(
        TimingOptions(
            jitter_ns=us(10),
            jitters_ns={"Gap": us(30)},
            deadline_ns=ms(5),
            deadlines_ns={"Cyclic": ms(2)},
        )
    )
    assert (chosen["Gap"].jitter_ns, chosen["Cyclic"].jitter_ns) == (us(30), us(10))
    assert (chosen["Gap"].deadline_ns, chosen["Cyclic"].deadline_ns) == (ms(5), ms(2))


def test_of_the_redundant_bus_only_its_messages_count() -> None:
    database = Database.reference()
    every = message_timings(database, TIMING)
    second = message_timings(database, TIMING, redundant_only=True)
    names = [message.name for message in database.messages if message.is_redundant]
    assert [row.name for row in second] == names
    assert 0 < len(second) < len(every) == len(database.messages)


@pytest.mark.parametrize("field", ["jitters_ns", "deadlines_ns"])
def test_an_option_for_an_unknown_message_is_refused_with_the_nearest_name(field: str) -> None:
    with pytest.raises(UsageError, match=r"^unknown message 'cyclic': did you mean 'Cyclic'\? \("):
        rows(TimingOptions(**{field: {"cyclic": us(1)}}))


def test_a_message_that_needs_a_transport_protocol_is_bad_input() -> None:
    database = Database.from_text(
        'VERSION ""\nBU_: A\nBO_ 2566844672 Long: 12 A\n SG_ X : 0|8@1+ (1,0) [0|255] "" A\n'
        'BA_DEF_ BO_ "VFrameFormat" ENUM "StandardCAN","ExtendedCAN","reserved","J1939PG";\n'
        'BA_DEF_DEF_ "VFrameFormat" "J1939PG";\n',
        name="long.dbc",
    )
    with pytest.raises(
        InputError,
        match=r"^long\.dbc: message 0x18fef100 Long: length: "
        r"expected 0\.\.8 bytes in a classic frame, got 12 bytes$",
    ):
        message_timings(database, TIMING)
