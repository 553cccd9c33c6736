"""Every attack of Uptane's list between back end and car: refused, named, and the car drives on."""

from simcore import Rig, ms, s, scenario
from simcore.rig import WORKSHOP, Backend, Campaign
from simcore.rig.software import ecu_key, signed_image
from simcore.units import NS_PER_S
from simcore.update.attacks import CATALOGUE, AttackCase, Stage
from simcore.update.bundle_phases import BundlePhase
from simcore.update.image import SigningKey
from simcore.update.metadata_keys import public_key
from simcore.update.states import UpdateState
from simcore.update.version_report import verify_report

PRIMARY, SECONDARY = "CDC", "EMB_FL"
NODES = (PRIMARY, SECONDARY)
INSTALLED, NEW = "1.1.0", "2.0.0"
SIZE = 4 * 1024
DAY_NS = 86_400 * NS_PER_S
THIEF = SigningKey.of(0, "thief")
REFUSALS = {
    "repository keys": "arbitrary software: key unknown",
    "repository keys, old software": "rollback: security counter",
    "flash": "bootloader refused the image",
}


@scenario(requirements=["OTA-001", "BRK-003"])
def update_attack_suite(rig: Rig) -> None:
    """The car has 1.1.0; 2.0.0 is out, and a thief stands in between in forty ways."""
    rig.run_for(ms(300))
    rig.set_park_brake(True)
    rig.set_power_mode("Park")
    rig.run_for(s(3))
    backend = Backend.with_history(size=SIZE)
    campaign = Campaign(rig, backend, pace=WORKSHOP)
    campaign.load()
    campaign.wait(timeout=s(20))
    ended = campaign.settle(timeout=s(20))
    rig.check(
        "OTA-001",
        ended is BundlePhase.COMMITTED,
        measured=ended.name,
        limit="COMMITTED",
        text=f"{INSTALLED} is installed before",
    )
    backend.serve(NEW)
    for case in CATALOGUE:
        if case.stage in (Stage.NOTHING, Stage.INSTALLATION):
            rig.report(case.name, f"nothing is refused in the car: {case.text}")
            continue
        attack(rig, backend, case)
    versions = campaign.versions()
    rig.check(
        "OTA-001",
        set(versions.values()) == {INSTALLED},
        measured=str(versions),
        limit=f"all {INSTALLED}",
        text="what runs after all attacks",
    )


def attack(rig: Rig, backend: Backend, case: AttackCase) -> None:
    """One attack on both verifiers, where both can see it."""
    backend.ahead_ns += case.after_days * DAY_NS
    backend.repository.start_attack(case.name)
    campaign = Campaign(rig, backend, NODES, pace=WORKSHOP)
    judges = [(PRIMARY, case.full), (SECONDARY, case.partial)]
    if case.stage is Stage.TRANSFER:  # the same watch in both, and it takes its time
        del judges[0]
    for node, check in judges:
        if check is None:
            rig.report(f"{case.name}, {node}", f"not seen by a partial verifier: {case.blind}")
            continue
        campaign.load_one(node, through=UpdateState.READY)
        campaign.wait(timeout=s(30))
        refused = rig.run_until(lambda node=node: over(rig, node), timeout=s(20))
        report = verify_report(campaign.read(node, 0xF1A1) or b"", public_key(ecu_key(node)))
        named = None if report.report is None else report.report.attack
        rig.check(
            "OTA-001",
            refused and report.accepted and named is case.named_by(check),
            measured="nothing" if named is None else f"{named.title} ({report.report.attack_text})",
            limit=case.attack.title,
            text=f"{case.name}: what {node} reports",
        )
        campaign.acknowledge(node)
        if state(rig, node) is not UpdateState.IDLE:
            campaign.cancel(node)
        rig.run_until(lambda node=node: state(rig, node) is UpdateState.IDLE, timeout=s(5))
        rig.run_for(ms(20))
    backend.repository.stop_attack()
    backend.ahead_ns -= case.after_days * DAY_NS


def state(rig: Rig, node: str) -> UpdateState:
    return rig.node(node).software.client.state


def over(rig: Rig, node: str) -> bool:
    """Whether the client has ended the campaign, or never begun it."""
    return state(rig, node) in (UpdateState.FAILED, UpdateState.IDLE)


THEFTS = [
    {"theft": "repository keys"},
    {"theft": "repository keys, old software"},
    {"theft": "flash"},
]


@scenario(requirements=["OTA-001", "BRK-008"], cases=THEFTS)
def update_foreign_image(rig: Rig, theft: str) -> None:
    """Behind the metadata: with every repository's keys, or pins on the flash, still no malware."""
    rig.run_for(ms(300))
    rig.set_park_brake(True)
    rig.set_power_mode("Park")
    rig.run_for(s(3))
    in_flash = theft == "flash"
    backend = Backend()
    backend.campaign(
        INSTALLED,
        now_ns=rig.now_ns,
        nodes=NODES,
        size=SIZE,
        key=THIEF if theft == "repository keys" else None,
        security_counter=0 if theft.endswith("old software") else None,
    )
    campaign = Campaign(rig, backend, pace=WORKSHOP)
    campaign.load()
    campaign.wait(timeout=s(30))
    if in_flash:
        exchange_image(rig, SECONDARY)
        campaign.settle(timeout=s(30))
        rig.run_for(ms(500))
    for node in (SECONDARY,) if in_flash else NODES:
        steps = [e.text for e in rig.log.events if e.source == node and e.kind == "state"]
        refused = [text for text in steps if text.endswith(REFUSALS[theft])]
        rig.check(
            "OTA-001",
            bool(refused),
            measured=refused[0] if refused else "accepted",
            limit=REFUSALS[theft],
            text=f"what {node} refuses it for",
        )
    versions = campaign.versions()
    rig.check(
        "OTA-001",
        set(versions.values()) == {"1.0.0"},
        measured=str(versions),
        limit="all 1.0.0",
        text="what runs in the end",
    )
    held_n = min(rig.vehicle.clamp_force_n[2:])
    rig.check("BRK-008", held_n >= 11_000, measured=held_n, limit=">= 11000 N", text="still parked")


def exchange_image(rig: Rig, node: str) -> None:
    """Write a thief's image over the verified one, past the controller."""
    software = rig.node(node).software
    candidate = software.settings.layout.candidate.on(software.flash)
    image = signed_image("EMB-HW", INSTALLED, size=SIZE, security_counter=9, key=THIEF)
    unit, sector = candidate.program_size, candidate.sector_size
    candidate.erase(0, -(-len(image) // sector) * sector)
    candidate.program(0, image.ljust(-(-len(image) // unit) * unit, b"\xff"))
