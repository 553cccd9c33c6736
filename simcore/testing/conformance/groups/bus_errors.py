"""Bus errors: bit errors, no acknowledgement, error passive, bus-off, a bus that is gone.

Afterwards the module sends again within `recovery_ms`, in its cycles, and without a storm of what
it could not send meanwhile. On a redundant node the other bus goes on undisturbed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from simcore.faults import AckSuppressed, BitError, BusOff, BusShorted, NodeUnplugged
from simcore.network import Message
from simcore.testing.conformance.case import Case, Group, Need
from simcore.testing.conformance.groups.startup import judge_own
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.measuring import channels_of, judge_checksums, judge_life
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_MS

_PLACES = ("first", "second")
_BURST_NS = 100 * NS_PER_MS
_AFTER_NS = 100 * NS_PER_MS
_CRC_BIT = 60
"""A bit in the data phase of any frame that is long enough to matter."""
_UNACKNOWLEDGED_NS = 10 * NS_PER_MS
"""More attempts than make it error passive."""
_PASSIVE_ERRORS = 17
"""Destroyed frames in a row that make a transmitter error passive, and not bus-off."""


def cases(interface: Interface) -> list[Case]:
    """Bus error cases of a node, on each bus it is on."""
    if not interface.cyclic_sent:
        return []
    made = []
    for at, place in enumerate(_PLACES[: 1 + interface.is_redundant]):
        needs = {Need.VIRTUAL_TIME} | ({Need.SECOND_BUS} if at else set())
        where = f"on the {place} bus"
        for id, title, run in (
            ("bits", "its frames are destroyed now and then", bit_errors),
            ("received", "it reads frames of others wrongly", receive_errors),
            ("acknowledge", "nobody acknowledges", no_acknowledgement),
            ("passive", "it becomes error passive and goes on sending", error_passive),
            ("off", "it goes bus-off and comes back", bus_off),
            ("off_again", "it goes bus-off three times and comes back each time", bus_off_again),
            ("short", "the bus is shorted for a while", shorted),
            ("dominant", "the bus is held dominant for a while", held_dominant),
            ("unplugged", "its connector comes off and on", unplugged),
        ):
            made.append(_case(f"{id}.{place}", f"{where} {title}", run, at, needs))
    if interface.is_redundant:
        needs = {Need.VIRTUAL_TIME, Need.SECOND_BUS}
        made.append(_case("both", "both buses are gone for a while", both_lost, 0, needs))
    return made


def _case(id: str, title: str, run: Callable[..., None], at: int, needs: set[Need]) -> Case:
    return Case(
        id=f"bus.{id}",
        group=Group.BUS_ERRORS,
        title=title,
        run=partial(run, at=at),
        needs=frozenset(needs),
    )


def _messages_on(trial: Trial, at: int) -> list[Message]:
    channel = trial.channels[at]
    return [each for each in trial.interface.cyclic_sent if channel in channels_of(trial, each)]


def _judge_others(trial: Trial, at: int, since_ns: int) -> None:
    """The other bus has seen nothing of it."""
    others = [each for place, each in enumerate(trial.channels) if place != at]
    if others:
        judge_life(trial, since_ns, channels=others, what=" meanwhile")


def _judge_return(trial: Trial, at: int, free_ns: int) -> None:
    """Every message back in time, no storm, and then in its cycle."""
    budget_ms = trial.parameter("recovery_ms")
    channel = trial.channels[at]
    cycles = {each.name: trial.interface.cycle_ns(each) for each in _messages_on(trial, at)}
    budget_ns = int(budget_ms * NS_PER_MS)
    trial.run_for(max(0, free_ns + budget_ns - trial.now_ns) + _AFTER_NS)
    for message in _messages_on(trial, at):
        cycle_ns = cycles[message.name]
        if trial.now_ns - free_ns < budget_ns + 2 * cycle_ns:
            trial.run_for(free_ns + budget_ns + 2 * cycle_ns - trial.now_ns)
        records = trial.frames(message.name, free_ns, channel=channel)
        took_ms = (records[0].eof_ns - free_ns) / NS_PER_MS if records else float("nan")
        limit_ms = budget_ms + cycle_ns / NS_PER_MS
        trial.expect(
            took_ms <= limit_ms,
            text=f"{message.name} is back on {channel}",
            measured=took_ms,
            limit=f"<= {limit_ms:g} ms",
        )
        if message.e2e is not None:
            judge_checksums(trial, message, records)
        if records:
            _judge_storm(trial, message, [each.sof_ns for each in records])
    judge_life(trial, trial.now_ns - _AFTER_NS // 2, channels=[channel], what=" after it")
    judge_own(trial, free_ns)
    trial.check_safe(trial.start_ns)


def _judge_storm(trial: Trial, message: Message, starts: list[int]) -> None:
    """No more frames in the first stretch than the cycle has, and two that had to wait."""
    cycle_ns = trial.interface.cycle_ns(message)
    window_ns = max(2 * cycle_ns, 20 * NS_PER_MS)
    count = sum(start - starts[0] <= window_ns for start in starts)
    most = window_ns // cycle_ns + 1 + int(trial.parameter("waiting_count"))
    trial.expect(
        count <= most,
        text=f"frames of {message.name} in the first {window_ns / NS_PER_MS:g} ms",
        measured=count,
        limit=f"<= {most}",
    )


def bit_errors(trial: Trial, at: int) -> None:
    """Every fifth attempt fails: each frame gets through in the end."""
    begin_ns = trial.now_ns
    channel = trial.channels[at]
    fault = BitError(bus=channel, bits=(_CRC_BIT,), sender=trial.node, every=5, limit=None)
    trial.bench.inject(fault, duration=_BURST_NS)
    trial.run_for(_BURST_NS)
    judge_life(trial, begin_ns, what=" while every fifth attempt fails")
    _judge_return(trial, at, trial.now_ns)


def receive_errors(trial: Trial, at: int) -> None:
    """It alone reads a bit of every third frame wrongly: errors that only it sees."""
    begin_ns = trial.now_ns
    channel = trial.channels[at]
    fault = BitError(bus=channel, bits=(_CRC_BIT,), node=trial.node, every=3, limit=30)
    trial.bench.inject(fault, duration=_BURST_NS)
    trial.run_for(_BURST_NS)
    _judge_others(trial, at, begin_ns)
    _judge_return(trial, at, trial.now_ns)


def no_acknowledgement(trial: Trial, at: int) -> None:
    """For a while nobody seems to receive it."""
    begin_ns = trial.now_ns
    fault = AckSuppressed(bus=trial.channels[at], sender=trial.node)
    trial.bench.inject(fault, duration=_UNACKNOWLEDGED_NS)
    trial.run_for(_UNACKNOWLEDGED_NS)
    _judge_others(trial, at, begin_ns)
    _judge_return(trial, at, trial.now_ns)


def error_passive(trial: Trial, at: int) -> None:
    """So many errors in a row that it is error passive; the next frames get through."""
    begin_ns = trial.now_ns
    fault = BitError(
        bus=trial.channels[at],
        bits=(_CRC_BIT,),
        sender=trial.node,
        limit=_PASSIVE_ERRORS,
    )
    trial.bench.inject(fault)
    trial.run_for(_BURST_NS)
    _judge_others(trial, at, begin_ns)
    _judge_return(trial, at, begin_ns)


def bus_off(trial: Trial, at: int) -> None:
    """Its controller goes bus-off, by itself it comes back."""
    begin_ns = trial.now_ns
    trial.bench.inject(BusOff(bus=trial.channels[at], node=trial.node))
    _judge_others(trial, at, begin_ns)
    _judge_return(trial, at, begin_ns)


def bus_off_again(trial: Trial, at: int) -> None:
    """It does not give up after the first time."""
    for _ in range(3):
        trial.bench.inject(BusOff(bus=trial.channels[at], node=trial.node))
        trial.run_for(int(trial.parameter("recovery_ms") * NS_PER_MS))
    _judge_return(trial, at, trial.now_ns)


def shorted(trial: Trial, at: int) -> None:
    """CAN_H to CAN_L: nothing gets through."""
    _hold(trial, at, "recessive")


def held_dominant(trial: Trial, at: int) -> None:
    """One wire to the supply: nobody can begin."""
    _hold(trial, at, "dominant")


def _hold(trial: Trial, at: int, level: str) -> None:
    begin_ns = trial.now_ns
    trial.bench.inject(BusShorted(bus=trial.channels[at], level=level), duration=_BURST_NS)
    trial.run_for(_BURST_NS)
    _judge_others(trial, at, begin_ns)
    _judge_return(trial, at, trial.now_ns)


def unplugged(trial: Trial, at: int) -> None:
    """Alone on a stub of wire it gets no acknowledgement."""
    begin_ns = trial.now_ns
    trial.bench.inject(
        NodeUnplugged(bus=trial.channels[at], node=trial.node), duration=2 * _BURST_NS
    )
    trial.run_for(2 * _BURST_NS)
    _judge_others(trial, at, begin_ns)
    _judge_return(trial, at, trial.now_ns)


def both_lost(trial: Trial, at: int) -> None:
    """No bus is left, then both are there again."""
    for channel in trial.channels:
        trial.bench.inject(BusShorted(bus=channel), duration=_BURST_NS)
    trial.run_for(_BURST_NS)
    free_ns = trial.now_ns
    for place in range(len(trial.channels)):
        _judge_return(trial, place, free_ns)
