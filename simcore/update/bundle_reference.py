"""A small ECU and a small vehicle with a campaign each: for sweeps, walks and tests.

Four actuators and a chassis controller, images of one or two kilobytes, keys from a seed. What is
built here never changes; the ECUs themselves are in client_ecu.py and bundle_vehicle.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

from simcore.units import NS_PER_S
from simcore.update.bootloader import BootSettings
from simcore.update.bundle import BundleSettings
from simcore.update.bundle_vehicle import VehiclePlan
from simcore.update.client_ecu import EcuPlan
from simcore.update.client_settings import ClientSettings
from simcore.update.client_steps import campaign_of
from simcore.update.compatibility import Requirement, Software
from simcore.update.image_build import build_image
from simcore.update.image_format import Behaviour, ImageVersion
from simcore.update.image_keys import SigningKey
from simcore.update.layout import FlashLayout
from simcore.update.metadata import BundleOrder
from simcore.update.metadata_keys import derive_key, public_key
from simcore.update.repository import Repository
from simcore.update.verification import FullVerification, PartialVerification

_T = TypeVar("_T")
VIN = "SIMCORE-1"
ACTUATOR = "EMB-HW"
CONTROLLER = "CDC-HW"
HARDWARE: Mapping[str, str] = {
    "EMB_FL": ACTUATOR,
    "EMB_FR": ACTUATOR,
    "EMB_RL": ACTUATOR,
    "EMB_RR": ACTUATOR,
    "CDC": CONTROLLER,
}
OLD, NEW = ImageVersion(1), ImageVersion(2)
COORDINATOR = "CDC"
BUNDLE = f"bundle {NEW}"
SUPPLIER = "brakes"
HOUR_NS = 3600 * NS_PER_S
START_NS = NEW.major * HOUR_NS + 60 * NS_PER_S
"""When the vehicles hear of the new version: it was published a minute ago."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """What one example is made of; hashable, so that it is built once."""

    ecus: tuple[str, ...] = ("EMB_FL",)
    in_bundle: bool = False
    behaviours: tuple[tuple[str, Behaviour], ...] = ()
    """Of the new image, where it is not healthy."""
    strangers: tuple[str, ...] = ()
    """ECUs whose new image is signed by a key that is not theirs."""
    tries: int = 3
    sector_size: int = 1024
    image_size: int = 2048
    unstable: bool = False
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """The back end's side and the vehicle's side of an example."""

    example: Example
    plans: Mapping[str, EcuPlan]
    metadata: bytes
    images: Mapping[str, bytes]
    old_images: Mapping[str, bytes]
    catalogue: Mapping[tuple[str, str], Software]
    campaign: bytes
    coordinator: BundleSettings
    repository: Repository = field(repr=False)

    def __copy__(self: _T) -> _T:
        return self

    def __deepcopy__(self: _T, memo: dict[int, Any]) -> _T:
        return self

    def vehicle_plan(self) -> VehiclePlan:
        """All of it as a vehicle."""
        return VehiclePlan(
            ecus=self.plans,
            coordinator=self.coordinator,
            campaign=self.campaign,
            metadata=self.metadata,
            images=self.images,
            catalogue=self.catalogue,
        )


def image_key(example: Example) -> SigningKey:
    """Signs the images of an example."""
    return SigningKey.of(example.seed, "images")


@lru_cache(maxsize=64)
def built(example: Example) -> Built:
    """Build an example, once."""
    repository = Repository(example.seed)
    repository.add_vehicle(VIN, {name: HARDWARE[name] for name in example.ecus})
    repository.delegate(SUPPLIER, ("emb*",), (ACTUATOR,))
    old_images = _publish(example, repository, OLD)
    before = repository.metadata_for(VIN)
    images = _publish(example, repository, NEW)
    bundle = BundleOrder(BUNDLE, ()) if example.in_bundle else None
    catalogue = {}
    for name in example.ecus:
        requires = _requirements(example, name, NEW)
        catalogue[name, str(NEW)] = Software(HARDWARE[name], NEW, requires)
        catalogue[name, str(OLD)] = Software(HARDWARE[name], OLD)
    plans = {
        name: _plan(example, repository, name, before, old_images[name]) for name in example.ecus
    }
    return Built(
        example=example,
        plans=plans,
        metadata=repository.metadata_for(VIN),
        images=images,
        old_images=old_images,
        catalogue=catalogue,
        campaign=campaign_of(repository.releases[filename_of(example.ecus[0])], bundle),
        coordinator=BundleSettings(ecu_id=COORDINATOR, key=_coordinator_key(example)),
        repository=repository,
    )


def _publish(example: Example, repository: Repository, version: ImageVersion) -> dict[str, bytes]:
    """Release, order and publish one version for all ECUs; the images."""
    behaviours = dict(example.behaviours)
    images = {}
    for name in example.ecus:
        behaviour = behaviours.get(name) if version == NEW else None
        images[name] = _image(example, name, version, behaviour or Behaviour.HEALTHY)
        repository.release(
            filename_of(name, version),
            images[name],
            version=str(version),
            hardware_ids=(HARDWARE[name],),
            release_counter=version.major,
            security_counter=version.major,
            requires=_requirements(example, name, version),
            role=SUPPLIER if HARDWARE[name] == ACTUATOR else "targets",
        )
    bundle = f"bundle {version}" if example.in_bundle else ""
    orders = {name: filename_of(name, version) for name in example.ecus}
    repository.order(VIN, orders, bundle=bundle)
    if version == OLD:
        repository.publish(0)  # once more than is known: what a thief may serve again
    repository.publish(version.major * HOUR_NS)
    return images


def filename_of(ecu_id: str, version: ImageVersion = NEW) -> str:
    """Of an ECU's image."""
    return f"{ecu_id.lower()}-{version}.img"


def _image(example: Example, name: str, version: ImageVersion, behaviour: Behaviour) -> bytes:
    pattern = f"{name} {version} ".encode()
    size = example.image_size - 512 if version == NEW else example.image_size - 900
    key = image_key(example)
    if version == NEW and name in example.strangers:
        key = SigningKey.of(example.seed, "a stranger's images")
    return build_image(
        (pattern * (size // len(pattern) + 1))[:size],
        version,
        key,
        security_counter=version.major,
        hardware_id=HARDWARE[name],
        behaviour=behaviour,
    )


def _requirements(example: Example, name: str, version: ImageVersion) -> tuple[Requirement, ...]:
    """New software wants new software on the other side; the old one runs with either."""
    if not example.in_bundle or version == OLD:
        return ()
    other = CONTROLLER if HARDWARE[name] == ACTUATOR else ACTUATOR
    return (Requirement(other, NEW),)


def _coordinator_key(example: Example) -> bytes:
    return derive_key(example.seed, "coordinator")


def _plan(
    example: Example, repository: Repository, name: str, before: bytes, image: bytes
) -> EcuPlan:
    is_coordinator = example.in_bundle and name == COORDINATOR
    hardware = {each: HARDWARE[each] for each in example.ecus}
    hardware_id = HARDWARE[name]
    key = image_key(example)
    room = 10 if is_coordinator else 6
    layout = FlashLayout.plan(
        example.image_size,
        sector_size=example.sector_size,
        record_sectors=2 + (2 if is_coordinator else 0) + room * 1024 // example.sector_size,
        audit_size=12_288,
        metadata_size=16_384,
    )
    verification: FullVerification | PartialVerification
    if is_coordinator:
        verification = FullVerification(vin=VIN, ecu_id=name, hardware=hardware)
    else:
        verification = PartialVerification(vin=VIN, ecu_id=name, hardware_id=hardware_id)
    factory = repository.provisioned(VIN, is_full=is_coordinator)
    trusted = verification.verify(before, HOUR_NS, factory).trusted
    assert trusted is not None
    client = ClientSettings(
        ecu_id=name,
        hardware_id=hardware_id,
        keys=(key.public,),
        trusted=trusted,
        alive_cycles=2,
        persist_sectors=1,
        coordinator_key=public_key(_coordinator_key(example)) if example.in_bundle else b"",
        is_coordinator=is_coordinator,
    )
    boot = BootSettings(keys=(key.public,), hardware_id=hardware_id, tries=example.tries)
    return EcuPlan(
        layout=layout,
        boot=boot,
        client=client,
        verification=verification,
        audit_key=derive_key(example.seed, "audit", name),
        image=image,
        unstable=example.unstable,
    )
