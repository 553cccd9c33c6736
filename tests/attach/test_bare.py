"""A bus with nothing on it."""

from __future__ import annotations

import pytest

from simcore.attach import BareBus
from simcore.bus import BitTiming, Frame
from simcore.errors import UsageError
from simcore.units import ms


def test_it_is_a_can_fd_bus_unless_told_otherwise() -> None:
    bus = BareBus().buses[0]
    assert (bus.name, bus.timing.nominal_bps, bus.timing.data_bps) == ("EMPTY", 500_000, 2_000_000)
    assert bus.timing.iso
    assert not BareBus(timing=BitTiming(nominal_bps=125_000)).buses[0].carries_fd


def test_time_passes_as_on_a_rig() -> None:
    world = BareBus("X")
    received: list[Frame] = []
    world.buses[0].attach("B", received.append)
    world.buses[0].attach("A").send(Frame(0x1))
    assert world.run_until(lambda: bool(received), timeout=ms(10))
    assert 0 < world.now_ns < ms(1)
    now_ns = world.now_ns
    world.run_for(ms(5))
    assert world.now_ns == now_ns + ms(5)
    assert not world.run_until(lambda: False, timeout=ms(1))


@pytest.mark.parametrize("duration_ns", [-1, 0.5, True, "1"])
def test_a_duration_that_is_none_is_refused(duration_ns: object) -> None:
    with pytest.raises(UsageError, match="run_for: expected whole ns >= 0, got"):
        BareBus().run_for(duration_ns)
