"""TransferData, 0x36 (ISO 14229-1:2020, 14.5): blocks, their counter and their repetition."""

from __future__ import annotations

from functools import partial

from simcore.diag.access import Access, union_of_sessions
from simcore.diag.codes import Nrc, Sid
from simcore.diag.operation import Answer
from simcore.diag.services.service import LENGTH, Request, Service, continued
from simcore.diag.session import DiagnosticState
from simcore.diag.table import DiagnosticTable
from simcore.diag.transfer import Transfer
from simcore.errors import UsageError

OVERHEAD = 2
"""Service identifier and counter, which maxNumberOfBlockLength counts too."""


class TransferData(Service):
    """A block that came before is answered again and not stored again: its answer was lost."""

    __slots__ = ()
    sid = Sid.TRANSFER_DATA

    def access(self, table: DiagnosticTable) -> Access | None:
        return transfer_access(table)

    def serve(self, request: Request, state: DiagnosticState, now_ns: int) -> Answer:
        if len(request) < OVERHEAD:
            return LENGTH
        transfer = state.transfer
        if transfer is None:
            return Nrc.REQUEST_SEQUENCE_ERROR
        counter = request.payload[1]
        if transfer.answered is not None and counter == transfer.counter:
            return transfer.answered
        if transfer.is_complete:
            return Nrc.REQUEST_SEQUENCE_ERROR
        if counter != transfer.next_counter:
            return Nrc.WRONG_BLOCK_SEQUENCE_COUNTER
        if transfer.is_download:
            return _take(transfer, request, state, now_ns)
        return _give(transfer, request, now_ns)


def _take(transfer: Transfer, request: Request, state: DiagnosticState, now_ns: int) -> Answer:
    if not OVERHEAD < len(request) <= transfer.block_size:
        return LENGTH
    data = request.data
    if transfer.moved + len(data) > transfer.size:
        state.abandon_transfer(now_ns)
        return Nrc.TRANSFER_DATA_SUSPENDED
    answer = transfer.target.take(data, now_ns)
    return continued(answer, partial(_moved, transfer, request.payload[1], len(data)))


def _give(transfer: Transfer, request: Request, now_ns: int) -> Answer:
    if len(request) != OVERHEAD:
        return LENGTH
    size = min(transfer.size - transfer.moved, transfer.block_size - OVERHEAD)
    answer = transfer.target.give(size, now_ns)
    return continued(answer, partial(_given, transfer, request.payload[1], size))


def _given(transfer: Transfer, counter: int, size: int, data: bytes) -> bytes:
    if len(data) != size:
        raise UsageError("transfer target, give", expected=f"{size} bytes", got=len(data))
    return _moved(transfer, counter, size, data)


def _moved(transfer: Transfer, counter: int, size: int, data: bytes) -> bytes:
    transfer.moved += size
    transfer.counter = counter
    transfer.answered = bytes((counter,)) + data
    return transfer.answered


def transfer_access(table: DiagnosticTable) -> Access | None:
    """Where there can be a transfer at all."""
    rules = [rule for row in table.areas for rule in (row.download, row.upload)]
    return union_of_sessions(rule for rule in rules if rule is not None)
