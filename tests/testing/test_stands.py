"""From the table `stand` of a requirement file to the stand that cases run on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simcore.attach.dut import load_dut
from simcore.errors import InputError
from simcore.network import Database
from simcore.rig.requirements import load_requirement_file
from simcore.rig.stand import NodeStand
from simcore.testing.conformance.case import StandKind
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.stands import build, empty_stand, has_flash, watchdog_of
from simcore.watchdog.presets import fs65


def bound(node: str = "EMB_FL", **stand: Any) -> Interface:
    """An interface whose table `stand` has these entries and no others."""
    interface = Interface.of(Database.reference(), node)
    return replace(interface, bindings={**interface.bindings, "stand": stand})


def test_a_warm_stand_has_run_and_a_cold_one_has_an_empty_place() -> None:
    interface = bound(axle="front", watchdog="fs65", warm_ms=20)
    warm = build(interface, StandKind.WARM, load_dut("reference"))
    assert warm.now_ns == 20_000_000
    assert warm.host("EMB_FL").running
    cold = build(interface, StandKind.COLD, load_dut("reference"))
    assert cold.now_ns == 0
    assert not cold.host("EMB_FL").running


def test_the_shipped_list_gives_front_and_rear_their_calipers_and_watchdogs() -> None:
    database = Database.reference()
    for node, current_a in (("EMB_FL", 40.0), ("EMB_RR", 32.0)):
        interface = Interface.of(database, node)
        assert empty_stand(interface).caliper.parameters.current_max_a == current_a
        assert watchdog_of(interface) == fs65()
        assert has_flash(interface)


def test_without_a_table_there_is_the_network_only(tmp_path: Path) -> None:
    path = tmp_path / "list.toml"
    path.write_text('[X-1]\ntext = "t"\nsource = "s"\n')
    interface = Interface.of(Database.reference(), "IMU", load_requirement_file(path))
    stand = empty_stand(interface)
    assert isinstance(stand, NodeStand)
    assert stand.plant is None
    assert watchdog_of(interface) is None
    assert not has_flash(interface)


def test_settings_of_a_preset_and_what_it_cuts_come_from_the_table() -> None:
    interface = bound(
        axle="front", watchdog={"preset": "fs65", "period_ns": 16_000_000, "cuts": "transmit"}
    )
    board = empty_stand(interface).dut.board
    assert board is not None
    assert board.cuts == "transmit"
    assert watchdog_of(interface) == fs65(period_ns=16_000_000)


@pytest.mark.parametrize(
    ("stand", "text"),
    [
        ({"axel": "front"}, r"interface\.actuator\.stand: expected no entries but .*got 'axel'$"),
        ({"axle": "middle"}, r"stand\.axle: expected front or rear, got 'middle'$"),
        ({"axle": {"FR": "front"}}, r"stand\.axle: expected an entry for corner FL, got 'none'$"),
        ({"watchdog": "dog"}, r"stand\.watchdog: expected a preset of fs65, .*got 'dog'$"),
        (
            {"watchdog": {"preset": "fs65", "cuts": "wires"}},
            r"stand\.watchdog\.cuts: expected one of outputs, transmit, nothing, got 'wires'$",
        ),
        (
            {"watchdog": {"preset": "fs65", "window": 3}},
            r"stand\.watchdog: expected settings of fs65: period_ns, .*got 'window'$",
        ),
        (
            {"watchdog": {"preset": "fs65", "period_ns": 5}},
            r"stand\.watchdog: expected settings that fit together, got .*period_ns",
        ),
        (
            {"axle": "front", "warm_ms": "long"},
            r"stand\.warm_ms: expected a number >= 0, got 'long'$",
        ),
        (
            {"values": {"CDC_EmbCmt": {"X": 1}}},
            r"interface\.actuator\.stand: got unknown message 'CDC_EmbCmt': did you mean",
        ),
    ],
)
def test_mistakes_in_the_table_name_the_file_and_the_entry(stand: Any, text: str) -> None:
    with pytest.raises(InputError, match=text) as caught:
        build(bound(**stand), StandKind.WARM, load_dut("reference"))
    assert "requirements.toml" in str(caught.value)
