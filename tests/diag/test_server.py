"""The general part of the UDS server: order of checks, suppression, timing, sessions."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from simcore.diag.access import Access
from simcore.diag.codes import Nrc, ResetKind, Session, Sid
from simcore.diag.session import ALL_ENABLED
from simcore.diag.table import BusyRule, ServiceRule, SessionRule, Timing
from simcore.units import ms, s

Benches = Callable[..., Any]

# ---- order of the general checks ----

GENERAL = [
    # place, request, response
    ("def", "", ""),
    ("def", "00", "7f0011"),  # no such service
    ("def", "3f", "7f3f11"),
    ("def", "50", "7f5011"),  # a response's identifier
    ("def", "7f 22 31", "7f7f11"),
    ("def", "ff", "7fff11"),
    ("def", "2e", "7f2e7f"),  # the session before the length
    ("def", "27", "7f277f"),
    ("def", "34", "7f347f"),
    ("def", "28 00 01", "7f287f"),
    ("ext", "34 00 44", "7f347f"),
    ("def", "10", "7f1013"),  # no sub-function
    ("def", "3e", "7f3e13"),
    ("def", "3e 01", "7f3e12"),  # the sub-function before the total length
    ("def", "3e 01 00", "7f3e12"),
    ("def", "3e 00 00", "7f3e13"),
    ("def", "3e 80 00", "7f3e13"),  # suppression is for positive responses only
    ("def", "3e 00", "7e00"),
    ("def", "3e 80", ""),
    ("def", "10 05", "7f1012"),
    ("def", "10 05 00", "7f1012"),
    ("def", "10 02", "7f107e"),  # there is one, but no way to it from here
    ("def", "10 02 00", "7f107e"),  # still before the total length
    ("def", "10 04", "7f107e"),
    ("def", "10 03 00", "7f1013"),
    ("ext", "10 04", "7f1033"),  # level before total length
    ("ext", "10 04 00", "7f1033"),
    ("ext+01", "10 04", "5004003201f4"),
    ("def", "11 03", "7f117e"),
    ("def", "11 02", "7f1112"),
    ("def", "11 01 00", "7f1113"),
    ("def", "11 01", "5101"),
    ("prog", "10 03", "7f107e"),
    ("prog", "10 01", "5001003201f4"),
    ("prog", "10 02", "500200280190"),
]


@pytest.mark.parametrize(("place", "request_hex", "response"), GENERAL)
def test_general_checks_come_in_the_order_of_the_standard(
    uds_bench: Benches, place: str, request_hex: str, response: str
) -> None:
    bench = uds_bench()
    bench.go(place)
    assert bench.ask(request_hex) == response


def test_a_role_or_level_needed_for_the_whole_service_comes_before_its_length(
    uds_bench: Benches,
) -> None:
    rules = (
        ServiceRule(Sid.WRITE_DATA_BY_IDENTIFIER, Access(role="workshop")),
        ServiceRule(Sid.COMMUNICATION_CONTROL, Access(level=0x01)),
    )
    bench = uds_bench(services=rules)
    assert bench.ask("2e") == "7f2e7f"
    bench.go("ext")
    assert bench.ask("2e") == "7f2e34"
    assert bench.ask("28 09") == "7f2833"
    bench.unlock(0x01)
    assert bench.ask("28 09") == "7f2812"
    bench.authenticate()
    assert bench.ask("2e") == "7f2e13"


def test_a_service_rule_narrows_the_sessions(uds_bench: Benches) -> None:
    rule = ServiceRule(Sid.TESTER_PRESENT, Access(sessions=(Session.EXTENDED,)))
    bench = uds_bench(services=(rule,))
    assert bench.ask("3e 00") == "7f3e7f"
    bench.go("ext")
    assert bench.ask("3e 00") == "7e00"


def test_what_a_table_takes_out_or_has_no_rows_for_is_not_supported(uds_bench: Benches) -> None:
    bench = uds_bench(
        services=(ServiceRule(Sid.COMMUNICATION_CONTROL, is_offered=False),),
        resets=(),
        authentication=None,
        io_controls=(),
        dids=(),
        routines=(),
    )
    for sid in (0x28, 0x11, 0x29, 0x2F, 0x22, 0x2E, 0x31):
        assert bench.ask(bytes((sid, 1, 1, 1))) == f"7f{sid:02x}11"


# ---- suppression ----

FUNCTIONAL = [
    ("def", "ba", ""),  # 0x11
    ("def", "3e 05", ""),  # 0x12
    ("def", "22 ff ff", ""),  # 0x31
    ("def", "10 02", ""),  # 0x7E
    ("def", "2e", ""),  # 0x7F
    ("def", "3e", "7f3e13"),
    ("ext", "10 04", "7f1033"),
    ("ext", "27 02 00", "7f2724"),
    ("def", "3e 00", "7e00"),
    ("def", "22 f1 90", "62f190" + b"SIMCORE0123456789".hex()),
    ("def", "10 83", ""),
]


@pytest.mark.parametrize(("place", "request_hex", "response"), FUNCTIONAL)
def test_functional_requests_are_not_told_that_the_ecu_was_not_meant(
    uds_bench: Benches, place: str, request_hex: str, response: str
) -> None:
    bench = uds_bench()
    bench.go(place)
    assert bench.ask(request_hex, functional=True) == response


def test_a_suppressed_response_does_all_but_answer(uds_bench: Benches) -> None:
    bench = uds_bench()
    assert bench.ask("10 83") == ""
    assert bench.server.session == Session.EXTENDED
    assert bench.ask("28 83 01") == ""
    assert not bench.server.communication_enabled.normal_tx
    assert bench.ask("31 81 02 01 00") == ""
    assert bench.software.log == ["start 00"]


def test_bit_7_suppresses_nothing_in_a_service_without_sub_function(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("prog")
    bench.all("34 00 22 1000 0400")
    for number in range(1, 0x81):
        response = bench.ask(bytes((0x36, number, 0xAA)))
        assert response == f"76{number:02x}"


# ---- 0x78 ----


def slow(bench: Any, work_ns: int, request: str = "31 01 ff 00", **options: Any) -> str:
    bench.go("ext")
    bench.software.work_ns = work_ns
    answer: str = bench.ask(request, **options)
    return answer


def test_work_within_p2_is_answered_without_0x78(uds_bench: Benches) -> None:
    bench = uds_bench()
    assert slow(bench, ms(45)) == ""
    assert bench.wait(s(1)) == [(ms(45), "7101ff0000")]


def test_0x78_leaves_before_p2_is_over_and_then_before_each_p2_star(uds_bench: Benches) -> None:
    bench = uds_bench()
    slow(bench, s(12))
    assert bench.wait(s(20)) == [
        (ms(45), "7f3178"),
        (ms(45) + ms(4995), "7f3178"),
        (ms(45) + 2 * ms(4995), "7f3178"),
        (s(12), "7101ff0000"),
    ]


def test_the_times_of_the_active_session_count(uds_bench: Benches) -> None:
    bench = uds_bench(timing=Timing(margin_ns=ms(10)))
    bench.go("prog")
    bench.software.work_ns = s(5)
    bench.ask("31 01 ff 00")
    assert bench.wait(s(20)) == [
        (ms(30), "7f3178"),
        (ms(30) + ms(3990), "7f3178"),
        (s(5), "7101ff0000"),
    ]


def test_one_ns_decides_whether_0x78_is_said(uds_bench: Benches) -> None:
    bench = uds_bench(timing=Timing(margin_ns=0))
    slow(bench, ms(50))
    assert bench.wait(s(1)) == [(ms(50), "7101ff0000")]
    bench = uds_bench(timing=Timing(margin_ns=0))
    slow(bench, ms(50) + 1)
    assert bench.wait(s(1)) == [(ms(50), "7f3178"), (ms(50) + 1, "7101ff0000")]


def test_0x78_never_comes_more_often_than_0_3_of_p2_star(uds_bench: Benches) -> None:
    bench = uds_bench(timing=Timing(margin_ns=ms(40)))
    slow(bench, s(30))
    times_ns = [at_ns for at_ns, text in bench.wait(s(40)) if text == "7f3178"]
    gaps_ns = [later - earlier for earlier, later in pairwise(times_ns)]
    assert len(gaps_ns) > 3
    assert all(3 * s(5) // 10 <= gap_ns <= s(5) for gap_ns in gaps_ns)


def test_work_that_outlasts_the_number_of_0x78_ends_in_general_reject(uds_bench: Benches) -> None:
    bench = uds_bench(timing=Timing(pending_max=2))
    slow(bench, s(60))
    assert [text for _, text in bench.wait(s(70))] == ["7f3178", "7f3178", "7f3110"]
    assert not bench.server.is_busy
    assert bench.ask("3e 00") == "7e00"


def test_after_0x78_the_final_response_comes_although_suppressed(uds_bench: Benches) -> None:
    bench = uds_bench()
    slow(bench, ms(60), "31 81 ff 00")
    assert bench.wait(s(1)) == [(ms(45), "7f3178"), (ms(60), "7101ff0000")]


def test_without_0x78_a_suppressed_response_stays_away(uds_bench: Benches) -> None:
    bench = uds_bench()
    slow(bench, ms(44), "31 81 ff 00")
    assert bench.wait(s(1)) == []
    assert not bench.server.is_busy


@pytest.mark.parametrize(("work_ns", "responses"), [(ms(44), []), (ms(60), ["7f3178", "7f3131"])])
def test_a_functional_refusal_is_said_once_0x78_was(
    uds_bench: Benches, work_ns: int, responses: list[str]
) -> None:
    bench = uds_bench()

    class Refusing:
        def step(self, now_ns: int) -> Nrc | None:
            return Nrc.REQUEST_OUT_OF_RANGE if now_ns >= work_ns else None

        def next_deadline_ns(self) -> int:
            return work_ns

    bench.go("ext")
    bench.software.answer = Refusing()
    bench.ask("31 01 02 01 00", functional=True)
    assert [text for _, text in bench.wait(s(1))] == responses


def test_an_operation_is_stepped_at_its_deadlines_only(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("ext")
    steps: list[int] = []

    class Counting:
        due_ns = ms(10)

        def step(self, now_ns: int) -> bytes | None:
            steps.append(now_ns)
            self.due_ns += ms(30)
            return b"" if now_ns >= ms(70) else None

        def next_deadline_ns(self) -> int:
            return self.due_ns

    bench.software.answer = Counting()
    bench.ask("31 01 02 01 00")
    bench.server.on_timer(ms(5))
    bench.wait(s(1))
    assert steps == [ms(10), ms(40), ms(70)]


# ---- a second request while one is processed ----


def test_a_second_request_is_refused_with_busy(uds_bench: Benches) -> None:
    bench = uds_bench()
    slow(bench, s(1))
    assert bench.ask("22 f1 90", source=7) == "7f2221"
    assert bench.ask("3e 00", functional=True) == "7f3e21"
    assert bench.server.source == 0
    assert bench.finish() == "7f3178 7101ff0000"


@pytest.mark.parametrize("functional", [True, False])
def test_tester_present_without_answer_disturbs_nothing(
    uds_bench: Benches, functional: bool
) -> None:
    bench = uds_bench()
    slow(bench, s(1))
    bench.wait(ms(10))
    assert bench.ask("3e 80", functional=functional) == ""
    assert bench.wait(s(2)) == [(ms(45), "7f3178"), (s(1), "7101ff0000")]


def test_a_server_may_ignore_second_requests_instead(uds_bench: Benches) -> None:
    bench = uds_bench(timing=Timing(busy=BusyRule.IGNORE))
    slow(bench, s(1))
    assert bench.ask("22 f1 90") == ""
    assert bench.finish() == "7f3178 7101ff0000"
    assert bench.ask("22 f1 90") != ""


# ---- sessions and S3 ----


def test_s3_ends_the_session_to_the_ns(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.now_ns = 7
    bench.go("ext")
    assert bench.server.next_deadline_ns() == 7 + s(5)
    bench.server.on_timer(6 + s(5))
    assert bench.server.session == Session.EXTENDED
    bench.server.on_timer(7 + s(5))
    assert bench.server.session == Session.DEFAULT
    assert bench.server.next_deadline_ns() is None


def test_any_request_restarts_s3_even_a_refused_or_silent_one(uds_bench: Benches) -> None:
    for request, functional in (("3e 80", True), ("ba", True), ("22 ff ff", False), ("2e", False)):
        bench = uds_bench()
        bench.go("ext")
        bench.wait(s(4))
        bench.ask(request, functional=functional)
        assert bench.server.next_deadline_ns() == s(9)


def test_s3_begins_anew_when_the_response_has_left(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("ext")
    bench.server.sent(ms(300))
    assert bench.server.next_deadline_ns() == s(5) + ms(300)


def test_s3_stands_still_while_a_request_is_processed(uds_bench: Benches) -> None:
    bench = uds_bench()
    slow(bench, s(30))
    bench.finish()
    assert bench.server.session == Session.EXTENDED
    assert bench.server.next_deadline_ns() == s(35)


def test_a_late_request_finds_the_session_ended_though_no_timer_was_served(
    uds_bench: Benches,
) -> None:
    bench = uds_bench()
    bench.go("ext")
    bench.now_ns = s(5)
    assert bench.ask("2e") == "7f2e7f"


def test_the_default_session_needs_no_timer(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.ask("22 f1 90")
    bench.server.sent(5)
    assert bench.server.next_deadline_ns() is None


def in_use(bench: Any) -> None:
    """Extended session with everything that a session can hold."""
    bench.go("ext+01")
    bench.all("2f 03 01 03 1234", "2f 03 02 03 01 ff", "28 03 03", "85 02", "31 01 02 01 00")
    bench.all("31 01 02 02")
    bench.authenticate()
    bench.software.log.clear()


def test_s3_takes_back_everything(uds_bench: Benches) -> None:
    bench = uds_bench()
    in_use(bench)
    assert not bench.dtcs.enabled
    bench.wait(s(6))
    assert bench.server.session == Session.DEFAULT
    assert bench.server.unlocked_level == 0
    assert bench.server.authenticated_role == ""
    assert bench.server.communication_enabled == ALL_ENABLED
    assert bench.dtcs.enabled
    assert bench.software.log == [
        "io RETURN_CONTROL",
        "lamp RETURN_CONTROL  ff",
        "end",
        "end",
    ]


def test_the_default_session_by_request_takes_back_the_same(uds_bench: Benches) -> None:
    bench = uds_bench()
    in_use(bench)
    bench.all("10 01")
    assert bench.server.unlocked_level == 0
    assert bench.server.authenticated_role == ""
    assert bench.server.communication_enabled == ALL_ENABLED
    assert bench.dtcs.enabled
    assert len(bench.software.log) == 4


def test_between_other_sessions_only_what_hangs_on_security_or_the_session_ends(
    uds_bench: Benches,
) -> None:
    bench = uds_bench()
    in_use(bench)
    bench.all("10 02")
    assert bench.server.unlocked_level == 0
    assert bench.server.authenticated_role == "workshop"
    assert not bench.server.communication_enabled.normal_tx
    assert not bench.dtcs.enabled
    # the valve and the first routine are allowed in programming too, lamp and second one are not
    assert bench.software.log == ["lamp RETURN_CONTROL  ff", "end"]
    bench.all("31 02 02 01")


def test_entering_the_same_session_again_locks_security_and_ends_a_transfer(
    uds_bench: Benches,
) -> None:
    bench = uds_bench()
    bench.go("prog+01")
    bench.all("34 00 22 1000 0010", "36 01 00", "10 02")
    assert bench.server.unlocked_level == 0
    assert bench.software.log[-1] == "abandon"
    assert bench.ask("36 02 00") == "7f3624"


def test_a_session_can_refuse_by_its_condition(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("ext")
    bench.software.refuse = Nrc.VEHICLE_SPEED_TOO_HIGH
    assert bench.ask("10 02") == "7f1088"
    assert bench.ask("10 02 00") == "7f1013"
    assert bench.server.session == Session.EXTENDED


def test_a_service_rule_brings_its_condition_last(uds_bench: Benches) -> None:
    refusals = [Nrc.ENGINE_IS_RUNNING]
    rule = ServiceRule(Sid.COMMUNICATION_CONTROL, condition=lambda now_ns: refusals[0])
    bench = uds_bench(services=(rule,))
    bench.go("ext")
    assert bench.ask("28 00") == "7f2813"
    assert bench.ask("28 00 00") == "7f2831"
    assert bench.ask("28 01 01") == "7f2883"


# ---- reset ----


def test_a_reset_waits_until_its_response_has_left(uds_bench: Benches) -> None:
    bench = uds_bench()
    assert bench.ask("11 01") == "5101"
    assert bench.server.take_reset() is None
    bench.server.sent(ms(1))
    assert bench.server.take_reset() is ResetKind.HARD
    assert bench.server.take_reset() is None


def test_a_reset_without_response_is_due_at_once(uds_bench: Benches) -> None:
    bench = uds_bench()
    assert bench.ask("11 81", functional=True) == ""
    assert bench.server.take_reset() is ResetKind.HARD


def test_requests_between_answer_and_reset_are_refused_as_busy(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.ask("11 01")
    assert bench.ask("22 f1 90") == "7f2221"
    assert bench.server.last_reset is None
    bench.server.start(s(1), after_reset=ResetKind.HARD)
    assert bench.server.last_reset is ResetKind.HARD
    assert bench.ask("22 f1 90").startswith("62")
    assert bench.server.take_reset() is None


def test_a_handler_can_ask_for_a_reset_after_its_answer(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("ext")
    bench.server.request_reset(ResetKind.SOFT)
    assert bench.server.take_reset() is None
    bench.server.sent(0)
    assert bench.server.take_reset() is ResetKind.SOFT


def test_a_response_under_way_of_0x78_is_not_the_final_one(uds_bench: Benches) -> None:
    bench = uds_bench()
    slow(bench, s(1))
    bench.server.request_reset(ResetKind.HARD)
    bench.wait(ms(50))
    bench.server.sent(ms(51))  # the 0x78
    assert bench.server.take_reset() is None
    bench.finish()
    bench.server.sent(s(1))
    assert bench.server.take_reset() is ResetKind.HARD


def test_a_start_forgets_everything_volatile(uds_bench: Benches) -> None:
    bench = uds_bench()
    in_use(bench)
    bench.software.work_ns = s(9)
    bench.ask("31 01 ff 00")
    bench.server.start(s(3))
    assert not bench.server.is_busy
    assert bench.server.session == Session.DEFAULT
    assert bench.server.unlocked_level == 0
    assert bench.server.authenticated_role == ""
    assert bench.server.communication_enabled == ALL_ENABLED
    assert bench.server.next_deadline_ns() is None


# ---- copies ----


def test_a_copy_made_at_any_instant_goes_its_own_way(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("prog+01")
    bench.all("34 00 22 1000 0010", "36 01 0102030405060708")
    twin = copy.deepcopy(bench)
    assert twin.ask("36 02 1112131415161718") == "7602"
    assert twin.software.data.hex() == "01020304050607081112131415161718"
    assert bench.software.data.hex() == "0102030405060708"
    assert bench.ask("37") == "7f3724"
    assert twin.ask("37") == "77"


def test_a_pickle_made_while_busy_goes_on_alike(uds_bench: Benches) -> None:
    bench = uds_bench()
    slow(bench, s(6), "31 01 ff 00")
    bench.wait(ms(100))
    twin = pickle.loads(pickle.dumps(bench))
    assert (
        twin.wait(s(10))
        == bench.wait(s(10))
        == [
            (ms(45) + ms(4995), "7f3178"),
            (s(6), "7101ff0000"),
        ]
    )


def test_a_response_longer_than_the_table_allows_is_refused(uds_bench: Benches) -> None:
    bench = uds_bench(response_size_max=20)
    assert len(bench.ask("22 f1 90")) == 40
    assert uds_bench(response_size_max=19).ask("22 f1 90") == "7f2214"


def test_the_session_response_tells_the_times_of_its_session(uds_bench: Benches) -> None:
    rule = SessionRule(0x40, "supplier", p2_ns=ms(65535), p2_star_ns=ms(655350))
    table = uds_bench().server.table
    bench = uds_bench(sessions=(*table.sessions, rule))
    assert bench.ask("10 40") == "5040ffffffff"
