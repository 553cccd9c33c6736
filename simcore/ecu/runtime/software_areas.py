"""Memory areas of an ECU whose software can change: image, metadata, audit log.

Downloads end in flash, block by block; an answer leaves when the flash is done with the block.
"""

from __future__ import annotations

from simcore.diag.codes import Nrc
from simcore.diag.operation import Answer, Operation
from simcore.ecu.runtime.software import Software
from simcore.ecu.runtime.software_answers import SoftwareAnswers
from simcore.update.client_checks import failure_of
from simcore.update.client_ports import Accepted
from simcore.update.flash import FlashRegion
from simcore.update.guards import Refused
from simcore.update.states import UpdateState
from simcore.update.verification_verdict import Check

IMAGE_ADDRESS = 0x0800_0000
METADATA_ADDRESS = 0x0A00_0000
AUDIT_ADDRESS = 0x0B00_0000
BLOCK_SIZE = 4095
"""maxNumberOfBlockLength: service identifier and counter included."""
METADATA_SIZE_MAX = 1 << 24
"""Of what a tester may announce: an endless set is refused by its name."""
_S = UpdateState


class ImageTarget:
    """The download area of the update client."""

    __slots__ = ("_offset", "_rows")

    def __init__(self, rows: SoftwareAnswers) -> None:
        self._rows = rows
        self._offset = 0

    def begin(self, offset: int, size: int, data_format: int, now_ns: int) -> int | Nrc | Operation:
        """Begin, or go on where the last transfer was cut: offset and size say so together."""
        client = self._rows.ready()
        if client is None:
            return Nrc.CONDITIONS_NOT_CORRECT
        result = client.begin_download(offset + size, now_ns)
        if isinstance(result, Accepted) and result.offset != offset:
            result = Refused(Nrc.REQUEST_OUT_OF_RANGE, f"goes on at {result.offset}, not {offset}")
        answer = self._rows.answered("download", result, now_ns, BLOCK_SIZE.to_bytes(2, "big"))
        if isinstance(answer, bytes):
            self._offset = offset
            return int.from_bytes(answer, "big")
        if not isinstance(answer, Nrc):
            self._offset = offset
        return answer

    def take(self, data: bytes, now_ns: int) -> Answer:
        client = self._rows.ready()
        if client is None:
            return Nrc.CONDITIONS_NOT_CORRECT
        result = client.write(self._offset, data, now_ns)
        if isinstance(result, Accepted):
            self._offset += len(data)
        return self._rows.answered("block", result, now_ns)

    def give(self, size: int, now_ns: int) -> Answer:
        return Nrc.UPLOAD_DOWNLOAD_NOT_ACCEPTED

    def finish(self, parameters: bytes, now_ns: int) -> Answer:
        client = self._rows.ready()
        if client is None:
            return Nrc.CONDITIONS_NOT_CORRECT
        return self._rows.answered("end of download", client.end_download(now_ns), now_ns)

    def abandon(self, now_ns: int) -> None:
        """What was stored stays; the client says from where to go on."""


class Erasing:
    """Erases a region sector by sector, then answers."""

    __slots__ = ("_answer", "_due_ns", "_region", "_sectors")

    def __init__(self, region: FlashRegion, size: int, answer: bytes, now_ns: int) -> None:
        self._region = region
        self._answer = answer
        self._sectors = -(-size // region.sector_size)
        self._due_ns = now_ns + 1

    def step(self, now_ns: int) -> bytes | Nrc | None:
        region = self._region
        while self._sectors:
            self._sectors -= 1
            start = self._sectors * region.sector_size
            if not region.is_erased(start, region.sector_size):
                region.erase(start, region.sector_size)
                self._due_ns = now_ns + max(region.flash.take_busy_ns(), 1)
                return None
        return self._answer

    def next_deadline_ns(self) -> int:
        return self._due_ns


class MetadataTarget:
    """The area for metadata: erased as a whole, then programmed in order."""

    __slots__ = ("_pending", "_region", "_rows", "_written")

    def __init__(self, rows: SoftwareAnswers, region: FlashRegion) -> None:
        self._rows = rows
        self._region = region
        self._pending = b""
        self._written = 0

    def begin(self, offset: int, size: int, data_format: int, now_ns: int) -> int | Nrc | Operation:
        client = self._rows.ready()
        if client is None or client.state is not _S.IDLE:
            return Nrc.CONDITIONS_NOT_CORRECT
        if offset:
            return Nrc.REQUEST_OUT_OF_RANGE
        if size > self._region.size:
            failure = failure_of(Check.TOO_LONG, f"{size} bytes of metadata")
            self._rows.keep_attack(failure.cause, failure.detail)
            return Nrc.REQUEST_OUT_OF_RANGE
        self._pending, self._written = b"", 0
        answer = BLOCK_SIZE.to_bytes(2, "big")
        return Erasing(self._region, self._region.size, answer, now_ns)

    def take(self, data: bytes, now_ns: int) -> Answer:
        pending = self._pending + data
        whole = len(pending) - len(pending) % self._region.program_size
        return self._program(pending[:whole], pending[whole:], now_ns)

    def give(self, size: int, now_ns: int) -> Answer:
        return Nrc.UPLOAD_DOWNLOAD_NOT_ACCEPTED

    def finish(self, parameters: bytes, now_ns: int) -> Answer:
        rest = self._pending
        if not rest:
            return b""
        padding = bytes((self._region.erased,)) * (-len(rest) % self._region.program_size)
        return self._program(rest + padding, b"", now_ns)

    def abandon(self, now_ns: int) -> None:
        self._pending = b""

    def _program(self, data: bytes, rest: bytes, now_ns: int) -> Answer:
        if data:
            self._region.program(self._written, data)
        self._written += len(data)
        self._pending = rest
        return Later(now_ns + self._region.flash.take_busy_ns() + 1)


class Later:
    """Nothing more to say, but not before the flash is done."""

    __slots__ = ("_due_ns",)

    def __init__(self, due_ns: int) -> None:
        self._due_ns = due_ns

    def step(self, now_ns: int) -> bytes | Nrc | None:
        return b"" if now_ns >= self._due_ns else None

    def next_deadline_ns(self) -> int:
        return self._due_ns


class AuditTarget:
    """The audit log, exported when the upload begins."""

    __slots__ = ("_data", "_software")

    def __init__(self, software: Software) -> None:
        self._software = software
        self._data = b""

    def begin(self, offset: int, size: int, data_format: int, now_ns: int) -> int | Nrc | Operation:
        audit = self._software.audit
        if audit is None or offset:
            return Nrc.CONDITIONS_NOT_CORRECT
        exported = audit.export(now_ns)
        if size < len(exported):
            return Nrc.REQUEST_OUT_OF_RANGE  # a log cut short would look like a torn one
        self._data = exported.ljust(size, b"\n")
        return BLOCK_SIZE

    def take(self, data: bytes, now_ns: int) -> Answer:
        return Nrc.UPLOAD_DOWNLOAD_NOT_ACCEPTED

    def give(self, size: int, now_ns: int) -> Answer:
        data, self._data = self._data[:size], self._data[size:]
        return data

    def finish(self, parameters: bytes, now_ns: int) -> Answer:
        return b""

    def abandon(self, now_ns: int) -> None:
        self._data = b""
