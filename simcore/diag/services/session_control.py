"""DiagnosticSessionControl, 0x10 (ISO 14229-1:2020, 10.2)."""

from __future__ import annotations

from collections.abc import Mapping

from simcore.diag.codes import Nrc, Sid
from simcore.diag.operation import Answer
from simcore.diag.services.service import Request, Service, SubFunction, total_size
from simcore.diag.session import DiagnosticState
from simcore.diag.table import DiagnosticTable
from simcore.units import NS_PER_MS


class DiagnosticSessionControl(Service):
    """Sub-functions are the sessions; one without a way from the active session gives 0x7E."""

    __slots__ = ()
    sid = Sid.DIAGNOSTIC_SESSION_CONTROL
    has_sub_function = True

    def sub_functions(self, table: DiagnosticTable) -> Mapping[int, SubFunction]:
        return {
            row.session: SubFunction(row.name, row.access, row.reached_from)
            for row in table.sessions
        }

    def serve(self, request: Request, state: DiagnosticState, now_ns: int) -> Answer:
        refusal = total_size(request, 2) or state.unmet(self.sid, now_ns)
        row = state.table.session(request.sub_function)
        if refusal is not None or row is None:
            return refusal or Nrc.SUB_FUNCTION_NOT_SUPPORTED
        refusal = None if row.condition is None else row.condition(now_ns)
        if refusal is not None:
            return refusal
        state.enter(row.session, now_ns)
        p2_ms = row.p2_ns // NS_PER_MS
        p2_star_10ms = row.p2_star_ns // (10 * NS_PER_MS)
        return bytes((row.session,)) + p2_ms.to_bytes(2, "big") + p2_star_10ms.to_bytes(2, "big")
