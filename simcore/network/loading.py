"""From the bytes of a file to what cantools makes of them: formats, text, refusals with a line.

DBC, KCD, SYM and ARXML are parsed by cantools. A strict load refuses what cantools' strict mode
refuses; a lenient one leaves out what stands in the way (`salvage`). Sizes that no network has,
and that would exhaust memory, are refused before parsing. Turning the result into messages is the
job of `reading`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

import cantools.database

from simcore.errors import InputError, UsageError
from simcore.network.problems import Problem

if TYPE_CHECKING:
    from cantools.database.can import Database as CanDatabase

FORMATS = ("dbc", "kcd", "sym", "arxml")

LONGEST_MESSAGE = 1 << 16
"""Bytes; longer ones are refused, for their size alone fills the memory."""
_MOST_PAGES = 1 << 17
EXPECTED_SIZES = (
    f"at most {LONGEST_MESSAGE} bytes, {_MOST_PAGES} multiplexer values and exponents below 1000"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A database as text: what a `Database` is made of, and what it pickles as."""

    text: str
    name: str
    """Stands for the file in error texts."""
    format: str
    lenient: bool = False
    protection: str | None = None
    """Text of the TOML file with E2E and SecOC settings."""
    protection_name: str = ""


def format_of(name: str, given: str | None) -> str:
    """The format `given`, else that of the extension of `name`; `dbc` for an unknown extension."""
    if given is None:
        extension = PurePath(name).suffix[1:].lower()
        return extension if extension in FORMATS else "dbc"
    if given not in FORMATS:
        raise UsageError("database format", expected=f"one of {', '.join(FORMATS)}", got=given)
    return given


def text_of(content: bytes) -> str:
    """The text of a file: UTF-8 where its bytes are that, else Windows-1252."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parsed_strictly(source: Source) -> CanDatabase:
    """What cantools' strict mode makes of the text. Raises `InputError` with file and line."""
    refuse_sizes(source)
    try:
        return parse(source.text, source.format, strict=True)
    except Exception as error:  # what a parser raises on arbitrary text is not a closed list
        if "\0" in source.text:
            raise InputError(
                "network database", expected="text", got="NUL bytes", file=source.name
            ) from None
        refuse_empty(source)
        cause = cause_of(error)
        reason = reason_of(cause)
        raise InputError(
            f"not a valid {source.format.upper()}: {reason}",
            file=source.name,
            line=line_of_error(cause, reason, source) or _line_by_search(source),
        ) from error


def refuse_empty(source: Source) -> None:
    """Raises `InputError` for a text of blanks, of which a parser says where it misses what."""
    if not source.text.strip():
        raise InputError(
            "network database",
            expected="a network description",
            got="an empty file",
            file=source.name,
        )


def _line_by_search(source: Source) -> int | None:
    """The line of the record without which the file would load, for errors that name none."""
    from simcore.network.salvage import first_culprit_line

    return first_culprit_line(source)


def parse(text: str, format_name: str, *, strict: bool) -> CanDatabase:
    """cantools' result for one format; raises whatever cantools raises."""
    parsed = cantools.database.load_string(text, format_name, strict=strict)
    assert isinstance(parsed, cantools.database.Database)
    return parsed


def cause_of(error: Exception) -> Exception:
    """The error of the format itself, which cantools wraps."""
    for each in ("e_dbc", "e_kcd", "e_sym", "e_arxml"):
        cause = getattr(error, each, None)
        if isinstance(cause, Exception):
            return cause
    return error


def reason_of(cause: Exception) -> str:
    """What the error says, on one line."""
    text = " ".join(str(cause).split())
    if isinstance(cause, KeyError):
        return f"unknown name {text}"
    return text or type(cause).__name__


def line_of_error(cause: Exception, reason: str, source: Source) -> int | None:
    """The line an error names, or that of the message it names."""
    line = getattr(cause, "line", None)
    if isinstance(line, int):
        return line
    position = getattr(cause, "position", None)
    if isinstance(position, tuple) and position:
        return int(position[0])
    for pattern in _NAMED:
        found = re.search(pattern, reason)
        if found:
            return line_of_name(source, found[1])
    found = re.search(r"\b((?:SIG_VALTYPE_|VAL_) \d+ \w+)", reason)
    return None if found is None else _line_of_pattern(source.text, re.escape(found[1]))


_NAMED = (r" (?:in|fit in) message (\S+?)\.$", r" message (\S+?)\.$", r" of message (\S+?)\b")


def line_of_name(source: Source, name: str) -> int | None:
    """The line on which the message `name` begins."""
    known = re.escape(name)
    patterns = {
        "dbc": rf"^[ \t]*BO_\s+\d+\s+{known}\s*:",
        "sym": rf'^[ \t]*\["?{known}"?\]',
        "kcd": rf'<(?:\w+:)?Message\b[^>]*\bname="{known}"',
        "arxml": rf"<SHORT-NAME>\s*{known}\s*</SHORT-NAME>",
    }
    return _line_of_pattern(source.text, patterns[source.format])


def _line_of_pattern(text: str, pattern: str) -> int | None:
    found = re.search(pattern, text, re.MULTILINE)
    return None if found is None else text.count("\n", 0, found.start(0)) + 1


def refuse_sizes(source: Source) -> None:
    """Raises `InputError` for lengths and numbers that would exhaust memory when parsed."""
    for line, where, got in oversized(source.text, source.format):
        raise InputError(where, expected=EXPECTED_SIZES, got=got, file=source.name, line=line)


def oversized(text: str, format_name: str) -> list[tuple[int, str, str]]:
    """(line, where, what) of every number that would exhaust memory."""
    if format_name != "dbc":
        pattern = r'\b(?:length|offset|Len)\s*=\s*"?(\d+)|LENGTH>\s*(\d+)'
        return [
            _place(text, each, "length")
            for each in re.finditer(pattern, text)
            if _is_far(each[1] or each[2])
        ]
    found: list[tuple[int, str, str]] = []
    for match in re.finditer(r"\bBO_\s+\d+\s+\w+\s*:\s*(\w+)", text):
        if len(match[1]) > 6 or (match[1].isdigit() and int(match[1]) > LONGEST_MESSAGE):
            found.append(_place(text, match, "message length"))
    for match in re.finditer(r":\s*(\d+)\s*\|\s*(\d+)\s*@", text):
        if _is_far(match[1]) or _is_far(match[2]):
            found.append(_place(text, match, "start bit and length of a signal"))
    for match in re.finditer(r"\bSG_MUL_VAL_\s[^;]*", text):
        ranges = re.findall(r"(\d+)\s*-\s*(\d+)", match[0])
        is_long = any(len(end) > 12 for each in ranges for end in each)
        if is_long or sum(max(0, int(b) - int(a)) for a, b in ranges) > _MOST_PAGES:
            found.append(_place(text, match, "multiplexer values"))
    if "BA_DEF_" in text:
        found += _long_exponents(text)
    return found


def _long_exponents(text: str) -> list[tuple[int, str, str]]:
    """Whole-number attributes such as 1e999999, of which a million digits would be made."""
    defined = r'\bBA_DEF_(?:REL_)?\s[^;"]*"([^"]*)"\s*(?:INT|HEX|ENUM)\b([^;]*)'
    definitions = list(re.finditer(defined, text))
    names = {match[1] for match in definitions}
    exponent = r"\d[eE]\+?\d{4,}"
    found = [m for m in definitions if re.search(exponent, re.sub(r'"[^"]*"', "", m[2]))]
    if re.search(exponent, text):
        value = rf'\bBA_(?:REL_|DEF_DEF_|DEF_DEF_REL_)?\s*"([^"]*)"[^;"]*"?[-+.\d]*{exponent}"?\s*;'
        found += [match for match in re.finditer(value, text) if match[1] in names]
    return [_place(text, match, "attribute") for match in found]


def _place(text: str, match: re.Match[str], where: str) -> tuple[int, str, str]:
    got = " ".join(match[0].split())
    return text.count("\n", 0, match.start()) + 1, where, got[:60]


def _is_far(digits: str) -> bool:
    return len(digits) > 7 or int(digits) > 8 * LONGEST_MESSAGE


def loaded(source: Source) -> tuple[CanDatabase, list[Problem]]:
    """What cantools makes of the source, and what a lenient load left out."""
    if not source.lenient:
        return parsed_strictly(source), []
    from simcore.network.salvage import salvaged

    return salvaged(source)
