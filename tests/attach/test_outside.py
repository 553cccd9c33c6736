"""Nodes that are played from outside."""

from __future__ import annotations

import can
import pytest

from simcore.attach import publish
from simcore.attach.outside import OutsideNode, names_of, take_over
from simcore.errors import UsageError
from simcore.rig import Rig
from simcore.units import ms


def senders(rig: Rig) -> set[str]:
    return {record.sender for record in rig.buses[0].log}


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("", ()),
        ("EMB_FL", ("EMB_FL",)),
        (" EMB_FL , CDC,,EMB_FL", ("EMB_FL", "CDC")),
        (["CDC", "BPS"], ("CDC", "BPS")),
    ],
)
def test_names_come_as_text_or_as_a_list(given, names: tuple[str, ...]) -> None:
    assert names_of(given) == names


def test_the_simulated_ecu_is_silent_once_its_node_is_outside() -> None:
    rig = Rig()
    take_over(rig, rig.buses[0], ("EMB_FL",))
    rig.run_for(ms(50))
    assert "EMB_FL" not in senders(rig)
    assert {"EMB_FR", "CDC", "BPS"} <= senders(rig)
    assert rig.log.findings == []


def test_a_name_that_is_no_node_switches_nothing_off() -> None:
    rig = Rig()
    with pytest.raises(UsageError, match="outside node EMB_XX: expected one of CDC"):
        take_over(rig, rig.buses[0], ("EMB_FL", "EMB_XX"))
    assert not isinstance(rig.node("EMB_FL"), OutsideNode)


def test_what_the_program_sends_goes_out_as_the_node_it_plays(open_bus) -> None:
    rig = Rig()
    message = rig.database.message("EMB_FL_St1")
    with publish(rig):
        bus = open_bus("chassis", outside="EMB_FL")
        bus.send(
            can.Message(
                arbitration_id=message.arbitration_id,
                is_extended_id=False,
                is_fd=True,
                bitrate_switch=True,
                data=bytes(message.length),
            )
        )
        bus.send(can.Message(arbitration_id=0x7F0, is_extended_id=False))
        bus.clock.sleep(0.05)
        names = {
            record.frame.arbitration_id: record.sender
            for record in rig.buses[0].log
            if record.sender in ("EMB_FL", "PYTHON_CAN_1")
        }
        assert names == {message.arbitration_id: "EMB_FL", 0x7F0: "PYTHON_CAN_1"}
        heard = {each.arbitration_id for each in iter(lambda: bus.recv(0), None)}
        assert message.arbitration_id not in heard  # no echo of what it sent itself
        bus.shutdown()


def test_two_programs_that_play_one_node_hear_each_other(open_bus) -> None:
    with publish(Rig()):
        first = open_bus("chassis", outside="EMB_FL")
        second = open_bus("chassis", outside="EMB_FL", receive_own_messages=True)
        for bus in (first, second):
            bus.set_filters([{"can_id": 0x80, "can_mask": 0x7FF}])
        for bus, octet in ((first, 1), (second, 2)):
            bus.send(can.Message(arbitration_id=0x80, is_extended_id=False, data=[octet]))
        first.clock.sleep(0.05)
        assert [(each.data[0], each.is_rx) for each in iter(lambda: first.recv(0), None)] == [
            (2, True)
        ]
        assert [(each.data[0], each.is_rx) for each in iter(lambda: second.recv(0), None)] == [
            (1, True),
            (2, False),
        ]
        first.shutdown()
        second.shutdown()
