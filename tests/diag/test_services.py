"""Each service by itself: one request, its answer, in the order in which refusals come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simcore.diag.codes import Nrc
from simcore.errors import UsageError
from simcore.units import ms

Benches = Callable[..., Any]

VIN = "f190" + b"SIMCORE0123456789".hex()

ROWS = [
    # 0x22: length, session, level, conditions, size of the response
    ("def", "22", "7f2213"),
    ("def", "22 f1", "7f2213"),
    ("def", "22 f1 90 01", "7f2213"),
    ("def", "22 f1 91", "7f2231"),
    ("def", "22 f1 90", "62" + VIN),
    ("def", "22 01 00", "6201000000000000000000"),
    ("def", "22 f1 91 f1 90", "62" + VIN),  # what is not offered is left out
    ("def", "22 f1 90 01 03 f1 90", "62" + VIN + VIN),
    ("def", "22 f1 91 01 03", "7f2231"),
    ("def", "22 01 03", "7f2231"),
    ("ext", "22 01 03", "62010307"),
    ("def", "22 01 04", "7f2233"),
    ("def", "22 f1 90 01 04", "7f2233"),  # any of them
    ("def", "22 01 04 01 05", "7f2233"),
    ("def", "22 01 05 01 04", "7f2234"),
    ("ext+01", "22 01 04", "62010409"),
    ("def", "22 01 11", "7f2231"),  # can only be written
    ("def", "22" + " f1 90" * 17, "7f2213"),  # more than the table allows
    ("def", "22" + " f1 90" * 16, "62" + VIN * 16),
    ("def", "22 01 02 01 02 01 02", "7f2214"),
    # 0x2E: minimum, session, level, total length, content
    ("ext", "2e", "7f2e13"),
    ("ext", "2e 01 10", "7f2e13"),
    ("ext", "2e f1 90 00", "7f2e31"),  # can only be read
    ("ext", "2e f1 91 00", "7f2e31"),
    ("prog", "2e 01 12 00", "7f2e31"),  # not in this session
    ("ext", "2e 01 11 00", "7f2e33"),  # level before total length
    ("ext+01", "2e 01 11 00", "7f2e13"),
    ("ext+01", "2e 01 11 00 01", "6e0111"),
    ("ext", "2e 01 10 00 01 02", "7f2e13"),
    ("ext", "2e 01 10 00 01", "6e0110"),
    ("ext", "2e 01 12 61 62 63", "6e0112"),
    # 0x31: minimum, routine, level, sub-function of the routine, total length, sequence
    ("ext", "31", "7f3113"),
    ("ext", "31 01 02", "7f3113"),
    ("ext", "31 09 02", "7f3113"),
    ("ext", "31 09 02 02", "7f3133"),
    ("ext", "31 01 02 99", "7f3131"),
    ("ext", "31 09 02 99", "7f3131"),
    ("ext", "31 01 02 02", "7f3133"),
    ("ext", "31 09 02 01", "7f3112"),
    ("ext", "31 00 02 01", "7f3112"),
    ("ext+01", "31 02 02 02", "7f3112"),  # has no stop
    ("ext", "31 01 02 01", "7f3113"),
    ("ext", "31 01 02 01 00 00", "7f3113"),
    ("ext", "31 01 02 01 00", "7101020100"),
    ("ext", "31 02 02 01 00", "7f3113"),  # stop takes no option
    ("ext", "31 02 02 01", "7f3124"),
    ("ext", "31 03 02 01", "7f3124"),
    ("ext+01", "31 01 02 02 01 02 03 04", "7101020200"),
    # 0x2F: minimum, identifier, level, parameter, total length
    ("ext", "2f", "7f2f13"),
    ("ext", "2f 03 01", "7f2f13"),
    ("ext", "2f 03 09 00", "7f2f31"),
    ("prog", "2f 03 02 00", "7f2f31"),  # not in this session
    ("ext", "2f 03 02 07", "7f2f33"),
    ("ext", "2f 03 01 04", "7f2f31"),
    ("ext+01", "2f 03 02 02", "7f2f31"),  # this one cannot be frozen
    ("ext", "2f 03 01 03", "7f2f13"),
    ("ext", "2f 03 01 03 12", "7f2f13"),
    ("ext", "2f 03 01 03 12 34 56", "7f2f13"),
    ("ext", "2f 03 01 00 12", "7f2f13"),
    ("ext", "2f 03 01 03 12 34", "6f0301035566"),
    ("ext", "2f 03 01 00", "6f0301005566"),
    ("ext", "2f 03 01 01", "6f0301015566"),
    ("ext", "2f 03 01 02", "6f0301025566"),
    ("ext+01", "2f 03 02 03 01", "7f2f13"),  # the mask is missing
    ("ext+01", "2f 03 02 03 01 80", "6f03020301"),
    ("ext+01", "2f 03 02 00 ff", "6f03020001"),
    # 0x28
    ("ext", "28", "7f2813"),
    ("ext", "28 04 01", "7f2812"),
    ("ext", "28 00", "7f2813"),
    ("ext", "28 00 01 00", "7f2813"),
    ("ext", "28 00 00", "7f2831"),
    ("ext", "28 00 04", "7f2831"),
    ("ext", "28 00 11", "7f2831"),  # a subnet of a list that there is not
    ("ext", "28 00 f1", "6800"),
    ("ext", "28 03 03", "6803"),
    # 0x11
    ("ext", "11", "7f1113"),
    ("ext", "11 00", "7f1112"),
    ("ext", "11 04", "7f1112"),
    ("ext", "11 03 00", "7f1113"),
    ("ext", "11 03", "5103"),
]


@pytest.mark.parametrize(("place", "request_hex", "response"), ROWS)
def test_one_request_gets_one_answer(
    uds_bench: Benches, place: str, request_hex: str, response: str
) -> None:
    bench = uds_bench()
    bench.go(place)
    assert bench.ask(request_hex) == response


REFUSED_BY_HANDLERS = [
    ("def", "22 01 00", Nrc.CONDITIONS_NOT_CORRECT, "7f2222"),
    ("def", "22 f1 90 01 00", Nrc.CONDITIONS_NOT_CORRECT, "7f2222"),
    ("ext", "2e 01 10 00 01", Nrc.REQUEST_OUT_OF_RANGE, "7f2e31"),
    ("ext", "2e 01 10 00 01", Nrc.GENERAL_PROGRAMMING_FAILURE, "7f2e72"),
    ("ext", "31 01 02 01 00", Nrc.CONDITIONS_NOT_CORRECT, "7f3122"),
    ("ext", "2f 03 01 03 00 00", Nrc.REQUEST_OUT_OF_RANGE, "7f2f31"),
    ("ext", "11 03", Nrc.CONDITIONS_NOT_CORRECT, "7f1122"),
]


@pytest.mark.parametrize(("place", "request_hex", "nrc", "response"), REFUSED_BY_HANDLERS)
def test_what_a_handler_refuses_is_passed_on(
    uds_bench: Benches, place: str, request_hex: str, nrc: Nrc, response: str
) -> None:
    bench = uds_bench()
    bench.go(place)
    bench.software.refuse = nrc
    assert bench.ask(request_hex) == response


# ---- 0x22, 0x2E ----


def test_identifiers_that_take_time_are_read_one_after_the_other(uds_bench: Benches) -> None:
    bench = uds_bench()
    assert bench.ask("22 01 01 f1 90 01 01 01 00") == ""
    time = ms(40).to_bytes(8, "big").hex()
    assert bench.wait(ms(100)) == [(ms(40), f"620101abcd{VIN}0101abcd0100{time}")]


def test_a_refusal_after_a_slow_identifier_is_the_answer(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.software.refuse = Nrc.CONDITIONS_NOT_CORRECT
    bench.ask("22 01 01 01 00")
    assert bench.finish() == "7f2222"


def test_a_write_that_takes_time_answers_when_it_is_done(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("ext")
    assert bench.ask("2e 01 13 00") == ""
    assert bench.wait(ms(20)) == [(ms(10), "6e0113")]
    bench.ask("2e 01 13 ff")
    assert bench.finish() == "7f2e72"


def test_a_handler_that_reads_the_wrong_size_is_a_mistake_of_the_ecu(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.software.read_large = None
    bench.software.refuse = b"\x01"
    with pytest.raises(UsageError, match=r"DID 0x0100 time: expected 8 bytes .*, got 1 bytes"):
        bench.ask("22 01 00")


def test_written_data_arrives(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("ext")
    bench.all("2e 01 10 ab cd")
    assert bench.software.written == {"did": b"\xab\xcd"}


# ---- 0x31 ----


def test_a_routine_is_started_stopped_and_asked_in_this_order(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("ext")
    bench.all("31 01 02 01 07")
    assert bench.ask("31 03 02 01") == "710302011122"
    assert bench.ask("31 02 02 01") == "71020201"
    assert bench.ask("31 02 02 01") == "7f3124"
    assert bench.ask("31 03 02 01") == "710302011122"
    assert bench.software.log == ["start 07", "stop"]


def test_a_routine_whose_start_was_refused_has_not_started(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("ext")
    bench.software.refuse = Nrc.CONDITIONS_NOT_CORRECT
    bench.ask("31 01 02 01 07")
    assert bench.ask("31 02 02 01") == "7f3124"


def test_a_routine_is_to_be_started_anew_after_its_session(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("ext")
    bench.all("31 01 02 01 07", "10 01", "10 03")
    assert bench.ask("31 02 02 01") == "7f3124"


# ---- 0x2F ----


def test_what_was_returned_is_not_returned_again(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("ext")
    bench.all("2f 03 01 03 12 34", "2f 03 01 00", "10 01")
    assert bench.software.log == ["io SHORT_TERM_ADJUSTMENT 1234", "io RETURN_CONTROL"]


def test_what_was_returned_in_part_is_returned_when_the_session_ends(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("ext+01")
    bench.all("2f 03 02 03 01 c0", "2f 03 02 00 80", "10 01")
    assert bench.software.log[-1] == "lamp RETURN_CONTROL  ff"


def test_control_that_was_refused_is_not_taken(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("ext")
    bench.software.refuse = Nrc.CONDITIONS_NOT_CORRECT
    bench.ask("2f 03 01 02")
    bench.software.log.clear()
    bench.all("10 01")
    assert bench.software.log == []


def test_a_status_record_of_the_wrong_size_is_a_mistake_of_the_ecu(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("ext")
    bench.software.refuse = b"\x01"
    with pytest.raises(UsageError, match=r"IO control 0x0301 valve: expected 2 bytes"):
        bench.ask("2f 03 01 02")


# ---- 0x28 ----


@pytest.mark.parametrize(
    ("requests", "enabled"),
    [
        (("28 00 03",), (True, True, True, True)),
        (("28 01 01",), (True, False, True, True)),
        (("28 02 01",), (False, True, True, True)),
        (("28 03 01",), (False, False, True, True)),
        (("28 03 02",), (True, True, False, False)),
        (("28 03 03",), (False, False, False, False)),
        (("28 03 03", "28 00 01"), (True, True, False, False)),
        (("28 03 03", "28 01 02"), (False, False, True, False)),
    ],
)
def test_communication_is_switched_per_kind_and_direction(
    uds_bench: Benches, requests: tuple[str, ...], enabled: tuple[bool, ...]
) -> None:
    bench = uds_bench()
    bench.go("ext")
    bench.all(*requests)
    now = bench.server.communication_enabled
    assert (now.normal_rx, now.normal_tx, now.nm_rx, now.nm_tx) == enabled


# ---- what a scanner sees ----


def test_a_scan_of_all_services_sees_what_each_session_offers(uds_bench: Benches) -> None:
    seen: dict[str, dict[int, set[str]]] = {}
    for place in ("def", "ext", "prog"):
        bench = uds_bench()
        bench.go(place)
        for sid in range(0x100):
            answer = bench.ask(bytes((sid,)))
            seen.setdefault(place, {}).setdefault(int(answer[-2:], 16), set()).add(f"{sid:02x}")
    offered = "10 11 14 19 22 27 28 29 2e 2f 31 34 35 36 37 3e 85".split()
    for place, nrcs in seen.items():
        assert len(nrcs[0x11]) == 0x100 - len(offered), place
    # 0x37 without any byte behind it is a request in full length: out of sequence
    assert seen["def"][0x13] == {"10", "11", "14", "19", "22", "29", "3e"}
    assert seen["def"][0x7F] == {"27", "28", "2e", "2f", "31", "34", "35", "36", "37", "85"}
    assert seen["ext"][0x7F] == {"34", "35", "36", "37"}
    assert 0x7F not in seen["prog"]
    assert seen["prog"][0x24] == {"37"}


def test_a_scan_of_all_sessions_tells_those_elsewhere_from_those_nowhere(
    uds_bench: Benches,
) -> None:
    found: dict[str, list[int]] = {}
    for session in range(0x80):
        bench = uds_bench()
        answer = bench.ask(bytes((0x10, session)))
        found.setdefault("50" if answer.startswith("50") else answer[-2:], []).append(session)
    assert found["50"] == [1, 3]
    assert found["7e"] == [2, 4]
    assert len(found["12"]) == 0x80 - 4
