"""The attack catalogue: every attack of Uptane's threat list as data.

The vehicle has accepted the last publication but one; the newest holds an update for it.

A case says how the thief does it, which check of a full and of a partial verification refuses it,
and where a partial verifier cannot see it, why. The name of the refusal follows from the check
(`verification_verdict.ATTACK_OF`). `Repository.start_attack(name)` carries a case out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, unique
from typing import TYPE_CHECKING, TypeAlias

from simcore.errors import UsageError
from simcore.update import attacks_means as means
from simcore.update.verification_verdict import ATTACK_OF, Attack, Check

if TYPE_CHECKING:
    from simcore.update.repository import Files, Repository, Vehicle

OnFiles: TypeAlias = "Callable[[Repository, Vehicle, Files], Files]"
OnBytes: TypeAlias = Callable[[bytes], bytes]


@unique
class Stage(IntEnum):
    """What stands in the attack's way."""

    NOTHING = 0
    METADATA = 1
    TRANSFER = 2
    """`verification_transfer.TransferWatch`, while bytes come or do not come."""
    IMAGE = 3
    """`verification.check_image`, once they are all there."""
    INSTALLATION = 4
    """`version_report.check_bundle_installation`, on what the ECUs report."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How a thief lets a transfer trickle: so many bytes a second, none behind `stops_after`."""

    size_per_s: int
    stops_after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackCase:
    """One attack: means, and who refuses it."""

    name: str
    attack: Attack
    text: str
    stage: Stage = Stage.METADATA
    on_files: OnFiles | None = None
    on_set: OnBytes | None = None
    on_image: OnBytes | None = None
    pace: Pace | None = None
    full: Check | None = None
    """The check of a full verification, or of the later stage, that refuses it."""
    partial: Check | None = None
    blind: str = ""
    """Why a partial verifier does not see it."""
    after_days: int = 0
    """How long after the newest publication the vehicle asks."""

    def __deepcopy__(self, memo: object) -> AttackCase:
        return self

    def named_by(self, check: Check | None) -> Attack | None:
        """What the refusal is called."""
        return None if check is None else ATTACK_OF[check]


_DIRECTOR_ONLY = "it reads nothing but the Director's targets"
_DIRECTOR_TRUSTED = "it takes the Director's word: nobody else confirms the image"
_SELF_ONLY = "it knows no ECU but itself"


CATALOGUE: tuple[AttackCase, ...] = (
    AttackCase(
        name="eavesdrop",
        attack=Attack.EAVESDROP,
        text="somebody reads along; images are not encrypted, and no check can show it",
        stage=Stage.NOTHING,
        blind="nobody sees it",
    ),
    # ---- drop request, slow retrieval, denial of service, endless data ----
    AttackCase(
        name="drop_request_for_director_targets",
        attack=Attack.DROP_REQUEST,
        text="everything is served but the Director's targets",
        on_files=means.without_director_targets,
        full=Check.MISSING,
        partial=Check.MISSING,
    ),
    AttackCase(
        name="drop_request_for_image_targets",
        attack=Attack.DROP_REQUEST,
        text="everything is served but the Image repository's targets",
        on_files=means.without_image_targets,
        full=Check.MISSING,
        blind=_DIRECTOR_ONLY,
    ),
    AttackCase(
        name="drop_request_metadata_cut_short",
        attack=Attack.DROP_REQUEST,
        text="half of the metadata set",
        on_set=means.cut_short,
        full=Check.MISSING,
        partial=Check.MISSING,
    ),
    AttackCase(
        name="drop_request_image_cut_short",
        attack=Attack.DROP_REQUEST,
        text="half of the image, called complete",
        stage=Stage.IMAGE,
        on_image=means.shorter_image,
        full=Check.IMAGE_TOO_SHORT,
        partial=Check.IMAGE_TOO_SHORT,
    ),
    AttackCase(
        name="drop_request_image_stalls",
        attack=Attack.DROP_REQUEST,
        text="the image stops coming in the middle",
        stage=Stage.TRANSFER,
        pace=Pace(50_000, stops_after=100_000),
        full=Check.STALLED,
        partial=Check.STALLED,
    ),
    AttackCase(
        name="slow_retrieval",
        attack=Attack.SLOW_RETRIEVAL,
        text="the image comes byte by byte, so that the update never ends",
        stage=Stage.TRANSFER,
        pace=Pace(100),
        full=Check.TOO_SLOW,
        partial=Check.TOO_SLOW,
    ),
    AttackCase(
        name="denial_of_service_repositories_silent",
        attack=Attack.DENIAL_OF_SERVICE,
        text="no answer to the request for metadata",
        on_files=means.nothing_answers,
        full=Check.NO_ANSWER,
        partial=Check.NO_ANSWER,
    ),
    AttackCase(
        name="denial_of_service_no_image",
        attack=Attack.DENIAL_OF_SERVICE,
        text="no answer to the request for the image",
        stage=Stage.TRANSFER,
        pace=Pace(0, stops_after=0),
        full=Check.NO_ANSWER,
        partial=Check.NO_ANSWER,
    ),
    AttackCase(
        name="endless_data_metadata",
        attack=Attack.ENDLESS_DATA,
        text="a metadata set that does not end",
        on_set=means.lengthened,
        full=Check.TOO_LONG,
        partial=Check.TOO_LONG,
    ),
    AttackCase(
        name="endless_data_targets",
        attack=Attack.ENDLESS_DATA,
        text="targets lengthened by blanks",
        on_files=means.long_targets,
        full=Check.TOO_LONG,
        partial=Check.TOO_LONG,
    ),
    AttackCase(
        name="endless_data_image",
        attack=Attack.ENDLESS_DATA,
        text="the image goes on behind its end",
        stage=Stage.IMAGE,
        on_image=means.longer_image,
        full=Check.IMAGE_TOO_LONG,
        partial=Check.IMAGE_TOO_LONG,
    ),
    # ---- freeze ----
    AttackCase(
        name="freeze_for_days",
        attack=Attack.FREEZE,
        text="what the vehicle has accepted last, again and again: the update is kept away",
        on_files=means.last_publication_but_one,
        after_days=5,
        full=Check.EXPIRY,
        blind="it reads no timestamp, and the targets are valid for 90 days",
    ),
    AttackCase(
        name="freeze_for_months",
        attack=Attack.FREEZE,
        text="the same until the targets have expired",
        on_files=means.last_publication_but_one,
        after_days=100,
        full=Check.EXPIRY,
        partial=Check.EXPIRY,
    ),
    AttackCase(
        name="freeze_time_replayed",
        attack=Attack.FREEZE,
        text="an older attestation of the time, so that nothing expires",
        on_files=means.old_time,
        full=Check.TIME_BACKWARDS,
        partial=Check.TIME_BACKWARDS,
    ),
    AttackCase(
        name="freeze_time_forged",
        attack=Attack.FREEZE,
        text="an attestation of the time under a key of the thief's",
        on_files=means.forged_time,
        full=Check.TIME_SIGNATURE,
        partial=Check.TIME_SIGNATURE,
    ),
    # ---- rollback ----
    AttackCase(
        name="rollback_all_metadata",
        attack=Attack.ROLLBACK,
        text="an older publication than the accepted one, still valid",
        on_files=means.first_publication,
        full=Check.VERSION,
        partial=Check.VERSION,
    ),
    AttackCase(
        name="rollback_image_repository",
        attack=Attack.ROLLBACK,
        text="today's Director, the Image repository of before",
        on_files=means.old_image_repository,
        full=Check.VERSION,
        blind=_DIRECTOR_ONLY,
    ),
    AttackCase(
        name="rollback_root",
        attack=Attack.ROLLBACK,
        text="root keys stolen: a next root that calls itself an earlier one",
        on_files=means.lower_root,
        full=Check.VERSION,
        partial=Check.VERSION,
    ),
    AttackCase(
        name="rollback_role_disappears",
        attack=Attack.ROLLBACK,
        text="Image repository's online keys stolen: a supplier's role is no longer listed",
        on_files=means.role_disappears,
        full=Check.FILE_DISAPPEARED,
        blind=_DIRECTOR_ONLY,
    ),
    AttackCase(
        name="rollback_release_counter",
        attack=Attack.ROLLBACK,
        text="Director's keys stolen: an older image, properly released in its time",
        on_files=means.lower_release,
        full=Check.RELEASE_COUNTER,
        partial=Check.RELEASE_COUNTER,
    ),
    # ---- fast-forward ----
    AttackCase(
        name="fast_forward_timestamp",
        attack=Attack.FAST_FORWARD,
        text="timestamp key stolen: a version that no honest one will reach",
        on_files=means.timestamp_jumps,
        full=Check.VERSION_JUMP,
        blind=_DIRECTOR_ONLY,
    ),
    AttackCase(
        name="fast_forward_targets",
        attack=Attack.FAST_FORWARD,
        text="Director's keys stolen: the same with the targets",
        on_files=means.targets_jump,
        full=Check.VERSION_JUMP,
        partial=Check.VERSION_JUMP,
    ),
    # ---- mix-and-match ----
    AttackCase(
        name="mix_and_match_image_targets",
        attack=Attack.MIX_AND_MATCH,
        text="the Image repository's targets of before below today's snapshot",
        on_files=means.old_image_targets,
        full=Check.LISTED_HASH,
        blind=_DIRECTOR_ONLY,
    ),
    AttackCase(
        name="mix_and_match_director_targets",
        attack=Attack.MIX_AND_MATCH,
        text="the Director's targets of before below today's snapshot; alone they are a rollback",
        on_files=means.old_director_targets,
        full=Check.LISTED_HASH,
        partial=Check.VERSION,
    ),
    AttackCase(
        name="mix_and_match_another_vehicle",
        attack=Attack.MIX_AND_MATCH,
        text="what the Director has signed for another vehicle",
        on_files=means.another_vehicle,
        full=Check.VEHICLE,
        partial=Check.VEHICLE,
    ),
    AttackCase(
        name="mix_and_match_repeated_ecu",
        attack=Attack.MIX_AND_MATCH,
        text="Director's keys stolen: two images for one ECU",
        on_files=means.repeated_ecu,
        full=Check.REPEATED_ECU,
        partial=Check.REPEATED_ECU,
    ),
    AttackCase(
        name="mix_and_match_unknown_ecu",
        attack=Attack.MIX_AND_MATCH,
        text="Director's keys stolen: an order for an ECU that is not in the vehicle",
        on_files=means.unknown_ecu,
        full=Check.UNKNOWN_ECU,
        blind=_SELF_ONLY,
    ),
    AttackCase(
        name="mix_and_match_incompatible_versions",
        attack=Attack.MIX_AND_MATCH,
        text="Director's keys stolen: new software that needs others to be new too, alone",
        on_files=means.incompatible,
        full=Check.COMPATIBILITY,
        blind=_SELF_ONLY,
    ),
    # ---- partial bundle installation ----
    AttackCase(
        name="partial_bundle_ordered",
        attack=Attack.PARTIAL_BUNDLE_INSTALLATION,
        text="Director's keys stolen: one member of the bundle gets no image",
        on_files=means.bundle_torn,
        full=Check.BUNDLE_MEMBERS,
        partial=Check.BUNDLE_MEMBERS,
    ),
    AttackCase(
        name="partial_bundle_installed",
        attack=Attack.PARTIAL_BUNDLE_INSTALLATION,
        text="one member never gets its image, the others have installed theirs",
        stage=Stage.INSTALLATION,
        full=Check.BUNDLE_INSTALLATION,
        blind=_SELF_ONLY,
    ),
    # ---- arbitrary software ----
    AttackCase(
        name="arbitrary_software_own_keys",
        attack=Attack.ARBITRARY_SOFTWARE,
        text="malware ordered under the thief's own keys",
        on_files=means.own_keys,
        full=Check.SIGNATURE,
        partial=Check.SIGNATURE,
    ),
    AttackCase(
        name="arbitrary_software_own_root",
        attack=Attack.ARBITRARY_SOFTWARE,
        text="the same, with a next root to match",
        on_files=means.own_root,
        full=Check.SIGNATURE,
        partial=Check.SIGNATURE,
    ),
    AttackCase(
        name="arbitrary_software_one_root_key_of_two",
        attack=Attack.ARBITRARY_SOFTWARE,
        text="the same, with one stolen root key where two are needed",
        on_files=means.one_root_key,
        full=Check.SIGNATURE,
        partial=Check.SIGNATURE,
    ),
    AttackCase(
        name="arbitrary_software_unknown_image",
        attack=Attack.ARBITRARY_SOFTWARE,
        text="Director's keys stolen: an image that nobody has released",
        on_files=means.unknown_image,
        full=Check.NOT_IN_IMAGE_REPOSITORY,
        blind=_DIRECTOR_TRUSTED,
    ),
    AttackCase(
        name="arbitrary_software_changed_image",
        attack=Attack.ARBITRARY_SOFTWARE,
        text="Director's keys stolen: a released name with another content",
        on_files=means.changed_image,
        full=Check.REPOSITORIES_DIFFER,
        blind=_DIRECTOR_TRUSTED,
    ),
    AttackCase(
        name="arbitrary_software_outside_delegation",
        attack=Attack.ARBITRARY_SOFTWARE,
        text="Director's and a supplier's keys stolen: the supplier signs what is not theirs",
        on_files=means.outside_delegation,
        full=Check.NOT_IN_IMAGE_REPOSITORY,
        blind=_DIRECTOR_TRUSTED,
    ),
    AttackCase(
        name="arbitrary_software_for_other_hardware",
        attack=Attack.ARBITRARY_SOFTWARE,
        text="Director's keys stolen: released images on hardware they are not made for",
        on_files=means.wrong_hardware,
        full=Check.HARDWARE_ID,
        partial=Check.HARDWARE_ID,
    ),
    AttackCase(
        name="arbitrary_software_director_delegates",
        attack=Attack.ARBITRARY_SOFTWARE,
        text="Director's keys stolen: orders left to a role of the thief's",
        on_files=means.director_delegates,
        full=Check.DIRECTOR_DELEGATION,
        partial=Check.DIRECTOR_DELEGATION,
    ),
    AttackCase(
        name="arbitrary_software_garbage",
        attack=Attack.ARBITRARY_SOFTWARE,
        text="noise instead of metadata",
        on_set=means.garbage,
        full=Check.CONTAINER,
        partial=Check.CONTAINER,
    ),
    AttackCase(
        name="arbitrary_software_swapped_image",
        attack=Attack.ARBITRARY_SOFTWARE,
        text="good metadata, another image of the same length",
        stage=Stage.IMAGE,
        on_image=means.swapped_image,
        full=Check.IMAGE_HASH,
        partial=Check.IMAGE_HASH,
    ),
)


def attack_case(name: str) -> AttackCase:
    """The case of this name."""
    for case in CATALOGUE:
        if case.name == name:
            return case
    known = ", ".join(case.name for case in CATALOGUE)
    raise UsageError("attack", expected=f"one of {known}", got=repr(name))
