"""The tables of a protection file as TOML has them: their fields, and errors that name the key.

What they mean is in `protection_file`.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from simcore.errors import InputError
from simcore.network.secoc_config import SecOcTable


class ChecksumTable(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """A simple checksum of a message."""

    algorithm: str
    init: int | None = None
    xorout: int | None = None
    prefix: list[int] = []
    id_bytes: int = 0
    """Bytes of the CAN id before the payload, the most significant first."""
    includes_length: bool = False
    """Whether the payload's length goes before all else."""
    skips_itself: bool = True


class MessageTable(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What `[e2e.messages.NAME]` may say."""

    profile: str | int | None = None
    preset: str | None = None
    data_id: int | None = None
    data_id_list: list[int] | int | str | None = None
    data_id_mode: str | None = None
    offset_bits: int | None = None
    crc_offset_bits: int | None = None
    counter_offset_bits: int | None = None
    data_id_nibble_offset_bits: int | None = None
    max_delta_counter: int | None = None
    max_delta_counter_init: int | None = None
    max_no_new_or_repeated_data: int | None = None
    sync_counter_init: int | None = None
    profile_behavior: bool | None = None
    min_length: int | None = None
    max_length: int | None = None
    strict: bool | None = None
    counter_signal: str | None = None
    checksum_signal: str | None = None
    counter_max: int | None = None
    checksum: ChecksumTable | None = None


class E2eTable(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """`[e2e]`."""

    preset: str | None = None
    max_delta_counter: int | None = None
    strict: bool | None = None
    messages: dict[str, MessageTable] = {}


class SecOcSection(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """`[secoc]`."""

    messages: dict[str, SecOcTable] = {}


class Tables(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    e2e: E2eTable = E2eTable()
    secoc: SecOcSection = SecOcSection()


_Struct = TypeVar("_Struct", bound=msgspec.Struct)
_Section = TypeVar("_Section", E2eTable, SecOcSection)


def parsed(text: str, name: str) -> Tables:
    """The tables in `text`. Raises `InputError` for what is no TOML or has an unknown field."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+), column \d+\)", str(error))
        raise InputError(
            f"not a valid TOML file: {error}", file=name, line=int(found[1]) if found else None
        ) from None
    try:
        _converted({key: {} for key in raw}, Tables, "")
        return Tables(
            e2e=_section(raw.get("e2e", {}), "e2e", E2eTable, MessageTable),
            secoc=_section(raw.get("secoc", {}), "secoc", SecOcSection, SecOcTable),
        )
    except InputError as error:
        key = error.where.partition(":")[0]
        raise InputError(error.where, file=name, line=line_of_key(text, key)) from None


def line_of_key(text: str, key: str | Sequence[str]) -> int | None:
    """The line on which a key (`e2e.messages.Brake.profile`), or most of it, is written."""
    wanted = tuple(_parts(key) if isinstance(key, str) else key)
    table: tuple[str, ...] = ()
    line, known = None, 0
    for number, row in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", row)
        pair = re.match(r"""\s*((?:[\w.\s-]|"[^"]*"|'[^']*')+?)\s*=""", row)
        if header is not None:
            full = table = tuple(_parts(header[1]))
        elif pair is not None:
            full = (*table, *_parts(pair[1]))
        else:
            continue
        same = next((i for i, (a, b) in enumerate(zip(full, wanted, strict=False)) if a != b), None)
        length = min(len(full), len(wanted)) if same is None else same
        if length > known:
            line, known = number, length
    return line


def _parts(key: str) -> list[str]:
    """The names in a dotted key, without quotes."""
    found = re.findall(r"""\"([^"]*)\"|'([^']*)'|([\w-]+)""", key)
    return ["".join(each) for each in found]


def _section(raw: Any, key: str, kind: type[_Section], row: type[Any]) -> _Section:
    """One section, its messages one by one so that errors name them."""
    messages = raw.get("messages", {}) if isinstance(raw, dict) else {}
    if not isinstance(messages, dict):
        raise InputError(f"{key}.messages: expected a table per message, got {messages!r}")
    section = _converted(raw if not messages else raw | {"messages": {}}, kind, key)
    rows = {
        name: _converted(each, row, f"{key}.messages.{name}") for name, each in messages.items()
    }
    return msgspec.structs.replace(section, messages=rows)


def _converted(raw: Any, kind: type[_Struct], key: str) -> _Struct:
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        sentence, _, path = str(error).partition(" - at ")
        inner = path.strip("`").removeprefix("$").removeprefix(".")
        full = ".".join(part for part in (key, inner) if part)
        unknown = re.fullmatch(r"Object contains unknown field `(.*)`", sentence)
        if unknown is None:
            raise InputError(f"{full}: {_in_words(sentence, raw, inner)}") from None
        fields = (ChecksumTable if inner else kind).__struct_fields__
        full = f"{full}.{unknown[1]}" if full else unknown[1]
        raise InputError(f"{full}: unknown field{nearest(unknown[1], fields)}") from None


_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a string",
    "array": "a list",
    "object": "a table",
}


def _in_words(sentence: str, raw: Any, path: str) -> str:
    """What the parser says of a wrong type, in the words of TOML and with what is written."""
    found = re.fullmatch(r"Expected `([\w| ]+)`, got `(\w+)`", sentence)
    if found is None:
        missing = re.fullmatch(r"Object missing required field `(.*)`", sentence)
        if missing is not None:
            return f"expected a table with {missing[1]}"
        return f"{sentence[0].lower()}{sentence[1:]}"
    kinds = [kind for kind in found[1].split(" | ") if kind != "null"]
    expected = " or ".join(_WORDS.get(kind, kind) for kind in kinds)
    return f"expected {expected}, got {_written(raw, path, found[2])}"


def _written(raw: Any, path: str, kind: str) -> str:
    """The value at `path`, tables and lists by their kind."""
    value = raw
    for name, index in re.findall(r"(\w+)|\[(\d+)\]", path):
        value = value[int(index)] if index else value[name]
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, str | int | float) else _WORDS.get(kind, kind)


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint at the most similar name, or nothing."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f": did you mean {near[0]!r}?" if near else ""
