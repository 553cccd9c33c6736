"""The update client of one ECU: the way through, every refusal by name, every loss of power."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass, replace
from typing import Any

import pytest

from simcore.diag.codes import Nrc
from simcore.errors import UsageError
from simcore.units import NS_PER_S
from simcore.update.attacks import CATALOGUE, AttackCase, Stage
from simcore.update.audit import AuditLog
from simcore.update.bundle_reference import (
    NEW,
    START_NS,
    VIN,
    Built,
    Example,
    built,
    filename_of,
)
from simcore.update.client import UpdateClient
from simcore.update.client_campaign import Campaign, write_metadata
from simcore.update.client_ecu import UpdateEcu
from simcore.update.client_ports import Accepted
from simcore.update.client_settings import ClientSettings
from simcore.update.events import UpdateEvent
from simcore.update.flash_geometry import CutKind
from simcore.update.guards import Refused, fit_conditions
from simcore.update.image_format import Behaviour
from simcore.update.power_cut import SweepPlan, count_operations, run_device, single_cuts
from simcore.update.power_cut_devices import SingleUpdateDevice, SingleUpdateStory, UpdatePlot
from simcore.update.reset_cause import ResetCause
from simcore.update.states import UpdateState
from simcore.update.verification_transfer import TransferLimits
from simcore.update.verification_verdict import Attack

_S = UpdateState


@dataclass
class Bench:
    """One ECU and its tester."""

    built: Built
    ecu: UpdateEcu
    campaign: Campaign
    now_ns: int = START_NS

    @property
    def client(self) -> UpdateClient:
        assert self.ecu.client is not None
        return self.ecu.client

    def boot(self, cause: ResetCause = ResetCause.POWER_ON) -> UpdateClient:
        self.ecu.boot(cause, self.now_ns)
        return self.client

    def until(self, *states: UpdateState) -> UpdateClient:
        """Let tester and ECU work until the client is in one of these states."""
        for _ in range(400):
            client = self.ecu.client
            if client is not None and client.state in states:
                return client
            if client is not None:
                self.campaign.act(client, self.ecu.flash, self.now_ns)
            self.now_ns = self.ecu.work(self.now_ns)
        raise AssertionError(f"none of {states} was reached")

    def work(self, state: UpdateState) -> UpdateClient:
        """Let the ECU alone work until it is there."""
        for _ in range(400):
            if self.client.state is state:
                return self.client
            self.now_ns = self.ecu.work(self.now_ns)
        raise AssertionError(f"{state.name} was not reached, {self.client.state.name} was")

    def announce(self, metadata: bytes) -> UpdateClient:
        """Metadata arrive and are looked at."""
        write_metadata(metadata, self.ecu.flash, self.client.layout)
        self.client.announce(self.now_ns, size=len(metadata))
        for _ in range(3):
            self.now_ns = self.ecu.work(self.now_ns)
        return self.client

    def audit(self) -> list[str]:
        plan = self.ecu.plan
        log = AuditLog(plan.layout.audit.on(self.ecu.flash), ecu="EMB_FL", key=plan.audit_key)
        return [entry.text for entry in log.entries() if entry.kind == "update"]


def bench(example: Example | None = None, **options: Any) -> Bench:
    of = built(example or Example(**options))
    ecu = UpdateEcu(of.plans["EMB_FL"])
    found = Bench(of, ecu, Campaign(of.metadata, of.images["EMB_FL"]))
    found.boot()
    return found


def refused(answer: object) -> Refused:
    assert isinstance(answer, Refused), answer
    return answer


# ---- the way through ----


def test_an_update_goes_from_announcement_to_report_and_says_every_step() -> None:
    one = bench()
    client = one.until(_S.COMMITTED)
    assert one.ecu.version == str(NEW)
    assert one.ecu.security_counter == NEW.major
    report = client.version_report(one.now_ns)
    assert report is not None
    assert (report.version, report.filename) == (NEW, filename_of("EMB_FL"))
    assert report.attack is None
    one.until(_S.IDLE)
    assert [text.split(":")[0] for text in one.audit()] == [
        "IDLE -> CHECKING",
        "CHECKING -> PENDING_CONSENT",
        "PENDING_CONSENT -> DOWNLOADING",
        "DOWNLOADING -> VERIFYING",
        "VERIFYING -> READY",
        "READY -> INSTALLING",
        "INSTALLING -> STAGED",
        "STAGED -> ACTIVATING",
        "ACTIVATING -> BOOT_SWAP",
        "ACTIVATING -> TRIAL",
        "TRIAL -> COMMITTING",
        "COMMITTING -> COMMITTED",
        "COMMITTED -> CLEANING",
        "CLEANING -> IDLE",
    ]


def test_the_same_metadata_once_more_are_nothing_new() -> None:
    one = bench()
    one.until(_S.COMMITTED)
    one.campaign.act(one.client, one.ecu.flash, one.now_ns)
    one.work(_S.IDLE)
    assert one.announce(one.built.metadata).state is _S.IDLE
    assert "NOTHING_NEW" in one.audit()[-1]


def test_once_confirmed_the_metadata_from_before_are_a_rollback() -> None:
    repository = copy.deepcopy(built(Example()).repository)
    repository.start_attack("rollback_all_metadata")
    one = bench()
    before = one.client.trusted
    one.until(_S.TRIAL)
    assert one.client.trusted == before, "not raised before the confirmation"
    one.until(_S.COMMITTED)
    assert one.client.trusted != before
    one.until(_S.IDLE)
    client = one.announce(repository.metadata_for(VIN))
    assert (client.state, client.attack) == (_S.FAILED, Attack.ROLLBACK)


def test_without_its_trusted_metadata_an_ecu_accepts_no_campaign() -> None:
    """The factory's would let old metadata in again."""
    one = bench()
    one.until(_S.COMMITTED)
    one.campaign.act(one.client, one.ecu.flash, one.now_ns)
    one.work(_S.IDLE)
    records = one.client.layout.records.on(one.ecu.flash)
    for sector in range(2, records.sectors):
        records.erase(sector * records.sector_size, records.sector_size)
    one.boot()
    client = one.announce(one.built.metadata)
    assert (client.state, client.cause) == (_S.FAILED, "flash: trusted metadata unreadable")


def test_each_report_has_its_own_counter_also_after_a_loss_of_power() -> None:
    one = bench()
    counters = []
    for _ in range(3):
        for _ in range(2):
            report = one.client.version_report(one.now_ns)
            assert report is not None
            counters.append(report.counter)
        one.boot()
    assert counters == sorted(set(counters))


def test_a_step_costs_at_most_one_flash_operation_beside_record_and_log() -> None:
    one = bench()
    client = one.until(_S.READY)
    client.install(one.now_ns)
    slot = one.ecu.plan.layout.secondary.on(one.ecu.flash)
    while client.state is _S.INSTALLING:
        before, busy_ns = slot.read(0, slot.size), client.busy_until_ns
        wear = [one.ecu.flash.wear(i) for i in range(one.ecu.flash.geometry.sectors)]
        client.step(busy_ns)
        after = slot.read(0, slot.size)
        size = slot.sector_size
        touched = [
            i for i in range(slot.sectors) if before[i * size :][:size] != after[i * size :][:size]
        ]
        worn = [
            i
            for i, n in enumerate(wear)
            if one.ecu.flash.wear(i) > n and slot.start <= i * size < slot.start + slot.size
        ]
        assert len({*touched, *(i - slot.start // size for i in worn)}) <= 1
    assert client.state is _S.STAGED


def test_a_step_before_its_time_does_nothing() -> None:
    one = bench()
    client = one.until(_S.READY)
    client.install(one.now_ns)
    operations = one.ecu.flash.operations
    assert client.next_deadline_ns() == client.busy_until_ns > one.now_ns
    client.step(client.busy_until_ns - 1)
    assert one.ecu.flash.operations == operations
    client.step(client.busy_until_ns)
    assert one.ecu.flash.operations > operations


@pytest.mark.parametrize("state", [_S.IDLE, _S.DOWNLOADING, _S.INSTALLING, _S.STAGED, _S.TRIAL])
def test_copies_and_pickles_go_on_by_themselves(state: UpdateState) -> None:
    one = bench()
    if state is _S.INSTALLING:
        one.until(_S.READY).install(one.now_ns)
        one.now_ns = one.ecu.work(one.now_ns)
    elif state is not _S.IDLE:
        one.until(state)
    twins = [copy.deepcopy(one), pickle.loads(pickle.dumps(one))]
    operations = one.ecu.flash.operations
    ends = {(twin.until(_S.COMMITTED).record, twin.now_ns) for twin in twins}
    assert one.ecu.flash.operations == operations, "the original stayed where it was"
    ends.add((one.until(_S.COMMITTED).record, one.now_ns))
    assert len(ends) == 1


# ---- download ----


def downloading(**options: Any) -> Bench:
    one = bench(**options)
    one.until(_S.DOWNLOADING)
    return one


def test_a_repeated_block_is_accepted_and_a_gap_is_not() -> None:
    one = downloading()
    client, image = one.client, one.campaign.image
    assert client.begin_download(len(image), one.now_ns) == Accepted(0)
    assert client.write(0, image[:300], one.now_ns) == Accepted(300)
    operations = one.ecu.flash.operations
    assert client.write(0, image[:300], one.now_ns) == Accepted(300, repeated=True)
    assert client.write(100, image[100:300], one.now_ns) == Accepted(300, repeated=True)
    assert one.ecu.flash.operations == operations
    assert refused(client.write(0, b"x" * 300, one.now_ns)).nrc is Nrc.REQUEST_SEQUENCE_ERROR
    gap = refused(client.write(400, image[400:500], one.now_ns))
    assert gap.reason == "block at 400, expected at 300"
    assert refused(client.end_download(one.now_ns)).reason == f"300 of {len(image)} bytes"
    assert client.progress == (300, len(image))
    assert client.state is _S.DOWNLOADING


def test_a_download_goes_on_at_the_last_boundary_after_a_loss_of_power() -> None:
    one = downloading()
    image = one.campaign.image
    one.client.begin_download(len(image), one.now_ns)
    for start in range(0, 1400, 200):
        one.client.write(start, image[start : start + 200], one.now_ns)
    assert one.boot().state is _S.DOWNLOADING
    assert one.client.begin_download(len(image), one.now_ns) == Accepted(1024)
    assert one.until(_S.COMMITTED).cause == ""


def test_a_download_that_changed_behind_the_back_begins_anew() -> None:
    one = downloading()
    image = one.campaign.image
    one.client.begin_download(len(image), one.now_ns)
    one.client.write(0, image[:1100], one.now_ns)
    area = one.client.layout.download.on(one.ecu.flash)
    area.erase(0, area.sector_size)
    one.boot()
    assert one.client.begin_download(len(image), one.now_ns) == Accepted(0)


@pytest.mark.parametrize("size", [1, 7, 8, 9, 1023, 1024, 1025, 4000])
def test_blocks_of_any_size_arrive_whole(size: int) -> None:
    one = downloading()
    one.campaign.block_size = size
    for _ in range(2000):
        if one.client.state is not _S.DOWNLOADING:
            break
        one.campaign.act(one.client, one.ecu.flash, one.now_ns)
    area = one.client.layout.download.on(one.ecu.flash)
    assert area.read(0, len(one.campaign.image)) == one.campaign.image


def test_endless_data_are_refused_by_name_when_announced_and_when_they_come() -> None:
    one = downloading()
    size = len(one.campaign.image)
    other = copy.deepcopy(one)
    assert (
        refused(one.client.begin_download(size + 1, one.now_ns)).nrc is Nrc.TRANSFER_DATA_SUSPENDED
    )
    other.client.begin_download(size, other.now_ns)
    other.client.write(0, one.campaign.image + b"more", other.now_ns)
    for each in (one, other):
        assert each.client.state is _S.FAILED
        assert each.client.cause == "endless data: too long"
        assert each.client.attack is Attack.ENDLESS_DATA


def test_an_image_announced_too_short_is_refused_by_name() -> None:
    one = downloading()
    answer = refused(one.client.begin_download(100, one.now_ns))
    assert answer.nrc is Nrc.TRANSFER_DATA_SUSPENDED
    assert one.client.cause == "drop request: image too short"


def let_time_pass(one: Bench, seconds: int, feed: int = 0) -> None:
    """Second by second; `feed` bytes come in each."""
    for _ in range(seconds):
        one.now_ns += NS_PER_S
        one.client.step(one.now_ns)
        if feed and one.client.state is _S.DOWNLOADING:
            done = one.client.progress[0]
            one.client.write(done, one.campaign.image[done : done + feed], one.now_ns)


@pytest.mark.parametrize(
    ("feed", "cause"),
    [
        (0, "denial of service: no answer"),
        (9, "slow retrieval: too slow"),
    ],
)
def test_a_slow_transfer_is_given_up_by_name(feed: int, cause: str) -> None:
    one = watched()
    one.client.begin_download(len(one.campaign.image), one.now_ns)
    let_time_pass(one, 9, feed)
    assert one.client.state is _S.DOWNLOADING
    let_time_pass(one, 3, feed)
    assert (one.client.state, one.client.cause) == (_S.FAILED, cause)
    assert refused(one.client.write(0, b"x", one.now_ns)).nrc is Nrc.REQUEST_SEQUENCE_ERROR


def watched() -> Bench:
    """At least 100 bytes are wanted in ten seconds."""
    of = built(Example())
    plan = of.plans["EMB_FL"]
    client = replace(plan.client, transfer=TransferLimits(window_size=100))
    one = Bench(
        of, UpdateEcu(replace(plan, client=client)), Campaign(of.metadata, of.images["EMB_FL"])
    )
    one.boot()
    one.until(_S.DOWNLOADING)
    return one


def test_a_slow_but_steady_transfer_is_left_alone() -> None:
    one = watched()
    one.client.begin_download(len(one.campaign.image), one.now_ns)
    let_time_pass(one, 100, 12)
    assert one.client.progress[0] == 1200


def test_a_transfer_that_stalls_is_given_up_by_name() -> None:
    one = watched()
    one.client.begin_download(len(one.campaign.image), one.now_ns)
    one.client.write(0, one.campaign.image[:1200], one.now_ns)
    let_time_pass(one, 22)
    assert one.client.cause == "drop request: stalled"


def test_a_transfer_that_never_begins_is_given_up() -> None:
    one = downloading()
    let_time_pass(one, 1)
    one.now_ns += one.client.settings.begin_ns
    one.client.step(one.now_ns)
    assert one.client.cause == "denial of service: no answer"


# ---- verification ----


OF_ANOTHER_VEHICLE = {"rollback_release_counter", "arbitrary_software_for_other_hardware"}
"""They need a longer history, or more hardware, than the vehicle here has."""
METADATA = [
    case
    for case in CATALOGUE
    if case.stage is Stage.METADATA and case.full and case.name not in OF_ANOTHER_VEHICLE
]
IMAGE = [case for case in CATALOGUE if case.stage is Stage.IMAGE]


@pytest.mark.parametrize("case", METADATA, ids=[case.name for case in METADATA])
def test_metadata_of_an_attack_are_refused_and_the_report_names_it(case: AttackCase) -> None:
    """On the primary, which verifies in full."""
    of = built(Example(ecus=("EMB_FL", "EMB_FR", "CDC"), in_bundle=True))
    repository = copy.deepcopy(of.repository)
    repository.start_attack(case.name)
    metadata = repository.metadata_for(VIN)
    now_ns = START_NS + case.after_days * 86_400 * NS_PER_S
    ecu = UpdateEcu(of.plans["CDC"])
    one = Bench(of, ecu, Campaign(metadata, b""), now_ns)
    client = one.boot()
    region = client.layout.metadata.on(ecu.flash)
    write_metadata(metadata[: region.size], ecu.flash, client.layout)
    client.announce(one.now_ns, size=len(metadata))
    client.step(client.busy_until_ns)
    assert client.state is _S.FAILED, client.state
    assert client.attack is case.attack, client.cause
    report = client.version_report(one.now_ns)
    assert report is not None and report.attack is case.attack
    assert case.attack.title in report.attack_text
    assert str(report.version) == "1.0.0"


@pytest.mark.parametrize("case", IMAGE, ids=[case.name for case in IMAGE])
def test_an_image_of_an_attack_is_refused_and_named(case: AttackCase) -> None:
    one = downloading()
    repository = copy.deepcopy(one.built.repository)
    repository.start_attack(case.name)
    image = repository.image_bytes(filename_of("EMB_FL"))
    client = one.client
    client.begin_download(len(image), one.now_ns)
    client.write(0, image, one.now_ns)
    client.end_download(one.now_ns)
    for _ in range(10):
        one.now_ns = one.ecu.work(one.now_ns)
    assert client.state is _S.FAILED
    assert client.attack is case.attack, client.cause


def test_an_image_signed_by_a_stranger_is_never_ready() -> None:
    one = bench(strangers=("EMB_FL",))
    client = one.until(_S.FAILED, _S.READY)
    assert client.state is _S.FAILED
    assert client.cause == "arbitrary software: key unknown"
    assert "FAILED: IMAGE_REFUSED; version 2.0.0; arbitrary software" in one.audit()[-1]


def test_an_attack_stays_in_the_report_until_other_software_is_committed() -> None:
    one = bench()
    one.announce(b"garbage")
    assert one.client.attack is Attack.ARBITRARY_SOFTWARE
    one.client.acknowledge(one.now_ns)
    one.work(_S.IDLE)
    one.boot()
    assert one.client.attack is Attack.ARBITRARY_SOFTWARE
    assert one.until(_S.COMMITTED).attack is None


# ---- consent, cancelling, suspending ----


def test_a_declined_or_unanswered_question_ends_the_campaign_and_leaves_nothing() -> None:
    for answered in (True, False):
        one = bench()
        client = one.until(_S.PENDING_CONSENT)
        if answered:
            assert client.consent(False, one.now_ns) == Accepted()
        else:
            one.now_ns += client.settings.consent_ns
            client.step(one.now_ns)
        assert client.state is _S.IDLE
        assert client.record.campaign == bytes(16) and client.record.candidate_blob == 0
        assert client.consent(False, one.now_ns) == Accepted(repeated=True)


@pytest.mark.parametrize("state", [_S.DOWNLOADING, _S.READY, _S.STAGED])
def test_a_cancelled_campaign_is_cleaned_away_and_can_be_tried_again(state: UpdateState) -> None:
    one = bench()
    client = one.until(state)
    if state is _S.STAGED:
        one.now_ns = client.busy_until_ns
    assert client.cancel(one.now_ns) == Accepted()
    one.work(_S.IDLE)
    download = client.layout.download.on(one.ecu.flash)
    candidate = client.layout.candidate.on(one.ecu.flash)
    assert download.is_erased(0, 32) and candidate.is_erased(0, 32)
    assert one.until(_S.COMMITTED).cause == ""


@pytest.mark.parametrize("state", [_S.DOWNLOADING, _S.READY])
def test_a_lost_background_guard_suspends_until_it_is_back(state: UpdateState) -> None:
    one = bench()
    client = one.until(state)
    if state is _S.DOWNLOADING:
        client.begin_download(len(one.campaign.image), one.now_ns)
        client.write(0, one.campaign.image[:100], one.now_ns)
    one.ecu.surroundings.seen = fit_conditions(supply_v=9.0)
    one.now_ns += client.settings.poll_ns
    client.step(one.now_ns)
    assert (client.state, client.cause) == (_S.SUSPENDED, "guard: supply_low")
    assert refused(client.write(100, b"x", one.now_ns)).nrc is (Nrc.TRANSFER_DATA_SUSPENDED)
    assert refused(client.resume(one.now_ns)).row == "supply_low"
    let_time_pass(one, 100)
    assert client.state is _S.SUSPENDED, "what waits is not watched"
    one.ecu.surroundings.seen = fit_conditions()
    let_time_pass(one, 1)
    assert (client.state, client.cause) == (state, "")
    assert one.until(_S.COMMITTED).cause == ""


def test_what_was_suspended_on_command_waits_for_the_command_also_after_a_restart() -> None:
    one = downloading()
    assert one.client.suspend(one.now_ns) == Accepted()
    assert one.client.suspend(one.now_ns) == Accepted(repeated=True)
    client = one.boot()
    let_time_pass(one, 5)
    assert client.state is _S.SUSPENDED
    assert client.resume(one.now_ns) == Accepted()
    assert client.resume(one.now_ns) == Accepted(repeated=True)
    assert one.until(_S.COMMITTED).cause == ""


# ---- installation ----


def test_a_sector_that_reads_back_wrong_is_tried_again_and_then_given_up() -> None:
    for failures, ends in ((2, _S.STAGED), (3, _S.FAILED)):
        one = bench()
        client = one.until(_S.READY)
        client.install(one.now_ns)
        slot = client.layout.candidate.on(one.ecu.flash)
        left = failures
        while client.state is _S.INSTALLING:
            blank = slot.is_erased(0, 8)
            client.step(client.busy_until_ns)
            if left and blank and not slot.is_erased(0, 8):
                sector = slot.start // slot.sector_size
                content = bytearray(one.ecu.flash._contents[sector])
                content[5] ^= 0x10
                one.ecu.flash._contents[sector] = bytes(content)
                left -= 1
        assert client.state is ends
        assert client.cause == ("" if ends is _S.STAGED else "flash: read back wrong")


def test_an_installed_image_that_rots_is_found_after_a_restart() -> None:
    one = bench()
    one.until(_S.STAGED)
    slot = one.client.layout.candidate.on(one.ecu.flash)
    slot.erase(0, slot.sector_size)
    client = one.boot()
    assert refused(client.activate(one.now_ns)).nrc is Nrc.BUSY_REPEAT_REQUEST
    client.step(client.busy_until_ns)
    assert (client.state, client.cause) == (_S.FAILED, "installed image is not the verified one")


def test_an_installation_goes_on_at_its_last_sector_after_a_loss_of_power() -> None:
    one = bench()
    client = one.until(_S.READY)
    client.install(one.now_ns)
    while client.record.offset < 3 * 1024:
        client.step(client.busy_until_ns)
    client = one.boot()
    assert client.state is _S.INSTALLING
    before = one.ecu.flash.operations
    one.work(_S.STAGED)
    whole = client.layout.secondary.on(one.ecu.flash).sectors
    assert one.ecu.flash.operations - before < 4 * whole


# ---- trial, commit, rollback ----


def on_trial(**options: Any) -> Bench:
    one = bench(**options)
    one.until(_S.TRIAL)
    return one


def test_a_trial_needs_the_self_test_and_enough_cycles() -> None:
    one = on_trial()
    client = one.client
    client.report_self_test(True, one.now_ns)
    assert client.state is _S.TRIAL
    client.alive_cycle(one.now_ns)
    assert client.state is _S.TRIAL
    client.alive_cycle(one.now_ns)
    assert client.state is _S.COMMITTING
    other = on_trial()
    for _ in range(10):
        other.client.alive_cycle(other.now_ns)
    assert other.client.state is _S.TRIAL


@pytest.mark.parametrize(
    ("what", "cause"),
    [
        ("fails", "self-test: failed"),
        ("expires", "self-test: not passed in time"),
        ("commanded", "rollback commanded"),
    ],
)
def test_a_trial_that_does_not_pass_ends_with_the_old_image_and_a_blocked_campaign(
    what: str, cause: str
) -> None:
    one = on_trial()
    client = one.client
    if what == "fails":
        client.report_self_test(False, one.now_ns, "sensor 3")
        assert client.detail == "sensor 3"
    elif what == "expires":
        one.now_ns += client.settings.trial_ns
        client.step(one.now_ns)
    else:
        client.rollback(one.now_ns)
    client = one.work(_S.ROLLED_BACK)
    assert one.ecu.version == "1.0.0" and one.ecu.security_counter == 1
    assert client.cause == cause and client.record.metadata_versions == (0,) * 8
    client.acknowledge(one.now_ns)
    one.work(_S.IDLE)
    client = one.announce(one.built.metadata)
    assert (client.state, client.cause) == (
        _S.FAILED,
        "campaign is blocked: it failed before",
    )


@pytest.mark.parametrize("behaviour", [Behaviour.HANGS, Behaviour.HANGS_AT_START])
@pytest.mark.parametrize("tries", [1, 2, 3])
def test_an_image_that_hangs_is_started_as_often_as_it_has_tries(
    behaviour: Behaviour, tries: int
) -> None:
    one = bench(Example(behaviours=(("EMB_FL", behaviour),), tries=tries))
    client = one.until(_S.ROLLED_BACK)
    assert one.ecu.resets.count(ResetCause.WATCHDOG) == tries
    assert client.cause == "trial: not confirmed in its tries"


def test_what_is_confirmed_is_not_taken_back() -> None:
    one = on_trial()
    client = one.until(_S.COMMITTED)
    for answer in (client.rollback(one.now_ns), client.cancel(one.now_ns)):
        assert refused(answer).nrc is Nrc.REQUEST_SEQUENCE_ERROR
    assert one.boot().state is _S.COMMITTED


def test_a_commit_without_a_bundle_is_out_of_sequence() -> None:
    one = on_trial()
    answer = refused(one.client.commit(None, one.now_ns))
    assert answer == Refused(Nrc.REQUEST_SEQUENCE_ERROR, "no bundle is under way")


# ---- loss of power, state by state ----


AFTER_POWER_LOSS = {
    _S.IDLE: _S.IDLE,
    _S.CHECKING: _S.IDLE,
    _S.PENDING_CONSENT: _S.PENDING_CONSENT,
    _S.DOWNLOADING: _S.DOWNLOADING,
    _S.VERIFYING: _S.VERIFYING,
    _S.READY: _S.READY,
    _S.INSTALLING: _S.INSTALLING,
    _S.STAGED: _S.STAGED,
    _S.ACTIVATING: _S.STAGED,
    _S.BOOT_SWAP: _S.TRIAL,
    _S.TRIAL: _S.TRIAL,
    _S.COMMITTING: _S.COMMITTING,
    _S.COMMITTED: _S.COMMITTED,
    _S.CLEANING: _S.CLEANING,
}


@pytest.mark.parametrize(("state", "expected"), AFTER_POWER_LOSS.items())
def test_the_reaction_to_a_loss_of_power_is_that_of_the_state(
    state: UpdateState, expected: UpdateState
) -> None:
    one = bench()
    for _ in range(400):
        client = one.ecu.client
        assert client is not None
        if client.state is state:
            break
        if not one.campaign.act(client, one.ecu.flash, one.now_ns):
            one.now_ns = one.ecu.work(one.now_ns)
    assert one.client.state is state
    assert one.boot().state is expected
    if state is not _S.CLEANING:
        one.until(_S.COMMITTED)
    one.until(_S.IDLE)
    assert one.ecu.version == str(NEW)


@pytest.mark.parametrize("state", [_S.ROLLING_BACK, _S.ROLLED_BACK, _S.FAILED])
def test_an_end_without_success_survives_a_loss_of_power(state: UpdateState) -> None:
    behaviour = (("EMB_FL", Behaviour.SELF_TEST_FAILS),)
    strangers = ("EMB_FL",) if state is _S.FAILED else ()
    one = bench(Example(behaviours=behaviour, strangers=strangers))
    client = one.until(state)
    cause = client.cause
    client = one.boot()
    assert (client.state, client.cause) == (state, cause)


@pytest.mark.parametrize("plot", UpdatePlot)
def test_a_cut_at_operations_all_over_the_update_ends_old_or_new(plot: UpdatePlot) -> None:
    """A part of the operations; all of them by `make power-cut`."""
    story = SingleUpdateStory(plot=plot)
    fresh = story.device()
    operations = count_operations(story).operations
    for case in single_cuts(operations, SweepPlan(torn_seeds=1, stride=17)):
        result = run_device(copy.deepcopy(fresh), case)
        assert not result.is_bad, (str(case[0]), result.verdict)
        assert result.reached == 1


def test_the_sweep_sees_a_client_that_confirms_too_early() -> None:
    class Early(UpdateClient):
        def _commit(self, now_ns: int) -> None:
            self._go(UpdateEvent.CONFIRMED, now_ns, installed=False)

    device = SingleUpdateDevice(SingleUpdateStory(), Early)
    assert run_device(device, ()).is_bad


def test_audit_entries_are_written_exactly_once_whatever_is_cut() -> None:
    story = SingleUpdateStory()
    operations = count_operations(story).operations
    fresh = story.device()
    for case in single_cuts(operations, SweepPlan(torn_seeds=0, stride=9)):
        if case[0].kind is CutKind.AFTER:
            device = copy.deepcopy(fresh)
            run_device(device, case)
            plan = device.ecu.plan
            region = plan.layout.audit.on(device.ecu.flash)
            log = AuditLog(region, ecu="EMB_FL", key=plan.audit_key)
            texts = [entry.text for entry in log.entries() if entry.kind == "update"]
            lasting = [text for text in texts if "IDLE -> CHECKING" not in text]
            lasting = [text for text in lasting if "BOOT_SWAP" not in text]
            moves = [text for text in lasting if not text.startswith("ACTIVATING -> STAGED")]
            assert len(moves) == len(set(moves)) or "STAGED -> ACTIVATING" in str(moves)


# ---- the caller's mistakes ----


def test_events_that_do_not_come_from_outside_are_refused() -> None:
    client = bench().client
    with pytest.raises(UsageError, match=r"a command; this comes by start\(\), got OLD_IMAGE_ST"):
        client.handle(UpdateEvent.OLD_IMAGE_STARTED, START_NS)
    with pytest.raises(UsageError, match=r"this comes by step\(\) or a call of its own, got INST"):
        client.handle(UpdateEvent.INSTALLED, START_NS)


def test_commands_come_as_events_too() -> None:
    one = bench()
    for event, state in (
        (UpdateEvent.ANNOUNCED, _S.PENDING_CONSENT),
        (UpdateEvent.CONSENT_GIVEN, _S.DOWNLOADING),
        (UpdateEvent.PAUSED, _S.SUSPENDED),
        (UpdateEvent.DOWNLOAD_RESUMED, _S.DOWNLOADING),
        (UpdateEvent.CANCELLED, _S.IDLE),
    ):
        if event is UpdateEvent.ANNOUNCED:
            write_metadata(one.built.metadata, one.ecu.flash, one.client.layout)
        assert isinstance(one.client.handle(event, one.now_ns), Accepted)
        one.work(state)


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (UpdateClient.install, "installation commanded is not possible in IDLE"),
        (UpdateClient.activate, "activation commanded is not possible in IDLE"),
        (UpdateClient.end_download, "end of download is not possible in IDLE"),
        (UpdateClient.resume, "resume is not possible in IDLE"),
        (UpdateClient.rollback, "rollback commanded is not possible in IDLE"),
    ],
)
def test_commands_out_of_sequence_say_so(command: Any, text: str) -> None:
    assert command(bench().client, START_NS) == Refused(Nrc.REQUEST_SEQUENCE_ERROR, text)


def test_settings_are_checked() -> None:
    plan = built(Example()).plans["EMB_FL"].client
    with pytest.raises(
        UsageError, match="ClientSettings, sector_tries: expected at least 1, got 0"
    ):
        ClientSettings(ecu_id="A", hardware_id="B", keys=(), trusted=plan.trusted, sector_tries=0)
