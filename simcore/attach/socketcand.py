"""The socketcand protocol, the server's side of one connection, without any I/O.

Commands and answers are `< words >` in ASCII: doc/protocol.md of the socketcand project. Served are
`open`, `rawmode`, `bcmmode` (the state after `open`, in which frames are sent and none come),
`send`, `sendrtr`, `fdsend` and `echo`; everything else is answered with `< error ... >`.

socketcand marks FD frames as `< fdframe id flags time data >`. python-can's client knows
`< frame >` only, whatever the length; `fd_word` chooses. That client cannot ask for FD either: what
the database describes goes out in its format there, and more than 8 bytes always as FD.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, unique

from simcore.attach.endpoint import Endpoint
from simcore.attach.message import Received, error_frame_of
from simcore.attach.outside import MessageKey
from simcore.bus import Frame
from simcore.errors import UsageError
from simcore.network import Message

COMMAND_MAX = 512
"""Characters of the longest command there is, with room to spare."""
EXTENDED_DIGITS = 8
"""An identifier written with eight digits is an extended one."""
FLAG_BRS = 0x01
FLAG_ESI = 0x02
GREETING = b"< hi >"
OK = b"< ok >"


@unique
class Mode(Enum):
    """What a client may do."""

    NO_BUS = "no bus is open"
    BCM = "broadcast manager"
    """Sends; receives nothing, because subscriptions are not served."""
    RAW = "raw"
    """Sends, and receives every frame."""
    CLOSED = "closed"


class CommandReader:
    """Splits what arrives into commands; a command may come in pieces."""

    def __init__(self) -> None:
        self._text = ""

    def feed(self, data: bytes) -> list[str]:
        """Complete commands without their brackets; what is none stands there as it came."""
        self._text += data.decode("ascii", "backslashreplace")
        commands = []
        while self._text:
            start, end = self._text.find("<"), self._text.find(">")
            if start != 0:  # something before, or nothing but, garbage
                stop = len(self._text) if start < 0 else start
                garbage, self._text = self._text[:stop], self._text[stop:]
                if garbage.strip():
                    commands.append(garbage)
            elif end < 0:
                if len(self._text) > COMMAND_MAX:
                    commands.append(self._text)
                    self._text = ""
                break
            else:
                command, self._text = self._text[: end + 1], self._text[end + 1 :]
                commands.append(command)
        return commands


class Connection:
    """One client: give it what arrives, send what it answers, and `frames()` from time to time.

    `open_bus` makes the client's connection to a bus, or raises `UsageError`.
    """

    def __init__(
        self,
        open_bus: Callable[[str], Endpoint],
        messages: Mapping[MessageKey, Message],
        *,
        epoch_ns: int = 0,
        fd_word: str = "frame",
    ) -> None:
        self._open_bus = open_bus
        self._messages = messages
        self._epoch_ns = epoch_ns
        self._fd_word = fd_word
        self._reader = CommandReader()
        self.endpoint: Endpoint | None = None
        self.mode = Mode.NO_BUS
        self.error_count = 0
        """Commands that were answered with an error."""

    def receive(self, data: bytes) -> bytes:
        """Answers to what arrived."""
        answers = b""
        for command in self._reader.feed(data):
            if self.mode is Mode.CLOSED:
                break
            try:
                answers += self._obey(command)
            except UsageError as error:
                self.error_count += 1
                answers += _error(str(error))
        return answers

    def frames(self) -> bytes:
        """What the client is to be told of the bus since the last call."""
        lines = []
        endpoint = self.endpoint
        while endpoint is not None and (received := endpoint.take()) is not None:
            if self.mode is Mode.RAW:
                lines.append(self._line(received))
        return b"".join(lines)

    def close(self) -> None:
        """The client has gone."""
        self.mode = Mode.CLOSED
        if self.endpoint is not None:
            self.endpoint.close()
            self.endpoint = None

    # -- commands --------------------------------------------------------------------------------

    def _obey(self, command: str) -> bytes:
        words = command[1:-1].split() if command[:1] == "<" and command[-1:] == ">" else []
        if not words:
            raise UsageError("command", expected="< words >", got=_shown(command))
        verb, *arguments = words
        if verb == "echo":
            return b"< echo >"
        if self.mode is Mode.NO_BUS:
            return self._open(verb, arguments)
        if verb in ("rawmode", "bcmmode"):
            self.mode = Mode.RAW if verb == "rawmode" else Mode.BCM
            return OK
        build = {"send": self._send, "sendrtr": _remote, "fdsend": _fd}.get(verb)
        if build is None:
            raise UsageError(
                "command",
                expected="rawmode, bcmmode, send, sendrtr, fdsend or echo",
                got=_shown(verb),
            )
        assert self.endpoint is not None
        self.endpoint.send(build(arguments))
        return b""

    def _open(self, verb: str, arguments: list[str]) -> bytes:
        if verb != "open" or len(arguments) != 1:
            raise UsageError("command", expected="open BUS", got=_shown(verb))
        try:
            self.endpoint = self._open_bus(arguments[0])
        except UsageError:
            self.mode = Mode.CLOSED  # as the protocol has it
            raise
        self.mode = Mode.BCM
        return OK

    def _send(self, arguments: list[str]) -> Frame:
        identifier, is_extended_id, data = _parsed("send", arguments, 2)
        message = self._messages.get((identifier, is_extended_id))
        assert self.endpoint is not None
        is_fd = len(data) > 8 or (message is not None and message.is_fd)
        switches = message.bitrate_switch if message is not None else True
        is_fd = is_fd and self.endpoint.bus.carries_fd
        return Frame(
            identifier,
            data,
            is_extended_id=is_extended_id,
            is_fd=is_fd,
            bitrate_switch=is_fd and switches,
        )

    # -- frames ----------------------------------------------------------------------------------

    def _line(self, received: Received) -> bytes:
        time_us = (self._epoch_ns + received.time_ns) // 1000
        stamp = f"{time_us // 1_000_000}.{time_us % 1_000_000:06d}"
        content = received.content
        if not isinstance(content, Frame):
            return f"< error {error_frame_of(content)[0]:03X} {stamp} >".encode()
        header = content.header
        digits = EXTENDED_DIGITS if header.is_extended_id else 3
        identifier = f"{content.arbitration_id:0{digits}X}"
        if header.is_remote_frame:
            return f"< rtr {identifier} {stamp} {header.dlc} >".encode()
        data = content.data.hex().upper()
        if header.is_fd and self._fd_word == "fdframe":
            flags = FLAG_BRS * header.bitrate_switch | FLAG_ESI * header.error_state_indicator
            return f"< fdframe {identifier} {flags:02X} {stamp} {data} >".encode()
        return f"< frame {identifier} {stamp} {data} >".encode()


def _remote(arguments: list[str]) -> Frame:
    if len(arguments) != 2:
        raise UsageError("sendrtr", expected="ID DLC", got=f"{len(arguments)} words")
    identifier, is_extended_id = _identifier(arguments[0])
    dlc = _hexadecimal("sendrtr: dlc", arguments[1])
    return Frame(identifier, is_extended_id=is_extended_id, is_remote_frame=True, dlc=dlc)


def _fd(arguments: list[str]) -> Frame:
    identifier, is_extended_id, data = _parsed("fdsend", arguments, 3)
    flags = _hexadecimal("fdsend: flags", arguments[1])
    return Frame(
        identifier,
        data,
        is_extended_id=is_extended_id,
        is_fd=True,
        bitrate_switch=bool(flags & FLAG_BRS),
        error_state_indicator=bool(flags & FLAG_ESI),
    )


def _parsed(verb: str, arguments: list[str], fixed: int) -> tuple[int, bool, bytes]:
    """Identifier, its format and the data; the word before the data is their number.

    socketcand reads that number as decimal, python-can's client writes it in hexadecimal: both do.
    """
    if len(arguments) < fixed:
        raise UsageError(verb, expected=f"at least {fixed} words", got=len(arguments))
    identifier, is_extended_id = _identifier(arguments[0])
    octets = arguments[fixed:]
    length = arguments[fixed - 1]
    if length.isdecimal() and int(length) == len(octets):
        pass
    elif _hexadecimal(f"{verb}: length", length) != len(octets):
        raise UsageError(
            f"{verb} 0x{identifier:X}", expected=f"{_shown(length)} bytes", got=len(octets)
        )
    values = [_hexadecimal(f"{verb}: data", octet) for octet in octets]
    if any(value > 0xFF for value in values):
        raise UsageError(f"{verb} 0x{identifier:X}: data", expected="bytes of two digits")
    return identifier, is_extended_id, bytes(values)


def _identifier(word: str) -> tuple[int, bool]:
    return _hexadecimal("identifier", word), len(word) == EXTENDED_DIGITS


def _hexadecimal(where: str, word: str) -> int:
    if not word.isalnum():  # int() would take signs, blanks and underscores
        raise UsageError(where, expected="a hexadecimal number", got=_shown(word))
    try:
        return int(word, 16)
    except ValueError:
        raise UsageError(where, expected="a hexadecimal number", got=_shown(word)) from None


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}...")


def _error(text: str) -> bytes:
    """An error in words; brackets inside would end it early."""
    plain = text.replace("<", "(").replace(">", ")").encode("ascii", "backslashreplace")
    return b"< error " + plain + b" >"
