"""SecurityAccess, 0x27 (ISO 14229-1:2020, 10.4). Seeds, keys and counters are in security.py."""

from __future__ import annotations

from collections.abc import Mapping

from simcore.diag.access import Access, union_of_sessions
from simcore.diag.codes import Nrc, Sid
from simcore.diag.operation import Answer
from simcore.diag.services.service import Request, Service, SubFunction, total_size
from simcore.diag.session import DiagnosticState
from simcore.diag.table import DiagnosticTable


class SecurityAccess(Service):
    """Odd sub-functions ask for a seed, the even one after each sends the key."""

    __slots__ = ()
    sid = Sid.SECURITY_ACCESS
    has_sub_function = True

    def access(self, table: DiagnosticTable) -> Access | None:
        return union_of_sessions(row.access for row in table.security)

    def sub_functions(self, table: DiagnosticTable) -> Mapping[int, SubFunction]:
        offered = {}
        for row in table.security:
            offered[row.level] = SubFunction("requestSeed", row.access)
            offered[row.level + 1] = SubFunction("sendKey", row.access)
        return offered

    def serve(self, request: Request, state: DiagnosticState, now_ns: int) -> Answer:
        sub_function = request.sub_function
        wants_seed = bool(sub_function & 1)
        row = state.table.level(sub_function if wants_seed else sub_function - 1)
        if row is None:
            return Nrc.SUB_FUNCTION_NOT_SUPPORTED
        if not wants_seed and not state.security.has_seed(row.level):
            return Nrc.REQUEST_SEQUENCE_ERROR
        size = row.data_size if wants_seed else row.key_size
        refusal = total_size(request, 2 + size) or state.unmet(self.sid, now_ns)
        if refusal is not None:
            return refusal
        if wants_seed:
            seed = state.security.request_seed(row, state.stream, now_ns)
            return seed if isinstance(seed, Nrc) else bytes((sub_function,)) + seed
        return state.security.send_key(row, request.data, now_ns) or bytes((sub_function,))
