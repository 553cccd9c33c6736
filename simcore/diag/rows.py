"""The rows of an ECU's diagnostic table: sessions, identifiers, routines, areas and so on.

Rows declare; what they mean together is in table.py. Handlers are bound methods of the ECU's
software, so a row that has any is copied with them; what has none is shared by copies.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, fields
from enum import IntEnum, unique
from typing import Any, Protocol, Self, TypeAlias

from simcore.diag.access import ANYONE, Access
from simcore.diag.codes import Nrc, ResetKind, Sid
from simcore.diag.operation import Answer, Operation
from simcore.errors import UsageError
from simcore.units import ms, s

Reader: TypeAlias = Callable[[int], Answer]
"""`read(now_ns)`: the data record."""
Writer: TypeAlias = Callable[[bytes, int], Answer]
"""`write(data, now_ns)`: `b""` where it is done."""
RoutineHandler: TypeAlias = Callable[[bytes, int], Answer]
"""`handler(option_record, now_ns)`: the status record."""
Condition: TypeAlias = Callable[[int], Nrc | None]
"""`condition(now_ns)`: the refusal while conditions are not right."""
KeyFunction: TypeAlias = Callable[[bytes], bytes]
"""`key(seed)`: the only right answer to a seed."""

DATA_IDENTIFIER_MAX = 0xFFFF
SECURITY_LEVELS = (*range(0x01, 0x42, 2), *range(0x61, 0x7E, 2))
"""Sub-functions of requestSeed: 0x01..0x41 and, for suppliers, 0x61..0x7D."""


_HANDLER = {"is_handler": True}


class Row:
    """Copies of rows: handlers that are bound to something are copied, the rest is shared."""

    __slots__ = ()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        declared = fields(self)  # type: ignore[arg-type]
        values = {item.name: getattr(self, item.name) for item in declared}
        changed = False
        for handler in declared:
            if handler.metadata.get("is_handler"):
                copied = deepcopy(values[handler.name], memo)
                changed = changed or copied is not values[handler.name]
                values[handler.name] = copied
        if not changed:
            return self
        row = object.__new__(type(self))
        for name, value in values.items():
            object.__setattr__(row, name, value)
        return row


@dataclass(frozen=True, slots=True)
class SessionRule(Row):
    """A diagnostic session, the timing it announces and where it can be entered from."""

    session: int
    name: str
    reached_from: tuple[int, ...] | None = field(default=None, kw_only=True)
    """Sessions with a transition to this one; `None`: every session."""
    p2_ns: int = field(default=ms(50), kw_only=True)
    p2_star_ns: int = field(default=s(5), kw_only=True)
    access: Access = field(default=ANYONE, kw_only=True)
    """Level and role; for sessions use `reached_from`."""
    condition: Condition | None = field(default=None, kw_only=True, metadata=_HANDLER)

    def __post_init__(self) -> None:
        where = f"session 0x{self.session:02X}"
        check_id(self.session, 0x7F, "session", at_least=1)
        check_name(self.name, where)
        for name, value_ns, unit_ns in (
            ("p2_ns", self.p2_ns, ms(1)),
            ("p2_star_ns", self.p2_star_ns, ms(10)),
        ):
            if value_ns <= 0 or value_ns % unit_ns or value_ns // unit_ns > 0xFFFF:
                raise UsageError(
                    f"{where}, {name}",
                    expected=f"1..65535 times {unit_ns} ns, as the response can say it",
                    got=f"{value_ns} ns",
                )
        if self.access.sessions is not None:
            raise UsageError(where, expected="reached_from", got="access with sessions")


@dataclass(frozen=True, slots=True)
class Did(Row):
    """A data identifier. `size` is that of the data record; `None`: it varies."""

    did: int
    name: str
    size: int | None
    read: Reader | bytes | None = field(default=None, kw_only=True, metadata=_HANDLER)
    """A constant may be given as the bytes."""
    write: Writer | None = field(default=None, kw_only=True, metadata=_HANDLER)
    access: Access = field(default=ANYONE, kw_only=True)
    """For reading, and for writing too unless `write_access` says otherwise."""
    write_access: Access | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        check_id(self.did, DATA_IDENTIFIER_MAX, "DID")
        where = f"DID 0x{self.did:04X}"
        check_name(self.name, where)
        check_size(self.size, where)
        if self.read is None and self.write is None:
            raise UsageError(where, expected="read or write", got="neither")
        if self.write is None and self.write_access is not None:
            raise UsageError(where, expected="write with write_access", got="write_access alone")
        if isinstance(self.read, bytes) and self.size not in (None, len(self.read)):
            raise UsageError(where, expected=f"{self.size} bytes", got=f"{len(self.read)} bytes")

    @property
    def writing(self) -> Access:
        """The rule for writing."""
        return self.access if self.write_access is None else self.write_access


@dataclass(frozen=True, slots=True)
class Routine(Row):
    """A routine. Handlers get the option record and answer with the status record."""

    rid: int
    name: str
    start: RoutineHandler = field(kw_only=True, metadata=_HANDLER)
    stop: RoutineHandler | None = field(default=None, kw_only=True, metadata=_HANDLER)
    results: RoutineHandler | None = field(default=None, kw_only=True, metadata=_HANDLER)
    end: Callable[[int], None] | None = field(default=None, kw_only=True, metadata=_HANDLER)
    """`end(now_ns)`: the session that allowed a started routine is over."""
    option_size: int | None = field(default=0, kw_only=True)
    """Of the option record of start; `None`: it varies. Stop and results take none."""
    access: Access = field(default=ANYONE, kw_only=True)

    def __post_init__(self) -> None:
        check_id(self.rid, DATA_IDENTIFIER_MAX, "routine")
        where = f"routine 0x{self.rid:04X}"
        check_name(self.name, where)
        check_size(self.option_size, where, at_least=0)


@unique
class IoParameter(IntEnum):
    """inputOutputControlParameter (ISO 14229-1:2020, annex E.1)."""

    RETURN_CONTROL = 0x00
    RESET_TO_DEFAULT = 0x01
    FREEZE = 0x02
    SHORT_TERM_ADJUSTMENT = 0x03


IoHandler: TypeAlias = Callable[[IoParameter, bytes, bytes, int], Answer]
"""`control(parameter, state, mask, now_ns)`: the control status record."""


@dataclass(frozen=True, slots=True)
class IoControl(Row):
    """An input or output under the tester's control, returned by itself when the session ends."""

    did: int
    name: str
    size: int
    """Of the control state and of the status record."""
    control: IoHandler = field(kw_only=True, metadata=_HANDLER)
    mask_size: int = field(default=0, kw_only=True)
    parameters: tuple[IoParameter, ...] = field(default=tuple(IoParameter), kw_only=True)
    access: Access = field(default=ANYONE, kw_only=True)

    def __post_init__(self) -> None:
        check_id(self.did, DATA_IDENTIFIER_MAX, "IO control")
        where = f"IO control 0x{self.did:04X}"
        check_name(self.name, where)
        check_size(self.size, where)
        check_size(self.mask_size, where, at_least=0)
        if IoParameter.RETURN_CONTROL not in self.parameters:
            raise UsageError(where, expected="RETURN_CONTROL among the parameters", got="none")


class TransferTarget(Protocol):
    """What a download fills or an upload reads; offsets count from the start of the area."""

    def begin(self, offset: int, size: int, data_format: int, now_ns: int) -> int | Nrc | Operation:
        """Prepare. The longest block that is taken, service identifier and counter included.

        An operation ends with that number as big-endian bytes.
        """

    def take(self, data: bytes, now_ns: int) -> Answer:
        """The next bytes of a download; `b""` where they are stored."""

    def give(self, size: int, now_ns: int) -> Answer:
        """The next `size` bytes of an upload."""

    def finish(self, parameters: bytes, now_ns: int) -> Answer:
        """All bytes went over: check and close. The response's parameter record."""

    def abandon(self, now_ns: int) -> None:
        """The transfer ends before its end."""


@dataclass(frozen=True, slots=True)
class MemoryArea(Row):
    """Memory that a tester may fill or read, and under which rule; `None`: not at all."""

    name: str
    start: int
    size: int
    target: TransferTarget = field(metadata=_HANDLER)
    download: Access | None = field(default=None, kw_only=True)
    upload: Access | None = field(default=None, kw_only=True)
    formats: tuple[int, ...] = field(default=(0x00,), kw_only=True)
    """dataFormatIdentifiers: compression in the high, encryption in the low nibble."""
    condition: Condition | None = field(default=None, kw_only=True, metadata=_HANDLER)

    def __post_init__(self) -> None:
        check_name(self.name, "memory area")
        where = f"memory area {self.name}"
        check_size(self.size, where)
        check_id(self.start, (1 << 40) - 1, where)
        if self.download is None and self.upload is None:
            raise UsageError(where, expected="download or upload", got="neither")

    @property
    def end(self) -> int:
        """The first address behind the area."""
        return self.start + self.size


@dataclass(frozen=True, slots=True)
class SecurityLevel(Row):
    """A level of SecurityAccess, named by the sub-function of its requestSeed."""

    level: int
    key: KeyFunction = field(kw_only=True, metadata=_HANDLER)
    seed_size: int = field(default=8, kw_only=True)
    key_size: int = field(default=8, kw_only=True)
    data_size: int = field(default=0, kw_only=True)
    """Of the securityAccessDataRecord of requestSeed."""
    attempts: int = field(default=3, kw_only=True)
    delay_ns: int = field(default=s(10), kw_only=True)
    access: Access = field(default=ANYONE, kw_only=True)

    def __post_init__(self) -> None:
        if self.level not in SECURITY_LEVELS:
            raise UsageError(
                "security level",
                expected="an odd number of 0x01..0x41 or 0x61..0x7D",
                got=repr(self.level),
            )
        where = f"security level 0x{self.level:02X}"
        check_size(self.seed_size, where)
        check_size(self.key_size, where)
        check_size(self.data_size, where, at_least=0)
        if type(self.attempts) is not int or not 1 <= self.attempts <= 0xFF:
            raise UsageError(f"{where}, attempts", expected="1..255", got=repr(self.attempts))
        if type(self.delay_ns) is not int or self.delay_ns <= 0:
            raise UsageError(f"{where}, delay_ns", expected="> 0 ns", got=repr(self.delay_ns))


@dataclass(frozen=True, slots=True)
class ResetRule(Row):
    """A kind of reset that a tester may ask for."""

    kind: ResetKind
    access: Access = field(default=ANYONE, kw_only=True)
    condition: Condition | None = field(default=None, kw_only=True, metadata=_HANDLER)


@dataclass(frozen=True, slots=True)
class ServiceRule(Row):
    """Restricts a service as a whole beyond what its rows say.

    Services without rows of their own (0x14 0x19 0x28 0x3E 0x85) have their sessions from here.
    """

    sid: Sid
    access: Access = ANYONE
    condition: Condition | None = field(default=None, kw_only=True, metadata=_HANDLER)
    is_offered: bool = field(default=True, kw_only=True)
    """False takes the service out of the ECU altogether."""
    refused: tuple[int, ...] = field(default=(), kw_only=True)
    """Of CommunicationControl: sub-functions refused with 0x22 for application messages."""


# ---- checks ----


def check_id(value: object, most: int, where: str, *, at_least: int = 0) -> None:
    """A whole number that fits."""
    if not isinstance(value, int) or isinstance(value, bool) or not at_least <= value <= most:
        shown = f"0x{value:X}" if type(value) is int and value >= 0 else repr(value)
        raise UsageError(where, expected=f"0x{at_least:X}..0x{most:X}", got=shown)


def check_name(value: object, where: str) -> None:
    """A text of one line."""
    if type(value) is not str or not value or "\n" in value:
        raise UsageError(f"{where}, name", expected="a name of one line", got=repr(value))


def check_size(value: object, where: str, *, at_least: int = 1) -> None:
    """A number of bytes, or `None` for one that varies."""
    if value is not None and (type(value) is not int or value < at_least):
        raise UsageError(f"{where}, size", expected=f">= {at_least} bytes", got=repr(value))
