"""The back end in memory: deterministic, readable by python-tuf, and copied at any instant."""

from __future__ import annotations

import json
import pickle
from copy import deepcopy
from datetime import UTC, datetime

import pytest
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from simcore.errors import UsageError
from simcore.units import NS_PER_S
from simcore.update.metadata import unpack_files
from simcore.update.metadata_time import DAY_S, seconds_at
from simcore.update.repository import Repository
from simcore.update.repository_reference import (
    HARDWARE,
    HOUR_NS,
    SUPPLIER,
    UPDATE_NS,
    VIN,
    filename_of,
    reference_repository,
)


@pytest.fixture(scope="module")
def reference() -> Repository:
    return reference_repository().repository


def test_the_same_calls_give_the_same_bytes(reference: Repository) -> None:
    again = reference_repository().repository
    assert again.metadata_for(VIN) == reference.metadata_for(VIN)
    other = reference_repository(seed=2).repository
    assert other.metadata_for(VIN) != reference.metadata_for(VIN)


def test_a_set_is_small_enough_for_a_diagnostic_download(reference: Repository) -> None:
    """A few ISO-TP messages of 4095 bytes; 40 ms on a bus of 2 Mbit/s."""
    assert len(reference.metadata_for(VIN)) < 8_000


def test_a_set_holds_all_roles_of_both_repositories(reference: Repository) -> None:
    assert set(unpack_files(reference.metadata_for(VIN))) == {
        *("time", "director/timestamp", "director/snapshot", "director/targets"),
        *("image/timestamp", "image/snapshot", "image/targets", f"image/delegated/{SUPPLIER}"),
    }


def test_new_roots_travel_with_the_set() -> None:
    repository = reference_repository().repository
    repository.image.rotate("root", UPDATE_NS)
    repository.vehicles[VIN].director.rotate("targets", UPDATE_NS)
    names = set(unpack_files(repository.metadata_for(VIN)))
    assert {"image/root/2", "director/root/2"} <= names
    assert "image/root/1" not in names


def test_python_tuf_reads_every_file_and_confirms_every_signature(reference: Repository) -> None:
    files = unpack_files(reference.metadata_for(VIN))
    for name, roles in (("director", reference.vehicles[VIN].director), ("image", reference.image)):
        root = Metadata[Root].from_bytes(roles.roots[1])
        root.verify_delegate("root", root)
        for role, kind in (("timestamp", Timestamp), ("snapshot", Snapshot), ("targets", Targets)):
            file = Metadata[kind].from_bytes(files[f"{name}/{role}"])  # type: ignore[valid-type]
            root.verify_delegate(role, file)
            assert type(file.signed) is kind
    targets = Metadata[Targets].from_bytes(files["image/targets"])
    delegated = Metadata[Targets].from_bytes(files[f"image/delegated/{SUPPLIER}"])
    targets.verify_delegate(SUPPLIER, delegated)
    assert set(delegated.signed.targets) == {
        filename_of("EMB-HW", version) for version in ("1.0.0", "1.1.0", "2.0.0")
    }
    assert targets.signed.delegations is not None
    role = (targets.signed.delegations.roles or {})[SUPPLIER]
    assert role.terminating and role.paths == ["emb-*"]


def test_files_expire_in_simulated_time(reference: Repository) -> None:
    files = unpack_files(reference.metadata_for(VIN))
    timestamp = Metadata[Timestamp].from_bytes(files["image/timestamp"]).signed
    expected_s = seconds_at(3 * HOUR_NS) + 2 * DAY_S
    assert timestamp.expires == datetime.fromtimestamp(expected_s, UTC)


def test_the_attested_time_is_that_of_the_request_or_of_the_publication(
    reference: Repository,
) -> None:
    def time_in(packed: bytes) -> str:
        return str(json.loads(unpack_files(packed)["time"])["signed"]["time"])

    assert time_in(reference.metadata_for(VIN)) == "2030-01-01T03:00:00Z"
    assert time_in(reference.metadata_for(VIN, 5 * HOUR_NS + NS_PER_S)) == "2030-01-01T05:00:01Z"
    assert time_in(reference.metadata_for(VIN, publication=0)) == "2030-01-01T01:00:00Z"


def test_the_director_orders_one_image_for_many_ecus_once(reference: Repository) -> None:
    content = json.loads(unpack_files(reference.metadata_for(VIN))["director/targets"])["signed"]
    assert content["vin"] == VIN
    emb = content["targets"]["emb-2.0.0.img"]["custom"]
    assert emb["ecus"] == {ecu: "EMB-HW" for ecu in HARDWARE if ecu != "CDC"}
    assert emb["bundle"] == {"id": "software 2.0.0", "members": sorted(HARDWARE)}
    image = json.loads(unpack_files(reference.metadata_for(VIN))["image/targets"])["signed"]
    assert "ecus" not in image["targets"]["cdc-2.0.0.img"]["custom"]


def test_copies_and_pickles_go_on_alike(reference: Repository) -> None:
    twins = [deepcopy(reference), pickle.loads(pickle.dumps(reference)), deepcopy(reference)]
    twins[2].start_attack("rollback_all_metadata")
    twins[2] = pickle.loads(pickle.dumps(deepcopy(twins[2])))
    twins[2].stop_attack()
    before = reference.metadata_for(VIN)
    for twin in twins:
        twin.publish(UPDATE_NS)
    assert len({twin.metadata_for(VIN) for twin in twins}) == 1
    assert reference.metadata_for(VIN) == before != twins[0].metadata_for(VIN)


def test_a_thief_leaves_the_repositories_as_they_are() -> None:
    from simcore.update.attacks import CATALOGUE

    repository = reference_repository().repository
    before = pickle.dumps(repository)
    for case in CATALOGUE:
        repository.start_attack(case.name)
        repository.metadata_for(VIN, UPDATE_NS)
    repository.stop_attack()
    assert pickle.loads(before).metadata_for(VIN) == repository.metadata_for(VIN)
    repository.publish(UPDATE_NS)
    honest = pickle.loads(before)
    honest.publish(UPDATE_NS)
    assert honest.metadata_for(VIN) == repository.metadata_for(VIN)


# ---- misuse ----


def test_misuse_is_told_with_what_was_expected(reference: Repository) -> None:
    repository = deepcopy(reference)
    with pytest.raises(UsageError, match=rf"add_vehicle.*: expected a new VIN, got {VIN}"):
        repository.add_vehicle(VIN, HARDWARE)
    with pytest.raises(UsageError, match=r"release.*: expected a new filename, got emb-2.0.0.img"):
        repository.release("emb-2.0.0.img", b"", version="1.0.0", hardware_ids=())
    with pytest.raises(UsageError, match="role: expected targets, brakes, got steering"):
        repository.release("x.img", b"", version="1.0.0", hardware_ids=(), role="steering")
    with pytest.raises(UsageError, match=r"delegate.*: expected a new name, got 'brakes'"):
        repository.delegate("brakes", (), ())
    with pytest.raises(UsageError, match=f"order for {VIN}: expected CDC, .*, got EMB_XX"):
        repository.order(VIN, {"EMB_XX": "emb-2.0.0.img"})
    with pytest.raises(UsageError, match=r"EMB_FL: expected a released image, got what.img"):
        repository.order(VIN, {"EMB_FL": "what.img"})
    with pytest.raises(UsageError, match=f"Repository: expected {VIN}, got OTHER"):
        repository.metadata_for("OTHER")
    with pytest.raises(UsageError, match=r"image_bytes\(\): expected cdc-1.0.0.img, .*, got what"):
        repository.image_bytes("what.img")
    with pytest.raises(UsageError, match=r"image: rotate\(\): expected root, .*, got 'mirror'"):
        repository.image.rotate("mirror", 0)


def test_nothing_is_served_before_it_is_published() -> None:
    repository = Repository(1)
    with pytest.raises(UsageError, match=r"Repository: expected add_vehicle\(\) before it, got X"):
        repository.metadata_for("X")
    repository.add_vehicle(VIN, HARDWARE)
    with pytest.raises(UsageError, match=rf"metadata for {VIN}: expected publish\(\) before it"):
        repository.metadata_for(VIN)


def test_a_release_is_told_as_it_will_be_signed() -> None:
    repository = Repository(1)
    target = repository.release("a.img", b"abc", version="1.2", hardware_ids=("X",))
    assert (target.length, str(target.version), target.release_counter) == (3, "1.2.0", 1)
    assert repository.image_bytes("a.img") == b"abc"
