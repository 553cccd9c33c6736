"""Full and partial verification: order, time, roots, what is trusted, and anything at all.

The attacks are in test_attacks.py, the comparison with python-tuf in
test_verification_differential.py.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simcore.errors import InputError
from simcore.units import NS_PER_S
from simcore.update.compatibility import Requirement
from simcore.update.image_format import ImageVersion
from simcore.update.metadata import MetadataLimits, pack_files, unpack_files
from simcore.update.metadata_keys import canonical_json, public_key
from simcore.update.metadata_time import DAY_S, seconds_at
from simcore.update.repository import Repository
from simcore.update.repository_reference import (
    ACCEPTED_NS,
    HARDWARE,
    HOUR_NS,
    PRIMARY,
    UPDATE_NS,
    VIN,
    Reference,
    installed_software,
    reference_repository,
)
from simcore.update.repository_roles import attested_time, signed_file
from simcore.update.trusted import TrustedMetadata, TrustedRoles
from simcore.update.verification import (
    FullVerification,
    PartialVerification,
    check_image,
    check_length,
)
from simcore.update.verification_verdict import Attack, Check, Verdict

DAY_NS = DAY_S * NS_PER_S
SECONDARY = "EMB_RL"
Files = dict[str, bytes]


@pytest.fixture(scope="module")
def prepared() -> Reference:
    return reference_repository()


@pytest.fixture
def reference(prepared: Reference) -> Reference:
    return deepcopy(prepared)


def full(
    reference: Reference,
    now_ns: int = UPDATE_NS,
    *,
    trusted: TrustedMetadata | None = None,
    change: Callable[[Files], None] | None = None,
    installed: Mapping[str, Any] | None = None,
) -> Verdict:
    files = unpack_files(reference.repository.metadata_for(VIN, now_ns))
    if change is not None:
        change(files)
    return reference.full.verify(
        pack_files(files),
        now_ns,
        trusted or reference.trusted,
        reference.installed if installed is None else installed,
    )


def partial(
    reference: Reference, now_ns: int = UPDATE_NS, *, trusted: TrustedMetadata | None = None
) -> Verdict:
    metadata = reference.repository.metadata_for(VIN, now_ns)
    known = trusted or reference.trusted_by(SECONDARY)
    return reference.partial(SECONDARY).verify(metadata, now_ns, known)


def accepted(verdict: Verdict) -> TrustedMetadata:
    assert verdict.accepted and verdict.trusted is not None, verdict
    return verdict.trusted


# ---- the order of the steps ----

STEPS_IN_ORDER = [
    *("time", "director/root/2", "director/timestamp", "director/snapshot", "director/targets"),
    *("image/root/2", "image/timestamp", "image/snapshot", "image/targets"),
    "image/delegated/brakes",
]


def test_the_files_are_looked_at_in_the_order_of_the_standard(reference: Reference) -> None:
    """All are spoilt; repaired one by one, each time the next one is complained of."""
    repository = reference.repository
    repository.image.rotate("timestamp", UPDATE_NS)
    repository.vehicles[VIN].director.rotate("timestamp", UPDATE_NS)
    repository.publish(UPDATE_NS)
    good = unpack_files(repository.metadata_for(VIN, UPDATE_NS))
    complaints = []
    for repaired in range(len(STEPS_IN_ORDER) + 1):
        files = dict(good)
        for name in STEPS_IN_ORDER[repaired:]:
            files[name] = b"spoilt"
        verdict = reference.full.verify(
            pack_files(files), UPDATE_NS, reference.trusted, reference.installed
        )
        complaints.append(None if verdict.finding is None else verdict.finding.role)
    assert complaints == [*STEPS_IN_ORDER, None]


def test_a_partial_verifier_needs_three_files(reference: Reference) -> None:
    files = unpack_files(reference.repository.metadata_for(VIN, UPDATE_NS))
    kept = {name: files[name] for name in ("time", "director/targets")}
    verdict = reference.partial(SECONDARY).verify(
        pack_files(kept), UPDATE_NS, reference.trusted_by(SECONDARY)
    )
    assert verdict.accepted and verdict.mine is not None
    assert verdict.mine.ecu_id == SECONDARY


def test_a_verdict_is_data(reference: Reference) -> None:
    verdict = full(reference)
    assert pickle.loads(pickle.dumps(verdict)) == verdict
    assert deepcopy(verdict) is verdict
    assert str(verdict) == "accepted"


# ---- nothing new ----


def test_when_all_that_is_ordered_is_installed_the_image_repository_is_not_asked(
    reference: Reference,
) -> None:
    installed = installed_software(reference.repository, "2.0.0")

    def without_images(files: Files) -> None:
        for name in list(files):
            if name.startswith("image/"):
                del files[name]

    verdict = full(reference, change=without_images, installed=installed)
    assert verdict.accepted and not verdict.is_new, verdict
    assert str(verdict) == "accepted: nothing new"
    assert accepted(verdict).image == reference.trusted.image
    one_missing = installed | {SECONDARY: reference.installed[SECONDARY]}
    verdict = full(reference, change=without_images, installed=one_missing)
    assert verdict.check is Check.MISSING


def test_an_order_of_what_is_installed_lowers_no_counter(reference: Reference) -> None:
    """The update was accepted, failed its trial, and the Director settles for the old software."""
    trusted = accepted(full(reference))
    orders = {ecu: f"{hw[:3].lower()}-1.1.0.img" for ecu, hw in HARDWARE.items()}
    reference.repository.order(VIN, orders)
    reference.repository.publish(UPDATE_NS)
    verdict = full(reference, trusted=trusted)
    assert verdict.accepted and not verdict.is_new
    assert accepted(verdict).release_counters == dict.fromkeys(HARDWARE, 3)


def test_nothing_ordered_is_nothing_new(reference: Reference) -> None:
    reference.repository.order(VIN, {})
    reference.repository.publish(UPDATE_NS)
    for verdict in (full(reference), partial(reference)):
        assert verdict.accepted and not verdict.is_new
        assert verdict.mine is None and verdict.target is None


def test_the_same_set_can_be_verified_again(reference: Reference) -> None:
    trusted = accepted(full(reference))
    verdict = full(reference, trusted=trusted)
    assert verdict.accepted and verdict.is_new
    assert verdict.trusted == trusted


# ---- time ----


def test_metadata_are_valid_up_to_the_second_before_they_expire(reference: Reference) -> None:
    end_ns = 3 * HOUR_NS + 2 * DAY_NS
    assert full(reference, end_ns - NS_PER_S).accepted
    verdict = full(reference, end_ns)
    assert verdict.check is Check.EXPIRY
    assert str(verdict) == (
        "refused: freeze: director/timestamp: expired at 2030-01-03T03:00:00Z, "
        "now 2030-01-03T03:00:00Z"
    )


@pytest.mark.parametrize("source", ["clock", "attested", "trusted"])
def test_the_latest_known_time_counts(reference: Reference, source: str) -> None:
    """A clock that was reset, or an attestation held back, does not make old metadata valid."""
    late_ns = 30 * DAY_NS
    trusted = reference.trusted
    if source == "trusted":
        trusted = replace(trusted, time_s=seconds_at(UPDATE_NS))
    key = reference.repository.time_key
    files = unpack_files(reference.repository.metadata_for(VIN))
    files["time"] = attested_time(late_ns if source == "attested" else UPDATE_NS, key)
    now_ns = late_ns if source == "clock" else 0
    verdict = reference.full.verify(pack_files(files), now_ns, trusted, reference.installed)
    if source == "trusted":
        assert verdict.accepted, verdict  # the clock says 0, the last attested time does not
        assert accepted(verdict).time_s == seconds_at(UPDATE_NS)
    else:
        assert verdict.check is Check.EXPIRY


def test_only_the_attested_time_is_remembered(reference: Reference) -> None:
    files = unpack_files(reference.repository.metadata_for(VIN, UPDATE_NS))
    verdict = reference.full.verify(
        pack_files(files), UPDATE_NS + HOUR_NS, reference.trusted, reference.installed
    )
    assert accepted(verdict).time_s == seconds_at(UPDATE_NS)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"[]", b"{}", b'{"signed":{"_type":"time"},"signature":""}', b"[" * 1000),
        b'{"signed":{"_type":"time","time":"soon"},"signature":""}',
        b'{"signed":{"_type":"time","time":5},"signature":""}',
        b'{"signed":{"_type":"targets","time":"2030-01-01T00:00:00Z"},"signature":""}',
        b'{"signed":{"_type":"time","time":"2030-01-01T00:00:00Z"},"signature":5}',
        b'{"signed":{"_type":"time","time":"2030-01-01T00:00:00Z","x":1.5},"signature":""}',
        b'{"signed":{"_type":"time","time":"2030-01-01T00:00:00Z","x":"\\ud800"},"signature":""}',
    ],
)
def test_an_attestation_that_cannot_be_read_is_refused(
    reference: Reference, content: bytes
) -> None:
    verdict = full(reference, change=lambda files: files.update(time=content))
    assert verdict.check is Check.FORMAT
    assert verdict.finding is not None and verdict.finding.role == "time"


def test_an_attestation_has_a_length_limit_and_must_be_there(reference: Reference) -> None:
    verdict = full(reference, change=lambda files: files.update(time=bytes(1025)))
    assert verdict.check is Check.TOO_LONG
    verdict = full(reference, change=lambda files: files.pop("time") and None)
    assert verdict.check is Check.MISSING


# ---- roots ----


def test_roots_are_followed_one_by_one(reference: Reference) -> None:
    repository = reference.repository
    for role in ("root", "targets", "root", "snapshot"):
        repository.image.rotate(role, UPDATE_NS)
        repository.vehicles[VIN].director.rotate(role, UPDATE_NS)
    repository.publish(UPDATE_NS)
    trusted = accepted(full(reference))
    assert trusted.director.root == repository.vehicles[VIN].director.roots[5]
    assert trusted.image is not None and trusted.image.root == repository.image.roots[5]
    assert accepted(partial(reference)).director.root == trusted.director.root


@pytest.mark.parametrize("signers", ["old", "new"])
def test_a_new_root_is_signed_by_the_old_keys_and_by_its_own(
    reference: Reference, signers: str
) -> None:
    director = reference.repository.vehicles[VIN].director
    keys = {"old": director.keys("root")}
    director.rotate("root", UPDATE_NS)
    keys["new"] = director.keys("root")
    director.roots[2] = signed_file(director.root_content(2, UPDATE_NS), keys[signers])
    verdict = full(reference)
    assert verdict.finding is not None
    assert (verdict.check, verdict.finding.role) == (Check.SIGNATURE, "director/root/2")


@pytest.mark.parametrize("name", ["director", "image"])
def test_a_gap_in_the_chain_of_roots_is_a_dropped_request(reference: Reference, name: str) -> None:
    roles = reference.repository.image
    if name == "director":
        roles = reference.repository.vehicles[VIN].director
    for _ in range(3):
        roles.rotate("root", UPDATE_NS)
    reference.repository.publish(UPDATE_NS)
    verdict = full(reference, change=lambda files: files.pop(f"{name}/root/3") and None)
    assert verdict.check is Check.MISSING
    assert verdict.finding is not None and verdict.finding.role == f"{name}/root/3"


def test_more_roots_than_allowed_are_endless_data(reference: Reference) -> None:
    def many(files: Files) -> None:
        files.update({f"director/root/{number}": b"x" for number in range(2, 2 + 33)})

    assert full(reference, change=many).check is Check.TOO_LONG


def test_names_that_are_no_root_numbers_are_passed_over(reference: Reference) -> None:
    def odd(files: Files) -> None:
        files.update({f"director/root/{n}": b"x" for n in ("", "-1", "x", "1.5", "9" * 12, "0")})

    assert full(reference, change=odd).accepted


def test_a_root_that_expired_is_a_freeze_though_the_ones_before_may_have(
    reference: Reference,
) -> None:
    repository = reference.repository
    later_ns = 300 * DAY_NS
    repository.publish(400 * DAY_NS)
    verdict = full(reference, 400 * DAY_NS)
    assert verdict.finding is not None
    assert (verdict.check, verdict.finding.role) == (Check.EXPIRY, "director/root")
    for roles in (repository.image, repository.vehicles[VIN].director):
        roles.rotate("root", later_ns)
    assert full(reference, 400 * DAY_NS).accepted


def test_one_key_under_two_names_does_not_count_twice(reference: Reference) -> None:
    director = reference.repository.vehicles[VIN].director
    before = director.keys("root")
    director.versions["root"] += 1
    content: Any = deepcopy(director.root_content(2, UPDATE_NS))
    name = content["roles"]["targets"]["keyids"][0]
    twin = content["keys"][name] | {"x": 1}
    twin_name = sha256(canonical_json(twin)).hexdigest()
    content["keys"][twin_name] = twin
    content["roles"]["targets"] = {"keyids": [name, twin_name], "threshold": 2}
    director.roots[2] = signed_file(content, before)
    verdict = full(reference)
    assert verdict.check is Check.FORMAT
    assert verdict.finding is not None
    assert "one key under several names" in verdict.finding.text


def test_a_partial_verifier_that_follows_no_root_keeps_its_keys(reference: Reference) -> None:
    trusted = reference.trusted_by(SECONDARY)
    fixed = replace(reference.partial(SECONDARY), follows_root=False)
    reference.repository.vehicles[VIN].director.rotate("targets", UPDATE_NS)
    reference.repository.publish(UPDATE_NS)
    metadata = reference.repository.metadata_for(VIN, UPDATE_NS)
    assert fixed.verify(metadata, UPDATE_NS, trusted).check is Check.SIGNATURE
    assert reference.partial(SECONDARY).verify(metadata, UPDATE_NS, trusted).accepted


# ---- fast-forward ----


def fast_forwarded(reference: Reference, step: int) -> tuple[TrustedMetadata, TrustedMetadata]:
    """Both verifiers have accepted versions that a thief has raised by as much as is allowed."""
    director = reference.repository.vehicles[VIN].director
    stolen = deepcopy(reference.repository)
    for roles in (stolen.vehicles[VIN].director, stolen.image):
        for role in ("timestamp", "snapshot", "targets"):
            roles.versions[role] += step
    stolen.publish(UPDATE_NS)
    metadata = stolen.metadata_for(VIN, UPDATE_NS)
    trusted = accepted(
        reference.full.verify(metadata, UPDATE_NS, reference.trusted, reference.installed)
    )
    known = reference.trusted_by(SECONDARY)
    verdict = reference.partial(SECONDARY).verify(metadata, UPDATE_NS, known)
    assert director.versions["timestamp"] == 3
    return trusted, accepted(verdict)


def test_after_a_fast_forward_honest_metadata_look_like_a_rollback(reference: Reference) -> None:
    trusted, secondary = fast_forwarded(reference, 900_000)
    reference.repository.publish(UPDATE_NS)
    assert full(reference, trusted=trusted).attack is Attack.ROLLBACK
    assert partial(reference, trusted=secondary).attack is Attack.ROLLBACK


def test_new_keys_recover_from_a_fast_forward(reference: Reference) -> None:
    trusted, secondary = fast_forwarded(reference, 900_000)
    repository = reference.repository
    for roles in (repository.vehicles[VIN].director, repository.image):
        for role in ("timestamp", "snapshot", "targets"):
            roles.rotate(role, UPDATE_NS)
    repository.publish(UPDATE_NS)
    recovered = accepted(full(reference, trusted=trusted))
    assert (recovered.director.timestamp, recovered.director.snapshot) == (4, 4)
    assert recovered.director.target_version("targets") == 4
    assert recovered.image is not None and recovered.image.timestamp == 4
    back = accepted(partial(reference, trusted=secondary))
    assert back.director.target_version("targets") == 4


@pytest.mark.parametrize("role", ["root", "targets"])
def test_other_new_keys_forget_no_versions_of_the_timestamp(
    reference: Reference, role: str
) -> None:
    trusted, _ = fast_forwarded(reference, 900_000)
    reference.repository.vehicles[VIN].director.rotate(role, UPDATE_NS)
    reference.repository.publish(UPDATE_NS)
    assert full(reference, trusted=trusted).attack is Attack.ROLLBACK


@pytest.mark.parametrize("role", ["root", "timestamp", "targets"])
def test_a_partial_verifier_recovers_by_new_keys_of_the_targets(
    reference: Reference, role: str
) -> None:
    """It has no snapshot whose keys could tell; a new timestamp key forgets for all."""
    _, secondary = fast_forwarded(reference, 900_000)
    reference.repository.vehicles[VIN].director.rotate(role, UPDATE_NS)
    reference.repository.publish(UPDATE_NS)
    verdict = partial(reference, trusted=secondary)
    assert verdict.accepted is (role != "root"), verdict


@pytest.mark.parametrize("is_too_far", [False, True])
def test_versions_may_jump_up_to_the_limit(reference: Reference, is_too_far: bool) -> None:
    director = reference.repository.vehicles[VIN].director
    director.versions["timestamp"] = 2 + 1_000_000 - 1 + is_too_far
    reference.repository.publish(UPDATE_NS)
    expected = Check.VERSION_JUMP if is_too_far else None
    assert full(reference).check is expected


# ---- what is trusted afterwards ----


def test_what_is_trusted_survives_its_bytes(reference: Reference) -> None:
    trusted = accepted(full(reference))
    assert TrustedMetadata.from_bytes(trusted.to_bytes()) == trusted
    secondary = accepted(partial(reference))
    assert secondary.image is None
    assert TrustedMetadata.from_bytes(secondary.to_bytes()) == secondary
    assert pickle.loads(pickle.dumps(trusted)) == trusted


def test_torn_bytes_are_never_taken_for_trusted_metadata(reference: Reference) -> None:
    data = reference.trusted.to_bytes()
    for place in range(0, len(data), 97):
        for torn in (data[:place], data[:place] + b"\xff" * (len(data) - place)):
            with pytest.raises(InputError, match="trusted metadata: expected its own digest"):
                TrustedMetadata.from_bytes(torn)


def test_what_is_trusted_says_what_was_accepted(reference: Reference) -> None:
    trusted = accepted(full(reference))
    assert trusted.director._replace(root=b"") == TrustedRoles(b"", 3, 3, (("targets", 3),))
    assert trusted.image is not None
    assert trusted.image.targets == (("brakes", 3), ("targets", 3))
    assert trusted.release_counters == dict.fromkeys(HARDWARE, 3)
    assert trusted.time_s == seconds_at(UPDATE_NS)
    assert trusted.time_key == public_key(reference.repository.time_key)


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ["publish", "attack", "rotate root", "rotate targets", "order", "serve old"]
        ),
        st.integers(0, 40),
    ),
    max_size=8,
)


@settings(max_examples=15)
@given(ACTIONS)
def test_versions_times_and_counters_never_decrease(actions: list[tuple[str, int]]) -> None:
    from simcore.update.attacks import CATALOGUE, Stage

    reference = reference_repository()
    repository, trusted, now_ns = reference.repository, reference.trusted, UPDATE_NS
    secondary = reference.trusted_by(SECONDARY)
    cases = [case for case in CATALOGUE if case.stage is Stage.METADATA]
    for action, number in actions:
        now_ns += HOUR_NS // 2
        metadata = b""
        match action:
            case "publish":
                repository.publish(now_ns)
            case "order":
                version = ("1.1.0", "2.0.0")[number % 2]
                orders = {e: f"{hw[:3].lower()}-{version}.img" for e, hw in HARDWARE.items()}
                repository.order(VIN, orders, bundle=f"campaign {number}")
                repository.publish(now_ns)
            case "attack":
                repository.start_attack(cases[number % len(cases)].name)
            case "serve old":
                count = len(repository.vehicles[VIN].published)
                metadata = repository.metadata_for(VIN, now_ns, publication=number % count)
            case _:
                repository.vehicles[VIN].director.rotate(action.split()[1], now_ns)
                repository.publish(now_ns)
        metadata = metadata or repository.metadata_for(VIN, now_ns)
        repository.stop_attack()
        verdict = reference.full.verify(metadata, now_ns, trusted, reference.installed)
        must_not_decrease(trusted, verdict)
        trusted = verdict.trusted or trusted
        verdict = reference.partial(SECONDARY).verify(metadata, now_ns, secondary)
        if action != "rotate targets":  # which lets a partial verifier forget, see above
            must_not_decrease(secondary, verdict)
        secondary = verdict.trusted or secondary


def must_not_decrease(before: TrustedMetadata, verdict: Verdict) -> None:
    after = verdict.trusted
    assert after is not None
    if not verdict.accepted:
        assert after is before
    assert after.time_s >= before.time_s
    for ecu_id, counter in before.release_counters.items():
        assert after.release_counters[ecu_id] >= counter
    pairs = [(before.director, after.director)]
    if before.image is not None and after.image is not None:
        pairs.append((before.image, after.image))
    for old, new in pairs:
        assert new.timestamp >= old.timestamp and new.snapshot >= old.snapshot
        for name, version in old.targets:
            assert new.target_version(name) >= version


# ---- orders ----


def test_a_security_counter_lower_than_the_installed_one_is_a_rollback(
    reference: Reference,
) -> None:
    high = reference.installed[PRIMARY]._replace(security_counter=4)
    verdict = full(reference, installed=dict(reference.installed) | {PRIMARY: high})
    assert verdict.check is Check.SECURITY_COUNTER
    assert verdict.finding is not None
    assert verdict.finding.text == "security counter 3 after 4"


@pytest.mark.parametrize(("installed", "expected"), [(3, None), (4, Check.RELEASE_COUNTER)])
def test_a_release_counter_lower_than_the_installed_one_is_a_rollback(
    reference: Reference, installed: int, expected: Check | None
) -> None:
    high = reference.installed[PRIMARY]._replace(release_counter=installed)
    verdict = full(reference, installed=dict(reference.installed) | {PRIMARY: high})
    assert verdict.check is expected


def test_release_counters_accepted_before_bind_though_nothing_is_reported(
    reference: Reference,
) -> None:
    reference.repository.start_attack("rollback_release_counter")
    assert partial(reference).check is Check.RELEASE_COUNTER
    reference.repository.stop_attack()
    reference.repository.order(VIN, {PRIMARY: "cdc-1.0.0.img"})
    reference.repository.publish(UPDATE_NS)
    verdict = full(reference, installed={})
    assert verdict.check is Check.RELEASE_COUNTER
    assert verdict.finding is not None
    assert verdict.finding.text == "release counter 1 after 2"


def test_requirements_on_ecus_that_do_not_report_are_not_met(reference: Reference) -> None:
    repository = reference.repository
    repository.order(VIN, {PRIMARY: "cdc-2.0.0.img"})
    repository.publish(UPDATE_NS)
    verdict = full(reference, installed={})
    assert verdict.check is Check.COMPATIBILITY
    assert verdict.finding is not None
    assert verdict.finding.text == (
        "CDC requires EMB-HW >= 2.0.0 and < 3.0.0: version of EMB_FL unknown"
    )


def test_installed_software_may_forbid_what_is_ordered(reference: Reference) -> None:
    """An actuator that is left out of the order does not get along with a new controller."""
    needs_old = Requirement("CDC-HW", ImageVersion(1), ImageVersion(2))
    repository = reference.repository
    orders = {e: f"{hw[:3].lower()}-2.0.0.img" for e, hw in HARDWARE.items() if e != SECONDARY}
    repository.order(VIN, orders)
    repository.publish(UPDATE_NS)
    new = installed_software(repository, "2.0.0")[SECONDARY]
    for requires, expected in (((), None), ((needs_old,), Check.COMPATIBILITY)):
        own = {SECONDARY: new._replace(requires=requires)}
        verdict = full(reference, installed=dict(reference.installed) | own)
        assert verdict.check is expected, verdict


def test_an_order_without_a_bundle_may_leave_ecus_out(reference: Reference) -> None:
    reference.repository.release(
        "emb-1.2.0.img",
        b"new",
        version="1.2.0",
        hardware_ids=("EMB-HW",),
        release_counter=3,
        security_counter=2,
        role="brakes",
    )
    reference.repository.order(VIN, {SECONDARY: "emb-1.2.0.img"})
    reference.repository.publish(UPDATE_NS)
    verdict = full(reference)
    assert verdict.accepted and verdict.mine is None
    assert [each.ecu_id for each in verdict.assignments] == [SECONDARY]
    assert partial(reference).mine == verdict.assignments[0]


def test_a_delegation_holds_for_its_hardware_only(reference: Reference) -> None:
    """The supplier of actuators signs an image of the right name for a controller."""
    reference.repository.release(
        "emb-in-name-only.img",
        b"controller",
        version="3.0.0",
        hardware_ids=("CDC-HW",),
        release_counter=9,
        security_counter=9,
        role="brakes",
    )
    reference.repository.order(VIN, {PRIMARY: "emb-in-name-only.img"})
    reference.repository.publish(UPDATE_NS)
    assert full(reference).check is Check.NOT_IN_IMAGE_REPOSITORY


def test_a_delegation_holds_for_its_paths_only(reference: Reference) -> None:
    """The supplier signs an image for its own hardware, under a name that is not its own."""
    reference.repository.release(
        "steering-1.0.0.img",
        b"steering",
        version="3.0.0",
        hardware_ids=("EMB-HW",),
        release_counter=9,
        security_counter=9,
        role="brakes",
    )
    reference.repository.order(VIN, {SECONDARY: "steering-1.0.0.img"})
    reference.repository.publish(UPDATE_NS)
    assert full(reference).check is Check.NOT_IN_IMAGE_REPOSITORY


def second_supplier(reference: Reference, *, is_terminating: bool) -> Verdict:
    """An image that the second of two roles with the same paths has signed."""
    repository = reference.repository
    repository.image.delegations["brakes"].terminating = is_terminating
    repository.delegate("brakes2", ("emb-*",), ("EMB-HW",))
    repository.release(
        "emb-1.3.0.img",
        b"second",
        version="1.3.0",
        hardware_ids=("EMB-HW",),
        release_counter=3,
        security_counter=3,
        role="brakes2",
    )
    repository.order(VIN, {SECONDARY: "emb-1.3.0.img"})
    repository.publish(UPDATE_NS)
    return full(reference)


def test_an_order_for_an_ecu_that_is_no_member_of_its_bundle_is_refused(
    reference: Reference,
) -> None:
    vehicle = reference.repository.vehicles[VIN]
    vehicle.members = tuple(ecu for ecu in HARDWARE if ecu != SECONDARY)
    reference.repository.publish(UPDATE_NS)
    verdict = full(reference)
    assert verdict.check is Check.BUNDLE_MEMBERS
    assert verdict.finding is not None
    assert verdict.finding.text == f"bundle software 2.0.0: {SECONDARY} is no member"


def test_a_terminating_delegation_ends_the_search(reference: Reference) -> None:
    verdict = second_supplier(reference, is_terminating=True)
    assert verdict.check is Check.NOT_IN_IMAGE_REPOSITORY


def test_another_delegation_lets_the_search_go_on(reference: Reference) -> None:
    assert second_supplier(reference, is_terminating=False).accepted


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("length", 1),
        ("hashes", {"sha256": "00" * 32}),
        ("hardware_ids", ["CDC-HW", "OTHER"]),
        ("release_counter", 9),
        ("security_counter", 9),
        ("version", "9.0.0"),
        ("requires", []),
    ],
)
def test_both_repositories_must_say_the_same_of_an_image(
    reference: Reference, name: str, value: object
) -> None:
    """The Image repository keeps the truth; the Director's keys are stolen."""
    director = reference.repository.vehicles[VIN].director
    thief = deepcopy(director)
    thief.targets = deepcopy(
        reference.repository.ordered_targets(reference.repository.vehicles[VIN])
    )
    content: Any = thief.targets["cdc-2.0.0.img"]
    (content if name in content else content["custom"])[name] = value
    stolen = {f"director/{place}": data for place, data in thief.publish(UPDATE_NS).items()}
    verdict = full(reference, change=lambda files: files.update(stolen))
    assert verdict.check is Check.REPOSITORIES_DIFFER, verdict
    assert verdict.finding is not None
    words = {"hashes": "sha256", "requires": "requirements"}.get(name, name.replace("_", " "))
    assert verdict.finding.text == f"differ in {words}"


@pytest.mark.parametrize("place", ["director", "image"])
@pytest.mark.parametrize("value", [None, [], {"version": 1}])
def test_signed_targets_with_a_bad_custom_field_are_refused(
    reference: Reference, place: str, value: object
) -> None:
    repository = reference.repository
    roles = deepcopy(repository.image if place == "image" else repository.vehicles[VIN].director)
    if place == "director":
        roles.targets = deepcopy(repository.ordered_targets(repository.vehicles[VIN]))
    roles.targets["cdc-2.0.0.img"]["custom"] = value
    signed = {f"{place}/{name}": data for name, data in roles.publish(UPDATE_NS).items()}
    verdict = full(reference, change=lambda files: files.update(signed))
    assert verdict.check is Check.FORMAT, verdict
    assert verdict.finding is not None and verdict.finding.role.startswith(place)


@pytest.mark.parametrize("value", [1.5, "\ud800", 10**400])
def test_signed_metadata_without_a_canonical_form_are_refused(
    reference: Reference, value: object
) -> None:
    def change(files: Files) -> None:
        file = json.loads(files["director/timestamp"])
        file["signed"]["x"] = value
        files["director/timestamp"] = json.dumps(file).encode()

    assert full(reference, change=change).check in (Check.SIGNATURE, Check.FORMAT)


# ---- images ----


def test_the_counters_an_image_carries_must_be_the_signed_ones(reference: Reference) -> None:
    order = full(reference).assignments[0]
    facts: dict[str, Any] = {"length": order.target.length, "sha256": order.target.sha256}
    assert check_image(order, **facts).accepted
    assert check_image(order, **facts, release_counter=3, security_counter=3).accepted
    assert check_image(order, **facts, release_counter=2).check is Check.RELEASE_COUNTER
    assert check_image(order, **facts, security_counter=4).check is Check.SECURITY_COUNTER


@pytest.mark.parametrize("place", [0, 15, 31])
def test_every_byte_of_the_hash_counts(reference: Reference, place: int) -> None:
    order = full(reference).assignments[0]
    digest = bytearray(order.target.sha256)
    digest[place] ^= 1
    verdict = check_image(order, length=order.target.length, sha256=bytes(digest))
    assert verdict.check is Check.IMAGE_HASH


def test_an_image_may_be_shorter_only_while_it_comes(reference: Reference) -> None:
    target = full(reference).assignments[0].target
    assert check_length(target, target.length) is None
    assert check_length(target, 5, complete=False) is None
    finding = check_length(target, 5)
    assert finding is not None and finding.text == "5 of 2048 bytes"
    for complete in (False, True):
        finding = check_length(target, target.length + 1, complete=complete)
        assert finding is not None and finding.check is Check.IMAGE_TOO_LONG


# ---- limits ----


@pytest.mark.parametrize(
    ("limits", "role"),
    [
        (MetadataLimits(set_size=4000), "metadata set"),
        (MetadataLimits(time_size=100), "time"),
        (MetadataLimits(timestamp_size=300), "director/timestamp"),
        (MetadataLimits(snapshot_size=300), "director/snapshot"),
        (MetadataLimits(targets_size=1000), "director/targets"),
    ],
)
def test_every_file_has_its_limit(reference: Reference, limits: MetadataLimits, role: str) -> None:
    strict = replace(reference.full, limits=limits)
    metadata = reference.repository.metadata_for(VIN, UPDATE_NS)
    verdict = strict.verify(metadata, UPDATE_NS, reference.trusted, reference.installed)
    assert verdict.finding is not None
    assert (verdict.check, verdict.finding.role) == (Check.TOO_LONG, role)


def test_a_root_has_its_limit(reference: Reference) -> None:
    reference.repository.vehicles[VIN].director.rotate("root", UPDATE_NS)
    strict = replace(reference.full, limits=MetadataLimits(root_size=1000))
    metadata = reference.repository.metadata_for(VIN, UPDATE_NS)
    verdict = strict.verify(metadata, UPDATE_NS, reference.trusted, reference.installed)
    assert verdict.finding is not None and verdict.finding.role == "director/root/2"


# ---- anything at all ----


def test_every_changed_bit_of_a_set_is_refused_or_means_nothing(prepared: Reference) -> None:
    """Only what no signature covers, and nobody reads, may change: names of nobody's files."""
    metadata = prepared.repository.metadata_for(VIN, UPDATE_NS)
    good = full(prepared)
    known = prepared.trusted_by(SECONDARY)
    refusals = 0
    for place in range(0, len(metadata), 31):
        changed = bytearray(metadata)
        changed[place] ^= 1 << place % 8
        data = bytes(changed)
        verdict = prepared.full.verify(data, UPDATE_NS, prepared.trusted, prepared.installed)
        if verdict.accepted:
            assert verdict.assignments == good.assignments
        refusals += not verdict.accepted
        prepared.partial(SECONDARY).verify(data, UPDATE_NS, known)
    assert refusals > len(metadata) // 31 - 10


@settings(max_examples=25)
@given(data=st.data())
def test_no_bytes_raise(prepared: Reference, data: st.DataObject) -> None:
    files = unpack_files(prepared.repository.metadata_for(VIN, UPDATE_NS))
    for name in data.draw(st.lists(st.sampled_from(sorted(files)), min_size=1, max_size=3)):
        files[name] = data.draw(
            st.binary(max_size=40)
            | st.recursive(
                st.none() | st.integers() | st.text(max_size=5),
                lambda inner: (
                    st.lists(inner, max_size=3)
                    | st.dictionaries(
                        st.sampled_from(
                            ["signed", "signatures", "_type", "version", "meta", "keys"]
                        ),
                        inner,
                        max_size=4,
                    )
                ),
                max_leaves=10,
            ).map(lambda content: json.dumps(content).encode())
        )
    packed = pack_files(files)
    verdict = prepared.full.verify(packed, UPDATE_NS, prepared.trusted, prepared.installed)
    assert verdict.attack is not None
    known = prepared.trusted_by(SECONDARY)
    prepared.partial(SECONDARY).verify(packed, UPDATE_NS, known)


def test_provisioned_ecus_accept_the_first_publication() -> None:
    repository = Repository(5)
    repository.add_vehicle(VIN, HARDWARE)
    repository.publish(0)
    full_verifier = FullVerification(vin=VIN, ecu_id=PRIMARY, hardware=HARDWARE)
    metadata = repository.metadata_for(VIN)
    assert full_verifier.verify(metadata, 0, repository.provisioned(VIN)).accepted
    secondary = PartialVerification(vin=VIN, ecu_id=SECONDARY, hardware_id="EMB-HW")
    factory = repository.provisioned(VIN, is_full=False)
    assert secondary.verify(metadata, 0, factory).accepted
    assert ACCEPTED_NS < UPDATE_NS


# ---- lists and keys ----


def unhashed(files: Files, name: str, keys: tuple[bytes, ...]) -> None:
    content = json.loads(files[name])["signed"]
    for entry in content["meta"].values():
        entry.pop("hashes")
        entry.pop("length")
    files[name] = signed_file(content, keys)


def test_a_snapshot_may_list_versions_only(reference: Reference) -> None:
    director = reference.repository.vehicles[VIN].director

    def change(files: Files) -> None:
        unhashed(files, "director/snapshot", director.keys("snapshot"))
        thief = deepcopy(director)
        data = files["director/snapshot"]
        files["director/timestamp"] = thief.publish_timestamp(UPDATE_NS, data)

    assert full(reference, change=change).accepted


def test_without_a_hash_the_listed_version_still_counts(reference: Reference) -> None:
    director = reference.repository.vehicles[VIN].director
    old = unpack_files(reference.repository.metadata_for(VIN, publication=1))

    def change(files: Files) -> None:
        unhashed(files, "director/snapshot", director.keys("snapshot"))
        thief = deepcopy(director)
        data = files["director/snapshot"]
        files["director/timestamp"] = thief.publish_timestamp(UPDATE_NS, data)
        files["director/targets"] = old["director/targets"]

    verdict = full(reference, change=change)
    assert verdict.finding == (
        Check.LISTED_VERSION,
        "director/targets",
        "version 2, listed is 3",
    )


@pytest.mark.parametrize("name", ["director/snapshot", "director/targets", "image/targets"])
def test_a_file_longer_than_listed_is_endless_data(reference: Reference, name: str) -> None:
    verdict = full(reference, change=lambda files: files.update({name: files[name] + b" "}))
    assert verdict.finding is not None
    assert (verdict.check, verdict.finding.role) == (Check.TOO_LONG, name)


def test_a_timestamp_must_list_a_hash(reference: Reference) -> None:
    keys = reference.repository.vehicles[VIN].director.keys("timestamp")
    verdict = full(reference, change=lambda files: unhashed(files, "director/timestamp", keys))
    assert verdict.finding is not None
    assert verdict.finding == (
        Check.LISTED_HASH,
        "director/snapshot",
        "the timestamp lists no hash of it",
    )


def test_a_key_bears_the_hash_of_itself_as_its_name(reference: Reference) -> None:
    director = reference.repository.vehicles[VIN].director
    before = director.keys("root")
    director.versions["root"] += 1
    content: Any = deepcopy(director.root_content(2, UPDATE_NS))
    (name,) = content["roles"]["snapshot"]["keyids"]
    content["keys"]["ab" * 32] = content["keys"].pop(name)
    content["roles"]["snapshot"]["keyids"] = ["ab" * 32]
    director.roots[2] = signed_file(content, before)
    verdict = full(reference)
    assert verdict.finding is not None
    assert verdict.finding == (
        Check.FORMAT,
        "director/root/2",
        "abababab is not the name of its key",
    )


def test_a_key_in_a_delegation_bears_its_name_too(reference: Reference) -> None:
    image = reference.repository.image
    content: Any = json.loads(unpack_files(reference.repository.metadata_for(VIN))["image/targets"])
    signed = content["signed"]
    (key,) = signed["delegations"]["keys"].values()
    signed["delegations"]["keys"] = {"cd" * 32: key}
    signed["delegations"]["roles"][0]["keyids"] = ["cd" * 32]

    def change(files: Files) -> None:
        files["image/targets"] = signed_file(signed, image.keys("targets"))
        thief = deepcopy(image)
        listed = {"targets.json": files["image/targets"]} | {
            "brakes.json": files["image/delegated/brakes"]
        }
        again = thief.publish_snapshot(UPDATE_NS, listed)
        files.update({f"image/{place}": data for place, data in again.items()})

    verdict = full(reference, change=change)
    assert verdict.finding is not None
    assert (verdict.check, verdict.finding.role) == (Check.FORMAT, "image/targets")
