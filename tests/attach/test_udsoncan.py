"""udsoncan, unmodified, against the simulated actuator EMB_FL: a workshop's visit.

In virtual time over `IsoTpConnection`. udsoncan's own connection, which needs real time, is in
test_isotp_connection.py: a whole car may be too much for a busy machine.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import can
import pytest

from simcore import Rig, ms, s
from simcore.attach import publish
from simcore.ecu.emb import trouble_codes
from simcore.ecu.runtime.diagnostics_rows import EXTENDED_LEVEL, VIN, security_key
from simcore.faults.pins import SensorRangeFault

isotp = pytest.importorskip("isotp", reason="can-isotp is not installed")
udsoncan = pytest.importorskip("udsoncan", reason="udsoncan is not installed")
client_module = importlib.import_module("udsoncan.client")
IsoTpConnection = importlib.import_module("simcore.attach.isotp_connection").IsoTpConnection

NODE = "EMB_FL"
ADDRESS = {"txid": 0x6A2, "rxid": 0x6AA}
RESPONSES = [{"can_id": 0x6AA, "can_mask": 0x7FF}]
VIN_DID, SESSION_DID, FINGERPRINT_DID, WHEEL_RADIUS_DID = 0xF190, 0xF186, 0xF15A, 0x0301
FORCE_RANGE = "force sensor out of range"
REFUSED = udsoncan.exceptions.NegativeResponseException


class Raw(udsoncan.DidCodec):  # type: ignore[misc]
    """Bytes as they are; without a size all that are left."""

    def __init__(self, size: int | None = None) -> None:
        self.size = size

    def encode(self, *values: Any) -> bytes:
        return bytes(values[0])

    def decode(self, payload: bytes) -> bytes:
        return bytes(payload)

    def __len__(self) -> int:
        if self.size is None:
            raise self.ReadAllRemainingData
        return self.size


def key_of(level: int, seed: bytes, params: Any) -> bytes:
    return security_key(NODE, level, seed)


CONFIGURATION = {
    "data_identifiers": {
        "default": Raw,
        **{each.did: Raw(each.size) for each in trouble_codes.SNAPSHOT},
    },
    "security_algo": key_of,
}


def started() -> Rig:
    """A car whose ECUs have booted."""
    rig = Rig(seed=6)
    rig.run_for(ms(200))
    return rig


@pytest.fixture
def rig() -> Rig:
    return started()


@pytest.fixture
def workshop(rig: Rig) -> Iterator[tuple[Any, can.BusABC]]:
    """A client of EMB_FL, and its bus."""
    with publish(rig):
        bus = can.Bus(
            interface="simcore", channel="chassis", ignore_config=True, can_filters=RESPONSES
        )
        with client_module.Client(
            IsoTpConnection(bus, isotp.Address(**ADDRESS)), config=CONFIGURATION
        ) as client:
            yield client, bus
        bus.shutdown()


def read(client: Any, did: int) -> bytes:
    return bytes(client.read_data_by_identifier(did).service_data.values[did])


def test_sessions_are_entered_and_left_by_themselves(workshop: Any) -> None:
    client, bus = workshop
    assert read(client, SESSION_DID) == b"\x01"
    response = client.change_session(3)
    assert (response.service_data.p2_server_max, response.service_data.p2_star_server_max) == (
        0.05,
        5.0,
    )
    assert read(client, SESSION_DID) == b"\x03"
    bus.clock.sleep(3.0)
    client.tester_present()
    bus.clock.sleep(3.0)
    assert read(client, SESSION_DID) == b"\x03"
    bus.clock.sleep(5.2)  # S3
    assert read(client, SESSION_DID) == b"\x01"


def test_the_vehicle_identification_number_is_that_of_the_car(workshop: Any, rig: Rig) -> None:
    client, _ = workshop
    assert read(client, VIN_DID) == VIN
    sent = [
        (record.sender.removesuffix("_1"), record.frame.data[0])
        for record in rig.buses[0].log
        if record.frame.arbitration_id in (0x6A2, 0x6AA)
    ]
    # Twenty bytes in the long form: one FD frame each way.
    assert sent == [("PYTHON_CAN", 0x03), (NODE, 0x00)]


def test_security_access_opens_what_is_closed(workshop: Any) -> None:
    client, _ = workshop
    with pytest.raises(REFUSED, match="ServiceNotSupportedInActiveSession"):
        client.unlock_security_access(EXTENDED_LEVEL)
    client.change_session(3)
    radius = read(client, WHEEL_RADIUS_DID)
    with pytest.raises(REFUSED, match="SecurityAccessDenied"):
        client.write_data_by_identifier(WHEEL_RADIUS_DID, radius)
    with pytest.raises(REFUSED, match="InvalidKey"):
        seed = client.request_seed(EXTENDED_LEVEL).service_data.seed
        client.send_key(EXTENDED_LEVEL + 1, bytes(byte ^ 0xFF for byte in key_of(1, seed, None)))
    client.unlock_security_access(EXTENDED_LEVEL)
    client.write_data_by_identifier(WHEEL_RADIUS_DID, radius)
    assert read(client, WHEEL_RADIUS_DID) == radius


def test_a_fault_is_read_out_and_cleared(workshop: Any, rig: Rig) -> None:
    client, bus = workshop
    (wanted,) = [dtc for dtc in trouble_codes.SETTINGS.dtcs if dtc.name == FORCE_RANGE]
    supported = client.get_supported_dtc().service_data.dtcs
    assert [dtc.id for dtc in supported] == [dtc.code for dtc in trouble_codes.SETTINGS.dtcs]
    assert client.get_dtc_by_status_mask(0x08).service_data.dtc_count == 0
    fault = rig.inject(SensorRangeFault(node=NODE, pin="clamp_force_n", to="supply"))
    bus.clock.sleep(0.5)
    confirmed = client.get_dtc_by_status_mask(0x08).service_data.dtcs
    found = {dtc.id: dtc for dtc in confirmed}[wanted.code]
    assert found.status.confirmed
    assert found.status.test_failed
    (detailed,) = client.get_dtc_snapshot_by_dtc_number(
        wanted.code, record_number=1
    ).service_data.dtcs
    assert [each.did for each in detailed.snapshots] == [
        each.did for each in trouble_codes.SNAPSHOT
    ]
    # A confirmed sensor fault stays one until the next start, so clearing alone does not help.
    fault.clear()
    client.clear_dtc(0xFFFFFF)
    assert client.get_number_of_dtc_by_status_mask(0x08).service_data.dtc_count == 0
    bus.clock.sleep(0.5)
    assert client.get_number_of_dtc_by_status_mask(0x08).service_data.dtc_count == 1
    client.ecu_reset(1)
    bus.clock.sleep(1.0)
    client.clear_dtc(0xFFFFFF)
    bus.clock.sleep(0.5)
    assert client.get_number_of_dtc_by_status_mask(0x08).service_data.dtc_count == 0


def test_a_reset_is_answered_before_it_happens(workshop: Any) -> None:
    client, bus = workshop
    client.change_session(3)
    assert client.ecu_reset(1).positive
    with pytest.raises(udsoncan.exceptions.TimeoutException):
        read(client, SESSION_DID)  # it boots
    bus.clock.sleep(1.0)
    assert read(client, SESSION_DID) == b"\x01"


def test_the_visit_is_the_same_every_time() -> None:
    def visit() -> tuple[int, str]:
        rig = started()
        with publish(rig):
            bus = can.Bus(interface="simcore", channel="chassis", ignore_config=True)
            with client_module.Client(
                IsoTpConnection(bus, isotp.Address(**ADDRESS)), config=CONFIGURATION
            ) as client:
                client.change_session(3)
                client.unlock_security_access(EXTENDED_LEVEL)
                client.get_supported_dtc()
            bus.shutdown()
        return rig.now_ns, rig.digest

    first = visit()
    assert first[0] < s(1)
    assert visit() == first
