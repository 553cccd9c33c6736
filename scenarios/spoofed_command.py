"""A foreign node forges the brake command: right counter, right checksum, no key.

E2E protects against faults and not against intent: whoever knows the network file can compute it.
Each attack runs twice in one scenario: on the vehicle under test, whose commands are secured by
SecOC, and on a control vehicle that has E2E alone. The verdict is about the vehicle under test; the
control shows that the attack is a real one, and what it does where nothing but E2E is in its way.
"""

from simcore import Rig, ms, s, scenario
from simcore.ecu import Emb
from simcore.faults.attacks import SpoofedMessage

CORNERS = ("FL", "FR", "RL", "RR")
FORCE_N = 30_000.0
ATTACKS = [{"attack": "brake while cruising"}, {"attack": "release while braking"}]


def forged_values(force_n: float) -> dict[str, float]:
    """A command of the same force for all four wheels, 0 for released."""
    mode = 2 if force_n > 0.0 else 1  # ForceCtrl, Clearance
    values: dict[str, float] = {}
    for corner in CORNERS:
        values |= {f"CDC_{corner}_FReq": force_n, f"CDC_{corner}_Mode": mode}
        values |= {f"CDC_{corner}_ReqVld": 1, f"CDC_{corner}_AbsActv": 0}
    return values


def drive(rig: Rig, attack: str) -> None:
    """At 100 km/h on dry asphalt; for the second attack with the pedal pressed by a third."""
    rig.vehicle.set_friction(1.05)
    rig.vehicle.set_speed(kmh=100)
    rig.driver.hold_speed(100)
    rig.run_for(ms(500))
    if attack == "release while braking":
        rig.press_pedal(35)
        rig.run_for(ms(500))


def rejected(rig: Rig) -> list[int] | None:
    """Commands of the CDC that each actuator rejected; None where one is not simulated here."""
    nodes = [rig.node(f"EMB_{corner}") for corner in CORNERS]
    simulated = [node for node in nodes if isinstance(node, Emb)]
    if len(simulated) < len(nodes):
        return None
    return [node.reception("CDC_EmbCmd").rejected_count for node in simulated]


def forge(rig: Rig, attack: str) -> tuple[int, list[float], list[float]]:
    """One second of forgery on bus A: frames sent, least and greatest clamp force of each wheel."""
    force_n = FORCE_N if attack == "brake while cruising" else 0.0
    message = rig.database.message("CDC_EmbCmd")
    fault = rig.inject(
        SpoofedMessage(bus="CHASSIS_A", message=message, values=forged_values(force_n))
    )
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
def spoofed_command(rig: Rig, attack: str) -> None:
    """Forged brake commands with a right counter and checksum are rejected, all of them."""
    drive(rig, attack)
    before_n = list(rig.vehicle.clamp_force_n)
    before = rejected(rig)
    sent, least_n, greatest_n = forge(rig, attack)
    after = rejected(rig)
    rig.check(
        "SEC-001",
        sent >= 190,
        measured=f"{sent} frames",
        limit=">= 190 frames",
        text="forged commands on the bus",
    )
    if before is not None and after is not None:
        counted = [late - early for late, early in zip(after, before, strict=True)]
        rig.check(
            "SEC-001",
            counted == [sent] * 4,
            measured=" ".join(str(each) for each in counted),
            limit=f"{sent} at each of FL FR RL RR",
            text="forged commands rejected and counted",
        )
    control = Rig(seed=rig.seed)
    drive(control, attack)
    _, control_least_n, control_greatest_n = forge(control, attack)
    if attack == "brake while cruising":
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
