"""DoIP messages as bytes: the generic header, its checks, and the payloads of a DoIP entity.

`MessageReader` puts messages together from whatever chunks a TCP stream arrives in, and answers a
bad header by the rules of the generic header handler: a wrong synchronisation pattern and a wrong
length end the stream, an unknown type and a message that is too large are skipped. What messages
mean is the matter of `doip_entity`.

ISO 13400-2:2019, clauses 9 (generic header), 10 (payloads) and 11 (diagnostic messages).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum, unique

HEADER = struct.Struct(">BBHI")
"""Version, its inverse, payload type, payload length (table 16)."""
VERSIONS = (0x02, 0x03)
"""ISO 13400-2:2012 and :2019: what a tester may speak."""
DEFAULT_VERSION = 0xFF
"""For testers that do not know the version yet; in vehicle identification requests only."""
VIN_SIZE = 17
EID_SIZE = 6
GID_SIZE = 6


@unique
class PayloadType(IntEnum):
    """Payload types (table 17)."""

    HEADER_NACK = 0x0000
    VEHICLE_IDENTIFICATION_REQUEST = 0x0001
    VEHICLE_IDENTIFICATION_REQUEST_EID = 0x0002
    VEHICLE_IDENTIFICATION_REQUEST_VIN = 0x0003
    VEHICLE_ANNOUNCEMENT = 0x0004
    """Also the vehicle identification response."""
    ROUTING_ACTIVATION_REQUEST = 0x0005
    ROUTING_ACTIVATION_RESPONSE = 0x0006
    ALIVE_CHECK_REQUEST = 0x0007
    ALIVE_CHECK_RESPONSE = 0x0008
    ENTITY_STATUS_REQUEST = 0x4001
    ENTITY_STATUS_RESPONSE = 0x4002
    POWER_MODE_REQUEST = 0x4003
    POWER_MODE_RESPONSE = 0x4004
    DIAGNOSTIC_MESSAGE = 0x8001
    DIAGNOSTIC_ACK = 0x8002
    DIAGNOSTIC_NACK = 0x8003


@unique
class HeaderNack(IntEnum):
    """Generic header NACK codes (table 19)."""

    INCORRECT_PATTERN = 0x00
    UNKNOWN_PAYLOAD_TYPE = 0x01
    MESSAGE_TOO_LARGE = 0x02
    OUT_OF_MEMORY = 0x03
    INVALID_PAYLOAD_LENGTH = 0x04


CLOSING = frozenset({HeaderNack.INCORRECT_PATTERN, HeaderNack.INVALID_PAYLOAD_LENGTH})
"""After these a TCP connection is closed: where the next message begins is unknown."""


@unique
class ActivationCode(IntEnum):
    """Routing activation response codes (table 49)."""

    UNKNOWN_SOURCE_ADDRESS = 0x00
    ALL_SOCKETS_REGISTERED = 0x01
    OTHER_SOURCE_ADDRESS = 0x02
    """The socket is registered with another source address."""
    SOURCE_ADDRESS_ACTIVE = 0x03
    """The source address is alive on another socket."""
    MISSING_AUTHENTICATION = 0x04
    REJECTED_CONFIRMATION = 0x05
    UNSUPPORTED_TYPE = 0x06
    TLS_REQUIRED = 0x07
    ACTIVATED = 0x10
    CONFIRMATION_REQUIRED = 0x11


@unique
class DiagnosticNack(IntEnum):
    """Diagnostic message negative acknowledge codes (table 26)."""

    INVALID_SOURCE_ADDRESS = 0x02
    UNKNOWN_TARGET_ADDRESS = 0x03
    MESSAGE_TOO_LARGE = 0x04
    OUT_OF_MEMORY = 0x05
    TARGET_UNREACHABLE = 0x06
    UNKNOWN_NETWORK = 0x07
    TRANSPORT_PROTOCOL_ERROR = 0x08


@unique
class PowerMode(IntEnum):
    """Diagnostic power mode (table 9)."""

    NOT_READY = 0x00
    READY = 0x01
    NOT_SUPPORTED = 0x02


_T = PayloadType

UDP_LENGTHS: dict[int, tuple[int, int]] = {
    _T.VEHICLE_IDENTIFICATION_REQUEST: (0, 0),
    _T.VEHICLE_IDENTIFICATION_REQUEST_EID: (EID_SIZE, EID_SIZE),
    _T.VEHICLE_IDENTIFICATION_REQUEST_VIN: (VIN_SIZE, VIN_SIZE),
    _T.ENTITY_STATUS_REQUEST: (0, 0),
    _T.POWER_MODE_REQUEST: (0, 0),
}
"""What an entity takes in datagrams: least and greatest payload length."""
TCP_LENGTHS: dict[int, tuple[int, int]] = {
    _T.ROUTING_ACTIVATION_REQUEST: (7, 11),
    _T.ALIVE_CHECK_REQUEST: (0, 0),
    _T.ALIVE_CHECK_RESPONSE: (2, 2),
    _T.DIAGNOSTIC_MESSAGE: (5, 0xFFFFFFFF),
}
"""What it takes on a TCP connection."""
ACTIVATION_LENGTHS = (7, 11)
"""Without and with the four bytes of the vehicle manufacturer; nothing between."""
IGNORED_TYPES = frozenset({_T.HEADER_NACK, _T.VEHICLE_ANNOUNCEMENT})
"""Never answered: two entities would answer each other for ever."""


@dataclass(frozen=True, slots=True)
class Received:
    """A whole message."""

    version: int
    payload_type: PayloadType
    payload: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that the header handler turns down."""

    code: HeaderNack
    version: int
    """What the tester speaks, as far as that can be told."""

    @property
    def closes(self) -> bool:
        """Whether a TCP connection ends with it."""
        return self.code in CLOSING


def encode(payload_type: PayloadType, payload: bytes = b"", *, version: int) -> bytes:
    """A message with its header."""
    return HEADER.pack(version, version ^ 0xFF, payload_type, len(payload)) + payload


def answer_version(version: int, own_version: int) -> int:
    """The version of an answer: the tester's own where the entity speaks it."""
    return version if version in VERSIONS else own_version


def read_datagram(data: bytes, *, max_payload: int) -> Received | Refused | None:
    """The message of one datagram; `None` where there is nothing to say about it.

    What follows the message in the datagram is ignored: there is one message in each.
    """
    if len(data) < HEADER.size:
        return Refused(HeaderNack.INCORRECT_PATTERN, data[0] if data else DEFAULT_VERSION)
    version, inverse, payload_type, length = HEADER.unpack_from(data)
    is_identification = payload_type in (
        _T.VEHICLE_IDENTIFICATION_REQUEST,
        _T.VEHICLE_IDENTIFICATION_REQUEST_EID,
        _T.VEHICLE_IDENTIFICATION_REQUEST_VIN,
    )
    allowed = (*VERSIONS, DEFAULT_VERSION) if is_identification else VERSIONS
    if version ^ inverse != 0xFF or (version not in allowed and payload_type not in IGNORED_TYPES):
        return Refused(HeaderNack.INCORRECT_PATTERN, version)
    if payload_type in IGNORED_TYPES:
        return None
    limits = UDP_LENGTHS.get(payload_type)
    if limits is None:
        return Refused(HeaderNack.UNKNOWN_PAYLOAD_TYPE, version)
    if length > max_payload:
        return Refused(HeaderNack.MESSAGE_TOO_LARGE, version)
    payload = data[HEADER.size : HEADER.size + length]
    if len(payload) != length or not limits[0] <= length <= limits[1]:
        return Refused(HeaderNack.INVALID_PAYLOAD_LENGTH, version)
    return Received(version, PayloadType(payload_type), payload)


class MessageReader:
    """Messages from a stream of bytes.

    Holds one message at most, never one that is larger than `max_payload`. After a refusal that
    closes nothing more is read.
    """

    __slots__ = ("_buffer", "_expected", "_skip", "is_over", "max_payload")

    def __init__(self, max_payload: int) -> None:
        self.max_payload = max_payload
        self.is_over = False
        self._buffer = bytearray()
        self._expected = 0
        """Payload length of the message that is under way, 0 before its header is whole."""
        self._skip = 0
        """So much of a refused message is still to come."""

    @property
    def reserved(self) -> int:
        """Bytes of memory that the message under way has taken."""
        return self._expected

    def feed(self, data: bytes, memory_left: int) -> list[Received | Refused]:
        """Take in a chunk; what is complete, in order.

        A message whose payload does not fit `memory_left` is refused.
        """
        found: list[Received | Refused] = []
        if self.is_over:
            return found
        buffer = self._buffer
        buffer += data
        place = 0
        while not self.is_over:
            if self._skip:
                skipped = min(self._skip, len(buffer) - place)
                self._skip -= skipped
                place += skipped
                if self._skip:
                    break
            if len(buffer) - place < HEADER.size:
                # A wrong pattern shows in the first two bytes already; no need for the rest.
                self._look_at_pattern(buffer, place, found)
                break
            version, inverse, payload_type, length = HEADER.unpack_from(buffer, place)
            if not self._expected:
                refused = self._refusal(version, inverse, payload_type, length, memory_left)
                if refused is not None or payload_type == _T.HEADER_NACK:
                    if refused is not None:
                        found.append(refused)
                        self.is_over = refused.closes
                    self._skip = length
                    place += HEADER.size
                    continue
                self._expected = length
            end = place + HEADER.size + length
            if len(buffer) < end:
                break
            self._expected = 0
            payload = bytes(buffer[place + HEADER.size : end])
            found.append(Received(version, PayloadType(payload_type), payload))
            place = end
        del buffer[:place]
        if self.is_over:
            buffer.clear()
        return found

    def _look_at_pattern(
        self, buffer: bytearray, place: int, found: list[Received | Refused]
    ) -> None:
        if len(buffer) - place < 2:
            return
        version, inverse = buffer[place], buffer[place + 1]
        if version ^ inverse != 0xFF or version not in VERSIONS:
            found.append(Refused(HeaderNack.INCORRECT_PATTERN, version))
            self.is_over = True

    def _refusal(
        self, version: int, inverse: int, payload_type: int, length: int, memory_left: int
    ) -> Refused | None:
        """The checks of the generic header handler, in its order (figure 14)."""
        if version ^ inverse != 0xFF or version not in VERSIONS:
            return Refused(HeaderNack.INCORRECT_PATTERN, version)
        if payload_type == _T.HEADER_NACK:
            return None  # whatever is in it: never answered
        limits = TCP_LENGTHS.get(payload_type)
        if limits is None:
            return Refused(HeaderNack.UNKNOWN_PAYLOAD_TYPE, version)
        if length > self.max_payload:
            return Refused(HeaderNack.MESSAGE_TOO_LARGE, version)
        if length > memory_left:
            return Refused(HeaderNack.OUT_OF_MEMORY, version)
        is_between = payload_type == _T.ROUTING_ACTIVATION_REQUEST and (
            length not in ACTIVATION_LENGTHS
        )
        if is_between or not limits[0] <= length <= limits[1]:
            return Refused(HeaderNack.INVALID_PAYLOAD_LENGTH, version)
        return None
