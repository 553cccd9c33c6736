"""ControlDTCSetting (0x85): ISO 14229-1:2020, clause 9.8.

Off holds for the sessions that offer the service: the server switches back on when the session
changes to another.
"""

from __future__ import annotations

from collections.abc import Mapping

from simcore.diag.access import Access
from simcore.diag.codes import Sid
from simcore.diag.dtc_memory import memory_of
from simcore.diag.operation import Answer
from simcore.diag.services.service import (
    Request,
    Service,
    SubFunction,
    beyond_default,
    total_size,
)
from simcore.diag.session import DiagnosticState
from simcore.diag.table import DiagnosticTable

ON, OFF = 0x01, 0x02
_SIZE = 2
_SUB_FUNCTIONS = {ON: SubFunction("on"), OFF: SubFunction("off")}


class ControlDtcSetting(Service):
    """Freezes the status bits of all codes, and lets them go."""

    __slots__ = ()
    sid = Sid.CONTROL_DTC_SETTING
    has_sub_function = True
    needs_dtcs = True

    def access(self, table: DiagnosticTable) -> Access | None:
        return beyond_default(table)

    def sub_functions(self, table: DiagnosticTable) -> Mapping[int, SubFunction] | None:
        return _SUB_FUNCTIONS

    def serve(self, request: Request, state: DiagnosticState, now_ns: int) -> Answer:
        refused = total_size(request, _SIZE)
        if refused is None and request.sub_function != ON:
            refused = state.unmet(self.sid, now_ns)
        if refused is not None:
            return refused
        memory_of(state.dtcs).set_enabled(request.sub_function == ON, now_ns)
        return bytes((request.sub_function,))
