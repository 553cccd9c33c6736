"""The attack catalogue: every attack is refused by the check that the catalogue names, or it is
said why not."""

from __future__ import annotations

from copy import deepcopy

import pytest

from simcore.errors import UsageError
from simcore.units import NS_PER_S
from simcore.update.attacks import CATALOGUE, AttackCase, Stage, attack_case
from simcore.update.metadata import Assignment
from simcore.update.metadata_keys import derive_key, public_key
from simcore.update.metadata_time import DAY_S
from simcore.update.repository_reference import (
    HARDWARE,
    PRIMARY,
    UPDATE_NS,
    VIN,
    Reference,
    reference_repository,
)
from simcore.update.verification import check_image_bytes
from simcore.update.verification_transfer import TransferLimits, TransferWatch
from simcore.update.verification_verdict import ATTACK_OF, Attack, Check, Verdict
from simcore.update.version_report import (
    VersionReport,
    check_bundle_installation,
    verify_report,
)

SECONDARY = "EMB_FR"


def cases(*stages: Stage) -> list[object]:
    return [pytest.param(c, id=c.name) for c in CATALOGUE if c.stage in stages]


@pytest.fixture(scope="module")
def prepared() -> Reference:
    return reference_repository()


@pytest.fixture
def reference(prepared: Reference) -> Reference:
    return deepcopy(prepared)


def asked_ns(case: AttackCase) -> int:
    return UPDATE_NS + case.after_days * DAY_S * NS_PER_S


def full_verdict(reference: Reference, now_ns: int = UPDATE_NS) -> Verdict:
    metadata = reference.repository.metadata_for(VIN, now_ns)
    return reference.full.verify(metadata, now_ns, reference.trusted, reference.installed)


def partial_verdict(reference: Reference, now_ns: int = UPDATE_NS) -> Verdict:
    metadata = reference.repository.metadata_for(VIN, now_ns)
    trusted = reference.trusted_by(SECONDARY)
    own = {SECONDARY: reference.installed[SECONDARY]}
    return reference.partial(SECONDARY).verify(metadata, now_ns, trusted, own)


def the_order(reference: Reference, ecu_id: str = PRIMARY) -> Assignment:
    (found,) = [e for e in full_verdict(reference).assignments if e.ecu_id == ecu_id]
    return found


# ---- without an attack ----


def test_without_an_attack_both_verifiers_accept_the_update(reference: Reference) -> None:
    full, partial = full_verdict(reference), partial_verdict(reference)
    assert full.accepted and full.is_new, full
    assert partial.accepted and partial.is_new, partial
    assert {e.ecu_id: e.hardware_id for e in full.assignments} == HARDWARE
    assert full.target is not None and full.target.filename == "cdc-2.0.0.img"
    assert partial.target is not None and partial.target.filename == "emb-2.0.0.img"


def test_after_an_attack_the_same_vehicle_accepts_the_update(reference: Reference) -> None:
    reference.repository.start_attack("arbitrary_software_own_keys")
    refusal = full_verdict(reference)
    assert refusal.attack is Attack.ARBITRARY_SOFTWARE
    assert refusal.trusted is reference.trusted
    reference.repository.stop_attack()
    assert full_verdict(reference).accepted


# ---- on metadata ----


@pytest.mark.parametrize("case", cases(Stage.METADATA))
def test_full_verification_refuses(case: AttackCase, reference: Reference) -> None:
    reference.repository.start_attack(case.name)
    verdict = full_verdict(reference, asked_ns(case))
    assert verdict.check is case.full, verdict
    assert verdict.attack is case.attack
    assert str(verdict).startswith(f"refused: {case.attack.title}: ")
    assert verdict.assignments == () and verdict.mine is None
    assert verdict.trusted is reference.trusted


@pytest.mark.parametrize("case", cases(Stage.METADATA))
def test_partial_verification_refuses_or_is_said_to_be_blind(
    case: AttackCase, reference: Reference
) -> None:
    reference.repository.start_attack(case.name)
    verdict = partial_verdict(reference, asked_ns(case))
    assert verdict.check is case.partial, verdict
    assert verdict.accepted is bool(case.blind)


# ---- on the way ----


@pytest.mark.parametrize("case", cases(Stage.TRANSFER))
def test_the_watch_over_a_transfer_refuses(case: AttackCase) -> None:
    assert case.pace is not None
    limits = TransferLimits()
    watch = TransferWatch("emb-2.0.0.img", 500_000, 0, limits)
    sent, verdict = 0, None
    while verdict is None:
        deadline_ns = watch.next_deadline_ns()
        assert deadline_ns is not None, "the transfer was let through"
        for _ in range(limits.window_ns // NS_PER_S):
            room = 500_000 - sent
            if case.pace.stops_after is not None:
                room = min(room, case.pace.stops_after - sent)
            part = min(case.pace.size_per_s, room)
            if part:
                sent += part
                assert watch.received(part, deadline_ns - 1) is None
        verdict = watch.on_timer(deadline_ns)
    assert verdict.check is case.full
    assert verdict.attack is case.attack


# ---- on images ----


@pytest.mark.parametrize("case", cases(Stage.IMAGE))
def test_the_check_of_an_image_refuses(case: AttackCase, reference: Reference) -> None:
    order = the_order(reference)
    reference.repository.start_attack(case.name)
    image = reference.repository.image_bytes(order.target.filename)
    verdict = check_image_bytes(order, image)
    assert verdict.check is case.full, verdict
    assert verdict.attack is case.attack


def test_the_check_of_an_image_accepts_what_was_released(reference: Reference) -> None:
    order = the_order(reference)
    image = reference.repository.image_bytes(order.target.filename)
    verdict = check_image_bytes(order, image)
    assert verdict.accepted and verdict.mine == order


# ---- on the vehicle as a whole ----


def report_of(reference: Reference, ecu_id: str, version: str) -> VersionReport:
    name = f"{'cdc' if ecu_id == PRIMARY else 'emb'}-{version}.img"
    target = reference.repository.releases[name]
    return VersionReport(
        ecu_id=ecu_id,
        hardware_id=HARDWARE[ecu_id],
        filename=name,
        length=target.length,
        sha256=target.sha256,
        version=target.version,
        release_counter=target.release_counter,
        security_counter=target.security_counter,
        attack=None,
        time_s=0,
        counter=1,
    )


@pytest.mark.parametrize("case", cases(Stage.INSTALLATION))
@pytest.mark.parametrize("left_out", HARDWARE)
def test_the_reports_show_a_bundle_in_parts(
    case: AttackCase, left_out: str, reference: Reference
) -> None:
    orders = full_verdict(reference).assignments
    versions = dict.fromkeys(HARDWARE, "2.0.0")
    for expected in (None, case.full):
        reports = {ecu: report_of(reference, ecu, v) for ecu, v in versions.items()}
        verdict = check_bundle_installation(orders, reports)
        assert verdict.check is expected
        versions[left_out] = "1.1.0"
    assert verdict.attack is case.attack
    assert verdict.finding is not None
    assert f"{left_out} do not" in verdict.finding.text
    del reports[left_out]  # an ECU that no longer answers is no member with new software
    assert check_bundle_installation(orders, reports).check is case.full


def test_no_member_installed_is_no_bundle_in_parts(reference: Reference) -> None:
    reports = {ecu: report_of(reference, ecu, "1.1.0") for ecu in HARDWARE}
    assert check_bundle_installation(full_verdict(reference).assignments, reports).accepted


@pytest.mark.parametrize("case", cases(Stage.NOTHING))
def test_nothing_refuses_what_only_listens(case: AttackCase, reference: Reference) -> None:
    untouched = reference.repository.metadata_for(VIN, UPDATE_NS)
    reference.repository.start_attack(case.name)
    assert reference.repository.metadata_for(VIN, UPDATE_NS) == untouched
    assert full_verdict(reference).accepted


# ---- the version report names it ----


@pytest.mark.parametrize("case", [pytest.param(c, id=c.name) for c in CATALOGUE])
def test_the_version_report_names_the_attack(case: AttackCase, reference: Reference) -> None:
    key = derive_key(1, "report", PRIMARY)
    report = report_of(reference, PRIMARY, "1.1.0")
    fields = {name: getattr(report, name) for name in VersionReport.__slots__}
    sent = VersionReport(**fields | {"attack": case.attack, "attack_text": case.text})
    verdict = verify_report(sent.to_bytes(key), public_key(key), ecu_id=PRIMARY)
    assert verdict.report is not None and verdict.report.attack is case.attack
    assert verdict.report.attack_text == case.text


# ---- the catalogue itself ----


def test_the_catalogue_has_every_attack_of_the_list() -> None:
    assert {case.attack for case in CATALOGUE} == set(Attack)
    assert len({case.name for case in CATALOGUE}) == len(CATALOGUE)


@pytest.mark.parametrize("case", [pytest.param(c, id=c.name) for c in CATALOGUE])
def test_a_case_is_named_after_its_attack_and_honest_about_blindness(case: AttackCase) -> None:
    assert case.name.startswith(case.attack.name.lower().removesuffix("_installation"))
    assert (case.partial is None) is bool(case.blind)
    if case.stage is not Stage.NOTHING:
        assert case.full is not None and ATTACK_OF[case.full] is case.attack


def test_every_check_names_an_attack() -> None:
    assert set(ATTACK_OF) == set(Check)


def test_an_unknown_attack_is_refused() -> None:
    with pytest.raises(UsageError, match=r"attack: expected one of eavesdrop, .*, got 'magic'"):
        attack_case("magic")


@pytest.mark.parametrize("name", ["rollback_all_metadata", "freeze_for_days"])
def test_an_attack_with_old_metadata_needs_some(name: str) -> None:
    from simcore.update.repository import Repository

    repository = Repository(1)
    repository.add_vehicle(VIN, HARDWARE)
    repository.publish(0)
    repository.start_attack(name)
    with pytest.raises(UsageError, match="expected three publications, got 1"):
        repository.metadata_for(VIN)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("partial_bundle_ordered", "expected a bundle of several ECUs"),
        ("mix_and_match_incompatible_versions", "expected an image with requirements"),
        ("rollback_role_disappears", "expected a delegation, got none"),
        ("arbitrary_software_outside_delegation", "expected a delegation, got none"),
        ("rollback_release_counter", "expected a release older than only.img"),
    ],
)
def test_an_attack_says_what_it_lacks(name: str, expected: str) -> None:
    from simcore.update.repository import Repository

    repository = Repository(1)
    repository.add_vehicle(VIN, HARDWARE)
    repository.release("only.img", b"image", version="1.0.0", hardware_ids=("CDC-HW",))
    repository.order(VIN, {PRIMARY: "only.img"})
    repository.publish(0)
    repository.start_attack(name)
    with pytest.raises(UsageError, match=expected):
        repository.metadata_for(VIN)
