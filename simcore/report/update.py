"""Software updates in a run: chart, campaigns per ECU, transfers, traffic and trouble codes.

What the report page, the console and the JUnit report say of an update. A run without one has
nothing to show. The lanes come from the events (`update_steps`), bytes and traffic from the record
that the tester kept (`simcore.rig.update_result`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simcore.ecu.runtime.software_areas import AUDIT_ADDRESS, IMAGE_ADDRESS, METADATA_ADDRESS
from simcore.report.summary import format_seconds
from simcore.report.update_chart import UpdateChart
from simcore.report.update_steps import Attempt, SeenDtc, trouble_codes, update_steps
from simcore.rig.result import BusStatistics, ScenarioResult
from simcore.rig.update_result import (
    DiagnosticTraffic,
    SoftwareRecord,
    TransferRecord,
    UpdateResult,
    rate_bytes_per_s,
)
from simcore.units import NS_PER_S

ATTEMPTS_SHOWN = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Transferred:
    """Downloads of one kind, summed up."""

    size: int
    duration_ns: int
    """Of the blocks alone."""

    @property
    def seconds(self) -> str:
        """As printed; `-` without any."""
        return format_seconds(self.duration_ns) if self.size else "-"

    @property
    def rate_kb(self) -> str:
        """kB/s as printed; `-` where that means nothing."""
        rate = rate_bytes_per_s(self.size, self.duration_ns)
        return f"{rate / 1000:.1f}" if rate else "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """One campaign at one ECU with what was transferred for it."""

    attempt: Attempt
    version_after: str
    image: Transferred
    metadata: Transferred


@dataclass(frozen=True, slots=True, kw_only=True)
class EcuRow:
    """One ECU over the run."""

    software: SoftwareRecord
    attempts: tuple[Attempt, ...]
    image: Transferred
    metadata: Transferred
    cause: str
    """The last that was given."""

    @property
    def end(self) -> str:
        """How its last campaign ended."""
        return self.attempts[-1].end if self.attempts else "-"

    @property
    def tries(self) -> int:
        """Starts of images on trial."""
        return sum(each.tries for each in self.attempts)

    @property
    def attacks(self) -> str:
        """Attacks that were named, with how often."""
        names = [each.attack for each in self.attempts if each.attack]
        counts = {name: names.count(name) for name in names}
        return ", ".join(
            name if count == 1 else f"{name} ({count} times)" for name, count in counts.items()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BusLoad:
    """Mean load of a bus in the windows in which something was transferred, and in the others."""

    channel: str
    during_ratio: float | None
    otherwise_ratio: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateView:
    """What the page shows of the updates in one scenario."""

    chart: str
    """SVG."""
    note: str
    """What of the run the chart shows."""
    lines: tuple[str, ...]
    rows: tuple[EcuRow, ...]
    attempts: tuple[AttemptRow, ...]
    """Where an ECU had several; else they say no more than `rows`."""
    attempts_left_out: int
    traffic: tuple[DiagnosticTraffic, ...]
    codes: tuple[SeenDtc, ...]
    loads: tuple[BusLoad, ...]


def update_view(result: ScenarioResult) -> UpdateView | None:
    """Chart, tables and sentences; `None` for a run without an update."""
    update = result.update
    if update is None:
        return None
    steps = update_steps(result.events, _versions(update))
    chart = UpdateChart(result.duration_ns, steps.lanes, update.transfers, result.buses)
    rows = ecu_rows(result)
    attempts = _attempt_rows(steps.attempts, update)
    several = len(attempts) > len({each.attempt.node for each in attempts})
    return UpdateView(
        chart=chart.svg(),
        note=chart.note,
        lines=tuple(update_lines(result)),
        rows=tuple(rows),
        attempts=tuple(attempts[:ATTEMPTS_SHOWN]) if several else (),
        attempts_left_out=max(0, len(attempts) - ATTEMPTS_SHOWN) if several else 0,
        traffic=update.traffic,
        codes=tuple(trouble_codes(result.events)),
        loads=tuple(_load(bus, update.transfers) for bus in result.buses if bus.load_series_ratio),
    )


def update_lines(result: ScenarioResult) -> list[str]:
    """Every ECU that took part in an update, in a sentence."""
    return [f"{row.software.node}: {in_words(row)}" for row in ecu_rows(result)]


def ecu_rows(result: ScenarioResult) -> list[EcuRow]:
    """Every ECU that took part in an update."""
    update = result.update
    if update is None:
        return []
    steps = update_steps(result.events, _versions(update))
    rows = []
    for software in update.software:
        attempts = tuple(each for each in steps.attempts if each.node == software.node)
        mine = [each for each in update.transfers if each.node == software.node]
        image, metadata = _image(mine), _metadata(mine)
        if attempts or image.size or metadata.size:
            cause = next((each.cause for each in reversed(attempts) if each.cause), "")
            rows.append(
                EcuRow(
                    software=software,
                    attempts=attempts,
                    image=image,
                    metadata=metadata,
                    cause=cause,
                )
            )
    return rows


def in_words(row: EcuRow) -> str:
    """`1.0.0 -> 1.1.0, COMMITTED; 24.5 kB in 0.331 s (74.1 kB/s); 1 try; 18 audit entries`."""
    software = row.software
    parts = [f"{software.version_before} -> {software.version_after or 'nothing'}, {row.end}"]
    count = len(row.attempts)
    if count > 1:
        parts[0] += f", the last of {count} campaigns"
    if row.image.size:
        rate = "" if row.image.rate_kb == "-" else f" ({row.image.rate_kb} kB/s)"
        parts.append(f"{row.image.size / 1000:.1f} kB in {row.image.seconds} s{rate}")
    parts.append("1 try" if row.tries == 1 else f"{row.tries} tries")
    parts.append(f"{software.audit_entries} audit entries")
    if row.cause:
        parts.append(f"cause: {row.cause}")
    return "; ".join(parts)


def _versions(update: UpdateResult) -> dict[str, str]:
    return {each.node: each.version_before for each in update.software}


def _image(transfers: Sequence[TransferRecord]) -> Transferred:
    return _summed(transfers, IMAGE_ADDRESS, METADATA_ADDRESS)


def _metadata(transfers: Sequence[TransferRecord]) -> Transferred:
    return _summed(transfers, METADATA_ADDRESS, AUDIT_ADDRESS)


def _summed(transfers: Sequence[TransferRecord], first: int, end: int) -> Transferred:
    found = [each for each in transfers if each.is_download and first <= each.address < end]
    return Transferred(
        size=sum(each.transferred for each in found),
        duration_ns=sum(each.duration_ns for each in found),
    )


def _attempt_rows(attempts: Sequence[Attempt], update: UpdateResult) -> list[AttemptRow]:
    """Each campaign with the transfers that began after the one before it had ended."""
    after = {each.node: each.version_after or "nothing" for each in update.software}
    rows = []
    since_ns: dict[str, int] = {}
    for index, attempt in enumerate(attempts):
        node, end_ns = attempt.node, attempt.ended_ns
        mine = [
            each
            for each in update.transfers
            if each.node == node
            and each.begun_ns >= since_ns.get(node, 0)
            and (end_ns is None or each.begun_ns <= end_ns)
        ]
        since_ns[node] = end_ns if end_ns is not None else since_ns.get(node, 0)
        later = (each.running_before for each in attempts[index + 1 :] if each.node == node)
        rows.append(
            AttemptRow(
                attempt=attempt,
                version_after=next(later, after.get(node, "nothing")),
                image=_image(mine),
                metadata=_metadata(mine),
            )
        )
    return rows


def _load(bus: BusStatistics, transfers: Sequence[TransferRecord]) -> BusLoad:
    window_ns = bus.load_window_ns
    busy: set[int] = set()
    for each in transfers:
        if each.samples:
            busy |= set(range(each.begun_ns // window_ns, each.samples[-1][0] // window_ns + 1))
    during = [load for index, load in enumerate(bus.load_series_ratio) if index in busy]
    others = [load for index, load in enumerate(bus.load_series_ratio) if index not in busy]
    return BusLoad(channel=bus.channel, during_ratio=_mean(during), otherwise_ratio=_mean(others))


def _mean(shares_ratio: Sequence[float]) -> float | None:
    """To the nanosecond per second: the order of adding up does not show."""
    if not shares_ratio:
        return None
    return sum(round(load * NS_PER_S) for load in shares_ratio) / len(shares_ratio) / NS_PER_S
