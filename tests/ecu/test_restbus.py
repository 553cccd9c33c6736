"""The restbus in the shipped interface, and the `Ecu` base under every node.

Send types, drives and odd databases are in test_restbus_events.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simcore.bus import Frame
from simcore.ecu import Ecu, Node, RestbusNode
from simcore.errors import UsageError
from simcore.network import Database
from simcore.protection import E2eStatus, Profile05Receiver
from simcore.units import ms

Make = Callable[..., Any]


def test_every_cyclic_message_of_a_node_is_sent_in_its_cycle_with_its_delay(
    make_bench: Make, database: Database
) -> None:
    for name in ("VCU", "GW", "EPS", "CDC2", "PDM"):
        bench = make_bench(RestbusNode(name, database), name, inputs={})
        bench.run_to(ms(2_000) - 1)
        wanted = {
            message.arbitration_id: len(
                range(message.start_delay_ns, ms(2_000), message.cycle_time_ns)
            )
            for message in database.sent_by(name)
            if message.cycle_time_ns is not None
        }
        sent = [frame.arbitration_id for frame in bench.port.sent]
        assert {identifier: sent.count(identifier) for identifier in set(sent)} == wanted
        assert bench.port.accepted == frozenset()


def test_counters_and_checksums_are_right(make_bench: Make, database: Database) -> None:
    bench = make_bench(RestbusNode("VCU", database), "VCU", inputs={})
    bench.run_to(ms(500))
    message = database.message("VCU_Torque")
    assert message.e2e is not None
    receiver = Profile05Receiver(message.e2e.data_id, message.length)
    statuses = [receiver.check(frame.data) for frame in bench.frames("VCU_Torque")]
    assert statuses == [E2eStatus.OK] * len(statuses) and len(statuses) == 50


def test_start_values_are_sent_until_set_says_otherwise(
    make_bench: Make, database: Database
) -> None:
    node = RestbusNode("VCU", database)
    bench = make_bench(node, "VCU", inputs={})
    bench.run_to(ms(20))
    message = database.message("VCU_Torque")
    first = message.codec.decode(bench.frames("VCU_Torque")[-1].data)
    assert first["VCU_AccPed"] == pytest.approx(message.signal("VCU_AccPed").start_value)
    node.set("VCU_Torque", VCU_AccPed=40, VCU_Gear="D")
    bench.run_for(ms(10))
    assert bench.last("VCU_Torque")["VCU_AccPed"] == pytest.approx(40.0)
    assert bench.last("VCU_Torque")["VCU_Gear"] == "D"


def test_what_was_set_survives_a_restart(make_bench: Make, database: Database) -> None:
    node = RestbusNode("VCU", database)
    bench = make_bench(node, "VCU", inputs={})
    node.set("VCU_Torque", VCU_AccPed=40)
    node.start(bench.port, bench.now_ns)
    bench.run_for(ms(20))
    assert bench.last("VCU_Torque")["VCU_AccPed"] == pytest.approx(40.0)


def test_a_message_the_node_does_not_send_is_refused_with_those_it_sends(
    database: Database,
) -> None:
    with pytest.raises(
        UsageError,
        match=r"^restbus of ADAS: expected one of its messages \(ADAS_LongReq, NM_ADAS\), "
        r"got VCU_Torque$",
    ):
        RestbusNode("ADAS", database).set("VCU_Torque", VCU_AccPed=1)


def test_a_node_that_only_answers_is_silent_and_plays_its_events(
    make_bench: Make, database: Database
) -> None:
    node = RestbusNode("TST", database)
    assert set(node.payloads) == {message.name for message in database.sent_by("TST")}
    bench = make_bench(node, "TST", inputs={})
    bench.run_to(ms(1000))
    assert bench.port.sent == [] and node.next_deadline_ns() is None
    assert (
        node.write(
            "DIAG_CDC_Req", bench.now_ns, **{database.message("DIAG_CDC_Req").signals[0].name: 1}
        )
        == 1
    )
    assert len(bench.frames("DIAG_CDC_Req")) == 1


def test_a_node_without_messages_says_so(database: Database) -> None:
    node = RestbusNode("TST", database, messages=())
    with pytest.raises(UsageError, match=r"^restbus of TST: .*\(none\), got X$"):
        node.set("X")


# -- Ecu -----------------------------------------------------------------------------------------


class Blinker(Ecu):
    """The smallest ECU: one task, one reception, memory that counts its starts."""

    def configure(self, now_ns: int) -> None:
        starts = int.from_bytes(self.port.memory.get("starts", b""), "big") + 1
        self.port.memory["starts"] = starts.to_bytes(2, "big")
        self.pedal = self.receives("BPS_Pedal")
        self.ran: list[int] = []
        self.runs("blink", period_ns=ms(10), offset_ns=ms(3), action=self.ran.append)


def test_an_ecu_without_start_is_silent(database: Database) -> None:
    node = Blinker("GW", database)
    assert isinstance(node, Node)
    assert node.next_deadline_ns() is None
    node.on_timer(0)


def test_an_ecu_must_say_what_it_is_made_of(make_bench: Make, database: Database) -> None:
    with pytest.raises(NotImplementedError):
        make_bench(Ecu("GW", database), "GW", inputs={})


def test_tasks_count_from_the_start_of_the_ecu(make_bench: Make, database: Database) -> None:
    bench = make_bench(Blinker("GW", database), "GW", inputs={}, start_ns=ms(100))
    assert bench.node.next_deadline_ns() == ms(103)
    bench.run_to(ms(125))
    assert bench.node.ran == [ms(103), ms(113), ms(123)]


def test_a_restart_keeps_non_volatile_memory_only(make_bench: Make, database: Database) -> None:
    bench = make_bench(Blinker("GW", database), "GW", inputs={})
    bench.repeat("BPS_Pedal")
    bench.run_to(ms(50))
    assert bench.node.pedal.usable(ms(50))
    bench.node.start(bench.port, ms(57))
    assert bench.port.memory["starts"] == b"\x00\x02"
    assert not bench.node.pedal.usable(ms(57))
    assert bench.node.ran == []
    assert bench.node.next_deadline_ns() == ms(60)


def test_an_ecu_takes_frames_it_asked_for_and_no_others(
    make_bench: Make, database: Database
) -> None:
    bench = make_bench(Blinker("GW", database), "GW", inputs={})
    assert bench.port.accepted == {0x0A0}
    bench.hear(Frame(0x0A1, bytes(8)))
    assert bench.node.pedal.received_ns is None
    bench.say("BPS_Pedal")
    assert bench.node.pedal.received_ns == 0
