"""How a program finds its bus."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import can
import pytest

from simcore.attach import BareBus, BusOpenError, SimcoreBus, publish, published
from simcore.attach.session import bus_of
from simcore.bus import BitTiming, Bus
from simcore.errors import UsageError
from simcore.kernel import Scheduler
from simcore.resources import dbc_path
from simcore.rig import Rig
from simcore.units import ms


def test_a_plain_script_gets_a_rig_of_its_own_that_ends_with_it(open_bus) -> None:
    bus = open_bus("chassis")
    assert isinstance(bus, SimcoreBus)
    assert isinstance(bus.session.world, Rig)
    assert bus.recv(1).timestamp < 0.001
    bus.shutdown()
    assert published() == ()
    assert open_bus("chassis").session.world.now_ns == 0  # the next script starts anew


def test_the_default_channel_is_the_first_bus_of_the_rig() -> None:
    with can.Bus(interface="simcore", ignore_config=True) as bus:
        assert bus.channel_info == "simcore CHASSIS_A in virtual time"


def test_programs_on_one_rig_are_nodes_of_their_own(open_bus) -> None:
    first, second = open_bus("chassis"), open_bus("CHASSIS_A")
    assert first.session is second.session
    first.send(can.Message(arbitration_id=0x7F0, is_extended_id=False, data=b"\x05"))
    second.set_filters([{"can_id": 0x7F0, "can_mask": 0x7FF}])
    assert second.recv(0.1).data == b"\x05"
    senders = {record.sender for record in first.session.world.buses[0].log}
    assert "PYTHON_CAN_1" in senders


def test_a_program_is_on_both_buses_of_a_rig(open_bus) -> None:
    with publish(Rig()) as session:
        lanes = [open_bus("CHASSIS_A"), open_bus("CHASSIS_B")]
        assert [bus.channel_info.split()[1] for bus in lanes] == ["CHASSIS_A", "CHASSIS_B"]
        for bus in lanes:
            bus.send(can.Message(arbitration_id=0x7F0, is_extended_id=False))
        lanes[0].clock.sleep(0.01)
        sent = [
            record.channel
            for record in session.world.buses[0].log
            if record.frame.arbitration_id == 0x7F0
        ]
        assert sorted(sent) == ["CHASSIS_A", "CHASSIS_B"]
        for bus in lanes:
            assert 0x7F0 not in {each.arbitration_id for each in iter(partial(bus.recv, 0), None)}
            bus.shutdown()


def test_a_published_rig_is_found_by_the_name_of_its_bus(open_bus) -> None:
    rig = Rig(seed=3)
    with publish(rig):
        rig.run_for(ms(20))
        bus = open_bus("chassis_a")
        assert bus.recv(0.1).timestamp >= 0.02
        bus.shutdown()
        assert [session.world for session in published()] == [rig]  # published ones stay


def test_rigs_side_by_side_have_names(open_bus) -> None:
    left, right = Rig(), Rig()
    with publish(left, "left"), publish(right, "right"):
        open_bus("chassis@left").recv(0.1)
        assert left.now_ns > 0
        assert right.now_ns == 0
        open_bus("0@right").recv(0.1)
        assert right.now_ns > 0


def test_the_rig_itself_may_be_given(open_bus) -> None:
    rig = Rig()
    first, second = open_bus("chassis", rig=rig), open_bus(0, rig=rig)
    assert first.session is second.session
    assert first.session.world is rig


def test_a_bare_bus_lives_as_long_as_programs_are_on_it(open_bus) -> None:
    first, second = open_bus("empty:x"), open_bus("empty:x")
    assert first.session.world is second.session.world
    assert open_bus("empty:y").session.world is not first.session.world
    first.shutdown()
    second.shutdown()
    assert [session.name for session in published()] == ["empty:y"]


@pytest.mark.parametrize(
    ("channel", "index"), [("B", 1), ("b", 1), ("1", 1), ("can1", 1), ("vcan0", 0), ("", 0)]
)
def test_a_bus_has_its_name_and_its_number(channel: str, index: int) -> None:
    scheduler = Scheduler()
    timing = BitTiming(nominal_bps=500_000, data_bps=2_000_000)
    buses = (Bus("A", timing, scheduler), Bus("B", timing, scheduler))
    assert bus_of(buses, channel) is buses[index]


@pytest.mark.parametrize("channel", ["C", "2", "can2", "canA"])
def test_a_bus_that_is_not_there_is_named_with_those_that_are(channel: str) -> None:
    bus = Bus("A", BitTiming(nominal_bps=500_000), Scheduler())
    with pytest.raises(
        BusOpenError, match=f"channel '{channel}': expected A, a number below 1, or chassis"
    ):
        bus_of((bus,), channel)


def test_a_wrong_channel_leaves_no_rig_behind(open_bus) -> None:
    with pytest.raises(can.CanInitializationError, match="channel 'CHASSIS_Z': expected CHASSIS_A"):
        open_bus("CHASSIS_Z")
    assert published() == ()


def test_a_name_that_nobody_published_is_refused(open_bus) -> None:
    with pytest.raises(BusOpenError, match="expected a rig published as 'bench', got nothing is"):
        open_bus("CHASSIS_A@bench")


def test_a_name_is_published_once() -> None:
    expected = "publish 'x': expected a name that is free"
    with publish(BareBus(), "x"), pytest.raises(UsageError, match=expected):
        publish(BareBus(), "x")


def test_a_rig_is_published_once() -> None:
    world = BareBus()
    expected = "expected a rig once, got the one published as 'x'"
    with publish(world, "x"), pytest.raises(UsageError, match=expected):
        publish(world, "y")


def test_who_asks_for_real_time_is_not_given_virtual_time(open_bus) -> None:
    open_bus("empty:x")
    with pytest.raises(BusOpenError, match="realtime: expected False: it runs in virtual time"):
        open_bus("empty:x", realtime=True)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"bitrate": 250_000}, "CHASSIS_A: bitrate: expected 500000, got 250000"),
        ({"data_bitrate": 5_000_000}, "CHASSIS_A: data_bitrate: expected 2000000, got 5000000"),
        (
            {"timing": can.BitTiming.from_sample_point(16_000_000, 125_000, 80.0)},
            "CHASSIS_A: bitrate: expected 500000, got 125000",
        ),
        ({"outside": "EMB_XX"}, "outside node EMB_XX: expected one of CDC, CDC2, EMB_FL"),
    ],
)
def test_what_the_bus_is_not_is_refused(open_bus, settings, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        open_bus("chassis", **settings)
    assert published() == ()


def test_an_empty_bus_takes_the_rates_of_whoever_is_first(open_bus) -> None:
    bus = open_bus("empty:fast", bitrate=1_000_000, data_bitrate=8_000_000)
    timing = bus.session.world.buses[0].timing
    assert (timing.nominal_bps, timing.data_bps) == (1_000_000, 8_000_000)
    with pytest.raises(BusOpenError, match="fast: bitrate: expected 1000000, got 500000"):
        open_bus("empty:fast", bitrate=500_000)


def test_an_empty_bus_has_no_nodes_to_play(open_bus) -> None:
    with pytest.raises(BusOpenError, match="outside: expected a rig, which has nodes"):
        open_bus("empty:x", outside="EMB_FL")


def test_a_rig_of_its_own_may_be_made_of_another_database(open_bus, tmp_path: Path) -> None:

    text = dbc_path("chassis_fd.dbc").read_text(encoding="utf-8")
    file = tmp_path / "mine.dbc"
    file.write_text(text, encoding="utf-8")
    bus = open_bus("chassis", dbc=str(file), seed=11)
    assert bus.session.world.database.name == str(file)
    assert bus.session.world.seed == 11


def test_a_setting_nobody_knows_is_said_out_loud(open_bus, caplog) -> None:
    open_bus("empty:x", realtme=True, single_handle=True)
    assert "settings without meaning here: realtme" in caplog.text
    assert "single_handle" not in caplog.text


def test_what_can_be_opened_is_listed(open_bus) -> None:
    assert can.detect_available_configs("simcore") == [
        {"interface": "simcore", "channel": "chassis"}
    ]
    open_bus("empty:x")
    with publish(BareBus("A"), ""), publish(BareBus("B"), "bench"):
        channels = [config["channel"] for config in can.detect_available_configs("simcore")]
    assert channels == ["empty:x", "A", "B@bench"]
