"""The persisted record of an update, in two alternating sectors of the `records` region.

Records are appended within a sector; where it is full the other one is erased and goes on. The
newest valid record (largest sequence number, right CRC) wins, so a cut at any flash operation
leaves the record before or the new one. A torn write may read as blank, or as valid now and not
later: so a slot and a number are left out after every start, and what was found is written again.

What the record means is said in states.py; the larger metadata lie in record_blobs.py.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from simcore.errors import UsageError
from simcore.update.block_list import BlockList
from simcore.update.events import UpdateEvent
from simcore.update.states import UpdateState

_T = TypeVar("_T")

MAGIC = b"UREC"
VERSION_SIZE = 24
CAUSE_SIZE = 56
METADATA_ROLES = 8
"""Timestamp, snapshot, targets and time of the Director, then the same of the Image repository,
which has no time."""
_HEAD = struct.Struct("<4sIH")
_CRC = struct.Struct("<I")
_BODY = struct.Struct("<BBBBH16s16s24sI32sBIIIBBI56sIII8I32s")
_FLAGS = ("bundle", "promised", "authorised", "permanent", "installed", "commanded")


class Region(Protocol):
    """A part of a flash with addresses of its own (flash.py)."""

    size: int

    @property
    def sector_size(self) -> int:
        """Bytes per sector."""

    @property
    def program_size(self) -> int:
        """Bytes per program unit."""

    def read(self, address: int, size: int) -> bytes:
        """The bytes as they are now."""

    def is_erased(self, address: int, size: int) -> bool:
        """Blank check."""

    def erase(self, address: int, size: int) -> None:
        """Erase whole sectors."""

    def program(self, address: int, data: bytes) -> None:
        """Program whole units that are erased."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRecord:
    """What an ECU knows of its update after a loss of power."""

    state: UpdateState = UpdateState.IDLE
    previous: UpdateState = UpdateState.IDLE
    event: UpdateEvent = UpdateEvent.NONE
    """`previous` and `event` led to `state`: the audit entry can be made good."""
    resume_state: UpdateState = UpdateState.IDLE
    """Where SUSPENDED goes on."""
    campaign: bytes = bytes(16)
    image_name: bytes = bytes(16)
    """Digest of the target's file name."""
    version: str = ""
    size: int = 0
    image_hash: bytes = bytes(32)
    slot: int = 1
    offset: int = 0
    """Bytes of the download, or of the installation, that are certainly in flash."""
    hash_context: bytes = bytes(8)
    """Chained digest of the downloaded bytes up to `offset`."""
    security_counter: int = 0
    release_counter: int = 0
    tries: int = 0
    """Starts of the new image so far."""
    attack: int = 0
    """Code of the attack that was refused last, until other software was committed."""
    reports: int = 0
    """Version reports made: none has the counter of another one."""
    cause: str = ""
    steps: int = 0
    """Counts the transitions that were audited."""
    trusted_blob: int = 0
    candidate_blob: int = 0
    metadata_versions: tuple[int, ...] = (0,) * METADATA_ROLES
    blocked: BlockList = BlockList()  # noqa: RUF009 - frozen
    bundle: bool = False
    promised: bool = False
    authorised: bool = False
    """Of a bundle; self-test passed and the coordinator told so; commit decided."""
    permanent: bool = False
    """The boot request is for good: a member rolls forward."""
    installed: bool = False
    """The second slot was written in this campaign and is to be erased unless committed."""
    commanded: bool = False
    """Suspended on command, so resumed on command only."""

    def __deepcopy__(self: _T, memo: dict[int, Any]) -> _T:
        return self


def encode_record(record: UpdateRecord) -> bytes:
    """The body of a record. Raises `UsageError` where a text is too long."""
    flags = 0
    for bit, name in enumerate(_FLAGS):
        flags |= bool(getattr(record, name)) << bit
    return (
        _BODY.pack(
            record.state,
            record.previous,
            record.event,
            record.resume_state,
            flags,
            record.campaign,
            record.image_name,
            _text("version", record.version, VERSION_SIZE),
            record.size,
            record.image_hash,
            record.slot,
            record.offset,
            record.security_counter,
            record.release_counter,
            record.tries,
            record.attack,
            record.reports,
            _text("cause", record.cause, CAUSE_SIZE),
            record.steps,
            record.trusted_blob,
            record.candidate_blob,
            *record.metadata_versions,
            record.blocked.encode(),
        )
        + record.hash_context
    )


def decode_record(body: bytes) -> UpdateRecord:
    """The record of `body`, which `encode_record` made."""
    fields = _BODY.unpack(body[: _BODY.size])
    flags = fields[4]
    return UpdateRecord(
        state=UpdateState(fields[0]),
        previous=UpdateState(fields[1]),
        event=UpdateEvent(fields[2]),
        resume_state=UpdateState(fields[3]),
        campaign=fields[5],
        image_name=fields[6],
        version=fields[7].rstrip(b"\0").decode(),
        size=fields[8],
        image_hash=fields[9],
        slot=fields[10],
        offset=fields[11],
        security_counter=fields[12],
        release_counter=fields[13],
        tries=fields[14],
        attack=fields[15],
        reports=fields[16],
        cause=fields[17].rstrip(b"\0").decode(),
        steps=fields[18],
        trusted_blob=fields[19],
        candidate_blob=fields[20],
        metadata_versions=tuple(fields[21 : 21 + METADATA_ROLES]),
        blocked=BlockList.decode(fields[21 + METADATA_ROLES]),
        hash_context=body[_BODY.size : _BODY.size + 8],
        **{name: bool(flags >> bit & 1) for bit, name in enumerate(_FLAGS)},
    )


RECORD_SIZE = _BODY.size + 8


def _text(name: str, text: str, size: int) -> bytes:
    encoded = text.encode()
    if len(encoded) > size:
        raise UsageError(f"update record, {name}", expected=f"at most {size} bytes", got=text)
    return encoded


class RecordStore:
    """Bodies of one fixed size in two sectors of a region, the newest valid of which counts."""

    __slots__ = ("_region", "_first", "_size", "_stride", "_next", "_sequence", "_body")

    def __init__(self, region: Region, size: int, *, first_sector: int = 0) -> None:
        sector_size = region.sector_size
        unit = region.program_size
        needed = _HEAD.size + size + _CRC.size
        self._region = region
        self._first = first_sector * sector_size
        self._size = size
        self._stride = (needed + unit - 1) // unit * unit
        if self._first + 2 * sector_size > region.size or self._stride > sector_size:
            raise UsageError(
                "record store",
                expected=f"two sectors of at least {self._stride} bytes from {self._first:#x}",
                got=f"a region of {region.size} bytes in sectors of {sector_size}",
            )
        self._next = 0
        self._sequence = 0
        self._body: bytes | None = None
        self._open()

    @property
    def body(self) -> bytes | None:
        """The newest valid body; None where there never was one."""
        return self._body

    @property
    def sequence(self) -> int:
        """The last sequence number that may have been used; 0 where there is none."""
        return self._sequence

    def write(self, body: bytes) -> None:
        """Write `body`: at most one erase and one program."""
        if len(body) != self._size:
            raise UsageError("record store", expected=f"{self._size} bytes", got=len(body))
        per_sector = self._region.sector_size // self._stride
        sector, slot = divmod(self._next, per_sector)
        if slot == 0:
            sector %= 2
            sector_size = self._region.sector_size
            self._region.erase(self._first + sector * sector_size, sector_size)
            self._next = sector * per_sector
        head = _HEAD.pack(MAGIC, self._sequence + 1, self._size)
        whole = head + body + _CRC.pack(zlib.crc32(head + body))
        self._region.program(self._address(self._next), whole.ljust(self._stride, b"\0"))
        self._next += 1
        self._sequence += 1
        self._body = body

    def _address(self, index: int) -> int:
        per_sector = self._region.sector_size // self._stride
        sector, slot = divmod(index, per_sector)
        return self._first + sector * self._region.sector_size + slot * self._stride

    def _open(self) -> None:
        per_sector = self._region.sector_size // self._stride
        newest = -1
        for index in range(2 * per_sector):
            found = self._read(index)
            if found is not None and found[0] > self._sequence:
                newest = index
                self._sequence, self._body = found
        if newest < 0:
            return
        last = (newest // per_sector + 1) * per_sector
        following = newest + 1
        for index in range(following, last):
            if not self._region.is_erased(self._address(index), self._stride):
                following = index + 1
        # What follows may be a torn write that reads as blank just now, or as a whole record
        # later: it must not be written over, and its number must be overtaken.
        self._next = min(following + 1, last) % (2 * per_sector)
        self._sequence += 1

    def _read(self, index: int) -> tuple[int, bytes] | None:
        whole = self._region.read(self._address(index), self._stride)
        magic, sequence, size = _HEAD.unpack_from(whole)
        if magic != MAGIC or size != self._size:
            return None
        end = _HEAD.size + size
        if _CRC.unpack_from(whole, end)[0] != zlib.crc32(whole[:end]):
            return None
        return sequence, whole[_HEAD.size : end]


def changed(record: UpdateRecord, **changes: Any) -> UpdateRecord:
    """`record` with other fields."""
    return replace(record, **changes)
