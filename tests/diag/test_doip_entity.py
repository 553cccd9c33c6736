"""The DoIP entity: discovery, activation, alive checks, diagnostic messages, and all its timers."""

from __future__ import annotations

import copy
import pickle
import struct

import pytest

from simcore.diag.doip_codec import (
    ActivationCode,
    DiagnosticNack,
    HeaderNack,
    PayloadType,
    PowerMode,
    encode,
)
from simcore.diag.doip_entity import DoipEntity
from simcore.diag.doip_output import Action, Close, Datagram, Send
from simcore.diag.doip_router import Reply
from simcore.diag.doip_settings import (
    ActivationRule,
    AllowedTester,
    Confirmation,
    DoipSettings,
)
from simcore.errors import UsageError
from simcore.kernel import RandomStream
from simcore.units import ms, s

GATEWAY = 0x1000
ECU = 0x1010
SLOW_ECU = 0x1011
DEAF_ECU = 0x1012
TESTER = 0x0E00
OTHER_TESTER = 0x0E80
LOGGER = 0x0F00
STRANGER = 0x0E55
SECRET = b"\x12\x34\x56\x78"
CENTRAL, CONFIRMED, OVER_TLS = 0xE0, 0xE1, 0xE2
T = PayloadType
foreign = pytest.importorskip("doipclient.messages")


class StubRouter:
    """Echoes requests to `ECU` at once, keeps those to `SLOW_ECU`, has no place for `DEAF_ECU`."""

    def __init__(self) -> None:
        self.delivered: list[tuple[int, int, bytes, int]] = []
        self.gone: list[int] = []

    def refusal(self, tester: int, target: int, size: int, now_ns: int) -> DiagnosticNack | None:
        if target == DEAF_ECU:
            return DiagnosticNack.OUT_OF_MEMORY
        if target not in (ECU, SLOW_ECU):
            return DiagnosticNack.UNKNOWN_TARGET_ADDRESS
        return DiagnosticNack.MESSAGE_TOO_LARGE if size > 100 else None

    def deliver(self, tester: int, target: int, payload: bytes, now_ns: int) -> tuple[Reply, ...]:
        self.delivered.append((tester, target, payload, now_ns))
        return (Reply(target, tester, payload),) if target == ECU else ()

    def tester_gone(self, tester: int, now_ns: int) -> None:
        self.gone.append(tester)


ALL_TYPES = frozenset({0, 1, CENTRAL, CONFIRMED, OVER_TLS})
SETTINGS = DoipSettings(
    address=GATEWAY,
    vin=b"XSMCORE0000000001",
    eid=b"\x02abcde",
    gid=b"\x02fghij",
    testers=(
        AllowedTester(address=TESTER, types=ALL_TYPES),
        AllowedTester(address=OTHER_TESTER),
        AllowedTester(address=LOGGER, targets=frozenset({SLOW_ECU}), types=frozenset({0})),
    ),
    activations={
        0: ActivationRule(),
        1: ActivationRule(),
        CENTRAL: ActivationRule(secret=SECRET),
        CONFIRMED: ActivationRule(confirmation=Confirmation.ASKED),
        OVER_TLS: ActivationRule(tls=True),
    },
    max_sockets=2,
    max_message_size=200,
    memory_size=300,
)


class Bench:
    """An entity with its stub, and what has come out of it."""

    def __init__(self, settings: DoipSettings = SETTINGS, seed: int = 1) -> None:
        self.router = StubRouter()
        self.entity = DoipEntity(settings, self.router, RandomStream(seed, "doip"))
        self.entity.start(0)
        self.now_ns = 0

    def connect(self) -> int:
        number, actions = self.entity.connect(self.now_ns)
        assert number is not None
        assert actions == ()
        return number

    def send(
        self, connection: int, kind: PayloadType, payload: bytes = b"", version: int = 3
    ) -> list[Action]:
        return self.feed(connection, encode(kind, payload, version=version))

    def feed(self, connection: int, data: bytes) -> list[Action]:
        found = self.entity.receive(connection, data, self.now_ns)
        return [each for each in found if not isinstance(each, Datagram)]

    def activate(
        self, connection: int, tester: int = TESTER, kind: int = 0, secret: bytes = b""
    ) -> list[Action]:
        payload = struct.pack(">HBI", tester, kind, 0) + secret
        return self.send(connection, T.ROUTING_ACTIVATION_REQUEST, payload)

    def active(self, tester: int = TESTER) -> int:
        """The number of a connection with active routing."""
        number = self.connect()
        assert code_of(self.activate(number, tester)) is ActivationCode.ACTIVATED
        return number

    def ask(
        self, connection: int, target: int, request: bytes, source: int = TESTER
    ) -> list[Action]:
        return self.send(
            connection, T.DIAGNOSTIC_MESSAGE, struct.pack(">HH", source, target) + request
        )

    def pass_time(self, duration_ns: int) -> list[Action]:
        """Run every timer that is due on the way."""
        end_ns, actions = self.now_ns + duration_ns, []
        while (due_ns := self.entity.next_deadline_ns()) is not None and due_ns <= end_ns:
            assert due_ns >= self.now_ns
            self.now_ns = due_ns
            actions += self.entity.on_timer(due_ns)
        self.now_ns = end_ns
        return actions


def parts(action: Action) -> tuple[PayloadType, bytes]:
    """Type and payload of what an action sends."""
    assert not isinstance(action, Close)
    kind = PayloadType(int.from_bytes(action.data[2:4], "big"))
    assert int.from_bytes(action.data[4:8], "big") == len(action.data) - 8
    return kind, action.data[8:]


def code_of(actions: list[Action]) -> ActivationCode:
    """The code of the routing activation response that comes first."""
    kind, payload = parts(actions[0])
    assert kind is T.ROUTING_ACTIVATION_RESPONSE
    assert payload[2:4] == GATEWAY.to_bytes(2, "big")
    assert payload[5:] == bytes(4)
    return ActivationCode(payload[4])


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def quiet(bench: Bench) -> Bench:
    """With the announcements over."""
    bench.pass_time(s(3))
    return bench


# -- discovery -------------------------------------------------------------------------------------


def announced(bench: Bench) -> list[int]:
    """When announcements go out in the first ten seconds."""
    times = []
    while bench.now_ns < s(10) and (due_ns := bench.entity.next_deadline_ns()) is not None:
        times += [due_ns] * len(bench.entity.on_timer(due_ns))
        bench.now_ns = due_ns
    return times


def test_it_announces_itself_three_times_every_half_second_after_a_random_wait() -> None:
    first = announced(Bench(seed=1))
    assert len(first) == 3
    assert 0 <= first[0] <= ms(500)
    assert [each - first[0] for each in first] == [0, ms(500), ms(1000)]
    assert announced(Bench(seed=1)) == first
    assert announced(Bench(seed=2)) != first


def test_an_announcement_says_who_it_is_to_everybody(bench: Bench) -> None:
    (first, *_) = bench.pass_time(s(1))
    assert isinstance(first, Datagram)
    assert first.receiver is None
    kind, payload = parts(first)
    assert kind is T.VEHICLE_ANNOUNCEMENT
    theirs = foreign.VehicleIdentificationResponse.unpack(payload, len(payload))
    assert theirs.vin == SETTINGS.vin.decode()
    assert theirs.logical_address == GATEWAY
    assert theirs.eid == SETTINGS.eid
    assert theirs.gid == SETTINGS.gid
    assert theirs.further_action_required == 0
    assert theirs.vin_sync_status == 0


@pytest.mark.parametrize(
    ("request_type", "payload", "answers"),
    [
        (T.VEHICLE_IDENTIFICATION_REQUEST, b"", 1),
        (T.VEHICLE_IDENTIFICATION_REQUEST_EID, SETTINGS.eid, 1),
        (T.VEHICLE_IDENTIFICATION_REQUEST_EID, b"\x02abcdf", 0),
        (T.VEHICLE_IDENTIFICATION_REQUEST_VIN, SETTINGS.vin, 1),
        (T.VEHICLE_IDENTIFICATION_REQUEST_VIN, b"XSMCORE0000000002", 0),
    ],
)
def test_only_the_vehicle_that_is_meant_identifies_itself(
    quiet: Bench, request_type: PayloadType, payload: bytes, answers: int
) -> None:
    data = encode(request_type, payload, version=2)
    assert quiet.entity.datagram(data, "who", quiet.now_ns) == ()
    found = quiet.pass_time(ms(500))
    assert len(found) == answers
    for each in found:
        assert isinstance(each, Datagram)
        assert each.receiver == "who"
        assert each.data[0] == 2
        assert parts(each)[0] is T.VEHICLE_ANNOUNCEMENT


def test_a_flood_of_identification_requests_is_cut_off_and_counted(quiet: Bench) -> None:
    data = encode(T.VEHICLE_IDENTIFICATION_REQUEST, version=0xFF)
    for _ in range(100):
        quiet.entity.datagram(data, "who", quiet.now_ns)
    assert len(quiet.pass_time(s(1))) == 64
    assert quiet.entity.udp.dropped_count == 36


def test_entity_status_counts_sockets(quiet: Bench) -> None:
    quiet.active()
    request = encode(T.ENTITY_STATUS_REQUEST, version=2)
    (answer,) = quiet.entity.datagram(request, "who", quiet.now_ns)
    kind, payload = parts(answer)
    assert kind is T.ENTITY_STATUS_RESPONSE
    theirs = foreign.EntityStatusResponse.unpack(payload, len(payload))
    assert theirs.node_type == 0
    assert theirs.max_concurrent_sockets == 2
    assert theirs.currently_open_sockets == 1
    assert theirs.max_data_size == 200


def test_power_mode_is_what_the_vehicle_says(quiet: Bench) -> None:
    quiet.entity.power_mode = PowerMode.NOT_READY
    request = encode(T.POWER_MODE_REQUEST, version=3)
    (answer,) = quiet.entity.datagram(request, "who", quiet.now_ns)
    assert parts(answer) == (T.POWER_MODE_RESPONSE, b"\x00")


def test_a_bad_datagram_gets_a_header_nack(quiet: Bench) -> None:
    (answer,) = quiet.entity.datagram(b"\x02\xfd\x80\x01\0\0\0\0", "who", quiet.now_ns)
    assert answer == Datagram(encode(T.HEADER_NACK, b"\x01", version=2), "who")


def test_nothing_is_answered_while_the_link_is_down(quiet: Bench) -> None:
    quiet.entity.stop(quiet.now_ns)
    request = encode(T.POWER_MODE_REQUEST, version=3)
    assert quiet.entity.datagram(request, "who", quiet.now_ns) == ()
    assert quiet.entity.connect(quiet.now_ns) == (None, ())
    assert quiet.entity.next_deadline_ns() is None


# -- routing activation ----------------------------------------------------------------------------


def test_a_known_tester_is_activated(quiet: Bench) -> None:
    (answer,) = quiet.activate(quiet.connect())
    _, payload = parts(answer)
    theirs = foreign.RoutingActivationResponse.unpack(payload, len(payload))
    assert theirs.client_logical_address == TESTER
    assert theirs.logical_address == GATEWAY
    assert theirs.response_code == 0x10


@pytest.mark.parametrize(
    ("tester", "kind", "secret", "code"),
    [
        (STRANGER, 0, b"", ActivationCode.UNKNOWN_SOURCE_ADDRESS),
        (STRANGER, 0x42, b"", ActivationCode.UNKNOWN_SOURCE_ADDRESS),
        (TESTER, 0x42, b"", ActivationCode.UNSUPPORTED_TYPE),
        (LOGGER, 1, b"", ActivationCode.UNSUPPORTED_TYPE),
        (TESTER, CENTRAL, b"", ActivationCode.MISSING_AUTHENTICATION),
        (TESTER, CENTRAL, b"\x12\x34\x56\x79", ActivationCode.MISSING_AUTHENTICATION),
        (TESTER, OVER_TLS, b"", ActivationCode.TLS_REQUIRED),
    ],
)
def test_a_denial_names_its_reason_and_closes(
    quiet: Bench, tester: int, kind: int, secret: bytes, code: ActivationCode
) -> None:
    number = quiet.connect()
    actions = quiet.activate(number, tester, kind, secret)
    assert code_of(actions) is code
    assert actions[1:] == [Close(number)]
    assert quiet.feed(number, PRESENT) == []
    assert quiet.entity.tcp.connections == {}
    assert quiet.entity.tcp.blocked_count == 1


def test_the_right_secret_activates(quiet: Bench) -> None:
    actions = quiet.activate(quiet.connect(), TESTER, CENTRAL, SECRET)
    assert code_of(actions) is ActivationCode.ACTIVATED


def test_the_same_tester_may_activate_again(quiet: Bench) -> None:
    number = quiet.active()
    assert code_of(quiet.activate(number)) is ActivationCode.ACTIVATED
    assert len(quiet.ask(number, ECU, b"\x3e\x00")) == 2


def test_another_source_address_on_the_same_socket_closes_it(quiet: Bench) -> None:
    number = quiet.active()
    actions = quiet.activate(number, OTHER_TESTER)
    assert code_of(actions) is ActivationCode.OTHER_SOURCE_ADDRESS
    assert actions[1:] == [Close(number)]
    assert quiet.router.gone == [TESTER]


def test_an_activation_to_be_confirmed_waits_for_that(quiet: Bench) -> None:
    number = quiet.connect()
    assert code_of(quiet.activate(number, TESTER, CONFIRMED)) is (
        ActivationCode.CONFIRMATION_REQUIRED
    )
    (nack,) = quiet.ask(number, ECU, b"\x3e\x00")
    assert parts(nack)[1][4] == DiagnosticNack.TARGET_UNREACHABLE
    assert code_of(list(quiet.entity.confirm(TESTER, True, quiet.now_ns))) is (
        ActivationCode.ACTIVATED
    )
    assert len(quiet.ask(number, ECU, b"\x3e\x00")) == 2
    assert quiet.entity.confirm(TESTER, True, quiet.now_ns) == ()


def test_a_rejected_confirmation_closes(quiet: Bench) -> None:
    number = quiet.connect()
    quiet.activate(number, TESTER, CONFIRMED)
    actions = list(quiet.entity.confirm(TESTER, False, quiet.now_ns))
    assert code_of(actions) is ActivationCode.REJECTED_CONFIRMATION
    assert actions[1:] == [Close(number)]
    assert quiet.entity.confirm(TESTER, True, quiet.now_ns) == ()


# -- alive checks ----------------------------------------------------------------------------------


def test_a_tester_that_is_alive_elsewhere_keeps_its_socket(quiet: Bench) -> None:
    old, new = quiet.active(), quiet.connect()
    (check,) = quiet.activate(new)
    assert check == Send(old, encode(T.ALIVE_CHECK_REQUEST, version=3))
    quiet.pass_time(ms(499))
    actions = quiet.send(old, T.ALIVE_CHECK_RESPONSE, TESTER.to_bytes(2, "big"))
    assert code_of(actions) is ActivationCode.SOURCE_ADDRESS_ACTIVE
    assert actions[1:] == [Close(new)]
    assert len(quiet.ask(old, ECU, b"\x3e\x00")) == 2


def test_a_tester_that_is_dead_elsewhere_is_replaced_after_half_a_second(quiet: Bench) -> None:
    old, new = quiet.active(), quiet.connect()
    quiet.activate(new)
    assert quiet.pass_time(ms(500) - 1) == []
    actions = quiet.pass_time(1)
    assert actions[0] == Close(old)
    assert code_of(actions[1:]) is ActivationCode.ACTIVATED
    assert quiet.router.gone == [TESTER]
    assert len(quiet.ask(new, ECU, b"\x3e\x00")) == 2


def test_a_tester_whose_old_socket_ends_meanwhile_is_activated_at_once(quiet: Bench) -> None:
    old, new = quiet.active(), quiet.connect()
    quiet.activate(new)
    actions = list(quiet.entity.disconnected(old, quiet.now_ns))
    assert code_of(actions) is ActivationCode.ACTIVATED


def test_when_all_sockets_are_taken_everybody_is_asked(quiet: Bench) -> None:
    first, second, third = quiet.active(), quiet.active(OTHER_TESTER), quiet.connect()
    checks = quiet.activate(third, LOGGER)
    assert [each.connection for each in checks if isinstance(each, Send)] == [first, second]
    assert quiet.send(first, T.ALIVE_CHECK_RESPONSE, TESTER.to_bytes(2, "big")) == []
    actions = quiet.send(second, T.ALIVE_CHECK_RESPONSE, OTHER_TESTER.to_bytes(2, "big"))
    assert code_of(actions) is ActivationCode.ALL_SOCKETS_REGISTERED
    assert actions[1:] == [Close(third)]


def test_a_dead_one_among_all_makes_room(quiet: Bench) -> None:
    first, second, third = quiet.active(), quiet.active(OTHER_TESTER), quiet.connect()
    quiet.activate(third, LOGGER)
    quiet.send(second, T.ALIVE_CHECK_RESPONSE, OTHER_TESTER.to_bytes(2, "big"))
    actions = quiet.pass_time(ms(500))
    assert actions[0] == Close(first)
    assert code_of(actions[1:]) is ActivationCode.ACTIVATED
    assert quiet.entity.tcp.connections.keys() == {second, third}


def test_of_two_that_wait_for_one_socket_the_first_gets_it() -> None:
    bench = Bench(
        DoipSettings(
            address=GATEWAY,
            vin=SETTINGS.vin,
            eid=SETTINGS.eid,
            gid=SETTINGS.gid,
            testers=SETTINGS.testers,
            max_sockets=4,
        )
    )
    bench.pass_time(s(3))
    old, new, newest = bench.active(), bench.connect(), bench.connect()
    assert len(bench.activate(new)) == 1
    assert bench.activate(newest) == []  # the check is under way already
    actions = bench.pass_time(ms(500))
    assert actions[0] == Close(old)
    assert code_of(actions[1:]) is ActivationCode.ACTIVATED
    assert code_of(actions[2:]) is ActivationCode.SOURCE_ADDRESS_ACTIVE
    assert actions[3:] == [Close(newest)]


def test_while_checked_a_second_request_waits_and_another_address_is_refused(
    quiet: Bench,
) -> None:
    quiet.active()
    new = quiet.connect()
    quiet.activate(new)
    assert quiet.activate(new) == []
    actions = quiet.activate(new, OTHER_TESTER)
    assert code_of(actions) is ActivationCode.OTHER_SOURCE_ADDRESS
    assert actions[1:] == [Close(new)]


def test_a_foreign_address_in_an_alive_check_response_closes(quiet: Bench) -> None:
    number = quiet.active()
    assert quiet.send(number, T.ALIVE_CHECK_RESPONSE, b"\x0e\x01") == [Close(number)]


def test_a_tester_may_check_whether_the_entity_is_alive(quiet: Bench) -> None:
    number = quiet.active()
    (answer,) = quiet.send(number, T.ALIVE_CHECK_REQUEST)
    assert parts(answer) == (T.ALIVE_CHECK_RESPONSE, b"\x10\x00")


def test_more_connections_than_one_beyond_the_sockets_are_turned_away(quiet: Bench) -> None:
    for _ in range(3):
        quiet.connect()
    assert quiet.entity.connect(quiet.now_ns) == (None, ())
    assert quiet.entity.tcp.refused_count == 1


# -- inactivity ------------------------------------------------------------------------------------


def test_without_activation_a_connection_ends_after_two_seconds(quiet: Bench) -> None:
    number = quiet.connect()
    quiet.pass_time(s(1))
    assert quiet.feed(number, b"\x02") == []  # no sign of life: it has to activate
    assert quiet.pass_time(s(1) - 1) == []
    assert quiet.pass_time(1) == [Close(number)]


def test_an_active_connection_ends_after_five_minutes_of_silence(quiet: Bench) -> None:
    number = quiet.active()
    quiet.pass_time(s(299))
    quiet.ask(number, SLOW_ECU, b"\x3e\x80")
    assert quiet.pass_time(s(300) - 1) == []
    assert quiet.pass_time(1) == [Close(number)]


def test_a_response_is_a_sign_of_life_and_so_is_the_answer_to_an_alive_check(quiet: Bench) -> None:
    number = quiet.active()
    quiet.pass_time(s(200))
    quiet.entity.respond(Reply(ECU, TESTER, b"\x50\x01"), quiet.now_ns)
    assert quiet.pass_time(s(299)) == []
    new = quiet.connect()
    assert len(quiet.activate(new)) == 1
    quiet.pass_time(ms(499))
    quiet.send(number, T.ALIVE_CHECK_RESPONSE, TESTER.to_bytes(2, "big"))
    assert quiet.pass_time(s(299)) == []


def test_being_asked_for_a_sign_of_life_is_none(quiet: Bench) -> None:
    old = quiet.active()
    quiet.pass_time(s(300) - ms(100))
    assert len(quiet.activate(quiet.connect())) == 1
    assert quiet.pass_time(ms(100))[0] == Close(old)


def test_a_late_call_first_ends_what_was_due(quiet: Bench) -> None:
    number = quiet.connect()
    late_ns = quiet.now_ns + s(5)
    assert quiet.entity.receive(number, PRESENT, late_ns) == (Close(number),)


# -- diagnostic messages ---------------------------------------------------------------------------

PRESENT = encode(T.DIAGNOSTIC_MESSAGE, bytes.fromhex("0E00 1010 3E00"), version=2)


def test_the_acknowledgement_comes_before_the_response(quiet: Bench) -> None:
    number = quiet.active()
    ack, response = quiet.ask(number, ECU, b"\x22\xf1\x90")
    assert parts(ack) == (T.DIAGNOSTIC_ACK, bytes.fromhex("1010 0E00 00"))
    assert parts(response) == (T.DIAGNOSTIC_MESSAGE, bytes.fromhex("1010 0E00 22F190"))
    assert quiet.router.delivered == [(TESTER, ECU, b"\x22\xf1\x90", quiet.now_ns)]


def test_answers_speak_the_version_of_the_request(quiet: Bench) -> None:
    number = quiet.active()
    for action in quiet.feed(number, PRESENT):
        assert isinstance(action, Send)
        assert action.data[:2] == b"\x02\xfd"


def test_a_later_response_finds_its_tester(quiet: Bench) -> None:
    first, second = quiet.active(), quiet.active(OTHER_TESTER)
    quiet.ask(first, SLOW_ECU, b"\x10\x03")
    (response,) = quiet.entity.respond(Reply(SLOW_ECU, OTHER_TESTER, b"\x50"), quiet.now_ns)
    assert isinstance(response, Send)
    assert response.connection == second


def test_a_response_to_nobody_is_counted(quiet: Bench) -> None:
    quiet.entity.disconnected(quiet.active(), quiet.now_ns)
    assert quiet.entity.respond(Reply(ECU, TESTER, b"\x50"), quiet.now_ns) == ()
    assert quiet.entity.tcp.undelivered_count == 1


@pytest.mark.parametrize(
    ("target", "size", "nack"),
    [
        (0x1FFF, 2, DiagnosticNack.UNKNOWN_TARGET_ADDRESS),
        (ECU, 101, DiagnosticNack.MESSAGE_TOO_LARGE),
        (DEAF_ECU, 2, DiagnosticNack.OUT_OF_MEMORY),
    ],
)
def test_a_request_that_goes_nowhere_is_refused_and_the_connection_stays(
    quiet: Bench, target: int, size: int, nack: DiagnosticNack
) -> None:
    number = quiet.active()
    (answer,) = quiet.ask(number, target, bytes(size))
    assert parts(answer) == (
        T.DIAGNOSTIC_NACK,
        struct.pack(">HHB", target, TESTER, nack),
    )
    assert quiet.router.delivered == []
    assert len(quiet.ask(number, ECU, b"\x3e\x00")) == 2


def test_a_tester_reaches_what_its_access_list_names_only(quiet: Bench) -> None:
    number = quiet.active(LOGGER)
    (nack,) = quiet.ask(number, ECU, b"\x3e\x00", source=LOGGER)
    assert parts(nack)[1][4] == DiagnosticNack.UNKNOWN_TARGET_ADDRESS
    assert len(quiet.ask(number, SLOW_ECU, b"\x3e\x00", source=LOGGER)) == 1
    assert [each[1] for each in quiet.router.delivered] == [SLOW_ECU]


def test_a_foreign_source_address_is_refused_and_closes(quiet: Bench) -> None:
    number = quiet.active()
    nack, end = quiet.ask(number, ECU, b"\x3e\x00", source=OTHER_TESTER)
    assert parts(nack) == (T.DIAGNOSTIC_NACK, bytes.fromhex("1010 0E80 02"))
    assert end == Close(number)
    assert quiet.router.delivered == []


def test_a_diagnostic_message_before_activation_is_refused_and_closes(quiet: Bench) -> None:
    number = quiet.connect()
    nack, end = quiet.ask(number, ECU, b"\x3e\x00")
    assert parts(nack)[1][4] == DiagnosticNack.INVALID_SOURCE_ADDRESS
    assert end == Close(number)


def test_nothing_after_a_fatal_message_in_the_same_chunk_is_heard(quiet: Bench) -> None:
    number = quiet.active()
    nack, end = quiet.feed(number, b"\x02\xfc" + PRESENT)
    assert parts(nack) == (T.HEADER_NACK, bytes((HeaderNack.INCORRECT_PATTERN,)))
    assert end == Close(number)
    assert quiet.router.delivered == []


def test_nothing_after_a_denial_in_the_same_chunk_is_heard(quiet: Bench) -> None:
    number = quiet.connect()
    payload = struct.pack(">HBI", STRANGER, 0, 0)
    denied = encode(T.ROUTING_ACTIVATION_REQUEST, payload, version=3)
    actions = quiet.feed(number, denied + PRESENT)
    assert code_of(actions) is ActivationCode.UNKNOWN_SOURCE_ADDRESS
    assert actions[1:] == [Close(number)]


def test_messages_under_way_share_one_memory(quiet: Bench) -> None:
    first, second = quiet.active(), quiet.active(OTHER_TESTER)
    big = encode(T.DIAGNOSTIC_MESSAGE, bytes.fromhex("0E001010") + bytes(190), version=3)
    assert quiet.feed(first, big[:50]) == []
    (nack,) = quiet.ask(second, ECU, bytes(110), source=OTHER_TESTER)
    assert parts(nack) == (T.HEADER_NACK, bytes((HeaderNack.OUT_OF_MEMORY,)))
    quiet.feed(first, big[50:])
    assert len(quiet.ask(second, ECU, bytes(100), source=OTHER_TESTER)) == 2


def test_the_end_of_the_link_closes_everything(quiet: Bench) -> None:
    numbers = [quiet.active(), quiet.active(OTHER_TESTER), quiet.connect()]
    assert quiet.entity.stop(quiet.now_ns) == tuple(Close(each) for each in numbers)
    assert quiet.router.gone == [TESTER, OTHER_TESTER]


def test_bytes_on_a_connection_that_never_was_are_the_callers_mistake(bench: Bench) -> None:
    with pytest.raises(UsageError, match=r"DoIP connection: expected one that was opened, got 7"):
        bench.entity.receive(7, b"", 0)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_goes_on_by_itself(quiet: Bench, duplicate: object) -> None:
    number = quiet.active()
    quiet.feed(number, PRESENT[:9])
    assert callable(duplicate)
    twin = duplicate(quiet)
    assert twin.feed(number, PRESENT[9:]) == quiet.feed(number, PRESENT[9:])
    twin.entity.disconnected(number, twin.now_ns)
    assert quiet.entity.tcp.connections.keys() == {number}


# -- settings --------------------------------------------------------------------------------------


def test_settings_are_shared_by_copies() -> None:
    assert copy.deepcopy(SETTINGS) is SETTINGS
    assert pickle.loads(pickle.dumps(SETTINGS)) == SETTINGS


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"vin": b"X"}, "DoipSettings, vin: expected 17 bytes, got 1"),
        ({"eid": b"1234567"}, "DoipSettings, eid: expected 6 bytes, got 7"),
        ({"gid": b""}, "DoipSettings, gid: expected 6 bytes, got 0"),
        ({"address": 0x0E00}, "DoipSettings, address: expected 0x0001..0x0DFF or .*, got 0x0e00"),
        ({"version": 1}, "DoipSettings, version: expected 2 or 3, got 1"),
        ({"max_sockets": 0}, "DoipSettings, max_sockets: expected 1..254, got 0"),
        ({"memory_size": 100}, "DoipSettings, max_message_size: expected at least 11 and at most"),
        (
            {"testers": SETTINGS.testers[:1] * 2},
            r"DoipSettings, testers: expected each address once, got \[3584, 3584\]",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(changed: dict[str, object], text: str) -> None:
    values = {name: getattr(SETTINGS, name) for name in SETTINGS.__slots__}
    with pytest.raises(UsageError, match=text):
        DoipSettings(**{**values, **changed})


def test_a_tester_has_an_address_of_testers() -> None:
    with pytest.raises(UsageError, match=r"AllowedTester, address: .*0x0E00..0x0FFF, got 0x1000"):
        AllowedTester(address=0x1000)


def test_a_secret_has_four_bytes() -> None:
    with pytest.raises(UsageError, match=r"ActivationRule, secret: expected 4 bytes, got 1234"):
        ActivationRule(secret=b"\x12\x34")
