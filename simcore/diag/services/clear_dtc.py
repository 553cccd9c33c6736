"""ClearDiagnosticInformation (0x14): ISO 14229-1:2020, clause 12.2."""

from __future__ import annotations

from simcore.diag.codes import Nrc, Sid
from simcore.diag.dtc_memory import memory_of
from simcore.diag.operation import Answer
from simcore.diag.services.service import Request, Service, total_size
from simcore.diag.session import DiagnosticState

_SIZE = 4


class ClearDiagnosticInformation(Service):
    """Clears all codes, a group of them, or one."""

    __slots__ = ()
    sid = Sid.CLEAR_DIAGNOSTIC_INFORMATION
    needs_dtcs = True

    def serve(self, request: Request, state: DiagnosticState, now_ns: int) -> Answer:
        refused = total_size(request, _SIZE)
        if refused is not None:
            return refused
        group = int.from_bytes(request.payload[1:4], "big")
        if not memory_of(state.dtcs).settings.group(group):
            return Nrc.REQUEST_OUT_OF_RANGE
        unmet = state.unmet(self.sid, now_ns)
        if unmet is not None:
            return unmet
        memory_of(state.dtcs).clear(group, now_ns)
        return b""
