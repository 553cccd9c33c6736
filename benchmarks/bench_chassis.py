"""The whole reference chassis against real time, and where its time goes.

All nodes, E2E, plant at 1 kHz, recording and digest on, one core, plain CPython. Two driving
situations: cruising at 100 km/h, and braking with pedal and force control working. Two networks:
everything on one bus, and the shipped one, where the redundant messages go out on a second bus as
well. The figure is simulated seconds per second of CPU time, median and best of several stretches
(the best is the one least disturbed by other load on the machine).
"""

from __future__ import annotations

import cProfile
import pstats
import statistics
import time
from collections.abc import Callable
from functools import partial

from simcore.cli.collector import relax_collector
from simcore.network import Database
from simcore.resources import dbc_path
from simcore.rig import Rig
from simcore.units import ms, s

STRETCHES = 9
ROOMS = (
    "kernel",
    "bus",
    "network",
    "protection",
    "plant",
    "ecu/runtime",
    "ecu/cdc",
    "ecu/emb",
    "ecu",
    "rig",
)


def _one_bus() -> Database:
    """The shipped interface with no message marked as redundant."""
    text = dbc_path("chassis_fd.dbc").read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if not line.startswith('BA_ "RedundantBus"')]
    return Database.from_text("\n".join(kept), name="one_bus.dbc")


def _cruising(database: Database | None = None) -> Rig:
    rig = Rig(database=database)
    rig.vehicle.set_speed(kmh=100)
    rig.driver.hold_speed(100)
    rig.run_for(ms(500))
    return rig


def _braking(database: Database | None = None) -> Rig:
    rig = Rig(database=database)
    rig.vehicle.set_speed(kmh=150)
    rig.run_for(ms(500))
    rig.press_pedal(15)
    rig.run_for(ms(300))
    return rig


def _speeds(build: Callable[[], Rig]) -> list[float]:
    """Simulated per CPU second of each stretch of one second, on forks of one warm rig."""
    warm = build()
    speeds = []
    for _ in range(STRETCHES):
        rig = warm.fork()
        started = time.process_time()
        rig.run_for(s(1))
        speeds.append(1.0 / (time.process_time() - started))
    return speeds


def run() -> dict[str, float]:
    """Simulated seconds per CPU second."""
    figures = {}
    one_bus = _one_bus()
    for name, build in (
        ("one bus, cruise", partial(_cruising, one_bus)),
        ("one bus, braking", partial(_braking, one_bus)),
        ("two buses, cruise", _cruising),
        ("two buses, braking", _braking),
    ):
        speeds = _speeds(build)
        figures[f"{name}, median [x real time]"] = statistics.median(speeds)
        figures[f"{name}, best [x real time]"] = max(speeds)
    return figures


def shares() -> dict[str, float]:
    """Share of the run's own time per room, braking, by profile."""
    rig = _braking()
    profile = cProfile.Profile()
    profile.enable()
    rig.run_for(s(2))
    profile.disable()
    spent: dict[str, float] = {}
    entries = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    for (file, _, _), (_, _, own_s, _, _) in entries.items():
        place = file.replace("\\", "/").rpartition("simcore/")[2]
        room = next((room for room in ROOMS if place.startswith(room + "/")), "built in and other")
        spent[room] = spent.get(room, 0.0) + own_s
    total = sum(spent.values())
    return {room: spent[room] / total for room in sorted(spent, key=spent.__getitem__)[::-1]}


def main() -> None:
    relax_collector()  # as `simcore run` does
    print("Reference chassis: all nodes, E2E, plant at 1 kHz, recording on")
    for name, value in run().items():
        print(f"  {name:<42} {value:6.1f}")
    print("  where the time goes while braking (profile, own time per room):")
    for room, share in shares().items():
        print(f"    {room:<20} {share:6.1%}")


if __name__ == "__main__":
    main()
