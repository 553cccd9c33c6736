"""What a UDS server remembers between two requests: session, locks, controls, transfer.

Services read and change this; server.py owns it. What a change of session ends follows ISO
14229-1:2020, 10.2 and table 24: a change between two non-default sessions locks security and ends
what the new session does not allow; the default session ends everything.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol

from simcore.diag.access import Access
from simcore.diag.authentication import AuthenticationState
from simcore.diag.codes import Nrc, ResetKind, Session, Sid
from simcore.diag.rows import IoParameter
from simcore.diag.security import SecurityState
from simcore.diag.table import DiagnosticTable
from simcore.diag.transfer import Transfer
from simcore.kernel import RandomStream


class DtcService(Protocol):
    """What the server itself needs of the DTC memory; its services know more (dtc_memory.py)."""

    def set_enabled(self, enabled: bool, now_ns: int | None = None) -> None:
        """ControlDTCSetting: whether DTC status bits may change."""


@dataclass(frozen=True, slots=True)
class CommunicationEnabled:
    """What CommunicationControl (0x28) leaves switched on."""

    normal_rx: bool = True
    normal_tx: bool = True
    nm_rx: bool = True
    """Network management."""
    nm_tx: bool = True

    def __copy__(self) -> CommunicationEnabled:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> CommunicationEnabled:
        return self


ALL_ENABLED = CommunicationEnabled()


class DiagnosticState:
    """The memory of one server."""

    __slots__ = (
        "authentication",
        "communication",
        "controlled",
        "dtcs",
        "memory",
        "reset",
        "routines",
        "security",
        "service_access",
        "session",
        "stream",
        "table",
        "transfer",
    )

    def __init__(
        self,
        table: DiagnosticTable,
        memory: MutableMapping[str, bytes],
        dtcs: DtcService | None,
        stream: RandomStream,
        service_access: Mapping[int, tuple[Access, ...]],
    ) -> None:
        self.table = table
        self.memory = memory
        self.dtcs = dtcs
        self.stream = stream
        self.service_access = service_access
        """Per offered service identifier: all that must be met to use it."""
        self.session: int = Session.DEFAULT
        self.security = SecurityState(table.security, memory)
        self.authentication = AuthenticationState(table.authentication)
        self.communication = ALL_ENABLED
        self.controlled: dict[int, None] = {}
        """DIDs of inputs and outputs under the tester's control, in the order of their taking."""
        self.routines: dict[int, bool] = {}
        """Routines started in this session: whether they may be stopped."""
        self.transfer: Transfer | None = None
        self.reset: ResetKind | None = None
        """Asked for; happens once the response has left."""

    def start(self, now_ns: int) -> None:
        """Power on or reset."""
        self.session = Session.DEFAULT
        self.security.start(now_ns)
        self.authentication.clear()
        self.communication = ALL_ENABLED
        self.controlled.clear()
        self.routines.clear()
        self.abandon_transfer(now_ns)
        self.reset = None

    def denial(self, access: Access) -> Nrc | None:
        """The refusal 0x33 or 0x34 where the tester lacks level or role."""
        return access.denial(self.security.unlocked, self.authentication.roles)

    def unmet(self, sid: Sid, now_ns: int) -> Nrc | None:
        """The refusal where the conditions for a service as a whole are not right."""
        condition = self.table.service_rule(sid).condition
        return None if condition is None else condition(now_ns)

    def enter(self, session: int, now_ns: int) -> None:
        """Begin a session, the active one too, and end what it does not allow."""
        self.session = session
        self.security.lock()
        if session == Session.DEFAULT:
            self.authentication.clear()
        self.abandon_transfer(now_ns)
        self._release_controls(now_ns)
        self._end_routines(now_ns)
        if not self._keeps(Sid.COMMUNICATION_CONTROL):
            self.communication = ALL_ENABLED
        if self.dtcs is not None and not self._keeps(Sid.CONTROL_DTC_SETTING):
            self.dtcs.set_enabled(True, now_ns)

    def has_started(self, rid: int, *, stoppable: bool) -> bool:
        """Whether a routine was started in this session and, if asked, not stopped since."""
        return rid in self.routines and (self.routines[rid] or not stoppable)

    def _keeps(self, sid: Sid) -> bool:
        if self.session == Session.DEFAULT:
            return False
        return all(self._goes_on(access) for access in self.service_access.get(sid, ()))

    def _goes_on(self, access: Access) -> bool:
        """Whether what was begun under this rule goes on in the session just entered."""
        return (
            self.session != Session.DEFAULT
            and access.in_session(self.session)
            and self.denial(access) is None
        )

    def abandon_transfer(self, now_ns: int) -> None:
        """End a transfer before its end."""
        if self.transfer is not None:
            self.transfer.target.abandon(now_ns)
            self.transfer = None

    def _release_controls(self, now_ns: int) -> None:
        for did in list(self.controlled):
            row = self.table.io_control(did)
            if row is not None and not self._goes_on(row.access):
                del self.controlled[did]
                row.control(IoParameter.RETURN_CONTROL, b"", b"\xff" * row.mask_size, now_ns)

    def _end_routines(self, now_ns: int) -> None:
        for rid in list(self.routines):
            row = self.table.routine(rid)
            if row is not None and not self._goes_on(row.access):
                del self.routines[rid]
                if row.end is not None:
                    row.end(now_ns)
