"""The download of a 2 MiB image against the bus, and against real time.

UDS on ISO-TP at 500 kbit/s and 2 Mbit/s, 64 byte frames, blocks of 4095 bytes, flash programming
(2 us per byte) and erasing after each block. Two places: a bare bus with one ECU (only software
that can be updated, no application) and the tester, and one actuator of the whole chassis beside
all its traffic. The rate is what such a link gives (90 to 175 kB/s on a bus of its own); the speed
is simulated seconds of the transfer per second of CPU time, best of several runs. For the chassis
that of the same chassis without a transfer stands beside it: measured in the same run.
"""

from __future__ import annotations

import sys
import time

from simcore.cli.collector import relax_collector
from simcore.ecu.runtime import Ecu
from simcore.ecu.runtime.diagnostics_rows import StandardRows
from simcore.network import Database
from simcore.rig import WORKSHOP, Backend, Bench, Campaign, Restbus, Rig
from simcore.rig.software import factory_flash, software_settings
from simcore.rig.update_run import TransferFigures, transfer_figures
from simcore.units import NS_PER_S, ms, s
from simcore.update.guards import Conditions, fit_conditions
from simcore.update.states import UpdateState

NODE = "EMB_FL"
SIZE = 2 * 1024 * 1024
ROUNDS = 3


class BareEcu(Ecu):
    """Software that can be updated, and nothing else."""

    def configure(self, now_ns: int) -> None:
        self.diagnoses(self._table)
        self.updates(self)

    def conditions(self, now_ns: int) -> Conditions:
        """Parked, for ever."""
        return fit_conditions(supply_v=48.0)

    def _table(self):  # type: ignore[no-untyped-def]
        rows = StandardRows(self, part_number=b"BARE", software_version=b"1", is_still=self._still)
        return rows.table()

    def _still(self, now_ns: int) -> bool:
        return True


def bare() -> Restbus:
    """The tester and one ECU."""
    database = Database.reference()
    bench = Restbus(database, play=("TST",))
    ecu = BareEcu(NODE, database)
    ecu.software_settings = software_settings(NODE)
    bench.replace(NODE, ecu)
    bench.host(NODE).fit_flash(factory_flash(NODE))
    bench.run_for(ms(10))
    return bench


def chassis() -> Rig:
    """The parked car."""
    rig = Rig()
    rig.set_park_brake(True)
    rig.set_power_mode("Park")
    rig.run_for(s(3))
    return rig


def transfer(bench: Bench, size: int) -> tuple[TransferFigures, float]:
    """Download and check an image; its figures, and simulated per CPU second."""
    backend = Backend()
    backend.campaign("1.1.0", now_ns=bench.now_ns, nodes=(NODE,), size=size, is_bundle=False)
    campaign = Campaign(bench, backend, pace=WORKSHOP)
    begun_ns, begun_s = bench.now_ns, time.process_time()
    campaign.load(through=UpdateState.READY)
    if not campaign.wait(timeout=s(300)):
        raise SystemExit(f"not loaded: {campaign.failures}")
    spent_s = time.process_time() - begun_s
    found = transfer_figures(bench, campaign, NODE)
    assert found is not None, "it was loaded"
    return found, (bench.now_ns - begun_ns) / NS_PER_S / spent_s


def idle_speed(rig: Bench) -> float:
    """Simulated per CPU second with nobody asking."""
    begun_s = time.process_time()
    rig.run_for(s(2))
    return 2.0 / (time.process_time() - begun_s)


def show(name: str, found: TransferFigures, speed_ratio: float) -> None:
    """The figures of one place."""
    print(f"  {name}: {found.size} bytes in {found.duration_ns / NS_PER_S:.2f} s simulated")
    for text, per_s in (
        ("limit of the link [kB/s]", found.limit_per_s),
        ("transfer with flash programming and erase [kB/s]", found.rate_per_s),
        ("transfer with flash programming, erase apart [kB/s]", found.unerased_per_s),
    ):
        print(f"    {text:<52} {per_s / 1000:6.1f} {per_s / found.limit_per_s:5.0%}")
    print(f"    {'flash programming, erase [s]':<52} {found.program_ns / NS_PER_S:6.2f} "
          f"{found.erase_ns / NS_PER_S:5.2f}")  # fmt: skip
    print(f"    {'speed [x real time]':<52} {speed_ratio:6.1f}")


def main(size: int = SIZE, rounds: int = ROUNDS) -> None:
    relax_collector()
    print(f"Download of {size} bytes at 500 kbit/s and 2 Mbit/s")
    warm = bare()
    runs = [transfer(warm.fork(), size) for _ in range(rounds)]
    show("bare bus", runs[0][0], max(speed for _, speed in runs))
    parked = chassis()
    idle = max(idle_speed(parked.fork()) for _ in range(rounds))
    found, speed = transfer(parked, size)
    show(f"whole chassis, bus load {parked.buses[0].load_ratio:.0%}", found, speed)
    print(f"    {'the same without a transfer [x real time]':<52} {idle:6.1f}")


if __name__ == "__main__":
    arguments = [int(each) for each in sys.argv[1:]]
    main(*arguments)
