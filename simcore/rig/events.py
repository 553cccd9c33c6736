"""The event log of a run: what happened, in order, for the report and the digest."""

from __future__ import annotations

from collections.abc import Iterator

from simcore.kernel import Scheduler, TraceDigest
from simcore.rig.result import Event, Finding


class EventLog:
    """Events and findings with their virtual time."""

    __slots__ = ("_digest", "_scheduler", "events", "findings")

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._digest = TraceDigest()
        self.events: list[Event] = []
        self.findings: list[Finding] = []

    def add(self, source: str, kind: str, text: str) -> None:
        """Record an event now."""
        event = Event(time_ns=self._scheduler.now_ns, source=source, kind=kind, text=text)
        self.events.append(event)
        self._digest.add(f"{event.time_ns}\x1f{source}\x1f{kind}\x1f{text}\x1e".encode())

    def find(self, source: str, text: str, detail: str = "") -> None:
        """Record that something is wrong; it fails the run."""
        now_ns = self._scheduler.now_ns
        self.findings.append(Finding(time_ns=now_ns, source=source, text=text, detail=detail))
        self.add(source, "finding", text)

    def hexdigest(self) -> str:
        """Digest over all events so far."""
        return self._digest.hexdigest()

    def of_kind(self, kind: str) -> Iterator[Event]:
        """Events of one kind, in order."""
        return (event for event in self.events if event.kind == kind)
