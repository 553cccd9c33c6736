"""What an update client keeps in flash: its record, and the orders the record refers to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, TypeVar

from simcore.update.client_settings import ClientSettings
from simcore.update.flash import Flash
from simcore.update.layout import FlashLayout
from simcore.update.metadata import BundleOrder, Target, pack_files, target_of, unpack_files
from simcore.update.record import (
    METADATA_ROLES,
    RECORD_SIZE,
    RecordStore,
    UpdateRecord,
    decode_record,
    encode_record,
)
from simcore.update.record_blobs import BlobStore
from simcore.update.trusted import TrustedMetadata, TrustedRoles

_T = TypeVar("_T")
RECORD_SECTORS = 2
DECISION_SECTORS = 2


@dataclass(frozen=True, slots=True)
class Order:
    """What verified metadata order for this ECU, and what is trusted once it is confirmed."""

    target: Target
    bundle: BundleOrder | None
    trusted: TrustedMetadata

    def to_bytes(self) -> bytes:
        """As kept in flash."""
        target = self.target
        fields = {
            "filename": target.filename,
            "length": target.length,
            "sha256": target.sha256.hex(),
            "custom": target.custom(),
            "bundle": [self.bundle.identifier, *self.bundle.members] if self.bundle else [],
        }
        text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        return pack_files({"order": text.encode(), "trusted": self.trusted.to_bytes()})

    @staticmethod
    def from_bytes(data: bytes) -> Order:
        """The inverse of `to_bytes`."""
        files = unpack_files(data)
        fields = json.loads(files["order"])
        bundle = fields["bundle"]
        return Order(
            target_of(
                fields["filename"],
                fields["length"],
                {"sha256": fields["sha256"]},
                fields["custom"],
            ),
            BundleOrder(bundle[0], tuple(bundle[1:])) if bundle else None,
            TrustedMetadata.from_bytes(files["trusted"]),
        )

    def __copy__(self: _T) -> _T:
        return self

    def __deepcopy__(self: _T, memo: dict[int, Any]) -> _T:
        return self


def metadata_versions(trusted: TrustedMetadata) -> tuple[int, ...]:
    """Timestamp, snapshot, targets and time of Director and Image repository, for the record."""
    versions = [*_versions(trusted.director), trusted.time_s]
    versions += [*(_versions(trusted.image) if trusted.image else (0, 0, 0)), 0]
    assert len(versions) == METADATA_ROLES
    return tuple(versions)


def _versions(roles: TrustedRoles) -> tuple[int, int, int]:
    return roles.timestamp, roles.snapshot, roles.target_version("targets")


class ClientMemory:
    """Record and orders of one ECU in the `records` region."""

    __slots__ = ("_records", "_blobs", "_factory", "_order", "record", "trusted", "is_lost")

    def __init__(self, flash: Flash, layout: FlashLayout, settings: ClientSettings) -> None:
        region = layout.records.on(flash)
        spare = DECISION_SECTORS if settings.is_coordinator else 0
        sectors = region.sectors - RECORD_SECTORS - spare
        self._records = RecordStore(region, RECORD_SIZE)
        self._blobs = BlobStore(region, RECORD_SECTORS, sectors)
        self._factory = settings.trusted
        body = self._records.body
        self.record = UpdateRecord() if body is None else decode_record(body)
        self._order: Order | None = None
        self.is_lost = False
        """The trusted metadata are unreadable: no campaign is accepted, old ones might pass."""
        self.trusted = self._load_trusted()

    @property
    def capacity(self) -> int:
        """The largest order that can be kept."""
        return self._blobs.capacity

    @property
    def order(self) -> Order | None:
        """The order of the campaign under way."""
        number = self.record.candidate_blob
        if self._order is None and number:
            data = self._blobs.read(number)
            self._order = None if data is None else Order.from_bytes(data)
        return self._order

    def filename_of(self, digest: bytes) -> str:
        """Name of the image file with this SHA-256, as ordered; empty for the factory's."""
        for number in (self.record.trusted_blob, self.record.candidate_blob):
            data = self._blobs.read(number) if number else None
            target = None if data is None else Order.from_bytes(data).target
            if target is not None and target.sha256 == digest:
                return target.filename
        return ""

    def settle(self) -> None:
        """Write what was found at the start once more: it may have been half written."""
        if self._records.body is not None:
            self._records.write(self._records.body)

    def persist(self, record: UpdateRecord) -> None:
        """Replace the record."""
        self._records.write(encode_record(record))
        if record.candidate_blob != self.record.candidate_blob:
            self._order = None
        is_other = record.trusted_blob != self.record.trusted_blob
        self.record = record
        if is_other:
            self.trusted = self._load_trusted()

    def keep(self, order: Order) -> int:
        """Keep an order beside the trusted one; the number that the record is to name."""
        number = self.record.trusted_blob + 1
        self._blobs.write(number, order.to_bytes())
        return number

    def _load_trusted(self) -> TrustedMetadata:
        """The factory's until the first commit, and where the flash does not give them back."""
        number = self.record.trusted_blob
        data = self._blobs.read(number) if number else None
        self.is_lost = bool(number) and data is None
        return self._factory if data is None else Order.from_bytes(data).trusted
