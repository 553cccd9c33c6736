"""0x14, 0x19 and 0x85 through the server: lengths, sub-functions, sessions, what they leave."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from simcore.diag.codes import Nrc, Sid
from simcore.diag.dtc import Dtc, DtcSettings
from simcore.diag.dtc_debounce import TimeDebounce
from simcore.diag.dtc_memory import DtcMemory, memory_of
from simcore.diag.dtc_status import EventStatus
from simcore.diag.rows import ServiceRule
from simcore.diag.services.read_dtc import ReadDtcInformation
from simcore.diag.services.service import Request
from simcore.errors import UsageError

Benches = Callable[..., Any]
FAILED, PASSED = EventStatus.FAILED, EventStatus.PASSED


def failed_bench(uds_bench: Benches, **changes: Any) -> Any:
    bench = uds_bench(**changes)
    bench.dtcs.begin_cycle(0)
    bench.dtcs.report("silent", FAILED, 0)
    return bench


def answer(bench: Any, request: str) -> str:
    return str(bench.ask(request)).replace(" ", "")


@pytest.mark.parametrize(
    ("request_", "response"),
    [
        # 0x19
        ("19", "7f1913"),
        ("1901", "7f1913"),
        ("190108", "59017f010001"),
        ("19010800", "7f1913"),
        ("190208", "59027f4a10292f"),
        ("190280", "59027f"),
        ("1902", "7f1913"),
        ("1903", "5903"),
        ("190300", "7f1913"),
        ("19044a1029ff", "59044a10292f"),
        ("19044a1029", "7f1913"),
        ("19044a1028ff", "7f1931"),
        ("19044a102903", "7f1931"),
        ("19064a102901", "59064a10292f010100017f"),
        ("19064a10290101", "7f1913"),
        ("19064a102904", "7f1931"),
        ("190a", "590a7f4a10292f"),
        ("190aff", "7f1913"),
        ("1914", "5914"),
        ("191400", "7f1913"),
        ("1900", "7f1912"),
        ("1905", "7f1912"),
        ("198a", ""),
        ("198208", ""),
        # 0x14
        ("14", "7f1413"),
        ("14ffff", "7f1413"),
        ("14ffffffff", "7f1413"),
        ("14c00000", "7f1431"),
        ("144a1028", "7f1431"),
        ("144a1029", "54"),
        ("14400000", "54"),
        ("14ffffff", "54"),
        # 0x85
        ("8502", "7f857f"),
    ],
)
def test_one_request_gets_one_answer(uds_bench: Benches, request_: str, response: str) -> None:
    assert answer(failed_bench(uds_bench), request_) == response


def test_clearing_clears(uds_bench: Benches) -> None:
    bench = failed_bench(uds_bench)
    assert answer(bench, "14ffffff") == "54"
    assert answer(bench, "1902ff") == "59027f4a102950"


def test_what_is_refused_clears_nothing(uds_bench: Benches) -> None:
    bench = failed_bench(uds_bench)
    for request in ("14ffff", "14800000", "14ffffffff"):
        answer(bench, request)
    assert answer(bench, "190208") == "59027f4a10292f"


@pytest.mark.parametrize(
    ("request_", "response"),
    [
        ("8501", "c501"),
        ("8502", "c502"),
        ("8582", ""),
        ("85", "7f8513"),
        ("850200", "7f8513"),
        ("8500", "7f8512"),
        ("8503", "7f8512"),
    ],
)
def test_the_setting_in_the_extended_session(
    uds_bench: Benches, request_: str, response: str
) -> None:
    bench = failed_bench(uds_bench)
    bench.ask("1003")
    assert answer(bench, request_) == response


def test_off_freezes_the_status_and_on_lets_it_go(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.dtcs.begin_cycle(0)
    bench.ask("1003")
    bench.ask("8582")
    bench.dtcs.report("silent", FAILED, 0)
    assert answer(bench, "190a") == "590a7f4a102950"
    bench.ask("8581")
    bench.dtcs.report("silent", FAILED, 0)
    assert answer(bench, "190a") == "590a7f4a10292f"


@pytest.mark.parametrize("leave", ["1001", "wait"])
def test_the_default_session_switches_on_again(uds_bench: Benches, leave: str) -> None:
    bench = uds_bench()
    bench.dtcs.begin_cycle(0)
    bench.ask("1003")
    bench.ask("8502")
    assert not bench.dtcs.enabled
    if leave == "wait":
        bench.wait(6_000_000_000)
    else:
        bench.ask(leave)
    assert bench.dtcs.enabled


@pytest.mark.parametrize(
    ("sid", "session", "request_"),
    [
        (Sid.CLEAR_DIAGNOSTIC_INFORMATION, "", "14ffffff"),
        (Sid.READ_DTC_INFORMATION, "", "190a"),
        (Sid.CONTROL_DTC_SETTING, "1003", "8502"),
    ],
)
def test_an_ecu_may_have_conditions(
    uds_bench: Benches, sid: Sid, session: str, request_: str
) -> None:
    def never(now_ns: int) -> Nrc:
        return Nrc.CONDITIONS_NOT_CORRECT

    bench = failed_bench(uds_bench, services=(ServiceRule(sid, condition=never),))
    if session:
        bench.ask(session)
    assert answer(bench, request_) == f"7f{sid:02x}22"
    assert bench.dtcs.enabled and bench.dtcs.status(0x4A1029) == 0x2F


def test_a_time_that_has_run_out_counts_in_the_answer() -> None:
    rows = DtcSettings((Dtc(0x4A1029, "slow", debounce=TimeDebounce(failed_ns=100)),))
    memory = DtcMemory(rows, {})
    memory.start(0)
    memory.begin_cycle(0)
    memory.report("slow", EventStatus.PREFAILED, 0)
    state: Any = SimpleNamespace(dtcs=memory, unmet=lambda sid, now_ns: None)
    service, request = ReadDtcInformation(), Request(b"\x19\x0a")
    assert service.serve(request, state, 99) == bytes.fromhex("0a 7f 4a1029 50")
    assert service.serve(request, state, 100) == bytes.fromhex("0a 7f 4a1029 2f")


def test_a_server_with_another_kind_of_memory_is_refused() -> None:
    with pytest.raises(UsageError, match=r"UdsServer: dtcs: expected a DtcMemory, got object"):
        memory_of(object())
