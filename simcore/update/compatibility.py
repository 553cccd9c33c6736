"""Versions of software and what they demand of each other, as a decision table.

An image may require ranges of versions of other hardware in the vehicle. Judged is the vehicle
as it would be after the update: what is ordered, over what is installed. In between, some ECUs run
the new software and some the old one; `mixes` judges all of these. Requirements are signed in the
targets metadata; what is installed comes from the version reports.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum, unique
from itertools import combinations
from typing import NamedTuple

from simcore.update.image_format import ImageVersion


@dataclass(frozen=True, slots=True)
class Requirement:
    """What an image demands of all ECUs of one hardware: `minimum <= version < below`."""

    hardware_id: str
    minimum: ImageVersion
    below: ImageVersion | None = None

    def __str__(self) -> str:
        upper = "" if self.below is None else f" and < {self.below}"
        return f"{self.hardware_id} >= {self.minimum}{upper}"


class Software(NamedTuple):
    """What runs, or shall run, on one ECU."""

    hardware_id: str
    version: ImageVersion
    requires: tuple[Requirement, ...] = ()


@unique
class Fit(IntEnum):
    """How one ECU stands to one requirement."""

    FITS = 0
    NO_SUCH_HARDWARE = 1
    VERSION_UNKNOWN = 2
    TOO_OLD = 3
    TOO_NEW = 4


ACCEPTED: Mapping[Fit, bool] = {
    Fit.FITS: True,
    Fit.NO_SUCH_HARDWARE: False,  # demanded hardware that the vehicle does not have
    Fit.VERSION_UNKNOWN: False,  # a report is missing: not known to fit is not fitting
    Fit.TOO_OLD: False,
    Fit.TOO_NEW: False,
}
"""The decision: only what is known to fit."""


class Misfit(NamedTuple):
    """A requirement that the vehicle does not meet."""

    ecu_id: str
    requirement: Requirement
    fit: Fit
    other_ecu_id: str = ""
    other_version: ImageVersion | None = None

    def __str__(self) -> str:
        found = {
            Fit.NO_SUCH_HARDWARE: "no such hardware in the vehicle",
            Fit.VERSION_UNKNOWN: f"version of {self.other_ecu_id} unknown",
        }.get(self.fit, f"{self.other_ecu_id} has {self.other_version}")
        return f"{self.ecu_id} requires {self.requirement}: {found}"


def fit_of(requirement: Requirement, version: ImageVersion | None) -> Fit:
    """How an ECU of the demanded hardware with this version stands to a requirement."""
    if version is None:
        return Fit.VERSION_UNKNOWN
    if version < requirement.minimum:
        return Fit.TOO_OLD
    if requirement.below is not None and version >= requirement.below:
        return Fit.TOO_NEW
    return Fit.FITS


def misfits(
    software: Mapping[str, Software], hardware: Mapping[str, str] | None = None
) -> tuple[Misfit, ...]:
    """Every requirement not met, by ECU.

    `hardware` names the hardware of all ECUs of the vehicle, those without known software too.
    """
    places = {ecu_id: each.hardware_id for ecu_id, each in software.items()} | dict(hardware or {})
    found = []
    for ecu_id, each in sorted(software.items()):
        for requirement in each.requires:
            others = sorted(o for o, name in places.items() if name == requirement.hardware_id)
            if not others:
                found.append(Misfit(ecu_id, requirement, Fit.NO_SUCH_HARDWARE))
            for other in others:
                version = software[other].version if other in software else None
                fit = fit_of(requirement, version)
                if not ACCEPTED[fit]:
                    found.append(Misfit(ecu_id, requirement, fit, other, version))
    return tuple(found)


class Mix(NamedTuple):
    """A state on the way: these ECUs run the new software, the others still the old one."""

    updated: tuple[str, ...]
    misfits: tuple[Misfit, ...]

    @property
    def is_compatible(self) -> bool:
        return not self.misfits


def mixes(old: Mapping[str, Software], new: Mapping[str, Software]) -> Iterator[Mix]:
    """All states between `old` and `old` with `new` over it, the two ends included."""
    members = sorted(new)
    for count in range(len(members) + 1):
        for updated in combinations(members, count):
            state = dict(old) | {ecu_id: new[ecu_id] for ecu_id in updated}
            yield Mix(updated, misfits(state))
