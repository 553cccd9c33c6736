"""The rules by which one message is sent: what its attributes and its signals' say together.

The two are joined by OR (Vector Interaction Layer, technical reference 2.10, 3.7.3: "Mixed
Transmission Mode"), so an `OnChange` signal in a `Cyclic` message gives a cyclic message with event
frames beside its cycle.

- A cycle time without any send type (KCD, SYM, ARXML, plain DBC) is cyclic.
- `NoMsgSendType`, `none` and unused places of the ENUM say nothing: the signals decide alone, and
  where they say nothing either the message is never sent by itself, whatever its cycle time.
- A message-wide event (`Event`, `spontanX`, `triggered`) leaves to the signals which of them raise
  it; where none says so, a write of any of them does (interpretation; the texts are OEM words).
- `GenSigInactiveValue` is raw; without the attribute a signal is inactive at its start value, and
  with one that its bits cannot carry as well, with a note: it would be active for ever.
- `GenMsgNrOfRepetition` counts where a send type says `...WithRepetition`; with any other an event
  is sent once, and a note says how to have it repeated.
- An unknown send type is refused; a lenient reader keeps to the cycle time, with a note.
- `GenMsgCycleTimeFast`, or `GenMsgCycleTimeActive` as the older generators call it, in ms; where it
  is 0 an active message keeps to its `GenMsgCycleTime`, and repetitions to `GenMsgDelayTime`.
- A `GenMsgDelayTime` longer than the cycle contradicts it: the cycle wins, with a note.

How these rules run in time is in `interaction`, what the texts mean in `send_types`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from simcore.errors import InputError, UsageError
from simcore.network.messages import Message, Number, Signal
from simcore.network.send_types import STANDARD, SendMode, SendTypes, known_texts
from simcore.units import NS_PER_MS, format_ns

_RAISES_EVENTS = SendMode.ON_WRITE | SendMode.ON_CHANGE | SendMode.IF_ACTIVE
_TIMES = ("cycle_ns", "start_delay_ns", "gap_ns", "fast_ns", "fast_start_ns", "spacing_ns")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SendRules:
    """How one message is sent; `send_rules_of` makes it from a database. All times in ns.

    The signals are named: `on_write` and `on_change` raise event frames, those in `repeated`
    repeat them; `inactive` gives the raw inactive value of the signals that can be active.
    """

    message: Message
    cycle_ns: int = 0
    """0: not cyclic."""
    start_delay_ns: int = 0
    gap_ns: int = 0
    """Least time between any two frames of the message."""
    fast_ns: int = 0
    """Period while active, and of the fast start."""
    fast_start_ns: int = 0
    """How long the fast start lasts; 0: there is none."""
    repetitions: int = 0
    spacing_ns: int = 0
    """Between an event frame and its repetitions."""
    on_write: frozenset[str] = frozenset()
    on_change: frozenset[str] = frozenset()
    repeated: frozenset[str] = frozenset()
    inactive: Mapping[str, Number] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """What is contradictory in the file, and what was made of it."""

    def __post_init__(self) -> None:
        for name in (*_TIMES, "repetitions"):
            if getattr(self, name) < 0:
                raise self._bad(name, "0 or more", getattr(self, name))
        if (self.inactive or self.fast_start_ns) and not self.fast_ns:
            raise self._bad("fast_ns", "more than 0 ns for what is sent fast", 0)
        if self.fast_start_ns and not self.cycle_ns:
            raise self._bad("cycle_ns", "more than 0 ns for a fast start", 0)
        if self.repetitions and not self.spacing_ns:
            raise self._bad("spacing_ns", "more than 0 ns for repetitions", 0)

    def _bad(self, name: str, expected: str, got: int) -> UsageError:
        where = f"send rules of message {self.message.label}, {name}"
        return UsageError(where, expected=expected, got=got)

    @property
    def is_plain(self) -> bool:
        """Whether the message is sent in its cycle and at no other time."""
        return bool(self.cycle_ns) and not (
            self.on_write or self.on_change or self.inactive or self.fast_start_ns
        )

    @property
    def is_silent(self) -> bool:
        """Whether nothing in the database ever makes the message be sent."""
        return not (self.cycle_ns or self.on_write or self.on_change or self.inactive)

    @property
    def events(self) -> frozenset[str]:
        """The signals whose writes can make the message be sent."""
        return self.on_write | self.on_change | frozenset(self.inactive)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


def send_rules_of(
    message: Message, send_types: SendTypes = STANDARD, *, lenient: bool = False
) -> SendRules:
    """The rules that the attributes of `message` and its signals make together.

    Raises `InputError` for times or counts that are none, and for an unknown send type unless
    `lenient`: that is then replaced by the cycle time, if the message has one.
    """
    return _RulesReader(message, send_types, lenient).rules()


def application_signals(message: Message) -> tuple[Signal, ...]:
    """The signals an application writes: all but those that E2E and SecOC fill in."""
    made: set[str | None] = set()
    if message.e2e is not None:
        made |= {message.e2e.counter_signal, message.e2e.checksum_signal}
    if message.secoc_sync is not None:
        return ()
    if message.secoc is not None:
        made |= {message.secoc.freshness_signal, message.secoc.authenticator_signal}
        made.update(message.secoc.trailer_signals)
    return tuple(signal for signal in message.signals if signal.name not in made)


class _RulesReader:
    """Puts the rules of one message together."""

    def __init__(self, message: Message, send_types: SendTypes, lenient: bool) -> None:
        self._message = message
        self._send_types = send_types
        self._lenient = lenient
        self._notes: list[str] = []
        self._unknown: dict[str, None] = {}
        """Texts that nobody knows, in a lenient reading."""
        self._own = application_signals(message)
        self._mode = self._mode_of("GenMsgSendType", message.send_type)
        self._modes = {signal.name: self._signal_mode(signal) for signal in message.signals}

    def rules(self) -> SendRules:
        cycle_ns, fast_ns = self._message.cycle_time_ns or 0, self._fast_ns()
        inactive = self._inactive()
        if inactive and not (fast_ns or cycle_ns):
            self._notes.append("sent while active, but has neither a fast nor a normal cycle time")
            inactive = {}
        is_cyclic = self._is_cyclic()
        if self._unknown and self._says_something():
            self._notes.append(f"{self._told_unknown()}: it adds nothing to the known ones")
        gap_ns = self._gap_ns(cycle_ns if is_cyclic else 0)
        repeated = self._with(SendMode.REPETITION)
        repetitions = self._count("GenMsgNrOfRepetition", "GenMsgNrOfRepetitions")
        spacing_ns = max(fast_ns, gap_ns)
        if repeated and repetitions and not spacing_ns:
            self._notes.append(
                f"{repetitions} repetitions, but neither GenMsgCycleTimeFast nor GenMsgDelayTime: "
                "events are sent once"
            )
            repetitions = 0
        elif repetitions and not repeated and fast_ns and self._raises_events():
            self._notes.append(
                f"GenMsgNrOfRepetition is {repetitions}, but no send type says WithRepetition: "
                "events are sent once (--send-type gives a text another meaning, as "
                "Event=spontanWithRepetition)"
            )
        return SendRules(
            message=self._message,
            cycle_ns=cycle_ns if is_cyclic else 0,
            start_delay_ns=self._message.start_delay_ns,
            gap_ns=gap_ns,
            fast_ns=fast_ns or cycle_ns,
            fast_start_ns=self._fast_start_ns() if is_cyclic and fast_ns else 0,
            repetitions=repetitions if repeated else 0,
            spacing_ns=spacing_ns,
            on_write=self._with(SendMode.ON_WRITE),
            on_change=self._with(SendMode.ON_CHANGE),
            repeated=repeated if repetitions else frozenset(),
            inactive=inactive,
            notes=tuple(self._notes),
        )

    def _is_cyclic(self) -> bool:
        message = self._message
        if self._unknown and not self._says_something():
            return self._is_cyclic_by_time()
        if not message.cycle_time_ns:
            if self._mode & SendMode.CYCLIC:
                self._notes.append("cyclic, but has no cycle time")
            return False
        modes = self._modes.values()
        if (
            self._mode & SendMode.CYCLIC
            or any(mode & SendMode.CYCLIC for mode in modes)
            or not message.send_type
        ):
            return True
        if not self._says_something():
            cycle = format_ns(message.cycle_time_ns)
            self._notes.append(f"a cycle time of {cycle}, but no send type: never sent by itself")
        return False

    def _is_cyclic_by_time(self) -> bool:
        """What a lenient reading makes of unknown send types alone."""
        cycle_ns = self._message.cycle_time_ns
        meaning = f"sent every {format_ns(cycle_ns)}" if cycle_ns else "never sent by itself"
        self._notes.append(f"{self._told_unknown()}: {meaning}")
        return bool(cycle_ns)

    def _told_unknown(self) -> str:
        texts = ", ".join(repr(text) for text in self._unknown)
        several = len(self._unknown) > 1
        return f"send type{'s' if several else ''} {texts} {'are' if several else 'is'} unknown"

    def _says_something(self) -> bool:
        return bool(self._mode | _union(self._modes.values()))

    def _raises_events(self) -> bool:
        wanted = _RAISES_EVENTS | SendMode.EVENT
        return bool((self._mode | _union(self._modes.values())) & wanted)

    def _signal_mode(self, signal: Signal) -> SendMode:
        text = str(signal.attributes.get("GenSigSendType", ""))
        mode = self._mode_of("GenSigSendType", text, signal)
        return (mode & ~SendMode.EVENT) | SendMode.ON_WRITE if mode & SendMode.EVENT else mode

    def _mode_of(self, attribute: str, text: str, signal: Signal | None = None) -> SendMode:
        mode = self._send_types.mode(text)
        if mode is None and self._lenient:
            self._unknown[text] = None
            return SendMode.NONE
        if mode is None:
            where = attribute if signal is None else f"signal {signal.name}, {attribute}"
            raise self._bad(
                where, f"one of {known_texts()}, or an own table of send types", repr(text)
            )
        return mode

    def _with(self, wanted: SendMode) -> frozenset[str]:
        """Names of the signals for which `wanted` holds, by themselves or by their message."""
        names = frozenset(signal.name for signal in self._own)
        if self._mode & wanted:
            return names
        signals_decide = _union(self._modes.values()) & _RAISES_EVENTS
        if wanted == SendMode.ON_WRITE and self._mode & SendMode.EVENT and not signals_decide:
            return names
        return frozenset(name for name in names if self._modes[name] & wanted)

    def _inactive(self) -> dict[str, Number]:
        """Raw inactive value per signal that counts; a message-wide IfActive leaves it to them."""
        active = [signal for signal in self._own if self._modes[signal.name] & SendMode.IF_ACTIVE]
        if not active and self._mode & SendMode.IF_ACTIVE:
            active = list(self._own)
        return {signal.name: self._inactive_raw(signal) for signal in active}

    def _inactive_raw(self, signal: Signal) -> Number:
        value = signal.attributes.get("GenSigInactiveValue")
        if value is None:
            return signal.start_raw
        number = _number(value)
        if number != number or number in (float("inf"), float("-inf")):
            where = f"signal {signal.name}, GenSigInactiveValue"
            raise self._bad(where, "a raw value", repr(value))
        lowest, highest = signal.raw_limits
        is_possible = lowest <= number <= highest
        if not is_possible or (number != int(number) and not signal.is_float):
            self._notes.append(
                f"signal {signal.name}, GenSigInactiveValue: expected {lowest}..{highest} raw, got "
                f"{value}: the start value {signal.start_raw} is used"
            )
            return signal.start_raw
        return int(number) if number == int(number) else number

    def _gap_ns(self, cycle_ns: int) -> int:
        gap_ns = self._message.min_gap_ns
        if gap_ns and cycle_ns and gap_ns > cycle_ns:
            self._notes.append(
                f"GenMsgDelayTime of {format_ns(gap_ns)} is longer than the cycle of "
                f"{format_ns(cycle_ns)}: frames keep {format_ns(cycle_ns)} apart"
            )
            return cycle_ns
        return gap_ns

    def _fast_ns(self) -> int:
        return self._time_ns("GenMsgCycleTimeFast") or self._time_ns("GenMsgCycleTimeActive")

    def _fast_start_ns(self) -> int:
        return self._time_ns("GenMsgFastOnStart")

    def _time_ns(self, attribute: str) -> int:
        value = self._message.attributes.get(attribute, 0)
        number = _number(value)
        time_ns = number * NS_PER_MS
        if not 0 <= time_ns < float("inf") or time_ns != int(time_ns):
            raise self._bad(attribute, "a time in ms, 0 or more", repr(value))
        return int(time_ns)

    def _count(self, *attributes: str) -> int:
        for attribute in attributes:
            value = self._message.attributes.get(attribute)
            if value is None:
                continue
            number = _number(value)
            if not 0 <= number < float("inf") or number != int(number):
                raise self._bad(attribute, "a number of frames, 0 or more", repr(value))
            return int(number)
        return 0

    def _bad(self, where: str, expected: str, got: object) -> InputError:
        return InputError(
            f"message {self._message.label}, {where}",
            expected=expected,
            got=got,
            file=self._message.database.name,
        )


def _union(modes: Iterable[SendMode]) -> SendMode:
    """What any of several send types says."""
    found = SendMode.NONE
    for mode in modes:
        found |= mode
    return found


def _number(value: Number | str) -> Number:
    """The number that an attribute holds, NaN for none."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return float("nan")
    return value
