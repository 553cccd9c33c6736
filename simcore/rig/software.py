"""The software of the reference ECUs: what the factory wrote, and the back end that updates it.

`Backend` is what scripts release software with; its keys follow from a seed, as do those that the
factory wrote into the ECUs, so that the two belong together. All of them are test keys.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import shake_128

from simcore.ecu import Ecu, Node
from simcore.ecu.runtime.diagnostics_rows import VIN as VIN_BYTES
from simcore.ecu.runtime.software import SoftwareSettings
from simcore.ecu.runtime.software_bundle import CoordinatorSettings
from simcore.errors import UsageError
from simcore.units import NS_PER_S
from simcore.update.attacks import Pace
from simcore.update.bootloader import Bootloader, BootSettings
from simcore.update.bundle import BundleSettings
from simcore.update.client_settings import ClientSettings
from simcore.update.compatibility import Requirement
from simcore.update.flash import Flash
from simcore.update.guards import GuardSettings
from simcore.update.image import Behaviour, ImageVersion, SigningKey, build_image
from simcore.update.layout import FlashLayout
from simcore.update.metadata_keys import derive_key, public_key
from simcore.update.repository import Repository
from simcore.update.repository_reference import ACCEPTED_NS, UPDATE_NS, reference_repository
from simcore.update.repository_reference import VERSIONS as HISTORY
from simcore.update.reset_cause import ResetCause
from simcore.update.verification import FullVerification, PartialVerification
from simcore.update.verification_transfer import TransferLimits

SEED = 1
VIN = VIN_BYTES.decode()
PRIMARY = "CDC"
"""Verifies metadata in full, and decides for a bundle."""
HARDWARE: Mapping[str, str] = {
    "CDC": "CDC-HW",
    "EMB_FL": "EMB-HW",
    "EMB_FR": "EMB-HW",
    "EMB_RL": "EMB-HW",
    "EMB_RR": "EMB-HW",
}
"""ECUs whose software can change, with the hardware they are."""
FACTORY_VERSION = "1.0.0"
FACTORY_SIZE = 24 * 1024
IMAGE_SIZE_MAX = 2 * 1024 * 1024 + 64 * 1024
TRIES = 3
_GUARDS = GuardSettings(supply_min_v=36.0, supply_max_v=56.0)
"""The actuators and controllers hang on 48 V."""
_RECORD_SECTORS = 6


def image_key() -> SigningKey:
    """The key that signs images."""
    return SigningKey.of(SEED, "images")


def ecu_key(node: str) -> bytes:
    """An ECU's own private key."""
    return derive_key(SEED, "ecu", node)


def filename_of(hardware_id: str, version: str) -> str:
    """`emb-1.1.0.img`."""
    return f"{hardware_id.removesuffix('-HW').lower()}-{version}.img"


def signed_image(
    hardware_id: str,
    version: str,
    *,
    size: int = FACTORY_SIZE,
    security_counter: int = 1,
    behaviour: Behaviour = Behaviour.HEALTHY,
    key: SigningKey | None = None,
) -> bytes:
    """An image for the reference hardware; what is in it is noise that follows from its name."""
    payload = shake_128(f"{hardware_id} {version}".encode()).digest(size)
    return build_image(
        payload,
        version,
        image_key() if key is None else key,
        security_counter=security_counter,
        hardware_id=hardware_id,
        behaviour=behaviour,
    )


@lru_cache(maxsize=1)
def layout() -> FlashLayout:
    """Where everything lies; the same in all ECUs."""
    return FlashLayout.plan(
        IMAGE_SIZE_MAX, record_sectors=_RECORD_SECTORS, audit_size=1 << 17, metadata_size=1 << 17
    )


@lru_cache(maxsize=1)
def _factory() -> Repository:
    repository = Repository(SEED)
    repository.add_vehicle(VIN, HARDWARE)
    return repository


@lru_cache(maxsize=len(HARDWARE))
def software_settings(node: str) -> SoftwareSettings:
    """What the factory knows of an ECU's software."""
    hardware_id = HARDWARE[node]
    is_primary = node == PRIMARY
    verify_keys = (image_key().public,)
    verification = (
        FullVerification(vin=VIN, ecu_id=node, hardware=HARDWARE)
        if is_primary
        else PartialVerification(vin=VIN, ecu_id=node, hardware_id=hardware_id)
    )
    return SoftwareSettings(
        layout=layout(),
        boot=BootSettings(keys=verify_keys, hardware_id=hardware_id, tries=TRIES),
        client=ClientSettings(
            ecu_id=node,
            hardware_id=hardware_id,
            keys=verify_keys,
            trusted=_factory().provisioned(VIN, is_full=is_primary),
            coordinator_key=public_key(_coordinator_key()),
            is_coordinator=is_primary,
            guards=_GUARDS,
            transfer=TransferLimits(window_ns=3 * NS_PER_S, window_size=3 * 1024),
        ),
        verification=verification,
        ecu_key=ecu_key(node),
        factory_file=filename_of(hardware_id, FACTORY_VERSION),
        rxswin=f"R13H-SIMCORE-{hardware_id.removesuffix('-HW')}-01",
    )


@lru_cache(maxsize=1)
def coordinator_settings() -> CoordinatorSettings:
    """What the domain controller knows of the vehicle's ECUs."""
    return CoordinatorSettings(
        bundle=BundleSettings(ecu_id=PRIMARY, key=_coordinator_key()),
        vin=VIN,
        public_keys={node: public_key(ecu_key(node)) for node in HARDWARE},
    )


def provision(node: str, module: Node) -> None:
    """Tell a simulated ECU, before its first start, what the factory knows of its software.

    Any other module is let alone, and so is an ECU that has been told already.
    """
    if node in HARDWARE and isinstance(module, Ecu):
        if module.software_settings is None:
            module.software_settings = software_settings(node)
        if node == PRIMARY and module.coordinator_settings is None:
            module.coordinator_settings = coordinator_settings()


def factory_flash(node: str) -> Flash:
    """The flash of an ECU as it leaves the factory: the first image, everything else blank."""
    return copy.deepcopy(_factory_flash(HARDWARE[node]))


@lru_cache(maxsize=2)
def _factory_flash(hardware_id: str) -> Flash:
    flash = Flash(layout().geometry())
    image = signed_image(hardware_id, FACTORY_VERSION)
    padded = image.ljust(-(-len(image) // flash.geometry.program_size) * 8, b"\xff")
    layout().running.on(flash).program(0, padded)
    node = next(name for name, each in HARDWARE.items() if each == hardware_id)
    bootloader = Bootloader(flash, layout(), software_settings(node).boot)
    while not bootloader.step(ResetCause.POWER_ON).done:  # the test of the line's end
        pass
    flash.take_busy_ns()
    return flash


def _coordinator_key() -> bytes:
    return derive_key(SEED, "bundle coordinator")


class Backend:
    """Director and Image repository of the reference vehicle, with one campaign at a time.

    backend = Backend()
    backend.campaign("1.1.0", now_ns=rig.now_ns)
    backend.metadata(rig.now_ns), backend.image("EMB_FL")
    """

    def __init__(self) -> None:
        self.repository = Repository(SEED)
        self.repository.add_vehicle(VIN, HARDWARE)
        self._count = 0
        self.orders: dict[str, str] = {}
        """Filename by ECU."""
        self.publication = -1
        """Which one is served; the last."""
        self.ahead_ns = 0
        """How far the time server's clock is ahead of the vehicle's."""

    @classmethod
    def with_history(cls, *, size: int = FACTORY_SIZE) -> Backend:
        """One that has published 1.0.0, 1.1.0 and 2.0.0 for all ECUs: what attacks are made on.

        It serves 1.1.0 first; `serve` changes that.
        """
        images = {
            filename_of(hardware_id, version): signed_image(
                hardware_id, version, size=size, security_counter=number
            )
            for number, version in enumerate(HISTORY, start=1)
            for hardware_id in sorted(set(HARDWARE.values()))
        }
        backend = cls()
        backend.repository = reference_repository(SEED, images).repository
        backend.serve(HISTORY[1])
        return backend

    def serve(self, version: str) -> None:
        """Serve this version of the history."""
        if version not in HISTORY:
            raise UsageError("serve", expected=f"of {', '.join(HISTORY)}", got=version)
        self.publication = HISTORY.index(version) - len(HISTORY)
        self.orders = {node: filename_of(HARDWARE[node], version) for node in HARDWARE}
        self.ahead_ns = UPDATE_NS if version == HISTORY[-1] else ACCEPTED_NS

    def campaign(
        self,
        version: str,
        *,
        now_ns: int,
        nodes: Iterable[str] = tuple(HARDWARE),
        size: int = FACTORY_SIZE,
        is_bundle: bool = True,
        behaviour: Mapping[str, Behaviour] | None = None,
        key: SigningKey | None = None,
        security_counter: int | None = None,
        requires: Mapping[str, Iterable[Requirement]] | None = None,
    ) -> dict[str, str]:
        """Release a version for some ECUs, order it and publish; filename by ECU.

        `behaviour` by node gives one of them an image of its own. A bundle is all or none.
        """
        self._count += 1
        counter = self._count + 1 if security_counter is None else security_counter
        self.orders = {}
        for node in nodes:
            if node not in HARDWARE:
                known = ", ".join(HARDWARE)
                raise UsageError("campaign", expected=f"of {known}", got=node)
            odd = (behaviour or {}).get(node, Behaviour.HEALTHY)
            name = filename_of(HARDWARE[node], version)
            if odd is not Behaviour.HEALTHY:
                name = f"{odd.name.lower().replace('_', '-')}-{name}"
            if name not in self.repository.releases:
                image = signed_image(
                    HARDWARE[node],
                    version,
                    size=size,
                    security_counter=counter,
                    behaviour=odd,
                    key=key,
                )
                self.repository.release(
                    name,
                    image,
                    version=version,
                    hardware_ids=(HARDWARE[node],),
                    release_counter=self._count + 1,
                    security_counter=counter,
                    requires=(requires or {}).get(node, ()),
                )
            self.orders[node] = name
        bundle = f"software {version} ({self._count})" if is_bundle else ""
        self.repository.order(VIN, self.orders, bundle=bundle)
        self.repository.publish(now_ns)
        return dict(self.orders)

    def metadata(self, now_ns: int) -> bytes:
        """The metadata set that the vehicle downloads now."""
        return self.repository.metadata_for(
            VIN, now_ns + self.ahead_ns, publication=self.publication
        )

    @property
    def pace(self) -> Pace | None:
        """How a thief lets the transfer of images trickle; `None` without one."""
        attack = self.repository.attack
        return None if attack is None else attack.pace

    def image(self, node: str) -> bytes:
        """The image that is ordered for an ECU."""
        return self.repository.image_bytes(self.orders[node])


__all__ = ["Backend", "Behaviour", "ImageVersion", "factory_flash", "software_settings"]
