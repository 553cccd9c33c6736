"""Diagnostic coverage of the communication: which mechanism notices which kind of fault.

The fault model is the list of ISO 26262-5 annex D (table D.6) and 26262-6 annex D for the exchange
of information; the mechanisms are those of the reference ECUs. What is in a table is counted in
runs of the reference chassis: a fault of a kind with drawn parameters, and what the real receiver
noticed of it. Nothing here is written by hand. How faults are drawn and run: `coverage_run`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, unique


@unique
class Mechanism(StrEnum):
    """What can notice a fault of a message."""

    CRC = "CRC"
    DATA_ID = "data id"
    COUNTER = "counter"
    LENGTH = "length"
    TIMEOUT = "timeout"
    ARRIVAL = "arrival time"
    SECOND_BUS = "second bus"


@unique
class FaultModel(StrEnum):
    """Kinds of faults of a communication, ISO 26262-5 annex D."""

    REPETITION = "repetition of information"
    LOSS = "loss of information"
    DELAY = "delay of information"
    CONSTANT_DELAY = "delay of information, constant"
    INSERTION = "insertion of information"
    MASQUERADE = "masquerade or incorrect addressing"
    SEQUENCE = "incorrect sequence of information"
    CORRUPTION = "corruption of information"
    ASYMMETRIC = "asymmetric information to receivers"
    SUBSET = "information received by a subset of receivers"
    BLOCKED = "blocking access to the channel"


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageRow:
    """One kind of fault over all its runs."""

    model: FaultModel
    runs: int
    noticed: int
    """Runs in which at least one mechanism fired."""
    fired: Mapping[Mechanism, int] = field(hash=False)
    """Runs in which each mechanism fired; one run may count for several."""
    unnoticed: tuple[str, ...] = ()
    """What was injected in the first runs that nothing noticed."""

    def share(self, mechanism: Mechanism | None = None) -> tuple[int, int]:
        """Runs in which a mechanism fired, any for `None`, and all runs."""
        count = self.noticed if mechanism is None else self.fired.get(mechanism, 0)
        return count, self.runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The table."""

    seed: int
    messages: tuple[str, ...]
    """Message and receiver: `CDC_EmbCmd at EMB_FL`."""
    rows: tuple[CoverageRow, ...]
    errors: tuple[str, ...] = ()
    """Runs that could not be made."""


def percent(share: tuple[int, int]) -> str:
    """A share as printed: `100 %`, `< 1 %`, `-` for no run."""
    count, runs = share
    if not runs:
        return "-"
    if count and count * 100 < runs:
        return "< 1 %"
    return f"{count * 100 // runs} %"
