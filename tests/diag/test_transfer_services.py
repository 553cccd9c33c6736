"""Services 0x34 to 0x37: opening, blocks and their counter, closing, and what breaks them off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simcore.diag.codes import Nrc
from simcore.errors import UsageError
from simcore.units import ms, s

Benches = Callable[..., Any]

OPENING = [
    # minimum length, formats, total length, area, level, conditions
    ("prog", "34", "7f3413"),
    ("prog", "34 00 11 10", "7f3413"),
    ("prog", "34 ff 00 10", "7f3413"),
    ("prog", "34 22 22 1000 0010", "7f3431"),  # no such data format
    ("prog", "34 22 22 1000 001000", "7f3431"),  # before the total length
    ("prog", "34 00 00 1000 0010", "7f3431"),
    ("prog", "34 00 20 1000 0010", "7f3431"),
    ("prog", "34 00 02 1000 0010", "7f3431"),
    ("prog", "34 00 26 000000001000 0010", "7f3431"),  # six bytes of address
    ("prog", "34 00 52 1000 0000000010", "7f3431"),
    ("prog", "34 00 22 1000 001000", "7f3413"),
    ("prog", "34 00 22 1000 00", "7f3413"),
    ("prog", "34 00 22 0fff 0010", "7f3431"),
    ("prog", "34 00 22 1ff1 0010", "7f3431"),
    ("prog", "34 00 22 1ff0 0010", "7420000a"),
    ("prog", "34 00 22 1000 0000", "7f3431"),  # nothing to transfer
    ("prog", "34 11 22 1000 0010", "7f3431"),  # a format of another area
    ("prog", "34 00 22 9000 0010", "7f3431"),  # only for upload
    ("prog", "34 00 22 8000 0010", "7f3433"),
    ("prog", "34 00 22 8000 0110", "7f3431"),  # the range before the level
    ("prog+11", "34 11 22 8000 0010", "7420000a"),
    ("prog", "34 00 44 00001000 00001000", "7420000a"),
    ("prog", "34 00 15 0000001000 01", "7420000a"),
    ("prog", "35 00 22 9000 0014", "7520000a"),
    ("prog", "35 00 22 1000 0010", "7f3531"),
    ("prog", "35 00 22 9000 0015", "7f3531"),
    ("prog", "36", "7f3613"),
    ("prog", "36 01", "7f3624"),
    ("prog", "36 01 00", "7f3624"),
    ("prog", "37", "7f3724"),
    ("prog", "37 00", "7f3724"),
]


@pytest.mark.parametrize(("place", "request_hex", "response"), OPENING)
def test_a_transfer_is_opened_in_the_order_of_the_checks(
    uds_bench: Benches, place: str, request_hex: str, response: str
) -> None:
    bench = uds_bench()
    bench.go(place)
    assert bench.ask(request_hex) == response


def opened(bench: Any, size: int = 16, request: str = "34 00 22 1000") -> Any:
    bench.go("prog")
    bench.all(f"{request} {size:04x}")
    return bench


def test_the_target_is_told_offset_size_and_format(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("prog+11")
    bench.all("34 11 22 8010 0020")
    assert bench.software.log == ["begin 16 32 17"]


def test_a_second_transfer_waits_for_the_end_of_the_first(uds_bench: Benches) -> None:
    bench = opened(uds_bench())
    assert bench.ask("34 00 22 1000 0010") == "7f3422"
    assert bench.ask("35 00 22 9000 0010") == "7f3522"
    assert bench.ask("34 00 22 0000 0010") == "7f3431"
    assert bench.software.log == ["begin 0 16 0"]


@pytest.mark.parametrize("nrc", [Nrc.UPLOAD_DOWNLOAD_NOT_ACCEPTED, Nrc.CONDITIONS_NOT_CORRECT])
def test_a_refused_opening_opens_nothing(uds_bench: Benches, nrc: Nrc) -> None:
    bench = uds_bench()
    bench.go("prog")
    bench.software.refuse = nrc
    assert bench.ask("34 00 22 1000 0010") == f"7f34{nrc:02x}"
    bench.software.refuse = None
    assert bench.ask("36 01 00") == "7f3624"
    bench.all("34 00 22 1000 0010")


def test_an_opening_that_takes_time_answers_0x78_first(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("prog")
    bench.software.work_ns = ms(100)
    assert bench.ask("34 00 22 1000 0010") == ""
    assert bench.wait(s(1)) == [(ms(35), "7f3478"), (ms(100), "7420000a")]
    assert bench.ask("36 01 00") == "7601"


@pytest.mark.parametrize(
    ("block_size", "said"),
    [(3, "200003"), (0xFFF, "200fff"), (0xFFFF, "20ffff"), (0x10000, "4000010000")],
)
def test_the_block_length_is_announced_with_its_own_length(
    uds_bench: Benches, block_size: int, said: str
) -> None:
    bench = uds_bench()
    bench.go("prog")
    bench.software.block_size = block_size
    assert bench.ask("34 00 22 1000 0010") == f"74{said}"


def test_a_target_that_takes_no_byte_per_block_is_a_mistake_of_the_ecu(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("prog")
    bench.software.block_size = 2
    with pytest.raises(UsageError, match=r"begin: expected a block length >= 3, got 2"):
        bench.ask("34 00 22 1000 0010")


# ---- blocks ----


def test_blocks_arrive_in_order_and_the_exit_closes(uds_bench: Benches) -> None:
    bench = opened(uds_bench())
    assert bench.ask("36 01 0011223344556677") == "7601"
    assert bench.ask("36 02 8899aabbccddeeff") == "7602"
    assert bench.ask("37 c0de") == "77"
    assert bench.software.data.hex() == "00112233445566778899aabbccddeeff"
    assert bench.software.log == ["begin 0 16 0", "finish c0de"]
    assert bench.ask("37") == "7f3724"
    assert bench.ask("36 03 00") == "7f3624"


def test_a_repeated_block_is_answered_again_and_not_stored_again(uds_bench: Benches) -> None:
    bench = opened(uds_bench())
    for _ in range(3):
        assert bench.ask("36 01 00112233") == "7601"
    assert bench.ask("36 02 44556677") == "7602"
    assert bench.ask("36 02 44556677") == "7602"
    assert bench.ask("36 01 00112233") == "7f3673"
    assert bench.software.data.hex() == "0011223344556677"


@pytest.mark.parametrize("counter", ["00", "02", "ff"])
def test_the_first_block_has_the_number_1(uds_bench: Benches, counter: str) -> None:
    bench = opened(uds_bench())
    assert bench.ask(f"36 {counter} 00") == "7f3673"
    assert bench.ask("36 01 00") == "7601"


def test_the_counter_goes_on_with_0_after_255_and_wraps_as_often_as_needed(
    uds_bench: Benches,
) -> None:
    bench = opened(uds_bench(), size=600)
    for number in range(1, 601):
        counter = number % 0x100
        assert bench.ask(bytes((0x36, counter, number & 0xFF))) == f"76{counter:02x}"
        if counter == 0xFF:
            assert bench.ask("36 01 ee") == "7f3673"
        if counter == 0x00:
            assert bench.ask("36 00 ee") == "7600"
    assert bench.ask("37") == "77"
    assert bench.software.data == bytes(number & 0xFF for number in range(1, 601))


def test_the_counter_is_looked_at_before_the_length(uds_bench: Benches) -> None:
    bench = opened(uds_bench(), size=100)
    assert bench.ask("36 02 " + "00" * 9) == "7f3673"
    assert bench.ask("36 01 " + "00" * 9) == "7f3613"  # longer than maxNumberOfBlockLength
    assert bench.ask("36 01") == "7f3613"  # no data
    assert bench.ask("36 01 " + "00" * 8) == "7601"


def test_more_bytes_than_announced_break_the_transfer_off(uds_bench: Benches) -> None:
    bench = opened(uds_bench(), size=12)
    bench.all("36 01 0011223344556677")
    assert bench.ask("36 02 0011223344") == "7f3671"
    assert bench.software.log[-1] == "abandon"
    assert bench.ask("36 02 00112233") == "7f3624"
    assert bench.ask("37") == "7f3724"


def test_a_block_after_the_last_is_out_of_sequence(uds_bench: Benches) -> None:
    bench = opened(uds_bench(), size=4)
    bench.all("36 01 00112233")
    assert bench.ask("36 02 00") == "7f3624"
    assert bench.ask("36 01 00112233") == "7601"  # the repetition of the last is not
    assert bench.ask("37") == "77"


def test_a_block_that_could_not_be_stored_can_be_sent_again(uds_bench: Benches) -> None:
    bench = opened(uds_bench(), size=4)
    bench.software.refuse = Nrc.GENERAL_PROGRAMMING_FAILURE
    assert bench.ask("36 01 00112233") == "7f3672"
    bench.software.refuse = None
    assert bench.ask("36 01 00112233") == "7601"
    assert bench.software.data.hex() == "00112233"


# ---- exit ----


def test_an_exit_before_the_last_byte_is_out_of_sequence(uds_bench: Benches) -> None:
    bench = opened(uds_bench(), size=5)
    bench.all("36 01 00112233")
    assert bench.ask("37") == "7f3724"
    bench.all("36 02 44", "37")


@pytest.mark.parametrize(
    ("nrc", "again"),
    [
        (Nrc.REQUEST_OUT_OF_RANGE, "77"),
        (Nrc.CONDITIONS_NOT_CORRECT, "77"),
        (Nrc.GENERAL_PROGRAMMING_FAILURE, "7f3724"),
    ],
)
def test_a_failed_exit_ends_the_transfer_a_refused_one_does_not(
    uds_bench: Benches, nrc: Nrc, again: str
) -> None:
    bench = opened(uds_bench(), size=1)
    bench.all("36 01 00")
    bench.software.refuse = nrc
    assert bench.ask("37") == f"7f37{nrc:02x}"
    bench.software.refuse = None
    assert bench.ask("37") == again


# ---- upload ----


def test_an_upload_gives_whole_blocks_and_the_rest(uds_bench: Benches) -> None:
    bench = opened(uds_bench(), size=20, request="35 00 22 9000")
    assert bench.ask("36 01 00") == "7f3613"
    assert bench.ask("36 01") == "76010001020304050607"
    assert bench.ask("36 01") == "76010001020304050607"  # its answer was lost
    assert bench.ask("36 03") == "7f3673"
    assert bench.ask("36 02") == "76020001020304050607"
    assert bench.ask("37") == "7f3724"
    assert bench.ask("36 03") == "760300010203"
    assert bench.ask("36 04") == "7f3624"
    assert bench.ask("37") == "77"
    assert bench.software.log == ["begin 0 20 0", "give 8", "give 8", "give 4", "finish"]


def test_a_target_that_gives_another_size_is_a_mistake_of_the_ecu(uds_bench: Benches) -> None:
    bench = opened(uds_bench(), size=20, request="35 00 22 9000")
    bench.software.refuse = b"\x00"
    with pytest.raises(UsageError, match=r"transfer target, give: expected 8 bytes, got 1"):
        bench.ask("36 01")


# ---- breaking off ----


@pytest.mark.parametrize("request_hex", ["10 01", "10 02", "10 81"])
def test_a_change_of_session_breaks_the_transfer_off(uds_bench: Benches, request_hex: str) -> None:
    bench = opened(uds_bench())
    bench.ask(request_hex)
    assert bench.software.log[-1] == "abandon"


def test_s3_breaks_the_transfer_off(uds_bench: Benches) -> None:
    bench = opened(uds_bench())
    bench.wait(s(5))
    assert bench.software.log[-1] == "abandon"
    assert bench.ask("36 01 00") == "7f367f"


def test_a_reset_breaks_the_transfer_off(uds_bench: Benches) -> None:
    bench = opened(uds_bench())
    bench.server.start(s(1))
    assert bench.software.log[-1] == "abandon"
    bench.go("prog")
    assert bench.ask("36 01 00") == "7f3624"
