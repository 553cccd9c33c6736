"""From what cantools parsed to our immutable messages and signals, with every check of a file.

Attribute names follow the usual interaction-layer conventions (`GenMsgCycleTime`,
`GenSigStartValue`, ...). What is wrong but does not keep the file from loading becomes a `Problem`.
Settings of E2E and SecOC are read by `e2e_config` and `secoc_config`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeVar

from simcore.errors import InputError, UsageError
from simcore.network.choice import Choice
from simcore.network.codegen import fits as fits_bits
from simcore.network.e2e_attributes import AttributeReader, attribute_value
from simcore.network.e2e_config import e2e_config_of
from simcore.network.e2e_layout import PLAIN, PROFILES
from simcore.network.interaction_check import send_findings
from simcore.network.loading import Source, line_of_name
from simcore.network.messages import AttributeValue, Message, Number, Signal, message_label
from simcore.network.pages import PageTree, defect_of, fits
from simcore.network.problems import Problem, Severity
from simcore.network.protection_file import ProtectionFile
from simcore.network.protection_tables import line_of_key
from simcore.network.secoc_attributes import (
    freshness_defects,
    secoc_config_of,
    sync_config_of,
)
from simcore.units import NS_PER_MS

if TYPE_CHECKING:
    from cantools.database.can import Database as CanDatabase
    from cantools.database.can import Message as CanMessage
    from cantools.database.can import Signal as CanSignal

    from simcore.network.database import Database
    from simcore.network.e2e_config import E2eConfig
    from simcore.network.secoc_config import SecOcConfig, SyncConfig

_Settings = TypeVar("_Settings")
_NO_ATTRIBUTES: dict[str, AttributeValue] = {}


class Reader:
    """Turns what cantools parsed into our objects and collects the problems it meets."""

    def __init__(self, database: Database, parsed: CanDatabase, source: Source) -> None:
        self._database = database
        self._parsed = parsed
        self._source = source
        self._defaults: dict[str | None, dict[str, AttributeValue]] = {}
        self._lines: dict[str, int | None] = {}
        self.problems: list[Problem] = []
        self._report_lost_text()
        self._protection = self._settings()
        specifics = parsed.dbc
        for name, each in ({} if specifics is None else specifics.attribute_definitions).items():
            if each.default_value is not None:
                kind = self._defaults.setdefault(each.kind, {})
                kind[name] = _default_text(each.default_value, each.choices)

    def _settings(self) -> ProtectionFile | None:
        """The settings beside the database; in a lenient load they may name absent messages."""
        source = self._source
        if source.protection is None:
            return None
        settings = ProtectionFile(source.protection, source.protection_name)
        try:
            settings.check_messages(message.name for message in self._parsed.messages)
        except InputError as error:
            if not source.lenient:
                raise
            problem = Problem("warning", error.where, "not in the database", settings.name, None)
            self.problems.append(problem)
        return settings

    # ---- the network ----

    def messages(self) -> tuple[Message, ...]:
        parsed = self._parsed.messages
        messages = tuple(self._message(index, each) for index, each in enumerate(parsed))
        self._report_twins("message name", [((m.bus, m.name), m) for m in messages])
        ids = [((m.bus, m.arbitration_id, m.is_extended_id), m) for m in messages]
        self._report_twins("arbitration id", ids)
        protected = [
            ((m.bus, m.e2e.identity), m)
            for m in messages
            if m.e2e is not None and m.e2e.identity is not None
        ]
        self._report_twins("E2E data id", protected)
        self._check_secoc(messages)
        for finding in send_findings(messages):
            self._report("warning", finding.message, finding.where, finding.text)
        self._report_preset(messages)
        return messages

    def _report_preset(self, messages: Sequence[Message]) -> None:
        settings = self._protection
        if settings is None:
            return
        text = settings.preset_remark(messages)
        if text:
            preset = f"preset {settings.preset}"
            line = line_of_key(settings.text, "e2e.preset")
            self.problems.append(Problem("warning", preset, text, settings.name, line))

    def attributes(self) -> Mapping[str, AttributeValue]:
        return self._attributes_of(self._parsed, None)

    def node_attributes(self) -> dict[str, Mapping[str, AttributeValue]]:
        return {node.name: self._attributes_of(node, "BU_") for node in self._parsed.nodes}

    def bitrate_bps(self, attribute: str, bus_field: str, bus: str | None = None) -> int | None:
        """A rate of one bus; without a name that of the first bus that gives one."""
        value = self.attributes().get(attribute)
        if isinstance(value, (int, float)) and 0 < value < float("inf"):
            return int(value)
        buses = [each for each in self._parsed.buses if bus is None or each.name == bus]
        rates = [getattr(each, bus_field, None) for each in buses]
        return next((int(rate) for rate in rates if rate), None)

    # ---- one message ----

    def _message(self, index: int, parsed: CanMessage) -> Message:
        attributes = self._attributes_of(parsed, "BO_")
        signals = self._signals(parsed)
        defect, is_undecodable = self._defect(parsed, signals)
        if not defect:
            defect, is_undecodable = self._misplaced(parsed)
        is_fd, length = self._is_fd(parsed), max(parsed.length, 0)
        receivers = [n.name for n in self._parsed.nodes if n.name in parsed.receivers]
        settings = {
            "message_name": parsed.name,
            "length": length,
            "attributes": attributes,
            "signals": signals,
        }
        return Message(
            database=self._database,
            name=parsed.name or "",
            arbitration_id=parsed.frame_id,
            is_extended_id=parsed.is_extended_frame,
            is_fd=is_fd,
            bitrate_switch=is_fd and str(attributes.get("CANFD_BRS", "1")) != "0",
            length=length,
            senders=tuple(parsed.senders),
            receivers=tuple(receivers),
            comment=parsed.comment or "",
            cycle_time_ns=self._time_ns(
                parsed, attributes, "GenMsgCycleTime", parsed.cycle_time or 0
            )
            or None,
            start_delay_ns=self._time_ns(parsed, attributes, "GenMsgStartDelayTime"),
            min_gap_ns=self._time_ns(parsed, attributes, "GenMsgDelayTime"),
            is_redundant=attributes.get("RedundantBus") == "Yes",
            send_type=str(attributes.get("GenMsgSendType", parsed.send_type or "")),
            e2e=self._e2e(parsed, settings),
            secoc=self._secoc(parsed, settings),
            secoc_sync=self._secoc_sync(parsed, settings),
            signals=signals,
            attributes=attributes,
            bus=parsed.bus_name or "",
            defect=defect,
            is_undecodable=is_undecodable,
            unused_bit_pattern=parsed.unused_bit_pattern & 0xFF,
            _index=index,
            _by_name={signal.name: signal for signal in signals},
            _codecs=[],
        )

    def _is_fd(self, parsed: CanMessage) -> bool:
        if parsed.length <= (64 if parsed.is_fd else 8) or parsed.is_container:
            return parsed.is_fd
        if parsed.protocol == "j1939" or parsed.length > 64:
            text = f"{parsed.length} bytes are longer than a frame: it needs a transport protocol"
            self._report("warning", parsed, "", text)
            return parsed.is_fd
        text = f"{parsed.length} bytes are longer than a classic frame: taken as CAN FD"
        self._report("warning", parsed, "", text)
        return True

    def _defect(self, parsed: CanMessage, signals: Sequence[Signal]) -> tuple[str, bool]:
        """Why the message cannot be encoded, and whether it cannot be decoded either."""
        if parsed.is_container:
            text = "container message: unsupported"
            self._report("warning", parsed, "", text)
            return text, True
        defect, is_undecodable = defect_of(signals, parsed.length)
        if defect:
            self._report("error", parsed, "", defect)
        return defect, is_undecodable

    def _misplaced(self, message: CanMessage) -> tuple[str, bool]:
        """A message of which part lies nowhere is not used: its other signals may be elsewhere."""
        if message.length < 0:
            text = f"expected a length of 0 bytes or more, got {message.length}"
            self._report("error", message, "", text)
            return text, True
        for signal in message.signals:
            if signal.start < 0:
                expected = "expected a start bit of 0 or more"
                text = f"signal {signal.name}: {expected}, got {signal.start}"
                self._report("error", message, "", text)
                return text, True
        return "", False

    # ---- one signal ----

    def _signals(self, message: CanMessage) -> tuple[Signal, ...]:
        """The signals of `message` that lie within it."""
        found = []
        for parsed in message.signals:
            signal = self._signal(message, parsed)
            if fits(signal, message.length):
                found.append(signal)
            elif signal.start_bit >= 0 and message.length >= 0:
                text = f"it does not fit in {message.length} bytes"
                self._report("dropped", message, f"signal {signal.name}", text)
        if not any(signal.is_multiplexer for signal in found):
            return tuple(found)
        tree = PageTree(found)
        return tuple(self._on_a_page(message, tree, signal) for signal in found)

    def _on_a_page(self, message: CanMessage, tree: PageTree, signal: Signal) -> Signal:
        """`signal`; a multiplexer starts with its least number where its start selects nothing."""
        numbers = tree.numbers.get(signal.name)
        if numbers is None or not signal.is_multiplexer or signal.scale == 0:
            return signal
        if signal.start_value in numbers or not isfinite(signal.start_value):
            return signal
        raws = [raw for raw in map(signal.to_raw, sorted(numbers)) if fits_bits(signal, raw)]
        if not raws:
            return signal
        if "GenSigStartValue" in signal.attributes and signal.start_raw:
            text = f"{signal.start_raw} selects no page: {raws[0]} is used"
            self._report("warning", message, f"signal {signal.name}: start value", text)
        return replace(signal, start_raw=raws[0])

    def _signal(self, message: CanMessage, parsed: CanSignal) -> Signal:
        attributes = self._attributes_of(parsed, "SG_")
        choices = {
            int(raw): Choice(str(text), int(raw)) for raw, text in (parsed.choices or {}).items()
        }
        signal = Signal(
            name=parsed.name or "",
            start_bit=parsed.start,
            length=parsed.length,
            byte_order="big_endian" if parsed.byte_order == "big_endian" else "little_endian",
            is_signed=parsed.is_signed and not parsed.is_float,
            is_float=parsed.is_float,
            scale=_finite(parsed.scale),
            offset=_finite(parsed.offset),
            minimum=_limit(parsed.minimum),
            maximum=_limit(parsed.maximum),
            unit=parsed.unit or "",
            choices=choices,
            start_raw=0,
            receivers=tuple(parsed.receivers),
            comment=parsed.comment or "",
            is_multiplexer=parsed.is_multiplexer,
            multiplexer_signal=parsed.multiplexer_signal,
            multiplexer_ids=tuple(sorted(parsed.multiplexer_ids or ())),
            attributes=attributes,
        )
        return replace(signal, start_raw=self._start_raw(message, parsed, signal))

    def _start_raw(self, message: CanMessage, parsed: CanSignal, signal: Signal) -> Number:
        value = signal.attributes.get("GenSigStartValue", parsed.raw_initial)
        if value is None:
            return 0.0 if signal.is_float else 0
        where = f"signal {signal.name}: start value"
        if not isinstance(value, (int, float)) or value != value or abs(value) == float("inf"):
            self._report("error", message, where, f"expected a number, got {value!r}: 0 is used")
            return 0.0 if signal.is_float else 0
        if signal.is_float:
            return float(value)
        lowest, highest = signal.raw_limits
        if int(value) != value:
            text = f"expected a whole raw value, got {value}: 0 is used"
        elif not lowest <= value <= highest:
            text = f"expected {lowest}..{highest} raw, got {int(value)}: 0 is used"
        else:
            return int(value)
        self._report("error", message, where, text)
        return 0

    # ---- protection ----

    def _e2e(self, parsed: CanMessage, settings: dict[str, Any]) -> E2eConfig | None:
        try:
            if self._protection is None:
                config = e2e_config_of(**settings)
            else:
                config = self._protection.e2e_config_of(arbitration_id=parsed.frame_id, **settings)
            if config is not None and self._has_default_data_id(parsed, config, settings):
                text = f"{config.data_id} is only the attribute's default (BA_DEF_DEF_)"
                self._report("warning", parsed, "E2E data id", text)
            return config
        except (InputError, UsageError) as error:
            self._report_refusal(parsed, error)
        return None

    def _has_default_data_id(
        self, parsed: CanMessage, config: E2eConfig, settings: dict[str, Any]
    ) -> bool:
        """Whether nobody has written down the data id of a message whose attributes name a profile.

        What is protected by the settings file has its data id from there.
        """
        if config.profile in PLAIN or PROFILES[config.profile].has_list:
            return False
        if self._protection is not None and self._protection.names_data_id(parsed.name):
            return False
        reader = AttributeReader(parsed.name, settings["attributes"], settings["signals"])
        if reader.profile() is None:
            return False
        owners = [parsed.dbc, *(signal.dbc for signal in parsed.signals)]
        written = [dict.fromkeys(own.attributes, "") for own in owners if own is not None]
        return all(attribute_value(each, "dataid") is None for each in written)

    def _secoc(self, parsed: CanMessage, settings: dict[str, Any]) -> SecOcConfig | None:
        return self._secoc_settings(secoc_config_of, parsed, settings)

    def _secoc_sync(self, parsed: CanMessage, settings: dict[str, Any]) -> SyncConfig | None:
        return self._secoc_settings(sync_config_of, parsed, settings)

    def _secoc_settings(
        self, read: Callable[..., _Settings], parsed: CanMessage, settings: dict[str, Any]
    ) -> _Settings | None:
        try:
            if self._protection is None:
                return read(**settings)
            table = self._protection.secoc_table(parsed.name)
            return read(**settings, table=table, file=self._protection.name)
        except InputError as error:
            key = error.where.rpartition(", ")[2].split(".")
            if error.file is not None and self._protection is not None:
                error.line = line_of_key(self._protection.text, key)
            self._report_refusal(parsed, error)
        return None

    def _check_secoc(self, messages: Sequence[Message]) -> None:
        """What must be unique, and what several messages need of each other."""
        secured = [(m, m.secoc) for m in messages if m.secoc is not None]
        ids = [((m.bus, secoc.data_id), m) for m, secoc in secured]
        ids += [((m.bus, m.secoc_sync.data_id), m) for m in messages if m.secoc_sync is not None]
        self._report_twins("SecOC data id", ids, "secoc")
        single = [
            ((m.bus, sender, secoc.freshness_value_id), m)
            for m, secoc in secured
            if secoc.freshness_value_length and secoc.multi_counter is None
            for sender in m.senders
        ]
        self._report_twins("SecOC freshness value id", single, "secoc")
        for message, secoc in secured:
            e2e = message.e2e
            least = 0 if e2e is None or e2e.profile in PLAIN else e2e.least_length
            if least > secoc.authentic_length:
                text = (
                    f"the E2E header reaches to byte {least - 1}: expected it in front of the "
                    f"SecOC trailer, which begins at byte {secoc.authentic_length}"
                )
                self._report("error", message, "", text)
        for message, text in freshness_defects(messages):
            place = self._place(message.name, "secoc")
            self.problems.append(Problem("error", f"message {message.name}", text, *place))

    def _report_refusal(self, parsed: CanMessage, error: InputError | UsageError) -> None:
        """What `error` says, as a problem of the message."""
        where = error.where
        if not where.startswith(f"message {parsed.name}"):
            where = f"message {parsed.name}, {where}"
        expected, got = (
            "" if each is None else f"{word} {each}"
            for word, each in (("expected", error.expected), ("got", error.got))
        )
        text = ", ".join(part for part in (expected, got) if part) or "refused"
        file = getattr(error, "file", None)
        line = self._line(parsed.name) if file is None else getattr(error, "line", None)
        self.problems.append(Problem("error", where, text, file or self._source.name, line))

    # ---- attributes ----

    def _time_ns(
        self,
        parsed: CanMessage,
        attributes: Mapping[str, AttributeValue],
        name: str,
        default: Number = 0,
    ) -> int:
        value = attributes.get(name, default)
        if isinstance(value, (int, float)) and 0 <= value < 1e15:
            nanoseconds = value * NS_PER_MS
            if nanoseconds == int(nanoseconds):
                return int(nanoseconds)
        text = f"expected a time in ms, 0 or more, got {value}: 0 is used"
        self._report("error", parsed, name, text)
        return 0

    def _attributes_of(self, owner: Any, kind: str | None) -> dict[str, AttributeValue]:
        """Own attributes over the defaults of the file for that kind of object."""
        defaults = self._defaults.get(kind, _NO_ATTRIBUTES)
        own = None if owner.dbc is None else owner.dbc.attributes
        if not own:
            return defaults
        return {**defaults, **{name: _attribute_text(each) for name, each in own.items()}}

    # ---- problems ----

    def _report_lost_text(self) -> None:
        place = self._source.text.find("\ufffd")
        if place >= 0:
            line = self._source.text.count("\n", 0, place) + 1
            text = "characters that are neither UTF-8 nor Windows-1252 have been replaced"
            self.problems.append(Problem("warning", "text", text, self._source.name, line))

    def _report(
        self, severity: Severity, parsed: CanMessage | Message, where: str, text: str
    ) -> None:
        place = f"message {parsed.name}" + (f", {where}" if where else "")
        line = self._line(parsed.name)
        self.problems.append(Problem(severity, place, text, self._source.name, line))

    def _report_twins(
        self, what: str, messages: Sequence[tuple[Hashable, Message]], section: str = ""
    ) -> None:
        seen: dict[Hashable, Message] = {}
        for key, message in messages:
            twin = seen.setdefault(key, message)
            if twin is not message:
                labels = [
                    message_label(m.arbitration_id, m.is_extended_id, m.name)
                    for m in (twin, message)
                ]
                where = f"messages {labels[0]} and {labels[1]}"
                text = f"they have the same {what}"
                place = self._place(message.name, section)
                self.problems.append(Problem("error", where, text, *place))

    def _place(self, name: str, section: str) -> tuple[str, int | None]:
        """Where a message is: in the settings file, if that has a table of it in `section`."""
        settings = self._protection
        if settings is not None and section and settings.secoc_table(name) is not None:
            return settings.name, line_of_key(settings.text, (section, "messages", name))
        return self._source.name, self._line(name)

    def _line(self, name: str) -> int | None:
        if name not in self._lines:
            self._lines[name] = line_of_name(self._source, name)
        return self._lines[name]


def _limit(value: Number | None) -> Number | None:
    """A limit; one that is no finite number limits nothing."""
    return None if value is None or not isfinite(_finite(value)) else value


def _finite(value: Number) -> Number:
    """`value`, or infinity for whole numbers beyond every float."""
    return float("inf") if isinstance(value, int) and value.bit_length() > 1023 else value


def _attribute_text(attribute: Any) -> AttributeValue:
    """The value of an attribute; cantools hands out enumerations as their index."""
    value: AttributeValue = attribute.value
    definition = attribute.definition
    if definition.type_name != "ENUM":
        return value
    return _enum_text(value, definition.choices)


def _default_text(value: AttributeValue, choices: Sequence[str]) -> AttributeValue:
    return _enum_text(value, choices) if choices and value not in choices else value


def _enum_text(value: AttributeValue, choices: Sequence[str]) -> AttributeValue:
    """The text with the index `value`; the value itself as text where there is none."""
    try:
        index = int(value)
    except ValueError:
        return value
    return choices[index] if 0 <= index < len(choices) else str(value)
