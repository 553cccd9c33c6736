"""The back end of updates in memory: Director and Image repository, and a thief in between.

    repository = Repository(seed=1)
    repository.add_vehicle("SIMCORE-1", {"CDC": "CDC-HW", "EMB_FL": "EMB-HW"})
    repository.release("emb-1.1.0.img", image, version="1.1.0", hardware_ids=("EMB-HW",))
    repository.order("SIMCORE-1", {"EMB_FL": "emb-1.1.0.img"}, bundle="campaign 1")
    repository.publish(now_ns)
    repository.metadata_for("SIMCORE-1")   # what the vehicle downloads

`start_attack` puts one attack of `simcore.update.attacks` between the repositories and the
vehicles. All keys come from the seed; the same calls give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from simcore.errors import UsageError
from simcore.update.compatibility import Requirement
from simcore.update.image_format import ImageVersion
from simcore.update.metadata import Target, pack_files
from simcore.update.metadata_keys import derive_key, public_key
from simcore.update.repository_roles import Json, RepositoryRoles, attested_time
from simcore.update.trusted import TrustedMetadata, TrustedRoles

if TYPE_CHECKING:
    from simcore.update.attacks import AttackCase

Files = dict[str, bytes]


@dataclass(slots=True)
class Vehicle:
    """A vehicle as the Director knows it."""

    vin: str
    hardware: Mapping[str, str]
    director: RepositoryRoles
    orders: dict[str, str] = field(default_factory=dict)
    """Filename by ECU."""
    bundle: str = ""
    members: tuple[str, ...] = ()
    published: list[Files] = field(default_factory=list)
    """What was served after each publication, the newest last."""


class Repository:
    """Director and Image repository with their keys. Copies and pickles at any instant."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.time_key = derive_key(seed, "time server")
        self.image = RepositoryRoles("image", seed)
        self.image.publish_root(0)
        self.vehicles: dict[str, Vehicle] = {}
        self.releases: dict[str, Target] = {}
        self.attack: AttackCase | None = None
        self._images: dict[str, bytes] = {}

    # ---- the owner's side ----

    def add_vehicle(self, vin: str, hardware: Mapping[str, str]) -> None:
        """A vehicle and the hardware id of each of its ECUs."""
        if vin in self.vehicles:
            raise UsageError("Repository.add_vehicle()", expected="a new VIN", got=vin)
        director = RepositoryRoles("director", self.seed)
        director.publish_root(0)
        director.targets_fields["vin"] = vin
        self.vehicles[vin] = Vehicle(vin, dict(hardware), director)

    def release(
        self,
        filename: str,
        image: bytes,
        *,
        version: str,
        hardware_ids: Iterable[str],
        release_counter: int = 1,
        security_counter: int = 0,
        requires: Iterable[Requirement] = (),
        role: str = "targets",
    ) -> Target:
        """Put an image into the Image repository, signed by `role` once published."""
        if filename in self.releases:
            raise UsageError("Repository.release()", expected="a new filename", got=filename)
        target = Target(
            filename=filename,
            length=len(image),
            sha256=sha256(image).digest(),
            version=ImageVersion.parse(version),
            hardware_ids=tuple(hardware_ids),
            release_counter=release_counter,
            security_counter=security_counter,
            requires=tuple(requires),
        )
        self.releases[filename] = target
        self._images[filename] = image
        self._entries(role)[filename] = target_content(target)
        return target

    def delegate(self, name: str, paths: Iterable[str], hardware_ids: Iterable[str]) -> None:
        """Leave images of the Image repository to a role of its own."""
        self.image.delegate(name, paths, hardware_ids)

    def order(self, vin: str, filenames: Mapping[str, str], *, bundle: str = "") -> None:
        """Let the Director order these images, by ECU; all of them at once where a bundle."""
        vehicle = self._vehicle(vin)
        for ecu_id, filename in filenames.items():
            if ecu_id not in vehicle.hardware:
                known = ", ".join(vehicle.hardware)
                raise UsageError(f"order for {vin}", expected=known, got=ecu_id)
            if filename not in self.releases:
                raise UsageError(
                    f"order for {vin}, {ecu_id}", expected="a released image", got=filename
                )
        vehicle.orders = dict(filenames)
        vehicle.bundle = bundle
        vehicle.members = tuple(sorted(filenames)) if bundle else ()

    def publish(self, now_ns: int) -> None:
        """Sign everything anew, for all vehicles."""
        image = {f"image/{place}": data for place, data in self.image.publish(now_ns).items()}
        for vehicle in self.vehicles.values():
            vehicle.director.targets = self.ordered_targets(vehicle)
            director = vehicle.director.publish(now_ns)
            files = {f"director/{place}": data for place, data in director.items()} | image
            files["time"] = attested_time(now_ns, self.time_key)
            vehicle.published.append(files)

    def ordered_targets(self, vehicle: Vehicle) -> dict[str, Json]:
        """The targets of the Director for a vehicle."""
        targets: dict[str, Json] = {}
        for filename in sorted(set(vehicle.orders.values())):
            ecus = {
                ecu_id: vehicle.hardware[ecu_id]
                for ecu_id, ordered in sorted(vehicle.orders.items())
                if ordered == filename
            }
            more: Json = {"ecus": ecus}
            if vehicle.bundle:
                more["bundle"] = {"id": vehicle.bundle, "members": list(vehicle.members)}
            targets[filename] = target_content(self.releases[filename], more)
        return targets

    # ---- the vehicle's side ----

    def provisioned(self, vin: str, *, is_full: bool = True) -> TrustedMetadata:
        """What the factory writes into an ECU: the first roots and the key of the time server."""
        director = self._vehicle(vin).director
        return TrustedMetadata(
            time_key=public_key(self.time_key),
            director=TrustedRoles(director.roots[1]),
            image=TrustedRoles(self.image.roots[1]) if is_full else None,
        )

    def metadata_for(self, vin: str, now_ns: int | None = None, *, publication: int = -1) -> bytes:
        """The metadata set that a vehicle downloads; nothing where no answer comes.

        With `now_ns` the attested time is that of the request, else of the publication.
        `publication` asks for what was served before: 0 for the first, without any attack.
        """
        vehicle = self._vehicle(vin)
        if not vehicle.published:
            raise UsageError(f"metadata for {vin}", expected="publish() before it", got="none")
        files = self._served(vehicle, now_ns, publication)
        if publication != -1:
            return pack_files(files)
        if self.attack is not None and self.attack.on_files is not None:
            files = self.attack.on_files(self, vehicle, files)
        packed = pack_files(files) if files else b""
        if self.attack is not None and self.attack.on_set is not None:
            packed = self.attack.on_set(packed)
        return packed

    def image_bytes(self, filename: str) -> bytes:
        """The image that a vehicle downloads."""
        if filename not in self._images:
            known = ", ".join(sorted(self._images))
            raise UsageError("Repository.image_bytes()", expected=known, got=filename)
        image = self._images[filename]
        if self.attack is not None and self.attack.on_image is not None:
            image = self.attack.on_image(image)
        return image

    # ---- the thief's side ----

    def start_attack(self, name: str) -> AttackCase:
        """Let an attack of the catalogue meet all that is downloaded from now on."""
        from simcore.update.attacks import attack_case

        self.attack = attack_case(name)
        return self.attack

    def stop_attack(self) -> None:
        self.attack = None

    # ---- inside ----

    def _served(self, vehicle: Vehicle, now_ns: int | None, publication: int) -> Files:
        """The files of a publication and all roots but the provisioned ones."""
        files = dict(vehicle.published[publication])
        if now_ns is not None:
            files["time"] = attested_time(now_ns, self.time_key)
        for roles in (vehicle.director, self.image):
            for version, data in roles.roots.items():
                if version > 1:
                    files[f"{roles.name}/root/{version}"] = data
        return files

    def _vehicle(self, vin: str) -> Vehicle:
        if vin not in self.vehicles:
            known = ", ".join(sorted(self.vehicles)) or "add_vehicle() before it"
            raise UsageError("Repository", expected=known, got=vin)
        return self.vehicles[vin]

    def _entries(self, role: str) -> dict[str, Json]:
        if role == "targets":
            return self.image.targets
        if role not in self.image.delegations:
            known = ", ".join(("targets", *self.image.delegations))
            raise UsageError("Repository.release(): role", expected=known, got=role)
        return self.image.delegations[role].targets


def target_content(target: Target, more: Mapping[str, object] | None = None) -> Json:
    """How a target stands in targets metadata."""
    return {
        "length": target.length,
        "hashes": {"sha256": target.sha256.hex()},
        "custom": target.custom() | dict(more or {}),
    }
