"""What a DoIP entity needs of the vehicle behind it: `DiagnosticRouter`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from simcore.diag.doip_codec import DiagnosticNack


@dataclass(frozen=True, slots=True)
class Reply:
    """A diagnostic response on its way to a tester."""

    source: int
    """Logical address of the ECU that answers."""
    tester: int
    payload: bytes


class DiagnosticRouter(Protocol):
    """Brings diagnostic requests to ECUs by their logical addresses."""

    def refusal(self, tester: int, target: int, size: int, now_ns: int) -> DiagnosticNack | None:
        """Why a request of this size cannot be delivered now; `None` where it can."""

    def deliver(self, tester: int, target: int, payload: bytes, now_ns: int) -> tuple[Reply, ...]:
        """Bring a request to its target; the responses that are there at once.

        Later ones go to `DoipEntity.respond`.
        """

    def tester_gone(self, tester: int, now_ns: int) -> None:
        """The connection of a tester has ended: nobody waits for its responses any more."""
