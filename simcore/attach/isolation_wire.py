"""What the simulator and the process of an isolated module say to each other.

Messages are MessagePack arrays over a pair of sequenced-packet sockets; the first element says
which. A message longer than a packet comes in several: the first byte of each says whether more
follow. Needed on both sides: imports nothing of simcore.
"""

from __future__ import annotations

import socket
from enum import IntEnum, unique
from typing import Any

import msgspec

PACKET_MAX = 60_000
MESSAGE_MAX = 1 << 26
"""More than this is a process that has lost its mind."""


@unique
class Say(IntEnum):
    """First element of a message; what follows."""

    OPEN = 0
    """path, digest -> FACTS or WRONG"""
    MAKE = 1
    """surroundings, contents -> DONE or WRONG"""
    CALL = 2
    """entry, now_ns, number, channel, frame, input values -> ASK... and DONE or WRONG"""
    CONTENTS = 3
    """-> STATE"""
    ANSWER = 4
    """the answer to the last order"""
    REFUSED = 5
    """an order was wrong"""
    FACTS = 6
    """what the library says about itself"""
    ASK = 7
    """orders, of which the last wants an answer -> ANSWER or REFUSED"""
    DONE = 8
    """orders, deadline in ns, processor time used so far in ns"""
    WRONG = 9
    """orders, and an error: class, where, expected, got, file"""
    STATE = 10
    """contents, output pins"""


encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Any]).decode


def send(link: socket.socket, message: tuple[Any, ...]) -> None:
    """Send a message."""
    data = encode(message)
    while len(data) > PACKET_MAX:
        link.send(b"\1" + data[:PACKET_MAX])
        data = data[PACKET_MAX:]
    link.send(b"\0" + data)


def receive(link: socket.socket) -> list[Any]:
    """Wait for a message.

    Raises `EOFError` when the other side is gone, `ValueError` for what is no message.
    """
    packet = link.recv(PACKET_MAX + 1)
    if packet[:1] == b"\0":
        return _decode(packet[1:])
    parts: list[bytes] = []
    size = 0
    while packet[:1] == b"\1" and size < MESSAGE_MAX:
        parts.append(packet[1:])
        size += len(packet)
        packet = link.recv(PACKET_MAX + 1)
    if not packet:
        raise EOFError
    if packet[0] != 0:
        raise ValueError("no end of a message")
    return _decode(b"".join((*parts, packet[1:])))
