"""A data transfer in progress: what services 0x34 to 0x37 share (ISO 14229-1:2020, 14)."""

from __future__ import annotations

from simcore.diag.rows import TransferTarget


class Transfer:
    """One download or upload between its request and its exit."""

    __slots__ = ("answered", "block_size", "counter", "is_download", "moved", "size", "target")

    def __init__(
        self, target: TransferTarget, size: int, block_size: int, *, is_download: bool
    ) -> None:
        self.target = target
        self.size = size
        self.block_size = block_size
        """maxNumberOfBlockLength: service identifier and counter included."""
        self.is_download = is_download
        self.moved = 0
        """Bytes that went over so far."""
        self.counter = 0
        """blockSequenceCounter of the last block; 0xFF is followed by 0x00."""
        self.answered: bytes | None = None
        """What the last block was answered with; `None` before the first."""

    @property
    def is_complete(self) -> bool:
        """Whether all bytes went over."""
        return self.moved >= self.size

    @property
    def next_counter(self) -> int:
        """The counter of the block that is due."""
        return (self.counter + 1) & 0xFF
