"""Any frames in any order: no crash, no endless work, and no message that nobody sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from simcore.bus import DLC_TO_LENGTH, Frame
from simcore.transport import Address, AddressingMode, IsoTpLink, LinkSettings, Step
from simcore.units import ms

EXAMPLES = settings().max_examples // 2
"""25 at the desk, 1000 with the profile `nightly`."""

ADDRESSES = (
    Address(0x6A8, 0x6A0, functional_rx_id=0x7DF),
    Address.normal_fixed(0x10, 0xF1),
    Address(0x600, 0x6F1, AddressingMode.EXTENDED, target_extension=0xF1, source_extension=0x12),
    Address.mixed(0x10, 0xF1, 0x07),
)
STEP_LIMIT = 64
"""Frames that one call may ask for."""


def valid(step: Step, link: IsoTpLink) -> None:
    """What every answer has to be."""
    assert len(step.frames) <= STEP_LIMIT
    for frame in step.frames:
        assert frame.arbitration_id in (link.address.tx_id, link.address.functional_tx_id)
        assert len(frame.data) <= link.settings.tx_dl
    for message in step.messages:
        assert 0 < len(message.payload) <= link.settings.receive_buffer_size


def was_sent(payload: bytes, frames: list[bytes]) -> bool:
    """Whether the control information of the frames, read anew, spells this message.

    A first frame of this length and beginning, then consecutive frames in order, others in between.
    """
    for start, data in enumerate(frames):
        kind = data[0] >> 4
        if kind == 0:
            head = 1 if data[0] & 15 else 2
            size = data[0] & 15 or (data[1] if len(data) > 1 else 0)
            if payload == data[head : head + size]:
                return True
        elif kind == 1 and len(data) > 2:
            size = (data[0] & 15) << 8 | data[1]
            head = 2
            if not size:
                size, head = int.from_bytes(data[2:6], "big"), 6
            if size != len(payload) or not payload.startswith(data[head:]):
                continue
            done, number = len(data) - head, 1
            for later in frames[start + 1 :]:
                if later[0] != 0x20 | number % 16:
                    continue
                chunk = later[1:]
                if payload[done : done + len(chunk)] != chunk[: size - done]:
                    continue
                done += len(chunk)
                number += 1
                if done >= size:
                    return True
    return False


@st.composite
def frames_for(draw: st.DrawFn, address: Address) -> Frame:
    """Mostly frames of the link, with control information of every kind; sometimes anything."""
    prefix = b"" if address.source_extension is None else bytes((address.source_extension,))
    length = draw(st.sampled_from((*DLC_TO_LENGTH[1:9], 8, 8, 8, 8, 12, 24, 64)))
    kind = draw(st.sampled_from((0x0, 0x1, 0x2, 0x2, 0x2, 0x3, 0x4, 0xF)))
    low = draw(st.integers(0, 15))
    if kind == 1:
        control = bytes((0x10, draw(st.integers(0, 30))))
        control += draw(st.sampled_from((b"", b"\x00\x00\x10\x00", b"\xff\xff\xff\xff")))
    elif kind == 2:
        control = bytes(
            (0x20 | draw(st.sampled_from((1, 1, 1, 2, 2, 3, low)))),
        )
    elif kind == 3:
        control = bytes((0x30 | draw(st.sampled_from((0, 0, 1, 2, low))),))
        control += bytes((draw(st.integers(0, 4)), draw(st.sampled_from((0, 1, 0xF1, 0xFF)))))
    else:
        control = bytes((kind << 4 | low, draw(st.integers(0, 12))))
    content = draw(st.binary(min_size=1, max_size=1)) * 64
    data = (prefix + control + content)[:length]
    identifier = draw(
        st.sampled_from((address.rx_id,) * 6 + (address.functional_rx_id or 0x1, 0x123))
    )
    return Frame(
        identifier, data, is_extended_id=address.is_extended_id or identifier > 0x7FF, is_fd=True
    )


@st.composite
def walks(draw: st.DrawFn) -> tuple[Address, LinkSettings, list[tuple[str, Any, int]]]:
    address = draw(st.sampled_from(ADDRESSES))
    link_settings = LinkSettings(
        tx_dl=draw(st.sampled_from((8, 64))),
        block_size=draw(st.integers(0, 3)),
        receive_buffer_size=draw(st.sampled_from((20, 5000))),
        n_br_ns=draw(st.sampled_from((0, ms(1)))),
        confirms=draw(st.booleans()),
        full_duplex=draw(st.booleans()),
        wait_frames_max=draw(st.integers(0, 3)),
    )
    single = st.one_of(
        st.tuples(st.just("receive"), frames_for(address), st.integers(0, 3)),
        st.tuples(st.just("confirmed"), st.none(), st.integers(0, 3)),
        st.tuples(st.just("timer"), st.none(), st.integers(0, 2_000)),
        st.tuples(st.just("send"), st.integers(1, 100), st.integers(0, 3)),
        st.tuples(st.just("hold"), st.booleans(), st.integers(0, 3)),
        st.tuples(st.just("stop"), st.none(), st.integers(0, 3)),
    )
    calls: list[tuple[str, Any, int]] = []
    for _ in range(draw(st.integers(3, 12))):
        if draw(st.booleans()):
            calls += messages_for(draw, address)
        else:
            calls.append(draw(single))
    for _ in range(draw(st.integers(0, 4))):  # out of order
        first, second = (draw(st.integers(0, len(calls) - 1)) for _ in range(2))
        calls[first], calls[second] = calls[second], calls[first]
    return address, link_settings, calls


def messages_for(draw: st.DrawFn, address: Address) -> list[tuple[str, Any, int]]:
    """The frames of a message in order, and what its receiver needs in between."""
    prefix = b"" if address.source_extension is None else bytes((address.source_extension,))
    payload = draw(st.binary(min_size=1, max_size=1)) * draw(st.integers(8, 40))
    room = 8 - len(prefix)
    parts = [bytes((0x10, len(payload))) + payload[: room - 2]]
    for nth, start in enumerate(range(room - 2, len(payload), room - 1)):
        parts.append(bytes((0x20 | (nth + 1) % 16,)) + payload[start : start + room - 1])
    calls: list[tuple[str, Any, int]] = []
    for part in parts:
        frame = Frame(
            address.rx_id,
            (prefix + part).ljust(8, b"\x55"),
            is_extended_id=address.is_extended_id,
            is_fd=True,
        )
        calls += [("receive", frame, 0), ("timer", None, 1), ("confirmed", None, 0)]
    return calls


def call(link: IsoTpLink, what: str, argument: Any, now_ns: int) -> Step:
    if what == "receive":
        return link.receive(argument, now_ns)
    if what == "confirmed":
        return link.confirmed(now_ns)
    if what == "timer":
        return link.on_timer(now_ns)
    if what == "send":
        return link.send(bytes(argument), now_ns)
    if what == "hold":
        return link.hold(argument, now_ns)
    return link.stop(now_ns)


def comes_to_rest(link: IsoTpLink, now_ns: int) -> None:
    """Without any further frame every timer ends, and then there is none."""
    for _ in range(100):
        valid(link.confirmed(now_ns), link)
        deadline_ns = link.next_deadline_ns()
        if deadline_ns is None:
            assert not link.is_receiving
            assert not link.is_sending
            return
        now_ns = max(now_ns, deadline_ns)
        valid(link.on_timer(now_ns), link)
    raise AssertionError("the link does not come to rest")


@settings(max_examples=EXAMPLES)
@given(walk=walks())
def test_no_frames_crash_it_or_make_a_message_that_was_not_sent(
    walk: tuple[Address, LinkSettings, list[tuple[str, Any, int]]],
) -> None:
    address, link_settings, calls = walk
    link = IsoTpLink(address, link_settings)
    size = 1 if address.has_extension else 0
    heard: list[bytes] = []
    now_ns = 0
    for what, argument, later_ms in calls:
        now_ns += ms(later_ms)
        if what == "receive" and address.accepts(argument) is not None:
            heard.append(argument.data[size:])
        step = call(link, what, argument, now_ns)
        valid(step, link)
        for message in step.messages:
            assert was_sent(message.payload, heard)
        deadline_ns = link.next_deadline_ns()
        if what != "receive" or address.accepts(argument) is not None:
            # Whatever is over is caught up with; a frame for somebody else touches nothing.
            assert deadline_ns is None or deadline_ns >= now_ns
    link.hold(False, now_ns)
    comes_to_rest(link, now_ns)


@dataclass
class Loss:
    """What the wire does to one frame."""

    kind: str
    nth: int


LOSSES = st.lists(
    st.builds(Loss, st.sampled_from(("lost", "twice", "swapped")), st.integers(0, 60)), max_size=6
)


@settings(max_examples=EXAMPLES)
@given(
    losses=LOSSES,
    sizes=st.lists(st.integers(1, 700), min_size=1, max_size=4),
    block_size=st.integers(0, 9),
    is_fd=st.booleans(),
)
def test_on_a_wire_that_loses_doubles_and_swaps_frames_only_sent_messages_arrive(
    make_end: Any, losses: list[Loss], sizes: list[int], block_size: int, is_fd: bool
) -> None:
    """One message after the other, each over before the next: the standard's own guarantee."""
    address = Address(0x6A0, 0x6A8)
    link_settings = LinkSettings(tx_dl=64 if is_fd else 8, is_fd=is_fd, block_size=block_size)
    ends = make_end(address, link_settings), make_end(address.mirrored(), link_settings)
    faults = {loss.nth: loss.kind for loss in losses}
    payloads = [bytes((nth + 1,)) * size for nth, size in enumerate(sizes)]
    now_ns = count = 0
    for payload in payloads:
        frames = [(0, frame) for frame in ends[0].send(payload, now_ns)]
        while frames or any(end.deadline_ns() is not None for end in ends):
            if not frames:
                now_ns = min(end.deadline_ns() or 1 << 62 for end in ends)
                for place, end in enumerate(ends):
                    frames += [(place, frame) for frame in end.on_timer(now_ns)]
                continue
            if faults.get(count) == "swapped" and len(frames) > 1:
                frames[0], frames[1] = frames[1], frames[0]
            place, frame = frames.pop(0)
            now_ns += 100_000
            frames += [(place, each) for each in ends[place].left(frame, now_ns)]
            for _ in range({"lost": 0, "twice": 2}.get(faults.get(count, ""), 1)):
                frames += [(1 - place, each) for each in ends[1 - place].receive(frame, now_ns)]
            count += 1
    arrived = ends[1].messages
    assert set(arrived) <= set(payloads)
    if not faults or min(faults) >= count:
        assert arrived == payloads
