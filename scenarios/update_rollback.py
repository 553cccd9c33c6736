"""A new software that is no good: the car runs the old one again, in every controller."""

from simcore import Rig, ms, s, scenario
from simcore.rig import WORKSHOP, Backend, Campaign
from simcore.update.bundle_phases import BundlePhase
from simcore.update.image import Behaviour
from simcore.update.states import UpdateState

OLD, NEW = "1.0.0", "1.1.0"
NODES = ("CDC", "EMB_FL", "EMB_RR")
CASES = [
    {"node": "EMB_FL", "fault": "hangs at start"},
    {"node": "EMB_RR", "fault": "hangs"},
    {"node": "CDC", "fault": "self-test fails"},
]
BEHAVIOUR = {
    "self-test fails": Behaviour.SELF_TEST_FAILS,
    "hangs": Behaviour.HANGS,
    "hangs at start": Behaviour.HANGS_AT_START,
}
TRIES = 3


@scenario(requirements=["OTA-001", "OTA-004", "BRK-008"], cases=CASES)
def update_rollback(rig: Rig, node: str, fault: str) -> None:
    """One of three controllers fails its trial: all three end with the old software."""
    rig.run_for(ms(300))
    rig.set_park_brake(True)
    rig.set_power_mode("Park")
    rig.run_for(s(3))
    backend = Backend()
    backend.campaign(
        NEW,
        now_ns=rig.now_ns,
        nodes=NODES,
        size=4 * 1024,
        behaviour={node: BEHAVIOUR[fault]},
    )
    campaign = Campaign(rig, backend, pace=WORKSHOP)
    campaign.load()
    campaign.wait(timeout=s(30))
    ended = campaign.settle(timeout=s(40))
    rig.run_for(ms(500))

    versions = campaign.versions()
    rig.check(
        "OTA-001",
        ended is BundlePhase.ROLLED_BACK and set(versions.values()) == {OLD},
        measured=f"{ended.name}, {versions}",
        limit=f"ROLLED_BACK, all {OLD}",
        text="what runs in the end, in all three",
    )
    starts = [
        event
        for event in rig.log.events
        if event.source == node and event.kind == "state" and event.text.startswith(f"starts {NEW}")
    ]
    rig.check(
        "OTA-004",
        1 <= len(starts) <= TRIES,
        measured=len(starts),
        limit=f"1 to {TRIES}",
        text=f"starts of the new image in {node}",
    )
    counters = {each: rig.node(each).software.bootloader.security_counter for each in NODES}
    rig.check(
        "OTA-001",
        set(counters.values()) == {1},
        measured=str(counters),
        limit="1 everywhere",
        text="the security counter is raised by nothing that was not confirmed",
    )
    campaign.load()
    campaign.wait(timeout=s(10))
    blocked = [campaign.status(each) for each in NODES]
    named = ["blocked" in campaign.failures.get(each, "").lower() for each in NODES]
    rig.check(
        "OTA-001",
        all(named)
        and all(each and each.state in (UpdateState.FAILED, UpdateState.IDLE) for each in blocked),
        measured="; ".join(campaign.failures.values()) or "loaded",
        limit="refused as blocked, by all three",
        text="the same campaign once more",
    )
    held_n = min(rig.vehicle.clamp_force_n[2:])
    rig.check("BRK-008", held_n >= 11_000, measured=held_n, limit=">= 11000 N", text="still parked")
