"""A trouble code as evidence of a detection."""

from __future__ import annotations

import pytest

from simcore import Rig, ms
from simcore.ecu import RestbusNode
from simcore.errors import UsageError
from simcore.faults import EcuSilent
from simcore.rig.evidence import ColumnHolds, EventSeen
from simcore.rig.evidence_dtc import DtcSet


@pytest.fixture(scope="module")
def rolling() -> Rig:
    rig = Rig(seed=1)
    rig.run_for(ms(400))
    rig.vehicle.set_speed(kmh=100)
    rig.press_pedal(35)
    rig.run_for(ms(500))
    return rig


@pytest.mark.parametrize("code", ["C1A10-87", "EMB_FL silent"])
def test_the_code_of_a_silent_actuator_is_seen_when_it_is_detected(rolling: Rig, code: str) -> None:
    rig = rolling.fork()
    reaction = rig.measure_reaction(
        EcuSilent(node="EMB_FL"),
        detection=DtcSet("CDC", code),
        safe_state=ColumnHolds("clamp_force_n.FL", "<", 500.0),
        timeout=ms(400),
    )
    seen = reaction.detected
    assert seen is not None and reaction.fault_ns is not None
    assert seen.text == "CDC dtc: C1A10-87 EMB_FL silent: testFailed, confirmedDTC"
    lost = EventSeen("detection", "CDC", "EMB_FL lost").first(rig, reaction.fault_ns, rig.now_ns)
    assert lost is not None and seen.time_ns == lost.time_ns


def test_another_code_another_node_and_another_time_are_not_taken_for_it(rolling: Rig) -> None:
    rig = rolling.fork()
    start_ns = rig.now_ns
    rig.inject(EcuSilent(node="EMB_FL"))
    rig.run_for(ms(100))
    end_ns = rig.now_ns
    found = DtcSet("CDC", "EMB_FL silent").first(rig, start_ns, end_ns)
    assert found is not None
    assert DtcSet("CDC", "EMB_FR silent").first(rig, start_ns, end_ns) is None
    assert DtcSet("CDC2", "EMB_FL silent").first(rig, start_ns, end_ns) is None
    assert DtcSet("CDC", "EMB_FL silent").first(rig, start_ns, found.time_ns - 1) is None
    assert DtcSet("CDC", "EMB_FL silent").first(rig, found.time_ns + 1, end_ns) is None
    assert str(DtcSet("CDC", "EMB_FL silent")) == "CDC sets EMB_FL silent"


def test_what_no_table_has_is_refused(rolling: Rig) -> None:
    with pytest.raises(UsageError, match=r"DtcSet, node CDC: expected a code or name of its table"):
        DtcSet("CDC", "C1A10").first(rolling, 0, 1)
    rig = rolling.fork()
    rig.replace("EMB_RR", RestbusNode("EMB_RR", rig.database))
    with pytest.raises(UsageError, match=r"DtcSet, node EMB_RR: expected an ECU with trouble"):
        DtcSet("EMB_RR", "motor hot").first(rig, 0, 1)
    with pytest.raises(UsageError, match=r"NOBODY"):
        DtcSet("NOBODY", "motor hot").first(rig, 0, 1)
