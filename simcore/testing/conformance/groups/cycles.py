"""Cycle times and jitter: under the reference load, on both buses, and whatever the load is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from simcore.bus import Frame
from simcore.network import Message
from simcore.testing.conformance.case import Case, Group, Need
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.measuring import channels_of, gaps_ns, judge_life
from simcore.testing.conformance.stimuli import Intruder, fill, played, stand_of, stir
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_MS, NS_PER_S

_LEAST_CYCLES = 20
_MOST_NS = 2 * NS_PER_S
_LOAD_NS = 300 * NS_PER_MS


def cases(interface: Interface) -> list[Case]:
    """Cycle cases of a node."""
    made = []
    for message in interface.cyclic_sent:
        name = message.name
        made.append(_case(f"reference.{name}", f"{name} comes in its cycle", reference, name))
        if message.is_redundant and interface.is_redundant:
            made.append(
                _case(
                    f"second.{name}",
                    f"{name} comes in its cycle on the second bus, too",
                    reference,
                    name,
                    is_second=True,
                    needs={Need.SECOND_BUS},
                )
            )
        made.append(
            _case(
                f"load.{name}",
                f"{name} is sent in its cycle while the bus is full",
                under_load,
                name,
                needs={Need.VIRTUAL_TIME},
            )
        )
        made.append(
            _case(
                f"stirred.{name}",
                f"{name} keeps its cycle while everything received changes",
                stirred,
                name,
                needs={Need.VIRTUAL_TIME},
            )
        )
    if interface.cyclic_sent:
        made.append(
            _case(
                "burst",
                "messages that come in bursts do not disturb the cycles",
                bursts,
                needs={Need.VIRTUAL_TIME},
            )
        )
    for message in interface.sent:
        if not interface.cycle_ns(message):
            made.append(
                _case(
                    f"event.{message.name}",
                    f"{message.name} comes on events only, and keeps its distance",
                    event,
                    message.name,
                )
            )
    return made


def _case(
    id: str,
    title: str,
    run: Callable[..., None],
    name: str = "",
    *,
    needs: set[Need] | None = None,
    **more: object,
) -> Case:
    return Case(
        id=f"cycle.{id}",
        group=Group.CYCLES,
        title=title,
        run=partial(run, name=name, **more) if name else run,
        needs=frozenset(needs or ()),
    )


def reference(trial: Trial, name: str, *, is_second: bool = False) -> None:
    """Every distance from start of frame to start of frame within the tolerance, and the mean."""
    message = trial.message(name)
    cycle_ns = trial.interface.cycle_ns(message)
    trial.run_for(max(3 * cycle_ns, min(_LEAST_CYCLES * cycle_ns, _MOST_NS)) + NS_PER_MS)
    channel = trial.channels[1 if is_second else 0]
    starts = [each.sof_ns for each in trial.frames(name, trial.start_ns, channel=channel)]
    judge_distances(trial, message, starts, what=f" on {channel}")
    times = starts[1:]
    if times:
        trial.curve(
            f"cycle of {name}",
            "ms",
            times,
            [gap / NS_PER_MS for gap in gaps_ns(starts)],
            {"nominal": [cycle_ns / NS_PER_MS] * len(times)},
        )


def judge_distances(trial: Trial, message: Message, times_ns: list[int], *, what: str) -> None:
    """Judge shortest and longest distance with `cycle_tolerance_pct`."""
    cycle_ns = trial.interface.cycle_ns(message)
    tolerance_pct = trial.parameter("cycle_tolerance_pct")
    gaps = gaps_ns(times_ns)
    limit_ns = tolerance_pct / 100.0 * cycle_ns
    is_plain = trial.interface.rules[message.name].is_plain
    worst = max(gaps, key=lambda gap: abs(gap - cycle_ns) if is_plain else gap, default=0)
    good = (
        bool(gaps)
        and worst - cycle_ns <= limit_ns
        and (not is_plain or cycle_ns - worst <= limit_ns)
    )
    trial.expect(
        good,
        text=f"worst of {len(gaps)} cycles of {message.name}{what}",
        measured=worst / NS_PER_MS if gaps else "no two frames",
        limit=f"{cycle_ns / NS_PER_MS:g} +-{tolerance_pct:g} % ms",
    )


def under_load(trial: Trial, name: str) -> None:
    """A flood of frames that win every arbitration: requests keep the cycle, none is lost."""
    message = trial.message(name)
    cycle_ns = trial.interface.cycle_ns(message)
    for channel in channels_of(trial, message):
        fill(trial, channel)
    begin_ns = trial.now_ns
    trial.run_for(max(4 * cycle_ns, _LOAD_NS))
    for channel in channels_of(trial, message):
        requests = [each.request_ns for each in trial.frames(name, begin_ns, channel=channel)]
        judge_distances(trial, message, requests, what=f", as requested, on the full {channel}")
        expected = (trial.now_ns - begin_ns) // cycle_ns
        trial.expect(
            len(requests) >= expected - 2,
            text=f"frames of {name} on {channel}",
            measured=len(requests),
            limit=f">= {expected - 2}",
        )


def stirred(trial: Trial, name: str) -> None:
    """Values received at random: whatever the module then does, its cycles stay."""
    message = trial.message(name)
    cycle_ns = trial.interface.cycle_ns(message)
    begin_ns = trial.now_ns
    stir(trial, max(4 * cycle_ns, _LOAD_NS))
    requests = [each.request_ns for each in trial.frames(name, begin_ns)]
    judge_distances(trial, message, requests, what=", as requested")


def bursts(trial: Trial) -> None:
    """Every received message ten times in a row, again and again."""
    begin_ns = trial.now_ns
    stand = stand_of(trial)
    messages = played(trial)
    if not messages:
        trial.not_tested("it receives nothing that can be played")
    for _ in range(5):
        for message in messages[:8]:
            for _ in range(10):
                stand.send(message.name)
        trial.run_for(20 * NS_PER_MS)
    judge_life(trial, begin_ns, what=" under bursts")


def event(trial: Trial, name: str) -> None:
    """Nothing happens that would be an event: none comes closer than the least distance."""
    message = trial.message(name)
    intruder = Intruder.on(trial)
    for _ in range(10):
        intruder.send(Frame(0x7FF, b"", is_fd=False), 30 * NS_PER_MS)
    intruder.leave()
    starts = [each.sof_ns for each in trial.frames(name, trial.start_ns)]
    shortest_ns = min(gaps_ns(starts), default=trial.now_ns - trial.start_ns)
    trial.expect(
        shortest_ns >= message.min_gap_ns,
        text=f"shortest distance of {len(starts)} frames of {name}",
        measured=shortest_ns / NS_PER_MS,
        limit=f">= {message.min_gap_ns / NS_PER_MS:g} ms",
    )
