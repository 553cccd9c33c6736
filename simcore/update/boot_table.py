"""What the bootloader does, as two decision tables: first match wins, together they are total.

`SWAP_ROWS` reads the trailers and names the swap asked for, as MCUboot does (docs/design.md). Flags
that a cut left BAD match neither `SET` nor `UNSET`; a BAD `image_ok` in the primary slot therefore
counts as confirmed: only a confirmation writes it.

`BOOT_ROWS` adds what MCUboot does not know: more tries than one, a trial that the application
ended itself, and images that are judged before they are moved. A failed trial whose old image is
gone ends in RECOVERY (MCUboot would start the failed image).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, unique

from simcore.update.trailer import Flag, Magic, SwapType, TrailerState


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapRow:
    """Conditions on both trailers; `None` for any."""

    primary_magic: Magic | None = None
    primary_image_ok: Flag | None = None
    primary_copy_done: Flag | None = None
    secondary_magic: Magic | None = None
    secondary_image_ok: Flag | None = None
    secondary_copy_done: Flag | None = None
    result: SwapType

    def matches(self, primary: TrailerState, secondary: TrailerState) -> bool:
        """Whether every condition holds."""
        pairs = (
            (self.primary_magic, primary.magic),
            (self.primary_image_ok, primary.image_ok),
            (self.primary_copy_done, primary.copy_done),
            (self.secondary_magic, secondary.magic),
            (self.secondary_image_ok, secondary.image_ok),
            (self.secondary_copy_done, secondary.copy_done),
        )
        return all(wanted is None or wanted == found for wanted, found in pairs)


SWAP_ROWS: tuple[SwapRow, ...] = (
    SwapRow(
        secondary_magic=Magic.GOOD,
        secondary_image_ok=Flag.UNSET,
        secondary_copy_done=Flag.SET,
        result=SwapType.REVERT,
    ),
    SwapRow(secondary_magic=Magic.GOOD, secondary_image_ok=Flag.UNSET, result=SwapType.TEST),
    SwapRow(secondary_magic=Magic.GOOD, secondary_image_ok=Flag.SET, result=SwapType.PERM),
    SwapRow(
        primary_magic=Magic.GOOD,
        primary_image_ok=Flag.UNSET,
        primary_copy_done=Flag.SET,
        result=SwapType.REVERT,
    ),
    SwapRow(result=SwapType.NONE),
)


def swap_asked_for(primary: TrailerState, secondary: TrailerState) -> SwapType:
    """The swap that the trailers ask for."""
    return next(row.result for row in SWAP_ROWS if row.matches(primary, secondary))


@unique
class Journal(IntEnum):
    """The status area of swaps."""

    AT_REST = 0
    UNDER_WAY = 1
    """A swap was begun and is not complete."""


@unique
class Trial(IntEnum):
    """How the trial of an unconfirmed image stands."""

    OPEN = 0
    """Tries are left."""
    OVER = 1
    """None is left, or the application asked for the old image."""


@unique
class Validity(IntEnum):
    """Whether an image may run."""

    VALID = 0
    INVALID = 1


@unique
class BootAction(IntEnum):
    """What the bootloader does next."""

    RESUME = 0
    """Go on with the swap under way."""
    SWAP = 1
    REFUSE = 2
    """Erase the candidate."""
    TRY = 3
    """Start the image on trial."""
    SWAP_BACK = 4
    START = 5
    RECOVER = 6
    """Stay in the bootloader."""


class Situation:
    """What `BOOT_ROWS` asks about. Images are judged when a row first asks, and once."""

    __slots__ = ("_judge", "_judged", "journal", "swap", "trial")

    def __init__(
        self,
        journal: Journal,
        swap: SwapType,
        trial: Trial,
        judge: Callable[[str], Validity],
    ) -> None:
        self.journal = journal
        self.swap = swap
        self.trial = trial
        self._judge = judge
        self._judged: dict[str, Validity] = {}

    def validity(self, place: str) -> Validity:
        """Of the image at `running`, `candidate` or `backup`."""
        if place not in self._judged:
            self._judged[place] = self._judge(place)
        return self._judged[place]


@dataclass(frozen=True, slots=True, kw_only=True)
class BootRow:
    """Conditions on the situation; `None` for any. They are asked in this order."""

    journal: Journal | None = None
    swap: tuple[SwapType, ...] | None = None
    trial: Trial | None = None
    candidate: Validity | None = None
    running: Validity | None = None
    backup: Validity | None = None
    action: BootAction
    why: str

    def matches(self, situation: Situation) -> bool:
        """Whether every condition holds."""
        if self.journal not in (None, situation.journal):
            return False
        if self.swap is not None and situation.swap not in self.swap:
            return False
        if self.trial not in (None, situation.trial):
            return False
        return all(
            wanted is None or wanted is situation.validity(place)
            for place, wanted in (
                ("candidate", self.candidate),
                ("running", self.running),
                ("backup", self.backup),
            )
        )


_ASKED = (SwapType.TEST, SwapType.PERM)

BOOT_ROWS: tuple[BootRow, ...] = (
    BootRow(
        journal=Journal.UNDER_WAY,
        action=BootAction.RESUME,
        why="a swap once begun is always finished: neither slot is whole before",
    ),
    BootRow(
        swap=_ASKED,
        candidate=Validity.VALID,
        action=BootAction.SWAP,
        why="asked for, and it may run",
    ),
    BootRow(swap=_ASKED, action=BootAction.REFUSE, why="asked for, but it must not run"),
    BootRow(
        swap=(SwapType.REVERT,),
        trial=Trial.OPEN,
        running=Validity.VALID,
        action=BootAction.TRY,
        why="not confirmed yet, tries are left",
    ),
    BootRow(
        swap=(SwapType.REVERT,),
        backup=Validity.VALID,
        action=BootAction.SWAP_BACK,
        why="not confirmed, and the trial is over",
    ),
    BootRow(
        swap=(SwapType.REVERT,),
        action=BootAction.RECOVER,
        why="the trial failed and the old image is gone",
    ),
    BootRow(running=Validity.VALID, action=BootAction.START, why="nothing to do"),
    BootRow(
        backup=Validity.VALID,
        action=BootAction.SWAP_BACK,
        why="the running image is damaged, the one before it is not",
    ),
    BootRow(action=BootAction.RECOVER, why="no slot holds an image that may run"),
)


def next_action(situation: Situation) -> BootRow:
    """The row that decides."""
    return next(row for row in BOOT_ROWS if row.matches(situation))
