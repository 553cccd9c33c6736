"""RoutineControl, 0x31 (ISO 14229-1:2020, 13.2): start, stop, results."""

from __future__ import annotations

from functools import partial

from simcore.diag.access import Access, union_of_sessions
from simcore.diag.codes import Nrc, Sid
from simcore.diag.operation import Answer
from simcore.diag.services.service import LENGTH, Request, Service, continued, prefixed
from simcore.diag.session import DiagnosticState
from simcore.diag.table import DiagnosticTable

START, STOP, RESULTS = 0x01, 0x02, 0x03


class RoutineControl(Service):
    """The routine is looked at before the sub-function: what it offers depends on it."""

    __slots__ = ()
    sid = Sid.ROUTINE_CONTROL
    has_sub_function = True

    def access(self, table: DiagnosticTable) -> Access | None:
        return union_of_sessions(row.access for row in table.routines)

    def serve(self, request: Request, state: DiagnosticState, now_ns: int) -> Answer:
        if len(request) < 4:
            return LENGTH
        row = state.table.routine(int.from_bytes(request.data[:2], "big"))
        if row is None or not row.access.in_session(state.session):
            return Nrc.REQUEST_OUT_OF_RANGE
        refusal = state.denial(row.access)
        if refusal is not None:
            return refusal
        sub_function = request.sub_function
        handlers = {START: row.start, STOP: row.stop, RESULTS: row.results}
        handler = handlers.get(sub_function)
        if handler is None:
            return Nrc.SUB_FUNCTION_NOT_SUPPORTED
        option = request.data[2:]
        size = row.option_size if sub_function == START else 0
        if size is not None and len(option) != size:
            return LENGTH
        refusal = state.unmet(self.sid, now_ns)
        if refusal is not None:
            return refusal
        if sub_function != START and not state.has_started(row.rid, stoppable=sub_function == STOP):
            return Nrc.REQUEST_SEQUENCE_ERROR
        finish = partial(_done, state, sub_function, row.rid, request.data[:2])
        return continued(handler(option, now_ns), finish)


def _done(
    state: DiagnosticState, sub_function: int, rid: int, identifier: bytes, record: bytes
) -> bytes:
    if sub_function != RESULTS:
        state.routines[rid] = sub_function == START
    return prefixed(bytes((sub_function,)) + identifier, record)
