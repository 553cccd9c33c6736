"""An image is transferred while the car drives and brakes: nobody on the bus may notice."""

import numpy as np

from simcore import Rig, ms, s, scenario
from simcore.rig import Backend, Campaign
from simcore.update.states import UpdateState

NEW = "1.1.0"
NODES = ("CDC", "EMB_FL")
SIZE = 24 * 1024
STATUS = "EMB_FL_St1"


@scenario(requirements=["OTA-005", "OTA-003", "BRK-001", "BRK-002", "BRK-004"])
def update_while_driving(rig: Rig) -> None:
    """Background transfer at 100 km/h, a panic stop in its midst, and not a frame too late."""
    rig.vehicle.set_friction(1.05)
    rig.vehicle.set_speed(kmh=100)
    rig.driver.hold_speed(100)
    rig.run_for(ms(500))
    backend = Backend()
    backend.campaign(NEW, now_ns=rig.now_ns, nodes=NODES, size=SIZE)
    campaign = Campaign(rig, backend)
    campaign.load()
    begun_ns = rig.now_ns
    rig.run_for(s(2))

    before = sum(campaign.transferred().values())
    stop = rig.measure_stop(pedal_pct=100, timeout=s(8))
    after = sum(campaign.transferred().values())
    rig.check("BRK-001", stop.distance_m <= 70.0, measured=stop.distance_m, limit="<= 70 m")
    rig.check("BRK-002", stop.response_ms <= 200.0, measured=stop.response_ms, limit="<= 200 ms")
    rig.check(
        "OTA-005",
        stop.stopped and stop.distance_m <= 41.0 and after > before,
        measured=f"{stop.distance_m:.2f} m with {after - before} bytes transferred meanwhile",
        limit="<= 41 m, the transfer goes on",
        text="panic stop during the transfer, against 40 m without",
    )
    release = rig.measure_release(timeout=s(1))
    rig.check(
        "BRK-004", release.duration_ms <= 150.0, measured=release.duration_ms, limit="<= 150 ms"
    )
    loaded = campaign.wait(timeout=s(60))
    rig.check(
        "OTA-005",
        loaded and all(campaign.status(node).state is UpdateState.STAGED for node in NODES),
        measured="; ".join(f"{k}: {v}" for k, v in campaign.failures.items()) or "all staged",
        limit="all staged",
        text="the transfer arrives",
    )
    quiet = [
        event.text
        for event in rig.log.events
        if event.time_ns >= begun_ns and event.kind in ("detection", "dtc")
    ]
    rig.check(
        "OTA-005",
        not quiet,
        measured="; ".join(quiet) or "none",
        limit="none",
        text="detections and trouble codes during transfer and stop",
    )
    rig.vehicle.set_speed(kmh=100)
    rig.run_for(ms(500))
    refused = campaign.activate("EMB_FL")
    rig.check(
        "OTA-003",
        refused.startswith("0x88"),
        measured=refused or "accepted",
        limit="0x88 vehicle speed too high",
        text="activation at 100 km/h",
    )
    latencies(rig, begun_ns)


def latencies(rig: Rig, begun_ns: int) -> None:
    """How long commands and statuses waited for the bus, before and during the transfer."""
    message = rig.database.message(STATUS)
    waits = {"before": [], "during": []}
    for record in rig.recorder.frames:
        if record.frame.arbitration_id == message.arbitration_id and record.channel == "CHASSIS_A":
            when = "before" if record.sof_ns < begun_ns else "during"
            waits[when].append((record.eof_ns - record.request_ns) / ms(1))
    for when, values in waits.items():
        rig.report(
            f"{STATUS}, request to end of frame, {when} the transfer",
            f"{np.mean(values):.3f} ms, {np.max(values):.3f} ms at most",
        )
    rig.check(
        "OTA-005",
        float(np.max(waits["during"])) <= 1.5,
        measured=float(np.max(waits["during"])),
        limit="<= 1.5 ms",
        text=f"longest wait of {STATUS} during the transfer",
    )
