"""The network database: messages, signals and nodes as a DBC file describes them.

The file is parsed by cantools in its strict mode; this module turns the result into immutable
objects, reads the attributes the simulation needs (cycle times, send types, start values, E2E) and
checks what cantools does not: unique ids, start values that fit, the layout of E2E headers.
Encoding and decoding live in `codec`. Attribute names follow the usual interaction-layer
conventions (`GenMsgCycleTime`, `GenSigStartValue`, ...) plus `E2EProfile`, `E2EDataId` and
`GenSigFuncType`. E2E profile 5 header layout: AUTOSAR PRS E2E Protocol, profile 05.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import cantools.database

from simcore.errors import InputError, UsageError
from simcore.network.messages import (
    E2eConfig,
    Message,
    Number,
    Signal,
    message_label,
    unknown_name,
)
from simcore.resources import dbc_path
from simcore.units import NS_PER_MS

if TYPE_CHECKING:
    import os

    from cantools.database.can import Database as CanDatabase
    from cantools.database.can import Message as CanMessage
    from cantools.database.can import Signal as CanSignal


class Database:
    """Messages and nodes of one DBC file. Immutable, shared by copies, pickled as its text."""

    __slots__ = (
        "_by_id",
        "_by_name",
        "_received",
        "_sent",
        "_text",
        "data_bps",
        "is_fd",
        "messages",
        "name",
        "nodes",
        "nominal_bps",
        "redundant_nodes",
    )

    def __init__(self, parsed: CanDatabase, text: str, name: str) -> None:
        reader = _Reader(self, parsed, text, name)
        self.name = name
        self._text = text
        self.nodes: tuple[str, ...] = tuple(node.name for node in parsed.nodes)
        self.messages: tuple[Message, ...] = reader.messages()
        self.redundant_nodes: frozenset[str] = reader.redundant_nodes()
        """Nodes connected to the redundant bus, too."""
        self.nominal_bps: int | None = reader.bitrate_bps("Baudrate")
        self.data_bps: int | None = reader.bitrate_bps("BaudrateCANFD")
        self.is_fd: bool = any(message.is_fd for message in self.messages)
        self._by_name = {message.name: message for message in self.messages}
        self._by_id = {(m.arbitration_id, m.is_extended_id): m for m in self.messages}
        self._sent = {
            node: tuple(m for m in self.messages if node in m.senders) for node in self.nodes
        }
        self._received = {
            node: tuple(m for m in self.messages if node in m.receivers) for node in self.nodes
        }

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Database:
        """Read the DBC file at `path`: UTF-8 where its bytes are that, else Windows-1252.

        Raises `InputError` with file and, where known, line.
        """
        name = str(path)
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise InputError(
                "network database", expected="a readable DBC file", got=error.strerror, file=name
            ) from None
        return cls.from_text(_text_of(content, name), name=name)

    @classmethod
    def from_text(cls, text: str, *, name: str = "database.dbc") -> Database:
        """The database in the DBC `text`; `name` stands for the file in error texts.

        The same text under the same name is parsed once per process.
        """
        text = text.replace("\r\n", "\n")
        known = _CACHE.get((name, text))
        if known is None:
            known = _CACHE[name, text] = Database(_parsed(text, name), text, name)
        return known

    @classmethod
    def reference(cls) -> Database:
        """The packaged chassis CAN FD interface, `chassis_fd.dbc`."""
        path = dbc_path("chassis_fd.dbc")
        return cls.from_text(_text_of(path.read_bytes(), path.name), name=path.name)

    def message(self, name_or_id: str | int, *, is_extended_id: bool | None = None) -> Message:
        """The message of that name or arbitration id.

        An id that exists in both formats needs `is_extended_id`. Raises `UsageError` for an
        unknown one, with the nearest name.
        """
        if isinstance(name_or_id, str):
            named = self._by_name.get(name_or_id)
            if named is None:
                raise unknown_name("unknown message", name_or_id, self._by_name)
            return named
        kinds = (False, True) if is_extended_id is None else (is_extended_id,)
        found = [m for kind in kinds if (m := self._by_id.get((name_or_id, kind))) is not None]
        if len(found) != 1:
            problem = "in both formats, pass is_extended_id" if found else "not in the database"
            raise UsageError(f"message id {name_or_id:#05x} is {problem} ({self.name})")
        return found[0]

    def sent_by(self, node: str) -> tuple[Message, ...]:
        """The messages `node` sends, in database order."""
        if node not in self._sent:
            raise unknown_name("unknown node", node, self.nodes)
        return self._sent[node]

    def received_by(self, node: str) -> tuple[Message, ...]:
        """The messages of which `node` receives at least one signal, in database order."""
        if node not in self._received:
            raise unknown_name("unknown node", node, self.nodes)
        return self._received[node]

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _database_of, (self._text, self.name)

    def __repr__(self) -> str:
        return f"<Database {self.name}: {len(self.messages)} messages>"


_CACHE: dict[tuple[str, str], Database] = {}


def _database_of(text: str, name: str) -> Database:
    return Database.from_text(text, name=name)


def _text_of(content: bytes, name: str) -> str:
    if b"\0" in content:
        raise InputError("network database", expected="text", got="NUL bytes", file=name)
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputError(
        "network database", expected="text in UTF-8 or Windows-1252", got="other bytes", file=name
    )


def _parsed(text: str, name: str) -> CanDatabase:
    try:
        parsed = cantools.database.load_string(text, "dbc", strict=True)
    except Exception as error:  # what a parser raises on arbitrary text is not a closed list
        cause = getattr(error, "e_dbc", None) or error
        line = getattr(cause, "line", None)
        reason = str(cause) or type(cause).__name__
        message = re.search(r" in message (\w+)\.$", reason)
        if line is None and message is not None:
            line = _line_of(text, message[1])
        raise InputError(f"not a valid DBC: {reason}", file=name, line=line) from error
    assert isinstance(parsed, cantools.database.Database)
    return parsed


def _line_of(text: str, message: str) -> int | None:
    """The line of the `BO_` entry of `message`."""
    found = re.search(rf"^\s*BO_\s+\d+\s+{re.escape(message)}\s*:", text, re.MULTILINE)
    return None if found is None else text.count("\n", 0, found.start(0)) + 1


class _Reader:
    """Turns what cantools parsed into our objects; all checks of a file are here."""

    def __init__(self, database: Database, parsed: CanDatabase, text: str, name: str) -> None:
        self._database = database
        self._parsed = parsed
        self._text = text
        self._file = name

    def messages(self) -> tuple[Message, ...]:
        parsed = self._parsed.messages
        self._refuse_twins("message name", [(m.name, m) for m in parsed])
        self._refuse_twins(
            "arbitration id", [((m.frame_id, m.is_extended_frame), m) for m in parsed]
        )
        messages = tuple(self._message(each) for each in parsed)
        protected = [(m.e2e.data_id, p) for m, p in zip(messages, parsed, strict=True) if m.e2e]
        self._refuse_twins("E2E data id", protected)
        return messages

    def redundant_nodes(self) -> frozenset[str]:
        nodes = self._parsed.nodes
        return frozenset(
            node.name for node in nodes if self._attribute(node, "RedundantNode") == "Yes"
        )

    def bitrate_bps(self, attribute: str) -> int | None:
        value = self._attribute(self._parsed, attribute)
        return int(value) if isinstance(value, (int, float)) and value > 0 else None

    def _message(self, parsed: CanMessage) -> Message:
        if parsed.is_container:
            raise self._bad(parsed, "unsupported: container message")
        signals = tuple(self._signal(parsed, signal) for signal in parsed.signals)
        by_name = {signal.name: signal for signal in signals}
        if len(by_name) != len(signals):
            raise self._bad(parsed, "two signals of the same name")
        if parsed.length > 64:
            raise self._bad(parsed, "length", expected="0..64 bytes", got=f"{parsed.length} bytes")
        ordered = [n.name for n in self._parsed.nodes if n.name in parsed.receivers]
        return Message(
            database=self._database,
            name=parsed.name,
            arbitration_id=parsed.frame_id,
            is_extended_id=parsed.is_extended_frame,
            is_fd=parsed.is_fd,
            bitrate_switch=parsed.is_fd
            and str(self._attribute(parsed, "CANFD_BRS", default="1")) != "0",
            length=parsed.length,
            senders=tuple(parsed.senders),
            receivers=tuple(ordered),
            comment=parsed.comment or "",
            cycle_time_ns=self._time_ns(parsed, "GenMsgCycleTime") or None,
            start_delay_ns=self._time_ns(parsed, "GenMsgStartDelayTime"),
            min_gap_ns=self._time_ns(parsed, "GenMsgDelayTime"),
            is_redundant=self._attribute(parsed, "RedundantBus") == "Yes",
            send_type=str(self._attribute(parsed, "GenMsgSendType", default="")),
            e2e=self._e2e(parsed, by_name),
            signals=signals,
            _by_name=by_name,
            _codecs=[],
        )

    def _signal(self, message: CanMessage, parsed: CanSignal) -> Signal:
        signal = Signal(
            name=parsed.name,
            start_bit=parsed.start,
            length=parsed.length,
            byte_order=parsed.byte_order,
            is_signed=parsed.is_signed and not parsed.is_float,
            is_float=parsed.is_float,
            scale=parsed.scale,
            offset=parsed.offset,
            minimum=parsed.minimum,
            maximum=parsed.maximum,
            unit=parsed.unit or "",
            choices={raw: str(text) for raw, text in (parsed.choices or {}).items()},
            start_raw=self._start_raw(message, parsed),
            receivers=tuple(parsed.receivers),
            comment=parsed.comment or "",
            is_multiplexer=parsed.is_multiplexer,
            multiplexer_signal=parsed.multiplexer_signal,
            multiplexer_ids=tuple(sorted(parsed.multiplexer_ids or ())),
        )
        where = f"signal {signal.name}"
        if signal.scale == 0:
            raise self._bad(message, where, expected="a factor other than 0", got="0")
        if signal.is_float and signal.length not in (16, 32, 64):
            raise self._bad(
                message, where, expected="a float of 16, 32 or 64 bits", got=f"{signal.length} bits"
            )
        if signal.is_multiplexer and (signal.is_float or not signal.is_identity):
            raise self._bad(message, f"{where}: unsupported: scaled or float multiplexer")
        lowest, highest = signal.raw_limits
        if not lowest <= signal.start_raw <= highest:
            raise self._bad(
                message,
                f"{where}: start value",
                expected=f"{lowest}..{highest} raw",
                got=signal.start_raw,
            )
        return signal

    def _start_raw(self, message: CanMessage, parsed: CanSignal) -> Number:
        value = self._attribute(parsed, "GenSigStartValue", default=0)
        if parsed.is_float:
            return float(value)
        if int(value) != value:
            raise self._bad(
                message,
                f"signal {parsed.name}: start value",
                expected="a whole raw value",
                got=value,
            )
        return int(value)

    def _e2e(self, parsed: CanMessage, signals: dict[str, Signal]) -> E2eConfig | None:
        profile = self._attribute(parsed, "E2EProfile", default="None")
        if profile in ("None", ""):
            return None
        config = E2eConfig(
            profile=str(profile),
            data_id=self._data_id(parsed),
            counter_signal=self._with_function(parsed, "Counter"),
            checksum_signal=self._with_function(parsed, "Checksum"),
        )
        if config.profile == "P05":
            self._check_place(parsed, signals[config.checksum_signal], first_bit=0, length=16)
            self._check_place(parsed, signals[config.counter_signal], first_bit=16, length=8)
        return config

    def _data_id(self, parsed: CanMessage) -> int:
        value = self._attribute(parsed, "E2EDataId")
        if not isinstance(value, int) or not 0 <= value <= 0xFFFF:
            raise self._bad(
                parsed,
                "E2E protection",
                expected="an E2EDataId of 0..65535",
                got="none" if value is None else value,
            )
        return value

    def _check_place(
        self, parsed: CanMessage, signal: Signal, *, first_bit: int, length: int
    ) -> None:
        is_there = (signal.start_bit, signal.length) == (first_bit, length)
        if is_there and signal.byte_order == "little_endian" and signal.is_identity:
            return
        raise self._bad(
            parsed,
            f"signal {signal.name}: E2E profile P05",
            expected=f"{length} bits from bit {first_bit}, little-endian, unscaled",
            got=f"{signal.length} bits from bit {signal.start_bit}, {signal.byte_order}, "
            f"factor {signal.scale}, offset {signal.offset}",
        )

    def _with_function(self, parsed: CanMessage, function: str) -> str:
        names = [s.name for s in parsed.signals if self._attribute(s, "GenSigFuncType") == function]
        if len(names) != 1:
            raise self._bad(
                parsed,
                "E2E protection",
                expected=f"one signal with GenSigFuncType {function!r}",
                got=", ".join(names) or "none",
            )
        return names[0]

    def _time_ns(self, parsed: CanMessage, attribute: str) -> int:
        value = self._attribute(parsed, attribute, default=0)
        nanoseconds = value * NS_PER_MS
        if nanoseconds < 0 or nanoseconds != int(nanoseconds):
            raise self._bad(parsed, attribute, expected="a time in ms, 0 or more", got=value)
        return int(nanoseconds)

    def _attribute(self, owner: Any, name: str, default: Any = None) -> Any:
        """The value of attribute `name`, else its default in the file, else `default`.

        cantools hands out enumerations as their index: the text is in the definition.
        """
        own = owner.dbc.attributes.get(name) if owner.dbc is not None else None
        if own is not None:
            texts = own.definition.choices if own.definition.type_name == "ENUM" else None
            return texts[int(own.value)] if texts else own.value
        specifics = self._parsed.dbc
        definition = None if specifics is None else specifics.attribute_definitions.get(name)
        if definition is None or definition.default_value is None:
            return default
        return definition.default_value

    def _refuse_twins(self, what: str, messages: Sequence[tuple[object, CanMessage]]) -> None:
        seen: dict[object, CanMessage] = {}
        for key, message in messages:
            twin = seen.setdefault(key, message)
            if twin is not message:
                labels = [
                    message_label(m.frame_id, m.is_extended_frame, m.name) for m in (twin, message)
                ]
                raise InputError(
                    f"messages {labels[0]} and {labels[1]} have the same {what}",
                    file=self._file,
                    line=_line_of(self._text, message.name),
                )

    def _bad(
        self, parsed: CanMessage, where: str, *, expected: object = None, got: object = None
    ) -> InputError:
        return InputError(
            f"message {parsed.name}, {where}",
            expected=expected,
            got=got,
            file=self._file,
            line=_line_of(self._text, parsed.name),
        )
