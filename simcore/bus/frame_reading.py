"""`FrameReading`: what the bits of a frame say, from SOF to the CRC. ISO 11898-1:2015, clause 10.4.

Which format it is, where data and CRC begin and end, whether the CRC fits, which frame it was. How
a node moves from bit to bit, and what it answers, is the business of `mac.py`.
"""

from __future__ import annotations

from enum import IntEnum, unique

from simcore.bus.bits import CRC15, CRC17, CRC21, STUFF_COUNT_CODE, crc_bits
from simcore.bus.error_record import ErrorKind
from simcore.bus.frame import DLC_TO_LENGTH, Frame


@unique
class MacState(IntEnum):
    """Where in the protocol a node is."""

    IDLE = 0
    START = 1
    """SOF is being sent."""
    FRAME = 2
    """SOF to the last bit under dynamic stuffing."""
    TAIL = 3
    """FD: stuff count and CRC with fixed stuff bits."""
    CRC_DELIMITER = 4
    ACK_SLOT = 5
    ACK_DELIMITER = 6
    EOF = 7
    INTERMISSION = 8
    SUSPEND = 9
    ACTIVE_FLAG = 10
    PASSIVE_FLAG = 11
    FLAG_END = 12
    """The own flag is over, the first recessive bit is awaited."""
    DELIMITER = 13
    RECOVERING = 14
    """Integrating, or counting the 128 x 11 recessive bits of bus-off."""


class FrameReading:
    """The bits of one frame as they come in, and what is known of it so far."""

    __slots__ = (
        "bit",
        "count",
        "crc_ok",
        "data_start",
        "dlc",
        "extended",
        "fast",
        "fd",
        "fixed_count",
        "iso",
        "last",
        "next_at",
        "raw",
        "run",
        "state",
        "stuffed_count",
        "tail",
        "wire_bits",
    )

    def __init__(self, state: MacState, *, iso: bool) -> None:
        self.state = state
        self.iso = iso
        self.fast = False
        """Whether the bits from here on have the data bit rate."""
        self._clear()

    def _clear(self) -> None:
        self.bit = -1
        """Index on the wire of the bit just read, stuff bits counted."""
        self.count = 0
        self.raw: list[int] = []
        """Bits under dynamic stuffing, without stuff bits."""
        self.wire_bits: list[int] = []
        """The same with stuff bits."""
        self.run = 1
        self.last = 1
        self.next_at = 14
        """Length of `raw` at which something is decided next."""
        self.stuffed_count = 0
        self.extended = 0
        self.fd = False
        self.dlc = 0
        self.data_start = 0
        self.tail: list[int] = []
        """FD: stuff count and CRC, without fixed stuff bits."""
        self.fixed_count = 0
        self.crc_ok = True

    def _fail(self, kind: ErrorKind, level: int, *, counted: bool = True) -> None:
        """An error is detected in this bit. For the node to answer."""
        raise NotImplementedError

    def _takes_fd(self) -> bool:
        """Whether the node reads on after a recessive FDF bit."""
        raise NotImplementedError

    def field_over(self, level: int) -> None:
        """A place is reached at which the header, the data or the CRC decides what follows."""
        raw = self.raw
        length = len(raw)
        fdf_at = 34 if self.extended else 15
        if length == 14:
            self.extended = level
            self.next_at = 34 if level else 15
        elif length == fdf_at and not self.data_start:
            self.fd = level == 1
            if not self.fd:
                self.data_start = 39 if self.extended else 19
                self.next_at = self.data_start
            elif self._takes_fd():
                self.next_at = length + 1
        elif not self.data_start:
            if length == fdf_at + 1:
                if level == 1:
                    self._fail(ErrorKind.FORM, level)
                    return
                self.next_at = length + 1
            else:
                self.fast = level == 1
                self.data_start = length + 5
                self.next_at = self.data_start
        elif length == self.data_start and not self.dlc_read:
            self._dlc_over()
        else:
            self._stuffed_part_over()

    @property
    def dlc_read(self) -> bool:
        """Whether the DLC at `data_start` has been looked at."""
        return self.count == 1

    def _dlc_over(self) -> None:
        self.count = 1
        raw = self.raw
        code = raw[-4] << 3 | raw[-3] << 2 | raw[-2] << 1 | raw[-1]
        self.dlc = code
        if self.fd:
            length = DLC_TO_LENGTH[code]
        else:
            length = 0 if self._is_remote else min(code, 8)
        self.next_at = self.data_start + 8 * length + (0 if self.fd else CRC15.width)
        if len(raw) == self.next_at:  # FD without data
            self._stuffed_part_over()

    @property
    def _is_remote(self) -> bool:
        return not self.fd and self.raw[32 if self.extended else 12] == 1

    def _stuffed_part_over(self) -> None:
        """FD: the last data bit is read. Classic: the last CRC bit."""
        self.count = 0
        if self.fd:
            self.state = MacState.TAIL
            return
        content = "".join(map(str, self.raw[: -CRC15.width]))
        crc = "".join(map(str, self.raw[-CRC15.width :]))
        self.crc_ok = crc_bits(content, CRC15, initial=0) == crc
        if self.run != 5:
            self.state = MacState.CRC_DELIMITER

    def tail_grown(self) -> None:
        """FD: after the last bit of the CRC it is compared, and its delimiter follows."""
        crc = CRC17 if DLC_TO_LENGTH[self.dlc] <= 16 else CRC21
        if len(self.tail) < crc.width + (4 if self.iso else 0):
            return
        self.state = MacState.CRC_DELIMITER
        tail = "".join(map(str, self.tail))
        content = "".join(map(str, self.wire_bits))
        if self.iso:
            count = f"{STUFF_COUNT_CODE[self.stuffed_count % 8]:04b}"
            wanted = count + crc_bits(content + count, crc, initial=crc.iso_initial)
        else:
            wanted = crc_bits(content, crc, initial=0)
        self.crc_ok = tail == wanted

    def decoded(self) -> Frame:
        """The frame as this node read it."""
        raw = self.raw
        digits = "".join(map(str, raw))
        identifier = int(digits[1:12], 2)
        if self.extended:
            identifier = identifier << 18 | int(digits[14:32], 2)
        end = len(raw) if self.fd else len(raw) - CRC15.width
        payload = digits[self.data_start : end]
        data = int(payload, 2).to_bytes(len(payload) // 8, "big") if payload else b""
        return Frame(
            identifier,
            data,
            is_extended_id=bool(self.extended),
            is_fd=self.fd,
            bitrate_switch=self.fd and raw[self.data_start - 6] == 1,
            error_state_indicator=self.fd and raw[self.data_start - 5] == 1,
            is_remote_frame=self._is_remote,
            dlc=self.dlc,
        )

    @property
    def field_in_frame(self) -> str:
        """Name of the field, up to the last bit under dynamic stuffing."""
        place = len(self.raw)  # index of the bit just read, or of the stuff bit before it
        if self.state is MacState.START or place == 0:
            return "sof"
        if place <= 11:
            return "identifier"
        if place == 12:
            return "rtr"
        if place == 13:
            return "ide"
        if self.extended and place < 32:
            return "identifier_extension"
        if self.extended and place == 32:
            return "rtr"
        if not self.data_start or place < self.data_start - 4:
            return "control"
        if place < self.data_start or not self.dlc_read:
            return "dlc"
        if not self.fd and place >= self.next_at - CRC15.width:
            return "crc"
        return "data"
