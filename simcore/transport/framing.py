"""`Framing`: from the bytes of an N_PDU to a frame of the right length. ISO 15765-2:2016, 10.4."""

from __future__ import annotations

from typing import Self

from simcore.bus import Frame
from simcore.bus.frame import LENGTH_TO_DLC, FrameHeader, frame_header
from simcore.transport.pci import FILLED_LENGTHS
from simcore.transport.settings import LinkSettings

FILLER = 0xCC
"""Fills FD frames beyond eight bytes where no padding is configured."""


class Framing:
    """Makes the frames of one identifier; never changes."""

    __slots__ = ("_filler", "_headers", "_least", "prefix", "tx_dl")

    def __init__(
        self,
        arbitration_id: int,
        prefix: bytes,
        settings: LinkSettings,
        *,
        is_extended_id: bool,
    ) -> None:
        self.prefix = prefix
        """Addressing information in front of every payload."""
        self.tx_dl = settings.tx_dl
        self._least = 0 if settings.padding is None else 8
        self._filler = bytes((FILLER if settings.padding is None else settings.padding,)) * 64
        self._headers: dict[int, FrameHeader] = {
            length: frame_header(
                arbitration_id,
                is_extended_id,
                settings.is_fd,
                settings.is_fd and settings.bitrate_switch,
                False,
                False,
                dlc,
            )
            for length, dlc in LENGTH_TO_DLC.items()
            if length <= settings.tx_dl
        }

    def frame(self, data: bytes) -> Frame:
        """The frame of an N_PDU, addressing information included."""
        size = len(data)
        length = FILLED_LENGTHS[size if size > self._least else self._least]
        if size != length:
            data += self._filler[size:length]
        return Frame.of(self._headers[length], data)

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self
