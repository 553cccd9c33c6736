"""A parked car updates its brakes: five controllers at once, all or none."""

from simcore import Rig, ms, s, scenario
from simcore.rig import WORKSHOP, Backend, Campaign
from simcore.rig.software import HARDWARE, ecu_key
from simcore.rig.update_tasks import refusal
from simcore.update.audit_verify import verify_log
from simcore.update.metadata_keys import public_key
from simcore.update.version_report import verify_report

NEW = "1.1.0"
NODES = tuple(HARDWARE)
NRC = {0x22: "conditions", 0x83: "drive on", 0x88: "moving", 0x90: "not parked"}


@scenario(requirements=["DIA-001", "OTA-001", "OTA-003", "OTA-006", "BRK-008"])
def update_parked(rig: Rig) -> None:
    """Load at the roadside, refuse until the car is parked, then change all five controllers."""
    rig.vehicle.set_slope(pct=8)
    rig.press_pedal(30)
    rig.run_for(s(1))
    backend = Backend()
    backend.campaign(NEW, now_ns=rig.now_ns)
    campaign = Campaign(rig, backend, pace=WORKSHOP)
    campaign.load()
    loaded = campaign.wait(timeout=s(30))
    rig.check(
        "DIA-001",
        loaded,
        measured="; ".join(f"{k}: {v}" for k, v in campaign.failures.items()) or "all staged",
        limit="all staged",
        text="metadata and image reach every controller over UDS on ISO-TP",
    )

    refused_without_guard(rig, campaign)

    begun_ns = rig.now_ns
    ended = campaign.settle(timeout=s(30))
    versions = campaign.versions()
    rig.report(
        "activation, trial and commit of the bundle", f"{(rig.now_ns - begun_ns) / s(1):.1f} s"
    )
    rig.check(
        "OTA-001",
        ended.name == "COMMITTED" and set(versions.values()) == {NEW},
        measured=f"{ended.name}, {sorted(set(versions.values()))}",
        limit=f"COMMITTED, all {NEW}",
        text="the ordered image runs on all five",
    )
    reports_and_logs(rig, campaign)
    held_n = min(
        float(rig.recorded(f"clamp_force_n.{c}", since_ns=begun_ns).min()) for c in ("RL", "RR")
    )
    rig.check(
        "BRK-008",
        held_n >= 11_000,
        measured=held_n,
        limit=">= 11000 N",
        text="rear clamp force while the controllers change their software",
    )


def refused_without_guard(rig: Rig, campaign: Campaign) -> None:
    """Each guard that does not hold refuses the activation, and says which it is."""
    rows = [("rolling", lambda: (rig.release_pedal(), rig.vehicle.set_speed(kmh=6)), 0x88)]
    rows.append(("held by the pedal", lambda: rig.press_pedal(40), 0x90))
    rows.append(("parked, drive on", lambda: rig.set_park_brake(True), 0x83))
    rows.append(("parked, consent withdrawn", lambda: withdraw(rig, campaign), 0x22))
    for text, act, wanted in rows:
        act()
        rig.run_for(ms(300) if text == "rolling" else ms(2800) if wanted == 0x90 else s(1))
        for node in ("CDC", "EMB_FL"):
            request = bytes.fromhex("31 01 02 13")
            response = campaign.order(node, request)
            state = campaign.status(node)
            rig.check(
                "OTA-003",
                response == bytes((0x7F, 0x31, wanted))
                and state is not None
                and state.state.name == "STAGED",
                measured=refusal(response) or "accepted",
                limit=f"0x{wanted:02X} {NRC[wanted]}",
                text=f"activation of {node}, {text}",
            )
    for node in NODES:
        campaign.order(node, bytes.fromhex("31 01 02 11"))  # the driver consents again
    rig.release_pedal()
    rig.run_for(s(1))


def withdraw(rig: Rig, campaign: Campaign) -> None:
    rig.set_power_mode("Park")
    for node in NODES:
        campaign.order(node, bytes.fromhex("31 02 02 11"))


def reports_and_logs(rig: Rig, campaign: Campaign) -> None:
    """What every controller says of itself, signed; and that nobody can change it."""
    for node in NODES:
        key = public_key(ecu_key(node))
        report = verify_report(campaign.read(node, 0xF1A1) or b"", key, ecu_id=node)
        version = "none" if report.report is None else str(report.report.version)
        rig.check(
            "OTA-001",
            report.accepted and version == NEW,
            measured=f"{report}, {version}",
            limit=f"accepted, {NEW}",
            text=f"version report of {node}",
        )
        audit = verify_log(campaign.upload_audit(node), key)
        steps = [entry.text for entry in audit.entries if entry.kind == "update"]
        wanted = ["IDLE -> CHECKING", "STAGED -> ACTIVATING", "-> TRIAL", "COMMITTING -> COMMITTED"]
        missing = [each for each in wanted if not any(each in step for step in steps)]
        rig.check(
            "OTA-006",
            audit.accepted and not missing,
            measured=f"{audit}, {len(steps)} steps, missing {missing or 'none'}",
            limit="accepted, every step",
            text=f"audit log of {node}",
        )
    rxswin = campaign.read("EMB_FL", 0xF1A3)
    writing = campaign.order("EMB_FL", bytes.fromhex("2E F1A3") + b"R13H-FORGED-EMB-0001")
    rig.check(
        "OTA-006",
        bool(rxswin) and writing == bytes.fromhex("7F 2E 31"),
        measured=f"{(rxswin or b'').decode()!r}, writing: {refusal(writing) or 'accepted'}",
        limit="readable, writing 0x31",
        text="RXSWIN over UDS",
    )
