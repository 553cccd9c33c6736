"""Rows of the reaction-time table: the domain controller is gone, or its commands are no good."""

from __future__ import annotations

from simcore.faults import (
    ChecksumWrong,
    CounterFrozen,
    CounterRandom,
    DataIdWrong,
    EcuSilent,
    FaultSequence,
    LengthWrong,
    MessageBlocked,
    MessageDelayed,
    MessageMasqueraded,
    MessageStopped,
    PayloadCorrupted,
    TimedFault,
)
from simcore.rig.evidence import SignalSeen
from simcore.rig.ftti import BRAKING, EVERYWHERE, LIGHT, STANDSTILL, Row
from simcore.rig.ftti_sought import (
    WHEELS,
    acts_alone,
    command_late,
    commanded_again,
    late_command_refused,
    lost_or_left_lane,
    lost_or_surges,
    secondary_commands,
    slip_lost_or_left_lane,
    slip_lost_or_surges,
    taken_over,
)
from simcore.units import ms

_NO_COMMAND = "nobody commands the brakes"
_TAKE_OVER = ms(15)
"""DEG-002, from the third missed frame."""

LOST_CONTROLLER_ROWS = (
    Row(
        id="silent_controller",
        requirement="DEG-002",
        broken="{} silent: supply of the ECU lost",
        hazard=_NO_COMMAND,
        places=("CDC",),
        points=EVERYWHERE,
        fault=lambda node: EcuSilent(node=node),
        detection=taken_over,
        safe_state=secondary_commands,
        fhti_max_ns=_TAKE_OVER,
        counted_from="CDC_EmbCmd",
        ftti_ns=ms(100),
        hazardous=lost_or_surges,
        on_slip_hazardous=slip_lost_or_surges,
    ),
    Row(
        id="command_stopped",
        requirement="DEG-002",
        broken="{} not sent",
        hazard=_NO_COMMAND,
        places=("CDC_EmbCmd",),
        points=EVERYWHERE,
        fault=lambda message: MessageStopped(message=message),
        detection=taken_over,
        safe_state=secondary_commands,
        fhti_max_ns=_TAKE_OVER,
        counted_from="CDC_EmbCmd",
        ftti_ns=ms(100),
        hazardous=lost_or_surges,
        on_slip_hazardous=slip_lost_or_surges,
    ),
)

COMMAND_ROWS = tuple(
    Row(
        id=f"command_{name}",
        requirement="COM-002",
        broken=f"{{}}: {text}",
        hazard="commands that nobody gave are obeyed, or none",
        places=("CDC_EmbCmd",),
        points=EVERYWHERE,
        fault=fault,
        detection=taken_over,
        safe_state=secondary_commands,
        ftti_ns=ms(100),
        hazardous=lost_or_left_lane,
        on_slip_hazardous=slip_lost_or_left_lane,
    )
    for name, text, fault in (
        ("checksum", "checksum wrong", lambda m: ChecksumWrong(message=m)),
        ("data_id", "of a masquerader", lambda m: DataIdWrong(message=m, data_id=1)),
        ("length", "cut to 16 bytes", lambda m: LengthWrong(message=m, length=16)),
        ("flipped", "3 bits flipped", lambda m: PayloadCorrupted(message=m, flips=3)),
        (
            "masqueraded",
            "protected as CDC2_EmbCmd",
            lambda m: MessageMasqueraded(message=m, protected_as="CDC2_EmbCmd"),
        ),
        ("frozen", "counter stands still", lambda m: CounterFrozen(message=m)),
        ("random", "counter at random", lambda m: CounterRandom(message=m)),
    )
)

_LATE = "commands that no longer fit what is going on"

LATE_ROWS = (
    Row(
        id="command_blocked",
        requirement="COM-003",
        broken="{}: kept off the channel",
        hazard=_NO_COMMAND,
        places=("CDC_EmbCmd",),
        points=EVERYWHERE,
        fault=lambda message: MessageBlocked(message=message),
        detection=taken_over,
        safe_state=secondary_commands,
        ftti_ns=ms(100),
        hazardous=lost_or_left_lane,
        on_slip_hazardous=slip_lost_or_left_lane,
    ),
    Row(
        id="command_late",
        requirement="COM-003",
        broken="{}: late by 30 ms from one frame to the next",
        hazard=_LATE,
        places=("CDC_EmbCmd",),
        points=EVERYWHERE,
        fault=lambda message: MessageDelayed(message=message, delay_ns=ms(30)),
        detection=taken_over,
        safe_state=commanded_again,
        ftti_ns=ms(100),
        hazardous=lost_or_left_lane,
        on_slip_hazardous=slip_lost_or_left_lane,
    ),
    Row(
        id="command_ever_later",
        requirement="COM-003",
        broken="{}: later and later, 1 ms in each cycle, up to 30 ms",
        hazard=_LATE,
        places=("CDC_EmbCmd",),
        points=EVERYWHERE,
        fault=lambda message: MessageDelayed(
            message=message, delay_ns=ms(30), ramp_ns_per_s=ms(200)
        ),
        detection=command_late,
        safe_state=late_command_refused,
        ftti_ns=ms(200),
        hazardous=lost_or_left_lane,
        on_slip_hazardous=slip_lost_or_left_lane,
    ),
)

NO_CONTROLLER_ROWS = (
    Row(
        id="no_controller",
        requirement="COM-004",
        broken="CDC and CDC2 silent: {} acts alone",
        hazard=_NO_COMMAND,
        places=WHEELS,
        points=(BRAKING, LIGHT, STANDSTILL),
        fault=lambda _wheel: FaultSequence(
            faults=tuple(TimedFault(fault=EcuSilent(node=node)) for node in ("CDC", "CDC2"))
        ),
        detection=lambda wheel: SignalSeen(
            f"EMB_{wheel}_St1", f"EMB_{wheel}_ReqEcho", "==", "HoldLast"
        ),
        safe_state=acts_alone,
        ftti_ns=ms(400),
        hazardous=lost_or_left_lane,
        settle_ns=ms(200),
    ),
)

ROWS = (*LOST_CONTROLLER_ROWS, *COMMAND_ROWS, *LATE_ROWS, *NO_CONTROLLER_ROWS)
