"""CommunicationControl, 0x28 (ISO 14229-1:2020, 10.5). The ECU obeys `communication_enabled`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from simcore.diag.access import Access
from simcore.diag.codes import Nrc, Sid
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

NORMAL, NETWORK_MANAGEMENT = 0x01, 0x02
"""Bits of communicationType."""
THIS_NODE, RECEIVED_ON = 0x0, 0xF
"""Values of its upper nibble that need no list of subnets: all channels, or that of the request."""

_RX_TX = {
    0x00: ("enableRxAndTx", True, True),
    0x01: ("enableRxAndDisableTx", True, False),
    0x02: ("disableRxAndEnableTx", False, True),
    0x03: ("disableRxAndTx", False, False),
}


class CommunicationControl(Service):
    """Offered beyond the default session; both kinds of subnet selection mean the whole node."""

    __slots__ = ()
    sid = Sid.COMMUNICATION_CONTROL
    has_sub_function = True

    def access(self, table: DiagnosticTable) -> Access | None:
        return beyond_default(table)

    def sub_functions(self, table: DiagnosticTable) -> Mapping[int, SubFunction]:
        return {number: SubFunction(name) for number, (name, _, _) in _RX_TX.items()}

    def serve(self, request: Request, state: DiagnosticState, now_ns: int) -> Answer:
        refusal = total_size(request, 3)
        if refusal is not None:
            return refusal
        kinds, subnet = request.data[0] & 0x0F, request.data[0] >> 4
        if kinds not in (1, 2, 3) or subnet not in (THIS_NODE, RECEIVED_ON):
            return Nrc.REQUEST_OUT_OF_RANGE
        # To switch everything on again nothing has to hold.
        refusal = state.unmet(self.sid, now_ns) if request.sub_function else None
        if refusal is not None:
            return refusal
        rule = state.table.service_rule(self.sid)
        if kinds & NORMAL and request.sub_function in rule.refused:
            return Nrc.CONDITIONS_NOT_CORRECT
        _, rx, tx = _RX_TX[request.sub_function]
        if kinds & NORMAL:
            state.communication = replace(state.communication, normal_rx=rx, normal_tx=tx)
        if kinds & NETWORK_MANAGEMENT:
            state.communication = replace(state.communication, nm_rx=rx, nm_tx=tx)
        return bytes((request.sub_function,))
