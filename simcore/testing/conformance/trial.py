"""`Trial`: one run of one case, as the case sees it.

It gives the stand, the numbers and names of the interface, and takes down what was judged. It
raises only where the case itself is wrong: a limit that is missed is noted, and the case goes on.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from simcore.bus.log import BusRecord
from simcore.errors import UsageError
from simcore.kernel.rng import RandomStream
from simcore.network.messages import Message, Number
from simcore.rig.bench import Bench
from simcore.rig.printing import printed
from simcore.rig.stand import NodeStand
from simcore.testing.conformance.case import Case, StandKind
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.result import Curve, Judgement
from simcore.units import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from simcore.attach.dut import Dut

OFF_NS = 100 * NS_PER_MS
"""How long a power cycle takes the supply away, unless the case says otherwise."""
EVERY_CHANNEL = "*"
_POWER = "power cycle"
"""Who takes the supply away."""
SAFETY = {
    "actuator": "simcore.testing.conformance.groups.actuator_safety",
    "controller": "simcore.testing.conformance.groups.controller_safety",
}
"""Where the invariant of a role is; a plain node has none."""


class NotTestedError(Exception):
    """The place or the module lacks what the case needs."""


class Trial:
    """A case on its stand. Times are virtual, in ns, and count from when the stand was built."""

    def __init__(
        self,
        case: Case,
        interface: Interface,
        bench: Bench,
        dut: Dut,
        *,
        seed: int = 0,
        budget: int = 200,
    ) -> None:
        self.case = case
        self.interface = interface
        self.node = interface.node
        self.bench = bench
        self.dut = dut
        self.budget = budget
        """How many inputs a case that draws them may take, for examples."""
        self.rng = RandomStream(seed, f"case {case.id}")
        self.start_ns = bench.now_ns
        """When the case began."""
        self.started_ns: int | None = None
        """When the case last switched the module on; `None` where it has been up all along."""
        self.judgements: list[Judgement] = []
        self.curves: list[Curve] = []
        self._own: list[BusRecord] = []
        """Frames of the module since the start of the case."""
        self._by_id: dict[tuple[int, bool], list[BusRecord]] = {}
        self._looked = len(bench.recorder.frames)

    # -- numbers and names ------------------------------------------------------------------------

    def parameter(self, name: str) -> float:
        """A number from the requirements that the case verifies; `InputError` where none has it."""
        return self.interface.parameter(self.case.id, name)

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the buses that the module is on, the default one first."""
        host = self.bench.host(self.node)
        return tuple(host.channels)

    # -- time -------------------------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        """Virtual time."""
        return self.bench.now_ns

    def run_for(self, duration_ns: int) -> None:
        """Let virtual time pass."""
        self.bench.run_for(duration_ns)

    def run_until(self, predicate: Callable[[], bool], *, timeout: int) -> bool:
        """Run until `predicate()` holds, at most `timeout` ns; returns whether it held."""
        return self.bench.run_until(predicate, timeout=timeout)

    def power_on(self) -> int:
        """Put the module into the empty place of a cold stand and switch it on; when that was."""
        if not isinstance(self.bench, NodeStand) or self.case.stand is not StandKind.COLD:
            raise UsageError(f"case {self.case.id}: power_on", expected="a cold stand")
        self.bench.mount(self.dut.build(self.node, self.interface.database))
        self.started_ns = self.now_ns
        return self.now_ns

    def power_cycle(self, off_ns: int = OFF_NS) -> int:
        """Take the supply away for `off_ns` and give it back; when that was."""
        self.bench.silence(self.node, _POWER)
        self.run_for(off_ns)
        self.bench.supply(self.node, _POWER)
        self.started_ns = self.now_ns
        return self.now_ns

    # -- what was measured ------------------------------------------------------------------------

    def expect(
        self,
        passed: bool | np.bool_,
        *,
        text: str,
        measured: float | str | None = None,
        limit: str = "",
        requirement: str = "",
    ) -> bool:
        """Judge; the case goes on whatever the outcome, which is returned.

        A measured number is printed with the unit of `limit`; one that is no number fails.
        `requirement` names the one judged where the case verifies several.
        """
        if not isinstance(passed, (bool, np.bool_)):
            raise UsageError(f"expect: {text}", expected="True or False", got=repr(passed))
        if requirement and requirement not in self.case.requirements:
            requirement = ""  # a list of one's own may demand it under another name
        outcome = bool(passed) and measured == measured  # NaN is unequal to itself
        self.judgements.append(
            Judgement(
                passed=outcome,
                text=text,
                measured=printed(measured, limit),
                limit=limit,
                time_ns=self.now_ns,
                requirement=requirement,
            )
        )
        return outcome

    def not_tested(self, reason: str) -> NoReturn:
        """End the case: the place lacks what it needs."""
        raise NotTestedError(reason)

    def curve(
        self,
        name: str,
        unit: str,
        times_ns: Sequence[int] | np.ndarray[Any, Any],
        values: Sequence[float] | np.ndarray[Any, Any],
        limits: Mapping[str, Sequence[float] | np.ndarray[Any, Any]] | None = None,
    ) -> None:
        """Keep a measured quantity over time as evidence."""
        lengths = {len(times_ns), len(values), *(len(each) for each in (limits or {}).values())}
        if len(lengths) != 1:
            raise UsageError(f"curve {name}", expected="equal lengths", got=sorted(lengths))
        self.curves.append(
            Curve(
                name=name,
                unit=unit,
                time_s=tuple(float(each) / NS_PER_S for each in times_ns),
                values=tuple(float(each) for each in values),
                limits=tuple(
                    (key, tuple(float(each) for each in line))
                    for key, line in (limits or {}).items()
                ),
            )
        )

    # -- what was on the bus ----------------------------------------------------------------------

    def message(self, name: str) -> Message:
        """A message of the network."""
        return self.bench.message_named(name)

    def records(self, since_ns: int = 0) -> list[BusRecord]:
        """Every frame on every bus that was complete after `since_ns`, in order."""
        frames = self.bench.recorder.frames
        return frames[bisect_left(frames, since_ns, key=_eof_ns) :]

    def own_records(self, since_ns: int = 0) -> list[BusRecord]:
        """Every frame of the module on every bus that began from `since_ns` on, in order."""
        return [each for each in self._own_frames(since_ns) if each.sof_ns >= since_ns]

    def frames(
        self, message_name: str, since_ns: int = 0, *, channel: str | None = None
    ) -> list[BusRecord]:
        """Frames of a message that the module sent and that began from `since_ns` on, in order.

        Of one bus: the module's first by default, `"*"` for all.
        """
        message = self.message(message_name)
        channel = self.channels[0] if channel is None else channel
        key = message.arbitration_id, message.is_extended_id
        if since_ns >= self.start_ns:
            self._look()
            found: Iterable[BusRecord] = self._by_id.get(key, ())
        else:
            found = (
                each
                for each in self._own_frames(since_ns)
                if (each.frame.arbitration_id, each.frame.is_extended_id) == key
            )
        return [
            each
            for each in found
            if each.sof_ns >= since_ns and channel in (each.channel, EVERY_CHANNEL)
        ]

    def _own_frames(self, since_ns: int) -> list[BusRecord]:
        if since_ns >= self.start_ns:
            self._look()
            return self._own
        return [each for each in self.records(since_ns) if each.sender == self.node]

    def _look(self) -> None:
        """Take in what the module has sent since the last look: each frame is looked at once."""
        frames = self.bench.recorder.frames
        node, own, by_id = self.node, self._own, self._by_id
        for record in frames[self._looked :]:
            if record.sender == node:
                own.append(record)
                key = record.frame.arbitration_id, record.frame.is_extended_id
                by_id.setdefault(key, []).append(record)
        self._looked = len(frames)

    def decoded(
        self,
        message_name: str,
        signal: str,
        since_ns: int = 0,
        *,
        channel: str | None = None,
    ) -> list[tuple[int, Number]]:
        """What the module sent as a signal: (end of frame in ns, physical value), in order.

        Frames of another length than the message's are left out.
        """
        message = self.message(message_name)
        read = message.codec.reader(signal).read
        return [
            (record.eof_ns, read(record.frame.data)[0])
            for record in self.frames(message_name, since_ns, channel=channel)
            if len(record.frame.data) == message.length
        ]

    # -- the invariant ----------------------------------------------------------------------------

    def check_safe(self, since_ns: int | None = None) -> None:
        """Judge what the role must never do, from `since_ns` (the start of the case) until now."""
        module = SAFETY.get(self.interface.role)
        if module is not None:
            import_module(module).check_safe(self, self.start_ns if since_ns is None else since_ns)


def _eof_ns(record: BusRecord) -> int:
    return record.eof_ns
