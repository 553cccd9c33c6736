"""InputOutputControlByIdentifier, 0x2F (ISO 14229-1:2020, 12.2)."""

from __future__ import annotations

from functools import partial

from simcore.diag.access import Access, union_of_sessions
from simcore.diag.codes import Nrc, Sid
from simcore.diag.operation import Answer
from simcore.diag.rows import IoControl, IoParameter
from simcore.diag.services.service import LENGTH, Request, Service, continued
from simcore.diag.session import DiagnosticState
from simcore.diag.table import DiagnosticTable
from simcore.errors import UsageError

_PARAMETER_AT = 3
_STATE_AT = 4


class InputOutputControl(Service):
    """What the tester took and did not return is returned when its session ends (session.py)."""

    __slots__ = ()
    sid = Sid.INPUT_OUTPUT_CONTROL_BY_IDENTIFIER

    def access(self, table: DiagnosticTable) -> Access | None:
        return union_of_sessions(row.access for row in table.io_controls)

    def serve(self, request: Request, state: DiagnosticState, now_ns: int) -> Answer:
        payload = request.payload
        if len(payload) < _STATE_AT:
            return LENGTH
        row = state.table.io_control(int.from_bytes(payload[1:_PARAMETER_AT], "big"))
        if row is None or not row.access.in_session(state.session):
            return Nrc.REQUEST_OUT_OF_RANGE
        refusal = state.denial(row.access)
        if refusal is not None:
            return refusal
        if payload[_PARAMETER_AT] not in row.parameters:
            return Nrc.REQUEST_OUT_OF_RANGE
        parameter = IoParameter(payload[_PARAMETER_AT])
        size = row.size if parameter is IoParameter.SHORT_TERM_ADJUSTMENT else 0
        if len(payload) != _STATE_AT + size + row.mask_size:
            return LENGTH
        refusal = state.unmet(self.sid, now_ns)
        if refusal is not None:
            return refusal
        value, mask = payload[_STATE_AT : _STATE_AT + size], payload[_STATE_AT + size :]
        answer = row.control(parameter, value, mask, now_ns)
        return continued(answer, partial(_controlled, state, row, payload[1:_STATE_AT], mask))


def _controlled(
    state: DiagnosticState, row: IoControl, echo: bytes, mask: bytes, record: bytes
) -> bytes:
    if len(record) != row.size:
        raise UsageError(
            f"IO control 0x{row.did:04X} {row.name}",
            expected=f"{row.size} bytes from its handler",
            got=f"{len(record)} bytes",
        )
    if echo[-1] != IoParameter.RETURN_CONTROL:
        state.controlled[row.did] = None
    elif mask == b"\xff" * row.mask_size:  # a part of the parameters may still be controlled
        state.controlled.pop(row.did, None)
    return echo + record
