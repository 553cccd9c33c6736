"""The socketcand protocol, without a socket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.attach import BareBus
from simcore.attach.endpoint import Endpoint
from simcore.attach.socketcand import COMMAND_MAX, CommandReader, Connection, Mode
from simcore.bus import Frame, duration_ns
from simcore.errors import UsageError
from simcore.network import Database
from simcore.units import ms, s

MESSAGES = {
    (message.arbitration_id, message.is_extended_id): message
    for message in Database.reference().messages
}


class Desk:
    """A bare bus with one client and one plain node."""

    def __init__(self, **settings: object) -> None:
        self.world = BareBus("CAN")
        self.bus = self.world.buses[0]
        self.received: list[Frame] = []
        self.node = self.bus.attach("NODE", self.received.append)
        self.connection = Connection(self.open, MESSAGES, **settings)

    def open(self, name: str) -> Endpoint:
        if name != "can0":
            raise UsageError(f"channel {name!r}", expected="can0")
        return Endpoint(self.bus, "CLIENT")

    def raw(self) -> Connection:
        """The connection, once it is in raw mode."""
        assert self.connection.receive(b"< open can0 >< rawmode >") == b"< ok >< ok >"
        return self.connection

    def carried(self, command: bytes) -> Frame:
        """The one frame that a command puts on the bus."""
        assert self.raw().receive(command) == b""
        self.world.run_for(ms(10))
        (frame,) = self.received
        return frame


# ---- commands in pieces, and what is none ----


def test_a_command_may_come_byte_by_byte() -> None:
    reader = CommandReader()
    found = [each for octet in b"< open can0 >" for each in reader.feed(bytes([octet]))]
    assert found == ["< open can0 >"]


def test_several_commands_may_come_at_once() -> None:
    assert CommandReader().feed(b"< a >< b >\n < c ><") == ["< a >", "< b >", "< c >"]


def test_a_command_without_end_is_given_up() -> None:
    reader = CommandReader()
    assert reader.feed(b"<" + b"x" * COMMAND_MAX) == ["<" + "x" * COMMAND_MAX]
    assert reader.feed(b"< echo >") == ["< echo >"]


@given(st.lists(st.binary(max_size=40) | st.sampled_from([b"< echo >", b"< send 123 0 >", b"<"])))
def test_garbage_is_answered_and_never_raises(pieces: list[bytes]) -> None:
    connection = Desk().raw()
    for piece in pieces:
        for answer in connection.receive(piece).split(b">")[:-1]:
            assert answer.startswith((b"< error ", b"< echo ", b"< ok "))
    connection.receive(b">")
    assert connection.receive(b"< echo >").endswith(b"< echo >")


# ---- modes ----


def test_a_bus_is_opened_before_anything_else() -> None:
    connection = Desk().connection
    answer = connection.receive(b"< rawmode >")
    assert answer == b"< error command: expected open BUS, got 'rawmode' >"
    assert connection.mode is Mode.NO_BUS
    assert connection.receive(b"< open can0 >") == b"< ok >"
    assert connection.mode is Mode.BCM


def test_a_bus_that_is_not_there_ends_the_connection() -> None:
    connection = Desk().connection
    answer = connection.receive(b"< open can7 >< rawmode >")
    assert answer == b"< error channel 'can7': expected can0 >"
    assert connection.mode is Mode.CLOSED


def test_frames_come_in_raw_mode_only() -> None:
    desk = Desk()
    connection = desk.connection
    connection.receive(b"< open can0 >")
    desk.node.send(Frame(1))
    desk.world.run_for(ms(1))
    assert connection.frames() == b""
    assert connection.receive(b"< rawmode >") == b"< ok >"
    desk.node.send(Frame(2))
    desk.world.run_for(ms(1))
    assert connection.frames().startswith(b"< frame 002 ")
    assert connection.receive(b"< bcmmode >") == b"< ok >"
    desk.node.send(Frame(3))
    desk.world.run_for(ms(1))
    assert connection.frames() == b""


@pytest.mark.parametrize("verb", ["subscribe", "isotpmode", "controlmode", "statistics", "x" * 90])
def test_what_is_not_served_is_said(verb: str) -> None:
    answer = Desk().raw().receive(f"< {verb} 1 >".encode())
    assert answer.startswith(b"< error command: expected rawmode, bcmmode, send, sendrtr, fdsend")


def test_a_client_that_has_gone_is_off_the_bus() -> None:
    desk = Desk()
    connection = desk.raw()
    connection.close()
    connection.close()
    assert [each.name for each in desk.bus.controllers] == ["NODE"]
    assert connection.receive(b"< echo >") == b""
    assert connection.frames() == b""


# ---- sending ----


def fd(arbitration_id: int, data: bytes) -> Frame:
    return Frame(arbitration_id, data, is_fd=True, bitrate_switch=True)


@pytest.mark.parametrize(
    ("command", "frame"),
    [
        (b"< send 123 0 >", Frame(0x123)),
        (b"< send 123 2 1 F1 >", Frame(0x123, b"\x01\xf1")),
        (b"< send 1AAAAAAA 2 1 F1 >", Frame(0x1AAAAAAA, b"\x01\xf1", is_extended_id=True)),
        (b"< send 00000123 0 >", Frame(0x123, is_extended_id=True)),
        (b"<send 7ff 1 a>", Frame(0x7FF, b"\x0a")),
        (b"< sendrtr 123 3 >", Frame(0x123, is_remote_frame=True, dlc=3)),
        # 12 bytes: decimal as socketcand counts, hexadecimal as python-can's client does
        (b"< send 123 12" + b" 7" * 12 + b" >", fd(0x123, b"\x07" * 12)),
        (b"< send 123 C" + b" 7" * 12 + b" >", fd(0x123, b"\x07" * 12)),
        (b"< send 123 40" + b" 7" * 64 + b" >", fd(0x123, b"\x07" * 64)),
        # 0x3C0 CDC_Hmi is an FD message of 8 bytes in the database
        (b"< send 3C0 8" + b" 0" * 8 + b" >", fd(0x3C0, bytes(8))),
        (b"< fdsend 123 0 1 5 >", Frame(0x123, b"\x05", is_fd=True)),
        (
            b"< fdsend 123 3 1 5 >",
            Frame(0x123, b"\x05", is_fd=True, bitrate_switch=True, error_state_indicator=True),
        ),
    ],
)
def test_a_command_becomes_a_frame(command: bytes, frame: Frame) -> None:
    assert Desk().carried(command) == frame


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (b"< send >", b"send: expected at least 2 words, got 0"),
        (b"< send 123 >", b"send: expected at least 2 words, got 1"),
        (b"< send xyz 0 >", b"identifier: expected a hexadecimal number, got 'xyz'"),
        (b"< send -12 0 >", b"identifier: expected a hexadecimal number, got '-12'"),
        (b"< send 800 0 >", b"frame: base arbitration_id: expected 0..0x7FF, got 0x800"),
        (b"< send 123 3 1 2 >", b"send 0x123: expected '3' bytes, got 2"),
        (b"< send 123 1 1FF >", b"send 0x123: data: expected bytes of two digits"),
        (b"< send 123 1 0x >", b"send: data: expected a hexadecimal number, got '0x'"),
        (b"< send 123 9" + b" 0" * 9 + b" >", b"frame 0x123: data: expected 0..8, 12, 16, 20"),
        (b"< sendrtr 123 >", b"sendrtr: expected ID DLC, got 1 words"),
        (b"< sendrtr 123 1F >", b"frame 0x123: dlc: expected 0..15, got 31"),
        (b"< fdsend 123 0 >", b"fdsend: expected at least 3 words, got 2"),
        (b"< >", b"command: expected ( words ), got '( )'"),
        (b"hello", b"command: expected ( words ), got 'hello'"),
        (b"\xff\xfe< echo", rb"command: expected ( words ), got '\\xff\\xfe'"),
    ],
)
def test_what_is_wrong_with_a_command_is_said(command: bytes, complaint: bytes) -> None:
    desk = Desk()
    answer = desk.raw().receive(command)
    assert answer.startswith(b"< error " + complaint)
    assert answer.count(b"<") == answer.count(b">") == 1
    assert desk.connection.error_count == 1
    desk.world.run_for(ms(5))
    assert desk.received == []


# ---- receiving ----


def told(desk: Desk, frame: Frame) -> bytes:
    connection = desk.raw()
    desk.world.run_for(s(3))
    desk.node.send(frame)
    desk.world.run_for(ms(10))
    return connection.frames()


def test_frames_are_told_as_the_protocol_has_them() -> None:
    # A frame is valid for receivers one bit (2 us) before its end.
    frame = Frame(0x123, b"\x11\x22")
    wire_us = duration_ns(frame, Desk().bus.timing) // 1000 - 2
    assert told(Desk(), frame) == f"< frame 123 3.{wire_us:06d} 1122 >".encode()
    assert told(Desk(), Frame(0x123)).endswith(b"  >")  # python-can's client needs both blanks
    assert told(Desk(), Frame(0x1, is_extended_id=True)).startswith(b"< frame 00000001 3.")
    assert told(Desk(), Frame(0x123, is_remote_frame=True, dlc=4)).endswith(b" 4 >")


def test_fd_frames_are_told_in_either_way() -> None:
    frame = Frame(0x123, bytes(12), is_fd=True, bitrate_switch=True)
    assert told(Desk(), frame).startswith(b"< frame 123 3.")
    line = told(Desk(fd_word="fdframe"), frame)
    assert line.startswith(b"< fdframe 123 01 3.")
    assert line.endswith(b" " + b"00" * 12 + b" >")


def test_times_count_from_the_epoch_that_is_given() -> None:
    line = told(Desk(epoch_ns=s(1_700_000_000)), Frame(0x123))
    assert line.startswith(b"< frame 123 1700000003.000")


def test_errors_are_told_by_their_class() -> None:
    desk = Desk()
    connection = desk.raw()
    desk.bus.detach(desk.node)  # nobody acknowledges
    connection.receive(b"< send 123 0 >")
    desk.world.run_for(ms(1))
    assert connection.frames().startswith(b"< error 2A8 0.000")
