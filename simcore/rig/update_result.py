"""What a software update left behind in a run: transfers, traffic, and the software of every ECU.

Plain data for the reports. The steps of the update are events of the run and stand with those.
"""

from __future__ import annotations

from dataclasses import dataclass

from simcore.units import NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRecord:
    """One transfer between tester and ECU, from RequestDownload or RequestUpload on."""

    node: str
    is_download: bool
    address: int
    """Of the first byte of this transfer: one that goes on begins behind what is there."""
    size: int
    """Bytes asked for."""
    begun_ns: int
    samples: tuple[tuple[int, int], ...]
    """Time and bytes transferred so far, after every block."""
    ended_ns: int | None
    """When the ECU agreed that it is over; `None` where it never did."""
    failure: str = ""
    """What ended it instead, as far as the tester was told."""

    @property
    def transferred(self) -> int:
        """Bytes that the ECU has taken or given."""
        return self.samples[-1][1] if self.samples else 0

    @property
    def duration_ns(self) -> int:
        """From the first answer to the last block."""
        return self.samples[-1][0] - self.begun_ns if self.samples else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosticTraffic:
    """What passed between the tester and one ECU over the whole run."""

    node: str
    requests: int
    negative_responses: int
    pending_responses: int
    """0x78."""
    timeouts: int
    """Requests without a response, and those lost on the way."""
    bytes_sent: int
    bytes_received: int
    worst_round_trip_ns: int
    """From request to final response; 0 without any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftwareRecord:
    """The software of one ECU at the end of a run."""

    node: str
    version_before: str
    """At the beginning of the run."""
    version_after: str | None
    """`None` where nothing runs: no supply, no valid image, or still in the bootloader."""
    audit_entries: int
    """In its audit log."""
    worst_wear: int
    """Erases of the sector of its flash that was erased most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateResult:
    """Everything about software updates in a run."""

    software: tuple[SoftwareRecord, ...]
    transfers: tuple[TransferRecord, ...]
    """In the order of their beginning."""
    traffic: tuple[DiagnosticTraffic, ...]
    """ECUs that were asked anything."""


def rate_bytes_per_s(size: int, duration_ns: int) -> int:
    """Whole bytes per second; 0 where no time passed."""
    return size * NS_PER_S // duration_ns if duration_ns > 0 else 0
