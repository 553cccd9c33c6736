"""Diagnostic coverage: counted on real receivers, per mechanism, the same whoever counts."""

from __future__ import annotations

import pickle

import pytest

from simcore.errors import UsageError
from simcore.faults import (
    MessageMasqueraded,
    MessageRepeated,
    MessageStopped,
    OpenWire,
    PayloadCorrupted,
)
from simcore.kernel.rng import RandomStream
from simcore.rig import Rig
from simcore.rig.coverage import Coverage, CoverageRow, FaultModel, Mechanism, percent
from simcore.rig.coverage_faults import DRAWS, TARGETS, Drawn
from simcore.rig.coverage_run import measure_coverage, run_one
from simcore.rig.ftti import BRAKING
from simcore.rig.ftti_run import warm_rig
from simcore.units import ms

COMMAND = TARGETS[0]


@pytest.fixture(scope="module")
def warm() -> bytes:
    return pickle.dumps(warm_rig(BRAKING, seed=1))


@pytest.fixture
def rig(warm: bytes) -> Rig:
    copy: Rig = pickle.loads(warm)
    return copy


def fired(rig: Rig, fault: Drawn) -> frozenset[Mechanism]:
    return run_one(rig, fault, COMMAND, rig.message_named(COMMAND.message), ms(60))


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (MessageRepeated(message="CDC_EmbCmd", frames=2), {Mechanism.COUNTER}),
        (MessageStopped(message="CDC_EmbCmd"), {Mechanism.TIMEOUT}),
        (PayloadCorrupted(message="CDC_EmbCmd", flips=3, frames=1), {Mechanism.CRC}),
        (
            MessageMasqueraded(message="CDC_EmbCmd", protected_as="CDC2_EmbCmd", frames=1),
            {Mechanism.DATA_ID},
        ),
        (OpenWire(bus="CHASSIS_A", node="EMB_FL"), {Mechanism.SECOND_BUS}),
    ],
    ids=lambda each: type(each).__name__,
)
def test_each_mechanism_is_told_from_the_others(
    rig: Rig, fault: Drawn, expected: set[Mechanism]
) -> None:
    assert fired(rig, fault) == expected


def test_without_a_fault_nothing_fires(rig: Rig) -> None:
    assert fired(rig, OpenWire(bus="CHASSIS_A", node="GW")) == frozenset()


def test_with_e2e_off_nothing_notices_a_corruption() -> None:
    models = (FaultModel.CORRUPTION, FaultModel.MASQUERADE)
    normal = measure_coverage(seed=2, runs=2, models=models)
    without = measure_coverage(seed=2, runs=2, models=models, without=["e2e"])
    for row in normal.rows:
        assert row.noticed == row.runs == 6
    assert without.rows[1].noticed == 0
    assert without.rows[1].unnoticed
    assert without.rows[0].fired[Mechanism.CRC] == 0


def test_two_workers_count_what_one_does() -> None:
    models = (FaultModel.REPETITION,)
    told: list[tuple[int, int]] = []
    one = measure_coverage(seed=3, runs=1, models=models, progress=lambda *step: told.append(step))
    assert one == measure_coverage(seed=3, runs=1, models=models, workers=2)
    assert told[-1] == (3, 3)
    assert not one.errors


def test_every_kind_of_fault_can_be_drawn_for_every_message(rig: Rig) -> None:
    assert set(DRAWS) == set(FaultModel)
    for model, draw in DRAWS.items():
        for target in TARGETS:
            for number in range(6):
                stream = RandomStream(number, model.name)
                message = rig.message_named(target.message)
                assert draw(target, message, stream) is not None


def test_a_run_that_raises_is_told_and_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no such wire")

    monkeypatch.setitem(DRAWS, FaultModel.LOSS, broken)
    coverage = measure_coverage(runs=1, models=(FaultModel.LOSS,))
    assert coverage.rows[0].runs == 0
    assert len(coverage.errors) == 3
    assert coverage.errors[0] == ("loss of information: nothing drawn: RuntimeError: no such wire")


@pytest.mark.parametrize("name", ["runs", "workers"])
def test_no_run_or_worker_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=rf"measure_coverage, {name}: expected an integer >= 1"):
        measure_coverage(**{name: 0})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("share", "text"),
    [((0, 0), "-"), ((0, 10), "0 %"), ((1, 300), "< 1 %"), ((2, 3), "66 %"), ((9, 9), "100 %")],
)
def test_a_share_is_never_rounded_up(share: tuple[int, int], text: str) -> None:
    assert percent(share) == text


def test_a_table_is_plain_data() -> None:
    row = CoverageRow(model=FaultModel.LOSS, runs=4, noticed=3, fired={Mechanism.TIMEOUT: 3})
    table = Coverage(seed=0, messages=(), rows=(row,))
    assert pickle.loads(pickle.dumps(table)) == table
    assert row.share() == (3, 4)
    assert row.share(Mechanism.CRC) == (0, 4)
