"""ReadDataByIdentifier, 0x22 (ISO 14229-1:2020, 11.2): one or several identifiers."""

from __future__ import annotations

from simcore.diag.access import Access, union_of_sessions
from simcore.diag.codes import Nrc, Sid
from simcore.diag.operation import Answer, Operation
from simcore.diag.rows import Did
from simcore.diag.services.service import LENGTH, Request, Service
from simcore.diag.session import DiagnosticState
from simcore.diag.table import DiagnosticTable
from simcore.errors import UsageError


class ReadDataByIdentifier(Service):
    """Identifiers that the session does not offer are left out as long as one is offered."""

    __slots__ = ()
    sid = Sid.READ_DATA_BY_IDENTIFIER

    def access(self, table: DiagnosticTable) -> Access | None:
        return union_of_sessions(row.access for row in table.dids if row.read is not None)

    def serve(self, request: Request, state: DiagnosticState, now_ns: int) -> Answer:
        payload = request.payload
        if len(payload) < 3 or len(payload) % 2 == 0:
            return LENGTH
        if len(payload) // 2 > state.table.dids_max:
            return LENGTH
        rows = []
        for at in range(1, len(payload), 2):
            row = state.table.did(int.from_bytes(payload[at : at + 2], "big"))
            if row is not None and row.read is not None and row.access.in_session(state.session):
                rows.append(row)
        if not rows:
            return Nrc.REQUEST_OUT_OF_RANGE
        for row in rows:
            refusal = state.denial(row.access)
            if refusal is not None:
                return refusal
        refusal = state.unmet(self.sid, now_ns)
        return refusal if refusal is not None else _read(rows, b"", now_ns)


def _read(rows: list[Did], so_far: bytes, now_ns: int) -> Answer:
    """The records of the rows, one after the other; work that goes on where one takes time."""
    for place, row in enumerate(rows):
        answer = row.read if isinstance(row.read, bytes) else _record(row, now_ns)
        if isinstance(answer, Nrc):
            return answer
        if not isinstance(answer, bytes):
            return _Reading(answer, rows[place:], so_far)
        so_far += _with_identifier(row, answer)
    return so_far


def _record(row: Did, now_ns: int) -> Answer:
    if row.read is None or isinstance(row.read, bytes):
        return row.read or b""
    return row.read(now_ns)


def _with_identifier(row: Did, record: bytes) -> bytes:
    if row.size is not None and len(record) != row.size:
        raise UsageError(
            f"DID 0x{row.did:04X} {row.name}",
            expected=f"{row.size} bytes from its handler",
            got=f"{len(record)} bytes",
        )
    return row.did.to_bytes(2, "big") + record


class _Reading:
    """Reads on once the handler of the first row is done."""

    __slots__ = ("_operation", "_rows", "_so_far")

    def __init__(self, operation: Operation, rows: list[Did], so_far: bytes) -> None:
        self._operation = operation
        self._rows = rows
        self._so_far = so_far

    def step(self, now_ns: int) -> bytes | Nrc | None:
        """Go on with the present handler, then with the next ones."""
        result = self._operation.step(now_ns)
        if not isinstance(result, bytes):
            return result
        so_far = self._so_far + _with_identifier(self._rows[0], result)
        answer = _read(self._rows[1:], so_far, now_ns)
        if isinstance(answer, _Reading):
            self._operation, self._rows = answer._operation, answer._rows
            self._so_far = answer._so_far
            return None
        return answer if isinstance(answer, bytes | Nrc) else None

    def next_deadline_ns(self) -> int:
        """That of the present handler."""
        return self._operation.next_deadline_ns()
