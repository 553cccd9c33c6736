"""A frame from send to all receivers, against python-can's `virtual` interface.

Five participants, one 24-byte FD frame. simcore computes its exact duration with real stuff bits,
arbitrates and time-stamps it; `virtual` hands it over through queues and does none of that. Rounds
are interleaved; the figure is the median of the rounds. CPU time, so that a busy machine disturbs
little.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack

import can

from simcore.bus import BitTiming, Bus, Frame
from simcore.kernel import Scheduler

PARTICIPANTS = 5
FRAMES = 2_000
ROUNDS = 15


class _Sink:
    """Counts what arrives, as the cheapest receiver would."""

    def __init__(self) -> None:
        self.count = 0

    def receive(self, frame: Frame) -> None:
        self.count += 1


def _simcore() -> Callable[[], float]:
    scheduler = Scheduler()
    bus = Bus("A", BitTiming(nominal_bps=500_000, data_bps=2_000_000), scheduler)
    sinks = [_Sink() for _ in range(PARTICIPANTS)]
    controllers = [bus.attach(f"N{i}", sink.receive) for i, sink in enumerate(sinks)]
    template = Frame(0x60, bytes(24), is_fd=True, bitrate_switch=True)
    payloads = [bytes([i & 0xFF, i >> 8] + [0x5A] * 22) for i in range(FRAMES)]

    def one_round() -> float:
        bus.log.clear()
        before = sinks[1].count
        started = time.process_time()
        for payload in payloads:
            controllers[0].send(template.with_data(payload))
            scheduler.run_until_ns(scheduler.now_ns + 400_000)
        spent_s = time.process_time() - started
        assert sinks[1].count - before == FRAMES
        return spent_s / FRAMES

    return one_round


def _virtual(buses: list[can.BusABC]) -> Callable[[], float]:
    payloads = [bytes([i & 0xFF, i >> 8] + [0x5A] * 22) for i in range(FRAMES)]

    def one_round() -> float:
        sender, *others = buses
        started = time.process_time()
        for payload in payloads:
            sender.send(
                can.Message(
                    arbitration_id=0x60,
                    data=payload,
                    is_extended_id=False,
                    is_fd=True,
                    bitrate_switch=True,
                )
            )
            for other in others:
                assert other.recv(0) is not None
        return (time.process_time() - started) / FRAMES

    return one_round


def run() -> dict[str, float]:
    """Microseconds per frame and ratios (python-can / simcore: above 1, simcore is cheaper)."""
    with ExitStack() as stack:
        pairs = {
            count: [
                stack.enter_context(
                    can.Bus(
                        interface="virtual",
                        channel=f"simcore-bench-{count}",
                        protocol=can.CanProtocol.CAN_FD,
                    )
                )
                for _ in range(count + 1)
            ]
            for count in (1, PARTICIPANTS - 1)
        }
        candidates = {
            "simcore, 4 receivers": _simcore(),
            "python-can virtual, 1 receiver": _virtual(pairs[1]),
            "python-can virtual, 4 receivers": _virtual(pairs[PARTICIPANTS - 1]),
        }
        times: dict[str, list[float]] = {name: [] for name in candidates}
        for _ in range(ROUNDS):
            for name, one_round in candidates.items():
                times[name].append(one_round())
    medians = {name: statistics.median(values) * 1e6 for name, values in times.items()}
    ours = medians["simcore, 4 receivers"]
    return {
        **{f"{name} [us]": value for name, value in medians.items()},
        "ratio to virtual with 1 receiver": medians["python-can virtual, 1 receiver"] / ours,
        "ratio to virtual with 4 receivers": medians["python-can virtual, 4 receivers"] / ours,
    }


def main() -> None:
    print("One 24-byte FD frame from send to every receiver, five participants")
    for name, value in run().items():
        print(f"  {name:<45} {value:8.2f}")


if __name__ == "__main__":
    main()
