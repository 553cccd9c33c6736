"""A back end with a short history for the reference vehicle: what attacks and examples start from.

Three publications, an hour apart: the factory software 1.0.0, the software 1.1.0 that the vehicle
has installed, and an update to 2.0.0 that needs controller and actuators to be new together. The
actuators' images are signed by their supplier, to whom the Image repository delegates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import shake_128

from simcore.units import NS_PER_S
from simcore.update.compatibility import Requirement
from simcore.update.image_format import ImageVersion
from simcore.update.repository import Repository
from simcore.update.trusted import TrustedMetadata
from simcore.update.verification import FullVerification, Installed, PartialVerification

VIN = "W0SMCRE00CHA00001"
PRIMARY = "CDC"
HARDWARE: Mapping[str, str] = {
    "CDC": "CDC-HW",
    "EMB_FL": "EMB-HW",
    "EMB_FR": "EMB-HW",
    "EMB_RL": "EMB-HW",
    "EMB_RR": "EMB-HW",
}
VERSIONS = ("1.0.0", "1.1.0", "2.0.0")
HOUR_NS = 3600 * NS_PER_S
ACCEPTED_NS = 2 * HOUR_NS + 60 * NS_PER_S
"""When the vehicle has accepted the second publication."""
UPDATE_NS = 3 * HOUR_NS + 60 * NS_PER_S
"""When it asks again: the third one is a minute old."""
SUPPLIER = "brakes"


@dataclass(frozen=True, slots=True)
class Reference:
    """The back end, and what the vehicle has accepted of it before the update."""

    repository: Repository
    full: FullVerification
    trusted: TrustedMetadata
    installed: Mapping[str, Installed]

    def partial(self, ecu_id: str) -> PartialVerification:
        """The verification of a secondary."""
        return PartialVerification(vin=VIN, ecu_id=ecu_id, hardware_id=HARDWARE[ecu_id])

    def trusted_by(self, ecu_id: str) -> TrustedMetadata:
        """What a secondary has accepted before the update."""
        factory = self.repository.provisioned(VIN, is_full=False)
        verdict = self.partial(ecu_id).verify(_earlier(self.repository), ACCEPTED_NS, factory)
        assert verdict.trusted is not None, verdict
        return verdict.trusted


def filename_of(hardware_id: str, version: str) -> str:
    """`cdc-2.0.0.img`."""
    return f"{hardware_id.removesuffix('-HW').lower()}-{version}.img"


def reference_repository(seed: int = 1, images: Mapping[str, bytes] | None = None) -> Reference:
    """The back end after its third publication. `images` by filename replace the fillers."""
    repository = Repository(seed)
    repository.add_vehicle(VIN, HARDWARE)
    repository.delegate(SUPPLIER, ("emb-*",), ("EMB-HW",))
    for number, version in enumerate(VERSIONS, start=1):
        orders: dict[str, str] = {}
        for hardware_id in ("CDC-HW", "EMB-HW"):
            name = filename_of(hardware_id, version)
            filler = shake_128(f"{seed} {name}".encode()).digest(2048)
            repository.release(
                name,
                (images or {}).get(name, filler),
                version=version,
                hardware_ids=(hardware_id,),
                release_counter=number,
                security_counter=number,
                requires=_requirements(hardware_id, version),
                role=SUPPLIER if hardware_id == "EMB-HW" else "targets",
            )
            orders |= {ecu_id: name for ecu_id, hw in HARDWARE.items() if hw == hardware_id}
        repository.order(VIN, orders, bundle=f"software {version}")
        repository.publish(number * HOUR_NS)
    full = FullVerification(vin=VIN, ecu_id=PRIMARY, hardware=HARDWARE)
    verdict = full.verify(_earlier(repository), ACCEPTED_NS, repository.provisioned(VIN))
    assert verdict.trusted is not None and verdict.accepted, verdict
    return Reference(repository, full, verdict.trusted, installed_software(repository, "1.1.0"))


def installed_software(repository: Repository, version: str) -> dict[str, Installed]:
    """What the reports say when this version runs everywhere."""
    software = {}
    for ecu_id, hardware_id in HARDWARE.items():
        target = repository.releases[filename_of(hardware_id, version)]
        software[ecu_id] = Installed(
            hardware_id,
            target.sha256,
            target.version,
            target.release_counter,
            target.security_counter,
            target.requires,
        )
    return software


def _requirements(hardware_id: str, version: str) -> tuple[Requirement, ...]:
    if version != "2.0.0":
        return ()
    other = "EMB-HW" if hardware_id == "CDC-HW" else "CDC-HW"
    return (Requirement(other, ImageVersion(2), ImageVersion(3)),)


def _earlier(repository: Repository) -> bytes:
    """What was served after the second publication."""
    return repository.metadata_for(VIN, publication=1)
