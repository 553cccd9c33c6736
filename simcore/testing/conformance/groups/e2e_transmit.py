"""E2E protection of what a module sends: checksum, data id, counter, copies on two buses.

Checksums are computed anew from every frame by an implementation of the profiles that no module
under test uses (`autosar-e2e` where it has the profile). Receiving is the matter of the roles.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from simcore.bus.log import BusRecord
from simcore.network import Message
from simcore.network.e2e_layout import PLAIN, PROFILES
from simcore.testing.conformance.case import Case, Group, Need
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.measuring import (
    channels_of,
    counters_of,
    header_of,
    judge_checksums,
    judge_counters,
)
from simcore.testing.conformance.stimuli import fill, stir
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_MS, NS_PER_S

_LEAST_CYCLES = 6
_MOST_NS = 1500 * NS_PER_MS
_STIRRED_NS = 400 * NS_PER_MS


def cases(interface: Interface) -> list[Case]:
    """E2E transmit cases of a node: five per protected message, one more for its copies."""
    made = []
    for message in interface.cyclic_sent:
        name = message.name
        if message.is_redundant and interface.is_redundant:
            title = f"{name} is the same frame on both buses"
            made.append(_case(f"copies.{name}", title, copies, name, {Need.SECOND_BUS}))
        if message.e2e is None:
            continue
        in_time = {Need.VIRTUAL_TIME}
        made += [
            _case(f"checksum.{name}", f"checksum and data id of {name} are right", checksum, name),
            _case(f"counter.{name}", f"the counter of {name} goes up by one", counter, name),
            _case(
                f"stirred.{name}",
                f"{name} is right while what it says changes",
                stirred,
                name,
                in_time,
            ),
            _case(
                f"restart.{name}",
                f"the counter of {name} begins anew after a power cycle",
                restart,
                name,
                in_time,
            ),
            _case(f"load.{name}", f"no counter of {name} is sent twice", loaded, name, in_time),
        ]
    return made


def _case(
    id: str, title: str, run: Callable[..., None], name: str, needs: set[Need] | None = None
) -> Case:
    return Case(
        id=f"e2e.transmit.{id}",
        group=Group.E2E_TRANSMIT,
        title=title,
        run=partial(run, name=name),
        needs=frozenset(needs or ()),
    )


def _observe(trial: Trial, message: Message, *, count: int = _LEAST_CYCLES) -> list[BusRecord]:
    begin_ns = trial.now_ns
    cycle_ns = trial.interface.cycle_ns(message)
    trial.run_for(max(3 * cycle_ns, min(count * cycle_ns, _MOST_NS)) + NS_PER_MS)
    return trial.frames(message.name, begin_ns)


def checksum(trial: Trial, name: str) -> None:
    """Right in every frame, on every bus."""
    message = trial.message(name)
    begin_ns = trial.now_ns
    judge_checksums(trial, message, _observe(trial, message))
    for channel in channels_of(trial, message)[1:]:
        judge_checksums(trial, message, trial.frames(name, begin_ns, channel=channel))


def counter(trial: Trial, name: str) -> None:
    """Plus one with every frame; over the wrap where the cycle lets it come in time."""
    message = trial.message(name)
    header = header_of(message)
    assert header is not None
    records = _observe(trial, message, count=header.counter_modulo + 4)
    judge_counters(trial, message, records)


def stirred(trial: Trial, name: str) -> None:
    """A checksum over yesterday's values, or not over all of them, shows when values change."""
    message = trial.message(name)
    begin_ns = trial.now_ns
    stir(trial, max(4 * trial.interface.cycle_ns(message), _STIRRED_NS))
    records = trial.frames(name, begin_ns)
    judge_checksums(trial, message, records)
    judge_counters(trial, message, records)


def restart(trial: Trial, name: str) -> None:
    """First counter of the profile, or the one after the last: nothing in between."""
    message = trial.message(name)
    config, header = message.e2e, header_of(message)
    assert config is not None and header is not None
    last = counters_of(message, _observe(trial, message))
    on_ns = trial.power_cycle()
    trial.run_for(message.start_delay_ns)
    trial.run_for(int(trial.parameter("start_budget_ms") * NS_PER_MS))
    _observe(trial, message)
    records = trial.frames(name, on_ns)
    first = 0 if config.profile in PLAIN else PROFILES[config.profile].first_counter
    continued = (last[-1] + 1) % header.counter_modulo if last else first
    found = counters_of(message, records)
    trial.expect(
        bool(found) and found[0] in (first, continued),
        text=f"counter of the first frame of {name} after power on",
        measured=str(found[0]) if found else "no frame",
        limit=f"{first} or {continued}",
    )
    judge_checksums(trial, message, records)
    judge_counters(trial, message, records)


def loaded(trial: Trial, name: str) -> None:
    """On a full bus frames may be late, and one may replace another, but none comes twice."""
    message = trial.message(name)
    header = header_of(message)
    assert header is not None
    for channel in channels_of(trial, message):
        fill(trial, channel)
    begin_ns = trial.now_ns
    cycle_ns = trial.interface.cycle_ns(message)
    trial.run_for(max(4 * cycle_ns, min(20 * cycle_ns, NS_PER_S // 2)))
    for channel in channels_of(trial, message):
        records = trial.frames(name, begin_ns, channel=channel)
        judge_checksums(trial, message, records)
        judge_counters(trial, message, records, most_step=_most_step(message))


def _most_step(message: Message) -> int:
    """What a receiver takes for some frames lost."""
    assert message.e2e is not None
    return message.e2e.max_delta_counter


def copies(trial: Trial, name: str) -> None:
    """One frame on two buses: the same bytes in the same order, none missing on either."""
    message = trial.message(name)
    begin_ns = trial.now_ns
    _observe(trial, message, count=40)
    first, second = (
        [record.frame.data for record in trial.frames(name, begin_ns, channel=channel)]
        for channel in trial.channels[:2]
    )
    # A copy may be on its way at either end of the stretch.
    shift = next((at for at in (0, 1, -1) if _agree(first, second, at)), None)
    trial.expect(
        shift is not None,
        text=f"{len(first)} frames of {name} on {trial.channels[0]}, {len(second)} on "
        f"{trial.channels[1]}: the same in the same order",
        measured="yes" if shift is not None else "no",
        limit="yes",
    )


def _agree(first: list[bytes], second: list[bytes], shift: int) -> bool:
    a, b = first[max(0, shift) :], second[max(0, -shift) :]
    return (
        min(len(a), len(b)) > 0
        and abs(len(a) - len(b)) <= 1
        and all(x == y for x, y in zip(a, b, strict=False))
    )
