"""What one outside program is on a bus."""

from __future__ import annotations

import copy
import pickle

import pytest

from simcore.attach import BareBus, BusOperationError
from simcore.attach.endpoint import Endpoint, Filter, free_name
from simcore.bus import Frame
from simcore.units import ms


@pytest.mark.parametrize(
    ("rule", "passed"),
    [
        (Filter(0x123, 0x7FF, None), [(0x123, False), (0x123, True)]),
        (Filter(0x123, 0x7FF, False), [(0x123, False)]),
        (Filter(0x123, 0x7FF, True), [(0x123, True)]),
        (Filter(0x120, 0x7F0, False), [(0x120, False), (0x123, False)]),
        (Filter(0, 0, None), [(0x120, False), (0x123, False), (0x123, True), (0x7FF, False)]),
    ],
)
def test_a_filter_looks_at_identifier_and_format(rule: Filter, passed: list) -> None:
    frames = [(0x120, False), (0x123, False), (0x123, True), (0x7FF, False)]
    assert [
        each for each in frames if rule.passes(Frame(each[0], is_extended_id=each[1]))
    ] == passed


def test_names_are_numbered_and_used_again() -> None:
    bus = BareBus().buses[0]
    first, second = Endpoint(bus, "P"), Endpoint(bus, "P")
    assert [each.name for each in bus.controllers] == ["P_1", "P_2"]
    first.close()
    assert free_name(bus, "P") == "P_1"
    assert second.controller.name == "P_2"


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))]
)
def test_a_copy_goes_on_without_a_reader(duplicate) -> None:
    world = BareBus()
    bus = world.buses[0]
    endpoint, other = Endpoint(bus, "P"), Endpoint(bus, "Q")
    other.send(Frame(1))
    world.run_for(ms(1))
    other.send(Frame(2))
    copied, copied_endpoint = duplicate((world, endpoint))
    for each in (world, copied):
        each.run_for(ms(1))
    assert [each.content for each in iter(endpoint.take, None)] == [Frame(1), Frame(2)]
    assert copied_endpoint.take() is None
    assert list(copied.buses[0].log) == list(bus.log)


def test_a_refusal_of_the_controller_is_said() -> None:
    bus = BareBus().buses[0]
    endpoint = Endpoint(bus, "P")
    endpoint.controller.set_listen_only(True)
    with pytest.raises(
        BusOperationError, match=r"P_1: send .*: expected a node that may send, got"
    ):
        endpoint.send(Frame(1))
