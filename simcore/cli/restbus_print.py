"""What `simcore restbus` says: the head before a run, the table of messages after it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from simcore.units import NS_PER_MS, format_ns

if TYPE_CHECKING:
    from simcore.network import Database
    from simcore.rig import MessageStatistics, Restbus

NAMES_SHOWN = 8
PROBLEMS_SHOWN = 20
EVENTS_SHOWN = 50


def print_file(file: object, database: Database) -> None:
    """What was loaded, and what is wrong with it."""
    click.echo(
        f"{file}: {_counted(len(database.messages), 'message')}, "
        f"{_counted(len(database.senders), 'sender')}"
    )
    for problem in database.problems[:PROBLEMS_SHOWN]:
        click.echo(f"problem  {problem}")
    more = len(database.problems) - PROBLEMS_SHOWN
    if more > 0:
        click.echo(f"problem  {more} more; `simcore dbc` lists them all")


def print_head(rig: Restbus, *, rates_given: bool) -> None:
    """Who is played and who is not, what is sent when, and everything worth a note."""
    timing = rig.timing
    data = "" if timing.data_bps is None else f", data {timing.data_bps / 1e6:g} Mbit/s"
    database = rig.database
    from simcore.rig.timing import given_rates_bps

    nominal_bps, data_bps = given_rates_bps(database, rig.network)
    named = nominal_bps is not None and (timing.data_bps is None or data_bps is not None)
    assumed = "" if rates_given or named else " (assumed: the file does not name both)"
    if timing.data_bps is None and assumed:
        assumed = " (assumed: the file does not name it)"
    network = "" if rig.network is None else f" of network {rig.network}"
    click.echo(f"bus      {timing.nominal_bps / 1e3:g} kbit/s{data}{assumed}{network}")
    click.echo(f"played   {_listed(rig.played)}")
    for name in rig.absent:
        messages = [message.name for message in rig.messages_of(name)]
        told = f"{_counted(len(messages), 'message')} left to it"
        click.echo(f"absent   {name}, {told}{': ' if messages else ''}{_shortened(messages)}")
    _print_plan(rig)
    printed = {str(problem) for problem in database.problems}
    for note in rig.notes:
        if note in printed:
            continue
        click.echo(f"note     {_cut(note)}")


def _print_plan(rig: Restbus) -> None:
    rules = [rule for node in rig.restbus_nodes.values() for rule in node.rules.values()]
    cyclic = [rule for rule in rules if rule.cycle_ns]
    events = [rule.message.name for rule in rules if not rule.cycle_ns and not rule.is_silent]
    silent = [rule.message.name for rule in rules if rule.is_silent]
    also = sum(1 for rule in cyclic if not rule.is_plain)
    between = f" ({also} of them between their cycles, too)" if also else ""
    how = "start delays are those of the file"
    if rig.offsets:
        how = "starts are spread, most have no start delay in the file"
    click.echo(
        f"cyclic   {_counted(len(cyclic), 'message')}{between}{'; ' + how if cyclic else ''}"
    )
    if events:
        count = _counted(len(events), "message")
        click.echo(f"events   {count} sent on writes alone: {_shortened(events)}")
    if silent:
        count = _counted(len(silent), "message")
        click.echo(
            f"silent   {count} without cycle time or event, never sent by themselves: "
            f"{_shortened(silent)}"
        )
    if not cyclic and not rig.absent:
        click.echo(
            "         nothing has a cycle time here, so nothing is sent by itself: "
            "see --cycle and --write"
        )


def print_messages(rig: Restbus, rows: Iterable[MessageStatistics]) -> None:
    """The table of what was on the bus, and what was not."""
    shown = list(rows)
    if shown:
        name_width = max(len("message"), *(len(row.name) for row in shown))
        sender_width = max(len("sender"), *(len(row.sender) for row in shown))
        click.echo(
            f"{'id':>10}  {'message':<{name_width}}  {'sender':<{sender_width}} {'frames':>8} "
            f"{'cycle':>10} {'min':>10} {'mean':>10} {'max':>10}  ms"
        )
        for row in shown:
            digits = 8 if row.is_extended_id else 3
            identifier = f"0x{row.arbitration_id:0{digits}X}"
            times_ns = (row.cycle_nominal_ns, row.cycle_min_ns, row.cycle_mean_ns, row.cycle_max_ns)
            cells = " ".join(f"{_ms(time_ns):>10}" for time_ns in times_ns)
            click.echo(
                f"{identifier:>10}  {row.name:<{name_width}}  {row.sender:<{sender_width}} "
                f"{row.count:>8} {cells}"
            )
    seen = {(row.arbitration_id, row.is_extended_id) for row in shown}
    missing = [
        rule.message.name
        for node in rig.restbus_nodes.values()
        for rule in node.rules.values()
        if (rule.message.arbitration_id, rule.message.is_extended_id) not in seen
    ]
    if missing:
        click.echo(f"not sent in this run: {_counted(len(missing), 'message')} of the played nodes")
    unjudged = _unjudged(rig)
    if unjudged:
        click.echo(
            f"not judged by COM-001, since events or fast phases add frames: {_listed(unjudged)}"
        )
    slow = [
        message.name
        for message in rig.cyclic_messages
        if 2 * (rig.cycle_ns(message) or 0) > rig.now_ns
    ]
    if slow:
        click.echo(f"too slow to be measured in this run: {_listed(slow)}")


def _unjudged(rig: Restbus) -> list[str]:
    judged = set(rig.cyclic_messages)
    return [
        rule.message.name
        for node in rig.restbus_nodes.values()
        for rule in node.rules.values()
        if rule.cycle_ns and rule.message not in judged
    ]


def print_events(rig: Restbus) -> None:
    """What the played nodes detected, and the faults."""
    events = [
        event
        for event in rig.log.events
        if event.kind in ("detection", "fault") or (event.kind == "note" and event.time_ns)
    ]
    for event in events[:EVENTS_SHOWN]:
        click.echo(f"{event.kind:<9} {format_ns(event.time_ns)}  {event.source}: {event.text}")
    if len(events) > EVENTS_SHOWN:
        click.echo(f"{len(events) - EVENTS_SHOWN} more events; --report has them all")


def _ms(time_ns: float | None) -> str:
    return "-" if time_ns is None else f"{time_ns / NS_PER_MS:.3f}".rstrip("0").rstrip(".")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nobody"


def _shortened(names: list[str]) -> str:
    more = len(names) - NAMES_SHOWN
    told = ", ".join(names[:NAMES_SHOWN])
    return f"{told}, {more} more" if more > 0 else told


def _cut(note: str) -> str:
    """A note without the tail of a long list of names; the report has it whole."""
    parts = note.split(", ")
    more = len(parts) - 2 * NAMES_SHOWN
    if more <= 1:
        return note
    return f"{', '.join(parts[: 2 * NAMES_SHOWN])}, {more} more"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
