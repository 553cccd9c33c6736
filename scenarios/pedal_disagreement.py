"""A travel channel of the brake pedal goes wrong while the driver brakes, or before."""

import numpy as np

from simcore import Rig, ms, s, scenario
from simcore.faults import ChannelDisagreement, SensorNoise, SensorOffset, SensorStuck
from simcore.rig import EventSeen, SignalSeen

CORNERS = ("FL", "FR", "RL", "RR")
PIN = "pedal_travel_1_mm"
FAULTS = {
    "disagreeing": ChannelDisagreement(node="BPS"),
    "stuck": SensorStuck(node="BPS", pin=PIN, value=0.0),
    "offset": SensorOffset(node="BPS", pin=PIN, value=12.0),
    "noisy": SensorNoise(node="BPS", pin=PIN, sigma=10.0),
}


def largest_step_n(rig: Rig, since_ns: int) -> float:
    """Largest change of a front request between two commands in a row."""
    message = rig.database.message("CDC_EmbCmd")
    reader = message.codec.reader("CDC_FL_FReq", "CDC_FR_FReq")
    requests = [
        reader.read(record.frame.data)
        for record in rig.recorder.frames
        if record.frame.arbitration_id == message.arbitration_id
        and record.channel == "CHASSIS_A"
        and record.sof_ns >= since_ns - ms(5)
    ]
    return float(np.max(np.abs(np.diff(np.array(requests), axis=0))))


@scenario(requirements=["SAF-003"], cases=[{"kind": kind} for kind in FAULTS])
def pedal_disagreement(rig: Rig, kind: str) -> None:
    """Three samples later the right channel counts; no step of force, and the driver is warned."""
    rig.vehicle.set_friction(1.05)
    rig.vehicle.set_speed(kmh=130)
    rig.run_for(ms(500))
    rig.press_pedal(35)
    rig.run_for(ms(800))
    before_n = rig.vehicle.clamp_force_n
    begun_ns = rig.now_ns
    fault = rig.inject(FAULTS[kind])
    rig.run_for(ms(600))

    seen = EventSeen("detection", source="CDC", text="pedal").first(rig, begun_ns, rig.now_ns)
    took_ms = 1e9 if seen is None else (seen.time_ns - begun_ns) / ms(1)
    rig.report("detected", "never" if seen is None else f"{took_ms:.2f} ms: {seen.text}")
    # Three samples of 5 ms, and the way of the last one to the control task.
    rig.check(
        "SAF-003", took_ms <= 20.0, measured=took_ms, limit="<= 20 ms", text="fault to detection"
    )
    step_n = largest_step_n(rig, begun_ns)
    rig.check(
        "SAF-003",
        step_n <= 2000.0,
        measured=step_n,
        limit="<= 2000 N",
        text="largest step of a front request",
    )
    worst_n = max(
        abs(now_n - was_n) for now_n, was_n in zip(rig.vehicle.clamp_force_n, before_n, strict=True)
    )
    rig.check(
        "SAF-003",
        worst_n <= 1000.0,
        measured=worst_n,
        limit="<= 1000 N",
        text="the driver keeps the braking asked for",
    )
    lamp = SignalSeen("CDC_BrkSt", "CDC_DegrLvl", "==", 12).first(rig, begun_ns, rig.now_ns)
    rig.check("SAF-003", lamp is not None, text="the pedal is reported as degraded")
    healed_ns = rig.now_ns
    rig.clear(fault)
    rig.run_for(s(1))
    step_n = largest_step_n(rig, healed_ns)
    rig.check(
        "SAF-003",
        step_n <= 2000.0,
        measured=step_n,
        limit="<= 2000 N",
        text="largest step when the fault is over",
    )
    release = rig.measure_release(timeout=ms(500))
    rig.check(
        "SAF-003",
        release.released and release.duration_ms <= 150.0,
        measured=release.duration_ms,
        limit="<= 150 ms",
        text="release with a pedal that was faulty",
    )
