"""Software answers its external watchdog wrongly, too early, too late or not at all."""

from simcore import Rig, ms, scenario
from simcore.faults import (
    WatchdogAnswerEarly,
    WatchdogAnswerLate,
    WatchdogAnswerMissing,
    WatchdogAnswerWrong,
)
from simcore.rig import ColumnHolds, EventSeen, SignalSeen

KINDS = {
    "wrong": WatchdogAnswerWrong,
    "early": WatchdogAnswerEarly,
    "late": WatchdogAnswerLate,
    "missing": WatchdogAnswerMissing,
}
CASES = [
    {"node": "CDC", "kind": "wrong"},
    {"node": "CDC", "kind": "early"},
    {"node": "EMB_FL", "kind": "wrong"},
    {"node": "EMB_FL", "kind": "late"},
    {"node": "EMB_FL", "kind": "missing"},
]


def braking(rig: Rig) -> None:
    """35 % pedal from 130 km/h, steady."""
    rig.vehicle.set_friction(1.05)
    rig.vehicle.set_speed(kmh=130)
    rig.run_for(ms(500))
    rig.press_pedal(35)
    rig.run_for(ms(800))


@scenario(requirements=["WDG-003"], cases=CASES)
def wrong_answer(rig: Rig, node: str, kind: str) -> None:
    """Bad answers are counted; at the threshold the enable line drops and the path is safe."""
    braking(rig)
    begun_ns = rig.now_ns
    safe_state = (
        SignalSeen("CDC2_EmbCmd", "CDC2_FL_ReqVld", "==", 1)
        if node == "CDC"
        else ColumnHolds("clamp_force_n.FL", "<", 500.0)
    )
    reaction = rig.measure_reaction(
        KINDS[kind](node=node),
        detection=EventSeen("detection", source=node, text="watchdog"),
        safe_state=safe_state,
        timeout=ms(400),
        settle=ms(5),
    )
    rig.report(node, str(reaction))
    line = EventSeen("reaction", source=node, text="enable line low").first(
        rig, begun_ns, rig.now_ns
    )
    # A brake without power is opened by its own clamp force alone, which takes its time.
    for text, limit_ms, seen in (
        ("fault to the enable line low", 100.0, line),
        ("fault to the safe state", 150.0, reaction.safe),
    ):
        took_ms = 1e9 if seen is None else (seen.time_ns - begun_ns) / ms(1)
        limit = f"<= {limit_ms:.0f} ms"
        rig.check("WDG-003", took_ms <= limit_ms, measured=took_ms, limit=limit, text=text)


@scenario(requirements=["WDG-003"], cases=[{"node": "CDC"}, {"node": "EMB_FL"}])
def few_wrong_answers(rig: Rig, node: str) -> None:
    """One wrong answer is counted and forgiven: the line stays high, the brakes stay on."""
    braking(rig)
    begun_ns = rig.now_ns
    before_n = min(rig.vehicle.clamp_force_n)
    rig.inject(WatchdogAnswerWrong(node=node, count=1))
    rig.run_for(ms(400))
    counted = EventSeen("detection", source=node, text="watchdog").first(rig, begun_ns, rig.now_ns)
    rig.check("WDG-003", counted is not None, text="the wrong answer is counted")
    dropped = EventSeen("reaction", source=node, text="enable line low").first(
        rig, begun_ns, rig.now_ns
    )
    rig.check("WDG-003", dropped is None, text="the enable line stays high")
    now_n = min(rig.vehicle.clamp_force_n)
    rig.check(
        "WDG-003",
        now_n >= 0.9 * before_n,
        measured=now_n,
        limit=f">= {0.9 * before_n:.0f} N",
        text="smallest clamp force",
    )


@scenario(requirements=["WDG-003", "COM-004"])
def nobody_answers(rig: Rig) -> None:
    """Both controllers lose their enable lines: the actuators hold, then brake by the pedal."""
    braking(rig)
    begun_ns = rig.now_ns
    before_n = rig.vehicle.clamp_force_n[0]
    rig.inject(WatchdogAnswerMissing(node="CDC"))
    rig.inject(WatchdogAnswerMissing(node="CDC2"))
    held = rig.run_until(lambda: rig.signal("EMB_FL_St1", "EMB_FL_ReqEcho") == 9, timeout=ms(400))
    held_n = min(float(n) for n in rig.recorded("clamp_force_n.FL", since_ns=begun_ns))
    rig.check(
        "COM-004",
        held and held_n >= 0.9 * before_n,
        measured=held_n,
        limit=f">= {0.9 * before_n:.0f} N",
        text="the last force is held",
    )
    direct = rig.run_until(lambda: rig.signal("EMB_FL_St1", "EMB_FL_ReqEcho") == 8, timeout=ms(400))
    rig.run_for(ms(150))
    force_n = min(rig.vehicle.clamp_force_n)
    rig.check(
        "COM-004",
        direct and force_n > 1000.0,
        measured=force_n,
        limit="> 1000 N",
        text="then the pedal brakes directly",
    )
    for node in ("CDC", "CDC2"):
        line = EventSeen("reaction", source=node, text="enable line low")
        seen = line.first(rig, begun_ns, rig.now_ns)
        took_ms = 1e9 if seen is None else (seen.time_ns - begun_ns) / ms(1)
        rig.check(
            "WDG-003",
            took_ms <= 100.0,
            measured=took_ms,
            limit="<= 100 ms",
            text=f"fault to the enable line of {node} low",
        )
