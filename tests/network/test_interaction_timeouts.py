"""Reception timeouts: which signals of a node, and exactly when."""

from __future__ import annotations

import copy
import pickle

import pytest

from simcore.errors import InputError, UsageError
from simcore.network import Database
from simcore.network.interaction_timeouts import SignalTimeout, SignalTimeouts, timeouts_of
from simcore.units import ms

TEXT = """VERSION ""
BU_: TX RX OTHER A_NODE_WITH_A_VERY_LONG_NAME
BO_ 256 M: 8 TX
 SG_ A : 0|8@1+ (1,0) [0|255] "" RX
 SG_ B : 8|8@1+ (1,0) [0|255] "" RX,OTHER
BO_ 257 N: 8 TX
 SG_ C : 0|8@1+ (1,0) [0|255] "" OTHER
BA_DEF_ SG_ "GenSigTimeoutTime_RX" INT 0 100000;
BA_DEF_ SG_ "GenSigTimeoutTime_A_NODE_WITH_A" INT 0 100000;
BA_DEF_ SG_ "GenSigTimeoutTime" STRING ;
BA_DEF_DEF_ "GenSigTimeoutTime_RX" 0;
BA_ "GenSigTimeoutTime_RX" SG_ 256 A 50;
BA_ "GenSigTimeoutTime_RX" SG_ 256 B 80;
BA_ "GenSigTimeoutTime_A_NODE_WITH_A" SG_ 257 C 30;
"""
DATABASE = Database.from_text(TEXT)


def monitor(node: str = "RX", start_ns: int = 0) -> SignalTimeouts:
    made = SignalTimeouts(DATABASE, node)
    made.start(start_ns)
    return made


def test_each_node_has_the_times_of_its_own_attribute() -> None:
    message = DATABASE.message("M")
    assert timeouts_of(DATABASE, "RX") == {message: {"A": ms(50), "B": ms(80)}}
    assert timeouts_of(DATABASE, "OTHER") == {}


def test_a_node_name_that_was_cut_at_32_characters_still_counts() -> None:
    found = timeouts_of(DATABASE, "A_NODE_WITH_A_VERY_LONG_NAME")
    assert found == {DATABASE.message("N"): {"C": ms(30)}}


def test_a_time_for_no_node_holds_for_every_receiver() -> None:
    text = TEXT.replace('"GenSigTimeoutTime" STRING ;', '"GenSigTimeoutTime" INT 0 9999;')
    database = Database.from_text(text + 'BA_ "GenSigTimeoutTime" SG_ 256 B 20;\n')
    assert timeouts_of(database, "OTHER") == {database.message("M"): {"B": ms(20)}}
    assert timeouts_of(database, "TX") == {}


def test_a_time_that_is_none_is_refused() -> None:
    database = Database.from_text(TEXT + 'BA_ "GenSigTimeoutTime" SG_ 256 B "soon";\n')
    with pytest.raises(
        InputError,
        match=r"^database\.dbc: message 0x100 M, signal B, GenSigTimeoutTime: "
        r"expected a time in ms, 0 or more, got 'soon'$",
    ):
        timeouts_of(database, "OTHER")


def test_an_unknown_node_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^unknown node 'rx': did you mean 'RX'\?$"):
        SignalTimeouts(DATABASE, "rx")


def test_signals_never_received_time_out_from_the_start_on() -> None:
    made = monitor(start_ns=7)
    assert made.next_deadline_ns() == ms(50) + 7
    assert made.on_timer(ms(50) + 6) == ()
    assert made.on_timer(ms(50) + 7) == (SignalTimeout("M", "A", ms(50) + 7),)
    assert made.timed_out == (("M", "A"),)
    assert made.on_timer(ms(200)) == (SignalTimeout("M", "B", ms(80) + 7),)
    assert made.timed_out == (("M", "A"), ("M", "B"))
    assert made.next_deadline_ns() is None


def test_a_frame_renews_all_signals_of_its_message() -> None:
    made = monitor()
    made.received("M", ms(40) + 3)
    made.received("N", ms(49))
    assert made.on_timer(ms(50)) == ()
    assert made.on_timer(ms(1000)) == (
        SignalTimeout("M", "A", ms(90) + 3),
        SignalTimeout("M", "B", ms(120) + 3),
    )


def test_a_frame_at_the_instant_of_the_deadline_is_in_time() -> None:
    made = monitor()
    made.received("M", ms(50))
    assert made.on_timer(ms(50)) == () and made.timed_out == ()


def test_a_frame_ends_a_timeout_and_the_next_one_is_told_again() -> None:
    made = monitor()
    assert len(made.on_timer(ms(60))) == 1
    made.received("M", ms(61))
    assert made.timed_out == ()
    assert made.on_timer(ms(111)) == (SignalTimeout("M", "A", ms(111)),)


def test_time_does_not_run_backwards() -> None:
    made = monitor()
    made.received("M", 10)
    with pytest.raises(
        UsageError, match=r"^reception of M: expected a time not before 10 ns, got 9 ns$"
    ):
        made.received("M", 9)


def test_a_monitor_is_copied_and_pickled_at_any_instant() -> None:
    made = monitor()
    made.on_timer(ms(60))
    made.received("M", ms(61))
    others = (copy.deepcopy(made), pickle.loads(pickle.dumps(made)))
    seen = [each.on_timer(ms(1000)) for each in (made, *others)]
    assert seen[0] == seen[1] == seen[2] != ()
