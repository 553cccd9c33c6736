"""Every fault of a message on the receiver it meets: what E2E, length and deadline make of it."""

from __future__ import annotations

import pytest

from simcore import Rig, ms
from simcore.ecu.runtime import Ecu
from simcore.faults.message import (
    ChecksumWrong,
    CounterFrozen,
    LengthWrong,
    MessageFault,
    MessageStopped,
)
from simcore.faults.message_content import (
    MessageInserted,
    MessageMasqueraded,
    PayloadCorrupted,
    SignalCorrupted,
)
from simcore.faults.message_timing import (
    MessageBlocked,
    MessageDelayed,
    MessageDropped,
    MessageReordered,
    MessageRepeated,
)

NAME = "IMU_Data"
"""5 ms, profile 5, received by the domain controller; its deadline is three cycles."""
FRAMES = 30
"""While a fault lasts."""
SILENT, REJECTED = {"no_new_data", "timeout"}, {"crc"}


@pytest.fixture(scope="module")
def warm() -> Rig:
    """300 ms after power on. Never run: fork it."""
    rig = Rig(seed=1)
    rig.run_for(ms(300))
    return rig


def found_by(rig: Rig, node: str, name: str) -> dict[str, int]:
    ecu = rig.node(node)
    assert isinstance(ecu, Ecu)
    return dict(ecu.reception(name).counts)


@pytest.mark.parametrize(
    ("fault", "causes"),
    [
        (MessageStopped(message=NAME), SILENT),
        (MessageBlocked(message=NAME), SILENT),
        (MessageBlocked(message=NAME, then="late"), SILENT),
        (MessageDropped(message=NAME, every=2), set()),  # within MaxDeltaCounter, and in time
        (MessageDropped(message=NAME, every=5), set()),
        (MessageDelayed(message=NAME, delay_ns=ms(5)), set()),
        (MessageDelayed(message=NAME, delay_ns=ms(12)), SILENT),  # by the gap it begins with
        (MessageDelayed(message=NAME, delay_ns=ms(40)), SILENT),
        (MessageDelayed(message=NAME, delay_ns=ms(40), ramp_ns_per_s=ms(200)), set()),
        (MessageRepeated(message=NAME), {"repeated"}),
        (CounterFrozen(message=NAME), {"repeated"}),
        (MessageReordered(message=NAME), {"sequence"}),
        (SignalCorrupted(message=NAME, signal="IMU_Ay", value=3.0), set()),
        (PayloadCorrupted(message=NAME, bits=(50,)), REJECTED),
        (PayloadCorrupted(message=NAME, flips=3), REJECTED),
        (ChecksumWrong(message=NAME), REJECTED),
        (MessageMasqueraded(message=NAME, protected_as="BPS_Pedal"), REJECTED),
        (MessageInserted(message=NAME, content_of="BPS_Pedal"), REJECTED),
        (MessageInserted(message=NAME, content_of="SAS_Angle"), {"length"}),
        (LengthWrong(message=NAME, length=8), {"length"}),
    ],
    ids=lambda value: value.sentence if isinstance(value, MessageFault) else "",
)
def test_the_receiver_finds_what_the_fault_is_and_nothing_else(
    warm: Rig, fault: MessageFault, causes: set[str]
) -> None:
    rig = warm.fork()
    before = found_by(rig, "CDC", NAME)
    rig.inject(fault)
    rig.run_for(FRAMES * ms(5))
    after = found_by(rig, "CDC", NAME)
    assert {cause for cause in after if after[cause] > before[cause]} == causes
    if causes and causes != SILENT:
        (cause,) = causes
        found = after[cause] - before[cause]
        assert found >= FRAMES // 2 - 1  # of the pairs that are swapped one in two


@pytest.mark.parametrize(
    "fault",
    [
        PayloadCorrupted(message="EMB_FL_St1", flips=2),
        MessageInserted(message="EMB_FL_St1", content_of="EMB_FR_St1"),
        MessageMasqueraded(message="EMB_FL_St1", protected_as="EMB_FR_St1"),
    ],
    ids=lambda fault: fault.sentence,
)
def test_a_redundant_message_is_disturbed_on_both_buses_alike(
    warm: Rig, fault: MessageFault
) -> None:
    rig = warm.fork()
    start_ns = rig.now_ns
    rig.inject(fault)
    rig.run_for(ms(100))
    identifier = rig.message_named(fault.message).arbitration_id
    sent = {
        channel: [
            record.frame.data
            for record in rig.recorder.frames
            if record.frame.arbitration_id == identifier
            and record.channel == channel
            and record.request_ns > start_ns
        ]
        for channel in ("CHASSIS_A", "CHASSIS_B")
    }
    shared = min(map(len, sent.values()))
    assert shared >= 18
    assert sent["CHASSIS_A"][:shared] == sent["CHASSIS_B"][:shared]
    assert found_by(rig, "CDC", fault.message)["crc"] >= 18
