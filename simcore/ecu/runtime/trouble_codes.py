"""Trouble codes as the software of an ECU sees them: `failed` and `passed` from where it is found.

`TroubleCodes` stands between the monitors and the `DtcMemory`: repeated reports cost a look into
a dictionary, monitors may report on change only and are heard again after a clear or after
ControlDTCSetting, and what watches all the time and has found nothing counts as passed. Whoever
builds an ECU puts one into `Ecu.trouble_codes`; without diagnostics it is `NO_TROUBLE_CODES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any, TypeAlias

from simcore.diag.dtc import Dtc, DtcSettings
from simcore.diag.dtc_memory import DtcMemory, Reader
from simcore.diag.dtc_status import (
    CONFIRMED_DTC,
    TEST_FAILED,
    TEST_FAILED_THIS_OPERATION_CYCLE,
    EventStatus,
    bits_of,
)
from simcore.ecu.runtime.diagnostic_addresses import diagnostic_messages
from simcore.ecu.runtime.trouble_code_rows import (
    ENABLE_LOST,
    EXPIRED_BEFORE,
    invalid,
    missing,
)
from simcore.ecu.seam import Port
from simcore.units import NS_PER_MS

if TYPE_CHECKING:
    from simcore.ecu.runtime.communication import Reception
    from simcore.ecu.runtime.ecu import Ecu
    from simcore.ecu.runtime.redundancy import LaneWatch
    from simcore.ecu.runtime.supervision import Supervision

LOG_KIND = "dtc"
"""Kind of event that a trouble code that sets is logged with."""
LOOK_PERIOD_NS = 100 * NS_PER_MS
"""How often, at most, monitors are heard again and times are looked at."""
START_UP_NS = 500 * NS_PER_MS
"""Nodes wake up one after the other: so long nobody is missing."""
QUALIFY_NS = 1000 * NS_PER_MS
"""After so long a cycle, whoever watches all the time and reported nothing has passed."""

_FAILED = EventStatus.FAILED
_PASSED = EventStatus.PASSED
_PREFAILED = EventStatus.PREFAILED
_PREPASSED = EventStatus.PREPASSED
_SETTLED_LOOKS = 5
_NEVER_NS = 1 << 62
_NEW = TEST_FAILED_THIS_OPERATION_CYCLE | CONFIRMED_DTC


class NoTroubleCodes:
    """An ECU without diagnostics: reports go nowhere."""

    __slots__ = ()

    memory: DtcMemory | None = None
    due_ns = _NEVER_NS
    """`look` need never be called."""

    def __copy__(self) -> NoTroubleCodes:
        return self

    def __deepcopy__(self, memo: object) -> NoTroubleCodes:
        return self

    def __reduce__(self) -> str:
        return "NO_TROUBLE_CODES"

    def failed(self, name: str, now_ns: int) -> None:
        """A test failed."""

    def passed(self, name: str, now_ns: int) -> None:
        """A test passed."""

    def test(self, name: str, failed: bool, now_ns: int) -> None:
        """Either."""

    def sample(self, name: str, failed: bool, now_ns: int) -> None:
        """One sample of a test that the code's own debouncing judges."""

    def watch(self, reception: Reception) -> None:
        """A reception to judge."""

    def attend(self, supervision: Supervision, lanes: LaneWatch | None) -> None:
        """Let the runtime report."""

    def look(self, now_ns: int) -> None:
        """Periodic work, from a slow task."""


NO_TROUBLE_CODES = NoTroubleCodes()


class _Watched:
    """A reception that is judged at every look."""

    __slots__ = ("good_looks", "reception", "rejected_count")

    def __init__(self, reception: Reception) -> None:
        self.reception = reception
        self.rejected_count = reception.rejected_count
        self.good_looks = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> _Watched:  # there are many of them in a rig
        twin = _Watched.__new__(_Watched)
        memo[id(self)] = twin
        twin.reception = deepcopy(self.reception, memo)
        twin.rejected_count, twin.good_looks = self.rejected_count, self.good_looks
        return twin


class TroubleCodes:
    """The trouble codes of one ECU. Building it is the start of an operation cycle."""

    __slots__ = (
        "_generation",
        "_port",
        "_qualify_ns",
        "_said",
        "_supervision",
        "_watched",
        "_watched_from_ns",
        "due_ns",
        "memory",
    )

    def __init__(
        self,
        settings: DtcSettings,
        port: Port,
        readers: Mapping[int, Reader],
        now_ns: int,
    ) -> None:
        """`readers` give the data identifiers of snapshots."""
        self._port = port
        self._said: dict[str, EventStatus] = {}
        """What each monitor last said."""
        self._watched: list[_Watched] = []
        self._watched_from_ns = now_ns + START_UP_NS
        self._supervision: Supervision | None = None
        self._qualify_ns = now_ns + QUALIFY_NS
        self.due_ns = now_ns + LOOK_PERIOD_NS
        """When `look` wants to be called next; any time later will do."""
        self.memory = DtcMemory(settings, port.memory, readers, listener=self._changed)
        self.memory.start(now_ns)
        if self.memory.damage is not None:
            port.log("note", f"trouble codes start empty: {self.memory.damage}")
        self.memory.begin_cycle(now_ns)
        self._generation = self.memory.generation

    def failed(self, name: str, now_ns: int) -> None:
        """A test failed."""
        if self._said.get(name) is not _FAILED:
            self._said[name] = _FAILED
            self.memory.report(name, _FAILED, now_ns)

    def passed(self, name: str, now_ns: int) -> None:
        """A test passed."""
        if self._said.get(name) is not _PASSED:
            self._said[name] = _PASSED
            self.memory.report(name, _PASSED, now_ns)

    def test(self, name: str, failed: bool, now_ns: int) -> None:
        """A test failed or passed."""
        if failed:
            self.failed(name, now_ns)
        else:
            self.passed(name, now_ns)

    def sample(self, name: str, failed: bool, now_ns: int) -> None:
        """One sample of a test that the code's own debouncing judges."""
        status = _PREFAILED if failed else _PREPASSED
        self._said[name] = status
        self.memory.report(name, status, now_ns)

    def watch(self, reception: Reception) -> None:
        """Judge a reception at every look: is anything usable, is anything rejected."""
        self._watched.append(_Watched(reception))

    def attend(self, supervision: Supervision, lanes: LaneWatch | None) -> None:
        """Let the runtime report; its enable line is looked at."""
        self._supervision = supervision
        supervision.report_to(self)
        if lanes is not None:
            lanes.codes = self

    def look(self, now_ns: int) -> None:
        """Periodic work, from a slow task: messages, times, and hearing the monitors anew.

        A clear or the end of ControlDTCSetting restarts the tests: what stands, stands again.
        """
        self.due_ns = now_ns + LOOK_PERIOD_NS
        memory = self.memory
        memory.on_timer(now_ns)
        for row in self._watched:
            if (
                row.good_looks >= _SETTLED_LOOKS
                and row.rejected_count == row.reception.rejected_count
                and now_ns <= row.reception.valid_until_ns
            ):
                continue
            if now_ns >= self._watched_from_ns:
                self._judge(row, now_ns)
        if self._supervision is not None:
            self._attend(self._supervision, now_ns)
        if memory.generation != self._generation:
            self._generation = memory.generation
            for name, status in self._said.items():
                memory.report(name, status, now_ns)
            for row in self._watched:
                row.good_looks = 0
        if self._qualify_ns <= now_ns:
            self._qualify_ns = _NEVER_NS
            for dtc in memory.settings.dtcs:
                if dtc.is_continuous:
                    for name in dtc.events:
                        if name not in self._said:
                            self.passed(name, now_ns)
            memory.store()

    def _judge(self, row: _Watched, now_ns: int) -> None:
        """One sample of a reception. What is rejected is not missing."""
        reception = row.reception
        rejected = reception.rejected_count > row.rejected_count
        row.rejected_count = reception.rejected_count
        usable = now_ns <= reception.valid_until_ns
        row.good_looks = 0 if rejected or not usable else row.good_looks + 1
        name = reception.message.name
        self.sample(missing(name), not (usable or rejected), now_ns)
        self.sample(invalid(name), rejected, now_ns)

    def _attend(self, supervision: Supervision, now_ns: int) -> None:
        enabled = supervision.enabled
        if not enabled or ENABLE_LOST in self._said:
            self.test(ENABLE_LOST, not enabled, now_ns)
        if EXPIRED_BEFORE not in self._said:
            self.test(EXPIRED_BEFORE, supervision.first_expired_code != 0, now_ns)

    def _changed(self, dtc: Dtc, before: int, after: int, now_ns: int) -> None:
        """Log once per operation cycle that it failed, and when it is confirmed."""
        new = after & ~before & _NEW
        if new:
            if new & TEST_FAILED_THIS_OPERATION_CYCLE:
                new ^= TEST_FAILED_THIS_OPERATION_CYCLE | TEST_FAILED
            self._port.log(LOG_KIND, f"{dtc.title}: {', '.join(bits_of(new))}")


TroubleCodeReports: TypeAlias = TroubleCodes | NoTroubleCodes
"""Where monitors report to."""


def keep_trouble_codes(
    ecu: Ecu, settings: DtcSettings, readers: Mapping[int, Reader], now_ns: int
) -> None:
    """Give an ECU its trouble codes, from `configure` and before whoever reports is built.

    An ECU without diagnostic messages in its database does without.
    """
    if diagnostic_messages(ecu.database, ecu.name) is not None:
        ecu.trouble_codes = codes = TroubleCodes(settings, ecu.port, readers, now_ns)
        codes.attend(ecu.supervision, ecu.lanes)
