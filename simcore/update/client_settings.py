"""Settings of an update client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from simcore.errors import UsageError
from simcore.units import NS_PER_MS, NS_PER_S
from simcore.update.consent import CONSENT_NS
from simcore.update.guards import GuardSettings
from simcore.update.verification_transfer import TransferLimits

if TYPE_CHECKING:
    from simcore.update.image_format import ImageVersion
    from simcore.update.image_keys import VerifyKey
    from simcore.update.trusted import TrustedMetadata

_T = TypeVar("_T")

RECORD_SECTORS_LEAST = 4
"""Two of the record, two of the trusted metadata. A coordinator needs two more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """What one ECU's update client is told in the factory."""

    ecu_id: str
    hardware_id: str
    keys: tuple[VerifyKey, ...]
    """Of images."""
    trusted: TrustedMetadata
    """Before the first update."""
    coordinator_key: bytes = b""
    """Public key of who decides for a bundle; empty: this ECU is never part of one."""
    is_coordinator: bool = False
    """Keeps the last two sectors of the records region free for the decisions."""
    guards: GuardSettings = field(default_factory=GuardSettings)
    consent_ns: int = CONSENT_NS
    persist_sectors: int = 8
    """Progress is persisted each time so many sectors are complete."""
    transfer: TransferLimits = field(default_factory=TransferLimits)
    """How slow the transfer of the image may be."""
    begin_ns: int = 3600 * NS_PER_S
    """From consent to the begin of the transfer."""
    sector_tries: int = 3
    trial_ns: int = 60 * NS_PER_S
    """Until the self-test must have passed."""
    alive_cycles: int = 10
    """Cycles of the application's tasks that a trial takes at least."""
    poll_ns: int = 100 * NS_PER_MS
    """How often the background guard is looked at."""
    verify_ns_per_byte: int = 20
    """What hashing and checking takes."""
    available: Mapping[int, ImageVersion] = field(default_factory=dict)
    """Other images of this ECU that dependencies may name."""

    def __post_init__(self) -> None:
        for name in ("persist_sectors", "sector_tries", "trial_ns", "poll_ns", "begin_ns"):
            if getattr(self, name) < 1:
                raise UsageError(
                    f"ClientSettings, {name}", expected="at least 1", got=getattr(self, name)
                )

    def __copy__(self: _T) -> _T:
        return self

    def __deepcopy__(self: _T, memo: dict[int, Any]) -> _T:
        return self
