"""udsoncan's client over a simulated bus in virtual time, against a server of canned answers."""

from __future__ import annotations

import copy
import importlib
import pickle
import time
from collections.abc import Callable
from typing import Any

import can
import pytest

from simcore.attach import BareBus, BusOpenError, BusOperationError, publish
from simcore.bus import Frame
from simcore.kernel import Priority
from simcore.transport import Address, IsoTpLink, LinkSettings, Step
from simcore.units import ms, s, us

isotp = pytest.importorskip("isotp", reason="can-isotp is not installed")
udsoncan = pytest.importorskip("udsoncan", reason="udsoncan is not installed")
connection_module = importlib.import_module("simcore.attach.isotp_connection")
client_module = importlib.import_module("udsoncan.client")
IsoTpConnection = connection_module.IsoTpConnection

Answers = dict[bytes, list[tuple[int, bytes]]]
"""By request: after how long which responses."""
ADDRESS = {"txid": 0x6A2, "rxid": 0x6AA}


class Server:
    """A node on a bare bus that answers what it was told to."""

    def __init__(self, world: BareBus, answers: Answers, settings: LinkSettings) -> None:
        self.requests: list[tuple[int, bytes]] = []
        self._world = world
        self._answers = answers
        self._link = IsoTpLink(Address(0x6AA, 0x6A2), settings)
        self._controller = world.buses[0].attach("ECU", self._receive)
        self._controller.listen_transmitted(self._left)

    def _receive(self, frame: Frame) -> None:
        self._take(self._link.receive(frame, self._world.now_ns))

    def _left(self, frame: Frame) -> None:
        self._take(self._link.confirmed(self._world.now_ns, frame))

    def _on_timer(self) -> None:
        self._take(self._link.on_timer(self._world.now_ns))

    def _respond(self, response: bytes) -> Callable[[], None]:
        return lambda: self._take(self._link.send(response, self._world.now_ns))

    def _take(self, step: Step) -> None:
        now_ns = self._world.now_ns
        for frame in step.frames:
            self._controller.send(frame)
        for message in step.messages:
            self.requests.append((now_ns, message.payload))
            for delay_ns, response in self._answers.get(message.payload, []):
                self._post(now_ns + delay_ns, self._respond(response))
        deadline_ns = self._link.next_deadline_ns()
        if deadline_ns is not None:
            self._post(max(now_ns, deadline_ns), self._on_timer)

    def _post(self, time_ns: int, callback: Callable[[], None]) -> None:
        self._world.scheduler.post(time_ns, Priority.ECU, callback)


Setup = Callable[..., tuple[Any, Server, can.BusABC]]


@pytest.fixture
def setup(open_bus: Any) -> Any:
    """`setup(answers)`: an opened connection, its server, the bus."""
    sessions = []

    def made(
        answers: Answers,
        *,
        settings: LinkSettings | None = None,
        fd: bool | None = None,
        **params: Any,
    ) -> tuple[Any, Server, can.BusABC]:
        world = BareBus()
        session = publish(world, f"bench{len(sessions)}")
        sessions.append(session)
        server = Server(world, answers, settings or LinkSettings())
        bus = open_bus(f"EMPTY@bench{len(sessions) - 1}", fd=fd)
        return IsoTpConnection(bus, isotp.Address(**ADDRESS), params or None, "EMB"), server, bus

    yield made
    for session in sessions:
        session.close()


def now_ns(bus: Any) -> int:
    return int(bus.clock.monotonic_ns())


def test_a_client_runs_in_virtual_time(setup: Setup) -> None:
    connection, server, bus = setup(
        {b"\x10\x03": [(ms(20), b"\x50\x03\x00\x32\x01\xf4")], b"\x3e\x00": [(ms(1), b"\x7e\x00")]}
    )
    with client_module.Client(connection) as client:
        response = client.change_session(3)
        assert response.service_data.p2_server_max == 0.05
        # A request of 8 bytes, 20 ms, and a response of 8 bytes: all FD frames at 500k/2M.
        assert ms(20.2) < now_ns(bus) < ms(20.3)
        client.tester_present()
    assert [payload for _, payload in server.requests] == [b"\x10\x03", b"\x3e\x00"]
    assert not connection.is_open()


def test_every_run_is_the_same(setup: Setup) -> None:
    runs = []
    for _ in range(2):
        connection, server, bus = setup(
            {b"\x22\xf1\x90": [(ms(3), b"\x62\xf1\x90" + bytes(500))]}, blocksize=3, stmin=1
        )
        with connection.open():
            connection.send(b"\x22\xf1\x90")
            assert connection.wait_frame(timeout=1.0) == b"\x62\xf1\x90" + bytes(500)
            runs.append((now_ns(bus), server.requests))
    assert runs[0] == runs[1]
    # Seven consecutive frames, each at least 1 ms after the one before.
    assert ms(9) < runs[0][0] < ms(15)


def test_without_an_answer_the_timeout_is_one_of_virtual_time(setup: Setup) -> None:
    connection, _, bus = setup({})
    with client_module.Client(connection, request_timeout=7.5) as client:
        client.set_config("p2_timeout", 3600.0)
        started = time.monotonic()
        with pytest.raises(udsoncan.exceptions.TimeoutException, match="Global request timeout"):
            client.tester_present()
        assert ms(7500) <= now_ns(bus) <= ms(7501)
        client.set_config("p2_timeout", 0.05)
        before_ns = now_ns(bus)
        with pytest.raises(udsoncan.exceptions.TimeoutException, match="P2 timeout"):
            client.tester_present()
        assert ms(50) <= now_ns(bus) - before_ns <= ms(51)
    assert time.monotonic() - started < 7


def test_pending_responses_are_waited_for_as_long_as_the_server_may_take(setup: Setup) -> None:
    pending = [(ms(40) + ms(4000) * nth, b"\x7f\x31\x78") for nth in range(5)]
    connection, _, bus = setup({b"\x31\x01\xff\x00": [*pending, (s(18), b"\x71\x01\xff\x00")]})
    with client_module.Client(connection) as client:
        client.set_config("request_timeout", None)
        assert client.start_routine(0xFF00).positive
        assert s(18) < now_ns(bus) < s(18) + ms(1)


def test_a_long_request_and_a_long_response_take_the_time_of_the_bus(setup: Setup) -> None:
    request, response = b"\x36\x01" + bytes(4093), b"\x76\x01" + bytes(range(256)) * 15
    connection, server, bus = setup({request: [(0, response)]})
    with connection.open():
        connection.send(request)
        assert [payload for _, payload in server.requests] == [request]
        sent_ns = now_ns(bus)
        assert connection.wait_frame(timeout=1.0) == response
        assert connection.wait_frame(timeout=0.01) is None
    # 65 consecutive frames of 333..405 us, back to back.
    assert ms(21) < sent_ns < ms(27)


@pytest.mark.parametrize("size", [5, 100])
def test_classic_frames_on_a_bus_without_fd(setup: Setup, size: int) -> None:
    request, response = bytes(range(size)), bytes(range(size, 0, -1))
    classic = LinkSettings(tx_dl=8, is_fd=False)
    connection, _, bus = setup({request: [(ms(1), response)]}, settings=classic, fd=False)
    with connection.open():
        connection.send(request)
        assert connection.wait_frame(timeout=1.0) == response
    frames = [record.frame for record in bus.session.world.buses[0].log]
    assert not any(frame.is_fd for frame in frames)


def test_a_request_leaves_room_for_others_on_the_bus(setup: Setup) -> None:
    """One frame at a time is in the controller: another node's frame waits for one at most."""
    connection, server, bus = setup({})
    world = bus.session.world
    other = world.buses[0].attach("OTHER", lambda frame: None)
    for nth in range(1, 20):
        low = Frame(0x6A1, bytes(8))
        world.scheduler.post(ms(nth), Priority.ECU, lambda low=low: other.send(low))
    with connection.open():
        connection.send(bytes(4000))
    waits = [
        record.sof_ns - record.request_ns
        for record in world.buses[0].log
        if record.sender == "OTHER"
    ]
    assert len(waits) == 19
    assert max(waits) < us(450)
    assert len(server.requests) == 1


def test_what_the_stack_reports_is_kept_and_named(setup: Setup) -> None:
    connection, _, bus = setup({}, settings=LinkSettings(receive_buffer_size=50))
    with connection.open():
        connection.send(bytes(100))
        assert [type(error).__name__ for error in connection.errors] == ["OverflowError"]
    connection, _, bus = setup({}, rx_flowcontrol_timeout=200)
    bus.set_filters([{"can_id": 0x1, "can_mask": 0x7FF}])  # the flow control is not heard
    with connection.open():
        connection.send(bytes(100))
        assert ms(200) < now_ns(bus) < ms(201)
        assert [type(error).__name__ for error in connection.errors] == ["FlowControlTimeoutError"]


def test_a_response_that_breaks_off_is_named_in_the_timeout(setup: Setup) -> None:
    connection, _, _ = setup(
        {b"\x22\xf1\x90": [(0, b"\x62" * 200), (ms(1), b"\x62" * 200)]},
        settings=LinkSettings(n_cs_ns=s(2)),
    )
    with (
        connection.open(),
        pytest.raises(
            udsoncan.exceptions.TimeoutException,
            match=r"Connection\[EMB\]: no response within 1.5 s, at 15\d\d.*ms "
            r"\(ConsecutiveFrameTimeoutError\)",
        ),
    ):
        connection.send(b"\x22\xf1\x90")
        connection.wait_frame(timeout=1.5, exception=True)


def test_a_request_that_takes_too_long_is_given_up(setup: Setup) -> None:
    connection, _, bus = setup({}, settings=LinkSettings(separation_time_ns=ms(100)))
    with connection.open():
        with pytest.raises(
            udsoncan.exceptions.TimeoutException,
            match=r"Connection\[EMB\]: 4000 bytes not sent within 0.5 s, at 500 ms",
        ):
            connection.send(bytes(4000), timeout=0.5)
        assert now_ns(bus) == ms(500)
        connection.send(b"\x3e\x00")  # and the next one goes out
    assert now_ns(bus) < ms(501)


def test_a_frame_that_cannot_leave_is_an_error(setup: Setup) -> None:
    connection, _, bus = setup({})
    nodes = bus.session.world.buses[0].controllers
    with connection.open():
        for node in nodes:
            if node.name == "ECU":
                node.set_enabled(False)  # nobody acknowledges
        with pytest.raises(
            BusOperationError,
            match=r"Connection\[EMB\]: frame 0x6A2: expected on the bus within 1000 ms, "
            "got still in the controller",
        ):
            connection.send(b"\x3e\x00")


def test_old_responses_are_forgotten_before_a_request(setup: Setup) -> None:
    connection, _, bus = setup(
        {
            b"\x3e\x00": [(ms(200), b"\x7e\x00")],
            b"\x10\x03": [(ms(1), b"\x50\x03\x00\x32\x01\xf4")],
        }
    )
    with client_module.Client(connection, request_timeout=0.1) as client:
        with pytest.raises(udsoncan.exceptions.TimeoutException):
            client.tester_present()
        bus.clock.sleep(0.2)  # the answer comes too late
        assert client.change_session(3).positive


def test_the_packages_get_their_own_clock_back(setup: Setup) -> None:
    modules = [importlib.import_module(name) for name in ("isotp.protocol", "isotp.tools")]
    modules.append(client_module)
    connection, _, bus = setup({})
    connection.open()
    connection.open()
    assert all(module.time is bus.clock for module in modules)
    other = IsoTpConnection(bus, isotp.Address(txid=0x6A1, rxid=0x6A9))
    other.open()
    connection.close()
    connection.close()
    assert all(module.time is bus.clock for module in modules)
    other.close()
    assert all(module.time is time for module in modules)


def test_two_simulations_at_once_are_refused(setup: Setup) -> None:
    first, second = setup({})[0], setup({})[0]
    with (
        first.open(),
        pytest.raises(
            BusOpenError,
            match="IsoTpConnection, open: expected one simulation at a time with open connections",
        ),
    ):
        second.open()
    with second.open():
        assert second.is_open()


def test_a_copy_of_the_simulation_goes_on_without_the_connection(open_bus: Any) -> None:
    world = BareBus()
    with publish(world, "copied"):
        bus = open_bus("EMPTY@copied", receive_own_messages=True)
        world.buses[0].attach("ECU", None)
        connection = IsoTpConnection(bus, isotp.Address(**ADDRESS))
        with connection.open():
            twins = copy.deepcopy(world), pickle.loads(pickle.dumps(world))
            connection.send(b"\x3e\x00")
            sent_ns = world.now_ns
            own = bus.recv(0)  # who listened before still hears
            assert own is not None
            assert own.data[:3] == b"\x02\x3e\x00"
        bus.shutdown()
    assert sent_ns > 0
    for twin in twins:
        twin.run_for(ms(1))
        assert [len(each.log) for each in twin.buses] == [0]


def test_a_closed_connection_sends_nothing(setup: Setup) -> None:
    connection, _, _ = setup({})
    with pytest.raises(RuntimeError, match="IsoTpConnection is not opened"):
        connection.send(b"\x3e\x00")


@pytest.mark.realtime
def test_a_bus_in_real_time_is_refused(open_bus: Any) -> None:
    bus = open_bus("empty:real", realtime=True)
    with pytest.raises(
        BusOpenError,
        match=r"IsoTpConnection on simcore REAL|IsoTpConnection on .*real time: expected a bus in "
        "virtual time; in real time udsoncan's PythonIsoTpConnection",
    ):
        IsoTpConnection(bus, isotp.Address(**ADDRESS))


@pytest.mark.realtime
def test_udsoncans_own_connection_works_in_real_time() -> None:
    """Its stack reads from threads; requests and responses of one frame and of several."""
    connections = importlib.import_module("udsoncan.connections")
    world = BareBus()
    long = bytes(range(200))
    server = Server(
        world, {b"\x3e\x00": [(0, b"\x7e\x00")], long: [(0, long[::-1])]}, LinkSettings()
    )
    with publish(world, "threads", realtime=True):
        bus = can.Bus(interface="simcore", channel="EMPTY@threads", ignore_config=True)
        stack = isotp.CanStack(
            bus,
            address=isotp.Address(**ADDRESS),
            params={"can_fd": True, "bitrate_switch": True, "tx_data_length": 64},
        )
        connection = connections.PythonIsoTpConnection(stack)
        configuration = {"request_timeout": 20.0, "p2_timeout": 20.0}
        with client_module.Client(connection, config=configuration) as client:
            assert client.tester_present().positive
            connection.send(long)
            assert connection.wait_frame(timeout=20.0) == long[::-1]
        bus.shutdown()
    assert [payload for _, payload in server.requests] == [b"\x3e\x00", long]
