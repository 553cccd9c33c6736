"""Rows of the reaction-time table: the pedal's channels, and other sensors that lie."""

from __future__ import annotations

from simcore.faults import (
    ChannelDisagreement,
    EcuSilent,
    SensorDrift,
    SensorNoise,
    SensorOffset,
    SensorRangeFault,
    SensorStuck,
)
from simcore.rig.ftti import (
    BRAKING,
    CRUISE,
    LIGHT,
    LOW_FRICTION,
    NO_REQUIREMENT,
    STANDSTILL,
    STEADY,
    Row,
)
from simcore.rig.ftti_sought import (
    WHEELS,
    all_brake,
    brake_lost,
    brakes_on_slip,
    force_kept,
    force_steps,
    inertia_noticed,
    lost_or_left_lane,
    pedal_noticed,
    pedal_silent,
    slip_lost_or_left_lane,
    wheel_speed_noticed,
)
from simcore.units import ms

_WISH = "the vehicle brakes otherwise than the driver wants"
_BRAKED = (BRAKING, LIGHT, STANDSTILL, LOW_FRICTION)
CHANNELS = ("pedal_travel_1_mm", "pedal_travel_2_mm")
_SAMPLES = ms(15) + ms(5)
"""Three samples of 5 ms, the first of them up to 5 ms after the fault."""

PEDAL_ROWS = tuple(
    Row(
        id=f"pedal_{name}",
        requirement="SAF-003",
        broken=f"BPS: {{}} {text}",
        hazard=_WISH,
        places=CHANNELS,
        points=points,
        fault=fault,
        detection=pedal_noticed,
        safe_state=lambda _channel: force_kept(),
        fdti_max_ns=_SAMPLES if in_three_samples else None,
        ftti_ns=ms(200),
        hazardous=force_steps,
        on_slip_safe=brakes_on_slip,
        on_slip_hazardous=slip_lost_or_left_lane,
    )
    for name, text, points, in_three_samples, fault in (
        ("stuck", "stuck at 0", _BRAKED, True,
         lambda pin: SensorStuck(node="BPS", pin=pin, value=0.0)),
        ("stuck_high", "stuck at 40 mm", (*_BRAKED, CRUISE), True,
         lambda pin: SensorStuck(node="BPS", pin=pin, value=40.0)),
        ("offset", "8 mm off", (*_BRAKED, CRUISE), True,
         lambda pin: SensorOffset(node="BPS", pin=pin, value=8.0)),
        ("noise", "noisy by 5 mm", (*_BRAKED, CRUISE), False,
         lambda pin: SensorNoise(node="BPS", pin=pin, sigma=5.0)),
        ("drift", "drifts by 50 mm/s", (*_BRAKED, CRUISE), False,
         lambda pin: SensorDrift(node="BPS", pin=pin, value_per_s=50.0)),
        ("range", "shorted to its supply", (*_BRAKED, CRUISE), True,
         lambda pin: SensorRangeFault(node="BPS", pin=pin)),
        ("disagreement", "10 mm apart from the other", (*_BRAKED, CRUISE), True,
         lambda pin: ChannelDisagreement(pin=pin, value=10.0)),
    )
)  # fmt: skip

PEDAL_LOST_ROWS = (
    Row(
        id="silent_pedal",
        requirement="COM-004",
        broken="{} silent: supply of the ECU lost",
        hazard="the driver brakes and nothing happens",
        places=("BPS",),
        points=(BRAKING, LIGHT, CRUISE, LOW_FRICTION),
        fault=lambda node: EcuSilent(node=node),
        detection=pedal_silent,
        safe_state=all_brake,
        on_slip_safe=brakes_on_slip,
        ftti_ns=ms(200),
        hazardous=lost_or_left_lane,
        on_slip_hazardous=slip_lost_or_left_lane,
        settle_ns=ms(200),
    ),
    # COM-004 lets the brakes open: after 300 ms, at rest after 100 ms. It is a hazard all the same.
    Row(
        id="silent_pedal_later",
        requirement=NO_REQUIREMENT,
        broken="{} silent for good: supply of the ECU lost",
        hazard="the brakes open while the driver brakes",
        places=("BPS",),
        points=STEADY,
        fault=lambda node: EcuSilent(node=node),
        detection=pedal_silent,
        safe_state=all_brake,
        ftti_ns=ms(500),
        hazardous=brake_lost,
        settle_ns=ms(450),
    ),
)

_WHEEL_SPEED = "wheel_speed_radps"

WHEEL_SPEED_ROWS = tuple(
    Row(
        id=f"wheel_speed_{name}",
        requirement=NO_REQUIREMENT,
        broken=f"EMB_{{}}: wheel speed {text}",
        hazard="slip control opens brakes that do not lock: half of the braking is lost",
        places=WHEELS,
        points=(BRAKING, LIGHT, CRUISE) if name == "zero" else (BRAKING,),
        fault=fault,
        detection=wheel_speed_noticed,
        safe_state=all_brake,
        ftti_ns=ms(200),
        hazardous=lost_or_left_lane,
        hazard_within_ns=ms(500),
    )
    for name, text, fault in (
        ("zero", "stuck at 0",
         lambda w: SensorStuck(node=f"EMB_{w}", pin=_WHEEL_SPEED, value=0.0)),
        ("high", "stuck at 150 rad/s",
         lambda w: SensorStuck(node=f"EMB_{w}", pin=_WHEEL_SPEED, value=150.0)),
        ("range", "sensor shorted",
         lambda w: SensorRangeFault(node=f"EMB_{w}", pin=_WHEEL_SPEED)),
        ("offset_up", "30 rad/s high",
         lambda w: SensorOffset(node=f"EMB_{w}", pin=_WHEEL_SPEED, value=30.0)),
        ("offset_down", "30 rad/s low",
         lambda w: SensorOffset(node=f"EMB_{w}", pin=_WHEEL_SPEED, value=-30.0)),
        ("noise", "noisy by 20 rad/s",
         lambda w: SensorNoise(node=f"EMB_{w}", pin=_WHEEL_SPEED, sigma=20.0)),
        ("drift_up", "drifts by 100 rad/s in a second",
         lambda w: SensorDrift(node=f"EMB_{w}", pin=_WHEEL_SPEED, value_per_s=100.0)),
        ("drift_down", "drifts by -100 rad/s in a second",
         lambda w: SensorDrift(node=f"EMB_{w}", pin=_WHEEL_SPEED, value_per_s=-100.0)),
    )
)  # fmt: skip

_YAW, _AX = "yaw_rate_radps", "ax_mps2"

INERTIA_ROWS = tuple(
    Row(
        id=f"{'yaw_rate' if pin == _YAW else 'acceleration'}_{name}",
        requirement=NO_REQUIREMENT,
        broken=f"IMU: {{}} {text}",
        hazard="stability and slip control act on a motion that is none",
        places=(pin,),
        points=(BRAKING, CRUISE, LOW_FRICTION),
        fault=fault,
        detection=inertia_noticed,
        safe_state=all_brake,
        on_slip_safe=brakes_on_slip,
        ftti_ns=ms(500),
        hazardous=lost_or_left_lane,
        on_slip_hazardous=slip_lost_or_left_lane,
        undetected_because=because,
    )
    for pin, name, text, because, fault in (
        (_YAW, "range", "sensor shorted", "",
         lambda pin: SensorRangeFault(node="IMU", pin=pin)),
        (_YAW, "stuck", "stuck at 0", "the vehicle goes straight: 0 is true",
         lambda pin: SensorStuck(node="IMU", pin=pin, value=0.0)),
        (_YAW, "offset_up", "0.5 rad/s high", "",
         lambda pin: SensorOffset(node="IMU", pin=pin, value=0.5)),
        (_YAW, "offset_down", "0.5 rad/s low", "",
         lambda pin: SensorOffset(node="IMU", pin=pin, value=-0.5)),
        (_AX, "range", "sensor shorted", "",
         lambda pin: SensorRangeFault(node="IMU", pin=pin)),
        (_AX, "offset_up", "5 m/s2 high", "",
         lambda pin: SensorOffset(node="IMU", pin=pin, value=5.0)),
        (_AX, "offset_down", "5 m/s2 low", "",
         lambda pin: SensorOffset(node="IMU", pin=pin, value=-5.0)),
    )
)  # fmt: skip

ROWS = (*PEDAL_ROWS, *PEDAL_LOST_ROWS, *WHEEL_SPEED_ROWS, *INERTIA_ROWS)
