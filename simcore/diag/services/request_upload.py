"""RequestUpload, 0x35 (ISO 14229-1:2020, 14.3)."""

from __future__ import annotations

from simcore.diag.access import Access, union_of_sessions
from simcore.diag.codes import Sid
from simcore.diag.operation import Answer
from simcore.diag.services.request_download import begin_transfer
from simcore.diag.services.service import Request, Service
from simcore.diag.session import DiagnosticState
from simcore.diag.table import DiagnosticTable


class RequestUpload(Service):
    """Opens a transfer from an area of the table."""

    __slots__ = ()
    sid = Sid.REQUEST_UPLOAD

    def access(self, table: DiagnosticTable) -> Access | None:
        return union_of_sessions(row.upload for row in table.areas if row.upload is not None)

    def serve(self, request: Request, state: DiagnosticState, now_ns: int) -> Answer:
        return begin_transfer(request, state, now_ns, is_download=False)
