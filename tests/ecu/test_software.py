"""What a tester can do with the software of one ECU that does nothing else: every row and refusal.

The ECU stands on a bare bus with the tester; images are small.
"""

from __future__ import annotations

import pytest

from simcore import Database, Restbus, ms, s
from simcore.diag import DiagnosticTable
from simcore.ecu.runtime import Ecu
from simcore.ecu.runtime.diagnostics_rows import StandardRows
from simcore.ecu.runtime.software_areas import (
    AUDIT_ADDRESS,
    IMAGE_ADDRESS,
    METADATA_ADDRESS,
    METADATA_SIZE_MAX,
)
from simcore.ecu.runtime.software_bundle import pack_order, pack_status, unpack_orders
from simcore.ecu.runtime.software_bundle import unpack_status as unpacked
from simcore.ecu.runtime.software_rows import REPORT_DID
from simcore.errors import UsageError
from simcore.rig import WORKSHOP, Backend, Campaign
from simcore.rig.software import ecu_key, factory_flash, layout, software_settings
from simcore.rig.update_tasks import refusal, routine
from simcore.update.bundle import MemberOrder, MemberStatus, OrderKind
from simcore.update.guards import Conditions, fit_conditions
from simcore.update.metadata_keys import public_key
from simcore.update.states import UpdateState
from simcore.update.version_report import VersionReport, verify_report

NODE = "EMB_FL"
SIZE = 4 * 1024
LARGE = 72 * 1024
"""More than the 64 KiB after which progress is persisted."""
ROUTINES = [
    ("FF00", "44 08000000 00001000", 0x24),
    ("0202", "", None),
    ("FF01", "", None),
    ("0203", "", None),
    ("0210", "00000010", None),
    ("0211", "", 0x24),
    ("0212", "", 0x24),
    ("0213", "01", 0x24),
    ("0214", "00", 0x31),
    ("0215", "", 0x24),
    ("0216", "", None),
    ("0217", "", 0x24),
    ("0218", "", None),
]
"""Identifier, options, and what they are answered with where no campaign is under way."""


class BareEcu(Ecu):
    """Software that can be updated, and nothing else."""

    fit = True

    def configure(self, now_ns: int) -> None:
        self.diagnoses(self._table)
        self.updates(self)

    def conditions(self, now_ns: int) -> Conditions:
        return fit_conditions(supply_v=48.0) if self.fit else Conditions()

    def _table(self) -> DiagnosticTable:
        rows = StandardRows(self, part_number=b"BARE", software_version=b"1", is_still=self._still)
        return rows.table()

    def _still(self, now_ns: int) -> bool:
        return True


@pytest.fixture(scope="module")
def warm() -> Restbus:
    """The tester has authenticated itself. Never run: fork it."""
    database = Database.reference()
    bench = Restbus(database, play=("TST",))
    ecu = BareEcu(NODE, database)
    ecu.software_settings = software_settings(NODE)
    bench.replace(NODE, ecu)
    bench.host(NODE).fit_flash(factory_flash(NODE))
    bench.run_for(ms(10))
    return bench


@pytest.fixture
def bench(warm: Restbus) -> Restbus:
    return warm.fork()


def campaign_on(bench: Restbus, size: int = SIZE) -> Campaign:
    backend = Backend()
    backend.campaign("1.1.0", now_ns=bench.now_ns, nodes=(NODE,), size=size, is_bundle=False)
    return Campaign(bench, backend, pace=WORKSHOP)


@pytest.fixture(scope="module")
def staged(warm: Restbus) -> Campaign:
    """The image is in the second slot. Never run: fork its rig."""
    campaign = campaign_on(warm.fork())
    campaign.load()
    assert campaign.wait(timeout=s(20)), campaign.failures
    return campaign


def again(campaign: Campaign) -> Campaign:
    """The same campaign on a fork."""
    return Campaign(campaign.rig.fork(), campaign.backend, pace=WORKSHOP)


def ask(campaign: Campaign, text: str) -> str:
    """What is wrong with the response to a request; empty for nothing."""
    return refusal(campaign.order(NODE, bytes.fromhex(text)))[:4]


def client(campaign: Campaign):  # type: ignore[no-untyped-def]
    return campaign.rig.node(NODE).software.client


def report(campaign: Campaign) -> VersionReport:
    verdict = verify_report(campaign.read(NODE, REPORT_DID) or b"", public_key(ecu_key(NODE)))
    assert verdict.accepted and verdict.report is not None, verdict
    return verdict.report


# ---- rows ----


@pytest.mark.parametrize(("rid", "option", "nrc"), ROUTINES)
def test_every_routine_without_a_campaign(
    bench: Restbus, rid: str, option: str, nrc: int | None
) -> None:
    campaign = campaign_on(bench)
    bare = campaign.rig.tester.request(NODE, bytes.fromhex(f"31 01 {rid} {option}"))
    assert refusal(bare)[:4] in ("0x7F", "0x33", "0x34", "0x31"), "nobody has authenticated"
    wanted = "" if nrc is None else f"0x{nrc:02X}"
    assert ask(campaign, f"31 01 {rid} {option}") == wanted


@pytest.mark.parametrize(
    ("option", "nrc"),
    [
        ("", "0x13"),
        ("44", "0x13"),
        ("44 08000000", "0x13"),
        ("40 00001000", "0x13"),
        ("04 08000000", "0x13"),
        ("44 08000001 00001000", "0x31"),
        ("44 0A000000 00001000", "0x31"),
    ],
)
def test_erasing_refuses_what_is_no_image(bench: Restbus, option: str, nrc: str) -> None:
    assert ask(campaign_on(bench), f"31 01 FF00 {option}") == nrc


@pytest.mark.parametrize("did", ["F188", "F189", "F195", "F1A0", "F1A1", "F1A2", "F1A3", "F1A4"])
def test_identifiers_of_the_software_are_read_and_never_written(bench: Restbus, did: str) -> None:
    campaign = campaign_on(bench)
    assert campaign.read(NODE, int(did, 16))
    assert ask(campaign, f"2E {did} 00") in ("0x31", "0x7F")


def test_what_runs_is_what_the_factory_wrote(bench: Restbus) -> None:
    campaign = campaign_on(bench)
    assert campaign.read(NODE, 0xF188) == b"emb-1.0.0.img"
    assert campaign.versions() == {NODE: "1.0.0"}
    assert campaign.read(NODE, 0xF1A3) == b"R13H-SIMCORE-EMB-01"
    first, second = report(campaign), report(campaign)
    assert (str(first.version), second.counter) == ("1.0.0", first.counter + 1)


# ---- areas ----


@pytest.mark.parametrize(
    ("service", "address", "size", "nrc"),
    [
        ("34", IMAGE_ADDRESS, 16, "0x24"),
        ("34", METADATA_ADDRESS + 8, 16, "0x31"),
        ("34", METADATA_ADDRESS, layout().metadata.size + 1, "0x31"),
        ("34", METADATA_ADDRESS, METADATA_SIZE_MAX + 1, "0x31"),
        ("34", AUDIT_ADDRESS, 16, "0x31"),
        ("34", 0x1000, 16, "0x31"),
        ("35", IMAGE_ADDRESS, 16, "0x31"),
        ("35", METADATA_ADDRESS, 16, "0x31"),
        ("35", AUDIT_ADDRESS + 1, 16, "0x22"),
    ],
)
def test_areas_refuse_what_is_not_for_them(
    bench: Restbus, service: str, address: int, size: int, nrc: str
) -> None:
    assert ask(campaign_on(bench), f"{service} 00 44 {address:08X} {size:08X}") == nrc


def test_metadata_without_end_are_named_in_the_report(bench: Restbus) -> None:
    campaign = campaign_on(bench)
    size = layout().metadata.size + 1
    ask(campaign, f"34 00 44 {METADATA_ADDRESS:08X} {size:08X}")
    found = report(campaign)
    assert found.attack is not None and found.attack.title == "endless data"


def test_no_metadata_come_while_a_campaign_is_under_way(staged: Campaign) -> None:
    assert ask(again(staged), f"34 00 44 {METADATA_ADDRESS:08X} 00000010") == "0x22"


def test_blocks_come_in_order_or_are_refused(bench: Restbus) -> None:
    campaign = campaign_on(bench)
    ask(campaign, f"34 00 44 {METADATA_ADDRESS:08X} 00000014")
    assert ask(campaign, "36 02" + "AA" * 10) == "0x73"
    assert ask(campaign, "36 01" + "AA" * 10) == ""
    assert ask(campaign, "36 01" + "AA" * 10) == "", "repeated"
    assert ask(campaign, "37") == "0x24", "ten bytes are missing"
    assert ask(campaign, "36 02" + "BB" * 10) == ""
    assert ask(campaign, "37") == ""
    stored = layout().metadata.on(bench.host(NODE).flash).read(0, 24)  # type: ignore[arg-type]
    assert stored == b"\xaa" * 10 + b"\xbb" * 10 + b"\xff" * 4


# ---- a download that is cut ----


def cut_download(bench: Restbus, until: int) -> Campaign:
    campaign = campaign_on(bench, LARGE)
    campaign.load(through=UpdateState.READY)
    dialogue = campaign.dialogues[NODE]
    assert bench.run_until(lambda: dialogue.transferred >= until, timeout=s(20))
    return campaign


def test_a_download_goes_on_at_the_byte_where_the_tester_was_cut_off(warm: Restbus) -> None:
    campaign = cut_download(warm.fork(), 10_000)
    bench = campaign.rig
    bench.silence("TST")
    bench.run_for(ms(500))
    bench.supply("TST")
    before = campaign.status(NODE)
    assert before is not None and before.state is UpdateState.DOWNLOADING
    assert 0 < before.done < LARGE
    request = f"34 00 44 {IMAGE_ADDRESS:08X} {before.size:08X}"
    assert ask(campaign, request) == "0x22", "a transfer is open"
    ask(campaign, "10 03")
    assert ask(campaign, request) == "0x31", "that would begin anew"
    campaign.reload(NODE, through=UpdateState.READY)
    image = next(t for t in campaign.dialogues[NODE].tasks if getattr(t, "what", "") == "image")
    assert campaign.wait(timeout=s(20)), campaign.failures
    assert image.samples[0][1] == before.done  # type: ignore[attr-defined]


def test_after_a_loss_of_power_it_goes_on_at_the_last_boundary(warm: Restbus) -> None:
    campaign = cut_download(warm.fork(), 70_000)
    bench = campaign.rig
    bench.host(NODE).halt()
    bench.run_for(ms(200))
    bench.host(NODE).start()
    bench.run_until(lambda: campaign.dialogues[NODE].done, timeout=s(20))
    assert "image at" in campaign.failures[NODE]
    status = campaign.status(NODE)
    assert status is not None and (status.state, status.done) == (
        UpdateState.DOWNLOADING,
        64 * 1024,
    )
    campaign.reload(NODE, through=UpdateState.READY)
    assert campaign.wait(timeout=s(20)), campaign.failures


# ---- activation ----


def test_the_answer_to_an_activation_leaves_before_the_reset(staged: Campaign) -> None:
    campaign = again(staged)
    assert campaign.activate(NODE) == ""
    assert campaign.rig.run_until(
        lambda: campaign.rig.node(NODE).is_booting,  # type: ignore[attr-defined]
        timeout=s(1),
    )
    campaign.rig.run_until(
        lambda: client(campaign) and client(campaign).state is UpdateState.TRIAL, timeout=s(10)
    )
    assert campaign.versions() == {NODE: "1.1.0"}


def test_a_trial_that_the_tester_ends_is_answered_before_the_old_image_comes(
    staged: Campaign,
) -> None:
    campaign = again(staged)
    campaign.activate(NODE)
    assert campaign.rig.run_until(
        lambda: client(campaign) and client(campaign).state is UpdateState.TRIAL, timeout=s(10)
    )
    assert ask(campaign, "31 01 0215") == ""
    assert campaign.rig.run_until(
        lambda: client(campaign) and client(campaign).state is UpdateState.ROLLED_BACK,
        timeout=s(10),
    )
    assert campaign.versions() == {NODE: "1.0.0"}


def test_without_consent_nothing_is_activated(staged: Campaign) -> None:
    campaign = again(staged)
    assert ask(campaign, "31 02 0211") == ""
    assert campaign.activate(NODE) == "0x22 conditions_not_correct"
    assert ask(campaign, "31 01 0203") == "" and client(campaign).state is UpdateState.STAGED
    assert ask(campaign, "31 01 0211") == ""
    assert campaign.activate(NODE) == ""


def test_an_unfit_ecu_says_which_guard_does_not_hold(staged: Campaign) -> None:
    campaign = again(staged)
    response = campaign.order(NODE, routine(0x0203))
    assert response is not None and response[4:] == b"\x01" + b"an ECU of the bundle is not ready"
    campaign.rig.node(NODE).fit = False  # type: ignore[attr-defined]
    response = campaign.order(NODE, routine(0x0203))
    assert response is not None and response[5:] == b"fewer than two valid speed sources"
    assert campaign.activate(NODE)[:4] == "0x22"


@pytest.mark.parametrize(
    ("state", "requests", "nrc"),
    [
        ("suspend what is staged", "31 01 0217", "0x24"),
        ("commit without a bundle", "31 01 0214" + "00" * 16 + "01" + "00" * 64, "0x24"),
        ("roll back what does not run", "31 01 0215", "0x24"),
        ("acknowledge what is not over", "31 01 0218", "0x24"),
        ("install again", "31 01 0212", ""),
        ("cancel", "31 01 0216", ""),
    ],
)
def test_what_is_staged_is_only_activated_or_given_up(
    staged: Campaign, state: str, requests: str, nrc: str
) -> None:
    assert ask(again(staged), requests) == nrc, state


def test_a_named_attack_stays_in_the_report_until_other_software_is_committed(
    bench: Restbus,
) -> None:
    campaign = campaign_on(bench)
    campaign.backend.repository.start_attack("arbitrary_software_garbage")
    campaign.load()
    assert not campaign.wait(timeout=s(5)) and "arbitrary software" in campaign.failures[NODE]
    assert campaign.acknowledge(NODE) == ""
    attack = report(campaign).attack
    assert attack is not None and attack.title == "arbitrary software"
    campaign.backend.repository.stop_attack()
    campaign.load()
    assert campaign.wait(timeout=s(20)), campaign.failures
    assert report(campaign).attack is not None
    campaign.activate(NODE)
    assert bench.run_until(
        lambda: client(campaign) and client(campaign).state is UpdateState.COMMITTED, timeout=s(20)
    )
    campaign.acknowledge(NODE)
    assert report(campaign).attack is None and str(report(campaign).version) == "1.1.0"


def test_without_a_valid_image_only_diagnostics_runs(bench: Restbus) -> None:
    host = bench.host(NODE)
    flash = host.flash
    assert flash is not None
    host.halt()
    for area in (layout().running, layout().secondary):
        region = area.on(flash)
        region.erase(0, region.size)
    host.start()
    bench.run_for(ms(500))
    campaign = campaign_on(bench)
    assert campaign.versions() == {NODE: "none"}
    assert any("diagnostics only" in event.text for event in bench.log.events)
    campaign.load()
    assert not campaign.wait(timeout=s(5)), "nothing is installed over UDS then"
    assert client(campaign).state is UpdateState.RECOVERY


def test_a_fork_in_the_middle_of_a_campaign_comes_to_the_same_end(warm: Restbus) -> None:
    campaign = cut_download(warm.fork(), 5_000)
    bench = campaign.rig
    twin = bench.fork()
    for each in (bench, twin):
        each.run_for(s(2))
    assert bench.digest == twin.digest
    assert twin.node(NODE).software.client.state is UpdateState.READY  # type: ignore[attr-defined]


# ---- statuses and orders of a bundle ----

STATUS = MemberStatus(
    ecu_id=NODE,
    campaign=bytes(16),
    state=UpdateState.TRIAL,
    promised=True,
    doubtful=False,
    refusal="why",
    version="1.1.0",
)
KEYS = {NODE: public_key(ecu_key(NODE)), "EMB_FR": public_key(ecu_key("EMB_FR"))}


def test_a_status_comes_over_the_wire_as_it_was() -> None:
    assert unpacked(pack_status(STATUS, 7, ecu_key(NODE)), KEYS) == (STATUS, 7)


@pytest.mark.parametrize("place", range(0, 46, 3))
def test_a_status_with_a_changed_byte_is_nobodys(place: int) -> None:
    data = bytearray(pack_status(STATUS, 7, ecu_key(NODE)))
    data[place] ^= 1
    assert unpacked(bytes(data), KEYS) is None


def test_a_status_that_another_ecu_signed_or_that_is_cut_short_is_refused() -> None:
    assert unpacked(pack_status(STATUS, 7, ecu_key("EMB_FR")), KEYS) is None
    data = pack_status(STATUS, 7, ecu_key(NODE))
    for size in (0, 10, 64, len(data) - 1):
        assert unpacked(data[:size], KEYS) is None
    assert unpacked(data, {"EMB_FR": KEYS["EMB_FR"]}) is None


def test_orders_come_over_the_wire_as_they_were() -> None:
    orders = [MemberOrder(NODE, OrderKind.ACTIVATE), MemberOrder("EMB_FR", OrderKind.CANCEL)]
    assert unpack_orders(b"".join(pack_order(each) for each in orders)) == orders
    assert unpack_orders(b"") == []


@pytest.mark.parametrize("data", [b"EMB", bytes(16) + b"\x63\x00", bytes(16) + b"\x01\x05abc"])
def test_half_an_order_is_refused(data: bytes) -> None:
    with pytest.raises(UsageError, match=r"orders of a bundle.*whole orders"):
        unpack_orders(data)
