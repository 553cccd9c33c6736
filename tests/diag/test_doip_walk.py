"""Walks through the DoIP entity: any bytes at any time, and a model of who holds which socket."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from simcore.diag.doip_codec import ActivationCode, DiagnosticNack, PayloadType, encode
from simcore.diag.doip_entity import DoipEntity
from simcore.diag.doip_output import Action, Close, Datagram, Send
from simcore.diag.doip_router import Reply
from simcore.diag.doip_settings import AllowedTester, DoipSettings
from simcore.kernel import RandomStream
from simcore.units import ms, s

GATEWAY, ECU, STRANGER = 0x1000, 0x1010, 0x0E55
TESTERS = (0x0E00, 0x0E01, 0x0E02, 0x0E03)
SOCKETS = 2
INITIAL_NS, GENERAL_NS, ALIVE_NS = s(2), s(20), ms(500)
T = PayloadType


class Echo:
    def refusal(self, tester: int, target: int, size: int, now_ns: int) -> DiagnosticNack | None:
        return None if target == ECU else DiagnosticNack.UNKNOWN_TARGET_ADDRESS

    def deliver(self, tester: int, target: int, payload: bytes, now_ns: int) -> tuple[Reply, ...]:
        return (Reply(target, tester, payload),)

    def tester_gone(self, tester: int, now_ns: int) -> None: ...


def entity() -> DoipEntity:
    chosen = DoipSettings(
        address=GATEWAY,
        vin=bytes(17),
        eid=bytes(6),
        gid=bytes(6),
        testers=tuple(AllowedTester(address=each) for each in TESTERS),
        max_sockets=SOCKETS,
        max_message_size=64,
        memory_size=128,
        general_inactivity_ns=GENERAL_NS,
    )
    made = DoipEntity(chosen, Echo(), RandomStream(0, "doip"))
    made.start(0)
    return made


def activation(tester: int) -> bytes:
    return encode(T.ROUTING_ACTIVATION_REQUEST, struct.pack(">HBI", tester, 0, 0), version=3)


def message(kind: PayloadType, payload: bytes) -> bytes:
    return encode(kind, payload, version=2)


PIECES = st.one_of(
    st.binary(max_size=20),
    st.sampled_from([activation(each) for each in (*TESTERS, STRANGER)]),
    st.sampled_from([message(T.ALIVE_CHECK_RESPONSE, struct.pack(">H", e)) for e in TESTERS]),
    st.sampled_from(
        [message(T.DIAGNOSTIC_MESSAGE, struct.pack(">HHB", e, ECU, 62)) for e in TESTERS]
    ),
    st.builds(
        lambda version, inverse, kind, length: struct.pack(
            ">BBHI", version, version ^ inverse, kind, length
        ),
        st.sampled_from([2, 3, 255]),
        st.sampled_from([255, 255, 255, 254]),
        st.sampled_from([*T, 0x1234]),
        st.sampled_from([0, 2, 5, 7, 11, 64, 65, 1 << 31]),
    ),
)
STEPS = st.one_of(
    st.tuples(st.just("connect")),
    st.tuples(
        st.just("bytes"), st.integers(1, 6), st.lists(PIECES, min_size=1, max_size=4), st.data()
    ),
    st.tuples(st.just("datagram"), PIECES),
    st.tuples(st.just("gone"), st.integers(1, 6)),
    st.tuples(st.just("reply"), st.sampled_from(TESTERS)),
    st.tuples(st.just("time"), st.sampled_from([1, ms(100), ALIVE_NS, INITIAL_NS, GENERAL_NS])),
)


@given(st.lists(STEPS, max_size=25))
def test_no_bytes_in_any_chunking_break_the_entity(steps: list[tuple[object, ...]]) -> None:
    walked = entity()
    now_ns, made = 0, 0
    for step in steps:
        actions: tuple[Action, ...] = ()
        match step:
            case ("connect",):
                number, actions = walked.connect(now_ns)
                made = made if number is None else number
            case ("bytes", int(number), list(pieces), draw) if number <= made:
                data = b"".join(pieces)
                cut = draw.draw(st.integers(0, len(data)))  # type: ignore[attr-defined]
                actions = walked.receive(number, data[:cut], now_ns)
                actions += walked.receive(number, data[cut:], now_ns)
            case ("datagram", bytes(data)):
                actions = walked.datagram(data, "who", now_ns)
            case ("gone", int(number)):
                actions = walked.disconnected(number, now_ns)
            case ("reply", int(tester)):
                actions = walked.respond(Reply(ECU, tester, b"\x7e\x00"), now_ns)
            case ("time", int(duration_ns)):
                now_ns += duration_ns
                actions = walked.on_timer(now_ns)
        check(walked, actions, now_ns)


def check(walked: DoipEntity, actions: tuple[Action, ...], now_ns: int) -> None:
    """What holds after every call."""
    closed: set[int] = set()
    for action in actions:
        if isinstance(action, Close):
            assert action.connection not in closed
            closed.add(action.connection)
        elif isinstance(action, Send):
            assert action.connection not in closed
            assert int.from_bytes(action.data[4:8], "big") == len(action.data) - 8
        else:
            assert isinstance(action, Datagram)
    connections = walked.tcp.connections
    registered = [each.tester for each in connections.values() if each.is_registered]
    assert not closed & connections.keys()
    assert len(connections) <= SOCKETS + 1
    assert len(registered) <= SOCKETS
    assert len(set(registered)) == len(registered)
    assert sum(each.reader.reserved for each in connections.values()) <= 128
    deadline_ns = walked.next_deadline_ns()
    assert deadline_ns is None or deadline_ns >= now_ns


# -- against a model -------------------------------------------------------------------------------


@dataclass
class Known:
    """What the model knows of a connection."""

    ends_ns: int
    """By inactivity."""
    tester: int | None = None
    alive_until_ns: int | None = None
    wants: int | None = None
    waits_for: set[int] = field(default_factory=set)


class SocketHandler(RuleBasedStateMachine):
    """Who is registered where, told once more in other words."""

    def __init__(self) -> None:
        super().__init__()
        self.entity = entity()
        self.now_ns = s(10)
        self.entity.on_timer(self.now_ns)  # announcements are over
        self.known: dict[int, Known] = {}
        self.expected: list[tuple[int, object]] = []
        """Connection, and the activation code, the message type or `"closed"`."""

    # -- the model --

    def holder(self, tester: int) -> list[int]:
        return [number for number, each in self.known.items() if each.tester == tester]

    def decide(self, number: int, tester: int, *, asked: bool) -> None:
        each = self.known[number]
        full = [other for other, known in self.known.items() if known.tester is not None]
        if tester not in TESTERS:
            self.deny(number, ActivationCode.UNKNOWN_SOURCE_ADDRESS)
        elif each.tester not in (None, tester):
            self.deny(number, ActivationCode.OTHER_SOURCE_ADDRESS)
        elif each.tester is None and self.holder(tester):
            self.ask_or_deny(
                number, tester, self.holder(tester), ActivationCode.SOURCE_ADDRESS_ACTIVE, asked
            )
        elif each.tester is None and len(full) == SOCKETS:
            self.ask_or_deny(number, tester, full, ActivationCode.ALL_SOCKETS_REGISTERED, asked)
        else:
            each.tester = tester
            each.ends_ns = self.now_ns + GENERAL_NS
            self.expected.append((number, ActivationCode.ACTIVATED))

    def ask_or_deny(
        self, number: int, tester: int, others: list[int], code: ActivationCode, asked: bool
    ) -> None:
        if asked:
            self.deny(number, code)
            return
        each = self.known[number]
        each.wants, each.waits_for, each.ends_ns = tester, set(others), 1 << 62
        for other in others:
            if self.known[other].alive_until_ns is None:
                self.known[other].alive_until_ns = self.now_ns + ALIVE_NS
                self.expected.append((other, T.ALIVE_CHECK_REQUEST))

    def deny(self, number: int, code: ActivationCode) -> None:
        self.expected.append((number, code))
        self.close(number)

    def close(self, number: int, *, told: bool = True) -> None:
        if told:
            self.expected.append((number, "closed"))
        del self.known[number]
        self.answered(number)

    def answered(self, number: int) -> None:
        """Whoever waited for this one waits no longer."""
        for waiting in list(self.known):
            each = self.known.get(waiting)
            if each is not None and number in each.waits_for:
                each.waits_for.discard(number)
                if not each.waits_for and each.wants is not None:
                    tester, each.wants = each.wants, None
                    self.decide(waiting, tester, asked=True)

    # -- what is done --

    def compare(self, actions: tuple[Action, ...]) -> None:
        got: list[tuple[int, object]] = []
        for action in actions:
            assert not isinstance(action, Datagram)
            if isinstance(action, Close):
                got.append((action.connection, "closed"))
                continue
            kind = PayloadType(int.from_bytes(action.data[2:4], "big"))
            is_code = kind is T.ROUTING_ACTIVATION_RESPONSE
            got.append((action.connection, ActivationCode(action.data[12]) if is_code else kind))
        assert got == self.expected
        self.expected = []

    @rule()
    def connect(self) -> None:
        number, actions = self.entity.connect(self.now_ns)
        assert (number is None) == (len(self.known) > SOCKETS)
        if number is not None:
            self.known[number] = Known(self.now_ns + INITIAL_NS)
        self.compare(actions)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), tester=st.sampled_from([*TESTERS, STRANGER]))
    def activate(self, data: st.DataObject, tester: int) -> None:
        number = data.draw(st.sampled_from(sorted(self.known)))
        wanted = self.known[number].wants
        self.used(number)
        if wanted is None:
            self.decide(number, tester, asked=False)
        elif wanted != tester:
            self.deny(number, ActivationCode.OTHER_SOURCE_ADDRESS)
        self.compare(self.entity.receive(number, activation(tester), self.now_ns))

    @precondition(lambda self: self.known)
    @rule(data=st.data(), right=st.sampled_from([True, True, False]))
    def say_alive(self, data: st.DataObject, right: bool) -> None:
        number = data.draw(st.sampled_from(sorted(self.known)))
        each = self.known[number]
        tester = each.tester if right and each.tester is not None else STRANGER
        self.used(number)
        if tester == each.tester:
            each.alive_until_ns = None
            self.answered(number)
        else:
            self.close(number)
        alive = message(T.ALIVE_CHECK_RESPONSE, struct.pack(">H", tester))
        self.compare(self.entity.receive(number, alive, self.now_ns))

    @precondition(lambda self: self.known)
    @rule(data=st.data(), tester=st.sampled_from(TESTERS))
    def diagnose(self, data: st.DataObject, tester: int) -> None:
        number = data.draw(st.sampled_from(sorted(self.known)))
        self.used(number)
        if self.known[number].tester == tester:
            self.expected += [(number, T.DIAGNOSTIC_ACK), (number, T.DIAGNOSTIC_MESSAGE)]
        else:
            self.expected.append((number, T.DIAGNOSTIC_NACK))
            self.close(number)
        request = message(T.DIAGNOSTIC_MESSAGE, struct.pack(">HHH", tester, ECU, 0x3E00))
        self.compare(self.entity.receive(number, request, self.now_ns))

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.known)))
        self.close(number, told=False)
        self.compare(self.entity.disconnected(number, self.now_ns))

    @rule(duration_ns=st.sampled_from([1, ms(250), ALIVE_NS, s(1), INITIAL_NS, s(7), GENERAL_NS]))
    def pass_time(self, duration_ns: int) -> None:
        end_ns = self.now_ns + duration_ns
        while (due_ns := self.entity.next_deadline_ns()) is not None and due_ns <= end_ns:
            self.now_ns = due_ns
            for number in sorted(self.known):
                each = self.known.get(number)
                if each is not None and min(each.ends_ns, each.alive_until_ns or 1 << 62) <= due_ns:
                    self.close(number)
            self.compare(self.entity.on_timer(due_ns))
        self.now_ns = end_ns

    def used(self, number: int) -> None:
        each = self.known[number]
        if each.tester is not None:
            each.ends_ns = self.now_ns + GENERAL_NS

    @invariant()
    def same_sockets(self) -> None:
        connections = self.entity.tcp.connections
        assert connections.keys() == self.known.keys()
        for number, each in self.known.items():
            connection = connections[number]
            assert (connection.tester if connection.is_registered else None) == each.tester
            alive_ns = connection.alive_deadline_ns
            assert (each.alive_until_ns or 1 << 63) == alive_ns


TestSocketHandler = SocketHandler.TestCase
TestSocketHandler.settings = settings(max_examples=25, stateful_step_count=40)
