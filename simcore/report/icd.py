"""The interface control document: one HTML page about a network, from database and requirements.

Messages with cycle, protection and receivers, signals with layout, range and meaning, and the
requirements with the numbers and conformance cases that belong to them; for the whole network or
seen from one node. Nothing is in it that is not in the two files, so it cannot disagree with them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simcore.errors import UsageError
from simcore.network import Database, Message, Signal
from simcore.report.files import write_file
from simcore.units import NS_PER_MS

if TYPE_CHECKING:
    from simcore.rig.requirements import Requirement, RequirementFile

_TEXTS_SHOWN = 32
"""Longer value tables than this would hide the rest: the page says how many there are."""


def write_icd(
    path: str | os.PathLike[str],
    database: Database,
    requirement_file: RequirementFile | None,
    *,
    version: str,
    node: str | None = None,
) -> Path:
    """Write the page. Raises `InputError` where `path` cannot be written."""
    page = icd_page(database, requirement_file, version=version, node=node)
    return write_file(
        path, page.encode("utf-8", "backslashreplace"), what="interface control document"
    )


def icd_page(
    database: Database,
    requirement_file: RequirementFile | None,
    *,
    version: str,
    node: str | None = None,
) -> str:
    """The page as text. Raises `UsageError` for a node that the database does not have."""
    import jinja2

    if node is not None and node not in database.nodes:
        raise UsageError(f"node {node!r}", expected=f"one of {', '.join(database.nodes)}", got=node)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("simcore.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    messages = [each for each in database.messages if node is None or concerns(each, node)]
    messages.sort(key=lambda each: (each.bus, each.is_extended_id, each.arbitration_id, each.name))
    requirements = () if requirement_file is None else requirement_file.requirements.values()
    return environment.get_template("icd.html.j2").render(
        database=database,
        node=node,
        version=version,
        sections=[_section(each, node) for each in messages],
        problems=[str(each) for each in database.problems],
        requirements=[_row(each) for each in requirements if node is None or each.concerns(node)],
        requirement_file="" if requirement_file is None else Path(requirement_file.file).name,
        nodes=[_node_row(database, each) for each in database.nodes],
        choices=choices_text,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Bits of a byte that belong to one signal, or to none."""

    name: str
    width: int
    index: int
    """Of the signal in its message, -1 for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What the page shows of one message."""

    message: Message
    direction: str
    """`sent`, `received` or empty where the page is about the whole network."""
    facts: Mapping[str, str]
    signals: Sequence[Signal]
    layout: Sequence[Sequence[Run]]
    """Per byte, the most significant bit first; one layout per multiplexer value is not drawn."""
    is_multiplexed: bool


def concerns(message: Message, node: str) -> bool:
    """Whether a node sends or receives a message."""
    return node in message.senders or node in message.receivers


def _section(message: Message, node: str | None) -> Section:
    direction = "" if node is None else "sent" if node in message.senders else "received"
    return Section(
        message=message,
        direction=direction,
        facts=_facts(message),
        signals=sorted(message.signals, key=lambda each: min(bits_of(each))),
        layout=_layout(message),
        is_multiplexed=any(each.multiplexer_ids for each in message.signals),
    )


def _facts(message: Message) -> dict[str, str]:
    facts = {
        "length": f"{message.length} bytes, {'CAN FD' if message.is_fd else 'classic CAN'}"
        + (", bit rate switch" if message.bitrate_switch else ""),
        "sender": ", ".join(message.senders) or "none named",
        "receivers": ", ".join(message.receivers) or "none named",
        "sent": _sending(message),
    }
    if message.is_redundant:
        facts["redundant"] = "the same frame on both buses"
    if message.e2e is not None:
        facts["E2E"] = f"{message.e2e.profile}, data id {message.e2e.data_id:#06x}"
    if message.secoc is not None:
        facts["SecOC"] = f"key slot {message.secoc.key_id}"
    return facts


def _sending(message: Message) -> str:
    parts = [message.send_type or "send type not stated"]
    if message.cycle_time_ns:
        parts.append(f"every {_ms(message.cycle_time_ns)} ms")
    if message.start_delay_ns:
        parts.append(f"first after {_ms(message.start_delay_ns)} ms")
    if message.min_gap_ns:
        parts.append(f"at least {_ms(message.min_gap_ns)} ms apart")
    return ", ".join(parts)


def _ms(time_ns: int) -> str:
    return f"{time_ns / NS_PER_MS:g}"


def bits_of(signal: Signal) -> list[int]:
    """Places of a signal's bits, counted as 8 * byte + bit in the byte, in the order of the DBC."""
    if signal.byte_order == "little_endian":
        return list(range(signal.start_bit, signal.start_bit + signal.length))
    places, place = [], signal.start_bit
    for _ in range(signal.length):
        places.append(place)
        place = place - 1 if place % 8 else place + 15
    return places


def _layout(message: Message) -> list[list[Run]]:
    """Signals of every multiplexer value share the picture; the first one of a bit is shown."""
    owner: dict[int, int] = {}
    for index, signal in enumerate(message.signals):
        for place in bits_of(signal):
            owner.setdefault(place, index)
    rows = []
    for byte in range(message.length):
        row: list[Run] = []
        for bit in range(7, -1, -1):
            index = owner.get(8 * byte + bit, -1)
            if row and row[-1].index == index:
                row[-1] = Run(name=row[-1].name, width=row[-1].width + 1, index=index)
            else:
                name = message.signals[index].name if index >= 0 else ""
                row.append(Run(name=name, width=1, index=index))
        rows.append(row)
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementRow:
    """What the page shows of one requirement."""

    requirement: Requirement
    parameters: str
    cases: str


def _row(requirement: Requirement) -> RequirementRow:
    numbers = requirement.parameters.items()
    return RequirementRow(
        requirement=requirement,
        parameters=", ".join(f"{name} = {value:g}" for name, value in numbers),
        cases=", ".join(requirement.cases),
    )


def _node_row(database: Database, node: str) -> tuple[str, int, int]:
    """A node with how many messages it sends and receives."""
    return node, len(database.sent_by(node)), len(database.received_by(node))


def choices_text(signal: Signal) -> str:
    """`0 = Off, 1 = On`, cut where a table is long."""
    texts = [f"{raw} = {text}" for raw, text in sorted(signal.choices.items())]
    if len(texts) > _TEXTS_SHOWN:
        return ", ".join(texts[:_TEXTS_SHOWN]) + f", and {len(texts) - _TEXTS_SHOWN} more"
    return ", ".join(texts)
