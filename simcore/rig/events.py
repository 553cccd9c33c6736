"""The event log of a run: what happened, in order, for the report and the digest."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from simcore.kernel import Scheduler, TraceDigest
from simcore.rig.result import Event, Finding


class EventLog:
    """Events and findings with their virtual time."""

    __slots__ = ("_digest", "_scheduler", "_watchers", "events", "findings")

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._digest = TraceDigest()
        self.events: list[Event] = []
        self.findings: list[Finding] = []
        self._watchers: list[Callable[[Event], object]] = []

    def watch(self, watcher: Callable[[Event], object]) -> None:
        """Call a bound method with every event from now on, in the midst of whoever logs it.

        A watcher that wants to act posts that on the scheduler.
        """
        self._watchers.append(watcher)

    def unwatch(self, watcher: Callable[[Event], object]) -> None:
        """No longer; one that does not watch is none."""
        if watcher in self._watchers:
            self._watchers.remove(watcher)

    def add(self, source: str, kind: str, text: str) -> None:
        """Record an event now."""
        event = Event(time_ns=self._scheduler.now_ns, source=source, kind=kind, text=text)
        self.events.append(event)
        self._digest_event(event.time_ns, source, kind, text)
        if self._watchers:
            for watcher in tuple(self._watchers):
                watcher(event)

    def find(
        self,
        source: str,
        text: str,
        detail: str = "",
        *,
        time_ns: int | None = None,
        digest_text: str | None = None,
    ) -> None:
        """Record that something is wrong; it fails the run.

        `time_ns` is when, now by default; `digest_text` stands for `text` in the digest where the
        text may differ between two runs of the same thing.
        """
        when_ns = self._scheduler.now_ns if time_ns is None else time_ns
        self.findings.append(Finding(time_ns=when_ns, source=source, text=text, detail=detail))
        self.events.append(Event(time_ns=when_ns, source=source, kind="finding", text=text))
        shown = text if digest_text is None else digest_text
        self._digest_event(when_ns, source, "finding", shown)

    def _digest_event(self, time_ns: int, source: str, kind: str, text: str) -> None:
        item = f"{time_ns}\x1f{source}\x1f{kind}\x1f{text}\x1e"
        self._digest.add(item.encode("utf-8", "backslashreplace"))

    def hexdigest(self) -> str:
        """Digest over all events so far."""
        return self._digest.hexdigest()

    def of_kind(self, kind: str) -> Iterator[Event]:
        """Events of one kind, in order."""
        return (event for event in self.events if event.kind == kind)
