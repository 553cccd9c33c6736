"""The documentation of an ECU's diagnostics, generated from its table: Markdown, HTML, JSON.

The same table gives the same text. What is written is gathered once, in `sections`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import TypeAlias

from simcore.diag.access import Access
from simcore.diag.codes import Sid
from simcore.diag.dtc import DtcSettings, code_text
from simcore.diag.rows import Condition
from simcore.diag.server import Offer, offers
from simcore.diag.table import DiagnosticTable
from simcore.units import format_ns


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with a table below."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def sections(table: DiagnosticTable, dtcs: DtcSettings | None = None) -> tuple[Section, ...]:
    """All that there is to say, without what the ECU does not have."""
    every = (
        _sessions(table),
        _services(table, has_dtcs=dtcs is not None),
        _security(table),
        _authentication(table),
        _dids(table),
        _io_controls(table),
        _routines(table),
        _areas(table),
        _resets(table),
        _trouble_codes(dtcs),
    )
    return tuple(_without_empty_columns(section) for section in every if section.rows)


def _without_empty_columns(section: Section) -> Section:
    kept = [at for at in range(len(section.header)) if any(row[at] for row in section.rows)]
    rows = tuple(tuple(row[at] for at in kept) for row in section.rows)
    return Section(section.title, tuple(section.header[at] for at in kept), rows, section.note)


Documented: TypeAlias = tuple[DiagnosticTable, DtcSettings | None]
"""An ECU's table, and its trouble codes where it has any."""


def markdown(ecus: Iterable[Documented]) -> str:
    """As Markdown, one chapter per ECU."""
    lines: list[str] = []
    for table, dtcs in ecus:
        lines += ["", f"# Diagnostics of {table.node}"]
        for section in sections(table, dtcs):
            lines += ["", f"## {section.title}", ""]
            if section.note:
                lines += [section.note, ""]
            lines += [_markdown_row(section.header), "|" + " --- |" * len(section.header)]
            lines += [_markdown_row(row) for row in section.rows]
    return "\n".join(lines[1:]) + "\n"


def html(ecus: Iterable[Documented]) -> str:
    """As one HTML page that needs nothing else."""
    described = list(ecus)
    names = ", ".join(table.node for table, _ in described)
    lines = ["<!DOCTYPE html>", '<html lang="en">', "<head>", '<meta charset="utf-8">']
    lines.append(f"<title>Diagnostics of {escape(names)}</title>")
    lines += [f"<style>{_STYLE}</style>", "</head>", "<body>"]
    for table, dtcs in described:
        lines.append(f"<h1>Diagnostics of {escape(table.node)}</h1>")
        for section in sections(table, dtcs):
            lines.append(f"<h2>{escape(section.title)}</h2>")
            if section.note:
                lines.append(f"<p>{escape(section.note)}</p>")
            lines += ["<table>", _html_row("th", section.header)]
            lines += [_html_row("td", row) for row in section.rows]
            lines.append("</table>")
    lines += ["</body>", "</html>"]
    return "\n".join(lines) + "\n"


def as_json(ecus: Iterable[Documented]) -> str:
    """As JSON: per ECU and section a list of objects whose keys are the column headings."""
    content = {
        table.node: {
            section.title: [dict(zip(section.header, row, strict=True)) for row in section.rows]
            for section in sections(table, dtcs)
        }
        for table, dtcs in ecus
    }
    return json.dumps(content, indent=2) + "\n"


# ---- what is in the sections ----


def _sessions(table: DiagnosticTable) -> Section:
    rows = tuple(
        (
            f"0x{row.session:02X}",
            row.name,
            "any" if row.reached_from is None else _listed(sorted(row.reached_from)),
            format_ns(row.p2_ns),
            format_ns(row.p2_star_ns),
            _needs(row.access, row.condition),
        )
        for row in table.sessions
    )
    timing = table.timing
    note = (
        f"Without a request for {format_ns(timing.s3_ns)} (S3) the default session returns. "
        f"Work that lasts is answered with 0x78, at most {timing.pending_max} times."
    )
    return Section(
        "Sessions", ("Session", "Name", "Reached from", "P2", "P2*", "Needs"), rows, note
    )


def _services(table: DiagnosticTable, *, has_dtcs: bool) -> Section:
    offered = offers(table, has_dtcs=has_dtcs)
    rows = tuple(
        (
            f"0x{sid:02X}",
            _title(Sid(sid).name),
            _offered_in(offer, table),
            _needs(offer.rule_access, table.service_rule(Sid(sid)).condition),
            _sub_functions(offer, table),
        )
        for sid, offer in offered.items()
    )
    return Section("Services", ("Service", "Name", "Sessions", "Needs", "Sub-functions"), rows)


def _sub_functions(offer: Offer, table: DiagnosticTable) -> str:
    """Numbers and names; with sessions and needs where these are not those of the service."""
    if offer.sub_functions is None:
        return ""
    said = []
    for number, sub_function in sorted(offer.sub_functions.items()):
        inside = [row.session for row in table.sessions if offer.in_session(row.session)]
        only = [session for session in inside if sub_function.in_session(session)]
        extra = [] if only == inside else [f"in {_listed(only)}"]
        extra += [need for need in (_needs(sub_function.access),) if need]
        suffix = f" ({'; '.join(extra)})" if extra else ""
        said.append(f"0x{number:02X} {sub_function.name}{suffix}")
    return ", ".join(said)


def _security(table: DiagnosticTable) -> Section:
    rows = tuple(
        (
            f"0x{row.level:02X}",
            f"0x{row.level + 1:02X}",
            f"{row.seed_size} B",
            f"{row.key_size} B",
            f"{row.attempts}",
            format_ns(row.delay_ns),
            _sessions_of(row.access),
            _needs(row.access),
        )
        for row in table.security
    )
    header = ("Seed", "Key", "Seed size", "Key size", "Attempts", "Delay", "Sessions", "Needs")
    return Section("Security levels", header, rows, "Counters and delays survive a reset.")


def _authentication(table: DiagnosticTable) -> Section:
    rule = table.authentication
    ways = []
    if rule is not None and rule.roots:
        ways.append(("certificate (APCE, unidirectional)", ", ".join(rule.roles)))
    if rule is not None and rule.keys:
        known = sorted({role for key in rule.keys for role in key.roles})
        ways.append(("challenge and response (ACR, known keys)", ", ".join(known)))
    return Section("Authentication", ("Way", "Roles"), tuple(ways))


def _dids(table: DiagnosticTable) -> Section:
    rows = []
    for row in sorted(table.dids, key=lambda item: item.did):
        size = "varies" if row.size is None else f"{row.size} B"
        read = "-" if row.read is None else _rule(row.access)
        write = "-" if row.write is None else _rule(row.writing)
        rows.append((f"0x{row.did:04X}", row.name, size, read, write))
    return Section("Data identifiers", ("DID", "Name", "Size", "Read", "Write"), tuple(rows))


def _io_controls(table: DiagnosticTable) -> Section:
    rows = tuple(
        (
            f"0x{row.did:04X}",
            row.name,
            f"{row.size} B",
            f"{row.mask_size} B" if row.mask_size else "-",
            ", ".join(
                f"0x{parameter:02X} {_title(parameter.name)}" for parameter in row.parameters
            ),
            _rule(row.access),
        )
        for row in sorted(table.io_controls, key=lambda item: item.did)
    )
    header = ("DID", "Name", "State", "Mask", "Parameters", "Access")
    return Section("Inputs and outputs", header, rows, "Control returns when the session ends.")


def _routines(table: DiagnosticTable) -> Section:
    rows = []
    for row in sorted(table.routines, key=lambda item: item.rid):
        offered = [("start", True), ("stop", row.stop), ("results", row.results)]
        option = "varies" if row.option_size is None else f"{row.option_size} B"
        sub_functions = ", ".join(name for name, handler in offered if handler)
        rows.append((f"0x{row.rid:04X}", row.name, sub_functions, option, _rule(row.access)))
    header = ("RID", "Name", "Sub-functions", "Option record", "Access")
    return Section("Routines", header, tuple(rows))


def _areas(table: DiagnosticTable) -> Section:
    rows = tuple(
        (
            row.name,
            f"0x{row.start:08X}",
            f"0x{row.size:X}",
            _listed(row.formats),
            "-" if row.download is None else _rule(row.download, row.condition),
            "-" if row.upload is None else _rule(row.upload, row.condition),
        )
        for row in sorted(table.areas, key=lambda item: item.start)
    )
    header = ("Area", "Start", "Size", "Data formats", "Download", "Upload")
    return Section("Memory areas", header, rows)


def _resets(table: DiagnosticTable) -> Section:
    rows = tuple(
        (
            f"0x{row.kind:02X}",
            f"{_parameter(row.kind.name)}Reset",
            _rule(row.access, row.condition),
        )
        for row in table.resets
    )
    return Section("Resets", ("Kind", "Name", "Access"), rows)


def _trouble_codes(dtcs: DtcSettings | None) -> Section:
    rows = tuple(
        (
            code_text(row.code),
            f"0x{row.code:06X}",
            row.name,
            row.text,
            f"{row.confirmation_threshold}",
            f"{row.aging_cycles}",
            ", ".join(f"0x{item.did:04X}" for item in row.snapshot),
        )
        for row in (() if dtcs is None else sorted(dtcs.dtcs, key=lambda item: item.code))
    )
    header = ("DTC", "Code", "Name", "Meaning", "Confirmed after", "Aged after", "Snapshot")
    return Section("Trouble codes", header, rows, "Thresholds count operation cycles.")


# ---- words ----


def _title(name: str) -> str:
    """As the standard spells it: `CLEAR_DTC` -> `ClearDTC`."""
    words = name.split("_")
    return "".join(word if word in _ABBREVIATIONS else word.capitalize() for word in words)


def _parameter(name: str) -> str:
    """`SHORT_TERM_ADJUSTMENT` -> `shortTermAdjustment`."""
    title = _title(name)
    return title[0].lower() + title[1:]


_ABBREVIATIONS = ("DTC", "ECU")


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(f"0x{number:02X}" for number in numbers) or "none"


def _offered_in(offer: Offer, table: DiagnosticTable) -> str:
    inside = [row.session for row in table.sessions if offer.in_session(row.session)]
    return "all" if len(inside) == len(table.sessions) else _listed(inside)


def _sessions_of(access: Access) -> str:
    return "all" if access.sessions is None else _listed(access.sessions)


def _needs(access: Access, condition: Condition | None = None) -> str:
    """Level, role and condition, in words; a condition is called as its handler is."""
    needs = []
    if access.level:
        needs.append(f"level 0x{access.level:02X}")
    if access.role:
        needs.append(f"role {access.role}")
    if access.either:
        needs = [" or ".join(needs)]
    if condition is not None:
        name = getattr(condition, "__name__", "a condition")
        needs.append(name.strip("_").replace("_", " "))
    return " and ".join(needs)


def _rule(access: Access, condition: Condition | None = None) -> str:
    needs = _needs(access, condition)
    sessions = _sessions_of(access)
    return f"{sessions}; {needs}" if needs else sessions


# ---- how it is written ----


def _markdown_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _html_row(tag: str, cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"


_STYLE = (
    "body{font:14px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{border:1px solid #8886;padding:.25rem .5rem;text-align:left;vertical-align:top}"
    "th{background:#8882}"
)
