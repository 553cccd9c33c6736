"""WriteDataByIdentifier, 0x2E (ISO 14229-1:2020, 11.7)."""

from __future__ import annotations

from functools import partial

from simcore.diag.access import Access, union_of_sessions
from simcore.diag.codes import Nrc, Sid
from simcore.diag.operation import Answer
from simcore.diag.services.service import LENGTH, Request, Service, continued, prefixed
from simcore.diag.session import DiagnosticState
from simcore.diag.table import DiagnosticTable


class WriteDataByIdentifier(Service):
    """Handlers refuse content with 0x31, conditions with 0x22, a failed memory with 0x72."""

    __slots__ = ()
    sid = Sid.WRITE_DATA_BY_IDENTIFIER

    def access(self, table: DiagnosticTable) -> Access | None:
        return union_of_sessions(row.writing for row in table.dids if row.write is not None)

    def serve(self, request: Request, state: DiagnosticState, now_ns: int) -> Answer:
        payload = request.payload
        if len(payload) < 4:
            return LENGTH
        row = state.table.did(int.from_bytes(payload[1:3], "big"))
        if row is None or row.write is None or not row.writing.in_session(state.session):
            return Nrc.REQUEST_OUT_OF_RANGE
        refusal = state.denial(row.writing)
        if refusal is None and row.size is not None and len(payload) != 3 + row.size:
            refusal = LENGTH
        refusal = refusal or state.unmet(self.sid, now_ns)
        if refusal is not None:
            return refusal
        return continued(row.write(payload[3:], now_ns), partial(prefixed, payload[1:3]))
