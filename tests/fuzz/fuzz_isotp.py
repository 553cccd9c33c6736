"""An ISO-TP link: any frames, confirmations, times and orders, and it comes to rest afterwards.

The first bytes are its settings; then orders, each with what it needs.
"""

from __future__ import annotations

from functools import lru_cache

from simcore.bus import Frame
from simcore.transport import Address, AddressingMode, IsoTpLink, LinkSettings, Step
from tests.fuzz.draw import Draw

NAME = "isotp"
INSTRUMENTED = ("simcore.transport",)
SIZE_MAX = 160
FRAMES_MAX = 64
"""Frames that one call may ask for."""
ADDRESSES = (
    Address(0x6A8, 0x6A0, functional_rx_id=0x7DF),
    Address.normal_fixed(0x10, 0xF1),
    Address(0x600, 0x6F1, AddressingMode.EXTENDED, target_extension=0xF1, source_extension=0x12),
    Address.mixed(0x10, 0xF1, 0x07),
)
_MS = 1_000_000


@lru_cache(maxsize=64)
def _settings(choice: int) -> LinkSettings:
    return LinkSettings(
        tx_dl=(8, 64)[choice & 1],
        block_size=(0, 1, 2, 3)[choice >> 1 & 3],
        receive_buffer_size=(20, 5000)[choice >> 3 & 1],
        confirms=bool(choice & 16),
        full_duplex=bool(choice & 32),
        wait_frames_max=1,
    )


def seeds() -> list[bytes]:
    """A single frame, a segmented message each way, flow control."""
    single = bytes((0, 3)) + b"\x02\x3e\x00"
    segmented = bytes((0, 8)) + b"\x10\x0a\x01\x02\x03\x04\x05\x06"
    segmented += bytes((3, 1, 0, 8)) + b"\x21\x07\x08\x09\x0a\x55\x55\x55"
    sending = bytes((2, 40, 0, 3)) + b"\x30\x00\x00" + bytes((3, 10, 1, 3, 10, 1))
    rest = bytes((4, 1, 5, 6, 0x30, 2, 20, 0, 3)) + b"\x32\x00\x00"
    return [
        bytes((address, choice)) + orders
        for address in range(4)
        for choice in (0, 16, 63)
        for orders in (single, segmented, sending, rest)
    ]


def check(data: bytes) -> None:
    """One input."""
    draw = Draw(data)
    address = ADDRESSES[draw.below(len(ADDRESSES))]
    link = IsoTpLink(address, _settings(draw.byte() & 63))
    prefix = b"" if address.source_extension is None else bytes((address.source_extension,))
    now_ns = 0
    while draw:
        order = draw.below(8)
        if order == 0:
            step = link.receive(_frame(address, prefix, draw, address.rx_id), now_ns)
        elif order == 1:
            step = link.confirmed(now_ns)
        elif order == 2:
            step = link.send(bytes(1 + draw.byte()), now_ns)
        elif order == 3:
            now_ns += draw.byte() * _MS
            step = link.on_timer(now_ns)
        elif order == 4:
            step = link.hold(bool(draw.below(2)), now_ns)
        elif order == 5:
            step = link.stop(now_ns)
        elif order == 6:
            now_ns += draw.byte()
            identifier = address.functional_rx_id or 0x123
            step = link.receive(_frame(address, prefix, draw, identifier), now_ns)
        else:
            deadline_ns = link.next_deadline_ns()
            now_ns = now_ns if deadline_ns is None else max(now_ns, deadline_ns)
            step = link.on_timer(now_ns)
        _valid(step, link)
    link.hold(False, now_ns)
    _comes_to_rest(link, now_ns)


def _frame(address: Address, prefix: bytes, draw: Draw, identifier: int) -> Frame:
    content = prefix + (draw.piece(draw.byte() % 65) or b"\0")
    length = next(
        each for each in (*range(9), 12, 16, 20, 24, 32, 48, 64) if each >= min(len(content), 64)
    )
    return Frame(
        identifier,
        content[:64].ljust(length, b"\xcc"),
        is_extended_id=address.is_extended_id or identifier > 0x7FF,
        is_fd=True,
    )


def _valid(step: Step, link: IsoTpLink) -> None:
    assert len(step.frames) <= FRAMES_MAX
    for frame in step.frames:
        assert frame.arbitration_id in (link.address.tx_id, link.address.functional_tx_id)
        assert len(frame.data) <= link.settings.tx_dl
    for message in step.messages:
        # What a single frame brings needs no room that could be refused.
        assert 0 < len(message.payload) <= max(62, link.settings.receive_buffer_size)


def _comes_to_rest(link: IsoTpLink, now_ns: int) -> None:
    for _ in range(3_000):
        _valid(link.confirmed(now_ns), link)
        deadline_ns = link.next_deadline_ns()
        if deadline_ns is None:
            assert not link.is_receiving
            assert not link.is_sending
            return
        now_ns = max(now_ns, deadline_ns)
        _valid(link.on_timer(now_ns), link)
    raise AssertionError("the link does not come to rest")
