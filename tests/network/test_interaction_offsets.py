"""Spread start offsets: within the cycle, kept where given, and flat."""

from __future__ import annotations

import pytest

from simcore.bus import BitTiming
from simcore.errors import UsageError
from simcore.network import Database
from simcore.network.interaction_offsets import spread
from simcore.network.interaction_rules import SendRules, send_rules_of
from simcore.units import ms, us

TIMING = BitTiming(nominal_bps=500_000, data_bps=2_000_000)


def rules(*cycles_ms: int, delay_ms: int = 0) -> list[SendRules]:
    """One message per cycle time, M0, M1, ...; the first one with a start delay."""
    text = 'VERSION ""\nBU_: E\n'
    for index, _ in enumerate(cycles_ms):
        text += f"BO_ {256 + index} M{index}: 8 E\n"
    text += 'BA_DEF_ BO_ "GenMsgCycleTime" INT 0 3600000;\n'
    text += 'BA_DEF_ BO_ "GenMsgStartDelayTime" INT 0 3600000;\n'
    for index, cycle_ms in enumerate(cycles_ms):
        text += f'BA_ "GenMsgCycleTime" BO_ {256 + index} {cycle_ms};\n'
    text += f'BA_ "GenMsgStartDelayTime" BO_ 256 {delay_ms};\n'
    return [send_rules_of(message) for message in Database.from_text(text).messages]


def test_messages_of_one_cycle_share_no_instant_while_there_is_room() -> None:
    offsets = spread(rules(*[10] * 20), TIMING)
    assert sorted(offsets.values()) == [us(500) * k for k in range(20)]


def test_offsets_stay_below_the_cycle_and_repeat_exactly() -> None:
    chosen = rules(5, 10, 20, 30, 50, 70, 100, 1000, 100_000, 3_600_000)
    offsets = spread(chosen, TIMING)
    assert offsets == spread(list(reversed(chosen)), TIMING)
    for each in chosen:
        assert 0 <= offsets[each.message.name] < each.cycle_ns


def test_a_start_delay_of_the_database_is_kept_and_avoided() -> None:
    offsets = spread(rules(10, 10, delay_ms=3), TIMING, slot_ns=ms(5))
    assert offsets == {"M0": ms(3), "M1": ms(5)}


def test_only_cyclic_messages_have_an_offset() -> None:
    assert spread(rules(0, 0), TIMING) == {}


def test_a_cycle_shorter_than_a_slot_starts_at_once() -> None:
    assert spread(rules(2, 2), TIMING, slot_ns=ms(5)) == {"M0": 0, "M1": 0}


def test_a_slot_of_no_time_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^spread: slot_ns: expected more than 0 ns, got 0$"):
        spread([], TIMING, slot_ns=0)
