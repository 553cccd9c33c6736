"""Signal values, physical, as a database permits them, and raw ones beyond.

Every raw value of a signal is of one of these kinds: defined (within minimum and maximum, or with a
text), or reserved (the bits can carry it, the database gives it no meaning: beyond the range, or
without a text where the signal is an enumeration). A signal counts as an enumeration where its
value table names at least two values and more than half of its range.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from math import ceil, floor

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from simcore.errors import UsageError
from simcore.network import Message
from simcore.network.accepting import raw_of
from simcore.network.codegen import acceptable
from simcore.network.interaction_rules import application_signals
from simcore.network.messages import Number, Signal
from simcore.testing.strategies.arguments import require_encodable, require_flag
from simcore.testing.strategies.shown import shown_as

_MANY = 64
"""An enumeration of more texts is sampled as a range."""


def signal_values(
    message: Message,
    *,
    signals: Iterable[str] | None = None,
    fixed: Mapping[str, Number | str] | None = None,
    reserved: bool = False,
    undefined: bool = True,
) -> SearchStrategy[dict[str, Number]]:
    """Physical values for every signal that is present, as `message.codec.encode` takes them.

    They shrink towards the start values of the database. Values are honest: within minimum and
    maximum or with a text, exactly what a raw value stands for. Of a multiplexed message the
    multiplexers are drawn, and the signals of the page they select.

    `signals` names those that vary (default: all that the application sets; counter, checksum and
    authenticator stay at their start), `fixed` gives some a value. `undefined=False` leaves out
    values of enumerations that have no text. With `reserved=True` there are also values that the
    bits can carry and the database forbids: the codec refuses to encode them, `frames` sends
    them all the same (`codec.overwrite_raw` does). Raises `UsageError` for unknown signals, for
    values that a signal cannot have, and for a message that cannot be encoded.
    """
    require_encodable("signal_values", message)
    require_flag("signal_values, reserved", reserved)
    require_flag("signal_values, undefined", undefined)
    raws = raw_values(message, signals, fixed or {}, reserved=reserved, undefined=undefined)
    physical = raws.map(_Physical(message))
    return shown_as(f"values of {message.label}", physical)


class _Physical:
    """Raw values to physical ones."""

    def __init__(self, message: Message) -> None:
        self._signals = {signal.name: signal for signal in message.signals}

    def __call__(self, raws: dict[str, Number]) -> dict[str, Number]:
        return {name: self._signals[name].to_physical(raw) for name, raw in raws.items()}


def raw_values(
    message: Message,
    signals: Iterable[str] | None,
    fixed: Mapping[str, Number | str],
    *,
    reserved: bool,
    undefined: bool,
) -> SearchStrategy[dict[str, Number]]:
    """As `signal_values`, raw: what `frames` builds on."""
    where = f"signal_values, message {message.label}"
    if signals is None and not fixed:
        return _all_raws(message, reserved, undefined)
    if isinstance(signals, str):
        raise UsageError(f"{where}, signals", expected="a list of names", got=repr(signals))
    varying = (
        _set_by_application(message)
        if signals is None
        else frozenset(message.signal(name).name for name in signals)
    )
    pinned = {name: raw_of(message, message.signal(name), value) for name, value in fixed.items()}
    return _raws(message, varying, pinned, reserved, undefined)


@lru_cache(maxsize=1024)
def _all_raws(
    message: Message, reserved: bool, undefined: bool
) -> SearchStrategy[dict[str, Number]]:
    """Every signal that the application sets: the same strategy each time it is drawn from."""
    return _raws(message, _set_by_application(message), {}, reserved, undefined)


def _set_by_application(message: Message) -> frozenset[str]:
    return frozenset(signal.name for signal in application_signals(message))


def _raws(
    message: Message,
    varying: frozenset[str],
    pinned: dict[str, Number],
    reserved: bool,
    undefined: bool,
) -> SearchStrategy[dict[str, Number]]:
    if message.codec.is_multiplexed:
        return _paged_raws(message, varying, pinned, reserved, undefined)
    each: dict[str, SearchStrategy[Number]] = {}
    for signal in message.signals:
        if signal.name in pinned:
            each[signal.name] = st.just(pinned[signal.name])
        elif signal.name in varying:
            each[signal.name] = raws_of(signal, reserved=reserved, undefined=undefined)
        else:
            each[signal.name] = st.just(calm_raw(signal))
    return st.fixed_dictionaries(each)


@st.composite
def _paged_raws(
    draw: DrawFn,
    message: Message,
    varying: frozenset[str],
    pinned: dict[str, Number],
    reserved: bool,
    undefined: bool,
) -> dict[str, Number]:
    """Selectors first, then what is on the page; a selector always has a number with a page."""
    found: dict[str, Number] = {}

    def number_of(multiplexer: Signal) -> int:
        name = multiplexer.name
        if name in pinned:
            found[name] = pinned[name]
        else:
            raws = sorted(
                raw
                for raw in map(multiplexer.to_raw, message.codec.tree.numbers[name])
                if _is_defined(multiplexer, raw)
            )
            found[name] = draw(st.sampled_from(raws)) if name in varying else raws[0]
        return int(multiplexer.to_physical(found[name]))

    present = message.codec.active_signals(number_of)
    missing = [name for name in pinned if name not in {signal.name for signal in present}]
    if missing:
        raise UsageError(
            f"signal_values, message {message.label}, fixed",
            expected="signals that one page has, and its multiplexer with them",
            got=", ".join(missing),
        )
    for signal in present:
        if signal.name in found:
            continue
        if signal.name in pinned:
            found[signal.name] = pinned[signal.name]
        elif signal.name in varying:
            found[signal.name] = draw(raws_of(signal, reserved=reserved, undefined=undefined))
        else:
            found[signal.name] = calm_raw(signal)
    return {signal.name: found[signal.name] for signal in present}


@lru_cache(maxsize=4096)
def _raws_of(name: str, message_of: _Known, reserved: bool, undefined: bool) -> object:
    return _built(message_of.signal, reserved=reserved, undefined=undefined)


class _Known:
    """A signal as a key: compared by identity, since its mappings cannot be hashed."""

    __slots__ = ("signal",)

    def __init__(self, signal: Signal) -> None:
        self.signal = signal

    def __hash__(self) -> int:
        return hash((self.signal.name, self.signal.start_bit))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Known) and other.signal is self.signal


def raws_of(
    signal: Signal, *, reserved: bool = False, undefined: bool = True
) -> SearchStrategy[Number]:
    """Raw values of one signal; shrink towards its start value. `reserved`: those as well."""
    found: SearchStrategy[Number] = _raws_of(  # type: ignore[assignment]
        signal.name, _Known(signal), reserved, undefined
    )
    return found


def _built(signal: Signal, *, reserved: bool, undefined: bool) -> SearchStrategy[Number]:
    calm = calm_raw(signal)
    if signal.is_float:
        return st.one_of(st.just(calm), _floats_of(signal, reserved=reserved))
    low, high = defined_limits(signal)
    texts = sorted(raw for raw in signal.choices if _is_defined(signal, raw))
    beyond = [raw for raw in texts if not low <= raw <= high]
    if is_enumeration(signal) and not undefined and len(texts) <= _MANY:
        found = st.sampled_from([calm, *(raw for raw in texts if raw != calm)])
    else:
        # Few draws are fast: hypothesis tries the ends of a range by itself.
        found = st.integers(low - int(calm), high - int(calm)).map(_Added(int(calm)))
        found = st.one_of(found, st.sampled_from(beyond)) if beyond else found
    return st.one_of(found, *reserved_raws(signal)) if reserved else found


class _Added:
    """Integers count from the start value: they shrink towards it."""

    def __init__(self, calm: int) -> None:
        self._calm = calm

    def __call__(self, distance: int) -> int:
        return distance + self._calm


def _floats_of(signal: Signal, *, reserved: bool) -> SearchStrategy[Number]:
    low, high = signal.raw_limits
    if not reserved:
        ends = sorted(
            signal.to_raw(each) if each is not None else end
            for each, end in ((signal.minimum, low), (signal.maximum, high))
        )
        low, high = max(low, ends[0]), min(high, ends[1])
    width: int = signal.length if signal.length in (16, 32) else 64
    drawn = st.floats(allow_nan=False, allow_infinity=False, width=width)  # type: ignore[arg-type]
    return drawn.map(_Within(float(low), float(high)))


class _Within:
    """Keeps a float within limits: what is outside becomes an end."""

    def __init__(self, low_ratio: float, high_ratio: float) -> None:
        self._low_ratio = low_ratio
        self._high_ratio = high_ratio

    def __call__(self, drawn_ratio: float) -> float:
        return min(max(drawn_ratio, self._low_ratio), self._high_ratio)


def reserved_raws(signal: Signal) -> list[SearchStrategy[Number]]:
    """Strategies of raw values that the bits can carry and the database gives no meaning.

    Empty where there are none; that of floats is left to the caller.
    """
    if signal.is_float:
        return []
    first, last = map(int, signal.raw_limits)
    low, high = defined_limits(signal)
    found: list[SearchStrategy[Number]] = []
    for begin, end in ((high + 1, last), (first, low - 1)):
        if begin > end:
            continue
        if end - begin < _MANY:
            raws = [raw for raw in range(begin, end + 1) if raw not in signal.choices]
            found += [st.sampled_from(raws)] if raws else []
        else:
            found.append(st.integers(begin, end).filter(_NotIn(frozenset(signal.choices))))
    if is_enumeration(signal) and high - low <= 16 * _MANY:
        raws = [raw for raw in range(low, high + 1) if raw not in signal.choices]
        found += [st.sampled_from(raws)] if raws else []
    return found


class _NotIn:
    def __init__(self, excluded: frozenset[int]) -> None:
        self._excluded = excluded

    def __call__(self, raw: int) -> bool:
        return raw not in self._excluded


def is_enumeration(signal: Signal) -> bool:
    """Whether its value table names at least two values and more than half of its range."""
    if signal.is_float or len(signal.choices) < 2:
        return False
    low, high = defined_limits(signal)
    named = sum(1 for raw in signal.choices if low <= raw <= high)
    return 2 * named > high - low + 1


def defined_limits(signal: Signal) -> tuple[int, int]:
    """The least and the greatest raw value within bits, minimum and maximum, of a whole signal.

    Where the range holds none, those of the value table.
    """
    first, last = map(int, signal.raw_limits)
    if signal.minimum is not None or signal.maximum is not None:
        ends = [
            (each - signal.offset) / signal.scale
            for each in (signal.minimum, signal.maximum)
            if each is not None
        ]
        rising = signal.scale > 0
        if signal.minimum is not None:
            first, last = _cut(first, last, ends[0], below=rising)
        if signal.maximum is not None:
            first, last = _cut(first, last, ends[-1], below=not rising)
    texts = sorted(signal.choices)
    if first > last and texts:
        return texts[0], texts[-1]
    while first <= last and not _is_defined(signal, first):
        first += 1
    while last >= first and not _is_defined(signal, last):
        last -= 1
    return first, last


def _cut(first: int, last: int, end_ratio: float, *, below: bool) -> tuple[int, int]:
    """Raw limits cut at one end of the physical range, with the codec's tolerance."""
    if below:
        return max(first, ceil(end_ratio - 1e-6)), last
    return first, min(last, floor(end_ratio + 1e-6))


def _is_defined(signal: Signal, raw: Number) -> bool:
    return acceptable(signal, signal.to_physical(raw), raw)


def calm_raw(signal: Signal) -> Number:
    """The start value where the database permits it, else the permitted one next to 0."""
    if _is_defined(signal, signal.start_raw):
        return signal.start_raw
    if signal.is_float:
        low, high = (0.0 if each is None else each for each in (signal.minimum, signal.maximum))
        return signal.to_raw(min(max(0.0, low), high))
    low_raw, high_raw = defined_limits(signal)
    return min(max(0, low_raw), high_raw)
