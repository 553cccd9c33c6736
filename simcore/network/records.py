"""A database file cut into records that can be left out one by one.

A record of a DBC file is a statement, or one `SG_` line of a message; of a SYM file a section
`[Name]` or a line `Sig=`; of a KCD file an element `Message`; of an ARXML file a frame triggering.
What lies between records is kept. A record that is left out leaves its line breaks behind, so that
every other line keeps its number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.parsers import expat

_STATEMENTS = (
    "BA_ BA_DEF_ BA_DEF_DEF_ BA_DEF_DEF_REL_ BA_DEF_REL_ BA_DEF_SGTYPE_ BA_REL_ BA_SGTYPE_ BO_ "
    "BO_TX_BU_ BS_ BU_ CAT_ CAT_DEF_ CM_ ENVVAR_DATA_ EV_ EV_DATA_ FILTER NS_ NS_DESC_ SGTYPE_ "
    "SGTYPE_VAL_ SG_MUL_VAL_ SIGTYPE_VALTYPE_ SIG_GROUP_ SIG_TYPE_REF_ SIG_VALTYPE_ VAL_ "
    "VAL_TABLE_ VERSION"
).split()
_DBC_START = re.compile(
    rf"(?:({'|'.join(sorted(_STATEMENTS, key=len, reverse=True))})|[ \t]*(SG_))\b"
)
_DBC_SURE_START = re.compile(
    r"BO_[ \t]+\d+[ \t]+\w+[ \t]*:|[ \t]*SG_[ \t]+\w+[ \t\w]*:|BA_[ \t]+\"|BA_DEF_[ \t]|"
    r"BA_DEF_DEF_[ \t]+\"|CM_[ \t]+(?:SG_|BO_|BU_|EV_)[ \t]|VAL_[ \t]+\d|SIG_VALTYPE_[ \t]+\d"
)
_XML_RECORDS = {"kcd": "Message", "arxml": "CAN-FRAME-TRIGGERING"}


@dataclass(frozen=True, slots=True)
class Record:
    """A stretch of the file. One of no kind cannot be left out."""

    kind: str
    text: str
    line: int
    owner: int | None = None
    """Index of the record without which this one means something else: the message of a signal."""

    @property
    def title(self) -> str:
        """How a problem names the record."""
        head = " ".join(self.text.split()[:3]).rstrip(" :;")
        return head[:60] or self.kind


def records_of(text: str, format_name: str) -> list[Record]:
    """The records of `text`, which put together are the text."""
    if format_name == "dbc":
        return _dbc_records(text)
    if format_name == "sym":
        return _sym_records(text)
    return _xml_records(text, _XML_RECORDS[format_name])


def text_without(records: Sequence[Record], dropped: Iterable[int]) -> str:
    """The file without the records of these indices."""
    left_out = set(dropped)
    return "".join(
        "\n" * each.text.count("\n") if index in left_out else each.text
        for index, each in enumerate(records)
    )


def _dbc_records(text: str) -> list[Record]:
    records: list[Record] = []
    lines: list[str] = []
    kind, line, is_in_string = "", 1, False
    message: int | None = None

    def close() -> None:
        nonlocal lines
        if lines:
            owner = message if kind == "SG_" else None
            records.append(Record(kind, "".join(lines), line, owner))
            lines = []

    for number, each in enumerate(text.splitlines(keepends=True), 1):
        start = _DBC_START.match(each)
        if is_in_string and (start is None or not _DBC_SURE_START.match(each)):
            start = None
        elif start is not None and kind == "NS_" and each.strip() in _STATEMENTS:
            start = None  # a line of the list of new symbols
        if start is not None:
            close()
            kind, line, is_in_string = start[1] or start[2], number, False
            if kind == "BO_":
                message = len(records)
        lines.append(each)
        quotes = each.replace('\\"', "").count('"')
        is_in_string ^= bool(quotes % 2)
    close()
    return records


def _sym_records(text: str) -> list[Record]:
    records: list[Record] = []
    lines: list[str] = []
    kind, line = "", 1
    for number, each in enumerate(text.splitlines(keepends=True), 1):
        stripped = each.strip()
        found = None
        if stripped.startswith("["):
            found = "[]"
        elif stripped.startswith("{") or stripped.lower().startswith("enum "):
            found = ""
        elif stripped.startswith("Sig=") and "=" in stripped and kind != "[]":
            found = "Sig="
        elif kind == "Sig=":
            found = ""
        if found is not None:
            if lines:
                records.append(Record(kind, "".join(lines), line))
            kind, line, lines = found, number, []
        lines.append(each)
    if lines:
        records.append(Record(kind, "".join(lines), line))
    return records


def _xml_records(text: str, name: str) -> list[Record]:
    content = text.encode("utf-8", errors="replace")
    spans = _element_spans(content, name)
    records: list[Record] = []
    done, line = 0, 1

    def add(kind: str, end: int) -> None:
        nonlocal done, line
        part = content[done:end].decode("utf-8")
        if part:
            records.append(Record(kind, part, line))
        line += part.count("\n")
        done = end

    for begin, end in spans:
        add("", begin)
        add(name, end)
    add("", len(content))
    return records


def _element_spans(content: bytes, name: str) -> list[tuple[int, int]]:
    """Begin and end in bytes of the elements `name`; none in what is no XML."""
    spans: list[tuple[int, int]] = []
    begins: list[int] = []
    parser = expat.ParserCreate("utf-8")

    def start(tag: str, attributes: dict[str, str]) -> None:
        if tag.rpartition(":")[2] == name:
            begins.append(parser.CurrentByteIndex)

    def end(tag: str) -> None:
        if tag.rpartition(":")[2] == name and begins:
            begin = begins.pop()
            close = content.find(b">", parser.CurrentByteIndex)
            if not begins:
                spans.append((begin, close + 1))

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    try:
        parser.Parse(content, True)
    except expat.ExpatError:
        return []
    return spans
