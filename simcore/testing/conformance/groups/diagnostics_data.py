"""Diagnostics of any node: what can be read, what not be written, and what a key unlocks.

Identifiers and levels are those of the table `diagnostics` of the requirement file; the rules are
those of ISO 14229-1:2020, clauses 10.4, 11.2 and 11.7.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import nan
from typing import Any

from simcore.diag.codes import Nrc, Sid
from simcore.testing.conformance.case import Case, Need
from simcore.testing.conformance.dialogue import (
    NOT_NOW,
    TABLE,
    Dialogue,
    known_identifiers,
    milliseconds,
)
from simcore.testing.conformance.dialogue import diagnostic_case as case
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.trial import Trial
from simcore.units import ms

NOT_ALLOWED = (
    Nrc.REQUEST_OUT_OF_RANGE,
    Nrc.SECURITY_ACCESS_DENIED,
    Nrc.AUTHENTICATION_REQUIRED,
    Nrc.CONDITIONS_NOT_CORRECT,
    Nrc.SERVICE_NOT_SUPPORTED,
    *NOT_NOW,
)


def cases(interface: Interface) -> list[Case]:
    """None for a node without diagnostic messages, or without a table of what it offers."""
    if interface.diag_request is None or not interface.binding(TABLE, {}):
        return []
    table = interface.binding(TABLE)
    return [
        *_data(table),
        *_live(interface.binding("diagnostics_live", {})),
        *(_security(table) if "security" in table else ()),
    ]


def _data(table: dict[str, object]) -> list[Case]:
    made = [
        case("data.identifiers", "everything listed is read, always in its length", _read),
        case("data.several", "several identifiers in one request", _several),
    ]
    if table.get("read_only"):
        made.append(case("data.read_only", "what must not be written is not", _read_only))
    return made


def _live(values: dict[str, dict[str, Any]]) -> list[Case]:
    return [
        case(
            f"data.{identifier}",
            f"identifier 0x{identifier} says what {value['signal']} says",
            partial(_follows, identifier=identifier, value=value),
        )
        for identifier, value in values.items()
    ]


def _security(table: dict[str, Any]) -> list[Case]:
    late = Need.VIRTUAL_TIME
    made = [
        case(
            f"security.write.{identifier}",
            f"identifier 0x{identifier} is written with the key, and not without",
            partial(_secured, identifier=identifier, value=str(value)),
        )
        for identifier, value in table.get("secured_writes", {}).items()
    ]
    return [
        *made,
        case("security.seed", "a locked level gives a seed, each time another one", _seed),
        case("security.wrong_key", "a wrong key is refused, the seed is used up", _wrong_key),
        case("security.attempts", "too many wrong keys: no seed for a while", _attempts, late),
        case("security.power_cycle", "a power cycle gives no attempts", _no_new_attempts, late),
        case("security.sequence", "a key without a seed is refused with 0x24", _no_seed),
        case("security.unlock", "the right key unlocks until the session ends", _unlock),
    ]


# -- data -----------------------------------------------------------------------------------------


def _read(trial: Trial) -> None:
    dialogue = Dialogue(trial)
    sizes = {}
    for text, size in dialogue.offer["identifiers"].items():
        identifier = dialogue.offer.parsed("identifiers", text)
        first = dialogue.positive(b"\x22" + identifier)
        sizes[identifier] = len(first)
        trial.expect(
            first[:2] == identifier and len(first) > 2 and (not size or len(first) == 2 + size),
            text="identifier and data",
            measured=f"{max(len(first) - 2, 0)} bytes: {first.hex(' ').upper()}",
            limit=f"0x{text} and {f'{size} bytes' if size else 'data'}",
        )
    trial.run_for(ms(20))
    for identifier, length in sizes.items():
        again = dialogue.ask(b"\x22" + identifier) or b""
        trial.expect(
            len(again) == length + 1,
            text=f"length of a second reading of 0x{identifier.hex().upper()}",
            measured=f"{len(again)} bytes",
            limit=f"{length + 1} bytes",
        )


def _follows(trial: Trial, *, identifier: str, value: dict[str, Any]) -> None:
    """What it says is what the module sends on the bus at the same time."""
    dialogue = Dialogue(trial)
    signal, size = str(value["signal"]), int(value["size"])
    start, scale = int(value.get("start", 0)), float(value["scale"])
    for message, signals in value.get("around", {}).items():
        around = getattr(trial.bench, "set", None)
        if around is not None:
            around(message, **signals)
    speed_kmh = value.get("speed_kmh")
    if speed_kmh is not None:
        trial.bench.set_speed(kmh=float(speed_kmh))  # type: ignore[attr-defined]
    trial.run_for(ms(300))
    data = dialogue.positive(b"\x22" + dialogue.offer.parsed("live", identifier))[2:]
    told = int.from_bytes(data[start : start + size], "big", signed=True) * scale
    sent = trial.decoded(str(value["message"]), signal, trial.now_ns - ms(100))
    on_bus = float(sent[-1][1]) if sent else nan
    most = float(value["tolerance"])
    trial.expect(
        len(data) >= start + size and abs(told - on_bus) <= most and on_bus != 0.0,
        text=f"0x{identifier} and {signal}",
        measured=f"{told:g} and {on_bus:g}",
        limit=f"apart by at most {most:g}, not 0",
    )


def _several(trial: Trial) -> None:
    dialogue = Dialogue(trial)
    known = known_identifiers(dialogue)[:3]
    parts = [dialogue.ask(b"\x22" + each) or b"" for each in known]
    together = dialogue.positive(b"\x22" + b"".join(known))
    wanted = b"".join(part[1:] for part in parts)
    trial.expect(
        together == wanted,
        text="identifiers with their data, in the order of the request",
        measured=together.hex(" ").upper(),
        limit=wanted.hex(" ").upper(),
    )


def _read_only(trial: Trial) -> None:
    dialogue = Dialogue(trial)
    dialogue.enter()
    for text in dialogue.offer.texts("read_only"):
        identifier = dialogue.offer.parsed("read_only", text)
        before = dialogue.ask(b"\x22" + identifier) or b""
        forged = bytes(each ^ 0x01 for each in before[3:]) or b"\x00"
        dialogue.refused(b"\x2e" + identifier + forged, *NOT_ALLOWED, text=f"writing 0x{text}")
        after = dialogue.ask(b"\x22" + identifier)
        trial.expect(
            after == before,
            text=f"0x{text} after it",
            measured="no response" if after is None else after.hex(" ").upper(),
            limit="as before",
        )


# -- security -------------------------------------------------------------------------------------


class _Lock:
    """A level of SecurityAccess, from the tester's side."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.dialogue = Dialogue(trial)
        table = self.dialogue.offer["security"]
        self.level = int(str(table["level"]), 16)
        self.session = str(table["session"])
        self.key_size = int(table.get("key_size", 4))
        self.attempts = int(table.get("attempts", 3))
        self.key_function = str(table.get("key", ""))

    @property
    def seed_request(self) -> bytes:
        return bytes((Sid.SECURITY_ACCESS, self.level))

    def key_request(self, key: bytes) -> bytes:
        return bytes((Sid.SECURITY_ACCESS, self.level + 1)) + key

    def enter(self) -> None:
        self.dialogue.enter(self.session)

    def seed(self) -> bytes:
        response = self.dialogue.positive(self.seed_request, text="a seed is given")
        return response[1:]

    def wrong_key(self, seed: bytes) -> bytes:
        """The seed itself, turned over: nobody's key but by chance of 2 to the 32."""
        return bytes(each ^ 0xA5 for each in seed.ljust(self.key_size, b"\x5a"))[: self.key_size]


def _seed(trial: Trial) -> None:
    lock = _Lock(trial)
    lock.enter()
    first, second = lock.seed(), lock.seed()
    trial.expect(
        any(first) and len(first) >= 2 and len(second) == len(first),
        text="seed of a locked level",
        measured=first.hex(" ").upper() or "nothing",
        limit="bytes that are not all 0",
    )
    trial.expect(
        first != second,
        text="the seed after it",
        measured=second.hex(" ").upper(),
        limit="another one",
    )


def _wrong_key(trial: Trial) -> None:
    lock = _Lock(trial)
    lock.enter()
    key = lock.key_request(lock.wrong_key(lock.seed()))
    lock.dialogue.refused(key, Nrc.INVALID_KEY, text="a wrong key")
    lock.dialogue.refused(key, Nrc.REQUEST_SEQUENCE_ERROR, text="the same key once more")
    seed = lock.seed()
    trial.expect(any(seed), text="it is locked still", measured=seed.hex(), limit="a seed, not 0")


def _fail_all(lock: _Lock) -> None:
    attempts = lock.attempts
    for attempt in range(1, attempts + 1):
        last = attempt == attempts
        lock.dialogue.refused(
            lock.key_request(lock.wrong_key(lock.seed())),
            Nrc.EXCEEDED_NUMBER_OF_ATTEMPTS if last else Nrc.INVALID_KEY,
            text=f"wrong key number {attempt} of {attempts}",
        )


def _attempts(trial: Trial) -> None:
    lock = _Lock(trial)
    delay_ns = milliseconds(trial.parameter("security_delay_ms"))
    lock.enter()
    _fail_all(lock)
    locked = Nrc.REQUIRED_TIME_DELAY_NOT_EXPIRED
    lock.dialogue.refused(lock.seed_request, locked, text="a seed at once")
    _keep_session(lock, delay_ns * 9 // 10)
    lock.dialogue.refused(lock.seed_request, locked, text="a seed before the delay is over")
    _keep_session(lock, delay_ns * 2 // 10)
    seed = lock.seed()
    trial.expect(any(seed), text="the delay is over", measured=seed.hex(), limit="a seed")


def _no_new_attempts(trial: Trial) -> None:
    lock = _Lock(trial)
    lock.enter()
    _fail_all(lock)
    trial.power_cycle()
    trial.run_for(milliseconds(trial.parameter("reset_ms")))
    lock.enter()
    lock.dialogue.refused(
        lock.seed_request,
        Nrc.REQUIRED_TIME_DELAY_NOT_EXPIRED,
        text="a seed after a power cycle within the delay",
    )


def _no_seed(trial: Trial) -> None:
    lock = _Lock(trial)
    lock.enter()
    key = lock.key_request(bytes(lock.key_size))
    lock.dialogue.refused(key, Nrc.REQUEST_SEQUENCE_ERROR, text="a key without a seed")
    lock.seed()
    lock.dialogue.refused(
        lock.key_request(bytes(lock.key_size + 1)),
        Nrc.INCORRECT_MESSAGE_LENGTH_OR_INVALID_FORMAT,
        text="a key that is too long",
    )


def _unlock(trial: Trial) -> None:
    lock = _Lock(trial)
    key_of = _key_function(trial, lock)
    lock.enter()
    seed = lock.seed()
    lock.dialogue.positive(lock.key_request(key_of(seed)), text="the right key")
    zeros = lock.seed()
    trial.expect(
        bool(zeros) and not any(zeros),
        text="seed of an unlocked level",
        measured=zeros.hex(" ").upper(),
        limit="zeros",
    )
    lock.dialogue.enter(lock.dialogue.default_session)
    lock.enter()
    seed = lock.seed()
    trial.expect(
        any(seed), text="locked again after the session", measured=seed.hex(), limit="a seed, not 0"
    )


def _secured(trial: Trial, *, identifier: str, value: str) -> None:
    """Locked, in every session: refused, as a secured one where the session has it at all."""
    lock = _Lock(trial)
    dialogue = lock.dialogue
    where = "secured_writes"
    number, data = dialogue.offer.parsed(where, identifier), dialogue.offer.parsed(where, value)
    read, write = bytes((Sid.READ_DATA_BY_IDENTIFIER,)) + number, b"\x2e" + number + data
    before = dialogue.positive(read, text=f"0x{identifier} is read")
    dialogue.refused(write, *NOT_ALLOWED, text="writing it in the default session")
    lock.enter()
    dialogue.refused(write, Nrc.SECURITY_ACCESS_DENIED, text="writing it before the key")
    seed = lock.seed()
    dialogue.refused(write, Nrc.SECURITY_ACCESS_DENIED, text="writing it with the seed given")
    dialogue.refused(lock.key_request(lock.wrong_key(seed)), Nrc.INVALID_KEY, text="a wrong key")
    dialogue.refused(write, Nrc.SECURITY_ACCESS_DENIED, text="writing it after a wrong key")
    found = dialogue.positive(read, text=f"0x{identifier} is read once more")
    trial.expect(
        found == before,
        text="what is read after all that",
        measured=found.hex(" ").upper() or "nothing",
        limit=before.hex(" ").upper(),
    )
    if not lock.key_function:
        return
    key = _key_function(trial, lock)(lock.seed())
    dialogue.positive(lock.key_request(key), text="the right key")
    dialogue.positive(write, text="writing it with the key")
    dialogue.enter(dialogue.default_session)
    lock.enter()
    dialogue.refused(write, Nrc.SECURITY_ACCESS_DENIED, text="writing it in a later session")


def _key_function(trial: Trial, lock: _Lock) -> Callable[[bytes], bytes]:
    """The function that the requirement file names, `module:function(node, level, seed)`."""
    module_name, _, name = lock.key_function.partition(":")
    if not name:
        trial.not_tested("the requirement list names no function that makes keys")
    from importlib import import_module

    function = getattr(import_module(module_name), name)
    return partial(function, trial.node, lock.level)


def _keep_session(lock: _Lock, duration_ns: int) -> None:
    """Let time pass without losing the session."""
    end_ns = lock.trial.now_ns + duration_ns
    lock.trial.bench.tester.present()
    lock.trial.run_for(max(end_ns - lock.trial.now_ns, 0))
    lock.trial.bench.tester.present(None)
