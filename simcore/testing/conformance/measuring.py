"""What is measured on the frames of a module, for cases of any node: life, cycles, protection.

Times are those of the transmit request: what the bus adds is no fault of the module. The exception
is the reference load, under which the requirement counts from start of frame to start of frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from simcore.bus.log import BusRecord
from simcore.errors import UsageError
from simcore.network import Message
from simcore.network.messages import Number
from simcore.protection.e2e_factory import HEADERS
from simcore.protection.e2e_header import WRONG, Header
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_MS

LATENCY_NS = 5 * NS_PER_MS
"""A frame that was asked for longer ago than this should have been on the bus."""


def channels_of(trial: Trial, message: Message) -> tuple[str, ...]:
    """The buses that a message of the module belongs to: the first, and all where redundant."""
    return trial.channels if message.is_redundant else trial.channels[:1]


def gaps_ns(times_ns: Sequence[int]) -> list[int]:
    """Distances between consecutive times."""
    return [after - before for before, after in pairwise(times_ns)]


def judge_life(
    trial: Trial,
    since_ns: int,
    *,
    channels: Sequence[str] | None = None,
    what: str = "",
) -> None:
    """Judge that every cyclic message kept coming since then, with `cycle_tolerance_pct`.

    A message whose cycle is too long for the stretch says nothing; if all are, time passes until
    the fastest has had its chance.
    """
    interface = trial.interface
    cycles = [interface.cycle_ns(message) for message in interface.cyclic_sent]
    if not cycles:
        running = trial.bench.host(trial.node).running
        trial.expect(running, text=f"the module runs{what}", measured=str(running), limit="True")
        return
    missing_ns = since_ns + 3 * min(cycles) + LATENCY_NS - trial.now_ns
    if missing_ns > 0:
        trial.run_for(missing_ns)
    for message in interface.cyclic_sent:
        cycle_ns = interface.cycle_ns(message)
        if trial.now_ns - since_ns < 3 * cycle_ns + LATENCY_NS:
            continue
        for channel in channels_of(trial, message):
            if channels is None or channel in channels:
                _judge_pause(trial, message, channel, since_ns, what)


def judge_runs(trial: Trial, since_ns: int, what: str) -> bool:
    """Judge that the module is not switched off, and sent something lately where it should."""
    cycles = [trial.interface.cycle_ns(message) for message in trial.interface.cyclic_sent]
    runs = trial.bench.host(trial.node).running
    if runs and cycles and trial.now_ns - since_ns > 3 * min(cycles):
        runs = bool(trial.own_records(trial.now_ns - 3 * min(cycles)))
    return trial.expect(runs, text=f"it runs {what}", measured="yes" if runs else "no", limit="yes")


def _judge_pause(trial: Trial, message: Message, channel: str, since_ns: int, what: str) -> None:
    cycle_ns = trial.interface.cycle_ns(message)
    tolerance_ratio = trial.parameter("cycle_tolerance_pct") / 100.0
    requests = [each.request_ns for each in trial.frames(message.name, since_ns, channel=channel)]
    edges = [since_ns - cycle_ns, *requests, trial.now_ns - LATENCY_NS]
    longest_ns = max(gaps_ns(requests), default=0)
    edge_ns = max(edges[1] - edges[0], edges[-1] - edges[-2]) - cycle_ns
    limit_ns = cycle_ns * (1.0 + tolerance_ratio)
    longest_ns = max(longest_ns, edge_ns)
    trial.expect(
        bool(requests) and longest_ns <= limit_ns,
        text=f"longest pause of {message.name} on {channel}{what}",
        measured=longest_ns / NS_PER_MS,
        limit=f"<= {limit_ns / NS_PER_MS:g} ms",
    )


def raws_of(message: Message, record: BusRecord) -> dict[str, Number] | None:
    """Raw values of a frame by signal; `None` where its length or a multiplexer is wrong."""
    if len(record.frame.data) != message.length:
        return None
    try:
        raws: dict[str, Number] = message.codec.decode(record.frame.data, scaling=False)
    except UsageError:  # a page that the database does not have
        return None
    return raws


# -- protection -----------------------------------------------------------------------------------


def protected_length(message: Message) -> int:
    """How many bytes E2E covers."""
    return message.length if message.secoc is None else message.secoc.authentic_length


def header_of(message: Message) -> Header | None:
    """Reads the E2E header of a message; `None` for one without."""
    config = message.e2e
    return None if config is None else HEADERS[config.profile](config, protected_length(message))


def counters_of(message: Message, records: Sequence[BusRecord]) -> list[int]:
    """The E2E counter of each frame, `WRONG` where length, checksum or data id are."""
    header = header_of(message)
    assert header is not None
    length = protected_length(message)
    return [
        header.open(each.frame.data[:length]) if len(each.frame.data) == message.length else WRONG
        for each in records
    ]


def judge_checksums(trial: Trial, message: Message, records: Sequence[BusRecord]) -> None:
    """Judge that each of these frames has the right length, checksum and data id."""
    wrong = [
        record
        for record, counter in zip(records, counters_of(message, records), strict=True)
        if counter == WRONG
    ]
    first = f", the first: {wrong[0].frame.data.hex(' ')}" if wrong else ""
    trial.expect(
        bool(records) and not wrong,
        text=f"frames of {message.name} with a wrong checksum or data id",
        measured=f"{len(wrong)} of {len(records)}{first}",
        limit="0, of at least one",
    )


def judge_counters(
    trial: Trial, message: Message, records: Sequence[BusRecord], *, most_step: int = 1
) -> None:
    """Judge that the counter goes up with every frame, by `most_step` at most."""
    header = header_of(message)
    assert header is not None
    counters = [each for each in counters_of(message, records) if each != WRONG]
    steps = [(after - before) % header.counter_modulo for before, after in pairwise(counters)]
    wrong = [step for step in steps if not 1 <= step <= most_step]
    limit = "1" if most_step == 1 else f"1 to {most_step}"
    trial.expect(
        bool(steps) and not wrong,
        text=f"steps of the counter of {message.name} over {len(records)} frames",
        measured="none" if not steps else f"{min(steps)} to {max(steps)}",
        limit=f"all {limit}",
    )
