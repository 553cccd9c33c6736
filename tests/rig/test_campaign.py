"""Campaigns on the whole chassis: all or none, forged words refused, loss of power, a hung image.

Two parked rigs are warmed up once; every test gets a fork.
"""

from __future__ import annotations

import pytest

from simcore import Rig, ms, s
from simcore.ecu.runtime.software_bundle import (
    ABANDON_RID,
    BEGIN_RID,
    MANIFEST_DID,
    MEMBER_DID,
    ORDERS_RID,
    REPORT_RID,
    STATUS_RID,
)
from simcore.ecu.runtime.software_rows import ACTIVATE_RID, REPORT_DID
from simcore.errors import UsageError
from simcore.rig import DRIVING, WORKSHOP, Backend, Campaign
from simcore.rig.software import HARDWARE, signed_image, software_settings
from simcore.rig.update_run import UpdatePlan, UpdateRun, isotp_limit_per_s
from simcore.rig.update_tasks import refusal, routine
from simcore.update.bundle_phases import BundlePhase
from simcore.update.image import Behaviour
from simcore.update.states import UpdateState

NODES = ("CDC", "EMB_FL")
SIZE = 2 * 1024


@pytest.fixture(scope="module")
def parked() -> Rig:
    """Never run: fork it."""
    rig = Rig(seed=1)
    rig.set_park_brake(True)
    rig.set_power_mode("Park")
    rig.run_for(s(3))
    return rig


@pytest.fixture(scope="module")
def loaded(parked: Rig) -> Campaign:
    """Two ECUs have the image in their second slot. Never run: fork its rig."""
    rig = parked.fork()
    backend = Backend()
    backend.campaign("1.1.0", now_ns=rig.now_ns, nodes=NODES, size=SIZE)
    campaign = Campaign(rig, backend, pace=WORKSHOP)
    campaign.load()
    assert campaign.wait(timeout=s(20)), campaign.failures
    return campaign


@pytest.fixture
def campaign(loaded: Campaign) -> Campaign:
    return Campaign(loaded.rig.fork(), loaded.backend, pace=WORKSHOP)


def ask(campaign: Campaign, rid: int, option: bytes = b"") -> str:
    """What is wrong with an answer of the coordinator; empty for nothing."""
    return refusal(campaign.order("CDC", routine(rid, option)))[:4]


# ---- the coordinator's ears ----


def test_a_status_is_taken_once_and_only_as_it_was_signed(campaign: Campaign) -> None:
    assert ask(campaign, BEGIN_RID) == ""
    status = campaign.read("EMB_FL", MEMBER_DID)
    assert status is not None
    forged = bytearray(status)
    forged[33] ^= 1
    assert ask(campaign, STATUS_RID, bytes(forged)) == "0x33"
    assert ask(campaign, STATUS_RID, status[:40]) == "0x33"
    assert ask(campaign, STATUS_RID, status) == ""
    assert ask(campaign, STATUS_RID, status) == "0x31", "repeated"
    newer = campaign.read("EMB_FL", MEMBER_DID)
    assert newer is not None and ask(campaign, STATUS_RID, newer) == ""


def test_a_version_report_is_taken_once_and_only_as_it_was_signed(campaign: Campaign) -> None:
    report = campaign.read("EMB_FL", REPORT_DID)
    assert report is not None
    assert ask(campaign, REPORT_RID, report.replace(b"1.0.0", b"9.0.0")) == "0x33"
    assert ask(campaign, REPORT_RID, report) == ""
    assert ask(campaign, REPORT_RID, report) == "0x33", "repeated"
    first, second = (campaign.read("CDC", MANIFEST_DID) for _ in range(2))
    assert first and second and first != second, "numbered"


def test_a_bundle_begins_once_and_is_given_up_only_before_it_is_decided(
    campaign: Campaign, parked: Rig
) -> None:
    idle = Campaign(parked.fork(), campaign.backend, pace=WORKSHOP)
    assert ask(idle, BEGIN_RID) == "0x24", "no metadata name one"
    assert ask(idle, ABANDON_RID) == "0x22"
    assert ask(campaign, BEGIN_RID) == ""
    assert ask(campaign, ABANDON_RID) == ""
    assert ask(campaign, ORDERS_RID) == ""
    assert campaign.settle(timeout=s(10)) is BundlePhase.ROLLED_BACK
    assert set(campaign.versions().values()) == {"1.0.0"}


@pytest.mark.parametrize("option", [b"", b"\x01", bytes(16) + b"\x03" + bytes(64)])
def test_a_member_activates_only_what_the_coordinator_orders(
    campaign: Campaign, option: bytes
) -> None:
    response = campaign.order("EMB_FL", routine(ACTIVATE_RID, option))
    assert refusal(response)[:4] == "0x33"
    status = campaign.status("EMB_FL")
    assert status is not None and status.state is UpdateState.STAGED


# ---- the whole way ----


def test_all_change_and_a_fork_in_the_middle_changes_alike(campaign: Campaign) -> None:
    rig = campaign.rig
    assert ask(campaign, BEGIN_RID) == ""
    for _ in range(3):
        campaign.round()
        rig.run_for(ms(50))
    twin = Campaign.__new__(Campaign)
    twin.__dict__.update(campaign.__dict__, rig=rig.fork(), refusals={})
    ends = [each.settle(timeout=s(20)) for each in (campaign, twin)]
    assert ends == [BundlePhase.COMMITTED] * 2
    assert rig.digest == twin.rig.digest
    assert campaign.versions() == dict.fromkeys(NODES, "1.1.0")
    assert not campaign.refusals or "no response" not in str(campaign.refusals)


def test_an_image_that_hangs_at_its_start_is_reset_by_the_watchdog_and_left(parked: Rig) -> None:
    plan = UpdatePlan(nodes=("EMB_FL",), size=SIZE, defects={"EMB_FL": Behaviour.HANGS_AT_START})
    rig = parked.fork()
    run = UpdateRun(plan, rig=rig)
    result = run.run()
    assert not result.all_new and result.ended is BundlePhase.ROLLED_BACK
    assert result.ecus[0].version == "1.0.0" and not result.findings
    assert result.reasons == ("EMB_FL: ROLLED_BACK: trial: not confirmed in its tries",)
    starts = [e for e in rig.log.events if e.text.startswith("starts 1.1.0")]
    assert 1 <= len(starts) <= 3


def test_an_attack_on_the_way_is_named_by_every_ecu_that_sees_it(parked: Rig) -> None:
    plan = UpdatePlan(version="2.0.0", size=SIZE, attack="arbitrary_software_garbage")
    seen: list[str] = []
    result = UpdateRun(plan, rig=parked.fork(), watch=lambda step, _: seen.append(step)).run()
    assert {ecu.attack for ecu in result.ecus} == {"arbitrary software"}
    assert {ecu.version for ecu in result.ecus} == {"1.1.0"}
    assert len(result.reasons) == len(HARDWARE) and not result.all_new
    assert set(seen) >= {"parking", "the version before", "loading", "version reports"}


# ---- figures ----


def test_the_limit_of_a_link_is_that_of_its_frames(parked: Rig) -> None:
    from simcore.ecu.runtime.diagnostic_addresses import diagnosed_nodes

    messages, timing = diagnosed_nodes(parked.database)["EMB_FL"], parked.buses[0].timing
    image = signed_image("EMB-HW", "1.1.0")
    fast = isotp_limit_per_s(messages, WORKSHOP, timing, image)
    assert 180e3 < fast < 190e3, "500 kbit/s and 2 Mbit/s: 184 kB/s with average stuffing"
    assert 155e3 < isotp_limit_per_s(messages, WORKSHOP, timing, b"\0" * 8000) < fast
    assert isotp_limit_per_s(messages, DRIVING, timing, image) == pytest.approx(23 / 0.004)


# ---- usage ----


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"nodes": ()}, "update, nodes.*none"),
        ({"nodes": ("CDC", "XYZ")}, "update, nodes.*XYZ"),
        ({"nodes": ("CDC", "CDC")}, "update, nodes.*each once"),
        ({"defects": {"XYZ": Behaviour.HANGS}}, "update, nodes.*XYZ"),
        ({"drives": True}, "update, pace.*beside all that drives.*workshop"),
        ({"attack": "nothing", "version": "2.0.0"}, "update, attack.*freeze_for_days"),
        ({"attack": "freeze_for_days"}, "update, attack.*version 2.0.0 without defects"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(changes: dict[str, object], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        UpdatePlan(**changes)  # type: ignore[arg-type]


def test_a_campaign_has_nodes_that_its_back_end_orders_for(parked: Rig) -> None:
    backend = Backend()
    with pytest.raises(UsageError, match=r"Campaign, nodes.*a campaign of the back end"):
        Campaign(parked.fork(), backend)
    backend.campaign("1.1.0", now_ns=parked.now_ns, nodes=("CDC",), size=SIZE)
    with pytest.raises(UsageError, match=r"Campaign, nodes.*EMB_FL"):
        Campaign(parked.fork(), backend, ("EMB_FL",))
    with pytest.raises(UsageError, match=r"campaign: load, through.*TRIAL"):
        Campaign(parked.fork(), backend).load_one("CDC", through=UpdateState.TRIAL)


def test_a_back_end_knows_its_ecus_and_its_history() -> None:
    backend = Backend()
    with pytest.raises(UsageError, match=r"campaign.*of CDC, EMB_FL.*GW"):
        backend.campaign("1.1.0", now_ns=0, nodes=("GW",))
    with pytest.raises(UsageError, match=r"serve.*1.0.0, 1.1.0, 2.0.0.*3.0.0"):
        backend.serve("3.0.0")
    assert backend.pace is None
    assert software_settings("CDC").client.is_coordinator
    assert not software_settings("EMB_FL").client.is_coordinator
