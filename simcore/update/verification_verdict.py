"""What a verification says: accepted, or which attack was refused and which check found it.

The attacks are those of the Uptane standard 2.1, "Description of threats". A check knows its
attack from the table `ATTACK_OF`, so no check can refuse without a name. What the name says is what
the check guards against: an innocent fault of the transfer looks the same and is named the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, unique
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from simcore.update.metadata import Assignment, Target
    from simcore.update.trusted import TrustedMetadata


@unique
class Attack(IntEnum):
    """Attacks by name; the value is the code in a version report, where 0 means none."""

    EAVESDROP = 1
    """Not refusable by an ECU: nothing it receives shows that somebody else reads along."""
    DROP_REQUEST = 2
    SLOW_RETRIEVAL = 3
    FREEZE = 4
    PARTIAL_BUNDLE_INSTALLATION = 5
    DENIAL_OF_SERVICE = 6
    ROLLBACK = 7
    ENDLESS_DATA = 8
    MIX_AND_MATCH = 9
    ARBITRARY_SOFTWARE = 10
    FAST_FORWARD = 11

    @property
    def title(self) -> str:
        """The name as people write it: `mix-and-match`, `arbitrary software`."""
        words = self.name.lower().replace("_", " ")
        return {"mix and match": "mix-and-match", "fast forward": "fast-forward"}.get(words, words)


@unique
class Check(IntEnum):
    """What was looked at when a verification refused, roughly in the order of looking."""

    NO_ANSWER = 1
    STALLED = 2
    TOO_SLOW = 3
    TOO_LONG = 4
    CONTAINER = 5
    MISSING = 6
    FORMAT = 7
    TIME_SIGNATURE = 8
    TIME_BACKWARDS = 9
    SIGNATURE = 10
    VERSION = 11
    VERSION_JUMP = 12
    EXPIRY = 13
    LISTED_HASH = 14
    LISTED_VERSION = 15
    FILE_DISAPPEARED = 16
    DIRECTOR_DELEGATION = 17
    REPEATED_ECU = 18
    VEHICLE = 19
    UNKNOWN_ECU = 20
    HARDWARE_ID = 21
    NOT_IN_IMAGE_REPOSITORY = 22
    REPOSITORIES_DIFFER = 23
    RELEASE_COUNTER = 24
    SECURITY_COUNTER = 25
    BUNDLE_MEMBERS = 26
    COMPATIBILITY = 27
    IMAGE_TOO_SHORT = 28
    IMAGE_TOO_LONG = 29
    IMAGE_HASH = 30
    BUNDLE_INSTALLATION = 31

    @property
    def title(self) -> str:
        return self.name.lower().replace("_", " ")


ATTACK_OF: Mapping[Check, Attack] = {
    Check.NO_ANSWER: Attack.DENIAL_OF_SERVICE,
    Check.STALLED: Attack.DROP_REQUEST,
    Check.TOO_SLOW: Attack.SLOW_RETRIEVAL,
    Check.TOO_LONG: Attack.ENDLESS_DATA,
    Check.CONTAINER: Attack.ARBITRARY_SOFTWARE,
    Check.MISSING: Attack.DROP_REQUEST,
    Check.FORMAT: Attack.ARBITRARY_SOFTWARE,
    Check.TIME_SIGNATURE: Attack.FREEZE,
    Check.TIME_BACKWARDS: Attack.FREEZE,
    Check.SIGNATURE: Attack.ARBITRARY_SOFTWARE,
    Check.VERSION: Attack.ROLLBACK,
    Check.VERSION_JUMP: Attack.FAST_FORWARD,
    Check.EXPIRY: Attack.FREEZE,
    Check.LISTED_HASH: Attack.MIX_AND_MATCH,
    Check.LISTED_VERSION: Attack.MIX_AND_MATCH,
    Check.FILE_DISAPPEARED: Attack.ROLLBACK,
    Check.DIRECTOR_DELEGATION: Attack.ARBITRARY_SOFTWARE,
    Check.REPEATED_ECU: Attack.MIX_AND_MATCH,
    Check.VEHICLE: Attack.MIX_AND_MATCH,
    Check.UNKNOWN_ECU: Attack.MIX_AND_MATCH,
    Check.HARDWARE_ID: Attack.ARBITRARY_SOFTWARE,
    Check.NOT_IN_IMAGE_REPOSITORY: Attack.ARBITRARY_SOFTWARE,
    Check.REPOSITORIES_DIFFER: Attack.ARBITRARY_SOFTWARE,
    Check.RELEASE_COUNTER: Attack.ROLLBACK,
    Check.SECURITY_COUNTER: Attack.ROLLBACK,
    Check.BUNDLE_MEMBERS: Attack.PARTIAL_BUNDLE_INSTALLATION,
    Check.COMPATIBILITY: Attack.MIX_AND_MATCH,
    Check.IMAGE_TOO_SHORT: Attack.DROP_REQUEST,
    Check.IMAGE_TOO_LONG: Attack.ENDLESS_DATA,
    Check.IMAGE_HASH: Attack.ARBITRARY_SOFTWARE,
    Check.BUNDLE_INSTALLATION: Attack.PARTIAL_BUNDLE_INSTALLATION,
}


class Finding(NamedTuple):
    """A check that failed: which, on what (`director/timestamp`), and the sentence about it."""

    check: Check
    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a verification.

    `assignments` are what the Director orders for all ECUs, `mine` what it orders for this one
    (`None`: nothing). `trusted` is what to store once this verdict is acted on: the metadata
    accepted before, where refused. `is_new` is false when all that is ordered is installed already.
    """

    finding: Finding | None = None
    assignments: tuple[Assignment, ...] = ()
    mine: Assignment | None = None
    is_new: bool = False
    trusted: TrustedMetadata | None = field(default=None, repr=False)

    @property
    def accepted(self) -> bool:
        return self.finding is None

    @property
    def check(self) -> Check | None:
        """The check that failed."""
        return None if self.finding is None else self.finding.check

    @property
    def attack(self) -> Attack | None:
        """The attack that was refused."""
        return None if self.finding is None else ATTACK_OF[self.finding.check]

    @property
    def target(self) -> Target | None:
        """The image ordered for this ECU."""
        return None if self.mine is None else self.mine.target

    def __str__(self) -> str:
        if self.finding is None:
            return "accepted" if self.is_new else "accepted: nothing new"
        name = ATTACK_OF[self.finding.check].title
        return f"refused: {name}: {self.finding.role}: {self.finding.text}"

    def __copy__(self) -> Verdict:
        return self

    def __deepcopy__(self, memo: object) -> Verdict:
        return self


def refused(check: Check, role: str, text: str, trusted: TrustedMetadata | None = None) -> Verdict:
    """A verdict of refusal."""
    return Verdict(finding=Finding(check, role, text), trusted=trusted)
