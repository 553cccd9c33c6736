"""Named random streams from one seed.

Every consumer draws from a stream of its own name, so adding one shifts no other. Streams offer
only draws whose results are the same on every machine: integers and uniform floats of the Mersenne
Twister; no `gauss`, which goes through the platform's logarithm and cosine.
"""

from __future__ import annotations

import random
from hashlib import blake2b

from simcore.errors import UsageError


class RandomStream:
    """One named stream. Copies and pickles with its position."""

    __slots__ = ("_random", "name")

    def __init__(self, seed: int, name: str) -> None:
        self.name = name
        key = blake2b(f"{seed}\x00{name}".encode(), digest_size=16).digest()
        self._random = random.Random(int.from_bytes(key, "big"))

    def uniform(self, low_ratio: float = 0.0, high_ratio: float = 1.0) -> float:
        """A float in [low, high)."""
        return low_ratio + (high_ratio - low_ratio) * self._random.random()

    def integer(self, low: int, high: int) -> int:
        """An int with `low <= value <= high`."""
        return self._random.randint(low, high)

    def chance(self, probability_ratio: float) -> bool:
        """True with the given probability."""
        return self._random.random() < probability_ratio

    def bell(self, sigma_ratio: float = 1.0) -> float:
        """A bell-shaped value with mean 0 and the given standard deviation.

        Sum of twelve uniform draws: bounded at six sigma, close to normal within three, and made
        of additions only.
        """
        draw = self._random.random
        total_ratio = 0.0
        for _ in range(12):
            total_ratio += draw()
        return (total_ratio - 6.0) * sigma_ratio

    def octets(self, length: int) -> bytes:
        """`length` random bytes."""
        return self._random.randbytes(length)


class RandomStreams:
    """All streams of a run, made on first use."""

    __slots__ = ("_streams", "seed")

    def __init__(self, seed: int) -> None:
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise UsageError("seed", expected="an integer", got=repr(seed))
        self.seed = seed
        self._streams: dict[str, RandomStream] = {}

    def stream(self, name: str) -> RandomStream:
        """The stream `name`; the same object for the same name."""
        found = self._streams.get(name)
        if found is None:
            found = self._streams[name] = RandomStream(self.seed, name)
        return found
