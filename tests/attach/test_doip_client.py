"""Testers on DoIP in virtual time: the whole way through the gateway to the ECUs and back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simcore.attach.doip import DoipPlug
from simcore.attach.doip_client import VirtualDoipClient, VirtualEthernet
from simcore.diag.codes import Session
from simcore.diag.doip_codec import PayloadType
from simcore.ecu import RestbusNode
from simcore.ecu.gw.addresses import (
    CENTRAL_SECURITY_ACTIVATION,
    CONFIRMED_ACTIVATION,
    DATA_LOGGER,
    FUNCTIONAL_ADDRESS,
    LOGICAL_ADDRESSES,
    WORKSHOP_TESTER,
    central_security_secret,
)
from simcore.ecu.runtime.diagnostics_rows import VIN
from simcore.errors import UsageError
from simcore.rig import Rig
from simcore.units import ms, s

READ_VIN = bytes.fromhex("22F190")
EMB_FL = LOGICAL_ADDRESSES["EMB_FL"]


@pytest.fixture(scope="module")
def warm() -> Rig:
    """A vehicle that stands, a moment after power on."""
    rig = Rig()
    rig.run_for(ms(300))
    return rig


@pytest.fixture
def rig(warm: Rig) -> Rig:
    return warm.fork()


@pytest.fixture
def link(rig: Rig) -> Iterator[VirtualEthernet]:
    """Something to plug testers into."""
    network = VirtualEthernet(rig)
    yield network
    network.close()


@pytest.mark.parametrize("name", LOGICAL_ADDRESSES)
def test_every_ecu_says_whose_it_is(link: VirtualEthernet, name: str) -> None:
    client = VirtualDoipClient(link, LOGICAL_ADDRESSES[name])
    client.send_diagnostic(READ_VIN)
    assert client.receive_diagnostic(timeout=0.1) == b"\x62\xf1\x90" + VIN


def test_udsoncan_reads_and_changes_the_session_through_doipclients_own_connector(
    rig: Rig,
) -> None:
    pytest.importorskip("udsoncan")
    connectors = pytest.importorskip("doipclient.connectors")
    import udsoncan
    from udsoncan.client import Client

    config = dict(udsoncan.configs.default_client_config)
    config["data_identifiers"] = {0xF190: udsoncan.AsciiCodec(len(VIN)), 0xF186: "B"}
    connection = connectors.DoIPClientUDSConnector(
        VirtualDoipClient(rig, EMB_FL), close_connection=True
    )
    began_ns = rig.now_ns
    with Client(connection, config=config) as client:
        assert client.read_data_by_identifier(0xF190).service_data.values == {0xF190: VIN.decode()}
        client.change_session(Session.EXTENDED)
        answer = client.read_data_by_identifier(0xF186)
        assert answer.service_data.values == {0xF186: (Session.EXTENDED,)}
        for _ in range(10):
            client.tester_present()
        client.ecu_reset(1)
    assert rig.now_ns - began_ns < s(1)
    assert not rig.node("GW").ethernet.is_up  # type: ignore[attr-defined]


def test_the_same_run_twice_is_the_same_to_the_last_bit(warm: Rig) -> None:
    digests = []
    for _ in range(2):
        rig = warm.fork()
        client = VirtualDoipClient(rig, EMB_FL)
        for request in ("1003", "22F190F18CF195", "2E0301", "3E00"):
            client.send_diagnostic(bytes.fromhex(request))
            client.receive_diagnostic()
        rig.run_for(s(1))
        digests.append(rig.digest)
    assert digests[0] == digests[1]


def test_a_functional_request_is_answered_by_all(link: VirtualEthernet) -> None:
    client = VirtualDoipClient(link, FUNCTIONAL_ADDRESS)
    client.send_diagnostic(b"\x3e\x00")
    link.rig.run_for(ms(60))
    answers = dict(client.responses)
    assert answers == dict.fromkeys(LOGICAL_ADDRESSES.values(), b"\x7e\x00")


def test_two_testers_talk_to_two_ecus_at_the_same_time(link: VirtualEthernet) -> None:
    first = VirtualDoipClient(link, LOGICAL_ADDRESSES["CDC"])
    second = VirtualDoipClient(link, EMB_FL, source=WORKSHOP_TESTER)
    for client in (first, second):
        client.send_diagnostic(READ_VIN)
    for client in (first, second):
        assert client.receive_diagnostic().endswith(VIN)
        assert len(client.responses) == 0


def test_an_access_list_ends_at_the_gateway(link: VirtualEthernet) -> None:
    client = VirtualDoipClient(link, EMB_FL, source=DATA_LOGGER)
    frames = len(link.rig.recorder.frames)
    with pytest.raises(OSError, match=r"DoIP: request to 0x1020 refused: UNKNOWN_TARGET_ADDRESS"):
        client.send_diagnostic(READ_VIN)
    assert len(link.rig.recorder.frames) == frames
    client.send_diagnostic_to_address(LOGICAL_ADDRESSES["CDC"], b"\x3e\x00")


def test_an_unknown_tester_is_refused(link: VirtualEthernet) -> None:
    with pytest.raises(ConnectionRefusedError, match=r"activation of 0x0e01: UNKNOWN_SOURCE"):
        VirtualDoipClient(link, EMB_FL, source=0x0E01)


def test_a_second_tester_with_the_same_address_is_refused_while_the_first_is_alive(
    link: VirtualEthernet,
) -> None:
    first = VirtualDoipClient(link, EMB_FL)
    second = VirtualDoipClient(link, EMB_FL, activation_type=None)
    began_ns = link.rig.now_ns
    second.request_activation(0)  # the first does not answer the alive check: it is put out
    assert link.rig.now_ns - began_ns == ms(500)
    assert not first.is_connected
    with pytest.raises(ConnectionResetError, match="the gateway has closed the connection"):
        first.send_diagnostic(READ_VIN)
    second.send_diagnostic(READ_VIN)
    assert second.receive_diagnostic().endswith(VIN)


def test_central_security_needs_the_secret(link: VirtualEthernet) -> None:
    with pytest.raises(ConnectionRefusedError, match="MISSING_AUTHENTICATION"):
        VirtualDoipClient(link, EMB_FL, activation_type=CENTRAL_SECURITY_ACTIVATION)
    client = VirtualDoipClient(
        link,
        EMB_FL,
        activation_type=CENTRAL_SECURITY_ACTIVATION,
        secret=central_security_secret(),
    )
    assert client.is_connected


def test_an_activation_to_be_confirmed_is_told_as_not_yet_active(link: VirtualEthernet) -> None:
    with pytest.raises(ConnectionRefusedError, match="CONFIRMATION_REQUIRED"):
        VirtualDoipClient(link, EMB_FL, activation_type=CONFIRMED_ACTIVATION)


def test_more_testers_than_sockets_are_turned_away(link: VirtualEthernet) -> None:
    for _ in range(5):
        VirtualDoipClient(link, EMB_FL, activation_type=None)
    with pytest.raises(ConnectionRefusedError, match="takes no more connections"):
        VirtualDoipClient(link, EMB_FL)


def test_a_connection_that_nobody_activates_is_closed(link: VirtualEthernet) -> None:
    client = VirtualDoipClient(link, EMB_FL, activation_type=None)
    link.rig.run_for(s(2) - 1)
    assert client.is_connected
    link.rig.run_for(1)
    assert not client.is_connected


def test_a_wrong_header_is_told_and_closes(link: VirtualEthernet) -> None:
    client = VirtualDoipClient(link, EMB_FL)
    client.send(b"\x02\xfc")
    message = client.receive_message()
    assert (message.payload_type, message.payload) == (PayloadType.HEADER_NACK, b"\x00")
    assert not client.is_connected


def test_silence_is_a_timeout_in_virtual_time(link: VirtualEthernet) -> None:
    client = VirtualDoipClient(link, EMB_FL)
    client.send_diagnostic(b"\x3e\x80")
    began_ns = link.rig.now_ns
    with pytest.raises(TimeoutError, match="no response of 0x1020 in time"):
        client.receive_diagnostic(timeout=0.25)
    assert link.rig.now_ns - began_ns == ms(250)
    with pytest.raises(TimeoutError, match="DoIP: no message in time"):
        client.receive_message(timeout=0.25)


def test_what_nobody_asked_for_can_be_forgotten(link: VirtualEthernet) -> None:
    client = VirtualDoipClient(link, EMB_FL)
    client.send_diagnostic(READ_VIN)
    link.rig.run_for(ms(50))
    assert len(client.responses) == 1
    client.empty_rxqueue()
    client.empty_txqueue()
    assert client.responses == ()


def test_the_vehicle_announces_itself_when_something_is_plugged_in(link: VirtualEthernet) -> None:
    link.rig.run_for(s(2))
    link.collect()
    assert [each.payload[:17] for each in link.announcements] == [VIN] * 3


def test_datagrams_are_answered(link: VirtualEthernet) -> None:
    assert link.ask(PayloadType.POWER_MODE_REQUEST).payload == b"\x01"
    assert link.ask(PayloadType.VEHICLE_IDENTIFICATION_REQUEST_VIN, VIN).payload[:17] == VIN
    with pytest.raises(TimeoutError, match="no answer to VEHICLE_IDENTIFICATION_REQUEST_VIN"):
        link.ask(PayloadType.VEHICLE_IDENTIFICATION_REQUEST_VIN, bytes(17))


# -- the plug --------------------------------------------------------------------------------------


def test_there_is_one_plug_at_a_time(rig: Rig) -> None:
    plug = DoipPlug(rig)
    with pytest.raises(UsageError, match=r"DoIP at GW: expected nothing else plugged in, got one"):
        DoipPlug(rig)
    plug.close()
    plug.close()
    DoipPlug(rig).close()


def test_a_node_without_doip_has_nothing_to_plug_into(rig: Rig) -> None:
    rig.replace("GW", RestbusNode("GW", rig.database))
    with pytest.raises(UsageError, match=r"DoIP at GW: expected a node with .*, got RestbusNode"):
        DoipPlug(rig)


def test_a_gateway_that_resets_loses_its_connections(link: VirtualEthernet) -> None:
    gateway = VirtualDoipClient(link, LOGICAL_ADDRESSES["GW"])
    other = VirtualDoipClient(link, EMB_FL, source=WORKSHOP_TESTER)
    gateway.send_diagnostic(b"\x11\x01")
    assert gateway.receive_diagnostic() == b"\x51\x01"
    link.rig.run_for(ms(20))
    assert not gateway.is_connected
    assert not other.is_connected
    with pytest.raises(ConnectionRefusedError, match="takes no more connections"):
        VirtualDoipClient(link, EMB_FL)
    link.rig.run_for(ms(100))
    client = VirtualDoipClient(link, EMB_FL)
    client.send_diagnostic(READ_VIN)
    assert client.receive_diagnostic().endswith(VIN)


def test_without_supply_the_gateway_answers_nothing(link: VirtualEthernet) -> None:
    client = VirtualDoipClient(link, EMB_FL)
    link.rig.silence("GW")
    assert not client.is_connected
    with pytest.raises(TimeoutError):
        link.ask(PayloadType.POWER_MODE_REQUEST)
    link.rig.supply("GW")
    assert link.ask(PayloadType.POWER_MODE_REQUEST).payload == b"\x01"
