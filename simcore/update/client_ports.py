"""What the update client needs of others: bootloader, verification, audit log, authority.

Written as protocols so that the client runs on the real ones and on stand-ins in a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from simcore.update.bootloader import UpgradeRequest
    from simcore.update.trusted import TrustedMetadata
    from simcore.update.verification import Installed, Verdict


class Accepted(NamedTuple):
    """A command was accepted, now or before."""

    offset: int = 0
    """Of a download: the next byte that is expected."""
    repeated: bool = False
    """Nothing changed: it had been done before."""


class BootControl(Protocol):
    """The application's side of the bootloader (bootloader.py). Each call is safe to repeat."""

    def request_upgrade(self, permanent: bool = False) -> UpgradeRequest:
        """Ask for the candidate at the next start: on trial, or for good."""

    def confirm(self) -> bool:
        """Keep the running image."""

    def mark_started(self) -> None:
        """The first act of an application: this start counts as a try."""

    def request_revert(self) -> bool:
        """Ask for the image from before at the next start."""

    def raise_security_counter(self) -> bool:
        """To that of the confirmed image that runs; never lower, and nothing on trial."""


class Verification(Protocol):
    """Full or partial verification of metadata (verification.py)."""

    def verify(
        self,
        metadata: bytes,
        now_ns: int,
        trusted: TrustedMetadata,
        installed: Mapping[str, Installed] = ...,
    ) -> Verdict:
        """Judge a metadata set."""


class StepLog(Protocol):
    """Where every step is written down (audit.py, through client_audit.py)."""

    def settle(self, now_ns: int) -> None:
        """Make sure of what was found at the start: torn flash may read otherwise later."""

    def append(self, step: int, text: str, now_ns: int) -> None:
        """Add an entry."""

    def has_room(self) -> bool:
        """Whether it takes further entries."""

    def last_step(self) -> int:
        """The number of the last entry of the client; 0 where there is none."""
