"""A foreign node records brake commands and sends them again when they do harm.

Nothing in a recorded frame is wrong but its time: counter, checksum and authenticator are those of
the CDC. E2E sees the counter jump once per burst of frames and then a stream in sequence; SecOC
sees freshness values that are used up. Each attack runs twice in one scenario: on the vehicle under
test, whose commands are secured by SecOC, and on a control vehicle that has E2E alone. The verdict
is about the vehicle under test; the control shows that the attack is a real one, and what it does
where nothing but E2E is in its way.
"""

from simcore import Rig, ms, s, scenario
from simcore.bus import Frame
from simcore.ecu import Emb
from simcore.faults.attacks import ReplayAttack

CORNERS = ("FL", "FR", "RL", "RR")
ATTACKS = [{"attack": "braking while cruising"}, {"attack": "cruising while braking"}]


def record(rig: Rig, duration_ns: int) -> tuple[Frame, ...]:
    """What the attacker hears of the commands on bus A."""
    identifier = rig.database.message("CDC_EmbCmd").arbitration_id
    begin = len(rig.recorder.frames)
    rig.run_for(duration_ns)
    return tuple(
        each.frame
        for each in rig.recorder.frames[begin:]
        if each.channel == "CHASSIS_A" and each.frame.arbitration_id == identifier
    )


def prepare(rig: Rig, attack: str) -> tuple[Frame, ...]:
    """Record one way of driving at 100 km/h, then drive the other way; returns the recording."""
    rig.vehicle.set_friction(1.05)
    rig.vehicle.set_speed(kmh=100)
    rig.driver.hold_speed(100)
    rig.run_for(ms(500))
    if attack == "cruising while braking":
        recording = record(rig, ms(500))
        rig.press_pedal(35)
        rig.run_for(ms(500))
        return recording
    rig.press_pedal(35)
    rig.run_for(ms(500))
    recording = record(rig, ms(500))
    rig.release_pedal()
    rig.run_for(s(1))
    return recording


def rejected(rig: Rig) -> list[int] | None:
    """Commands of the CDC that each actuator rejected; None where one is not simulated here."""
    nodes = [rig.node(f"EMB_{corner}") for corner in CORNERS]
    simulated = [node for node in nodes if isinstance(node, Emb)]
    if len(simulated) < len(nodes):
        return None
    return [node.reception("CDC_EmbCmd").rejected_count for node in simulated]


def replay(rig: Rig, recording: tuple[Frame, ...]) -> tuple[int, list[float], list[float]]:
    """One second of replay on bus A: frames sent, least and greatest clamp force of each wheel."""
    fault = rig.inject(ReplayAttack(bus="CHASSIS_A", frames=recording))
    settled_ns = rig.now_ns + ms(300)
    rig.run_for(s(1))
    rig.clear(fault)
    sent = sum(1 for each in rig.recorder.frames if each.sender == "ATTACKER")
    columns = [rig.recorded(f"clamp_force_n.{corner}", since_ns=settled_ns) for corner in CORNERS]
    return sent, [float(each.min()) for each in columns], [float(each.max()) for each in columns]


@scenario(
    requirements=["SEC-001", "COM-002", "BRK-003"],
    cases=ATTACKS,
    database="chassis_fd_secoc.dbc",
)
def replay_attack(rig: Rig, attack: str) -> None:
    """Brake commands that were recorded and are sent again are rejected, all of them."""
    recording = prepare(rig, attack)
    before_n = list(rig.vehicle.clamp_force_n)
    before = rejected(rig)
    sent, least_n, greatest_n = replay(rig, recording)
    after = rejected(rig)
    rig.check(
        "SEC-001",
        sent >= 700,
        measured=f"{sent} frames",
        limit=">= 700 frames",
        text="replayed commands on the bus",
    )
    if before is not None and after is not None:
        counted = [late - early for late, early in zip(after, before, strict=True)]
        rig.check(
            "SEC-001",
            counted == [sent] * 4,
            measured=" ".join(str(each) for each in counted),
            limit=f"{sent} at each of FL FR RL RR",
            text="replayed commands rejected and counted",
        )
    control = Rig(seed=rig.seed)
    _, control_least_n, control_greatest_n = replay(control, prepare(control, attack))
    if attack == "braking while cruising":
        worst_n, limit = max(greatest_n), "<= 500 N"
        holds, works = worst_n <= 500.0, max(control_greatest_n) > 500.0
        text = "greatest clamp force without a request, under attack"
        shown_n = max(control_greatest_n)
    else:
        demanded_n = min(before_n)
        worst_n, limit = min(least_n), f">= {0.9 * demanded_n:.0f} N"
        holds, works = worst_n >= 0.9 * demanded_n, min(control_least_n) < 0.5 * demanded_n
        text = "least clamp force while the driver brakes, under attack"
        shown_n = min(control_least_n)
    rig.check("COM-002", holds, measured=f"{worst_n:.0f} N", limit=limit, text=text)
    rig.report("the same attack on the control vehicle, E2E alone", f"{shown_n:.0f} N: {text}")
    rig.check(
        "SEC-001",
        works,
        measured=f"{shown_n:.0f} N",
        limit="the attack works",
        text="control: the same figure where E2E is alone",
    )
    rig.run_for(ms(100))
