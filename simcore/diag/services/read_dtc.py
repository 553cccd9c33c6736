"""ReadDTCInformation (0x19): ISO 14229-1:2020, clause 12.3. The answers are in `dtc_report`."""

from __future__ import annotations

from collections.abc import Mapping

from simcore.diag import dtc_report
from simcore.diag.codes import Nrc, Sid
from simcore.diag.dtc_memory import DtcMemory, memory_of
from simcore.diag.operation import Answer
from simcore.diag.services.service import Request, Service, SubFunction, total_size
from simcore.diag.session import DiagnosticState
from simcore.diag.table import DiagnosticTable

NUMBER_BY_STATUS_MASK = 0x01
BY_STATUS_MASK = 0x02
SNAPSHOT_IDENTIFICATION = 0x03
SNAPSHOT_BY_CODE = 0x04
EXTENDED_BY_CODE = 0x06
SUPPORTED = 0x0A
FAULT_DETECTION_COUNTER = 0x14

_SUB_FUNCTIONS = {
    NUMBER_BY_STATUS_MASK: SubFunction("reportNumberOfDTCByStatusMask"),
    BY_STATUS_MASK: SubFunction("reportDTCByStatusMask"),
    SNAPSHOT_IDENTIFICATION: SubFunction("reportDTCSnapshotIdentification"),
    SNAPSHOT_BY_CODE: SubFunction("reportDTCSnapshotRecordByDTCNumber"),
    EXTENDED_BY_CODE: SubFunction("reportDTCExtDataRecordByDTCNumber"),
    SUPPORTED: SubFunction("reportSupportedDTC"),
    FAULT_DETECTION_COUNTER: SubFunction("reportDTCFaultDetectionCounter"),
}
_SIZES = {
    NUMBER_BY_STATUS_MASK: 3,
    BY_STATUS_MASK: 3,
    SNAPSHOT_IDENTIFICATION: 2,
    SNAPSHOT_BY_CODE: 6,
    EXTENDED_BY_CODE: 6,
    SUPPORTED: 2,
    FAULT_DETECTION_COUNTER: 2,
}
"""Bytes of the whole request."""


class ReadDtcInformation(Service):
    """Tells status, snapshots, extended data and fault detection counters."""

    __slots__ = ()
    sid = Sid.READ_DTC_INFORMATION
    has_sub_function = True
    needs_dtcs = True

    def sub_functions(self, table: DiagnosticTable) -> Mapping[int, SubFunction] | None:
        return _SUB_FUNCTIONS

    def serve(self, request: Request, state: DiagnosticState, now_ns: int) -> Answer:
        refused = total_size(request, _SIZES[request.sub_function])
        if refused is None:
            refused = state.unmet(self.sid, now_ns)
        if refused is not None:
            return refused
        memory = memory_of(state.dtcs)
        memory.on_timer(now_ns)
        found = report(memory, request.sub_function, request.data, now_ns)
        return found if isinstance(found, Nrc) else bytes((request.sub_function,)) + found


def report(memory: DtcMemory, sub_function: int, data: bytes, now_ns: int) -> bytes | Nrc:
    """What follows the echoed sub-function; `data` as long as the sub-function asks for."""
    found: bytes | None
    if sub_function == NUMBER_BY_STATUS_MASK:
        found = dtc_report.number_by_status_mask(memory, data[0])
    elif sub_function == BY_STATUS_MASK:
        found = dtc_report.by_status_mask(memory, data[0])
    elif sub_function == SNAPSHOT_IDENTIFICATION:
        found = dtc_report.snapshot_identification(memory)
    elif sub_function == SUPPORTED:
        found = dtc_report.supported(memory)
    elif sub_function == FAULT_DETECTION_COUNTER:
        found = dtc_report.fault_detection_counters(memory, now_ns)
    elif sub_function == SNAPSHOT_BY_CODE:
        found = dtc_report.snapshot_by_code(memory, int.from_bytes(data[:3], "big"), data[3])
    else:
        code = int.from_bytes(data[:3], "big")
        found = dtc_report.extended_by_code(memory, code, data[3], now_ns)
    return Nrc.REQUEST_OUT_OF_RANGE if found is None else found
