"""What diagnostics can do in the gateway itself."""

from __future__ import annotations

from simcore.diag import DiagnosticTable, ResetKind, Session, Sid
from simcore.diag.rows import Did, ResetRule, ServiceRule, SessionRule
from simcore.ecu.gw.ethernet import EthernetPort
from simcore.ecu.runtime.diagnostics_rows import SUPPLIER

SOFTWARE_VERSION = b"GW 1.0.0"
FIRST_SESSIONS = (Session.DEFAULT, Session.EXTENDED)


class GatewayData:
    """What the identifiers read."""

    __slots__ = ("_ethernet",)

    def __init__(self, ethernet: EthernetPort) -> None:
        self._ethernet = ethernet

    def connections(self, now_ns: int) -> bytes:
        """Open DoIP connections, and those turned away since the start."""
        tcp = self._ethernet.entity.tcp
        return bytes((len(tcp.connections), min(tcp.refused_count, 0xFF)))

    def blocked(self, now_ns: int) -> bytes:
        """Activations denied and requests beyond the access list since the start (SEC-001)."""
        return min(self._ethernet.entity.tcp.blocked_count, 0xFFFFFFFF).to_bytes(4, "big")


def gateway_table(node: str, vin: bytes, data: GatewayData) -> DiagnosticTable:
    """The table of a gateway: two sessions, identification, resets; nothing to be written.

    It stays on the air whatever a tester wants: no CommunicationControl.
    """
    return DiagnosticTable(
        node=node,
        sessions=(
            SessionRule(Session.DEFAULT, "default"),
            SessionRule(Session.EXTENDED, "extended", reached_from=FIRST_SESSIONS),
        ),
        dids=(
            Did(0xF18A, "systemSupplierIdentifier", len(SUPPLIER), read=SUPPLIER),
            Did(0xF190, "VIN", len(vin), read=vin),
            Did(
                0xF195,
                "systemSupplierSoftwareVersion",
                len(SOFTWARE_VERSION),
                read=SOFTWARE_VERSION,
            ),
            Did(0xFD10, "doipConnections", 2, read=data.connections),
            Did(0xFD11, "doipAccessesBlocked", 4, read=data.blocked),
        ),
        resets=(ResetRule(ResetKind.HARD), ResetRule(ResetKind.SOFT)),
        services=(ServiceRule(Sid.COMMUNICATION_CONTROL, is_offered=False),),
    )
