"""The gateway bare: what it sends as a restbus sender, and who reaches whom through it."""

from __future__ import annotations

import copy
import struct
from collections.abc import Iterable, Mapping

import pytest

from simcore.bus import Frame
from simcore.diag.codes import ResetKind
from simcore.diag.doip_codec import DiagnosticNack, PayloadType, encode
from simcore.diag.doip_output import Close, Send
from simcore.diag.doip_settings import is_entity_address
from simcore.ecu import Gw, RestbusNode
from simcore.ecu.gw.addresses import (
    ACCESS_LIST,
    DATA_LOGGER,
    DIAGNOSTIC_TESTER,
    FUNCTIONAL_ADDRESS,
    GATEWAY_ADDRESS,
    LOGICAL_ADDRESSES,
    WORKSHOP_TESTER,
)
from simcore.ecu.gw.targets import PENDING_NS, QUEUE_LIMIT, QUIET_NS, Turn
from simcore.ecu.runtime.diagnostic_addresses import diagnosed_nodes
from simcore.network import Database
from simcore.transport import IsoTpLink, LinkSettings
from simcore.units import ms, s

T = PayloadType
CDC, EMB_FL = LOGICAL_ADDRESSES["CDC"], LOGICAL_ADDRESSES["EMB_FL"]
READ_VIN = bytes.fromhex("22F190")


class QuietPort:
    """Keeps what the gateway sends; tells when frames have left, where that is wanted."""

    name = "GW"
    channels = ("CHASSIS_A",)
    inputs: Mapping[str, float] = {}
    watchdog = None

    def __init__(self) -> None:
        self.memory: dict[str, bytes] = {}
        self.sent: list[Frame] = []
        self.accepted: set[int] = set()
        self.confirmed: set[int] = set()
        self.notes: list[str] = []
        self.resets: list[ResetKind] = []

    def send(self, frame: Frame, channel: str | None = None) -> None:
        self.sent.append(frame)

    def accept(self, arbitration_ids: Iterable[int] | None) -> None:
        assert arbitration_ids is not None
        self.accepted = set(arbitration_ids)

    def confirm(self, arbitration_ids: Iterable[int]) -> None:
        self.confirmed = set(arbitration_ids)

    def reset(self, kind: ResetKind) -> None:
        self.resets.append(kind)

    def log(self, kind: str, text: str) -> None:
        self.notes.append(text)


class Vehicle:
    """A gateway and, behind links of ISO-TP, ECUs that say what they are told to say."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.port = QuietPort()
        self.gw = Gw("GW", database)
        self.gw.start(self.port, 0)
        self.gw.plug_in(0)
        self.now_ns = 0
        self.links = {
            node: IsoTpLink(each.server_address(), LinkSettings(confirms=False))
            for node, each in diagnosed_nodes(database).items()
            if node != "GW"
        }
        self.heard: list[tuple[str, bytes]] = []

    def tester(self, address: int = DIAGNOSTIC_TESTER) -> int:
        """A connection with active routing."""
        number = self.gw.ethernet.connect(self.now_ns)
        assert number is not None
        payload = struct.pack(">HBI", address, 0, 0)
        self.feed(number, T.ROUTING_ACTIVATION_REQUEST, payload)
        (answer,) = self.taken()
        assert answer[1:] == (T.ROUTING_ACTIVATION_RESPONSE, payload[:2] + b"\x10\0\x10\0\0\0\0")
        return number

    def feed(self, number: int, kind: PayloadType, payload: bytes) -> None:
        self.gw.ethernet.receive(number, encode(kind, payload, version=3), self.now_ns)

    def ask(
        self, number: int, target: int, request: bytes, tester: int = DIAGNOSTIC_TESTER
    ) -> DiagnosticNack | None:
        """Send a request; what the gateway says to it, `None` for the acknowledgement."""
        self.feed(number, T.DIAGNOSTIC_MESSAGE, struct.pack(">HH", tester, target) + request)
        answers = self.taken()
        _, kind, payload = answers[0]
        self.later = answers[1:]
        if kind is T.DIAGNOSTIC_ACK:
            return None
        assert kind is T.DIAGNOSTIC_NACK
        return DiagnosticNack(payload[4])

    def taken(self) -> list[tuple[int, PayloadType, bytes]]:
        """What goes to testers: connection, type, payload."""
        found = []
        for action in self.gw.ethernet.take():
            if isinstance(action, Send):
                kind = PayloadType(int.from_bytes(action.data[2:4], "big"))
                found.append((action.connection, kind, action.data[8:]))
        return found

    def carry(self) -> None:
        """The bus takes every frame over at once, until none is left."""
        while self.port.sent:
            frame = self.port.sent.pop(0)
            if frame.arbitration_id in self.port.confirmed:
                self.gw.transmitted("CHASSIS_A", frame, self.now_ns)
            for node, link in self.links.items():
                step = link.receive(frame, self.now_ns)
                self.heard += [(node, message.payload) for message in step.messages]
                self.back(step.frames)

    def back(self, frames: tuple[Frame, ...]) -> None:
        for frame in frames:
            if frame.arbitration_id in self.port.accepted:
                self.gw.receive(frame, self.now_ns)

    def answer(self, node: str, response: bytes) -> list[tuple[int, PayloadType, bytes]]:
        """An ECU responds; what its tester gets."""
        link = self.links[node]
        self.back(link.send(response, self.now_ns).frames)
        self.carry()
        while link.is_sending:
            deadline_ns = link.next_deadline_ns()
            assert deadline_ns is not None
            self.now_ns = max(self.now_ns, deadline_ns)
            self.back(link.on_timer(self.now_ns).frames)
            self.carry()
        return self.taken()


@pytest.fixture
def vehicle(database: Database) -> Vehicle:
    return Vehicle(database)


def response(source: int, payload: bytes, tester: int = DIAGNOSTIC_TESTER) -> tuple[int, bytes]:
    return T.DIAGNOSTIC_MESSAGE, struct.pack(">HH", source, tester) + payload


# -- on the bus ------------------------------------------------------------------------------------


def test_it_sends_what_a_restbus_sender_sends(database: Database) -> None:
    sent = []
    for node in (Gw("GW", database), RestbusNode("GW", database)):
        port = QuietPort()
        node.start(port, 0)
        node.set("VEH_Mode", VEH_PwrMode="Drive")
        times = []
        while (due_ns := node.next_deadline_ns()) is not None and due_ns < s(3):
            node.on_timer(due_ns)
            times.append((due_ns, [(f.arbitration_id, f.data) for f in port.sent]))
            port.sent.clear()
        sent.append(times)
    assert sent[0] == sent[1]
    assert len(sent[0]) > 30


def test_it_asks_for_nothing_before_anybody_is_plugged_in(database: Database) -> None:
    port = QuietPort()
    gw = Gw("GW", database)
    gw.start(port, 0)
    assert port.confirmed == set()
    gw.plug_in(0)
    assert port.confirmed


def test_nothing_but_diagnostic_requests_can_be_sent_through_it(
    vehicle: Vehicle, database: Database
) -> None:
    tester = {each.arbitration_id for each in database.sent_by("TST")}
    own = database.message("DIAG_GW_Req").arbitration_id
    assert set(vehicle.gw.router.sent_ids) == tester - {own}
    number = vehicle.tester()
    for target in (*LOGICAL_ADDRESSES.values(), FUNCTIONAL_ADDRESS):
        vehicle.ask(number, target, READ_VIN)
    assert vehicle.port.sent
    assert {frame.arbitration_id for frame in vehicle.port.sent} <= tester - {own}


def test_every_node_with_diagnostics_has_its_own_logical_address(database: Database) -> None:
    assert LOGICAL_ADDRESSES.keys() == diagnosed_nodes(database).keys()
    addresses = list(LOGICAL_ADDRESSES.values())
    assert len(set(addresses)) == len(addresses)
    assert all(is_entity_address(each) for each in addresses)


# -- requests and responses ------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 62, 63, 400, 4095])
def test_a_request_and_its_response_go_through_whatever_their_length(
    vehicle: Vehicle, size: int
) -> None:
    number = vehicle.tester()
    request = bytes((0x2E, *(index & 0xFF for index in range(size - 1))))
    assert vehicle.ask(number, EMB_FL, request) is None
    vehicle.carry()
    assert vehicle.heard == [("EMB_FL", request)]
    ((connection, *got),) = vehicle.answer("EMB_FL", b"\x6e" + request[1:])
    assert connection == number
    assert tuple(got) == response(EMB_FL, b"\x6e" + request[1:])


def test_a_request_that_is_too_long_is_refused(vehicle: Vehicle) -> None:
    number = vehicle.tester()
    assert vehicle.ask(number, CDC, bytes(4096)) is DiagnosticNack.MESSAGE_TOO_LARGE
    assert vehicle.ask(number, FUNCTIONAL_ADDRESS, bytes(63)) is DiagnosticNack.MESSAGE_TOO_LARGE
    assert vehicle.port.sent == []


def test_an_address_without_ecu_is_unknown(vehicle: Vehicle) -> None:
    number = vehicle.tester()
    assert vehicle.ask(number, 0x1012, READ_VIN) is DiagnosticNack.UNKNOWN_TARGET_ADDRESS


def test_the_data_logger_reaches_no_actuator(vehicle: Vehicle) -> None:
    number = vehicle.tester(DATA_LOGGER)
    for name, address in LOGICAL_ADDRESSES.items():
        nack = vehicle.ask(number, address, READ_VIN, DATA_LOGGER)
        assert (nack is DiagnosticNack.UNKNOWN_TARGET_ADDRESS) == name.startswith("EMB")
    nack = vehicle.ask(number, FUNCTIONAL_ADDRESS, b"\x3e\x80", DATA_LOGGER)
    assert nack is DiagnosticNack.UNKNOWN_TARGET_ADDRESS
    assert len(ACCESS_LIST) == 3
    vehicle.ask(number, GATEWAY_ADDRESS, b"\x22\xfd\x11", DATA_LOGGER)
    ((_, *got),) = vehicle.later
    blocked = b"\x62\xfd\x11\x00\x00\x00\x05"  # four actuators, and all of them at once
    assert tuple(got) == response(GATEWAY_ADDRESS, blocked, DATA_LOGGER)


def test_a_functional_request_goes_out_once_and_every_answer_comes_back(vehicle: Vehicle) -> None:
    number = vehicle.tester()
    assert vehicle.ask(number, FUNCTIONAL_ADDRESS, b"\x3e\x00") is None
    assert [tuple(each[1:]) for each in vehicle.later] == [response(GATEWAY_ADDRESS, b"\x7e\x00")]
    assert len(vehicle.port.sent) == 1
    vehicle.carry()
    assert [node for node, _ in vehicle.heard] == list(vehicle.links)
    for node in vehicle.links:
        ((connection, *got),) = vehicle.answer(node, b"\x7e\x00")
        assert connection == number
        assert tuple(got) == response(LOGICAL_ADDRESSES[node], b"\x7e\x00")


# -- whose turn it is ------------------------------------------------------------------------------


def test_while_one_tester_waits_another_is_told_to_come_again(vehicle: Vehicle) -> None:
    first, second = vehicle.tester(), vehicle.tester(WORKSHOP_TESTER)
    assert vehicle.ask(first, CDC, READ_VIN) is None
    nack = vehicle.ask(second, CDC, READ_VIN, WORKSHOP_TESTER)
    assert nack is DiagnosticNack.OUT_OF_MEMORY
    nack = vehicle.ask(second, FUNCTIONAL_ADDRESS, b"\x3e\x00", WORKSHOP_TESTER)
    assert nack is DiagnosticNack.OUT_OF_MEMORY
    assert vehicle.ask(second, EMB_FL, READ_VIN, WORKSHOP_TESTER) is None
    vehicle.carry()
    ((connection, *_),) = vehicle.answer("CDC", b"\x62\xf1\x90")
    assert connection == first
    assert vehicle.ask(second, CDC, READ_VIN, WORKSHOP_TESTER) is None
    vehicle.carry()
    ((connection, *_),) = vehicle.answer("CDC", b"\x62\xf1\x90")
    assert connection == second


def test_a_response_that_is_pending_keeps_the_turn(vehicle: Vehicle) -> None:
    first, second = vehicle.tester(), vehicle.tester(WORKSHOP_TESTER)
    vehicle.ask(first, CDC, b"\x31\x01\xff\x00")
    vehicle.carry()
    assert len(vehicle.answer("CDC", b"\x7f\x31\x78")) == 1
    vehicle.now_ns += PENDING_NS - ms(1)
    nack = vehicle.ask(second, CDC, READ_VIN, WORKSHOP_TESTER)
    assert nack is DiagnosticNack.OUT_OF_MEMORY
    ((connection, *_),) = vehicle.answer("CDC", b"\x71\x01\xff\x00")
    assert connection == first


def test_a_request_without_an_answer_ends_the_turn_after_a_while(vehicle: Vehicle) -> None:
    first, second = vehicle.tester(), vehicle.tester(WORKSHOP_TESTER)
    vehicle.ask(first, CDC, b"\x3e\x80")
    vehicle.carry()
    vehicle.now_ns += QUIET_NS - 1
    assert vehicle.ask(second, CDC, READ_VIN, WORKSHOP_TESTER) is DiagnosticNack.OUT_OF_MEMORY
    vehicle.now_ns += 1
    assert vehicle.ask(second, CDC, READ_VIN, WORKSHOP_TESTER) is None


def test_the_turn_of_a_tester_that_has_gone_is_over(vehicle: Vehicle) -> None:
    first, second = vehicle.tester(), vehicle.tester(WORKSHOP_TESTER)
    vehicle.ask(first, CDC, READ_VIN)
    vehicle.carry()
    vehicle.gw.ethernet.disconnected(first, vehicle.now_ns)
    assert vehicle.answer("CDC", b"\x62\xf1\x90") == []
    vehicle.ask(second, EMB_FL, READ_VIN, WORKSHOP_TESTER)
    vehicle.carry()
    vehicle.gw.ethernet.disconnected(second, vehicle.now_ns)
    third = vehicle.tester()
    for target in (CDC, EMB_FL):
        assert vehicle.ask(third, target, READ_VIN) is None


def test_a_long_request_keeps_the_turn_until_it_has_left(vehicle: Vehicle) -> None:
    first, second = vehicle.tester(), vehicle.tester(WORKSHOP_TESTER)
    vehicle.ask(first, CDC, bytes(4095))
    vehicle.now_ns += QUIET_NS * 2
    nack = vehicle.ask(second, CDC, READ_VIN, WORKSHOP_TESTER)
    assert nack is DiagnosticNack.OUT_OF_MEMORY


def test_only_so_many_requests_of_one_tester_wait_for_the_bus(vehicle: Vehicle) -> None:
    number = vehicle.tester()
    for _ in range(QUEUE_LIMIT):
        assert vehicle.ask(number, CDC, READ_VIN) is None
    assert vehicle.ask(number, CDC, READ_VIN) is DiagnosticNack.OUT_OF_MEMORY
    vehicle.carry()
    assert len(vehicle.heard) == QUEUE_LIMIT
    assert vehicle.ask(number, CDC, READ_VIN) is None


def test_the_response_to_a_tester_on_the_bus_gets_no_flow_control_of_the_gateway(
    vehicle: Vehicle,
) -> None:
    vehicle.tester()
    link = vehicle.links["CDC"]
    vehicle.back(link.send(bytes(200), 0).frames)
    assert vehicle.port.sent == []
    assert vehicle.taken() == []


def test_a_request_that_no_ecu_takes_is_noted(vehicle: Vehicle) -> None:
    number = vehicle.tester()
    vehicle.ask(number, CDC, bytes(200))
    frame = vehicle.port.sent.pop()
    vehicle.gw.transmitted("CHASSIS_A", frame, 0)
    due_ns = vehicle.gw.router.next_deadline_ns()
    assert due_ns == s(1)
    vehicle.gw.on_timer(due_ns)
    assert vehicle.port.notes == ["DoIP to CDC: request lost, N_TIMEOUT_BS"]
    assert vehicle.gw.router.targets[CDC].failed_count == 1


def test_a_turn_with_several_requests_ends_with_the_last_answer() -> None:
    turn = Turn()
    turn.take(DIAGNOSTIC_TESTER, 0)
    turn.take(DIAGNOSTIC_TESTER, 0)
    turn.answered(b"\x50\x03", ms(1))
    assert turn.holder(ms(1)) == DIAGNOSTIC_TESTER
    turn.answered(b"\x50\x03", ms(1))
    assert turn.holder(ms(1)) is None


# -- the gateway's own server ----------------------------------------------------------------------


def test_it_answers_for_itself(vehicle: Vehicle) -> None:
    number = vehicle.tester()
    assert vehicle.ask(number, GATEWAY_ADDRESS, READ_VIN) is None
    ((connection, *got),) = vehicle.later
    assert connection == number
    assert tuple(got) == response(GATEWAY_ADDRESS, b"\x62\xf1\x90" + vehicle.gw.settings.vin)
    assert vehicle.port.sent == []


def test_it_answers_a_tester_on_the_bus_too(vehicle: Vehicle, database: Database) -> None:
    messages = diagnosed_nodes(database)["GW"]
    link = IsoTpLink(messages.tester_address(), LinkSettings(confirms=False))
    vehicle.back(link.send(READ_VIN, 0).frames)
    (frame,) = vehicle.port.sent
    (message,) = link.receive(frame, 0).messages
    assert message.payload == b"\x62\xf1\x90" + vehicle.gw.settings.vin
    assert vehicle.taken() == []


def test_its_reset_follows_the_response(vehicle: Vehicle) -> None:
    number = vehicle.tester()
    vehicle.ask(number, GATEWAY_ADDRESS, b"\x11\x01")
    assert [tuple(each[1:]) for each in vehicle.later] == [response(GATEWAY_ADDRESS, b"\x51\x01")]
    assert vehicle.port.resets == []
    due_ns = vehicle.gw.next_deadline_ns()
    assert due_ns is not None
    assert due_ns <= vehicle.now_ns
    vehicle.gw.on_timer(vehicle.now_ns)
    assert vehicle.port.resets == [ResetKind.HARD]


def test_a_restart_ends_connections_and_announces_anew(vehicle: Vehicle) -> None:
    number = vehicle.tester()
    vehicle.gw.start(vehicle.port, s(1))
    assert Close(number) in vehicle.gw.ethernet.take()
    vehicle.gw.on_timer(s(3))
    assert len([each for each in vehicle.gw.ethernet.take() if not isinstance(each, Close)]) == 3


def test_a_copy_goes_on_by_itself(vehicle: Vehicle) -> None:
    number = vehicle.tester()
    vehicle.ask(number, CDC, bytes(200))
    twin = copy.deepcopy(vehicle)
    twin.carry()
    assert twin.heard == [("CDC", bytes(200))]
    assert vehicle.heard == []
