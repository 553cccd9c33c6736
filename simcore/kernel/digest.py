"""The digest of a run: BLAKE2b over every frame and every event, in order.

Two runs with the same digest put the same frames on the same buses at the same nanoseconds and saw
the same events. The digest is chained over blocks (`h := BLAKE2b(h + block)`) because a hash object
cannot be pickled, and a run must be copyable at any instant. Block borders depend on the number of
items only, so a copy that continues ends with the same digest as the original that continues.
"""

from __future__ import annotations

from hashlib import blake2b

BLOCK_ITEMS = 512


class TraceDigest:
    """Collects byte strings; `hexdigest()` may be asked at any time and changes nothing."""

    __slots__ = ("_chain", "_items")

    def __init__(self) -> None:
        self._chain = bytes(32)
        self._items: list[bytes] = []

    def add(self, item: bytes) -> None:
        """Append one item. Items are self-delimiting: the caller's formats are prefix-free."""
        items = self._items
        items.append(item)
        if len(items) == BLOCK_ITEMS:
            self._chain = chained(self._chain, b"".join(items))
            items.clear()

    def hexdigest(self) -> str:
        """64 hexadecimal digits over everything added so far."""
        return chained(self._chain, b"".join(self._items)).hex()


def chained(chain: bytes, block: bytes) -> bytes:
    """The next link: 32 bytes over the chain so far and one more block."""
    return blake2b(chain + block, digest_size=32, person=b"simcore trace 1").digest()
