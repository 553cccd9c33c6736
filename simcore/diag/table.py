"""One table per ECU declares all that diagnostics can do there, and generates its documentation.

Rows are in rows.py, access rules in access.py; here they are put together, looked up and refused
where they contradict each other. Behaviour is in server.py and services/.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from enum import IntEnum, unique
from itertools import pairwise
from typing import Any

from simcore.diag.access import ANYONE, Access
from simcore.diag.authentication import AuthenticationRule
from simcore.diag.codes import Session, Sid
from simcore.diag.rows import (
    Did,
    IoControl,
    IoParameter,
    MemoryArea,
    ResetRule,
    Routine,
    SecurityLevel,
    ServiceRule,
    SessionRule,
    TransferTarget,
    check_name,
)
from simcore.errors import UsageError
from simcore.units import ms, s

__all__ = [
    "ANYONE",
    "Access",
    "AuthenticationRule",
    "BusyRule",
    "DiagnosticTable",
    "Did",
    "IoControl",
    "IoParameter",
    "MemoryArea",
    "ResetRule",
    "Routine",
    "SecurityLevel",
    "ServiceRule",
    "SessionRule",
    "Timing",
    "TransferTarget",
]


@unique
class BusyRule(IntEnum):
    """What a request gets that comes while another one is processed."""

    REFUSE = 0
    """0x21 busyRepeatRequest."""
    IGNORE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Times of the server beside P2 and P2*, which belong to the session."""

    s3_ns: int = s(5)
    margin_ns: int = ms(5)
    """0x78 leaves this much before P2 and P2* are over, for the way to the bus."""
    pending_max: int = 255
    """0x78 answers to one request; where one more would be due, 0x10 ends it."""
    busy: BusyRule = BusyRule.REFUSE

    def __post_init__(self) -> None:
        for name, at_least in (("s3_ns", 1), ("margin_ns", 0), ("pending_max", 0)):
            value = getattr(self, name)
            if type(value) is not int or value < at_least:
                raise UsageError(
                    f"timing, {name}", expected=f"a whole number >= {at_least}", got=repr(value)
                )

    def __copy__(self) -> Timing:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Timing:
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosticTable:
    """All that diagnostics can do in one ECU."""

    node: str
    sessions: tuple[SessionRule, ...]
    dids: tuple[Did, ...] = ()
    routines: tuple[Routine, ...] = ()
    areas: tuple[MemoryArea, ...] = ()
    io_controls: tuple[IoControl, ...] = ()
    security: tuple[SecurityLevel, ...] = ()
    authentication: AuthenticationRule | None = None
    resets: tuple[ResetRule, ...] = ()
    services: tuple[ServiceRule, ...] = ()
    timing: Timing = Timing()
    dids_max: int = 16
    """Identifiers in one ReadDataByIdentifier."""
    response_size_max: int = 4095
    """Longer responses are refused with 0x14."""
    _index: dict[tuple[str, int], Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_name(self.node, "diagnostic table")
        check_table(self)
        object.__setattr__(self, "_index", dict(_indexed(self)))

    def session(self, session: int) -> SessionRule | None:
        """The row of a session."""
        return self._index.get(("session", session))

    def did(self, did: int) -> Did | None:
        """The row of a data identifier."""
        return self._index.get(("did", did))

    def routine(self, rid: int) -> Routine | None:
        """The row of a routine."""
        return self._index.get(("routine", rid))

    def io_control(self, did: int) -> IoControl | None:
        """The row of an input or output."""
        return self._index.get(("io", did))

    def level(self, level: int) -> SecurityLevel | None:
        """The row of a security level."""
        return self._index.get(("level", level))

    def reset(self, kind: int) -> ResetRule | None:
        """The row of a kind of reset."""
        return self._index.get(("reset", kind))

    def service_rule(self, sid: Sid) -> ServiceRule:
        """The rule for a service as a whole."""
        found: ServiceRule | None = self._index.get(("service", sid))
        return _UNRESTRICTED[sid] if found is None else found

    def area(self, address: int, size: int) -> MemoryArea | None:
        """The area that holds this range entirely."""
        for row in self.areas:
            if row.start <= address and address + size <= row.end:
                return row
        return None

    def __deepcopy__(self, memo: dict[int, Any]) -> DiagnosticTable:
        copied = object.__new__(DiagnosticTable)
        memo[id(self)] = copied  # handlers may lead back here
        for name in _FIELDS:
            value = getattr(self, name)
            if type(value) is tuple:
                value = tuple(deepcopy(row, memo) for row in value)
            else:
                value = deepcopy(value, memo)
            object.__setattr__(copied, name, value)
        object.__setattr__(copied, "_index", dict(_indexed(copied)))
        return copied


_FIELDS = (
    *("node", "sessions", "dids", "routines", "areas", "io_controls", "security"),
    *("authentication", "resets", "services", "timing", "dids_max", "response_size_max"),
)
_UNRESTRICTED = {sid: ServiceRule(sid) for sid in Sid}


def _indexed(table: DiagnosticTable) -> Iterator[tuple[tuple[str, int], Any]]:
    for session in table.sessions:
        yield ("session", session.session), session
    for did in table.dids:
        yield ("did", did.did), did
    for routine in table.routines:
        yield ("routine", routine.rid), routine
    for control in table.io_controls:
        yield ("io", control.did), control
    for level in table.security:
        yield ("level", level.level), level
    for reset in table.resets:
        yield ("reset", reset.kind), reset
    for rule in table.services:
        yield ("service", rule.sid), rule


# ---- contradictions ----


def check_table(table: DiagnosticTable) -> None:
    """Refuse what is declared twice, unknown or impossible."""
    known = {rule.session for rule in table.sessions}
    where = f"diagnostic table of {table.node}"
    if Session.DEFAULT not in known:
        raise UsageError(where, expected="the default session 0x01", got=_listed(known))
    _check_once(where, table)
    for rule in table.sessions:
        for origin in rule.reached_from or ():
            if origin not in known:
                raise UsageError(
                    f"{where}, session 0x{rule.session:02X}, reached_from",
                    expected=f"one of {_listed(known)}",
                    got=f"0x{origin:02X}",
                )
    for place, access in accesses(table):
        _check_access(f"{where}, {place}", access, table, known)
    _check_areas(where, table)
    _check_timing(where, table)


def accesses(table: DiagnosticTable) -> Iterator[tuple[str, Access]]:
    """Every access rule of a table, with the place where it stands."""
    for session in table.sessions:
        yield f"session 0x{session.session:02X}", session.access
    for did in table.dids:
        yield f"DID 0x{did.did:04X}", did.access
        if did.write_access is not None:
            yield f"DID 0x{did.did:04X}, writing", did.write_access
    for routine in table.routines:
        yield f"routine 0x{routine.rid:04X}", routine.access
    for area in table.areas:
        for way, access in (("download", area.download), ("upload", area.upload)):
            if access is not None:
                yield f"memory area {area.name}, {way}", access
    for control in table.io_controls:
        yield f"IO control 0x{control.did:04X}", control.access
    for level in table.security:
        yield f"security level 0x{level.level:02X}", level.access
    for reset in table.resets:
        yield f"reset 0x{reset.kind:02X}", reset.access
    for rule in table.services:
        yield f"service 0x{rule.sid:02X}", rule.access


def _check_access(where: str, access: Access, table: DiagnosticTable, known: set[int]) -> None:
    for session in access.sessions or ():
        if session not in known:
            raise UsageError(
                f"{where}, sessions", expected=f"of {_listed(known)}", got=f"0x{session:02X}"
            )
    if access.level:
        levels = {row.level: row for row in table.security}
        row = levels.get(access.level)
        if row is None:
            raise UsageError(
                f"{where}, level", expected=f"of {_listed(levels)}", got=f"0x{access.level:02X}"
            )
        if where.endswith(f"security level 0x{access.level:02X}"):
            raise UsageError(where, expected="another level", got="itself as its condition")
        if access.sessions is not None and row.access.sessions is not None:
            if not set(access.sessions) & set(row.access.sessions):
                raise UsageError(
                    f"{where}, level 0x{access.level:02X}",
                    expected="a session in which it can be unlocked",
                    got=_listed(access.sessions),
                )
    if access.role:
        roles = () if table.authentication is None else table.authentication.roles
        if access.role not in roles:
            raise UsageError(
                f"{where}, role",
                expected=f"of {', '.join(roles) or 'none, there is no authentication'}",
                got=repr(access.role),
            )


def _check_once(where: str, table: DiagnosticTable) -> None:
    for what, values in (
        ("session", [f"0x{row.session:02X}" for row in table.sessions]),
        ("DID", [f"0x{row.did:04X}" for row in table.dids]),
        ("routine", [f"0x{row.rid:04X}" for row in table.routines]),
        ("IO control", [f"0x{row.did:04X}" for row in table.io_controls]),
        ("security level", [f"0x{row.level:02X}" for row in table.security]),
        ("reset", [f"0x{row.kind:02X}" for row in table.resets]),
        ("service", [f"0x{row.sid:02X}" for row in table.services]),
        ("memory area", [row.name for row in table.areas]),
    ):
        for value, count in Counter(values).items():
            if count > 1:
                raise UsageError(f"{where}, {what}", expected="each once", got=f"{value} {count}x")


def _check_areas(where: str, table: DiagnosticTable) -> None:
    rows = sorted(table.areas, key=_start_of)
    for lower, upper in pairwise(rows):
        if upper.start < lower.end:
            raise UsageError(
                f"{where}, memory area {upper.name}",
                expected=f"a start >= 0x{lower.end:X}, the end of {lower.name}",
                got=f"0x{upper.start:X}",
            )


def _check_timing(where: str, table: DiagnosticTable) -> None:
    """0x78 must come before P2 and P2* are over, and not too often (ISO 14229-2, table 4)."""
    margin_ns = table.timing.margin_ns
    for rule in table.sessions:
        most_ns = min(rule.p2_ns, rule.p2_star_ns - 3 * rule.p2_star_ns // 10)
        if margin_ns > most_ns:
            raise UsageError(
                f"{where}, session 0x{rule.session:02X}, margin_ns",
                expected=f"at most P2 and 0.7 x P2*, {most_ns} ns",
                got=f"{margin_ns} ns",
            )


def _start_of(area: MemoryArea) -> int:
    return area.start


def _listed(values: Iterable[int]) -> str:
    return ", ".join(f"0x{value:02X}" for value in sorted(values)) or "none"
