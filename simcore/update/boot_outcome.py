"""What a bootloader is built with, and what it and its calls come to: data only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Any, TypeVar

from simcore.errors import UsageError
from simcore.update.image_format import Image, ImageVersion
from simcore.update.image_keys import VerifyKey
from simcore.update.image_verify import ImageVerdict
from simcore.update.swap_status import TRIES_MOST
from simcore.update.trailer import SwapType

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class BootSettings:
    """What is built into a bootloader."""

    keys: tuple[VerifyKey, ...]
    hardware_id: str | None = None
    """Images for other hardware, or none named, are refused; `None` takes any."""
    tries: int = 3
    """How often an image that is not confirmed is started."""
    checks_counter: bool = True
    """Whether images need a security counter that is not lower than the one stored."""
    available: tuple[tuple[int, ImageVersion], ...] | None = None
    """Number and version of other images, for dependencies; `None`: not checked at boot."""
    start_ns: int = 2_000_000
    """From reset to the first decision."""
    hash_ns_per_kib: int = 25_000
    """SHA-256 in hardware, about 40 MB/s."""
    signature_ns: int = 4_000_000

    def __post_init__(self) -> None:
        if not 1 <= self.tries <= TRIES_MOST:
            raise UsageError("BootSettings, tries", expected=f"1..{TRIES_MOST}", got=self.tries)
        if not self.keys:
            raise UsageError("BootSettings, keys", expected="at least one", got="none")

    def __copy__(self: _T) -> _T:
        return self

    def __deepcopy__(self: _T, memo: dict[int, Any]) -> _T:
        return self


@unique
class Slot(IntEnum):
    """The two slots."""

    PRIMARY = 0
    SECONDARY = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BootOutcome:
    """What a boot came to."""

    slot: Slot | None
    """The slot that runs; `None`: no image may run, the ECU stays in its bootloader (RECOVERY)."""
    image: Image | None
    swap_type: SwapType
    """What this boot did: NONE, the swap it completed, FAIL (candidate refused) or PANIC."""
    last_swap: SwapType = SwapType.NONE
    """The last swap ever completed."""
    trial: bool = False
    """Whether the image is not confirmed yet."""
    try_number: int = 0
    """Which try this is, from 1; 0 without a trial."""
    tries_left: int = 0
    """How many follow, if this one is not confirmed."""
    refused: ImageVerdict | None = None
    """Why the candidate was refused, with FAIL."""
    why: str = ""
    """The row of the decision table."""

    @property
    def version(self) -> ImageVersion | None:
        """Version of the image that runs."""
        return None if self.image is None else self.image.version

    @property
    def is_recovery(self) -> bool:
        """Whether no image may run."""
        return self.slot is None

    @property
    def was_refused(self) -> bool:
        """Whether the candidate was asked for and not accepted."""
        return self.swap_type is SwapType.FAIL

    @property
    def was_reverted(self) -> bool:
        """Whether the last swap brought the image before back."""
        return self.last_swap is SwapType.REVERT

    def __copy__(self: _T) -> _T:
        return self

    def __deepcopy__(self: _T, memo: dict[int, Any]) -> _T:
        return self


@dataclass(frozen=True, slots=True)
class BootStep:
    """One piece of a boot. `busy_ns` is all of it, `compute_ns` what came before the flash."""

    done: bool
    busy_ns: int
    outcome: BootOutcome | None = None
    compute_ns: int = 0


@unique
class UpgradeRequest(IntEnum):
    """What became of a request for an upgrade."""

    ACCEPTED = 0
    REPEATED = 1
    """The same request stands already."""
    IN_TRIAL = 2
    """Refused: the running image is not confirmed."""
    NO_CANDIDATE = 3
    """Refused: no image where the new one should be."""

    @property
    def stands(self) -> bool:
        """Whether the next boot will look at the candidate."""
        return self in (UpgradeRequest.ACCEPTED, UpgradeRequest.REPEATED)
