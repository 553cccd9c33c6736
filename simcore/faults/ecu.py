"""Faults of an ECU as a whole."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EcuSilent:
    """The node loses its supply: no task runs, nothing is sent, its power stage is off."""

    node: str

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.node} silent: supply of the ECU lost"
