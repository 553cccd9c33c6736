"""ECUReset, 0x11 (ISO 14229-1:2020, 10.3). The reset itself happens once the response has left."""

from __future__ import annotations

from collections.abc import Mapping

from simcore.diag.access import Access, union_of_sessions
from simcore.diag.codes import Nrc, ResetKind, Sid
from simcore.diag.operation import Answer
from simcore.diag.services.service import Request, Service, SubFunction, total_size
from simcore.diag.session import DiagnosticState
from simcore.diag.table import DiagnosticTable


class EcuReset(Service):
    """Sub-functions are the kinds of reset of the table."""

    __slots__ = ()
    sid = Sid.ECU_RESET
    has_sub_function = True

    def access(self, table: DiagnosticTable) -> Access | None:
        return union_of_sessions(row.access for row in table.resets)

    def sub_functions(self, table: DiagnosticTable) -> Mapping[int, SubFunction]:
        return {row.kind: SubFunction(_NAMES[row.kind], row.access) for row in table.resets}

    def serve(self, request: Request, state: DiagnosticState, now_ns: int) -> Answer:
        refusal = total_size(request, 2) or state.unmet(self.sid, now_ns)
        row = state.table.reset(request.sub_function)
        if refusal is not None or row is None:
            return refusal or Nrc.SUB_FUNCTION_NOT_SUPPORTED
        refusal = None if row.condition is None else row.condition(now_ns)
        if refusal is not None:
            return refusal
        state.reset = row.kind
        return bytes((row.kind,))


_NAMES = {
    ResetKind.HARD: "hardReset",
    ResetKind.KEY_OFF_ON: "keyOffOnReset",
    ResetKind.SOFT: "softReset",
}
