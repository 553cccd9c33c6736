"""A small ECU with named tasks that keep a diary, on a bus of its own."""

from __future__ import annotations

from functools import partial

import pytest

from simcore import Database, Restbus, ms
from simcore.ecu.runtime import Ecu


class Diary(Ecu):
    """Tasks `fast` (1 ms), `control` and `slave` (5 ms), `slow` (10 ms), and `VCU_Torque`."""

    def __init__(self, name: str, database: Database) -> None:
        super().__init__(name, database)
        self.lines: list[tuple[int, str]] = []
        """Not volatile: it is the test's, not the ECU's."""

    def configure(self, now_ns: int) -> None:
        self.total = 0
        self.flag = False
        self.speed_mps = 1.5
        self.values = [1.0, 2.0]
        pedal = self.receives("BPS_Pedal")
        assert pedal.message.name == "BPS_Pedal"
        for name, period_ns, execution_ns in (
            ("slow", ms(10), 0),
            ("control", ms(5), ms(1)),
            ("slave", ms(5), 0),
            ("fast", ms(1), 0),
        ):
            self.runs(
                name,
                period_ns=period_ns,
                offset_ns=0,
                action=partial(self._write, name),
                execution_ns=execution_ns,
            )
        self.sends("VCU_Torque", self._pack)

    def _write(self, name: str, now_ns: int) -> None:
        self.lines.append((now_ns, name))
        self.total += 1

    def _pack(self, now_ns: int) -> bytes:
        self._write("send", now_ns)
        return bytes(self.database.message("VCU_Torque").length)

    def times_ms(self, name: str, since_ns: int = 0) -> list[float]:
        """When a task ran."""
        return [t / ms(1) for t, each in self.lines if each == name and t >= since_ns]


class DiaryBench(Restbus):
    """The ECU in the place of VCU; nobody else."""

    def __init__(self) -> None:
        super().__init__(Database.reference(), play=["BPS"])
        self.replace("VCU", Diary("VCU", self.database))

    @property
    def ecu(self) -> Diary:
        node = self.node("VCU")
        assert isinstance(node, Diary)
        return node

    def reset_at(self, time_ns: int) -> None:
        """Reset the ECU at a virtual time, as its watchdog would."""
        self.at(time_ns, partial(self.reset, "VCU"))


@pytest.fixture
def diary() -> DiaryBench:
    return DiaryBench()
