"""doipclient with udsoncan against the served vehicle, as a script at the desk would use them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from simcore.diag.codes import Nrc
from simcore.ecu.gw.addresses import LOGICAL_ADDRESSES, doip_settings
from simcore.ecu.runtime.diagnostics_rows import VIN, security_key

udsoncan = pytest.importorskip("udsoncan")
doipclient = pytest.importorskip("doipclient")
connectors = pytest.importorskip("doipclient.connectors")
messages = pytest.importorskip("doipclient.messages")
from udsoncan.client import Client  # noqa: E402

pytestmark = pytest.mark.realtime
NODE = "CDC"
Connect = Callable[..., "doipclient.DoIPClient"]


@pytest.fixture
def connect(served) -> Iterator[Connect]:
    """`connect("CDC")`: a connection with active routing, closed at the end."""
    opened = []

    def connected(node: str = NODE, **settings: object) -> doipclient.DoIPClient:
        client = doipclient.DoIPClient(
            "127.0.0.1",
            LOGICAL_ADDRESSES[node],
            tcp_port=served.port,
            udp_port=served.port,
            **settings,
        )
        opened.append(client)
        return client

    yield connected
    for client in opened:
        client.close()


@pytest.fixture
def client(connect: Connect) -> Iterator[Client]:
    """udsoncan on such a connection."""
    config = dict(udsoncan.configs.default_client_config)
    config["data_identifiers"] = {0xF190: udsoncan.AsciiCodec(len(VIN)), 0xF186: "B"}
    config["security_algo"] = key_of
    with Client(connectors.DoIPClientUDSConnector(connect()), config=config) as made:
        yield made


def key_of(level: int, seed: bytes) -> bytes:
    return security_key(NODE, level, seed)


@pytest.mark.parametrize("version", [2, 3])
def test_the_entity_says_who_it_is(connect: Connect, version: int) -> None:
    client = connect(protocol_version=version)
    who = client.request_vehicle_identification(vin=VIN.decode())
    assert who.vin == VIN.decode()
    assert who.logical_address == LOGICAL_ADDRESSES["GW"]
    status = client.request_entity_status()
    assert status.max_concurrent_sockets == doip_settings().max_sockets
    assert status.currently_open_sockets == 1
    assert client.request_diagnostic_power_mode().diagnostic_power_mode == 1
    assert client.request_alive_check().source_address == LOGICAL_ADDRESSES["GW"]


def test_a_session_of_work_in_the_workshop(client: Client) -> None:
    assert client.read_data_by_identifier(0xF190).service_data.values == {0xF190: VIN.decode()}
    client.change_session(3)
    client.unlock_security_access(1)
    for _ in range(20):
        client.tester_present()
    assert client.read_data_by_identifier(0xF186).service_data.values == {0xF186: (3,)}
    client.read_dtc_information(2, status_mask=0xFF)
    client.change_session(1)


def test_the_programming_session_is_not_entered_from_the_default_one(client: Client) -> None:
    client.change_session(1)
    with pytest.raises(udsoncan.exceptions.NegativeResponseException) as raised:
        client.change_session(2)
    assert raised.value.response.code == Nrc.SUB_FUNCTION_NOT_SUPPORTED_IN_ACTIVE_SESSION


def test_an_unknown_target_is_refused(connect: Connect) -> None:
    client = connect()
    with pytest.raises(OSError, match="negative acknowledge code: 3"):
        client.send_diagnostic_to_address(0x1FFF, b"\x3e\x00")


@pytest.mark.parametrize(("tester", "kind", "code"), [(0x0E55, 0, 0), (0x0E00, 0xE5, 6)])
def test_a_stranger_is_refused(connect: Connect, tester: int, kind: int, code: int) -> None:
    client = connect(client_logical_address=tester, activation_type=None)
    answer = client.request_activation(kind, disable_retry=True)
    assert answer.response_code == code
