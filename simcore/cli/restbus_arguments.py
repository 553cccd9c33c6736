"""The words of `simcore restbus`: values, drives, writes and faults, from text to what they mean.

Not here: what is done with them (`restbus`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcore.attach.log_signals import LogSignals, is_log
from simcore.ecu.restbus import EVERY
from simcore.errors import InputError, UsageError
from simcore.faults import message as message_faults
from simcore.faults.message import RESUMES, MessageFault
from simcore.network.columns import load_columns
from simcore.network.messages import Number, unknown_name
from simcore.units import ms, ns, s, us

if TYPE_CHECKING:
    from simcore.network import Database, Message
    from simcore.network.columns import Column

FAULTS: dict[str, type[MessageFault]] = {
    name: kind
    for name, kind in vars(message_faults).items()
    if isinstance(kind, type)
    and issubclass(kind, MessageFault)
    and kind is not MessageFault
    and not name.startswith("_")
}
"""The faults of a message by name."""
_TIMES: dict[str, Callable[[Any], int]] = {"_ns": ns, "_us": us, "_ms": ms, "_s": s}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A value for a signal, from the start or as a write at a time."""

    message: str
    signal: str
    value: Number | str
    at_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Driving:
    """A signal and the column that drives it."""

    message: str
    signal: str
    column: Column
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault, when it begins, and how long it lasts at most."""

    fault: MessageFault
    start_ns: int
    duration_ns: int | None


def setting_of(word: str, option: str = "--set") -> Setting:
    """`MSG.SIG=VALUE`; the value is a number, in hex too, or a text of the value table."""
    message, signal, text = _target(word, option, "MSG.SIG=VALUE")
    return Setting(message=message, signal=signal, value=_value(text))


def write_of(word: str) -> Setting:
    """`MSG.SIG=VALUE@SECONDS`."""
    form = "MSG.SIG=VALUE@SECONDS"
    before, at, seconds = word.rpartition("@")
    if not at:
        raise UsageError("--write", expected=form, got=repr(word))
    message, signal, text = _target(before, "--write", form)
    at_ns = seconds_of(seconds, "--write")
    return Setting(message=message, signal=signal, value=_value(text), at_ns=at_ns)


def cycle_of(word: str) -> tuple[str, int]:
    """`MSG=MS`, or `MS` alone for every message that would never be sent by itself."""
    name, equals, text = word.rpartition("=")
    try:
        cycle_ns = ms(_number(text.strip().removesuffix("ms")))
    except ValueError as error:
        got = str(error) if isinstance(error, UsageError) else repr(word)
        raise UsageError("--cycle", expected="[MSG=]MS, as 100 or M=20", got=got) from None
    if cycle_ns <= 0 or (equals and not name):
        raise UsageError("--cycle", expected="[MSG=]MS, more than 0 ms", got=repr(word))
    return name.strip() or EVERY, cycle_ns


def seconds_of(text: str, option: str) -> int:
    """`2`, `0.25` or `2s` in ns."""
    try:
        time_ns = s(float(text.strip().removesuffix("s")))
    except ValueError as error:  # no number, or no whole number of ns
        got = str(error) if isinstance(error, UsageError) else repr(text)
        raise UsageError(option, expected="a time in seconds, as 2.5", got=got) from None
    if time_ns < 0:
        raise UsageError(option, expected="a time of 0 s or more", got=repr(text))
    return time_ns


class DriveReader:
    """Reads `MSG.SIG=FILE.csv[:COLUMN]` and `MSG.SIG=LOG[:CHANNEL]`, every file once."""

    def __init__(self, database: Database, bus: str | None = None) -> None:
        self._database = database
        self._bus = bus
        self._tables: dict[str, dict[str, Column]] = {}
        self._logs: dict[str, LogSignals] = {}

    def read(self, word: str) -> Driving:
        """The drive that `word` means. Raises `UsageError`, or `InputError` for the file."""
        form = "MSG.SIG=FILE.csv[:COLUMN] or MSG.SIG=LOG[:CHANNEL]"
        name, signal, text = _target(word, "--drive", form)
        message = self._database.message(name, bus=self._bus)
        message.signal(signal)
        file, part = _file_and_part(text)
        if is_log(file):
            column = self._log(file).column(message, signal, channel=part)
        elif Path(file).suffix.lower() == ".csv":
            column = self._csv(file, message, signal, part)
        else:
            raise UsageError(
                "--drive",
                expected="a file .csv, or a bus log .log, .candump, .asc, .blf, .mf4",
                got=repr(text),
            )
        return Driving(message=name, signal=signal, column=column, file=file)

    def _log(self, file: str) -> LogSignals:
        if file not in self._logs:
            self._logs[file] = LogSignals.load(file)
        return self._logs[file]

    def _csv(self, file: str, message: Message, signal: str, part: str | None) -> Column:
        if file not in self._tables:
            self._tables[file] = load_columns(file)
        table = self._tables[file]
        wanted = (part,) if part is not None else (f"{message.name}.{signal}", signal)
        for name in wanted:
            if name in table:
                return table[name]
        if part is None and len(table) == 1:
            return next(iter(table.values()))
        raise InputError(
            "columns",
            expected=f"a column {' or '.join(wanted)}",
            got=f"the columns {', '.join(table)}",
            file=file,
        )


def fault_of(word: str) -> Fault:
    """`NAME:key=value,...[@START[+DURATION]]`, times of start and duration in seconds.

    `MessageStopped:message=VCU_Torque,frames=5@2`. A parameter in ns may be given as `cycle_us`,
    `cycle_ms` or `cycle_s`, too.
    """
    text, at, when = word.partition("@")
    name, _, rest = text.partition(":")
    kind = FAULTS.get(name)
    if kind is None:
        error = unknown_name("--fault: unknown fault", name, FAULTS)
        raise UsageError(error.where, expected=f"one of {', '.join(FAULTS)}")
    start, plus, duration = when.partition("+")
    start_ns = seconds_of(start, f"--fault {name}, start") if at else 0
    duration_ns = seconds_of(duration, f"--fault {name}, duration") if plus else None
    if duration_ns == 0:
        raise UsageError(f"--fault {name}, duration", expected="more than 0 s", got=repr(duration))
    given: dict[str, Any] = {}
    for entry in filter(None, rest.split(",")):
        key, equals, value = entry.partition("=")
        if not equals:
            raise UsageError(f"--fault {name}", expected=_form(kind), got=repr(entry))
        field, converted = _parameter(kind, key.strip(), value.strip())
        if field in given:
            raise UsageError(f"--fault {name}", expected=f"{field} once", got=f"{field} twice")
        given[field] = converted
    missing = [
        each.name for each in fields(kind) if each.default is MISSING and each.name not in given
    ]
    if missing:
        raise UsageError(f"--fault {name}: {', '.join(missing)} missing", expected=_form(kind))
    return Fault(fault=kind(**given), start_ns=start_ns, duration_ns=duration_ns)


def _form(kind: type[MessageFault]) -> str:
    """`MessageCycle:message=...,cycle_ms=...[,frames=...]@START[+DURATION]`."""
    needed = [each.name for each in fields(kind) if each.default is MISSING]
    rest = [each.name for each in fields(kind) if each.default is not MISSING]
    told = ",".join(f"{name.removesuffix('_ns')}{_shown(name)}=..." for name in needed)
    return f"{kind.__name__}:{told}[,{'=...,'.join(rest)}=...][@START[+DURATION]]"


def _shown(name: str) -> str:
    return "_ms" if name.endswith("_ns") else ""


def _parameter(kind: type[MessageFault], key: str, text: str) -> tuple[str, Any]:
    """Name and value of a parameter."""
    known = {each.name for each in fields(kind)}
    where = f"--fault {kind.__name__}, {key}"
    for suffix, in_ns in _TIMES.items():
        name = key.removesuffix(suffix) + "_ns"
        if key.endswith(suffix) and name in known:
            try:
                return name, in_ns(_number(text))
            except ValueError as error:
                got = str(error) if isinstance(error, UsageError) else repr(text)
                raise UsageError(where, expected="a time", got=got) from None
    if key not in known:
        unknown = unknown_name(f"--fault {kind.__name__}: unknown parameter", key, known)
        raise UsageError(unknown.where, expected=_form(kind))
    if key in ("message", "node"):
        return key, text
    if key == "resume":
        resume = text.replace("-", " ").replace("_", " ")
        if resume not in RESUMES:
            raise UsageError(where, expected=f"one of {', '.join(RESUMES)}", got=repr(text))
        return key, resume
    try:
        return key, int(text, 0)
    except ValueError:
        raise UsageError(where, expected="a whole number", got=repr(text)) from None


def _target(word: str, option: str, form: str) -> tuple[str, str, str]:
    name, equals, text = word.partition("=")
    message, dot, signal = name.strip().partition(".")
    if not (equals and dot and message and signal and text.strip()):
        raise UsageError(option, expected=form, got=repr(word))
    return message, signal, text.strip()


def _value(text: str) -> Number | str:
    """A number where it reads as one, else a text; quotes make a text of a number."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    try:
        return _number(text)
    except ValueError:
        return text


def _number(text: str) -> Number:
    try:
        return int(text, 0)
    except ValueError:
        return float(text)


def _file_and_part(text: str) -> tuple[str, str | None]:
    """`FILE:PART` or `FILE`; a colon before the suffix belongs to the file."""
    file, colon, part = text.rpartition(":")
    if colon and Path(file).suffix and part and not is_log(text) and not text.endswith(".csv"):
        return file, part
    return text, None
