"""Long run: nothing drifts, no counter slips, nothing grows.

With the other nodes silent a long time costs little: the module is the only one to be simulated.
"""

from __future__ import annotations

from collections.abc import Callable

from simcore.network import Message
from simcore.testing.conformance.case import Case, Group, Need
from simcore.testing.conformance.groups.startup import judge_own, judge_start
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.measuring import judge_checksums, judge_counters, judge_life
from simcore.testing.conformance.stimuli import stand_of
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_MS, ms, s

_RESTARTS = 20
_SETTLING_NS = 200 * NS_PER_MS


def cases(interface: Interface) -> list[Case]:
    """Long-run cases of a node."""
    return [
        _case("calm", "for a long time everything comes, and nothing slips", calm),
        _case("alone", "for a long time nobody else speaks, and nothing slips", alone),
        _case("restarts", "many restarts leave nothing behind", restarts),
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
