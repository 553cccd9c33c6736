"""Long run: nothing drifts, no counter slips, nothing grows.

With the other nodes silent a long time costs little: the module is the only one to be simulated.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable

from simcore.attach.c_module import Snapshot
from simcore.faults import ChecksumWrong
from simcore.kernel import Scheduler
from simcore.network import Database, Message
from simcore.rig.bench import Bench
from simcore.rig.host import NodeHost
from simcore.testing.conformance.case import Case, Group, Need
from simcore.testing.conformance.groups.startup import judge_own, judge_start
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.measuring import judge_checksums, judge_counters, judge_life
from simcore.testing.conformance.stimuli import played, stand_of
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_MS, ms, s

_RESTARTS = 20
_SETTLING_NS = 200 * NS_PER_MS
_DISTURBED_FRAMES = 3
_DISTURBANCE_NS = 100 * NS_PER_MS
_SURROUNDINGS = (Bench, Database, NodeHost, Scheduler)
"""What a module knows of the simulation around it, which is no state of its own."""


def cases(interface: Interface) -> list[Case]:
    """Long-run cases of a node."""
    return [
        _case("calm", "for a long time everything comes, and nothing slips", calm),
        _case("alone", "for a long time nobody else speaks, and nothing slips", alone),
        _case("restarts", "many restarts leave nothing behind", restarts),
        _case("memory", "what it keeps does not grow while the same happens again", memory),
    ]


def _case(id: str, title: str, run: Callable[[Trial], None]) -> Case:
    return Case(
        id=f"long.{id}",
        group=Group.LONG_RUN,
        title=title,
        run=run,
        needs=frozenset({Need.VIRTUAL_TIME}),
    )


def calm(trial: Trial) -> None:
    """The reference load for `calm_s`."""
    _observe(trial, s(trial.parameter("calm_s")))


def alone(trial: Trial) -> None:
    """All others without supply for `alone_s`."""
    for name in trial.bench.nodes:
        if name != trial.node:
            trial.bench.silence(name)
    trial.run_for(_SETTLING_NS)
    _observe(trial, s(trial.parameter("alone_s")))


def _observe(trial: Trial, duration_ns: int) -> None:
    events = trial.bench.log.events
    begin_ns, before = trial.now_ns, len(events)
    trial.run_for(duration_ns // 2)
    half = len(events)
    trial.run_for(duration_ns // 2)
    first = sum(each.source == trial.node for each in events[before:half])
    second = sum(each.source == trial.node for each in events[half:])
    trial.expect(
        second <= first + 1,
        text="events of the second half; those of the first bound them",
        measured=second,
        limit=f"<= {first + 1}",
    )
    for message in trial.interface.cyclic_sent:
        _judge_drift(trial, message, begin_ns)
    judge_own(trial, begin_ns)
    judge_life(trial, begin_ns)
    trial.check_safe(begin_ns)


def _judge_drift(trial: Trial, message: Message, since_ns: int) -> None:
    """Judge the mean cycle with `drift_pct`, counters and checksums."""
    records = trial.frames(message.name, since_ns)
    if len(records) > 1 and trial.interface.rules[message.name].is_plain:
        span_ns = records[-1].request_ns - records[0].request_ns
        cycle_ns = trial.interface.cycle_ns(message)
        off_pct = 100.0 * (span_ns / (len(records) - 1) / cycle_ns - 1.0)
        limit_pct = trial.parameter("drift_pct")
        trial.expect(
            abs(off_pct) <= limit_pct,
            text=f"mean cycle of {message.name} over {len(records)} frames, off by",
            measured=off_pct,
            limit=f"+-{limit_pct:g} %",
        )
    if message.e2e is not None and len(records) > 1:
        judge_checksums(trial, message, records)
        judge_counters(trial, message, records)


def restarts(trial: Trial) -> None:
    """Twenty times off and on: the last start is as good as the first."""
    stand = stand_of(trial)
    memory = trial.bench.host(trial.node).memory
    sizes = []
    for _ in range(_RESTARTS):
        stand.power_off()
        trial.run_for(5 * NS_PER_MS)
        stand.power_on()
        trial.run_for(20 * NS_PER_MS)
        sizes.append(sum(map(len, memory.values())))
    stand.power_off()
    trial.run_for(5 * NS_PER_MS)
    stand.power_on()
    on_ns = trial.now_ns
    latest_ns = max((each.start_delay_ns for each in trial.interface.cyclic_sent), default=0)
    trial.run_for(latest_ns + ms(trial.parameter("start_budget_ms")))
    for message in trial.interface.cyclic_sent:
        judge_start(trial, on_ns, message, what=f" after {_RESTARTS} restarts")
    growth = sizes[-1] - sizes[len(sizes) // 2]
    most = int(trial.parameter("growth_count")) * _RESTARTS // 2
    trial.expect(
        growth <= most,
        text="bytes by which the non-volatile memory has grown over the second half",
        measured=growth,
        limit=f"<= {most}",
    )
    trial.check_safe(trial.start_ns)


def memory(trial: Trial) -> None:
    """Its state as it would be copied, after the same round of good and wrong frames again."""
    if not trial.dut.forkable or trial.dut.kind == "fmu":
        trial.not_tested("the state of the module cannot be read")
    duration_ns = s(trial.parameter("memory_s"))
    sizes = []
    for _ in range(3):
        _round(trial, duration_ns)
        sizes.append(_state_size(trial))
    growth, most = sizes[-1] - sizes[-2], int(trial.parameter("state_growth_count"))
    trial.expect(
        growth <= most,
        text=f"bytes by which its state of {sizes[-2]} has grown in {duration_ns / s(1):g} s",
        measured=f"{growth}",
        limit=f"<= {most}",
    )
    trial.check_safe(trial.start_ns)


def _round(trial: Trial, duration_ns: int) -> None:
    """Each protected message with a few wrong frames, one after the other, then calm."""
    end_ns = trial.now_ns + duration_ns
    for message in played(trial):
        if message.e2e is not None and trial.interface.cycle_ns(message):
            trial.bench.inject(ChecksumWrong(message=message.name, frames=_DISTURBED_FRAMES))
            trial.run_for(_DISTURBANCE_NS)
    trial.run_for(max(_SETTLING_NS, end_ns - trial.now_ns))


class _StatePickler(pickle.Pickler):
    """Leaves out what surrounds a module."""

    def persistent_id(self, obj: object) -> str | None:
        """A word for what is left out."""
        if isinstance(obj, Snapshot) and obj.journal is not None:
            raise pickle.PicklingError("it is known by all that it was ever told")
        return type(obj).__name__ if isinstance(obj, _SURROUNDINGS) else None


def _state_size(trial: Trial) -> int:
    """In bytes. A module without a readable state ends the case."""
    written = io.BytesIO()
    try:
        _StatePickler(written, pickle.HIGHEST_PROTOCOL).dump(trial.bench.host(trial.node).node)
    except Exception as error:  # whatever the module's own copying raises
        trial.not_tested(f"the state of the module cannot be read: {error}")
    return len(written.getvalue())
