"""Nothing happens: the quiet minute in which nothing may be detected, clamped or late."""

from simcore import Rig, ms, s, scenario


@scenario(requirements=["BRK-003", "COM-001", "SAF-001"])
def cruise(rig: Rig) -> None:
    """60 s at 100 km/h without any request."""
    rig.vehicle.set_speed(kmh=100)
    rig.driver.hold_speed(100)
    rig.run_for(s(60))
    rig.run_for(ms(1))
    false_alarms = [
        event for event in rig.log.events if event.kind in ("detection", "reaction", "fault")
    ]
    rig.check(
        "SAF-001",
        not false_alarms,
        measured=f"{len(false_alarms)} events",
        limit="0 events",
        text="no false detection" + (f": {false_alarms[0].text}" if false_alarms else ""),
    )
    rig.check(
        "BRK-003",
        max(rig.vehicle.clamp_force_n) <= 500.0,
        measured=max(rig.vehicle.clamp_force_n),
        limit="<= 500 N",
        text="clamp force at the end",
    )
