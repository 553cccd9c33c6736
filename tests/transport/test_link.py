"""A link: both directions at once, functional requests, what waits its turn, copies, giving up."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from simcore.bus import Frame
from simcore.errors import UsageError
from simcore.transport import (
    EMPTY,
    Address,
    AddressingMode,
    IsoTpLink,
    LinkEvent,
    LinkSettings,
    NResult,
    Role,
)
from simcore.units import ms, s, us

TESTER = Address(0x6A0, 0x6A8, functional_tx_id=0x7DF)
ECU = TESTER.mirrored()
SENT = LinkEvent(NResult.N_OK, Role.SENDER)
SENT_FUNCTIONAL = LinkEvent(NResult.N_OK, Role.SENDER, functional=True)


def test_two_links_send_both_ways_at_once(make_wire: Any, make_end: Any) -> None:
    ends = make_end(TESTER, LinkSettings(block_size=3)), make_end(ECU, LinkSettings())
    wire = make_wire(*ends)
    payloads = bytes(range(256)) * 16, bytes(range(255, -1, -1)) * 8
    for end, payload in zip(ends, payloads, strict=True):
        wire.request(end, end.send(payload))
    wire.run()
    assert ends[1].messages == [payloads[0]]
    assert ends[0].messages == [payloads[1]]
    assert [end.events for end in ends] == [[SENT], [SENT]]
    kinds = [frame.data[0] >> 4 for _, whose, frame in wire.log if whose == 0]
    assert {1, 2, 3} <= set(kinds)


def test_two_mebibyte_arrive_whole(make_wire: Any, make_end: Any) -> None:
    payload = b"".join(bytes((block & 0xFF, block >> 8)) * 512 for block in range(2048))
    settings = LinkSettings(receive_buffer_size=len(payload))
    ends = make_end(TESTER, LinkSettings()), make_end(ECU, settings)
    wire = make_wire(*ends)
    wire.request(ends[0], ends[0].send(payload))
    wire.run()
    assert ends[1].messages == [payload]
    assert len(wire.log) == 33_290  # a first frame of 58 bytes, 33288 of 63, a flow control
    assert wire.now_ns == len(wire.log) * wire.frame_ns  # the bus was never idle


def test_at_most_one_consecutive_frame_waits_in_the_controller() -> None:
    link = IsoTpLink(TESTER)
    link.send(bytes(5000), 0)
    link.confirmed(0)
    step = link.receive(Frame(0x6A8, b"\x30\x00\x00"), 0)
    for now_ns in range(1, 70):
        assert len(step.frames) == 1
        step = link.confirmed(now_ns)


def test_frames_are_of_the_format_asked_for() -> None:
    (frame,) = IsoTpLink(TESTER).send(b"\x3e\x00", 0).frames
    assert frame == Frame(0x6A0, b"\x02\x3e\x00" + b"\xcc" * 5, is_fd=True, bitrate_switch=True)
    slow = LinkSettings(bitrate_switch=False, padding=None)
    (frame,) = IsoTpLink(TESTER, slow).send(bytes(9), 0).frames
    assert frame == Frame(0x6A0, b"\x00\x09" + bytes(9) + b"\xcc", is_fd=True)
    classic = LinkSettings(tx_dl=8, is_fd=False, padding=None)
    (frame,) = IsoTpLink(Address.normal_fixed(1, 2), classic).send(b"\x3e", 0).frames
    assert frame == Frame(0x18DA0102, b"\x01\x3e", is_extended_id=True)


# ---- functional requests ----


def test_a_functional_request_reaches_every_ecu_and_is_marked(
    make_wire: Any, make_end: Any
) -> None:
    tester = make_end(TESTER, LinkSettings())
    others = [
        make_end(Address(0x6A8 + offset, 0x6A0 + offset, functional_rx_id=0x7DF), LinkSettings())
        for offset in range(3)
    ]
    wire = make_wire(tester, *others)
    wire.request(tester, tester.send(b"\x3e\x80", functional=True))
    wire.request(tester, tester.send(b"\x3e\x00"))
    wire.run()
    heard = [[tuple(message) for message in each.received] for each in others]
    assert heard == [
        [(b"\x3e\x80", True), (b"\x3e\x00", False)],
        [(b"\x3e\x80", True)],
        [(b"\x3e\x80", True)],
    ]
    assert sorted(tester.events) == sorted([SENT, SENT_FUNCTIONAL])


def test_a_functional_request_does_not_wait_for_a_physical_message() -> None:
    link = IsoTpLink(TESTER)
    link.send(bytes(500), 0)
    link.send(b"\x3e\x00", 0)  # nor for one that waits itself
    (request,) = link.send(b"\x3e\x80", 1, functional=True).frames
    assert request.arbitration_id == 0x7DF
    # Its identifier is the lower priority, so the first frame leaves first; either order is known.
    assert link.confirmed(3, request).events == (SENT_FUNCTIONAL,)
    assert link.next_deadline_ns() == s(1)  # N_As of the first frame still runs
    link.confirmed(4)
    assert link.next_deadline_ns() == 4 + s(1)


def test_a_functional_request_that_does_not_leave_is_told_too() -> None:
    link = IsoTpLink(TESTER)
    link.send(b"\x3e\x80", 0, functional=True)
    assert link.is_sending
    assert link.next_deadline_ns() == s(1)
    assert link.on_timer(s(1)).events == (
        LinkEvent(NResult.N_TIMEOUT_A, Role.SENDER, functional=True),
    )


def test_a_functional_request_leaves_a_message_being_received_alone() -> None:
    link = IsoTpLink(ECU)
    link.receive(Frame(0x6A0, b"\x10\x0a" + bytes(6)), 0)
    link.confirmed(0)
    step = link.receive(Frame(0x7DF, b"\x02\x3e\x80"), 1)
    assert step == ((), ((b"\x3e\x80", True),), ())
    assert len(link.receive(Frame(0x6A0, b"\x21" + bytes(7)), 2).messages) == 1


@pytest.mark.parametrize("text", ["1014" + "00" * 6, "2100", "300000", "0000", "09" + "00" * 7])
def test_what_is_no_single_frame_is_no_functional_request(text: str) -> None:
    link = IsoTpLink(ECU)
    assert link.receive(Frame(0x7DF, bytes.fromhex(text)), 0) is EMPTY
    assert not link.is_receiving


# ---- what waits its turn ----


def test_messages_go_out_one_after_the_other() -> None:
    link = IsoTpLink(TESTER)
    (first,) = link.send(b"\x01", 0).frames
    assert link.send(b"\x02", 1) is EMPTY
    assert link.send(b"\x03", 2) is EMPTY
    for nth, content in ((1, b"\x01\x02"), (2, b"\x01\x03")):
        step = link.confirmed(10 * nth)
        assert step.events == (SENT,)
        assert [frame.data[:2] for frame in step.frames] == [content]
        assert link.is_sending
    assert link.confirmed(30) == ((), (), (SENT,))
    assert not link.is_sending
    assert first.data[:2] == b"\x01\x01"


def test_a_message_that_fails_does_not_hold_up_the_next() -> None:
    link = IsoTpLink(TESTER)
    link.send(bytes(100), 0)
    link.send(b"\x3e\x00", 0)
    link.confirmed(0)
    step = link.on_timer(s(1))
    assert [event.kind for event in step.events] == [NResult.N_TIMEOUT_BS]
    assert [frame.data[:3] for frame in step.frames] == [b"\x02\x3e\x00"]


def test_a_caller_may_change_its_buffer_afterwards() -> None:
    link = IsoTpLink(TESTER, LinkSettings(confirms=False))
    payload = bytearray(range(100))
    link.send(payload, 0)
    payload[:] = bytes(100)
    (frame,) = link.receive(Frame(0x6A8, b"\x30\x00\x00"), 0).frames
    assert frame.data[:3] == b"\x21\x3e\x3f"


def test_half_duplex_sends_only_once_nothing_is_received() -> None:
    link = IsoTpLink(ECU, LinkSettings(full_duplex=False))
    link.receive(Frame(0x6A0, b"\x10\x0a" + bytes(6)), 0)
    link.confirmed(0)
    assert link.send(b"\x7f\x10\x21", 1) is EMPTY
    step = link.receive(Frame(0x6A0, b"\x21" + bytes(7)), 2)
    assert len(step.messages) == 1
    assert [frame.data[:4] for frame in step.frames] == [b"\x03\x7f\x10\x21"]


def test_half_duplex_sends_once_a_reception_has_timed_out() -> None:
    link = IsoTpLink(ECU, LinkSettings(full_duplex=False))
    link.receive(Frame(0x6A0, b"\x10\x0a" + bytes(6)), 0)
    link.confirmed(0)
    link.send(b"\x7f\x10\x21", 1)
    step = link.on_timer(s(1))
    assert [event.kind for event in step.events] == [NResult.N_TIMEOUT_CR]
    assert len(step.frames) == 1


@pytest.mark.parametrize(("full_duplex", "heard"), [(True, True), (False, False)])
def test_half_duplex_hears_nothing_while_it_sends_in_several_frames(
    full_duplex: bool, heard: bool
) -> None:
    link = IsoTpLink(ECU, LinkSettings(full_duplex=full_duplex))
    link.send(bytes(100), 0)
    assert bool(link.receive(Frame(0x6A0, b"\x02\x3e\x00"), 1).messages) is heard
    link.receive(Frame(0x6A0, b"\x10\x0a" + bytes(6)), 2)
    assert link.is_receiving is heard


def test_half_duplex_hears_while_it_sends_a_single_frame() -> None:
    link = IsoTpLink(ECU, LinkSettings(full_duplex=False))
    link.send(b"\x7e\x00", 0)
    assert link.receive(Frame(0x6A0, b"\x02\x3e\x00"), 1).messages


# ---- copies, giving up ----


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda link: pickle.loads(pickle.dumps(link))])
def test_a_copy_at_any_instant_goes_on_as_the_original_does(copied: Any) -> None:
    settings = LinkSettings(block_size=4, separation_time_ns=us(200), receive_buffer_size=900)
    ends = {"tester": IsoTpLink(TESTER, settings), "ecu": IsoTpLink(ECU, settings)}
    payload = bytes(range(256)) * 3

    def run(ends: dict[str, IsoTpLink], frames: list[Any], now_ns: int, stop: int) -> list[Any]:
        """Pass frames to and fro, `stop` of them; gives back what happened."""
        happened: list[Any] = []
        for _ in range(stop):
            now_ns += us(300)
            if frames:
                name, frame = frames.pop(0)
                other = "ecu" if name == "tester" else "tester"
                steps = [
                    (name, ends[name].confirmed(now_ns, frame)),
                    (other, ends[other].receive(frame, now_ns)),
                ]
            else:
                steps = [(name, end.on_timer(now_ns)) for name, end in ends.items()]
            for name, step in steps:
                happened.append((now_ns, name, step))
                frames += [(name, frame) for frame in step.frames]
        return happened

    for instant in range(0, 50, 7):
        fresh = {"tester": IsoTpLink(TESTER, settings), "ecu": IsoTpLink(ECU, settings)}
        frames = [("tester", frame) for frame in fresh["tester"].send(payload, 0).frames]
        fresh["tester"].send(b"\x3e\x00", 0)
        run(fresh, frames, 0, instant)
        twins, twin_frames = copied((fresh, frames))
        at_ns = instant * us(300)
        assert run(twins, twin_frames, at_ns, 60) == run(fresh, frames, at_ns, 60)
        assert not fresh["tester"].is_sending
    assert ends["tester"].next_deadline_ns() is None


def test_a_copy_is_independent() -> None:
    link = IsoTpLink(TESTER, LinkSettings())
    link.send(bytes(500), 0)
    twin = copy.deepcopy(link)
    link.confirmed(5)
    assert twin.next_deadline_ns() == s(1)
    assert twin.address is link.address
    assert twin.settings is link.settings


def test_stopped_it_gives_up_everything_and_says_so() -> None:
    link = IsoTpLink(TESTER)
    (old,) = link.send(bytes(500), 0).frames
    link.send(bytes(8), 0)
    link.send(b"\x3e\x80", 0, functional=True)
    link.receive(Frame(0x6A8, b"\x10\x0a" + bytes(6)), 1)
    step = link.stop(2)
    error = NResult.N_ERROR
    assert sorted(step.events) == sorted(
        [
            LinkEvent(error, Role.SENDER),
            LinkEvent(error, Role.SENDER),
            LinkEvent(error, Role.SENDER, functional=True),
            LinkEvent(error, Role.RECEIVER),
        ]
    )
    assert step.frames == ()
    assert link.next_deadline_ns() is None
    assert not link.is_sending
    assert not link.is_receiving
    assert link.confirmed(3, old) is EMPTY
    assert link.stop(4) is EMPTY
    assert len(link.send(b"\x3e\x00", 5).frames) == 1
    assert link.confirmed(6).events == (SENT,)


def test_a_timer_the_owner_is_late_with_is_caught_up_with() -> None:
    link = IsoTpLink(TESTER, LinkSettings(n_as_ns=ms(1)))
    link.send(b"\x3e\x00", 0)
    step = link.send(b"\x3e\x00", ms(2))
    assert [event.kind for event in step.events] == [NResult.N_TIMEOUT_A]
    assert len(step.frames) == 1


# ---- what it refuses ----


@pytest.mark.parametrize(
    ("payload", "functional", "message"),
    [
        (b"", False, r"IsoTpLink 0x6A0, send: expected 1\.\.4294967295 bytes, got 0 bytes"),
        (
            bytes(63),
            True,
            "IsoTpLink 0x6A0, send: expected at most 62 bytes in a functional request, got 63",
        ),
    ],
)
def test_a_message_that_cannot_be_sent_is_refused(
    payload: bytes, functional: bool, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        IsoTpLink(TESTER).send(payload, 0, functional=functional)


def test_a_functional_request_needs_an_identifier_for_it() -> None:
    with pytest.raises(
        UsageError, match=r"send: expected an address with functional_tx_id, got functional=True"
    ):
        IsoTpLink(ECU).send(b"\x3e\x80", 0, functional=True)


@pytest.mark.parametrize("block_size", [-1, 256, 1.0])
def test_parameters_out_of_range_are_refused(block_size: Any) -> None:
    link = IsoTpLink(ECU)
    with pytest.raises(UsageError, match=rf"block_size: expected 0\.\.255, got {block_size}"):
        link.change_parameters(block_size=block_size)
    with pytest.raises(UsageError, match=r"separation_time_ns: expected 100\.\.900 us"):
        link.change_parameters(separation_time_ns=1)


def test_several_links_share_an_identifier_in_extended_addressing() -> None:
    links = [
        IsoTpLink(
            Address(
                0x600,
                0x6F1,
                AddressingMode.EXTENDED,
                target_extension=0xF1,
                source_extension=target,
            )
        )
        for target in (0x12, 0x13)
    ]
    frame = Frame(0x6F1, b"\x13\x02\x3e\x00")
    assert [len(link.receive(frame, 0).messages) for link in links] == [0, 1]
