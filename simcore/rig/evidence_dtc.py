"""`DtcSet`: evidence that an ECU has set a trouble code.

Read from the event that the ECU logs when the test of a code fails for the first time in an
operation cycle; see `evidence` for how observations are asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from simcore.diag.dtc import Dtc
from simcore.diag.dtc_memory import DtcMemory
from simcore.ecu.runtime.trouble_codes import LOG_KIND
from simcore.errors import UsageError
from simcore.rig.evidence import Change, History, Observation, events_after

if TYPE_CHECKING:
    from simcore.rig.bench import Bench


@dataclass(frozen=True, slots=True)
class DtcSet(Observation):
    """A node sets a trouble code; from then on it holds for good.

    `DtcSet("CDC", "EMB_FL silent")`, `DtcSet("CDC", "C1A10-87")`. A detection, no safe state: that
    the test passes again is not logged.
    """

    node: str
    code: str
    """The code as workshops write it, or its name in the ECU's table."""

    def history(self, rig: Bench, since_ns: int, until_ns: int) -> History:
        wanted = f"{self.dtc(rig).title}: "
        for event in events_after(rig.log.events, since_ns):
            if event.time_ns > until_ns:
                break
            if (
                event.kind == LOG_KIND
                and event.source == self.node
                and event.text.startswith(wanted)
            ):
                text = f"{event.source} {event.kind}: {event.text}"
                return History(since_ns, "", (Change(event.time_ns, True, text),))
        return History(since_ns, "")

    def dtc(self, rig: Bench) -> Dtc:
        """The row of the ECU's table. Raises `UsageError` where there is none."""
        codes = getattr(rig.node(self.node), "trouble_codes", None)
        memory = getattr(codes, "memory", None)
        if not isinstance(memory, DtcMemory):
            raise UsageError(f"DtcSet, node {self.node}", expected="an ECU with trouble codes")
        for dtc in memory.settings.dtcs:
            if self.code == dtc.name or dtc.title.startswith(f"{self.code} "):
                return dtc
        raise UsageError(
            f"DtcSet, node {self.node}", expected="a code or name of its table", got=repr(self.code)
        )

    def __str__(self) -> str:
        return f"{self.node} sets {self.code}"
