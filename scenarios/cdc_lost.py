"""The domain controller falls silent: the secondary one commands, and hands back afterwards."""

import numpy as np

from simcore import EcuSilent, Rig, ms, s, scenario

CORNERS = ("FL", "FR", "RL", "RR")
CYCLE_MS = 5.0
MOMENTS = [{"moment": moment} for moment in ("braking", "cruising", "slip control")]


def commanded_n(rig: Rig, lane: str) -> list[float]:
    """The four forces of the last command of a lane."""
    return [rig.signal(f"{lane}_EmbCmd", f"{lane}_{corner}_FReq") or 0.0 for corner in CORNERS]


def last_command_ns(rig: Rig) -> int:
    """Start of the last frame of the primary on a bus."""
    identifier = rig.database.message("CDC_EmbCmd").arbitration_id
    frames = [each for each in rig.recorder.frames if each.frame.arbitration_id == identifier]
    return frames[-1].sof_ns


def excess_n(rig: Rig, demand_n: list[float], since_ns: int) -> float:
    """Largest clamp force beyond the demand and its tolerance of BRK-005."""
    beyond_n = []
    for corner, demand in zip(CORNERS, demand_n, strict=True):
        force = rig.recorded(f"clamp_force_n.{corner}", since_ns=since_ns)
        beyond_n.append(float(np.max(force)) - demand - max(0.03 * demand, 300.0))
    return max(beyond_n)


def longest_lock_ms(rig: Rig, since_ns: int) -> float:
    """Longest time any wheel turned with less than a tenth of the vehicle's speed."""
    longest = 0
    speed = rig.recorded("speed_mps", since_ns=since_ns)
    for corner in CORNERS:
        wheel = 0.345 * rig.recorded(f"wheel_speed_radps.{corner}", since_ns=since_ns)
        run = 0
        for locked in wheel < 0.1 * speed:
            run = run + 1 if locked else 0
            longest = max(longest, run)
    return float(longest)


def take_over(rig: Rig) -> None:
    """Wait for the first valid command of the secondary and judge its time."""
    # Three cycles after the last one the third frame in a row is missed.
    third_missed_ms = rig.elapsed_ms(last_command_ns(rig)) - 3 * CYCLE_MS
    asked_ns = rig.now_ns
    commands = rig.wait_for(
        "CDC2_EmbCmd", lambda values: values["CDC2_FL_ReqVld"] == 1, timeout=ms(200)
    )
    delay_ms = third_missed_ms + rig.elapsed_ms(asked_ns)
    rig.check(
        "DEG-002",
        commands and delay_ms <= 15.0,
        measured=delay_ms,
        limit="<= 15 ms",
        text="third missed frame to the first valid command of CDC2 on a bus",
    )


@scenario(requirements=["DEG-002", "BRK-001"], cases=MOMENTS)
def cdc_lost(rig: Rig, moment: str) -> None:
    """The CDC goes silent while braking or before; the pedal still works, no force is too high."""
    rig.vehicle.set_friction(0.8 if moment == "slip control" else 1.05)
    rig.vehicle.set_speed(kmh=100)
    rig.run_for(ms(500))
    if moment != "cruising":
        rig.press_pedal(100 if moment == "slip control" else 35)
        rig.run_for(ms(800))
    demand_n = commanded_n(rig, "CDC")
    if moment == "slip control":
        demand_n = [1.1 * force for force in demand_n]  # it searches for the limit of the road
    fault_ns = rig.now_ns
    rig.inject(EcuSilent(node="CDC"))
    take_over(rig)
    rig.run_for(ms(20))
    if moment == "cruising":
        rig.press_pedal(35)
        rig.run_for(ms(300))
        demand_n = commanded_n(rig, "CDC2")
    rig.run_for(ms(100))
    most_n = excess_n(rig, demand_n, fault_ns)
    rig.check(
        "DEG-002",
        most_n <= 0.0,
        measured=most_n,
        limit="<= 0 N",
        text="largest clamp force beyond demand and tolerance since the loss",
    )
    stop = rig.measure_stop(pedal_pct=100, timeout=s(12))
    rig.report("longest lock of a wheel", f"{stop.longest_lock_ms:.0f} ms")
    rig.check(
        "BRK-001",
        stop.stopped and stop.mfdd_mps2 >= 6.43,
        measured=stop.mfdd_mps2,
        limit=">= 6.43 m/s2",
        text="full pedal under the secondary controller",
    )


@scenario(requirements=["DEG-002", "BRK-006"], cases=[{"mu": 1.05}, {"mu": 0.3}])
def cdc_back(rig: Rig, mu: float) -> None:
    """The CDC comes back while the secondary brakes: it takes over without a step of force."""
    rig.vehicle.set_friction(mu)
    rig.vehicle.set_speed(kmh=130)
    rig.run_for(ms(500))
    start_ns = rig.now_ns
    rig.press_pedal(35 if mu > 1.0 else 100)
    rig.run_for(ms(800))
    fault = rig.inject(EcuSilent(node="CDC"))
    take_over(rig)
    rig.run_for(ms(500))
    demand_n = commanded_n(rig, "CDC2")
    rig.clear(fault)
    back_ns = rig.now_ns
    handed_back = rig.wait_for(
        "CDC2_EmbCmd", lambda values: values["CDC2_FL_ReqVld"] == 0, timeout=ms(500)
    )
    rig.check(
        "DEG-002",
        handed_back and rig.signal("CDC_EmbCmd", "CDC_FL_ReqVld") == 1,
        measured=rig.elapsed_ms(back_ns),
        limit="<= 500 ms",
        text="power on of the CDC to CDC2 standing by again",
    )
    rig.run_for(ms(1500))
    # On ice slip control searches for the limit of the road: its forces are never quite steady.
    allowed_ratio = 0.03 if mu > 1.0 else 0.5
    beyond_n = []
    for corner, demand in zip(CORNERS, demand_n, strict=True):
        force = rig.recorded(f"clamp_force_n.{corner}", since_ns=back_ns)
        beyond_n.append(float(np.max(np.abs(force - demand))) - allowed_ratio * demand)
    worst_n = max(beyond_n)
    rig.check(
        "DEG-002",
        worst_n <= 300.0,
        measured=worst_n,
        limit="<= 300 N",
        text=f"largest deviation from the last force beyond {100 * allowed_ratio:.0f} %"
        " while the CDC takes over again",
    )
    locked_ms = longest_lock_ms(rig, start_ns)
    rig.check(
        "BRK-006",
        locked_ms <= 150.0,
        measured=locked_ms,
        limit="<= 150 ms",
        text="longest lock of a wheel over loss and return",
    )
