"""tshark dissects what links say to each other, out of logs of our own writers."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from simcore.bus import BusRecord
from simcore.report import write_log
from simcore.transport import Address, LinkSettings

TESTER = Address(0x6A0, 0x6A8)
SIZES = (1, 7, 8, 62, 63, 500, 4095, 4096, 6000)


def payload_of(size: int) -> bytes:
    return bytes((17 * index + (index >> 8) + 1) & 0xFF for index in range(size))


def dissected(path: Path, *fields: str) -> list[dict[str, list[str]]]:
    """The fields of every packet that has any."""
    program = shutil.which("tshark")
    if program is None:
        pytest.skip("tshark is not installed")
    command = [program, "-r", str(path), "-d", "can.subdissector,iso15765", "-T", "json"]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    return [packet["_source"]["layers"] for packet in json.loads(done.stdout)]


@pytest.mark.parametrize("log_format", ["candump", "blf"])
@pytest.mark.parametrize("is_fd", [False, True], ids=["classic", "fd"])
def test_tshark_reassembles_every_message(
    tmp_path: Path, make_wire: Any, make_end: Any, is_fd: bool, log_format: str
) -> None:
    settings = LinkSettings(tx_dl=64 if is_fd else 8, is_fd=is_fd, block_size=40)
    ends = make_end(TESTER, settings), make_end(TESTER.mirrored(), settings)
    wire = make_wire(*ends)
    for size in SIZES:
        wire.request(ends[0], ends[0].send(payload_of(size), wire.now_ns))
        wire.run()
    assert ends[1].messages == [payload_of(size) for size in SIZES]
    records = [
        BusRecord(over_ns - wire.frame_ns, over_ns, "CHASSIS_A", frame, ("TST", "ECU")[whose], 0)
        for over_ns, whose, frame in wire.log
    ]
    suffix = {"candump": "log", "blf": "blf"}[log_format]
    path = write_log(tmp_path / f"run.{suffix}", records, log_format)
    packets = dissected(
        path,
        "iso15765.message_type",
        "iso15765.data_length",
        "iso15765.frame_length",
        "iso15765.reassembled.length",
        "_ws.malformed",
        "_ws.expert.message",
    )
    assert len(packets) == len(records)
    assert not [each for each in packets if "_ws.malformed" in each]
    assert not [each for each in packets if "_ws.expert.message" in each]
    kinds = [int(each["iso15765.message_type"][0], 0) for each in packets]
    assert kinds == [record.frame.data[0] >> 4 for record in records]
    singles = [size for size in SIZES if size <= (62 if is_fd else 7)]
    lengths = [
        int(each["iso15765.data_length"][0]) for each in packets if "iso15765.data_length" in each
    ]
    assert lengths == singles
    firsts = [
        int(each["iso15765.frame_length"][0]) for each in packets if "iso15765.frame_length" in each
    ]
    assert firsts == [size for size in SIZES if size not in singles]
    whole = [
        int(each["iso15765.reassembled.length"][0])
        for each in packets
        if "iso15765.reassembled.length" in each
    ]
    assert whole == firsts
