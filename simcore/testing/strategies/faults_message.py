"""Strategies of the faults of one message, by the names of the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from simcore.bus import DLC_TO_LENGTH
from simcore.errors import UsageError
from simcore.faults import (
    ChecksumWrong,
    CounterFrozen,
    CounterOffset,
    CounterRandom,
    DataIdWrong,
    Fault,
    LengthWrong,
    MessageBlocked,
    MessageCycle,
    MessageDelayed,
    MessageDropped,
    MessageInserted,
    MessageJitter,
    MessageMasqueraded,
    MessageReordered,
    MessageRepeated,
    MessageStopped,
    PayloadCorrupted,
    SignalCorrupted,
)
from simcore.faults.message import RESUMES
from simcore.network import Message
from simcore.network.e2e_layout import PLAIN, PROFILES
from simcore.network.interaction_rules import application_signals
from simcore.protection.e2e_factory import HEADERS
from simcore.testing.strategies.frames import authentic_length, counter_modulo
from simcore.testing.strategies.inventory import Inventory
from simcore.testing.strategies.signals import raws_of
from simcore.units import NS_PER_MS

Faults = SearchStrategy[Fault]
Fits = Callable[[Message], bool]
_FRAMES = st.integers(1, 50)


def _any(message: Message) -> bool:
    return True


def _counted(message: Message) -> bool:
    return message.e2e is not None and counter_modulo(message) > 1


def _summed(message: Message) -> bool:
    return message.e2e is not None and message.e2e.profile != "COUNTER"


def _identified(message: Message) -> bool:
    return message.e2e is not None and message.e2e.profile not in PLAIN


def _flat(message: Message) -> bool:
    return not message.codec.is_multiplexed and bool(application_signals(message))


def _of(
    have: Inventory, kind: Callable[..., Fault], fits: Fits = _any, **more: SearchStrategy[Any]
) -> Faults:
    """A fault of a message that fits; nothing where none does."""
    names = [each.name for each in have.messages if fits(each)]
    if not names:
        return st.nothing()
    return st.builds(kind, message=st.sampled_from(names), frames=_FRAMES, **more)


def _resuming(have: Inventory, kind: Callable[..., Fault], **more: SearchStrategy[Any]) -> Faults:
    resumes = st.sampled_from(RESUMES)
    if kind in (MessageStopped, MessageCycle):
        bare = _of(have, kind, lambda message: not _counted(message), **more)
        return _of(have, kind, _counted, resume=resumes, **more) | bare
    return _of(have, kind, _counted, resume=resumes, **more)


def _offsets(have: Inventory) -> Faults:
    """Fewer than the counter has values: a multiple of them would change nothing."""
    least = min((counter_modulo(each) for each in have.messages if _counted(each)), default=2)
    offsets = st.integers(1, least - 1) | st.integers(1 - least, -1)
    return _resuming(have, CounterOffset, offset=offsets)


@st.composite
def _data_ids(draw: DrawFn, have: Inventory) -> Fault:
    message = draw(st.sampled_from([each for each in have.messages if _identified(each)]))
    assert message.e2e is not None
    most = PROFILES[message.e2e.profile].data_id_max
    own = message.e2e.data_id
    other = draw(st.integers(0, most - 1))
    return DataIdWrong(
        message=message.name,
        frames=draw(_FRAMES),
        data_id=other if own is None or other < own else other + 1,
    )


@st.composite
def _lengths(draw: DrawFn, have: Inventory) -> Fault:
    message = draw(st.sampled_from(have.messages))
    lengths = DLC_TO_LENGTH if message.is_fd else DLC_TO_LENGTH[:9]
    others = [length for length in lengths if length != message.length]
    return LengthWrong(
        message=message.name, frames=draw(_FRAMES), length=draw(st.sampled_from(others))
    )


@st.composite
def _inserted(draw: DrawFn, have: Inventory) -> Fault:
    message = draw(st.sampled_from(have.messages))
    legal = DLC_TO_LENGTH if message.is_fd else DLC_TO_LENGTH[:9]
    others = [each for each in have.messages if each is not message]
    contents = [each.name for each in others if each.length in legal]
    carriers = [
        each.name
        for each in others
        if message.length in (DLC_TO_LENGTH if each.is_fd else DLC_TO_LENGTH[:9])
    ]
    how = draw(st.sampled_from([("content_of", contents), ("under", carriers)]))
    other: dict[str, Any] = {how[0]: draw(st.sampled_from(how[1]))}
    return MessageInserted(message=message.name, frames=draw(_FRAMES), **other)


def _masqueraded(have: Inventory) -> Faults:
    pairs = st.deferred(lambda: st.sampled_from(_masks(have)))  # worked out once, when first drawn
    return st.builds(_masquerade, pairs, _FRAMES)


def _masquerade(pair: tuple[str, str], frames: int) -> Fault:
    return MessageMasqueraded(message=pair[0], frames=frames, protected_as=pair[1])


def _masks(have: Inventory) -> list[tuple[str, str]]:
    """Messages whose payload another one's protection can seal."""
    pairs = []
    for own in have.messages:
        if own.e2e is None:
            continue
        for other in have.messages:
            if other is own or not _identified(other) or other.e2e == own.e2e:
                continue
            assert other.e2e is not None
            try:
                HEADERS[other.e2e.profile](other.e2e, authentic_length(own))
            except UsageError:
                continue
            pairs.append((own.name, other.name))
    return pairs


@st.composite
def _flipped(draw: DrawFn, have: Inventory) -> Fault:
    message = draw(st.sampled_from(have.messages))
    size = 8 * message.length
    bits = st.lists(st.integers(0, size - 1), min_size=1, max_size=4, unique=True)
    if draw(st.booleans()):
        return PayloadCorrupted(
            message=message.name, frames=draw(_FRAMES), flips=draw(st.integers(1, min(8, size)))
        )
    return PayloadCorrupted(message=message.name, frames=draw(_FRAMES), bits=tuple(draw(bits)))


@st.composite
def _signals(draw: DrawFn, have: Inventory) -> Fault:
    message = draw(st.sampled_from([each for each in have.messages if _flat(each)]))
    signal = draw(st.sampled_from(application_signals(message)))
    raw = draw(raws_of(signal))
    return SignalCorrupted(
        message=message.name,
        frames=draw(_FRAMES),
        signal=signal.name,
        value=signal.to_physical(raw),
    )


def _times(low_ms: int, high_ms: int) -> SearchStrategy[int]:
    return st.integers(low_ms, high_ms).map(_to_ns)


def _to_ns(duration_ms: int) -> int:
    return duration_ms * NS_PER_MS


MESSAGE: dict[str, Callable[[Inventory], Faults]] = {
    "ChecksumWrong": lambda have: _of(have, ChecksumWrong, _summed),
    "CounterFrozen": lambda have: _resuming(have, CounterFrozen),
    "CounterOffset": _offsets,
    "CounterRandom": lambda have: _resuming(have, CounterRandom),
    "DataIdWrong": _data_ids,
    "LengthWrong": _lengths,
    "MessageBlocked": lambda have: _of(
        have, MessageBlocked, then=st.sampled_from(("lost", "late")), queue_frames=_FRAMES
    ),
    "MessageCycle": lambda have: _resuming(have, MessageCycle, cycle_ns=_times(1, 500)),
    "MessageDelayed": lambda have: _of(
        have,
        MessageDelayed,
        delay_ns=_times(1, 500),
        ramp_ns_per_s=st.none() | _times(1, 500),
    ),
    "MessageDropped": lambda have: (
        _of(have, MessageDropped, every=st.integers(2, 20))
        | _of(have, MessageDropped, share_ratio=st.sampled_from((0.01, 0.1, 0.5, 0.9)))
    ),
    "MessageInserted": _inserted,
    "MessageJitter": lambda have: _of(have, MessageJitter, jitter_ns=_times(1, 100)),
    "MessageMasqueraded": _masqueraded,
    "MessageReordered": lambda have: _of(have, MessageReordered),
    "MessageRepeated": lambda have: _of(have, MessageRepeated, copies=st.integers(1, 4)),
    "MessageStopped": lambda have: _resuming(have, MessageStopped),
    "PayloadCorrupted": _flipped,
    "SignalCorrupted": _signals,
}
