"""`Scene`: the vehicle around a domain controller under test, for the cases of its role.

It drives, breaks things, and looks: at the controller's frames by the names that the requirement
file binds, and at the vehicle's truth. What must come of it the groups `controller_*` say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simcore.errors import InputError
from simcore.network import Message
from simcore.network.messages import Number
from simcore.rig import Rig
from simcore.rig.injection import AnyFault, InjectedFault
from simcore.testing.conformance.case import Case, Group, Need, StandKind
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.trial import Trial
from simcore.units import KMH_PER_MPS, NS_PER_MS, ms

CLAMP = "clamp_force_n"
_SETTLE_NS = 250 * NS_PER_MS
"""Until all nodes know a new speed."""
Times = list[tuple[int, Number]]


def vehicle_case(
    case_id: str, group: Group, title: str, run: Callable[[Trial], None], *needs: Need
) -> Case:
    """A case on the whole vehicle."""
    return Case(
        id=case_id,
        group=group,
        title=title,
        run=run,
        stand=StandKind.VEHICLE,
        needs=frozenset({Need.VEHICLE, *needs}),
    )


def is_bound(interface: Interface) -> bool:
    """Whether the requirement file says what the controller's messages mean."""
    return "command" in interface.bindings and "said" in interface.bindings


class Scene:
    """A trial on the vehicle."""

    def __init__(self, trial: Trial) -> None:
        if not isinstance(trial.bench, Rig):
            trial.not_tested("needs the whole vehicle")
        assert isinstance(trial.bench, Rig)
        self.trial = trial
        self.rig: Rig = trial.bench
        self.interface = trial.interface
        self.command = self.table("command")
        self.status_names = self.table("status")
        self.actuators = self.table("actuators")
        self.pedal = self.table("pedal")
        self.corners: tuple[str, ...] = tuple(self.actuators["corners"])

    # -- names ------------------------------------------------------------------------------------

    def table(self, name: str) -> Mapping[str, Any]:
        """A table of the role."""
        found: Mapping[str, Any] = self.interface.binding(name)
        return found

    def said(self, name: str, place: int | None = None) -> str:
        """The text that the database has for a meaning."""
        texts = self.table("said")
        if name not in texts:
            raise self._wrong(f"said.{name}", "a text of the database", "none")
        text = texts[name] if place is None else texts[name][place]
        return str(text)

    def demand(self, meaning: str) -> str:
        """The id that the requirement file has for a demand; empty where it names none.

        A judgement without an id counts for every requirement that the case verifies.
        """
        return str(self.interface.binding("demands", {}).get(meaning, ""))

    def raw(self, message: str, signal: str, text: str) -> int:
        """The value that a text of a signal stands for."""
        choices = self.message(message).signal(signal).choices
        for value, found in choices.items():
            if str(found) == text:
                return int(value)
        raise self._wrong(f"{message}.{signal}", f"one of {', '.join(map(str, choices))}", text)

    def message(self, name: str) -> Message:
        """A message of the network."""
        return self.trial.message(name)

    def node(self, place: int) -> str:
        """The actuator of a corner."""
        return str(self.actuators["nodes"][place])

    def status_of(self, place: int) -> str:
        """The status message of an actuator."""
        return str(self.actuators["status"][place])

    def _wrong(self, name: str, expected: str, got: str) -> InputError:
        where = f"interface.{self.interface.role}.{name}"
        return InputError(where, expected=expected, got=got, file=self.interface.file)

    # -- driving ----------------------------------------------------------------------------------

    def roll(self, kmh: float) -> None:
        """At a steady speed, and everybody knows it."""
        self.rig.vehicle.set_speed(kmh=kmh)
        self.run(_SETTLE_NS)

    def brake(self, pedal_pct: float, *, ramp_ms: float = 50.0, for_ms: float = 0.0) -> int:
        """Press the pedal; when that began."""
        begun_ns = self.rig.now_ns
        self.rig.press_pedal(pedal_pct, ramp_ns=ms(ramp_ms))
        self.run(ms(for_ms))
        return begun_ns

    def release(self) -> int:
        """Let go of the pedal; when that was."""
        self.rig.release_pedal()
        return self.rig.now_ns

    def braking(self, kmh: float = 100.0, pedal_pct: float = 40.0) -> None:
        """Rolling, then braking steadily."""
        self.roll(kmh)
        self.brake(pedal_pct, for_ms=300.0)

    def run(self, duration_ns: int) -> None:
        """Let time pass."""
        self.trial.run_for(duration_ns)

    def inject(self, fault: AnyFault, *, duration: int | None = None) -> InjectedFault:
        """Break something, now."""
        return self.rig.inject(fault, duration=duration)

    def tell(self, table: str, **values: Number | str) -> None:
        """Let a played node send other values in its message, by the names of the table."""
        names = self.table(table)
        signals = {str(names[name]): value for name, value in values.items()}
        self.rig.restbus(str(names["node"])).set(str(names["message"]), **signals)

    # -- the controller's frames ------------------------------------------------------------------

    def forces(self, since_ns: int, *, channel: str | None = None) -> list[tuple[int, list[float]]]:
        """Commanded forces over time, 0 where a request is not valid: (end of frame, N by corner).

        What a request says that is not marked as valid, nobody follows.
        """
        message = self.message(self.command["message"])
        names = [*self.command["forces"], *self.command["valid"]]
        read = message.codec.reader(*names).read
        valid = self.raw(message.name, self.command["valid"][0], self.said("valid"))
        found = []
        for record in self.trial.frames(message.name, since_ns, channel=channel):
            if len(record.frame.data) == message.length:
                values = read(record.frame.data)
                count = len(values) // 2
                forces_n = [
                    float(values[i]) if values[count + i] == valid else 0.0 for i in range(count)
                ]
                found.append((record.eof_ns, forces_n))
        return found

    def commanded(self, since_ns: int) -> NDArray[np.float64]:
        """The same without times: a row per frame."""
        return np.array([row for _, row in self.forces(since_ns)]).reshape(-1, len(self.corners))

    def mean_n(self, since_ns: int) -> list[float]:
        """Mean commanded force by corner; NaN without a frame."""
        rows = self.commanded(since_ns)
        if not len(rows):
            return [float("nan")] * len(self.corners)
        return [float(each) for each in rows.mean(axis=0)]

    def first_ns(self, since_ns: int, holds: Callable[[list[float]], bool]) -> int | None:
        """When a command frame first ended whose forces fulfil a condition."""
        return next((at for at, forces_n in self.forces(since_ns) if holds(forces_n)), None)

    def status(self, name: str, since_ns: int) -> Times:
        """A signal of the status over time, by its name in the table."""
        return self.sent("status", name, since_ns)

    def sent(self, table: str, name: str, since_ns: int) -> Times:
        """A signal of the controller over time, by table and name there."""
        names = self.table(table)
        return self.trial.decoded(str(names["message"]), str(names[name]), since_ns)

    def is_said(self, name: str, value: Number, text: str) -> bool:
        """Whether a value of the status is what a text stands for."""
        message = str(self.status_names["message"])
        return value == self.raw(message, str(self.status_names[name]), text)

    def first_said(self, name: str, text: str, since_ns: int, *, other: bool = False) -> int | None:
        """When the status first said it; with `other` when it first said anything else."""
        for at_ns, value in self.status(name, since_ns):
            if self.is_said(name, value, text) is not other:
                return at_ns
        return None

    def ever_said(self, name: str, text: str, since_ns: int) -> bool:
        """Whether the status said it at all."""
        return self.first_said(name, text, since_ns) is not None

    # -- the truth --------------------------------------------------------------------------------

    def clamp(self, since_ns: int) -> NDArray[np.float64]:
        """True clamp forces, a row per millisecond."""
        return np.column_stack(
            [self.rig.recorded(f"{CLAMP}.{corner}", since_ns=since_ns) for corner in self.corners]
        )

    def clamp_now_n(self) -> list[float]:
        """True clamp forces of now."""
        return list(self.rig.vehicle.clamp_force_n)

    def decel_mps2(self, since_ns: int) -> float:
        """Mean deceleration of the vehicle since then, from its speed."""
        speed = self.rig.recorded("speed_mps", since_ns=since_ns)
        if len(speed) < 2:
            return float("nan")
        return float(speed[0] - speed[-1]) / ((len(speed) - 1) * 1e-3)

    def speed_kmh(self) -> float:
        """Of the vehicle."""
        return self.rig.vehicle.speed_mps * KMH_PER_MPS

    def offset_m(self, since_ns: int) -> float:
        """Largest distance from where the vehicle was in its lane."""
        offset = self.rig.recorded("lateral_offset_m", since_ns=since_ns)
        return float(np.max(np.abs(offset - offset[0]))) if len(offset) else float("nan")

    # -- judging ----------------------------------------------------------------------------------

    def expect_within(
        self,
        at_ns: int | None,
        since_ns: int,
        limit_ms: float,
        text: str,
        requirement: str = "",
    ) -> bool:
        """Something must have happened within a time."""
        took_ms = float("inf") if at_ns is None else (at_ns - since_ns) / NS_PER_MS
        return self.trial.expect(
            took_ms <= limit_ms,
            text=text,
            measured="never" if at_ns is None else took_ms,
            limit=f"<= {limit_ms:g} ms",
            requirement=self.demand(requirement),
        )

    def at_most(
        self, value_ratio: float, limit_ratio: float, unit: str, text: str, requirement: str = ""
    ) -> bool:
        """A measured value must not be above a limit."""
        return self.trial.expect(
            value_ratio <= limit_ratio,
            text=text,
            measured=float(value_ratio),
            limit=f"<= {limit_ratio:g} {unit}",
            requirement=self.demand(requirement),
        )

    def at_least(
        self, value_ratio: float, limit_ratio: float, unit: str, text: str, requirement: str = ""
    ) -> bool:
        """A measured value must not be below a limit."""
        return self.trial.expect(
            value_ratio >= limit_ratio,
            text=text,
            measured=float(value_ratio),
            limit=f">= {limit_ratio:g} {unit}",
            requirement=self.demand(requirement),
        )

    def says(self, name: str, text: str, since_ns: int, what: str, requirement: str = "") -> bool:
        """Every status since then must say it, and there must be some."""
        message, signal = str(self.status_names["message"]), str(self.status_names[name])
        choices = self.message(message).signal(signal).choices
        found = {str(choices.get(int(value), value)) for _, value in self.status(name, since_ns)}
        return self.trial.expect(
            found == {text},
            text=what,
            measured=", ".join(sorted(found)) or "no status",
            limit=text,
            requirement=self.demand(requirement),
        )

    def warned(self, since_ns: int, text: str, requirement: str = "") -> None:
        """The driver must be warned in time, of this level of degradation."""
        limit_ms = self.trial.parameter("warning_ms")
        self.expect_within(
            self.first_said("red_lamp", self.said("on"), since_ns),
            since_ns,
            limit_ms,
            "red lamp on",
            requirement,
        )
        self.expect_within(
            self.first_said("level", text, since_ns),
            since_ns,
            limit_ms,
            f"degradation level {text}",
            requirement,
        )

    def kept(
        self, before_n: Sequence[float], since_ns: int, least_ratio: float, requirement: str = ""
    ) -> bool:
        """The clamp forces together must not have fallen below a share of what they were."""
        rows = self.clamp(since_ns).sum(axis=1)
        total_n = sum(before_n)
        share_ratio = float(rows.min()) / total_n if len(rows) and total_n > 0.0 else float("nan")
        return self.at_least(
            100.0 * share_ratio,
            100.0 * least_ratio,
            "%",
            "least clamp force, of what it was",
            requirement,
        )

    def healthy(self, since_ns: int, requirement: str = "") -> None:
        """No warning, no degradation, whatever else is said."""
        self.says("level", self.said("whole"), since_ns, "degradation level", requirement)
        self.says("red_lamp", self.said("off"), since_ns, "red lamp", requirement)
