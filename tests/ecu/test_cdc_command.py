"""The command frame: packed once for what was decided once, and anew for whatever changes."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from simcore.ecu.cdc.command import CommandWriter, command_values
from simcore.ecu.cdc.communication import SOURCE_SECONDARY, command_writer
from simcore.ecu.cdc.parameters import CdcParameters
from simcore.ecu.cdc.states import MonitorState, RequestSource
from simcore.errors import InputError, UsageError
from simcore.network import Database

DATABASE = Database.reference()
P = CdcParameters()
WATCHDOG = (0, 0, 1, 0)


class Decided:
    """What a control task and its monitor decided: braking with all four, one held back."""

    def __init__(self) -> None:
        self.writer = CommandWriter(command_writer(DATABASE, "CDC2"), P, SOURCE_SECONDARY)
        self.application: Any = SimpleNamespace(
            source=RequestSource.DRIVER,
            emergency=False,
            request_valid=True,
            force_request_n=[9000.0, 9000.0, 6000.0, 6000.0],
            actuators=SimpleNamespace(without=(False,) * 4),
            slip=SimpleNamespace(active=[True, False, False, False]),
            park_brake=SimpleNamespace(mode=0),
            power_mode=3,
        )
        self.monitor: Any = SimpleNamespace(state=MonitorState.OK, limit_n=None)
        self.watchdog: tuple[int, ...] = WATCHDOG

    def write(self) -> bytes:
        return self.writer.write(self.application, self.monitor, self.watchdog)

    def anew(self) -> bytes:
        """As somebody packs it who remembers nothing."""
        values = command_values(self.application, P, SOURCE_SECONDARY, self.monitor)
        return command_writer(DATABASE, "CDC2").write(*values, *self.watchdog)


def test_what_was_decided_before_is_not_packed_again() -> None:
    decided = Decided()
    first = decided.write()
    decided.application.force_request_n = list(decided.application.force_request_n)
    assert decided.write() is first
    assert first == decided.anew()


def change(path: str, value: Any) -> Callable[[Decided], None]:
    def changed(decided: Decided) -> None:
        owner: Any = decided
        *names, last = path.split(".")
        for name in names:
            owner = getattr(owner, name)
        if last.isdigit():
            owner[int(last)] = value
        else:
            setattr(owner, last, value)

    return changed


CHANGES = {
    "source": change("application.source", RequestSource.AEB),
    "emergency": change("application.emergency", True),
    "validity": change("application.request_valid", False),
    "parking": change("application.park_brake.mode", 4),
    "power mode": change("application.power_mode", 5),
    "loss": change("application.actuators.without", (False, True, False, False)),
    **{f"force {i}": change(f"application.force_request_n.{i}", 5000.0 + i) for i in range(4)},
    "slip control": change("application.slip.active", [False] * 4),
    **{f"slip control {i}": change(f"application.slip.active.{i}", i > 0) for i in range(4)},
    "limit": change("monitor.limit_n", (500.0,) * 4),
    "watchdog": change("watchdog", (1, 3, 0, 2)),
}


@pytest.mark.parametrize("what", CHANGES)
def test_whatever_changes_is_packed_anew(what: str) -> None:
    decided = Decided()
    before = decided.write()
    CHANGES[what](decided)
    assert decided.write() == decided.anew() != before


def test_a_monitor_that_cuts_makes_the_requests_invalid() -> None:
    decided = Decided()
    decided.monitor.limit_n = (500.0,) * 4
    limited = decided.write()
    decided.monitor.state = MonitorState.CUT
    assert decided.write() == decided.anew() != limited


def test_what_cannot_be_packed_is_told_every_time() -> None:
    decided = Decided()
    decided.write()
    decided.application.force_request_n[2] = 1e6
    for _ in range(2):
        with pytest.raises((InputError, UsageError), match="RL_FReq"):
            decided.write()
