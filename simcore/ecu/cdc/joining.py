"""How the domain controller joins after power on: at once, or where the secondary has been.

A controller that starts while the secondary brakes must not begin from nothing: in the middle of
slip control that would lock the wheels. So its requests are not valid until it knows whether the
secondary commands; if it does, slip control and hold go on from the secondary's forces.
"""

from __future__ import annotations

from collections.abc import Sequence

from simcore.ecu.cdc.application import Application
from simcore.ecu.cdc.communication import secondary_reader
from simcore.ecu.runtime import Reception
from simcore.network import Database
from simcore.units import NS_PER_MS

WAIT_NS = 100 * NS_PER_MS
"""A secondary that has not been heard for this long is not there."""


class Joining:
    """Decides when the requests of a controller that just started become valid."""

    __slots__ = ("_inputs", "_read", "_secondary", "_started_ns", "done")

    def __init__(
        self, database: Database, secondary: Reception, inputs: Sequence[Reception], now_ns: int
    ) -> None:
        self._secondary = secondary
        self._inputs = tuple(inputs)
        """What braking needs: it must be usable before a command is taken over."""
        self._read = secondary_reader(database)
        self._started_ns = now_ns
        self.done = False

    def step(self, application: Application, now_ns: int) -> None:
        """Once per control period, before the control task, until `done`."""
        late = now_ns - self._started_ns >= WAIT_NS
        if self._secondary.usable(now_ns):
            valid, *rest = self._read.read(self._secondary.data)
            if valid:
                if not (late or all(each.usable(now_ns) for each in self._inputs)):
                    return
                application.resume(None, rest[:4], rest[4:], now_ns)
            self.done = True
        elif late:
            self.done = True
        application.may_command = self.done
