"""`FlashPowerCut`: dark at the n-th flash operation, and back."""

from __future__ import annotations

import pytest

from simcore import Database, Restbus, ms, s
from simcore.ecu import Port
from simcore.ecu.restbus import RestbusNode
from simcore.errors import UsageError
from simcore.faults import FlashPowerCut
from simcore.rig.software import factory_flash
from simcore.update.flash import CutKind, Flash

NODE = "EMB_FL"


class Writer:
    """Erases, then programs eight bytes every millisecond; counts its starts."""

    def __init__(self) -> None:
        self.starts_ns: list[int] = []
        self._next_ns = 0
        self._address = 0

    def start(self, port: Port, now_ns: int) -> None:
        self.starts_ns.append(now_ns)
        self._flash: Flash = port.flash  # type: ignore[assignment]
        self._next_ns = now_ns + ms(1)
        self._address = 0

    def receive(self, frame: object, now_ns: int) -> None:
        pass

    def on_timer(self, now_ns: int) -> None:
        self._next_ns = now_ns + ms(1)
        if self._address == 0:
            self._flash.erase(0, self._flash.geometry.sector_size)
        else:
            self._flash.program(self._address, b"\x00" * 8)
        self._address += 8

    def next_deadline_ns(self) -> int | None:
        return self._next_ns


@pytest.fixture
def bench() -> Restbus:
    bench = Restbus(Database.reference(), play=())
    bench.replace(NODE, Writer())
    bench.host(NODE).fit_flash(Flash(factory_flash(NODE).geometry))
    return bench


def cell(bench: Restbus, number: int) -> bytes:
    flash = bench.host(NODE).flash
    assert flash is not None
    return flash.read(8 * number, 8)


@pytest.mark.parametrize("kind", list(CutKind))
def test_the_supply_goes_at_the_operation_and_comes_back(bench: Restbus, kind: CutKind) -> None:
    fault = bench.inject(FlashPowerCut(node=NODE, operation=3, kind=kind, off_ns=ms(50), seed=6))
    before = len(bench.node(NODE).starts_ns)  # type: ignore[attr-defined]
    bench.run_for(ms(3) + ms(20))
    assert not bench.host(NODE).running, "dark"
    assert cell(bench, 1) == bytes(8), "the operation before is whole"
    found = cell(bench, 2)
    assert (found == b"\xff" * 8) is (kind is CutKind.BEFORE)
    assert (found == bytes(8)) is (kind is CutKind.AFTER)
    bench.run_for(ms(100))
    assert bench.host(NODE).running
    starts_ns = bench.node(NODE).starts_ns  # type: ignore[attr-defined]
    assert len(starts_ns) == before + 1
    assert ms(53) <= starts_ns[-1] <= ms(56), "50 ms after the loss, as seen every millisecond"
    assert not fault.did_nothing
    assert any("power lost at flash operation 2" in event.text for event in bench.log.events)


def test_a_fork_in_the_dark_comes_back_too(bench: Restbus) -> None:
    bench.inject(FlashPowerCut(node=NODE, operation=2, off_ns=ms(50)))
    bench.run_for(ms(10))
    twin = bench.fork()
    for each in (bench, twin):
        each.run_for(ms(60))
        assert each.host(NODE).running
    assert bench.digest == twin.digest


def test_cleared_before_it_met_an_operation_it_takes_nothing(bench: Restbus) -> None:
    fault = bench.inject(FlashPowerCut(node=NODE, operation=10))
    bench.run_for(ms(5))
    bench.clear(fault)
    bench.run_for(ms(100))
    assert bench.host(NODE).running and bench.host(NODE).flash.cut is None  # type: ignore[union-attr]


def test_cleared_in_the_dark_it_gives_the_supply_back(bench: Restbus) -> None:
    fault = bench.inject(FlashPowerCut(node=NODE, operation=2, off_ns=s(10)))
    bench.run_for(ms(10))
    assert not bench.host(NODE).running
    bench.clear(fault)
    bench.run_for(ms(2))
    assert bench.host(NODE).running


@pytest.mark.parametrize("name", ["operation", "off_ns"])
@pytest.mark.parametrize("value", [0, -1, 1.5])
def test_counts_are_whole_and_positive(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"FlashPowerCut.{name}"):
        FlashPowerCut(**{"node": NODE, "operation": 1, name: value})  # type: ignore[arg-type]


def test_a_node_without_a_flash_is_refused(bench: Restbus) -> None:
    assert isinstance(bench.node("CDC2"), object) and not isinstance(bench.node(NODE), RestbusNode)
    with pytest.raises(UsageError, match=r"node CDC2.*a node with a flash.*none"):
        bench.inject(FlashPowerCut(node="CDC2", operation=1))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (CutKind.BEFORE, "before flash operation 7"),
        (CutKind.TORN, "in the midst of flash operation 7"),
        (CutKind.AFTER, "after flash operation 7"),
    ],
)
def test_the_sentence_says_when_and_for_how_long(kind: CutKind, words: str) -> None:
    sentence = FlashPowerCut(node=NODE, operation=7, kind=kind).sentence
    assert sentence.startswith(f"{NODE}: supply lost {words}") and "200" in sentence
