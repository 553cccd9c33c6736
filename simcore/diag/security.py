"""SecurityAccess (service 0x27): levels, seeds, keys, attempt counters and delays.

Counters and running delays are kept in non-volatile memory: a reset or a power cut gives no new
attempts, and a delay that was running starts anew (ISO 14229-1:2020, 10.4 and annex I). When a
delay has passed, the counter starts from zero.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from simcore.diag.codes import Nrc
from simcore.diag.rows import SecurityLevel
from simcore.errors import UsageError
from simcore.kernel import RandomStream

MEMORY_KEY = "diag.security"


@dataclass(frozen=True, slots=True)
class Blake2Key:
    """The reference key function: BLAKE2b keyed with a secret over the seed, cut to `size`."""

    secret: bytes
    size: int = 8

    def __post_init__(self) -> None:
        if not 16 <= len(self.secret) <= 64:
            raise UsageError("secret", expected="16..64 bytes", got=f"{len(self.secret)} bytes")

    def __call__(self, seed: bytes) -> bytes:
        return blake2b(seed, key=self.secret, digest_size=self.size).digest()

    def __copy__(self) -> Blake2Key:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Blake2Key:
        return self


class SecurityState:
    """What SecurityAccess of one server remembers."""

    __slots__ = ("_failures", "_levels", "_memory", "_seed", "_seed_level", "_until_ns", "unlocked")

    def __init__(
        self, levels: tuple[SecurityLevel, ...], memory: MutableMapping[str, bytes]
    ) -> None:
        self._levels = {row.level: row for row in levels}
        self._memory = memory
        self.unlocked = 0
        """The unlocked level; 0: none."""
        self._seed_level = 0
        self._seed = b""
        self._failures = dict.fromkeys(self._levels, 0)
        self._until_ns: dict[int, int] = {}  # level: end of its delay

    def start(self, now_ns: int) -> None:
        """Power on: locked; a delay that was running begins anew."""
        self.lock()
        self._until_ns.clear()
        self._failures = dict.fromkeys(self._levels, 0)
        stored = self._memory.get(MEMORY_KEY, b"")
        for at in range(0, len(stored) - 2, 3):
            level, failures, is_delayed = stored[at : at + 3]
            if level in self._levels:
                self._failures[level] = failures
                if is_delayed:
                    self._until_ns[level] = now_ns + self._levels[level].delay_ns

    def lock(self) -> None:
        """No level unlocked, no seed outstanding."""
        self.unlocked = 0
        self._forget_seed()

    def request_seed(self, row: SecurityLevel, stream: RandomStream, now_ns: int) -> bytes | Nrc:
        """A seed; zeros where the level is unlocked already."""
        self._seed_level = 0
        if self.unlocked == row.level:
            return bytes(row.seed_size)
        if row.level in self._until_ns:
            return Nrc.REQUIRED_TIME_DELAY_NOT_EXPIRED
        seed = bytes(row.seed_size)
        while not any(seed):  # zeros mean "unlocked"
            seed = stream.octets(row.seed_size)
        self._seed_level, self._seed = row.level, seed
        return seed

    def has_seed(self, level: int) -> bool:
        """Whether a seed of this level waits for its key."""
        return self._seed_level == level

    def send_key(self, row: SecurityLevel, key: bytes, now_ns: int) -> Nrc | None:
        """Unlock with the right key; count a wrong one. The seed is used up either way."""
        expected = row.key(self._seed)
        self._forget_seed()
        if key == expected:
            self.unlocked = row.level
            self._failures[row.level] = 0
            self._store()
            return None
        self._failures[row.level] += 1
        exceeded = self._failures[row.level] >= row.attempts
        if exceeded:
            self._until_ns[row.level] = now_ns + row.delay_ns
        self._store()
        return Nrc.EXCEEDED_NUMBER_OF_ATTEMPTS if exceeded else Nrc.INVALID_KEY

    def on_timer(self, now_ns: int) -> None:
        """End the delays whose time has come."""
        over = [level for level, until_ns in self._until_ns.items() if until_ns <= now_ns]
        for level in over:
            del self._until_ns[level]
            self._failures[level] = 0
        if over:
            self._store()

    def next_deadline_ns(self) -> int | None:
        """When the next delay ends."""
        return min(self._until_ns.values(), default=None)

    def _forget_seed(self) -> None:
        self._seed_level = 0
        self._seed = b""

    def _store(self) -> None:
        record = bytearray()
        for level, failures in sorted(self._failures.items()):
            if failures:
                record += bytes((level, failures, level in self._until_ns))
        self._memory[MEMORY_KEY] = bytes(record)
