"""E2E protection against what a user would pick instead, profile by profile, in one run.

The floor is the bare call of the library behind it (`autosar-e2e`), without a counter kept, without
a status and without a look at the length; the choice is profile 5 by hand on `crccheck`, the CRC
library that cantools brings along. All sides run interleaved; each figure is the median over rounds
of processor time. Run with `python benchmarks/bench_protection.py`.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from time import process_time
from timeit import Timer
from typing import Any

from crccheck.crc import Crc16CcittFalse  # type: ignore[import-untyped]
from e2e import p05

from simcore.network import E2eConfig
from simcore.network.e2e_layout import PROFILES
from simcore.protection import E2eStatus, Profile05Receiver, e2e_receiver, e2e_sender

ROUNDS = 21
CALLS = 500
LENGTH = 32
DATA_ID = 0x123


class ByHand:
    """Profile 5 as one writes it down with a CRC library: the pure-Python choice."""

    def __init__(self) -> None:
        self.counter = 0
        self.stored = 255

    def protect(self, data: bytes) -> bytes:
        body = bytes([self.counter]) + data[3:]
        crc = Crc16CcittFalse.calc(body + DATA_ID.to_bytes(2, "little"))
        self.counter = (self.counter + 1) & 0xFF
        return int(crc).to_bytes(2, "little") + body

    def check(self, data: bytes) -> bool:
        crc = Crc16CcittFalse.calc(data[2:] + DATA_ID.to_bytes(2, "little"))
        delta = (data[2] - self.stored) & 0xFF
        self.stored = data[2]
        return int(crc) == int.from_bytes(data[:2], "little") and 0 < delta <= 3


def run(rounds: int = ROUNDS, calls: int = CALLS) -> dict[str, Any]:
    """Times in ns per call: of every profile, and of profile 5 beside floor and choice."""
    data, by_hand = bytes(range(LENGTH)), ByHand()
    sender, receiver = e2e_sender(_config("P05"), LENGTH), e2e_receiver(_config("P05"), LENGTH)
    frame = sender.protect(data)
    if frame != by_hand.protect(data) or receiver.check(frame) is not E2eStatus.OK:
        raise AssertionError("results differ")
    assert isinstance(receiver, Profile05Receiver)
    buffer = bytearray(frame)
    times = _interleaved(
        {
            "protect": (sender.protect, (data,)),
            "protect floor": (_bare_protect, (buffer,)),
            "protect choice": (by_hand.protect, (data,)),
            "check": (receiver.check, (frame,)),
            "check floor": (p05.e2e_p05_check, (frame, DATA_ID)),
            "check choice": (by_hand.check, (frame,)),
        },
        rounds,
        calls,
    )
    return {"profile 5": times, "profiles": _profiles(rounds, calls)}


def _bare_protect(buffer: bytearray) -> None:
    p05.e2e_p05_protect(buffer, DATA_ID, increment_counter=False)


def _config(profile: str) -> E2eConfig:
    ids = tuple(range(16)) if PROFILES[profile].has_list else ()
    return E2eConfig(profile=profile, data_id=0 if ids else DATA_ID, data_id_list=ids)


def _profiles(rounds: int, calls: int) -> dict[str, dict[str, float]]:
    actions: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {}
    for name in PROFILES:
        config = _config(name)
        sender, receiver = e2e_sender(config, LENGTH), e2e_receiver(config, LENGTH)
        data = bytes(LENGTH)
        actions[f"{name} protect"] = (sender.protect, (data,))
        actions[f"{name} check"] = (receiver.check, (sender.protect(data),))
    times = _interleaved(actions, rounds, calls)
    return {
        name: {"protect": times[f"{name} protect"], "check": times[f"{name} check"]}
        for name in PROFILES
    }


def _interleaved(
    actions: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]], rounds: int, calls: int
) -> dict[str, float]:
    samples: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, (function, arguments) in actions.items():
            timer = Timer(
                "function(*arguments)",
                timer=process_time,
                globals={"function": function, "arguments": arguments},
            )
            samples[name].append(timer.timeit(calls) / calls * 1e9)
    return {name: statistics.median(sample) for name, sample in samples.items()}


def main() -> None:
    """Print the comparison."""
    result = run()
    times = result["profile 5"]
    print(f"E2E profile 5, {LENGTH} bytes, ns per frame")
    for what in ("protect", "check"):
        ours, floor, choice = (times[f"{what}{side}"] for side in ("", " floor", " choice"))
        print(
            f"{what:<8} ours {ours:6.0f}, bare autosar-e2e {floor:6.0f}, by hand on crccheck "
            f"{choice:7.0f}: {choice / ours:.0f} x faster, {ours / floor:.1f} x the floor"
        )
    for name, pair in result["profiles"].items():
        print(f"{name}: protect {pair['protect']:6.0f} ns, check {pair['check']:6.0f} ns")


if __name__ == "__main__":
    main()
