"""What a tester does for an update, task by task: sans-IO, answered by hand."""

from __future__ import annotations

import pytest

from simcore.rig.update_tasks import (
    UPLOAD_SIZE,
    Ask,
    Await,
    Baton,
    Download,
    Resume,
    Status,
    Turn,
    UpdateDialogue,
    Upload,
    refusal,
    routine,
)
from simcore.units import ms, s
from simcore.update.states import UpdateState

OPEN = bytes.fromhex("74 20 000A")
"""Blocks of ten bytes: eight of the image."""


def status(state: UpdateState, done: int = 0, cause: str = "") -> bytes:
    """A response to the reading of the status."""
    numbers = done.to_bytes(4, "big") + (100).to_bytes(4, "big")
    return b"\x62\xf1\xa0" + bytes((state, 0, 0)) + numbers + cause.encode()


@pytest.mark.parametrize(
    ("response", "text"),
    [
        (None, "no response"),
        (b"\x71\x01", ""),
        (b"\x7f\x31\x22", "0x22 conditions_not_correct"),
        (b"\x7f\x31\xf0", "0xF0 unknown"),
        (b"\x7f\x31", "0x00 unknown"),
    ],
)
def test_a_refusal_has_a_name(response: bytes | None, text: str) -> None:
    assert refusal(response) == text


def test_a_routine_is_started_or_stopped() -> None:
    assert routine(0xFF00, b"\x44") == bytes.fromhex("31 01 FF00 44")
    assert routine(0x0211, kind=2) == bytes.fromhex("31 02 0211")


def test_who_is_busy_is_asked_again_until_patience_ends() -> None:
    ask = Ask("erase", b"\x31", patience_ns=ms(120))
    assert ask.next(None, 0) == b"\x31"
    assert ask.next(b"\x7f\x31\x21", ms(1)) == ms(51)
    assert ask.next(None, ms(51)) == b"\x31"
    assert ask.next(b"\x7f\x31\x22", ms(130)) is None
    assert ask.failure == "erase: 0x22 conditions_not_correct"


def test_any_other_refusal_ends_at_once() -> None:
    ask = Ask("erase", b"\x31", patience_ns=s(1))
    ask.next(None, 0)
    assert ask.next(b"\x7f\x31\x33", 1) is None and "0x33" in ask.failure


def test_a_download_goes_block_by_block_and_counts_what_is_stored() -> None:
    load = Download("image", 0x100, bytes(range(20)))
    assert load.next(None, 0) == bytes.fromhex("34 00 44 00000100 00000014")
    assert load.next(OPEN, ms(1)) == b"\x36\x01" + bytes(range(8))
    assert load.next(b"\x76\x01", ms(2)) == b"\x36\x02" + bytes(range(8, 16))
    assert load.transferred == 8
    assert load.next(b"\x76\x02", ms(3)) == b"\x36\x03" + bytes(range(16, 20))
    assert load.next(b"\x76\x03", ms(4)) == b"\x37"
    assert (load.transferred, load.begun_ns, load.ended_ns) == (20, ms(1), ms(4))
    assert load.next(b"\x77", ms(5)) is None and not load.failure
    assert load.samples == [(ms(1), 0), (ms(2), 8), (ms(3), 16), (ms(4), 20)]


def test_a_download_that_is_cut_says_where() -> None:
    load = Download("image", 0x100, bytes(20))
    load.next(None, 0)
    load.next(OPEN, 1)
    load.next(b"\x76\x01", 2)
    assert load.next(None, 3) is None
    assert load.failure == "image at 8 of 20 bytes: no response"


def test_the_counter_goes_round_after_255() -> None:
    load = Download("image", 0, bytes(8 * 258))
    load.next(None, 0)
    request = load.next(OPEN, 1)
    counters = []
    while isinstance(request, bytes) and request[0] == 0x36:
        counters.append(request[1])
        request = load.next(b"\x76" + request[1:2], 2)
    assert counters[253:] == [254, 255, 0, 1, 2]


def test_a_thief_trickles_and_stops() -> None:
    load = Download("image", 0, bytes(20), size_per_s=4, stops_after=8)
    load.next(None, 0)
    assert load.next(OPEN, 5) == 5 + s(1)
    assert load.next(None, 5 + s(1)) == b"\x36\x01" + bytes(4)
    assert load.next(b"\x76\x01", s(2)) == s(3)
    load.next(None, s(3))
    assert load.next(b"\x76\x02", s(3)) is None
    assert load.failure == "image stops at 8 of 20 bytes"


def test_a_download_resumes_where_the_ecu_says() -> None:
    load = Download("image", 0x100, bytes(20))
    resume = Resume(load)
    assert resume.next(None, 0) == bytes.fromhex("22 F1A0")
    assert resume.next(status(UpdateState.DOWNLOADING, 8), 1) is None
    assert load.next(None, 2) == bytes.fromhex("34 00 44 00000108 0000000C")
    silent = Resume(Download("image", 0, b"1"))
    silent.next(None, 0)
    assert silent.next(None, 1) is None and silent.failure == "status: no response"


def test_an_upload_ends_at_the_line_feeds_behind_the_end() -> None:
    upload = Upload("audit log", 0x0B00_0000)
    request = upload.next(None, 0)
    assert isinstance(request, bytes) and request[:3] == b"\x35\x00\x44"
    assert upload.next(b"\x75\x20\x0f\xff", 1) == b"\x36\x01"
    data = b"{}\n".ljust(UPLOAD_SIZE, b"\n")
    assert upload.next(b"\x76\x01" + data[:100], 2) == b"\x36\x02"
    assert upload.next(b"\x76\x02" + data[100:], 3) == b"\x37"
    assert upload.data == b"{}\n"
    assert upload.next(b"\x77", 4) is None


def test_an_upload_that_is_too_short_for_what_is_there_asks_for_twice_as_much() -> None:
    upload = Upload("audit log", 0x0B00_0000)
    upload.next(None, 0)
    assert upload.next(b"\x7f\x35\x31", 1) == bytes.fromhex("35 00 44 0B000000 00010000")
    assert upload.next(b"\x75\x20\x0f\xff", 2) == b"\x36\x01"
    assert upload.next(b"\x76\x01" + b"{}\n".ljust(UPLOAD_SIZE), 3) == b"\x36\x02"
    endless = Upload("audit log", 0)
    asked = [endless.next(None, 0)]
    while asked[-1] is not None:
        asked.append(endless.next(b"\x7f\x35\x31", 1))
    assert asked[-2] == bytes.fromhex("35 00 44 00000000 00100000")
    assert endless.failure == "audit log at 0 bytes: 0x31 request_out_of_range"


def test_a_status_is_read_or_is_none() -> None:
    found = Status.of(status(UpdateState.FAILED, 8, "freeze: expiry"))
    assert found is not None
    assert (found.state, found.done, found.size) == (UpdateState.FAILED, 8, 100)
    assert (found.cause, found.promised, found.is_doubtful) == ("freeze: expiry", False, False)
    assert Status.of(None) is None
    assert Status.of(b"\x7f\x22\x22") is None
    assert Status.of(b"\x62\xf1\xa0\x00") is None


def test_waiting_ends_in_the_state_or_in_a_bad_one_or_by_time() -> None:
    wait = Await(UpdateState.READY, patience_ns=s(1))
    assert wait.next(None, 0) == b"\x22\xf1\xa0"
    assert wait.next(status(UpdateState.VERIFYING), ms(1)) == ms(51)
    wait.next(None, ms(51))
    assert wait.next(status(UpdateState.READY), ms(52)) is None and not wait.failure
    bad = Await(UpdateState.READY)
    bad.next(None, 0)
    assert bad.next(status(UpdateState.FAILED, 0, "freeze: expiry"), 1) is None
    assert bad.failure == "waiting for READY: FAILED, freeze: expiry"
    late = Await(UpdateState.READY, patience_ns=s(1))
    late.next(None, 0)
    assert late.next(None, s(2)) is None
    assert late.failure == "waiting for READY: no response after 1 s"


def test_only_one_has_the_baton_and_a_failed_dialogue_gives_it_back() -> None:
    baton = Baton()
    mine, other = Turn(baton, "CDC"), Turn(baton, "EMB_FL")
    assert mine.next(None, 0) is None and baton.holder == "CDC"
    assert other.next(None, 0) == ms(5)
    baton.release("EMB_FL")
    assert baton.holder == "CDC", "not the other's to give"
    dialogue = UpdateDialogue([Ask("it", b"\x01")], ends=Turn(baton, "CDC", gives=True))
    assert dialogue.next_request(None, 0) == b"\x01"
    assert dialogue.next_request(b"\x7f\x01\x33", 1) is None
    assert dialogue.done and "0x33" in dialogue.failure and baton.holder is None
    assert other.next(None, ms(5)) is None and baton.holder == "EMB_FL"
