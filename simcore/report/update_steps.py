"""A software update in a run, read from its events: state lanes, marks, campaigns, trouble codes.

The texts are those of the update client (`simcore.update.client_core`), of the ECU's software
(`simcore.ecu.runtime.software`) and of the bundle's coordinator. Not here: how it is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum, unique

from simcore.rig.result import Event
from simcore.update.states import UpdateState
from simcore.update.verification_verdict import Attack

_STEP = re.compile(r"update (\w+) -> (\w+): (\w+)(?:; version ([^;]*))?(?:; (.*))?$", re.DOTALL)
_PHASE = re.compile(r"bundle ([A-Z_]+)$")
_STARTS = re.compile(r"starts (\S+) \((.*)\)$")
_REFUSED = re.compile(r"update: (.*)$", re.DOTALL)
_DTC = re.compile(r"(\S+) (.*): ([\w, ]+)$", re.DOTALL)
_ATTACKS = {attack.title: attack for attack in Attack}
_ENDS = ("COMMITTED", "ROLLED_BACK", "FAILED")


@unique
class MarkKind(StrEnum):
    """Something that happens to an ECU during an update."""

    CUT = "power lost"
    RESET = "reset"
    START = "image starts"
    SELF_TEST = "self-test passed"
    SELF_TEST_FAILED = "self-test failed"
    REFUSED = "command refused"
    ATTACK = "attack refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateMark:
    """One of them."""

    time_ns: int
    kind: MarkKind
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateLane:
    """States of one ECU's update, or phases of a bundle at its coordinator."""

    node: str
    is_bundle: bool
    states: tuple[tuple[int, str], ...]
    """From when on which; the first from the beginning of the run."""
    marks: tuple[UpdateMark, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One campaign at one ECU, from its announcement until the ECU is idle again."""

    node: str
    begun_ns: int
    ended_ns: int | None
    """`None` where it is not over at the end of the run."""
    version: str
    """What the metadata order; empty where they were refused."""
    running_before: str
    end: str
    """COMMITTED, ROLLED_BACK or FAILED; else the last event, or the state it stands in."""
    cause: str
    tries: int
    """Starts of the image on trial."""

    @property
    def attack(self) -> str:
        """The attack that the cause names; empty for none."""
        return attack_in(self.cause)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenDtc:
    """A trouble code that was set during the run."""

    node: str
    code: str
    title: str
    status: str
    """Bits that were set first."""
    first_ns: int
    count: int


@dataclass(frozen=True, slots=True)
class UpdateSteps:
    """All of it."""

    lanes: tuple[UpdateLane, ...]
    attempts: tuple[Attempt, ...]
    """In the order of their beginning."""


def attack_in(cause: str) -> str:
    """Name of the attack that a cause begins with; empty where it is none."""
    title = cause.partition(":")[0]
    return title if title in _ATTACKS else ""


def trouble_codes(events: Iterable[Event]) -> list[SeenDtc]:
    """Codes in the order in which they were first set, per ECU and code."""
    found: dict[tuple[str, str], list[tuple[int, str, str]]] = {}
    for event in events:
        match = _DTC.match(event.text) if event.kind == "dtc" else None
        if match is not None:
            places = found.setdefault((event.source, match[1]), [])
            places.append((event.time_ns, match[2], match[3]))
    return [
        SeenDtc(
            node=node,
            code=code,
            title=seen[0][1],
            status=seen[0][2],
            first_ns=seen[0][0],
            count=len(seen),
        )
        for (node, code), seen in found.items()
    ]


def update_steps(events: Iterable[Event], versions: dict[str, str]) -> UpdateSteps:
    """Lanes and campaigns; `versions` is what ran in each ECU at the beginning."""
    readers = {node: _EcuReader(node, version) for node, version in versions.items()}
    phases: dict[str, list[tuple[int, str]]] = {}
    for event in events:
        reader = readers.get(event.source)
        if reader is None:
            continue
        reader.read(event)
        phase = _PHASE.match(event.text) if event.kind == "state" else None
        if phase is not None:
            phases.setdefault(event.source, [(0, "IDLE")]).append((event.time_ns, phase[1]))
    lanes = [reader.lane() for reader in readers.values() if reader.is_concerned]
    lanes += [
        UpdateLane(node=node, is_bundle=True, states=tuple(states), marks=())
        for node, states in phases.items()
    ]
    attempts = [each for reader in readers.values() for each in reader.attempts()]
    return UpdateSteps(tuple(lanes), tuple(sorted(attempts, key=lambda each: each.begun_ns)))


@dataclass(slots=True)
class _Open:
    """A campaign while it is being read."""

    begun_ns: int
    running_before: str
    ended_ns: int | None = None
    version: str = ""
    end: str = ""
    state: str = ""
    event: str = ""
    cause: str = ""
    tries: int = 0


@dataclass(slots=True)
class _EcuReader:
    """Reads the events of one ECU."""

    node: str
    running: str
    states: list[tuple[int, str]] = field(default_factory=list)
    marks: list[UpdateMark] = field(default_factory=list)
    opened: list[_Open] = field(default_factory=list)

    @property
    def is_concerned(self) -> bool:
        """Whether there was anything but resets."""
        return bool(self.opened)

    @property
    def current(self) -> _Open | None:
        """The campaign that is not over."""
        last = self.opened[-1] if self.opened else None
        return last if last is not None and last.ended_ns is None else None

    def read(self, event: Event) -> None:
        """Take one of its events."""
        text = event.text
        if event.kind == "state":
            step = _STEP.match(text)
            starts = _STARTS.match(text)
            if step is not None:
                self._step(event.time_ns, step)
            elif starts is not None:
                self._starts(event.time_ns, starts[1], text)
            elif text.startswith("reset ("):
                self._mark(event.time_ns, MarkKind.RESET, text)
            elif text.startswith("self-test: "):
                passed = text.endswith(": passed")
                kind = MarkKind.SELF_TEST if passed else MarkKind.SELF_TEST_FAILED
                self._mark(event.time_ns, kind, text)
        elif event.kind == "reaction" and text.startswith("watchdog: reset for"):
            self._mark(event.time_ns, MarkKind.RESET, text)
        elif event.kind == "fault" and "power lost at" in text:
            self._mark(event.time_ns, MarkKind.CUT, text)
        elif event.kind == "reaction":
            self._refusal(event)

    def _step(self, time_ns: int, step: re.Match[str]) -> None:
        before, after, name, version, cause = step.groups("")
        if not self.states:
            self.states.append((0, before))
        if after != self.states[-1][1]:
            self.states.append((time_ns, after))
        current = self.current
        if current is None:
            current = _Open(time_ns, self.running)
            self.opened.append(current)
        current.version = version or current.version
        current.cause = cause or current.cause
        current.state, current.event = after, name
        if after in _ENDS:
            current.end = after
        elif name in ("CANCELLED", "CONSENT_DECLINED", "CONSENT_EXPIRED", "NOTHING_NEW"):
            current.end = name
        if cause and after == UpdateState.FAILED.name and attack_in(cause):
            self._mark(time_ns, MarkKind.ATTACK, cause)
        if after == UpdateState.IDLE.name:
            current.ended_ns = time_ns

    def _starts(self, time_ns: int, version: str, text: str) -> None:
        self._mark(time_ns, MarkKind.START, text)
        current = self.current
        # A trial is what starts besides the software that ran before.
        if current is not None and version != current.running_before:
            current.tries += 1
        self.running = version

    def _refusal(self, event: Event) -> None:
        match = _REFUSED.match(event.text)
        if match is None:
            return
        cause = match[1]
        if not attack_in(cause):
            self._mark(event.time_ns, MarkKind.REFUSED, cause)
            return
        self._mark(event.time_ns, MarkKind.ATTACK, cause)
        if self.current is None:  # before the update client heard of it
            refused = _Open(event.time_ns, self.running, event.time_ns)
            refused.end, refused.cause = "REFUSED", cause
            self.opened.append(refused)

    def _mark(self, time_ns: int, kind: MarkKind, text: str) -> None:
        self.marks.append(UpdateMark(time_ns=time_ns, kind=kind, text=text))

    def lane(self) -> UpdateLane:
        """What is drawn."""
        states = self.states or [(0, UpdateState.IDLE.name)]
        return UpdateLane(
            node=self.node, is_bundle=False, states=tuple(states), marks=tuple(self.marks)
        )

    def attempts(self) -> Sequence[Attempt]:
        """Its campaigns."""
        return [
            Attempt(
                node=self.node,
                begun_ns=each.begun_ns,
                ended_ns=each.ended_ns,
                version=each.version,
                running_before=each.running_before,
                end=each.end or (each.state if each.ended_ns is None else each.event),
                cause=each.cause,
                tries=each.tries,
            )
            for each in self.opened
        ]
