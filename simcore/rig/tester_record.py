"""`DiagnosticRecord`: transfers and traffic of the tester, kept for the report over the whole run.

Told every request with its outcome; it outlives a change of the tester's link settings, which
begins the tester's own statistics anew.
"""

from __future__ import annotations

from simcore.diag.client import Outcome, OutcomeKind
from simcore.diag.codes import Sid
from simcore.rig.update_result import DiagnosticTraffic, TransferRecord

_LEAST = 3
"""Bytes of a request that says how wide its address and size are."""


class Traffic:
    """What passed between the tester and one ECU so far."""

    __slots__ = (
        "bytes_received",
        "bytes_sent",
        "negative_responses",
        "pending_responses",
        "requests",
        "timeouts",
        "worst_round_trip_ns",
    )

    def __init__(self) -> None:
        self.requests = self.negative_responses = self.pending_responses = self.timeouts = 0
        self.bytes_sent = self.bytes_received = self.worst_round_trip_ns = 0

    def add(self, outcome: Outcome) -> None:
        """Count one request."""
        self.requests += 1
        self.pending_responses += outcome.pending_count
        self.bytes_sent += len(outcome.request)
        if outcome.response is not None:
            self.bytes_received += len(outcome.response)
            self.negative_responses += outcome.kind is OutcomeKind.NEGATIVE
            self.worst_round_trip_ns = max(self.worst_round_trip_ns, outcome.duration_ns)
        elif outcome.kind is not OutcomeKind.SUPPRESSED:
            self.timeouts += 1

    def frozen(self, node: str) -> DiagnosticTraffic:
        """As it stands."""
        return DiagnosticTraffic(
            node=node,
            requests=self.requests,
            negative_responses=self.negative_responses,
            pending_responses=self.pending_responses,
            timeouts=self.timeouts,
            bytes_sent=self.bytes_sent,
            bytes_received=self.bytes_received,
            worst_round_trip_ns=self.worst_round_trip_ns,
        )


class Transfer:
    """A transfer while it goes on."""

    __slots__ = (
        "address",
        "begun_ns",
        "counter",
        "ended_ns",
        "failure",
        "is_download",
        "node",
        "samples",
        "size",
        "transferred",
    )

    def __init__(self, node: str, request: bytes, begun_ns: int) -> None:
        width = request[2] & 0x0F
        self.node = node
        self.is_download = request[0] == Sid.REQUEST_DOWNLOAD
        self.address = int.from_bytes(request[3 : 3 + width], "big")
        self.size = int.from_bytes(request[3 + width :], "big")
        self.begun_ns = begun_ns
        self.samples: list[tuple[int, int]] = []
        self.transferred = 0
        self.counter = 0
        self.ended_ns: int | None = None
        self.failure = ""

    def add(self, outcome: Outcome) -> None:
        """A block that arrived; one that is repeated because its response got lost counts once."""
        assert outcome.response is not None
        counter = outcome.request[1]
        if counter == self.counter and self.samples:
            return
        self.counter = counter
        moved = outcome.request if self.is_download else outcome.response
        self.transferred = min(self.transferred + len(moved) - 2, self.size)
        self.samples.append((outcome.ended_ns, self.transferred))

    def frozen(self) -> TransferRecord:
        """As it stands."""
        return TransferRecord(
            node=self.node,
            is_download=self.is_download,
            address=self.address,
            size=self.size,
            begun_ns=self.begun_ns,
            samples=tuple(self.samples),
            ended_ns=self.ended_ns,
            failure=self.failure,
        )


class DiagnosticRecord:
    """Transfers and traffic so far, all ECUs."""

    __slots__ = ("_open", "traffic", "transfers")

    def __init__(self) -> None:
        self.traffic: dict[str, Traffic] = {}
        self.transfers: list[Transfer] = []
        self._open: dict[str, Transfer] = {}
        """By ECU, what its next blocks belong to."""

    def count(self, node: str, outcome: Outcome) -> None:
        """A request has ended."""
        traffic = self.traffic.get(node)
        if traffic is None:
            traffic = self.traffic[node] = Traffic()
        traffic.add(outcome)
        sid = outcome.request[0]
        if sid in (Sid.REQUEST_DOWNLOAD, Sid.REQUEST_UPLOAD):
            if len(outcome.request) >= _LEAST:
                self._begin(node, outcome)
        elif sid in (Sid.TRANSFER_DATA, Sid.REQUEST_TRANSFER_EXIT) and node in self._open:
            self._go_on(node, outcome)

    def _begin(self, node: str, outcome: Outcome) -> None:
        transfer = Transfer(node, outcome.request, outcome.ended_ns)
        self.transfers.append(transfer)
        if outcome.kind is OutcomeKind.POSITIVE:
            self._open[node] = transfer
        else:
            self._open.pop(node, None)
            transfer.failure = _failure(outcome)

    def _go_on(self, node: str, outcome: Outcome) -> None:
        transfer = self._open[node]
        if outcome.kind is not OutcomeKind.POSITIVE:
            transfer.failure = _failure(outcome)
        elif outcome.request[0] == Sid.TRANSFER_DATA:
            transfer.failure = ""
            transfer.add(outcome)
        else:
            transfer.failure = ""
            transfer.ended_ns = outcome.ended_ns
            del self._open[node]


def _failure(outcome: Outcome) -> str:
    """`0x71 to 36`: the refusal, or how the request got lost."""
    nrc = outcome.nrc
    return f"0x{nrc:02X} to {outcome.request[0]:02X}" if nrc is not None else outcome.text
