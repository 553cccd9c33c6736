"""Modules are told that the run is over; what they complain about fails it."""

from __future__ import annotations

from collections.abc import Iterable

from simcore.rig import Rig, Verdict, run_scenario, scenario
from simcore.units import ms


class Counting:
    """A module that may complain when the run ends."""

    def __init__(self, *complaints: str) -> None:
        self.complaints = complaints
        self.ended_ns: list[int] = []

    def start(self, port: object, now_ns: int) -> None: ...
    def receive(self, frame: object, now_ns: int) -> None: ...
    def on_timer(self, now_ns: int) -> None: ...
    def next_deadline_ns(self) -> int | None:
        return None

    def ended(self, now_ns: int) -> Iterable[str]:
        self.ended_ns.append(now_ns)
        return self.complaints


class Broken(Counting):
    """One that cannot even end."""

    def ended(self, now_ns: int) -> Iterable[str]:
        raise ValueError("no end")


@scenario
def short(rig: Rig) -> None:
    rig.run_for(ms(7))


def run(module: Counting) -> list[str]:
    (item,) = short
    result = run_scenario(item, on_rig=lambda rig: rig.replace("TST", module))
    assert (result.verdict is Verdict.FAILED) is bool(result.findings)
    return [f"{each.source}: {each.text}" for each in result.findings]


def test_a_module_is_told_once_that_the_run_is_over() -> None:
    module = Counting()
    assert run(module) == []
    assert module.ended_ns == [ms(7)]


def test_what_it_complains_about_is_a_finding() -> None:
    assert run(Counting("two frames lost", "late")) == ["TST: two frames lost", "TST: late"]


def test_a_module_that_raises_then_is_a_finding_too() -> None:
    (text,) = run(Broken())
    assert text.startswith("TST: ended raised ValueError: no end")
