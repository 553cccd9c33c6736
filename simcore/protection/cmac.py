"""AES-CMAC and the key slots it is computed with. RFC 4493, NIST SP 800-38B.

`cryptography` computes; a prepared object per key is copied for every message, which takes a third
of the time of making a new one. Prepared objects of that library can be neither pickled nor
deep-copied: what travels is the key. No hardware security module is modelled: whoever holds the
store holds the keys, so test keys belong in it and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from hmac import compare_digest
from typing import Any, Self

from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from simcore.errors import UsageError

KEY_LENGTHS = (16, 24, 32)
MAC_LENGTH = 16
"""Bytes of a whole MAC."""
MEMORY_PREFIX = "secoc.key."
"""Key slot n of an ECU is the entry `secoc.key.<n>` of its non-volatile memory."""


class Cmac:
    """AES-CMAC with one key. Immutable; shared by copies, pickled as its key."""

    __slots__ = ("_key", "_prepared")

    def __init__(self, key: bytes) -> None:
        if not isinstance(key, bytes) or len(key) not in KEY_LENGTHS:
            got = f"{len(key)} bytes" if isinstance(key, bytes) else type(key).__name__
            raise UsageError("AES-CMAC key", expected="16, 24 or 32 bytes", got=got)
        self._key = key
        self._prepared = CMAC(AES(key))

    def mac(self, data: bytes) -> bytes:
        """The whole MAC of `data`, 16 bytes."""
        running = self._prepared.copy()
        running.update(data)
        return running.finalize()

    def truncated(self, data: bytes, length_bits: int) -> int:
        """The `length_bits` most significant bits of the MAC of `data`, as a number."""
        return int.from_bytes(self.mac(data), "big") >> (8 * MAC_LENGTH - length_bits)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Cmac, (self._key,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cmac) and compare_digest(self._key, other._key)

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"<Cmac of a {8 * len(self._key)}-bit key>"


class KeyStore:
    """Key slots by number. An empty slot is no error here: the protection counts it."""

    __slots__ = ("_slots",)

    def __init__(self, keys: Mapping[int, bytes] | None = None) -> None:
        self._slots: dict[int, Cmac] = {}
        for slot, key in (keys or {}).items():
            self.put(slot, key)

    @classmethod
    def of_memory(cls, memory: Mapping[str, bytes]) -> KeyStore:
        """The key slots in an ECU's non-volatile memory, entries `secoc.key.<n>`.

        An entry that is no AES key leaves its slot empty, as a spoilt slot is in a real module.
        """
        store = cls()
        for name, key in memory.items():
            number = name.removeprefix(MEMORY_PREFIX)
            if number != name and number.isdecimal() and len(key) in KEY_LENGTHS:
                store.put(int(number), key)
        return store

    def put(self, slot: int, key: bytes) -> None:
        """Fill a slot. Raises `UsageError` for what is no AES key."""
        self._slots[slot] = Cmac(key)

    def erase(self, slot: int) -> None:
        """Empty a slot; one that is empty stays so."""
        self._slots.pop(slot, None)

    def cmac(self, slot: int) -> Cmac | None:
        """The CMAC of a slot's key; `None` for an empty slot."""
        return self._slots.get(slot)

    @property
    def slots(self) -> list[int]:
        """Numbers of the slots that hold a key, in ascending order."""
        return sorted(self._slots)

    def __repr__(self) -> str:
        return f"<KeyStore with slots {', '.join(map(str, self.slots)) or 'none'}>"


def memory_of(keys: Mapping[int, bytes]) -> dict[str, bytes]:
    """Key slots as entries of an ECU's non-volatile memory."""
    return {f"{MEMORY_PREFIX}{slot}": key for slot, key in keys.items()}
