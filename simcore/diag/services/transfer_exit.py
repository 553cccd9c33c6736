"""RequestTransferExit, 0x37 (ISO 14229-1:2020, 14.6)."""

from __future__ import annotations

from functools import partial

from simcore.diag.access import Access
from simcore.diag.codes import Nrc, Sid
from simcore.diag.operation import Answer
from simcore.diag.services.service import Request, Service, continued
from simcore.diag.services.transfer_data import transfer_access
from simcore.diag.session import DiagnosticState
from simcore.diag.table import DiagnosticTable


class RequestTransferExit(Service):
    """Ends a transfer whose bytes all went over, well or not.

    Only where the request itself is refused can it be repeated.
    """

    __slots__ = ()
    sid = Sid.REQUEST_TRANSFER_EXIT

    def access(self, table: DiagnosticTable) -> Access | None:
        return transfer_access(table)

    def serve(self, request: Request, state: DiagnosticState, now_ns: int) -> Answer:
        transfer = state.transfer
        if transfer is None or not transfer.is_complete:
            return Nrc.REQUEST_SEQUENCE_ERROR
        answer = transfer.target.finish(request.payload[1:], now_ns)
        return continued(answer, partial(_closed, state), partial(_refused, state))


def _closed(state: DiagnosticState, record: bytes) -> bytes:
    state.transfer = None
    return record


def _refused(state: DiagnosticState, nrc: Nrc) -> None:
    if nrc not in _TO_BE_REPEATED:
        state.transfer = None


_TO_BE_REPEATED = (
    Nrc.INCORRECT_MESSAGE_LENGTH_OR_INVALID_FORMAT,
    Nrc.CONDITIONS_NOT_CORRECT,
    Nrc.REQUEST_OUT_OF_RANGE,
)
