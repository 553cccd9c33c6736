"""Answers of ReadDTCInformation, decoded by udsoncan and byte by byte."""

from __future__ import annotations

from typing import Any

import pytest

from simcore.diag import dtc_report
from simcore.diag.codes import Nrc
from simcore.diag.dtc import Dtc, DtcSettings, SnapshotDid
from simcore.diag.dtc_debounce import CounterDebounce
from simcore.diag.dtc_memory import DtcMemory
from simcore.diag.dtc_status import EventStatus
from simcore.diag.services.read_dtc import report
from simcore.units import ms

udsoncan = pytest.importorskip("udsoncan")
services = pytest.importorskip("udsoncan.services")

SPEED, STATE = SnapshotDid(0x4001, "speed", 2), SnapshotDid(0x4003, "state", 1)
SILENT, LATE, NOISY, PAIR = 0x5A1087, 0x5A1082, 0x5A1164, 0xDA0081
SETTINGS = DtcSettings(
    (
        Dtc(SILENT, "silent", snapshot=(SPEED, STATE), indicator="brake"),
        Dtc(LATE, "late", snapshot=(STATE,)),
        Dtc(NOISY, "noisy", debounce=CounterDebounce(increment=10)),
        Dtc(PAIR, "pair", events=("crc", "counter")),
    )
)


def speed(now_ns: int) -> bytes:
    return (now_ns // ms(1)).to_bytes(2, "big")


def state(now_ns: int) -> bytes:
    return b"\x07"


@pytest.fixture
def memory() -> DtcMemory:
    memory = DtcMemory(SETTINGS, {}, {0x4001: speed, 0x4003: state})
    memory.start(0)
    memory.begin_cycle(0)
    memory.report("silent", EventStatus.FAILED, ms(500))
    memory.report("silent", EventStatus.PASSED, ms(600))
    memory.report("silent", EventStatus.FAILED, ms(700))
    memory.report("crc", EventStatus.FAILED, ms(800))
    memory.report("late", EventStatus.PASSED, ms(800))
    memory.report("noisy", EventStatus.PREFAILED, ms(800))
    return memory


def decoded(memory: DtcMemory, sub_function: int, data: bytes = b"") -> Any:
    answer = report(memory, sub_function, data, ms(900))
    assert isinstance(answer, bytes)
    service = services.ReadDTCInformation
    payload = bytes((0x59, sub_function)) + answer
    response = udsoncan.Response.from_payload(payload)
    config = {0x4001: ">H", 0x4003: "B"}
    service.interpret_response(
        response, sub_function, extended_data_size=4, didconfig=config, tolerate_zero_padding=False
    )
    return response.service_data


def statuses(found: Any) -> dict[int, int]:
    return {dtc.id: dtc.status.get_byte_as_int() for dtc in found.dtcs}


ALL = {SILENT: 0xAF, LATE: 0x00, NOISY: 0x50, PAIR: 0x2F}


def test_01_counts_by_mask(memory: DtcMemory) -> None:
    for mask in range(256):
        found = decoded(memory, 0x01, bytes((mask,)))
        assert found.dtc_count == sum(1 for status in ALL.values() if status & mask)
        assert found.status_availability.get_byte_as_int() == 0xFF
        assert found.dtc_format == 1


def test_02_lists_by_mask(memory: DtcMemory) -> None:
    for mask in range(256):
        found = decoded(memory, 0x02, bytes((mask,)))
        assert statuses(found) == {code: st for code, st in ALL.items() if st & mask}
    assert dtc_report.by_status_mask(memory, 0x80) == bytes.fromhex("ff 5a1087 af")


def test_0a_lists_all(memory: DtcMemory) -> None:
    assert statuses(decoded(memory, 0x0A)) == ALL


def test_without_a_lamp_bit_7_is_not_available() -> None:
    memory = DtcMemory(DtcSettings((Dtc(LATE, "late"),)), {})
    memory.start(0)
    assert dtc_report.supported(memory) == bytes.fromhex("7f 5a1082 50")
    assert dtc_report.number_by_status_mask(memory, 0x80) == bytes.fromhex("7f 01 0000")


def test_03_names_the_snapshots_there_are(memory: DtcMemory) -> None:
    found = decoded(memory, 0x03)
    assert {dtc.id: dtc.snapshots for dtc in found.dtcs} == {SILENT: [1, 2]}


@pytest.mark.parametrize(("record", "speeds"), [(1, [500]), (2, [700]), (0xFF, [500, 700])])
def test_04_gives_the_snapshots(memory: DtcMemory, record: int, speeds: list[int]) -> None:
    (dtc,) = decoded(memory, 0x04, SILENT.to_bytes(3, "big") + bytes((record,))).dtcs
    assert (dtc.id, dtc.status.get_byte_as_int()) == (SILENT, 0xAF)
    assert [shot.data for shot in dtc.snapshots if shot.did == 0x4001] == [(v,) for v in speeds]
    assert [shot.data for shot in dtc.snapshots if shot.did == 0x4003] == [(7,)] * len(speeds)


def test_06_gives_counters_and_times(memory: DtcMemory) -> None:
    (dtc,) = decoded(memory, 0x06, SILENT.to_bytes(3, "big") + b"\xff").dtcs
    records = {each.record_number: each.raw_data for each in dtc.extended_data}
    assert records == {
        1: bytes((2, 0, 1, 127)),
        2: (500).to_bytes(4, "big"),
        3: (700).to_bytes(4, "big"),
    }
    for number, data in records.items():
        (dtc,) = decoded(memory, 0x06, SILENT.to_bytes(3, "big") + bytes((number,))).dtcs
        assert [(each.record_number, each.raw_data) for each in dtc.extended_data] == [
            (number, data)
        ]


@pytest.mark.parametrize("sub_function", [0x04, 0x06])
def test_a_known_code_without_data_is_told_with_its_status_alone(
    memory: DtcMemory, sub_function: int
) -> None:
    (dtc,) = decoded(memory, sub_function, LATE.to_bytes(3, "big") + b"\xff").dtcs
    assert (dtc.id, dtc.status.get_byte_as_int()) == (LATE, 0x00)
    assert not dtc.snapshots and not dtc.extended_data


@pytest.mark.parametrize("sub_function", [0x04, 0x06])
@pytest.mark.parametrize(
    "data", ["5a1088ff", "000000ff", "5a108700", "5a108704", "5a1087fe"], ids=lambda each: each
)
def test_an_unknown_code_or_record_is_out_of_range(
    memory: DtcMemory, sub_function: int, data: str
) -> None:
    answer = report(memory, sub_function, bytes.fromhex(data), ms(900))
    assert answer is Nrc.REQUEST_OUT_OF_RANGE


def test_14_lists_what_is_on_its_way_to_failing(memory: DtcMemory) -> None:
    found = decoded(memory, 0x14)
    assert {dtc.id: dtc.fault_counter for dtc in found.dtcs} == {NOISY: 10}
    for _ in range(12):
        memory.report("noisy", EventStatus.PREFAILED, ms(900))
    assert decoded(memory, 0x14).dtcs == []  # 127 is failed
    memory.report("noisy", EventStatus.PASSED, ms(900))
    assert decoded(memory, 0x14).dtcs == []


def test_an_empty_memory_is_decoded_too() -> None:
    memory = DtcMemory(DtcSettings(()), {})
    memory.start(0)
    for sub_function, data in ((0x01, b"\xff"), (0x02, b"\xff"), (0x03, b""), (0x0A, b"")):
        assert decoded(memory, sub_function, data).dtc_count == 0
    assert decoded(memory, 0x14).dtcs == []
