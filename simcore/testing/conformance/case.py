"""`Case`: one test of a module against its interface, before it is run.

Cases are made from the database and the requirement list by the modules in `groups`; which
requirements a case verifies is said by the requirement list, not here. What a case left behind is
in `result`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simcore.testing.conformance.trial import Trial


@unique
class Group(StrEnum):
    """What a case is about; the order is that of the report."""

    START_UP = "start-up"
    CYCLES = "cycle times and jitter"
    LAYOUT = "layout and ranges"
    E2E_TRANSMIT = "E2E transmit"
    E2E_RECEIVE = "E2E receive"
    TIMEOUTS = "timeouts"
    REDUNDANCY = "redundancy"
    CONTROL = "control quality"
    FAULTS = "faults and FTTI"
    WATCHDOG = "watchdog dialogue"
    BUS_ERRORS = "bus errors and bus-off"
    DIAGNOSTICS = "diagnostics"
    UPDATE = "update"
    ROBUSTNESS = "robustness"
    POWER = "power modes"
    LONG_RUN = "long run"


@unique
class StandKind(StrEnum):
    """On what a case runs."""

    COLD = "node, from power on"
    """The module alone, everything around it played, not yet switched on."""
    WARM = "node, running"
    """The same, up and running for a while."""
    VEHICLE = "vehicle, running"
    """The whole reference chassis with the module in its place, warmed up at standstill."""


@unique
class Need(StrEnum):
    """What a case demands of the place the module is in; without it the case is not tested."""

    PINS = "pins"
    SECOND_BUS = "a second bus"
    WATCHDOG = "an external watchdog"
    FLASH = "a flash"
    DIAGNOSTICS = "diagnostic messages in the database"
    VEHICLE = "the reference vehicle"
    VIRTUAL_TIME = "virtual time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case. `run` is a function of a module, or a `partial` of one: it travels to workers."""

    id: str
    """`cycle.EMB_FL_St1`: words with dots between; requirement lists name cases by patterns."""
    group: Group
    title: str
    """What must be true, as a sentence."""
    run: Callable[[Trial], None]
    stand: StandKind = StandKind.WARM
    needs: frozenset[Need] = frozenset()
    requirements: tuple[str, ...] = ()
    """Ids of what it verifies; filled in from the requirement list."""
