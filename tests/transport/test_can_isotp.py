"""can-isotp's stack on the other side, in virtual time: both directions, formats, modes, timers."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from simcore.transport import Address, AddressingMode, LinkSettings, NResult, Role
from simcore.transport.pci import separation_time_of
from simcore.units import ms, s, us

ADDRESSES = {
    "normal, 11 bit": Address(0x6A0, 0x6A8),
    "normal, 29 bit": Address(0x18AA00F1, 0x18AAF100, is_extended_id=True),
    "normal fixed": Address.normal_fixed(0x10, 0xF1),
    "extended, 11 bit": Address(
        0x600,
        0x6F1,
        AddressingMode.EXTENDED,
        target_extension=0x12,
        source_extension=0xF1,
    ),
    "extended, 29 bit": Address(
        0x1CFF0001,
        0x1CFF0002,
        AddressingMode.EXTENDED,
        is_extended_id=True,
        target_extension=0x00,
        source_extension=0xFF,
    ),
    "mixed, 11 bit": Address(0x610, 0x618, AddressingMode.MIXED, target_extension=0x99),
    "mixed, 29 bit": Address.mixed(0x44, 0xF1, 0x07),
}
CLASSIC = {"tx_dl": 8, "is_fd": False}
SIZES = [1, 6, 7, 8, 9, 12, 60, 61, 62, 63, 100, 4094, 4095, 4096, 5000]


def foreign_params(own: LinkSettings, **params: Any) -> dict[str, Any]:
    return {
        "tx_data_length": own.tx_dl,
        "can_fd": own.is_fd,
        "bitrate_switch": own.is_fd and own.bitrate_switch,
        "tx_padding": own.padding,
        "blocksize": 0,
        **params,
    }


def payload_of(size: int) -> bytes:
    return bytes((17 * index + (index >> 8)) & 0xFF for index in range(size))


@pytest.mark.parametrize("format_", [CLASSIC, {}], ids=["classic", "fd"])
@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
def test_messages_of_every_kind_pass_in_both_directions(
    foreign: Any, make_wire: Any, make_end: Any, address: Address, format_: dict[str, Any]
) -> None:
    own_settings = LinkSettings(**format_)
    own = make_end(address, own_settings)
    other = foreign.end(address.mirrored(), **foreign_params(own_settings))
    wire = make_wire(own, other)
    payloads = [payload_of(size) for size in SIZES]
    for payload in payloads:
        wire.request(own, own.send(payload, wire.now_ns))
        wire.run()
        wire.request(other, other.send(payload, wire.now_ns))
        wire.run()
    assert other.messages == payloads
    assert own.messages == payloads
    assert other.errors == []
    assert [event.kind for event in own.events] == [NResult.N_OK] * len(payloads)


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
def test_both_stacks_put_the_same_frames_on_the_wire(
    foreign: Any, make_wire: Any, make_end: Any, address: Address
) -> None:
    for format_ in (CLASSIC, {}):
        for padding in (0x55, None):
            # Without padding both leave short frames short; can-isotp pads no FD frame up to 8.
            own_settings = LinkSettings(padding=padding, **format_)
            params = foreign_params(own_settings)
            if padding is not None and own_settings.is_fd:
                params["tx_data_min_length"] = 8
            for size in SIZES:
                logs = []
                for sender in ("own", "foreign"):
                    ends: list[Any] = [
                        make_end(address, own_settings),
                        foreign.end(address.mirrored(), **params),
                    ]
                    if sender == "foreign":
                        ends = [
                            foreign.end(address, **params),
                            make_end(address.mirrored(), own_settings),
                        ]
                    wire = make_wire(*ends)
                    wire.request(ends[0], ends[0].send(payload_of(size)))
                    wire.run()
                    assert ends[1].messages == [payload_of(size)]
                    logs.append([frame for _, _, frame in wire.log])
                assert logs[0] == logs[1]


def test_a_functional_request_is_heard_and_answered(
    foreign: Any, make_wire: Any, make_end: Any
) -> None:
    """can-isotp's functional identifiers are those of normal fixed addressing, target included."""
    tester = Address.normal_fixed(0x10, 0xF1, functional_target=0x10)
    own = make_end(tester, LinkSettings())
    other = foreign.end(tester.mirrored(), **foreign_params(LinkSettings()))
    wire = make_wire(own, other)
    wire.request(own, own.send(b"\x3e\x80", functional=True))
    wire.run()
    assert wire.log[0][2].arbitration_id == 0x18DB10F1
    assert other.messages == [b"\x3e\x80"]

    ecu = make_end(
        Address.normal_fixed(0xF1, 0x10, functional_target=0xF1).mirrored(), LinkSettings()
    )
    sender = foreign.end(Address.normal_fixed(0xF1, 0x10), **foreign_params(LinkSettings()))
    wire = make_wire(ecu, sender)
    wire.request(sender, sender.send(b"\x3e\x80", functional=True))
    wire.run()
    assert [(each.payload, each.functional) for each in ecu.received] == [(b"\x3e\x80", True)]


@st.composite
def conversations(draw: st.DrawFn) -> dict[str, Any]:
    is_fd = draw(st.booleans())
    return {
        "is_fd": is_fd,
        "tx_dl": draw(st.sampled_from((8, 12, 16, 20, 24, 32, 48, 64) if is_fd else (8,))),
        "padding": draw(st.sampled_from((None, 0, 0xCC))),
        "size": draw(st.one_of(st.integers(1, 80), st.integers(1, 3000))),
        "block_size": draw(st.one_of(st.integers(0, 20), st.integers(0, 255))),
        "st_min": draw(st.sampled_from((0, 1, 2, 20, 127, *range(0xF1, 0xFA)))),
        "confirms": draw(st.booleans()),
        "mode": draw(st.sampled_from(sorted(ADDRESSES))),
        "both": draw(st.booleans()),
    }


def _same_twice(make: Callable[[], Any]) -> Any:
    first, second = make(), make()
    assert first == second
    return first


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=conversations())
@example(
    wanted={
        "is_fd": True,
        "tx_dl": 64,
        "padding": None,
        "size": 63 * 17,
        "block_size": 16,
        "st_min": 0xF1,
        "confirms": True,
        "mode": "mixed, 29 bit",
        "both": True,
    }
)
def test_any_length_block_size_and_separation_time(
    foreign: Any, make_wire: Any, make_end: Any, wanted: dict[str, Any]
) -> None:
    """One message each way, at the same time or after each other; gaps are those asked for."""
    address = ADDRESSES[wanted["mode"]]
    payload = payload_of(wanted["size"])
    pause_ns = separation_time_of(wanted["st_min"])
    own_settings = LinkSettings(
        tx_dl=wanted["tx_dl"],
        is_fd=wanted["is_fd"],
        padding=wanted["padding"],
        block_size=wanted["block_size"],
        separation_time_ns=pause_ns,
        confirms=wanted["confirms"],
    )
    params = foreign_params(own_settings, stmin=wanted["st_min"], blocksize=wanted["block_size"])

    def run() -> list[tuple[int, int, Any]]:
        own = make_end(address, own_settings)
        other = foreign.end(address.mirrored(), **params)
        wire = make_wire(own, other)
        wire.request(own, own.send(payload, wire.now_ns))
        if not wanted["both"]:
            wire.run()
        wire.request(other, other.send(payload[::-1], wire.now_ns))
        wire.run()
        assert other.messages == [payload]
        assert own.messages == [payload[::-1]]
        assert other.errors == []
        assert [event.kind for event in own.events] == [NResult.N_OK]
        log: list[tuple[int, int, Any]] = wire.log
        return log

    log = _same_twice(run)
    head = 1 if address.has_extension else 0
    ends = [time_ns for time_ns, whose, frame in log if whose == 0 and frame.data[head] >> 4 == 2]
    gaps = [later - earlier for earlier, later in pairwise(ends)]
    if wanted["confirms"]:
        # From the end of one frame to the request of the next, which is 100 us on the wire.
        least_ns = pause_ns + us(100)
    else:
        # From request to request: what waits for the bus comes closer to what follows it.
        least_ns = us(100) if wanted["both"] else max(pause_ns, us(100))
    assert all(gap_ns >= least_ns for gap_ns in gaps)
    if wanted["block_size"] == 0 and not wanted["both"]:
        assert set(gaps) <= {least_ns}


# ---- timers, to the nanosecond, on both sides ----


@pytest.mark.parametrize(("late_ns", "passes"), [(0, True), (1, False)])
def test_both_wait_as_long_for_a_flow_control(
    foreign: Any, make_end: Any, late_ns: int, passes: bool
) -> None:
    address = ADDRESSES["normal, 11 bit"]
    own = make_end(address, LinkSettings(**CLASSIC, n_bs_ns=s(1)))
    other = foreign.end(address, **foreign_params(own.link.settings, rx_flowcontrol_timeout=1000))
    (first,) = own.send(payload_of(10), 0)
    (foreign_first,) = other.send(payload_of(10), 0)
    assert first == foreign_first
    peer = make_end(address.mirrored(), LinkSettings(**CLASSIC, confirms=False))
    (flow,) = peer.receive(first, 0)
    assert own.left(first, 0) == []
    answers = own.receive(flow, s(1) + late_ns), other.receive(flow, s(1) + late_ns)
    assert [len(frames) for frames in answers] == [passes, passes]
    if passes:
        assert answers[0] == answers[1]
    else:
        assert [event.kind for event in own.events] == [NResult.N_TIMEOUT_BS]
        assert "FlowControlTimeoutError" in other.errors


@pytest.mark.parametrize(("late_ns", "passes"), [(0, True), (1, False)])
def test_both_wait_as_long_for_a_consecutive_frame(
    foreign: Any, make_end: Any, late_ns: int, passes: bool
) -> None:
    address = ADDRESSES["normal, 11 bit"]
    receivers = [
        make_end(address, LinkSettings(**CLASSIC, confirms=False)),
        foreign.end(
            address, **foreign_params(LinkSettings(**CLASSIC), rx_consecutive_frame_timeout=1000)
        ),
    ]
    sender = make_end(address.mirrored(), LinkSettings(**CLASSIC, confirms=False))
    (first,) = sender.send(payload_of(10))
    flows = [receiver.receive(first, 0) for receiver in receivers]
    assert flows[0] == flows[1]
    (consecutive,) = sender.receive(flows[0][0], 0)
    for receiver in receivers:
        receiver.receive(consecutive, s(1) + late_ns)
        assert receiver.messages == ([payload_of(10)] if passes else [])
    timeouts = [event.kind for event in receivers[0].events]
    assert timeouts == ([] if passes else [NResult.N_TIMEOUT_CR])
    assert ("ConsecutiveFrameTimeoutError" in receivers[1].errors) is not passes


def test_what_can_isotp_refuses_ends_as_overflow(
    foreign: Any, make_wire: Any, make_end: Any
) -> None:
    address = ADDRESSES["normal, 11 bit"]
    own = make_end(address, LinkSettings())
    other = foreign.end(address.mirrored(), **foreign_params(LinkSettings(), max_frame_size=100))
    wire = make_wire(own, other)
    wire.request(own, own.send(payload_of(101)))
    wire.run()
    assert other.messages == []
    assert [tuple(event) for event in own.events] == [(NResult.N_BUFFER_OVFLW, Role.SENDER, False)]


def test_can_isotp_understands_that_the_buffer_is_too_small(
    foreign: Any, make_wire: Any, make_end: Any
) -> None:
    address = ADDRESSES["extended, 11 bit"]
    own = make_end(address, LinkSettings(receive_buffer_size=100))
    other = foreign.end(address.mirrored(), **foreign_params(LinkSettings()))
    wire = make_wire(own, other)
    wire.request(other, other.send(payload_of(101)))
    wire.run()
    assert own.messages == []
    assert other.errors == ["OverflowError"]


@pytest.mark.parametrize(("release_ns", "ends"), [(ms(1700), []), (ms(9999), [NResult.N_WFT_OVRN])])
def test_can_isotp_waits_while_this_end_is_held(
    foreign: Any, make_wire: Any, make_end: Any, release_ns: int, ends: list[NResult]
) -> None:
    address = ADDRESSES["mixed, 11 bit"]
    own = make_end(address, LinkSettings(wait_frames_max=4))
    other = foreign.end(address.mirrored(), **foreign_params(LinkSettings(), wftmax=10))
    wire = make_wire(own, other)
    own.take(own.link.hold(True, 0))
    wire.request(other, other.send(payload_of(500)))
    wire.run(until_ns=release_ns)
    waits = [frame for _, whose, frame in wire.log if whose == 0]
    assert {frame.data[1] for frame in waits} == {0x31}
    assert len(waits) == 4
    wire.request(own, own.take(own.link.hold(False, wire.now_ns)))
    wire.run()
    assert [event.kind for event in own.events] == ends
    assert own.messages == ([] if ends else [payload_of(500)])
    assert other.errors == (["FlowControlTimeoutError"] if ends else [])


def test_a_wrong_sequence_number_ends_the_message_on_both_sides(
    foreign: Any, make_end: Any
) -> None:
    address = ADDRESSES["normal, 11 bit"]
    receivers = [
        make_end(address, LinkSettings(**CLASSIC, confirms=False)),
        foreign.end(address, **foreign_params(LinkSettings(**CLASSIC))),
    ]
    sender = make_end(address.mirrored(), LinkSettings(**CLASSIC, confirms=False))
    (first,) = sender.send(payload_of(40))
    flows = [receiver.receive(first, 0) for receiver in receivers]
    frames = sender.receive(flows[0][0], 0)
    for frame in (frames[0], frames[2], frames[1], *frames[3:]):
        for receiver in receivers:
            receiver.receive(frame, 0)
    assert [receiver.messages for receiver in receivers] == [[], []]
    assert [event.kind for event in receivers[0].events] == [NResult.N_WRONG_SN]
    assert receivers[1].errors[0] == "WrongSequenceNumberError"
