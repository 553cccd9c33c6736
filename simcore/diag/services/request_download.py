"""RequestDownload, 0x34 (ISO 14229-1:2020, 14.2), and what RequestUpload shares with it."""

from __future__ import annotations

from functools import partial

from simcore.diag.access import Access, union_of_sessions
from simcore.diag.codes import Nrc, Sid
from simcore.diag.operation import Answer, Operation
from simcore.diag.rows import MemoryArea, TransferTarget
from simcore.diag.services.service import LENGTH, Continued, Request, Service
from simcore.diag.session import DiagnosticState
from simcore.diag.table import DiagnosticTable
from simcore.diag.transfer import Transfer
from simcore.errors import UsageError

ADDRESS_SIZES = range(1, 6)
SIZE_SIZES = range(1, 5)
"""Bytes of an address and of a size that the length format may announce (annex H.1)."""


class RequestDownload(Service):
    """Opens a transfer to an area of the table."""

    __slots__ = ()
    sid = Sid.REQUEST_DOWNLOAD

    def access(self, table: DiagnosticTable) -> Access | None:
        return union_of_sessions(row.download for row in table.areas if row.download is not None)

    def serve(self, request: Request, state: DiagnosticState, now_ns: int) -> Answer:
        return begin_transfer(request, state, now_ns, is_download=True)


def begin_transfer(
    request: Request, state: DiagnosticState, now_ns: int, *, is_download: bool
) -> Answer:
    """Check a request of 0x34 or 0x35 in its order and open the transfer."""
    payload = request.payload
    if len(payload) < 5:
        return LENGTH
    address_size, size_size = payload[2] & 0x0F, payload[2] >> 4
    formats = {data_format for row in state.table.areas for data_format in row.formats}
    if (
        payload[1] not in formats
        or address_size not in ADDRESS_SIZES
        or size_size not in SIZE_SIZES
    ):
        return Nrc.REQUEST_OUT_OF_RANGE
    if len(payload) != 3 + address_size + size_size:
        return LENGTH
    address = int.from_bytes(payload[3 : 3 + address_size], "big")
    size = int.from_bytes(payload[3 + address_size :], "big")
    area = state.table.area(address, size) if size else None
    access = None if area is None else area.download if is_download else area.upload
    if area is None or access is None or payload[1] not in area.formats:
        return Nrc.REQUEST_OUT_OF_RANGE
    if not access.in_session(state.session):
        return Nrc.REQUEST_OUT_OF_RANGE
    refusal = state.denial(access) or _unmet(request, area, state, now_ns)
    if refusal is not None:
        return refusal
    opened = area.target.begin(address - area.start, size, payload[1], now_ns)
    if isinstance(opened, Nrc):
        return opened
    finish = partial(_open, state, area.target, size, is_download)
    if isinstance(opened, Operation):
        return Continued(opened, finish)
    return finish(opened.to_bytes(4, "big"))


def _unmet(request: Request, area: MemoryArea, state: DiagnosticState, now_ns: int) -> Nrc | None:
    if state.transfer is not None:
        return Nrc.CONDITIONS_NOT_CORRECT
    refusal = None if area.condition is None else area.condition(now_ns)
    return refusal or state.unmet(Sid(request.payload[0]), now_ns)


def _open(
    state: DiagnosticState, target: TransferTarget, size: int, is_download: bool, block_size: bytes
) -> bytes:
    number = int.from_bytes(block_size, "big")
    if not 3 <= number <= 0xFFFFFFFF:
        raise UsageError("transfer target, begin", expected="a block length >= 3", got=number)
    state.transfer = Transfer(target, size, number, is_download=is_download)
    width = 2 if number <= 0xFFFF else 4
    return bytes((width << 4,)) + number.to_bytes(width, "big")
