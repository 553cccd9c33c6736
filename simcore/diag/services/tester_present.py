"""TesterPresent, 0x3E (ISO 14229-1:2020, 10.6). Keeping the session alive is up to the server."""

from __future__ import annotations

from collections.abc import Mapping

from simcore.diag.codes import Sid
from simcore.diag.operation import Answer
from simcore.diag.services.service import Request, Service, SubFunction, total_size
from simcore.diag.session import DiagnosticState
from simcore.diag.table import DiagnosticTable


class TesterPresent(Service):
    """The only sub-function is zeroSubFunction."""

    __slots__ = ()
    sid = Sid.TESTER_PRESENT
    has_sub_function = True

    def sub_functions(self, table: DiagnosticTable) -> Mapping[int, SubFunction]:
        return {0x00: SubFunction("zeroSubFunction")}

    def serve(self, request: Request, state: DiagnosticState, now_ns: int) -> Answer:
        return total_size(request, 2) or b"\x00"
