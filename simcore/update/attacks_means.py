"""How each attack of the catalogue is done: functions that change what a vehicle downloads.

A thief sits between the repositories and the vehicles, has kept everything ever served, and for
some attacks has stolen keys: then a copy of the repository's roles signs for them. The real
repositories are never touched.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from hashlib import blake2b, sha256
from typing import TYPE_CHECKING

from simcore.errors import UsageError
from simcore.units import NS_PER_S
from simcore.update.metadata import Target
from simcore.update.metadata_keys import derive_key
from simcore.update.metadata_time import EPOCH_S, time_of
from simcore.update.repository_roles import (
    Json,
    RepositoryRoles,
    attested_time,
    signed_file,
)

if TYPE_CHECKING:
    from simcore.update.repository import Files, Repository, Vehicle

JUMP = 0x7FFF_FFFF
"""A version that no honest one will ever reach."""
MALWARE = b"not what anybody has released" * 40


# ---- without any key ----


def nothing_answers(repository: Repository, vehicle: Vehicle, files: Files) -> Files:
    return {}


def without_director_targets(repository: Repository, vehicle: Vehicle, files: Files) -> Files:
    return {name: data for name, data in files.items() if name != "director/targets"}


def without_image_targets(repository: Repository, vehicle: Vehicle, files: Files) -> Files:
    return {name: data for name, data in files.items() if name != "image/targets"}


def cut_short(packed: bytes) -> bytes:
    return packed[: len(packed) // 2]


def lengthened(packed: bytes) -> bytes:
    return packed + bytes(1 << 20)


def garbage(packed: bytes) -> bytes:
    return b"".join(blake2b(packed[n : n + 64]).digest() for n in range(0, len(packed), 64))


def long_targets(repository: Repository, vehicle: Vehicle, files: Files) -> Files:
    return files | {"director/targets": files["director/targets"] + b" " * 20_000}


def first_publication(repository: Repository, vehicle: Vehicle, files: Files) -> Files:
    """Everything as it was served at first, with the time of today."""
    return _first(vehicle) | {"time": files["time"]}


def last_publication_but_one(repository: Repository, vehicle: Vehicle, files: Files) -> Files:
    """Everything as it was before the newest publication, with the time of today."""
    return _published(vehicle, -2) | {"time": files["time"]}


def old_time(repository: Repository, vehicle: Vehicle, files: Files) -> Files:
    return files | {"time": _first(vehicle)["time"]}


def old_image_repository(repository: Repository, vehicle: Vehicle, files: Files) -> Files:
    old = {name: d for name, d in _first(vehicle).items() if name.startswith("image/")}
    return files | old


def old_image_targets(repository: Repository, vehicle: Vehicle, files: Files) -> Files:
    return files | {"image/targets": _first(vehicle)["image/targets"]}


def old_director_targets(repository: Repository, vehicle: Vehicle, files: Files) -> Files:
    return files | {"director/targets": _first(vehicle)["director/targets"]}


def forged_time(repository: Repository, vehicle: Vehicle, files: Files) -> Files:
    """A time of long ago under the thief's own key."""
    return files | {"time": attested_time(0, derive_key(repository.seed, "thief"))}


def own_keys(repository: Repository, vehicle: Vehicle, files: Files) -> Files:
    """Malware ordered by a Director whose keys are all the thief's."""
    director = _stolen(repository, vehicle)
    director.targets = _malware_under_known_name(repository, vehicle)
    director.generations = dict.fromkeys(director.generations, JUMP)
    return files | _signed(director, _now_ns(files))


def own_root(repository: Repository, vehicle: Vehicle, files: Files) -> Files:
    """The same, with a next root to match, signed by itself only."""
    return files | _with_root(repository, vehicle, files, stolen_root_keys=0)


# ---- with stolen keys ----


def one_root_key(repository: Repository, vehicle: Vehicle, files: Files) -> Files:
    """The same with one of the two root keys that are needed."""
    return files | _with_root(repository, vehicle, files, stolen_root_keys=1)


def lower_root(repository: Repository, vehicle: Vehicle, files: Files) -> Files:
    """All root keys stolen: the next root calls itself the first."""
    director = _stolen(repository, vehicle)
    number = director.versions["root"] + 1
    content = director.root_content(number - 1, _now_ns(files))
    root = signed_file(content, director.keys("root"))
    return files | {f"director/root/{number}": root}


def unknown_image(repository: Repository, vehicle: Vehicle, files: Files) -> Files:
    """The Director's keys stolen: an image that is in no repository."""
    director = _stolen(repository, vehicle)
    director.targets = _malware(repository, vehicle)
    return files | _signed(director, _now_ns(files))


def changed_image(repository: Repository, vehicle: Vehicle, files: Files) -> Files:
    """The Director's keys stolen: a released name, another content."""
    director = _stolen(repository, vehicle)
    director.targets = _malware_under_known_name(repository, vehicle)
    return files | _signed(director, _now_ns(files))


def wrong_hardware(repository: Repository, vehicle: Vehicle, files: Files) -> Files:
    """The Director's keys stolen: released images, each for an ECU of other hardware."""
    director = _stolen(repository, vehicle)
    for filename, content in director.targets.items():
        wrong = [
            ecu_id
            for ecu_id, hardware_id in vehicle.hardware.items()
            if hardware_id not in repository.releases[filename].hardware_ids
        ]
        _ecus(content, {ecu_id: vehicle.hardware[ecu_id] for ecu_id in wrong})
    return files | _signed(director, _now_ns(files))


def director_delegates(repository: Repository, vehicle: Vehicle, files: Files) -> Files:
    """The Director's targets key stolen: the order is left to a role of the thief's."""
    director = _stolen(repository, vehicle)
    director.delegate("thief", ("*",), tuple(vehicle.hardware.values()))
    return files | _signed(director, _now_ns(files))


def outside_delegation(repository: Repository, vehicle: Vehicle, files: Files) -> Files:
    """The Director's keys and a supplier's stolen: the supplier signs what is not theirs."""
    director = _stolen(repository, vehicle)
    director.targets = _malware(repository, vehicle)
    image = deepcopy(repository.image)
    if not image.delegations:
        raise UsageError("attack outside_delegation", expected="a delegation", got="none")
    supplier = next(iter(image.delegations.values()))
    supplier.targets |= director.targets
    signed = image.publish(_now_ns(files))
    theirs = {f"image/{place}": data for place, data in signed.items()}
    return files | _signed(director, _now_ns(files)) | theirs


def lower_release(repository: Repository, vehicle: Vehicle, files: Files) -> Files:
    """The Director's keys stolen: an older image that is still in the Image repository."""
    director = _stolen(repository, vehicle)
    ordered = {ecu_id: _older(repository, f).filename for ecu_id, f in vehicle.orders.items()}
    director.targets = repository.ordered_targets(_with_orders(vehicle, ordered))
    return files | _signed(director, _now_ns(files))


def incompatible(repository: Repository, vehicle: Vehicle, files: Files) -> Files:
    """The Director's keys stolen: of a bundle only the images that require others."""
    director = _stolen(repository, vehicle)
    demanding = [n for n in vehicle.orders.values() if repository.releases[n].requires]
    if not demanding:
        raise UsageError("attack incompatible", expected="an image with requirements")
    kept = {ecu_id: n for ecu_id, n in vehicle.orders.items() if n == demanding[0]}
    alone = _with_orders(vehicle, kept)
    alone.bundle = ""
    director.targets = repository.ordered_targets(alone)
    return files | _signed(director, _now_ns(files))


def bundle_torn(repository: Repository, vehicle: Vehicle, files: Files) -> Files:
    """The Director's keys stolen: one member of the bundle gets no image."""
    if len(vehicle.members) < 2:
        raise UsageError("attack bundle_torn", expected="a bundle of several ECUs")
    director = _stolen(repository, vehicle)
    last = vehicle.members[-1]
    kept = {ecu_id: name for ecu_id, name in vehicle.orders.items() if ecu_id != last}
    director.targets = repository.ordered_targets(_with_orders(vehicle, kept))
    return files | _signed(director, _now_ns(files))


def repeated_ecu(repository: Repository, vehicle: Vehicle, files: Files) -> Files:
    """The Director's keys stolen: two images for one ECU."""
    director = _stolen(repository, vehicle)
    every = dict(vehicle.hardware)
    for content in director.targets.values():
        _ecus(content, every)
    return files | _signed(director, _now_ns(files))


def unknown_ecu(repository: Repository, vehicle: Vehicle, files: Files) -> Files:
    """The Director's keys stolen: an order for an ECU that the vehicle does not have."""
    director = _stolen(repository, vehicle)
    for content in director.targets.values():
        custom = content["custom"]
        assert isinstance(custom, dict)
        del custom["bundle"]
        _ecus(content, {f"{ecu_id}_2": hw for ecu_id, hw in custom["ecus"].items()})
    return files | _signed(director, _now_ns(files))


def another_vehicle(repository: Repository, vehicle: Vehicle, files: Files) -> Files:
    """What the Director has honestly signed for another vehicle of the same kind."""
    director = _stolen(repository, vehicle)
    director.targets_fields["vin"] = f"{vehicle.vin}-OTHER"
    return files | _signed(director, _now_ns(files))


def role_disappears(repository: Repository, vehicle: Vehicle, files: Files) -> Files:
    """The Image repository's online keys stolen: the snapshot no longer lists a supplier."""
    if not repository.image.delegations:
        raise UsageError("attack role_disappears", expected="a delegation", got="none")
    image = deepcopy(repository.image)
    listed = {"targets.json": files["image/targets"]}
    signed = image.publish_snapshot(_now_ns(files), listed)
    return files | {f"image/{place}": data for place, data in signed.items()}


def timestamp_jumps(repository: Repository, vehicle: Vehicle, files: Files) -> Files:
    """The Director's timestamp key stolen: its version leaves no room for honest ones."""
    director = _stolen(repository, vehicle)
    director.versions["timestamp"] = JUMP
    timestamp = director.publish_timestamp(_now_ns(files), files["director/snapshot"])
    return files | {"director/timestamp": timestamp}


def targets_jump(repository: Repository, vehicle: Vehicle, files: Files) -> Files:
    """The Director's keys stolen: the same with the version of the targets."""
    director = _stolen(repository, vehicle)
    director.versions["targets"] = JUMP
    return files | _signed(director, _now_ns(files))


# ---- images ----


def swapped_image(image: bytes) -> bytes:
    """Other content of the same length."""
    return (MALWARE * (len(image) // len(MALWARE) + 1))[: len(image)]


def longer_image(image: bytes) -> bytes:
    return image + bytes(4096)


def shorter_image(image: bytes) -> bytes:
    return image[: len(image) // 2]


# ---- what they share ----


def _stolen(repository: Repository, vehicle: Vehicle) -> RepositoryRoles:
    """The Director's roles for this vehicle, copied, with the present order in them."""
    director = deepcopy(vehicle.director)
    director.targets = repository.ordered_targets(vehicle)
    return director


def _signed(director: RepositoryRoles, now_ns: int) -> Files:
    return {f"director/{place}": data for place, data in director.publish(now_ns).items()}


def _with_root(
    repository: Repository, vehicle: Vehicle, files: Files, stolen_root_keys: int
) -> Files:
    honest = vehicle.director
    thief = RepositoryRoles("director", repository.seed ^ JUMP)
    thief.versions = dict(honest.versions)
    thief.targets = _malware_under_known_name(repository, vehicle)
    thief.targets_fields = dict(honest.targets_fields)
    stolen = honest.keys("root")[:stolen_root_keys]
    root = thief.publish_root(_now_ns(files), also_signed_by=stolen)
    number = thief.versions["root"]
    return {f"director/root/{number}": root} | _signed(thief, _now_ns(files))


def _malware_under_known_name(repository: Repository, vehicle: Vehicle) -> dict[str, Json]:
    targets = repository.ordered_targets(vehicle)
    for content in targets.values():
        content["length"] = len(MALWARE)
        content["hashes"] = {"sha256": sha256(MALWARE).hexdigest()}
    return targets


def _malware(repository: Repository, vehicle: Vehicle) -> dict[str, Json]:
    changed = _malware_under_known_name(repository, vehicle)
    return {f"malware-{filename}": content for filename, content in changed.items()}


def _older(repository: Repository, filename: str) -> Target:
    """A release for the same hardware with a lower release counter."""
    newer = repository.releases[filename]
    for target in repository.releases.values():
        lower = target.release_counter < newer.release_counter
        if lower and set(target.hardware_ids) & set(newer.hardware_ids):
            return target
    raise UsageError("attack lower_release", expected=f"a release older than {filename}")


def _with_orders(vehicle: Vehicle, orders: Mapping[str, str]) -> Vehicle:
    changed = deepcopy(vehicle)
    changed.orders = dict(orders)
    return changed


def _ecus(content: Json, ecus: Mapping[str, str]) -> None:
    custom = content["custom"]
    assert isinstance(custom, dict)
    custom["ecus"] = dict(ecus)
    if "bundle" in custom:
        custom["bundle"]["members"] = sorted(ecus)


def _first(vehicle: Vehicle) -> Files:
    return _published(vehicle, 0)


def _published(vehicle: Vehicle, index: int) -> Files:
    """An older publication that is not the newest one."""
    if len(vehicle.published) < 3:
        got = len(vehicle.published)
        raise UsageError("attack with old metadata", expected="three publications", got=got)
    return dict(vehicle.published[index])


def _now_ns(files: Mapping[str, bytes]) -> int:
    """The time of the answer: a thief signs with today's date."""
    return (time_of(json.loads(files["time"])["signed"]["time"]) - EPOCH_S) * NS_PER_S
