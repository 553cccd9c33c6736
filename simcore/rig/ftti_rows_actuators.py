"""Rows of the reaction-time table: an actuator falls silent, is cut off, or lies about itself."""

from __future__ import annotations

from simcore.faults import (
    ChecksumWrong,
    CounterFrozen,
    CounterRandom,
    DataIdWrong,
    EcuSilent,
    MessageStopped,
)
from simcore.rig.ftti import BRAKING, CRUISE, LOW_FRICTION, STEADY, Row
from simcore.rig.ftti_sought import (
    WHEELS,
    degraded,
    left_lane,
    lost,
    lost_or_left_lane,
    others_brake,
    slip_lost_or_left_lane,
    three_brake_on_slip,
    warned,
)
from simcore.units import ms

SECONDARY_MPS2 = 2.44
"""UN R13-H, secondary braking."""
_ONE_LOST_MPS2 = {"FL": 6.84, "FR": 6.84, "RL": 8.15, "RR": 8.15}
"""MFDD that the reference vehicle reaches on dry asphalt with this one brake lost."""


def secondary_mfdd_mps2(wheel: str) -> float:
    """What DEG-001 asks of a full stop with this one brake lost."""
    return max(SECONDARY_MPS2, 0.9 * _ONE_LOST_MPS2[wheel])


_LESS_BRAKING = "braking force missing on one wheel, yaw moment"
_COUNTED_ON = "a brake that is gone is still counted on at the next braking"

SILENT_ACTUATOR_ROWS = (
    Row(
        id="silent_actuator",
        requirement="SAF-001",
        broken="EMB_{} silent: supply of the ECU lost",
        hazard=_LESS_BRAKING,
        places=WHEELS,
        points=STEADY,
        fault=lambda wheel: EcuSilent(node=f"EMB_{wheel}"),
        detection=lost,
        safe_state=others_brake,
        fdti_max_ns=ms(50),
        fhti_max_ns=ms(100),
        ftti_ns=ms(200),
        hazardous=lost_or_left_lane,
    ),
    Row(
        id="silent_actuator_unsteady",
        requirement="SAF-001",
        broken="EMB_{} silent: supply of the ECU lost",
        hazard=_COUNTED_ON,
        places=WHEELS,
        points=(CRUISE, LOW_FRICTION),
        fault=lambda wheel: EcuSilent(node=f"EMB_{wheel}"),
        detection=lost,
        safe_state=degraded,
        fdti_max_ns=ms(50),
        fhti_max_ns=ms(100),
        ftti_ns=ms(200),
        hazardous=left_lane,
        on_slip_safe=three_brake_on_slip,
        on_slip_hazardous=slip_lost_or_left_lane,
    ),
    Row(
        id="silent_actuator_warning",
        requirement="DEG-001",
        broken="EMB_{} silent: supply of the ECU lost",
        hazard="the driver does not know that a brake is gone",
        places=WHEELS,
        points=(BRAKING, CRUISE, LOW_FRICTION),
        fault=lambda wheel: EcuSilent(node=f"EMB_{wheel}"),
        detection=lost,
        safe_state=warned,
        ftti_ns=ms(100),
    ),
    Row(
        id="silent_actuator_stop",
        requirement="DEG-001",
        broken="EMB_{} silent: supply of the ECU lost; a full stop behind it",
        hazard="the vehicle does not stop as it should with one brake lost",
        places=WHEELS,
        points=(BRAKING,),
        fault=lambda wheel: EcuSilent(node=f"EMB_{wheel}"),
        detection=lost,
        safe_state=others_brake,
        ftti_ns=ms(200),
        hazardous=lost_or_left_lane,
        stop_min_mps2=secondary_mfdd_mps2,
    ),
)

STATUS_ROWS = tuple(
    Row(
        id=f"status_{name}",
        requirement="COM-002",
        broken=f"EMB_{{}}_St1: {text}",
        hazard="forces and wheel speeds that are not true are braked with",
        places=WHEELS,
        points=(BRAKING,),
        fault=fault,
        detection=lost,
        safe_state=others_brake,
        fdti_max_ns=ms(50),
        fhti_max_ns=ms(100),
        ftti_ns=ms(200),
        hazardous=lost_or_left_lane,
    )
    for name, text, fault in (
        ("stopped", "not sent", lambda w: MessageStopped(message=f"EMB_{w}_St1")),
        ("checksum", "checksum wrong", lambda w: ChecksumWrong(message=f"EMB_{w}_St1")),
        ("data_id", "of a masquerader", lambda w: DataIdWrong(message=f"EMB_{w}_St1", data_id=1)),
        ("frozen", "counter stands still", lambda w: CounterFrozen(message=f"EMB_{w}_St1")),
        ("random", "counter at random", lambda w: CounterRandom(message=f"EMB_{w}_St1")),
    )
)

ROWS = (*SILENT_ACTUATOR_ROWS, *STATUS_ROWS)
