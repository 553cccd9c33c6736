"""Buses to attach to; every test has to leave nothing behind that a program could find."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import can
import pytest

from simcore.attach import published

Open = Callable[..., can.BusABC]


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    """What one test publishes must not be found by the next."""
    yield
    left = [session.name for session in published()]
    for session in published():
        session.close()
    assert left == []


@pytest.fixture
def open_bus() -> Iterator[Open]:
    """`open_bus("empty:x", ...)` is `can.Bus(interface="simcore", ...)`, shut down at the end."""
    buses: list[can.BusABC] = []

    def opened(channel: str | int | None = "empty:pair", **settings: object) -> can.BusABC:
        bus = can.Bus(interface="simcore", channel=channel, ignore_config=True, **settings)
        buses.append(bus)
        return bus

    yield opened
    for bus in buses:
        bus.shutdown()


@pytest.fixture
def pair(open_bus: Open) -> tuple[can.BusABC, can.BusABC]:
    """Two programs on an otherwise empty bus, in virtual time."""
    return open_bus("empty:pair"), open_bus("empty:pair")
