"""The diagnostic table: what it refuses, what it finds, and copies of it."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from simcore.diag.access import ANYONE, Access, union_of_sessions
from simcore.diag.codes import Nrc, ResetKind, Session, Sid
from simcore.diag.rows import Row
from simcore.diag.security import Blake2Key
from simcore.diag.table import (
    DiagnosticTable,
    Did,
    IoControl,
    IoParameter,
    MemoryArea,
    ResetRule,
    Routine,
    SecurityLevel,
    ServiceRule,
    SessionRule,
    Timing,
)
from simcore.errors import UsageError
from simcore.units import ms, s

Tables = Callable[..., DiagnosticTable]

KEY = Blake2Key(bytes(16))
HERE: Any = None
"""A handler that nobody calls."""


class Target:
    def begin(self, offset: int, size: int, data_format: int, now_ns: int) -> int:
        return 10

    take = give = finish = abandon = begin


def did(**changes: Any) -> Did:
    fields: dict[str, Any] = {"did": 1, "name": "x", "size": 1, "read": b"\x00", **changes}
    return Did(fields.pop("did"), fields.pop("name"), fields.pop("size"), **fields)


def area(name: str = "a", start: int = 0, size: int = 16, **changes: Any) -> MemoryArea:
    return MemoryArea(name, start, size, Target(), **{"download": ANYONE, **changes})


ROWS = [
    (lambda: SessionRule(0, "x"), r"session: expected 0x1\.\.0x7F, got 0x0"),
    (lambda: SessionRule(0x80, "x"), r"session: expected 0x1\.\.0x7F, got 0x80"),
    (lambda: SessionRule(1, ""), r"session 0x01, name: expected a name of one line"),
    (lambda: SessionRule(1, "x", p2_ns=ms(1) + 1), r"session 0x01, p2_ns: expected 1\.\.65535"),
    (lambda: SessionRule(1, "x", p2_ns=0), r"p2_ns: expected 1\.\.65535 times 1000000 ns"),
    (lambda: SessionRule(1, "x", p2_ns=s(66)), r"p2_ns: expected 1\.\.65535"),
    (lambda: SessionRule(1, "x", p2_star_ns=ms(5)), r"p2_star_ns: expected 1\.\.65535 times 10000"),
    (
        lambda: SessionRule(1, "x", access=Access(sessions=(1,))),
        r"session 0x01: expected reached_from, got access with sessions",
    ),
    (lambda: did(did=0x10000), r"DID: expected 0x0\.\.0xFFFF, got 0x10000"),
    (lambda: did(did=-1), r"DID: expected 0x0\.\.0xFFFF, got -1"),
    (lambda: did(name="a\nb"), r"DID 0x0001, name: expected a name of one line"),
    (lambda: did(size=0), r"DID 0x0001, size: expected >= 1 bytes, got 0"),
    (lambda: did(read=None), r"DID 0x0001: expected read or write, got neither"),
    (lambda: did(write_access=ANYONE), r"expected write with write_access"),
    (lambda: did(read=b"12"), r"DID 0x0001: expected 1 bytes, got 2 bytes"),
    (lambda: Routine(0x10000, "x", start=HERE), r"routine: expected 0x0\.\.0xFFFF"),
    (lambda: Routine(1, "x", start=HERE, option_size=-1), r"routine 0x0001, size: expected >= 0"),
    (lambda: IoControl(1, "x", 0, control=HERE), r"IO control 0x0001, size: expected >= 1"),
    (
        lambda: IoControl(1, "x", 1, control=HERE, parameters=(IoParameter.FREEZE,)),
        r"IO control 0x0001: expected RETURN_CONTROL among the parameters, got none",
    ),
    (lambda: area(download=None), r"memory area a: expected download or upload, got neither"),
    (lambda: area(size=0), r"memory area a, size: expected >= 1"),
    (lambda: area(start=-1), r"memory area a: expected 0x0"),
    (lambda: SecurityLevel(2, key=KEY), r"security level: expected an odd number"),
    (lambda: SecurityLevel(0x43, key=KEY), r"expected an odd number of 0x01\.\.0x41 or 0x61"),
    (lambda: SecurityLevel(1, key=KEY, seed_size=0), r"security level 0x01, size: expected >= 1"),
    (lambda: SecurityLevel(1, key=KEY, attempts=0), r"attempts: expected 1\.\.255, got 0"),
    (lambda: SecurityLevel(1, key=KEY, attempts=256), r"attempts: expected 1\.\.255, got 256"),
    (lambda: SecurityLevel(1, key=KEY, delay_ns=0), r"delay_ns: expected > 0 ns, got 0"),
    (lambda: Timing(s3_ns=0), r"timing, s3_ns: expected a whole number >= 1, got 0"),
    (lambda: Timing(margin_ns=-1), r"timing, margin_ns: expected a whole number >= 0, got -1"),
    (lambda: Timing(pending_max=-1), r"timing, pending_max: expected a whole number >= 0"),
    (lambda: Access(sessions=()), r"access, sessions: expected a tuple of sessions or None"),
    (lambda: Access(level=1, either=True), r"access, either: expected a level and a role"),
]


@pytest.mark.parametrize(("make", "message"), ROWS)
def test_a_row_that_means_nothing_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()


HARD = ResetRule(ResetKind.HARD)
EXTENDED_ONLY = Access(sessions=(Session.EXTENDED,))

TABLES: list[tuple[dict[str, Any], str]] = [
    ({"sessions": (SessionRule(3, "x"),)}, r"of ECU: expected the default session 0x01, got 0x03"),
    ({"node": ""}, r"diagnostic table, name: expected a name of one line"),
    ({"dids": (did(), did())}, r"of ECU, DID: expected each once, got 0x0001 2x"),
    ({"resets": (HARD, HARD, HARD)}, r"of ECU, reset: expected each once, got 0x01 3x"),
    ({"services": (ServiceRule(Sid.ECU_RESET),) * 2}, r"service: expected each once, got 0x11 2x"),
    (
        {"areas": (area("a", 0), area("a", 16))},
        r"of ECU, memory area: expected each once, got a 2x",
    ),
    (
        {"areas": (area("high", 15), area("low", 0))},
        r"memory area high: expected a start >= 0x10, the end of low, got 0xF",
    ),
    (
        {"sessions": (SessionRule(1, "default", reached_from=(9,)),)},
        r"session 0x01, reached_from: expected one of 0x01, got 0x09",
    ),
    (
        {"dids": (did(access=Access(sessions=(1, 9))),)},
        r"DID 0x0001, sessions: expected of 0x01, 0x02, 0x03, 0x04, got 0x09",
    ),
    (
        {"dids": (did(write=HERE, access=Access(level=5)),)},
        r"DID 0x0001, level: expected of 0x01, 0x11, got 0x05",
    ),
    (
        {"dids": (did(write=Target().begin, write_access=Access(role="king")),)},
        r"DID 0x0001, writing, role: expected of workshop, factory, got 'king'",
    ),
    (
        {"routines": (Routine(1, "x", start=HERE, access=Access(role="king")),), "areas": ()},
        r"routine 0x0001, role: expected of workshop, factory, got 'king'",
    ),
    (
        {"areas": (area(download=Access(level=0x11, sessions=(3,))),)},
        r"memory area a, download, level 0x11: expected a session in which it can be unlocked",
    ),
    (
        {"security": (SecurityLevel(1, key=KEY, access=Access(level=1)),)},
        r"security level 0x01: expected another level, got itself",
    ),
    (
        {"timing": Timing(margin_ns=ms(41))},
        r"session 0x02, margin_ns: expected at most P2 and 0.7 x P2\*, 40000000 ns, got 41000000",
    ),
    (
        {
            "sessions": (SessionRule(1, "default", p2_ns=ms(500), p2_star_ns=ms(500)),),
            "timing": 351,
        },
        r"session 0x01, margin_ns: expected at most P2 and 0.7 x P2\*, 350000000 ns",
    ),
]


@pytest.mark.parametrize(("changes", "message"), TABLES)
def test_a_table_that_contradicts_itself_is_refused(
    uds_table: Tables, changes: dict[str, Any], message: str
) -> None:
    if isinstance(changes.get("timing"), int):
        changes = {**_BARE, **changes, "timing": Timing(margin_ns=ms(changes["timing"]))}
    elif "sessions" in changes or "security" in changes:
        changes = {**_BARE, **changes}
    with pytest.raises(UsageError, match=message):
        uds_table(**changes)


_BARE: dict[str, Any] = dict.fromkeys(
    ("dids", "routines", "areas", "io_controls", "security", "resets"), ()
)


def test_a_role_without_authentication_is_refused(uds_table: Tables) -> None:
    with pytest.raises(UsageError, match="none, there is no authentication, got 'workshop'"):
        uds_table(authentication=None)


def test_rows_are_found_by_number(uds_table: Tables) -> None:
    table = uds_table()
    assert [getattr(table.did(0xF190), "name", None), table.did(0xF191)] == ["VIN", None]
    assert table.routine(0xFF00) is table.routines[1]
    assert table.routine(0xF190) is None
    assert table.io_control(0x0301) is table.io_controls[0]
    assert table.level(0x11) is table.security[1]
    assert table.reset(0x03) is table.resets[1]
    assert table.session(0x02) is table.sessions[1]
    assert table.service_rule(Sid.ECU_RESET) == ServiceRule(Sid.ECU_RESET)


@pytest.mark.parametrize(
    ("address", "size", "name"),
    [
        (0x1000, 0x1000, "flash"),
        (0x1000, 0x1001, None),
        (0x0FFF, 1, None),
        (0x0FFF, 2, None),
        (0x1FFF, 1, "flash"),
        (0x1FFF, 2, None),
        (0x2000, 1, None),
        (0x8000, 0x100, "vault"),
    ],
)
def test_an_area_is_found_by_a_range_that_lies_in_it(
    uds_table: Tables, address: int, size: int, name: str | None
) -> None:
    found = uds_table().area(address, size)
    assert (found.name if found else None) == name


def test_handlers_of_a_copied_table_belong_to_the_copied_software(uds_table: Tables) -> None:
    table = uds_table()
    for twin in (copy.deepcopy(table), pickle.loads(pickle.dumps(table))):
        row, other = table.did(0x0100), twin.did(0x0100)
        assert row is not None and other is not None
        assert row.read.__self__ is not other.read.__self__  # type: ignore[union-attr]
        software = other.read.__self__  # type: ignore[union-attr]
        assert twin.areas[0].target is software
        assert twin.sessions[1].condition.__self__ is software  # type: ignore[union-attr]
        assert twin.service_rule(Sid.ECU_RESET) == table.service_rule(Sid.ECU_RESET)


def test_handlers_go_to_the_very_software_that_is_copied_along(uds_bench: Tables) -> None:
    bench: Any = uds_bench()
    for twin in (copy.deepcopy(bench), pickle.loads(pickle.dumps(bench))):
        table = twin.server.table
        assert table is twin.server.state.table
        assert table.did(0x0100).read.__self__ is twin.software
        assert table.routine(0x0201).end.__self__ is twin.software
        assert table.io_control(0x0301).control.__self__ is twin.software
        assert table.reset(0x03).condition.__self__ is twin.software
        assert table.areas[0].target is twin.software


def test_a_table_whose_software_knows_it_is_copied_once(uds_bench: Tables) -> None:
    bench: Any = uds_bench()
    bench.software.table = bench.server.table
    twin = copy.deepcopy(bench.server.table)
    software = twin.areas[0].target
    assert software is not bench.software
    assert software.table is twin


def test_rows_without_handlers_are_shared_by_copies(uds_table: Tables) -> None:
    table = uds_table()
    twin = copy.deepcopy(table)
    assert twin.dids[0] is table.dids[0]
    assert twin.security == table.security
    assert all(left is right for left, right in zip(twin.security, table.security, strict=True))
    assert twin.timing is table.timing
    row: Row = table.dids[0]
    assert copy.copy(row) is row
    for immutable in (ANYONE, KEY, Timing()):
        assert copy.copy(immutable) is immutable is copy.deepcopy(immutable)


# ---- access rules ----


@pytest.mark.parametrize(
    ("access", "level", "roles", "denial"),
    [
        (ANYONE, 0, (), None),
        (Access(level=1), 0, (), Nrc.SECURITY_ACCESS_DENIED),
        (Access(level=1), 3, (), Nrc.SECURITY_ACCESS_DENIED),
        (Access(level=1), 1, (), None),
        (Access(role="a"), 0, (), Nrc.AUTHENTICATION_REQUIRED),
        (Access(role="a"), 0, ("b",), Nrc.AUTHENTICATION_REQUIRED),
        (Access(role="a"), 0, ("b", "a"), None),
        (Access(level=1, role="a"), 0, (), Nrc.AUTHENTICATION_REQUIRED),
        (Access(level=1, role="a"), 1, (), Nrc.AUTHENTICATION_REQUIRED),
        (Access(level=1, role="a"), 0, ("a",), Nrc.SECURITY_ACCESS_DENIED),
        (Access(level=1, role="a"), 1, ("a",), None),
        (Access(level=1, role="a", either=True), 0, (), Nrc.SECURITY_ACCESS_DENIED),
        (Access(level=1, role="a", either=True), 1, (), None),
        (Access(level=1, role="a", either=True), 0, ("a",), None),
    ],
)
def test_level_and_role_decide_on_the_refusal(
    access: Access, level: int, roles: tuple[str, ...], denial: Nrc | None
) -> None:
    assert access.denial(level, roles) is denial


def test_the_union_of_rules_is_where_one_of_them_can_be_met() -> None:
    assert union_of_sessions([]) is None
    assert union_of_sessions([Access(sessions=(3,)), Access(sessions=(2, 3), level=1)]) == Access(
        sessions=(2, 3)
    )
    assert union_of_sessions([EXTENDED_ONLY, Access(level=1)]) is ANYONE
