"""Frames: of the messages of a database, and any there can be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from simcore.bus import DLC_TO_LENGTH, Frame
from simcore.bus.frame import MAX_BASE_ID, MAX_EXTENDED_ID
from simcore.errors import UsageError
from simcore.network import Database, Message
from simcore.network.e2e_layout import PLAIN, PROFILES
from simcore.network.messages import Number
from simcore.protection.e2e_factory import e2e_sender
from simcore.testing.strategies.arguments import require_encodable, require_flag, require_whole
from simcore.testing.strategies.messages import selected
from simcore.testing.strategies.shown import shown_as
from simcore.testing.strategies.signals import raw_values

CLASSIC_LENGTHS = tuple(range(9))


def frames(
    database: Database,
    *,
    message: Message | None = None,
    sender: str | None = None,
    receiver: str | None = None,
    diagnostics: bool | None = False,
    signals: Iterable[str] | None = None,
    fixed: Mapping[str, Number | str] | None = None,
    reserved: bool = False,
    undefined: bool = True,
    protect: bool = True,
    counter: int | None = None,
) -> SearchStrategy[Frame]:
    """Frames of the messages of `database`, format and length right, values as `signal_values`.

    Either of one `message`, or of those that `messages` draws with the same `sender`, `receiver`
    and `diagnostics`. With `protect` the E2E header is right; its counter is drawn, or `counter`
    (modulo that of the profile). Nobody has the key of a secured message: its authenticator is
    zero. They shrink towards the first message, start values and counter 0. `signals`, `fixed`,
    `reserved` and `undefined` are those of `signal_values`; the first two need a `message`.
    """
    require_flag("frames, protect", protect)
    require_flag("frames, reserved", reserved)
    require_flag("frames, undefined", undefined)
    if counter is not None:
        require_whole("frames", 0, counter=counter)
    if message is None:
        if signals is not None or fixed is not None:
            raise UsageError("frames", expected="a message with signals or fixed", got="none")
        found = selected(
            "frames", database, sender=sender, receiver=receiver, diagnostics=diagnostics
        )
    else:
        found = (require_encodable("frames", message),)
    parts = [
        _frames_of(
            each,
            raw_values(each, signals, fixed or {}, reserved=reserved, undefined=undefined),
            protect,
            counter,
        )
        for each in found
    ]
    what = found[0].label if len(found) == 1 else f"{len(found)} messages of {database.name}"
    return shown_as(f"frames of {what}", st.one_of(parts))


@st.composite
def _frames_of(
    draw: DrawFn,
    message: Message,
    raws: SearchStrategy[dict[str, Number]],
    protect: bool,
    counter: int | None,
) -> Frame:
    frame = frame_of(message, draw(raws))
    if not protect or message.e2e is None:
        return frame
    modulo = counter_modulo(message)
    number = draw(st.integers(0, modulo - 1)) if counter is None else counter % modulo
    return protected(message, frame, number)


def frame_of(message: Message, raws: Mapping[str, Number]) -> Frame:
    """The frame with these raw values, whether or not their ranges permit them; unprotected."""
    codec = message.codec
    empty = bytes(message.length)
    return Frame(
        message.arbitration_id,
        codec.overwrite_raw(empty, raws),
        is_extended_id=message.is_extended_id,
        is_fd=message.is_fd,
        bitrate_switch=message.bitrate_switch,
    )


def counter_modulo(message: Message) -> int:
    """How many counters the message's E2E profile has; 1 where it has none."""
    config = message.e2e
    if config is None:
        return 1
    if config.profile in PLAIN:
        return max(1, e2e_sender(config, authentic_length(message))._header.counter_modulo)
    return PROFILES[config.profile].counter_modulo


def authentic_length(message: Message) -> int:
    """Bytes that E2E protects: all but the authenticator of a secured message."""
    return message.length if message.secoc is None else message.secoc.authentic_length


def protected(message: Message, frame: Frame, counter: int) -> Frame:
    """The same frame with the message's E2E header filled in."""
    assert message.e2e is not None
    length = authentic_length(message)
    sender = e2e_sender(message.e2e, length, counter=counter)
    return frame.with_data(sender.protect(frame.data[:length]) + frame.data[length:])


def raw_frames(
    *,
    min_id: int = 0,
    max_id: int | None = None,
    extended: bool | None = None,
    fd: bool | None = None,
    remote: bool = False,
    max_length: int = 64,
) -> SearchStrategy[Frame]:
    """Any frame a CAN FD controller can send; shrink to an empty classic one with `min_id`.

    Identifiers `min_id`..`max_id` (default: all there are), base and extended; `extended` and `fd`
    take one format only. `remote` draws classic remote frames as well. Payloads are of any length
    the format has, up to `max_length` bytes.
    """
    for name, flag in (("extended", extended), ("fd", fd)):
        if flag is not None:
            require_flag(f"raw_frames, {name}", flag)
    require_flag("raw_frames, remote", remote)
    require_whole("raw_frames", 0, max_length=max_length)
    most = MAX_BASE_ID if extended is False else MAX_EXTENDED_ID
    require_whole("raw_frames", 0, min_id=min_id, max_id=most if max_id is None else max_id)
    if (most if max_id is None else max_id) > most:
        raise UsageError("raw_frames, max_id", expected=f"0..0x{most:X}", got=f"0x{max_id:X}")
    kinds: list[SearchStrategy[Frame]] = []
    for is_extended in (False, True):
        if extended not in (None, is_extended):
            continue
        limit = MAX_EXTENDED_ID if is_extended else MAX_BASE_ID
        high = limit if max_id is None else min(max_id, limit)
        if min_id > high:
            continue
        identifiers = st.integers(min_id, high)
        kinds += [
            _any_frames(identifiers, is_extended, is_fd, max_length)
            for is_fd in (False, True)
            if fd in (None, is_fd)
        ]
        if remote and fd is not True:
            kinds.append(_remote_frames(identifiers, is_extended))
    if not kinds:
        raise UsageError(
            "raw_frames", expected="a format that has such identifiers", got=f"0x{min_id:X}"
        )
    return st.one_of(kinds)


@st.composite
def _any_frames(
    draw: DrawFn,
    identifiers: SearchStrategy[int],
    is_extended: bool,
    is_fd: bool,
    max_length: int,
) -> Frame:
    legal = [each for each in (DLC_TO_LENGTH if is_fd else CLASSIC_LENGTHS) if each <= max_length]
    length = draw(st.sampled_from(legal))
    return Frame(
        draw(identifiers),
        draw(st.binary(min_size=length, max_size=length)),
        is_extended_id=is_extended,
        is_fd=is_fd,
        bitrate_switch=is_fd and draw(st.booleans()),
        error_state_indicator=is_fd and draw(st.booleans()),
    )


@st.composite
def _remote_frames(draw: DrawFn, identifiers: SearchStrategy[int], is_extended: bool) -> Frame:
    return Frame(
        draw(identifiers),
        is_extended_id=is_extended,
        is_remote_frame=True,
        dlc=draw(st.integers(0, 8)),
    )
