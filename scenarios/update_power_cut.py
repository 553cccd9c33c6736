"""The supply goes in the midst of the update: the old software runs or the new one, never none."""

from simcore import Rig, ms, s, scenario
from simcore.faults import FlashPowerCut
from simcore.rig import WORKSHOP, Backend, Campaign
from simcore.update.flash import CutKind

OLD, NEW = "1.0.0", "1.1.0"
NODES = ("CDC", "EMB_RL")
CASES = [
    {"node": "EMB_RL", "moment": "download", "kind": "torn"},
    {"node": "EMB_RL", "moment": "installation", "kind": "before"},
    {"node": "EMB_RL", "moment": "swap", "kind": "torn"},
    {"node": "EMB_RL", "moment": "commit", "kind": "after"},
    {"node": "CDC", "moment": "swap", "kind": "torn"},
]
STATES = {
    "download": "DOWNLOADING",
    "installation": "INSTALLING",
    "swap": "BOOT_SWAP",
    "commit": "COMMITTING",
}
OPERATION = {"download": 40, "installation": 300, "swap": 30, "commit": 1}
"""How many flash operations into the state."""


@scenario(requirements=["OTA-002", "OTA-004", "BRK-008"], cases=CASES)
def update_power_cut(rig: Rig, node: str, moment: str, kind: str) -> None:
    """Cut at a flash operation, power back after 200 ms, and the campaign goes on."""
    rig.run_for(ms(300))
    rig.set_park_brake(True)
    rig.set_power_mode("Park")
    rig.run_for(s(3))
    backend = Backend()
    backend.campaign(NEW, now_ns=rig.now_ns, nodes=NODES, size=8 * 1024)
    campaign = Campaign(rig, backend, pace=WORKSHOP)
    cut = FlashPowerCut(node=node, operation=OPERATION[moment], kind=CutKind[kind.upper()], seed=7)
    rig.inject(cut.after("state", source=node, text=f"-> {STATES[moment]}"))
    campaign.load()
    campaign.wait(timeout=s(30))
    for lost in tuple(campaign.failures):
        rig.report(f"{lost}, lost while loading", campaign.failures[lost])
        rig.run_for(ms(500))
        campaign.reload(lost)
    campaign.wait(timeout=s(30))
    ended = campaign.settle(timeout=s(30))
    rig.run_for(ms(500))

    cuts = [event for event in rig.log.events if event.kind == "fault" and "midst" in event.text]
    rig.check(
        "OTA-002",
        any("power lost at" in event.text for event in cuts),
        measured=cuts[-1].text if cuts else "nothing was cut",
        limit="the supply went at a flash operation",
        text="the cut took place",
    )
    versions = campaign.versions()
    rig.check(
        "OTA-002",
        set(versions.values()) == {NEW} and ended.name == "COMMITTED",
        measured=f"{versions}, {ended.name}",
        limit=f"all {NEW}, COMMITTED",
        text="what runs in the end, in both controllers",
    )
    tries = [
        event.text
        for event in rig.log.events
        if event.source == node and event.kind == "state" and event.text.startswith("starts 1.1.0")
    ]
    starts = 2 if (moment, kind) == ("commit", "after") else 1  # the only cut after a first start
    rig.check(
        "OTA-004",
        1 <= len(tries) <= starts,
        measured=len(tries),
        limit=f"1 to {starts}",
        text=f"starts of the new image in {node}",
    )
    held_n = min(rig.vehicle.clamp_force_n[2:])
    rig.check("BRK-008", held_n >= 11_000, measured=held_n, limit=">= 11000 N", text="still parked")
