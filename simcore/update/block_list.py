"""Campaigns that failed on this ECU and are not tried again.

Part of the persisted record, so its size is fixed: the oldest entry gives way to the newest.
"""

from __future__ import annotations

from dataclasses import dataclass

from simcore.errors import UsageError

ENTRY_SIZE = 8
ENTRIES_MAX = 4


@dataclass(frozen=True, slots=True)
class BlockList:
    """Digests of blocked campaigns, the newest last."""

    entries: tuple[bytes, ...] = ()

    def __contains__(self, campaign: bytes) -> bool:
        return campaign[:ENTRY_SIZE] in self.entries

    def blocking(self, campaign: bytes) -> BlockList:
        """This list with `campaign`."""
        entry = campaign[:ENTRY_SIZE]
        if len(entry) != ENTRY_SIZE or entry == bytes(ENTRY_SIZE):
            raise UsageError("block list", expected="the digest of a campaign", got=campaign.hex())
        kept = tuple(each for each in self.entries if each != entry)
        return BlockList((*kept, entry)[-ENTRIES_MAX:])

    def without(self, campaign: bytes) -> BlockList:
        """This list without `campaign`: what the workshop does after repair."""
        return BlockList(tuple(e for e in self.entries if e != campaign[:ENTRY_SIZE]))

    def encode(self) -> bytes:
        """As stored: free places are zero."""
        return b"".join(self.entries).ljust(ENTRIES_MAX * ENTRY_SIZE, b"\0")

    @staticmethod
    def decode(stored: bytes) -> BlockList:
        """The list of `encode`."""
        places = [stored[i : i + ENTRY_SIZE] for i in range(0, len(stored), ENTRY_SIZE)]
        return BlockList(tuple(place for place in places if any(place)))
