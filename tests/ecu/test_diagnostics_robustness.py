"""ROB-001 at the diagnostic door: whatever bytes come, in whatever order, nothing breaks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simcore.bus import Frame
from simcore.rig import Rig
from simcore.units import ms, us

IDENTIFIERS = st.sampled_from((0x6A0, 0x6A2, 0x6A2, 0x7DF))
CLASSIC = st.builds(Frame, IDENTIFIERS, st.binary(max_size=8))
FD = st.builds(
    Frame,
    IDENTIFIERS,
    st.sampled_from((12, 20, 48, 64)).flatmap(lambda n: st.binary(min_size=n, max_size=n)),
    is_fd=st.just(True),
    bitrate_switch=st.booleans(),
)
SERVICES = (
    0x10,
    0x11,
    0x14,
    0x19,
    0x22,
    0x27,
    0x28,
    0x29,
    0x2E,
    0x2F,
    0x31,
    0x34,
    0x36,
    0x37,
    0x85,
)
REQUESTS = st.one_of(
    st.binary(min_size=1, max_size=80),
    st.builds(
        lambda sid, rest: bytes((sid,)) + rest, st.sampled_from(SERVICES), st.binary(max_size=12)
    ),
)


@pytest.fixture(scope="module")
def warm() -> Rig:
    rig = Rig()
    rig.run_for(ms(300))
    assert rig.tester.nodes
    rig.bus("CHASSIS_A").attach("intruder")
    return rig


@settings(max_examples=15, deadline=None)
@given(frames=st.lists(st.one_of(CLASSIC, FD), min_size=1, max_size=12))
def test_any_frames_on_diagnostic_identifiers_leave_the_ecus_alive(
    warm: Rig, frames: list[Frame]
) -> None:
    rig = warm.fork()
    bus = rig.bus("CHASSIS_A")
    intruder = bus.controller("intruder")
    for frame in frames:
        intruder.send(frame)
        rig.run_for(us(400))
    rig.run_for(ms(20))
    assert rig.log.findings == []
    rig.press_pedal(60)
    rig.run_for(ms(150))
    assert rig.host("EMB_FL").running and rig.host("CDC").running


@settings(max_examples=15, deadline=None)
@given(requests=st.lists(REQUESTS, min_size=1, max_size=8))
def test_any_requests_are_answered_or_left_and_force_nothing(
    warm: Rig, requests: list[bytes]
) -> None:
    rig = warm.fork()
    for request in requests:
        rig.tester.request("EMB_FL", request, timeout=ms(20))
        rig.tester.request("CDC", request, timeout=ms(20))
    rig.run_for(ms(20))
    assert rig.log.findings == []
    assert max(rig.recorder.column("clamp_force_n.FL")) < 500  # BRK-003
