"""tshark dissects what the gateway says: every type of answer, and UDS inside DoIP.

The bytes come from the gateway in virtual time; the capture file around them is made here.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from simcore.attach.doip_client import VirtualDoipClient, VirtualEthernet
from simcore.diag.doip_codec import PayloadType, encode
from simcore.diag.doip_output import Action, Close, Send
from simcore.ecu.gw.addresses import LOGICAL_ADDRESSES
from simcore.ecu.runtime.diagnostics_rows import VIN
from simcore.rig import Rig
from simcore.units import ms, s

pytestmark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")

PORT, TESTER_PORT = 13400, 50000
LOOPBACK = bytes((127, 0, 0, 1))
TCP, UDP = 6, 17
RAW_IP = 101
EMB_FL = LOGICAL_ADDRESSES["EMB_FL"]
FIELDS = (
    "doip.type doip.version doip.nack_code doip.vin doip.logical_address doip.max_sockets "
    "doip.sockets doip.max_data_size doip.power_mode doip.response_code doip.source_address "
    "doip.target_address doip.diag_ack_code doip.diag_nack_code uds.sid uds.rdbi.data_identifier"
).split()


class Capture:
    """A capture of raw IP packets, one DoIP message in each."""

    def __init__(self) -> None:
        self.data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0xFFFF, RAW_IP)
        self._sequence = {True: 1, False: 1}
        self._count = 0

    def add(self, payload: bytes, protocol: int, *, to_tester: bool) -> None:
        ports = (PORT, TESTER_PORT) if to_tester else (TESTER_PORT, PORT)
        if protocol == TCP:
            sequence, other = self._sequence[to_tester], self._sequence[not to_tester]
            self._sequence[to_tester] += len(payload)
            head = struct.pack(">HHIIHHHH", *ports, sequence, other, 0x5018, 0xFFFF, 0, 0)
        else:
            head = struct.pack(">HHHH", *ports, 8 + len(payload), 0)
        size = 20 + len(head) + len(payload)
        packet = struct.pack(">BBHHHBBH", 0x45, 0, size, 0, 0, 64, protocol, 0) + LOOPBACK * 2
        packet += head + payload
        self._count += 1
        self.data += struct.pack("<IIII", self._count, 0, len(packet), len(packet)) + packet


class Tapped(VirtualEthernet):
    """A link with a tap on it."""

    capture: Capture

    def deliver(self, actions: list[Action]) -> None:
        for action in actions:
            if not isinstance(action, Close):
                kind = TCP if isinstance(action, Send) else UDP
                self.capture.add(action.data, kind, to_tester=True)
        super().deliver(actions)


@pytest.fixture(scope="module")
def dissected(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """What tshark makes of a conversation, one row per message."""
    rig = Rig()
    rig.run_for(ms(500))
    link = Tapped(rig)
    link.capture = Capture()
    rig.run_for(s(2))
    link.ask(PayloadType.VEHICLE_IDENTIFICATION_REQUEST)
    link.ask(PayloadType.ENTITY_STATUS_REQUEST, version=2)
    link.ask(PayloadType.POWER_MODE_REQUEST)
    link.ask(PayloadType.DIAGNOSTIC_MESSAGE)
    client = VirtualDoipClient(link, EMB_FL)
    for request in ("22F190", "22FFFF"):
        asked = struct.pack(">HH", 0x0E00, EMB_FL) + bytes.fromhex(request)
        message = encode(PayloadType.DIAGNOSTIC_MESSAGE, asked, version=3)
        link.capture.add(message, TCP, to_tester=False)
        client.send_diagnostic(bytes.fromhex(request))
        client.receive_diagnostic()
    with pytest.raises(OSError, match="UNKNOWN_TARGET_ADDRESS"):
        client.send_diagnostic_to_address(0x1FFF, b"\x3e\x00")
    client.send(encode(PayloadType.ALIVE_CHECK_REQUEST, version=3))
    client.receive_message()
    client.send(b"\x03\xfd")
    client.receive_message()
    file = tmp_path_factory.mktemp("doip") / "doip.pcap"
    file.write_bytes(link.capture.data)
    return rows_of(file)


def rows_of(file: Path) -> list[dict[str, str]]:
    """tshark's fields of each packet; nothing may be malformed."""
    options = [part for name in (*FIELDS, "_ws.malformed") for part in ("-e", name)]
    command = ["tshark", "-r", str(file), "-T", "fields", "-E", "separator=|", *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    rows = []
    for line in ended.stdout.splitlines():
        *values, malformed = line.split("|")
        assert not malformed, line
        rows.append({k: v for k, v in zip(FIELDS, values, strict=True) if v})
    return rows


def of_type(rows: list[dict[str, str]], kind: int) -> list[dict[str, str]]:
    return [row for row in rows if int(row["doip.type"], 0) == kind]


def test_every_message_is_doip_of_the_right_version(dissected: list[dict[str, str]]) -> None:
    kinds = [int(row["doip.type"], 0) for row in dissected]
    assert kinds == [4, 4, 4, 4, 0x4002, 0x4004, 0, 6] + [0x8001, 0x8002, 0x8001] * 2 + [
        0x8003,
        0x0008,
        0x0000,
    ]
    versions = [int(row["doip.version"], 0) for row in dissected]
    assert versions == [2 if kind == 0x4002 else 3 for kind in kinds]


def test_it_reads_who_the_entity_is_and_how_it_is(dissected: list[dict[str, str]]) -> None:
    for row in of_type(dissected, 0x0004):
        assert row["doip.vin"] == VIN.decode()
        assert int(row["doip.logical_address"], 0) == LOGICAL_ADDRESSES["GW"]
    (status,) = of_type(dissected, 0x4002)
    assert status["doip.max_sockets"] == "4"
    assert status["doip.sockets"] == "0"
    assert status["doip.max_data_size"] == str(0x1_0004)
    (power,) = of_type(dissected, 0x4004)
    assert int(power["doip.power_mode"], 0) == 1


def test_it_reads_the_codes(dissected: list[dict[str, str]]) -> None:
    assert int(of_type(dissected, 0x0006)[0]["doip.response_code"], 0) == 0x10
    assert [int(row["doip.nack_code"], 0) for row in of_type(dissected, 0)] == [1, 0]
    assert int(of_type(dissected, 0x8003)[0]["doip.diag_nack_code"], 0) == 3
    for row in of_type(dissected, 0x8002):
        assert int(row["doip.diag_ack_code"], 0) == 0
        assert int(row["doip.source_address"], 0) == EMB_FL


def test_it_finds_uds_inside(dissected: list[dict[str, str]]) -> None:
    messages = of_type(dissected, 0x8001)
    assert [int(row["uds.sid"], 0) for row in messages] == [0x22, 0x22, 0x22, 0x3F]
    assert [int(row["doip.target_address"], 0) for row in messages] == [EMB_FL, 0x0E00] * 2
    assert int(messages[1]["uds.rdbi.data_identifier"], 0) == 0xF190
