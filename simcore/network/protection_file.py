"""Settings of E2E and SecOC in a TOML file beside the database: `<stem>.protection.toml`.

    [e2e]                              # for every message; all of it may be left out
    preset = "hyundai_canfd"           # or "vw_mqb": messages with that layout, see `e2e_presets`
    max_delta_counter = 3
    strict = false                     # receivers take over no counter out of sequence

    [e2e.messages.Brake]               # a profile: its data id and whatever `E2eConfig` has
    profile = "P05"                    # "None" leaves the message unprotected
    data_id = 0x123

    [e2e.messages.ESP_21]
    data_id_list = [1, 2, 3, ...]      # P02, P22: 16 numbers, or one for all

    [e2e.messages.Alive]
    profile = "COUNTER"                # a rolling counter alone
    counter_signal = "Cnt"

    [e2e.messages.Old]
    profile = "CHECKSUM"               # a simple checksum, with or without a counter
    checksum_signal = "Sum"
    checksum = { algorithm = "sum8", id_bytes = 2, includes_length = true }

    [secoc.messages.Command]           # see `secoc_config.SecOcTable`
    profile = 1

    [secoc.messages.FvSync]            # freshness of several counters: the master's message
    freshness_sync = true

What stands here goes before the attributes in the database; a message's own table goes before
`[e2e]`. Without `profile` or `preset` a message's table changes single settings of what the
attributes say. Signals of a header are found by their place unless they are named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Self

from simcore.errors import InputError, UsageError
from simcore.network.e2e_attributes import (
    LIST_LENGTH,
    AttributeValue,
    attribute_value,
    data_ids_of,
    profile_of,
    signal_named,
)
from simcore.network.e2e_config import (
    E2eConfig,
    PlainChecksum,
    check_places,
    e2e_config_of,
    place_of,
    plain_counter,
)
from simcore.network.e2e_layout import PLAIN, PROFILES, Place, bit_positions
from simcore.network.e2e_presets import PRESETS, MessageFacts, lacks_list
from simcore.network.messages import Message, Signal
from simcore.network.protection_tables import (
    ChecksumTable,
    E2eTable,
    MessageTable,
    line_of_key,
    nearest,
    parsed,
)
from simcore.network.secoc_config import SecOcTable

_LEGACY = ("P01", "P02")
_MODES = ("P01", "P11")
_LISTS = ("P02", "P22")
_VARIABLE = tuple(name for name, layout in PROFILES.items() if layout.length is not None)


_ONLY: dict[str, tuple[str, ...]] = {
    "data_id_list": _LISTS,
    "data_id_mode": _MODES,
    "crc_offset_bits": _MODES,
    "counter_offset_bits": _MODES,
    "data_id_nibble_offset_bits": _MODES,
    "max_delta_counter_init": _LEGACY,
    "max_no_new_or_repeated_data": _LEGACY,
    "sync_counter_init": _LEGACY,
    "profile_behavior": _LEGACY,
    "min_length": _VARIABLE,
    "max_length": _VARIABLE,
    "data_id": tuple(name for name in PROFILES if name not in _LISTS),
    "offset_bits": tuple(PROFILES),
    "counter_max": PLAIN,
    "checksum": ("CHECKSUM",),
    "checksum_signal": (*PROFILES, "CHECKSUM"),
}
"""Setting -> the profiles that have it. What is not listed, every profile has."""

_COPIED = (
    *("data_id", "offset_bits", "crc_offset_bits", "counter_offset_bits", "strict"),
    *("data_id_nibble_offset_bits", "max_delta_counter", "max_delta_counter_init"),
    *("max_no_new_or_repeated_data", "sync_counter_init", "profile_behavior"),
    *("min_length", "max_length", "counter_max"),
)
"""Settings that go into `E2eConfig` as they are."""


class ProtectionFile:
    """The settings of one file. Never changes; shared by copies, pickled as its text."""

    def __init__(self, text: str, name: str = "protection.toml") -> None:
        """Raises `InputError` with file and key for what is no TOML or not understood."""
        self.text = text
        self.name = name
        self._file = parsed(text, name)
        for key, preset in self._presets():
            if preset is not None and preset not in PRESETS:
                raise self._bad(key, f"one of {' '.join(PRESETS)}", repr(preset))

    @classmethod
    def of_preset(cls, preset: str) -> ProtectionFile:
        """As if a file said nothing but `preset`."""
        return cls(f'[e2e]\npreset = "{preset}"\n', f"preset {preset}")

    def check_messages(self, names: Iterable[str]) -> None:
        """Raises `InputError` for a message that is not among `names`."""
        known = list(names)
        for section, table in (
            ("e2e", self._file.e2e.messages),
            ("secoc", self._file.secoc.messages),
        ):
            for name in table:
                if name not in known:
                    hint = nearest(name, known)
                    raise self._bad(f"{section}.messages.{name}: unknown message{hint}")

    def secoc_table(self, message_name: str) -> SecOcTable | None:
        """What the file says of a message's SecOC."""
        return self._file.secoc.messages.get(message_name)

    def e2e_config_of(
        self,
        *,
        message_name: str,
        arbitration_id: int,
        length: int,
        attributes: Mapping[str, AttributeValue],
        signals: Iterable[Signal] | Mapping[str, Signal],
    ) -> E2eConfig | None:
        """Settings of one message, from the file over its attributes; None for unprotected.

        Raises `InputError` for settings that are incomplete or contradict the signals' places.
        """
        members = tuple(signals.values() if isinstance(signals, Mapping) else signals)
        facts = MessageFacts(
            name=message_name, arbitration_id=arbitration_id, length=length, signals=members
        )
        table = self._file.e2e.messages.get(message_name) or MessageTable()
        try:
            return _Settings(self._file.e2e, table, facts, attributes).config()
        except (InputError, UsageError) as error:
            where = error.where.removeprefix(f"message {message_name}, ")
            raise InputError(
                f"message {message_name}, {where}",
                expected=error.expected,
                got=error.got,
                file=self.name,
                line=self._line_of(message_name, error.where),
            ) from None

    @property
    def preset(self) -> str | None:
        """The preset for all messages."""
        return self._file.e2e.preset

    def names_data_id(self, message_name: str) -> bool:
        """Whether the file, rather than an attribute, says which data id a message has."""
        table = self._file.e2e.messages.get(message_name)
        return table is not None and (table.data_id, table.profile, table.preset) != (None,) * 3

    def preset_remark(self, messages: Iterable[Message]) -> str:
        """What to say of a preset for all messages that leaves some, or all, unprotected."""
        preset = self._file.e2e.preset
        if preset is None:
            return ""
        own = self._file.e2e.messages
        free = [m for m in messages if (own.get(m.name) or MessageTable()).profile is None]
        if preset == "vw_mqb":
            bare = [m.name for m in free if m.e2e is None and lacks_list(_facts_of(m))]
            if bare:
                names = ", ".join(bare[:8]) + (", ..." if len(bare) > 8 else "")
                has = "message has" if len(bare) == 1 else "messages have"
                return f"{len(bare)} {has} the layout, data_id_list missing: {names}"
        some_list = (0,) * LIST_LENGTH
        if any(m.e2e is not None and PRESETS[preset](_facts_of(m), some_list) for m in free):
            return ""
        return "no message has its layout: nothing is protected by it"

    def _line_of(self, message_name: str, where: str) -> int | None:
        """The line of a message's setting, else that of its table."""
        setting = where.rpartition(": ")[2].rpartition(", ")[2]
        return line_of_key(self.text, ("e2e", "messages", message_name, setting))

    def _presets(self) -> Iterable[tuple[str, str | None]]:
        yield "e2e.preset", self._file.e2e.preset
        for name, table in self._file.e2e.messages.items():
            yield f"e2e.messages.{name}.preset", table.preset

    def _bad(self, where: str, expected: object = None, got: object = None) -> InputError:
        line = line_of_key(self.text, where.partition(":")[0])
        return InputError(where, expected=expected, got=got, file=self.name, line=line)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return ProtectionFile, (self.text, self.name)


def _facts_of(message: Message) -> MessageFacts:
    return MessageFacts(
        name=message.name,
        arbitration_id=message.arbitration_id,
        length=message.length,
        signals=message.signals,
    )


class _Settings:
    """One message's settings on their way to an `E2eConfig`."""

    def __init__(
        self,
        defaults: E2eTable,
        table: MessageTable,
        message: MessageFacts,
        attributes: Mapping[str, AttributeValue],
    ) -> None:
        self._defaults = defaults
        self._table = table
        self._message = message
        self._attributes = attributes

    def config(self) -> E2eConfig | None:
        table = self._table
        if table.profile is not None:
            return self._explicit(table.profile)
        config = self._preset() if table.preset is not None else self._from_attributes()
        if config is None and table.preset is None and self._defaults.preset is not None:
            config = self._preset()
        if config is None:
            if table == MessageTable():
                return None
            raise InputError(
                "e2e", expected="a profile, here or in the database, or a layout of the preset"
            )
        self._check_applicable(config.profile)
        if config.profile in PLAIN:
            return replace(config, **self._changes(is_plain=True))
        changes: dict[str, Any] = self._changes()
        if config.profile in _LISTS and table.data_id_list is not None:
            changes["data_id_list"] = self._list()
        if table.data_id_mode is not None:
            changes["data_id_mode"] = table.data_id_mode
        return self._placed(replace(config, **changes))

    def _explicit(self, spelt: str | int) -> E2eConfig | None:
        try:
            profile = profile_of(spelt)
        except ValueError:
            raise InputError(
                "profile", expected=f"one of {' '.join([*PROFILES, *PLAIN])}", got=repr(spelt)
            ) from None
        if profile is None:
            return None
        self._check_applicable(profile)
        if profile == "COUNTER":
            return replace(self._counter(), **self._changes(is_plain=True))
        if profile == "CHECKSUM":
            return replace(self._checksum(), **self._changes(is_plain=True))
        has_list = PROFILES[profile].has_list
        if self._table.data_id is None and not has_list:
            raise InputError("E2E protection", expected="a data_id", got="none")
        config = E2eConfig(
            profile=profile,
            data_id_list=self._list() if has_list else (),
            data_id_mode=self._table.data_id_mode or "BOTH",
            **self._changes(),
        )
        return self._placed(config)

    def _from_attributes(self) -> E2eConfig | None:
        message = self._message
        attributes = dict(self._attributes)
        if self._table.data_id is not None:
            attributes["E2EDataId"] = self._table.data_id
        if self._table.data_id_list is not None:
            attributes["E2EDataIdList"] = " ".join(str(each) for each in self._list())
        return e2e_config_of(
            message_name=message.name,
            length=message.length,
            attributes=attributes,
            signals=message.signals,
        )

    def _preset(self) -> E2eConfig | None:
        name = self._table.preset or self._defaults.preset
        assert name is not None
        ids = self._list(is_required=False)
        return PRESETS[name](self._message, ids)

    def _list(self, *, is_required: bool = True) -> tuple[int, ...]:
        given = self._table.data_id_list
        if given is None:
            given = str(attribute_value(self._attributes, "dataidlist") or "")
        try:
            ids = data_ids_of(given) if isinstance(given, str) else ()
        except ValueError:
            ids = (-1,)
        if isinstance(given, int):
            ids = (given,) * LIST_LENGTH
        elif isinstance(given, list):
            ids = tuple(given) * (LIST_LENGTH if len(given) == 1 else 1)
        is_right = len(ids) == LIST_LENGTH and all(0 <= each <= 0xFF for each in ids)
        if is_right or (not ids and not is_required):
            return ids
        raise InputError(
            "data_id_list", expected="16 numbers of 0..255, or one for all", got=repr(given)
        )

    def _changes(self, *, is_plain: bool = False) -> dict[str, Any]:
        """What is given; the tolerance for all messages is meant for E2E counters."""
        given = {
            "max_delta_counter": None if is_plain else self._defaults.max_delta_counter,
            "strict": self._defaults.strict,
        }
        for name in _COPIED:
            value = getattr(self._table, name)
            if value is not None:
                given[name] = value
        return {name: value for name, value in given.items() if value is not None}

    def _check_applicable(self, profile: str) -> None:
        for name, profiles in _ONLY.items():
            given = getattr(self._table, name)
            if given is not None and profile not in profiles:
                raise InputError(f"{name}", expected=f"none in profile {profile}", got=given)

    def _placed(self, config: E2eConfig) -> E2eConfig:
        """With the names of the signals in the header, after a look at their places."""
        table = self._table
        moved = replace(
            config,
            checksum_signal=table.checksum_signal or self._signal_at(config.crc_place),
            counter_signal=table.counter_signal or self._signal_at(config.header_counter_place),
        )
        check_places(moved, self._message.name, self._message.length, self._message.signals)
        return moved

    def _signal_at(self, place: Place) -> str | None:
        """The signal at `place` or overlapping it; None where there is none."""
        wanted = set(place.bits())
        found = [
            s.name
            for s in self._message.signals
            if not wanted.isdisjoint(bit_positions(s.start_bit, s.length, s.byte_order))
        ]
        return found[0] if found else None

    # ---- counters and checksums that are no E2E ----

    def _counter(self) -> E2eConfig:
        name = self._table.counter_signal
        if name is None:
            raise InputError("COUNTER", expected="a counter_signal", got="none")
        return plain_counter(
            self._message.name,
            name,
            self._message.signals,
            counter_max=self._table.counter_max,
        )

    def _checksum(self) -> E2eConfig:
        table, message = self._table, self._message
        if table.checksum is None or table.checksum_signal is None:
            raise InputError("CHECKSUM", expected="a checksum_signal and a checksum", got="none")
        by_name = {signal.name: signal for signal in message.signals}
        signal = signal_named(message.name, table.checksum_signal, by_name)
        place = place_of(message.name, signal, message.signals)
        algorithm = self._algorithm(table.checksum)
        if table.counter_signal is None:
            return E2eConfig(
                profile="CHECKSUM",
                checksum_signal=signal.name,
                checksum_place=place,
                checksum=algorithm,
            )
        return replace(
            self._counter(),
            profile="CHECKSUM",
            checksum_signal=signal.name,
            checksum_place=place,
            checksum=algorithm,
        )

    def _algorithm(self, table: ChecksumTable) -> PlainChecksum:
        message = self._message
        prefix = b""
        if table.includes_length:
            prefix += bytes((message.length,))
        try:
            if table.id_bytes:
                prefix += message.arbitration_id.to_bytes(table.id_bytes, "big")
            prefix += bytes(table.prefix)
        except (OverflowError, ValueError):
            raise InputError(
                "checksum",
                expected="id_bytes that hold the CAN id, a prefix of 0..255",
                got=f"{table.id_bytes} for {message.arbitration_id:#x}, {table.prefix}",
            ) from None
        return PlainChecksum(
            algorithm=table.algorithm,
            init=table.init,
            xorout=table.xorout,
            prefix=prefix,
            skips_itself=table.skips_itself,
        )
