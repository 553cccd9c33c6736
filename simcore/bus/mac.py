"""`Mac`: the protocol machine of a controller, one bit at a time. ISO 11898-1:2015, clause 10.

`sample(level)` takes one bit as the node reads it and leaves in `output` what the node drives in
the next one; `fast` says whether that bit has the data bit rate. Time, the other nodes and the
disturbances are the business of `wire.py`, what the bits of a frame say that of
`frame_reading.py`. Receivers that see the same and answer the same share one machine: `members`.
Numbers of bits and changes of the counters were checked against measurements on the CTU CAN FD
core.

Not modelled: the tolerances of one bit in the CRC delimiter and the ACK of FD frames, protocol
exception on a recessive `res` bit (a form error here).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from simcore.bus.bits import bits
from simcore.bus.error_record import ErrorKind, ErrorState
from simcore.bus.frame import Frame
from simcore.bus.frame_reading import FrameReading, MacState
from simcore.bus.options import FdSupport

if TYPE_CHECKING:
    from simcore.bus.controller import Controller
    from simcore.bus.wire import Wire

_TRAILER_BITS = 9
"""ACK slot, ACK delimiter, EOF."""
FLAG_BITS = 6
DELIMITER_BITS = 8
EOF_BITS = 7
SUSPEND_BITS = 8
INTEGRATION_BITS = 11


class Mac(FrameReading):
    """State of one node, or of several that cannot be told apart."""

    __slots__ = (
        "ack_error",
        "dominant_run",
        "drive",
        "flag_first",
        "frame",
        "members",
        "next_tick",
        "output",
        "overload",
        "received",
        "remaining",
        "sampling",
        "transmitter",
        "tx",
        "wire",
    )

    def __init__(self, wire: Wire, members: list[Controller], state: MacState) -> None:
        super().__init__(state, iso=wire.iso)
        self.wire = wire
        self.members = members
        self.output = 1
        self.drive = 1
        self.next_tick = 0
        self.sampling = False
        """What `next_tick` is: the sample point of this bit, else the start of the next."""
        self.tx: tuple[int, ...] | None = None
        """All bits this node sends, as long as it is sending."""
        self.frame: Frame | None = None
        self.received: Frame | None = None
        self.transmitter = False
        """Whether the node was sender of the frame at hand, also in the error frame after it."""
        self.remaining = 0

    def _clear(self) -> None:
        super()._clear()
        self.overload = False
        self.dominant_run = 0
        self.flag_first = False
        self.ack_error = False

    def twin(self, members: list[Controller]) -> Mac:
        """A copy for some of the members, which leave this one."""
        other = Mac(self.wire, members, self.state)
        for name in (*FrameReading.__slots__, *Mac.__slots__):
            if name not in ("wire", "members"):
                value = getattr(self, name)
                setattr(other, name, list(value) if isinstance(value, list) else value)
        self.members = [member for member in self.members if member not in members]
        return other

    @property
    def passive(self) -> bool:
        """Whether errors are signalled with a passive flag."""
        return self.members[0].error_state is ErrorState.PASSIVE

    @property
    def mute(self) -> bool:
        """Whether the node never drives the bus (bus monitoring)."""
        return self.members[0].options.listen_only

    def begin(self, frame: Frame, *, sof_seen: bool = False) -> None:
        """Send a frame from the next bit on; with `sof_seen` another's SOF counts as the own."""
        levels = bits(frame, iso=self.iso)
        self.tx = (*map(int, levels[:-_TRAILER_BITS]), *(1,) * _TRAILER_BITS)
        self.frame = frame
        self.transmitter = True
        if sof_seen:
            self.output = self.tx[1]
        else:
            self.state = MacState.START
            self.output = 0

    def sample(self, level: int) -> None:
        """One bit, as this node reads it."""
        self.bit += 1
        _READ[self.state](self, level)

    # -- the frame ------------------------------------------------------------------------------

    def _in_idle(self, level: int) -> None:
        if level == 0:
            self._start_of_frame()

    def _in_start(self, level: int) -> None:
        if level == 1:
            self.bit = 0
            self._fail(ErrorKind.BIT, level)
            return
        tx, frame = self.tx, self.frame
        self._start_of_frame()
        self.tx, self.frame, self.transmitter = tx, frame, True
        assert tx is not None
        self.output = tx[1]

    def _start_of_frame(self) -> None:
        self._clear()
        self.bit = 0
        self.raw.append(0)
        self.wire_bits.append(0)
        self.last = 0
        self.tx = self.frame = None
        self.transmitter = False
        self.state = MacState.FRAME
        self.output = 1

    def _in_frame(self, level: int) -> None:
        tx = self.tx
        if tx is not None and level != tx[self.bit] and not self._lost_arbitration(level):
            return
        if self.run == 5:
            if level == self.last:
                self._fail(ErrorKind.STUFF, level)
                return
            self.run = 1
            self.last = level
            self.stuffed_count += 1
            self.wire_bits.append(level)
            if len(self.raw) == self.next_at:  # the stuff bit after a classic CRC
                self.state = MacState.CRC_DELIMITER
        else:
            self.run = self.run + 1 if level == self.last else 1
            self.last = level
            self.wire_bits.append(level)
            self.raw.append(level)
            if len(self.raw) == self.next_at:
                self.field_over(level)
        if self.tx is not None:
            self.output = self.tx[self.bit + 1]

    def _takes_fd(self) -> bool:
        """What a recessive FDF bit means to this node."""
        support = self.members[0].options.fd
        if support is FdSupport.NONE:
            self._fail(ErrorKind.FORM, 1)
        elif support is FdSupport.TOLERANT:
            self.wire.left_out(self)
        return support is FdSupport.FULL

    def _lost_arbitration(self, level: int) -> bool:
        """The bit differs from the one sent: whether the node goes on, as a receiver."""
        place = len(self.raw)
        assert self.frame is not None
        last = 32 if self.frame.is_extended_id else 12  # the RTR bit
        if self.run == 5:
            # Exception B: a recessive stuff bit of the arbitration field overwritten.
            self._fail(ErrorKind.STUFF, level, counted=level == 1 or place > last)
            return False
        if level == 1 or place > last:
            self._fail(ErrorKind.BIT, level)
            return False
        self.wire.lost_arbitration(self)
        self.tx = self.frame = None
        self.transmitter = False
        self.output = 1
        return True

    def _in_tail(self, level: int) -> None:
        if self.tx is not None and level != self.tx[self.bit]:
            self._fail(ErrorKind.BIT, level)
            return
        if self.fixed_count % 5 == 0:
            if level == self.last:
                self._fail(ErrorKind.FORM, level)
                return
        else:
            self.tail.append(level)
        self.last = level
        self.fixed_count += 1
        self.tail_grown()
        if self.tx is not None:
            self.output = self.tx[self.bit + 1]

    def _in_crc_delimiter(self, level: int) -> None:
        self.fast = False
        if level == 0:
            self._fail(ErrorKind.FORM, level)
            return
        self.state = MacState.ACK_SLOT
        self.output = 0 if self.tx is None and self.crc_ok and not self.mute else 1

    def _in_ack_slot(self, level: int) -> None:
        self.output = 1
        if level == 1 and self.tx is not None:
            self._fail(ErrorKind.ACK, level)
            return
        if level == 1 and self.drive == 0:  # its own acknowledgement does not reach the bus
            self._fail(ErrorKind.BIT, level)
            return
        if self.tx is None and self.crc_ok:
            self.wire.acknowledged(self)
        self.state = MacState.ACK_DELIMITER

    def _in_ack_delimiter(self, level: int) -> None:
        if level == 0:
            self._fail(ErrorKind.FORM, level)
        elif not self.crc_ok:
            self._fail(ErrorKind.CRC, level)
        else:
            self.state = MacState.EOF
            self.count = 0

    def _in_eof(self, level: int) -> None:
        self.count += 1
        sending = self.tx is not None
        if level == 0:
            if sending or self.count < EOF_BITS:
                self._fail(ErrorKind.FORM, level)
            else:
                self._overload(level)
        elif self.count == EOF_BITS - 1 and not sending:
            self.received = self._read_frame()
            self.wire.valid.append(self)
        elif self.count == EOF_BITS:
            if sending:
                self.wire.done.append(self)
            self._rest()

    def _read_frame(self) -> Frame:
        """The frame as this node read it; who reads the same bits gets the same object."""
        shortcut = self.wire.shortcut
        if shortcut is not None and shortcut[0] == self.raw:
            return shortcut[1]
        frame = self.decoded()
        self.wire.shortcut = (self.raw, frame)
        return frame

    # -- between frames -------------------------------------------------------------------------

    def _rest(self) -> None:
        self.state = MacState.INTERMISSION
        self.count = 0
        self.output = 1

    def _in_intermission(self, level: int) -> None:
        self.count += 1
        if level == 0:
            if self.count < 3:
                self._overload(level)
            else:
                self._join_frame()
        elif self.count == 3:
            if self.transmitter and self.passive:
                self.state = MacState.SUSPEND
                self.count = 0
            else:
                self._idle()

    def _join_frame(self) -> None:
        """Somebody's SOF in the third bit of the intermission: who wants to send goes along."""
        self._start_of_frame()
        self.wire.join(self)

    def _in_suspend(self, level: int) -> None:
        self.count += 1
        if level == 0:
            self._start_of_frame()
        elif self.count == SUSPEND_BITS:
            self._idle()

    def _idle(self) -> None:
        self.state = MacState.IDLE
        self.tx = self.frame = None
        self.transmitter = False
        self.bit = -1

    def _in_recovery(self, level: int) -> None:
        """Counts runs of 11 recessive bits; a dominant bit spoils the run at hand."""
        if level == 0:
            self.count = 0
            return
        self.count += 1
        if self.count == INTEGRATION_BITS:
            self.count = 0
            self.remaining -= 1
            if self.remaining <= 0:
                self._idle()
                self.wire.recovered(self)

    # -- error and overload frames --------------------------------------------------------------

    def _fail(self, kind: ErrorKind, level: int, *, counted: bool = True) -> None:
        """An error is detected in this bit. Members of another error state go their own way."""
        for other in self.wire.part_by_state(self):
            other._fail(kind, level, counted=counted)
        passive = self.passive
        self.fast = False
        self.wire.notes.detected(self, kind, level, passive)
        self.ack_error = kind is ErrorKind.ACK and passive
        if self.transmitter:
            self.wire.attempt_failed(self)
            if counted and not self.ack_error:
                self._count_transmitter()
        elif self.state not in (MacState.ACTIVE_FLAG, MacState.PASSIVE_FLAG):
            for member in self.members:
                member.add_receive_errors(1)
        self._flag(active=not passive)

    def _flag(self, *, active: bool) -> None:
        self.tx = None
        self.count = 0
        self.dominant_run = 0
        self.flag_first = True
        self.overload = False
        self.output = 0 if active and not self.mute else 1
        self.state = MacState.ACTIVE_FLAG if active else MacState.PASSIVE_FLAG
        if self.members[0].error_state is ErrorState.BUS_OFF:
            self.wire.gone_bus_off(self)

    def _count_transmitter(self) -> None:
        for member in self.members:
            member.add_transmit_errors(8)

    def _count_eight(self) -> None:
        if self.transmitter:
            self._count_transmitter()
            if self.members[0].error_state is ErrorState.BUS_OFF:
                self.wire.gone_bus_off(self)
        else:
            for member in self.members:
                member.add_receive_errors(8)

    def _overload(self, level: int) -> None:
        self.wire.notes.detected(self, ErrorKind.OVERLOAD, level, False)
        self._flag(active=True)
        self.overload = True

    def _in_active_flag(self, level: int) -> None:
        if level == 1 and not self.mute:
            # Six new bits of an error flag, also after an overload flag; of its kind by now.
            for other in self.wire.part_by_state(self):
                other._in_active_flag(level)
            self.wire.notes.detected(self, ErrorKind.BIT, level, self.passive)
            self._count_eight()
            for other in self.wire.part_by_state(self):
                other._flag(active=False)
            if self.members[0].error_state is not ErrorState.BUS_OFF:
                self._flag(active=not self.passive)
            return
        self.count += 1
        if self.count == FLAG_BITS:
            self._flag_over()

    def _in_passive_flag(self, level: int) -> None:
        """Complete after six equal bits."""
        if self.ack_error and level == 0:
            self.ack_error = False
            self._count_transmitter()
        self.count = self.count + 1 if level == self.last else 1
        self.last = level
        if self.count >= FLAG_BITS:
            self._flag_over()

    def _flag_over(self) -> None:
        self.state = MacState.FLAG_END
        self.output = 1
        self.dominant_run = 0

    def _in_flag_end(self, level: int) -> None:
        if level == 1:
            self.state = MacState.DELIMITER
            self.count = 1
            return
        if self.flag_first and not self.transmitter and not self.overload:
            for member in self.members:
                member.add_receive_errors(8)
        self.flag_first = False
        self.dominant_run += 1
        if self.dominant_run == 8:
            # 14 dominant bits since an active flag began, 8 after a passive one, every 8 more.
            self.dominant_run = 0
            self._count_eight()

    def _in_delimiter(self, level: int) -> None:
        self.count += 1
        if level == 0:
            if self.count == DELIMITER_BITS:
                self._overload(level)
            else:
                self._fail(ErrorKind.FORM, level)
        elif self.count == DELIMITER_BITS:
            self.wire.delimiter_over(self)
            self._rest()

    # -- for records ----------------------------------------------------------------------------

    @property
    def field(self) -> str:
        """Name of the field the bit just read belongs to, as in `FIELDS`."""
        if self.state is MacState.FRAME or self.state is MacState.START:
            return self.field_in_frame
        if self.state is MacState.TAIL:
            return "stuff_count" if self.iso and len(self.tail) < 4 else "crc"
        if self.state in (MacState.ACTIVE_FLAG, MacState.PASSIVE_FLAG, MacState.FLAG_END):
            return "overload_flag" if self.overload else "error_flag"
        return _FIELD_OF[self.state]


_FIELD_OF = {
    MacState.IDLE: "idle",
    MacState.CRC_DELIMITER: "crc_delimiter",
    MacState.ACK_SLOT: "ack_slot",
    MacState.ACK_DELIMITER: "ack_delimiter",
    MacState.EOF: "eof",
    MacState.INTERMISSION: "intermission",
    MacState.SUSPEND: "intermission",
    MacState.DELIMITER: "error_delimiter",
    MacState.RECOVERING: "idle",
}

_READ: dict[MacState, Callable[[Mac, int], None]] = {
    MacState.IDLE: Mac._in_idle,
    MacState.START: Mac._in_start,
    MacState.FRAME: Mac._in_frame,
    MacState.TAIL: Mac._in_tail,
    MacState.CRC_DELIMITER: Mac._in_crc_delimiter,
    MacState.ACK_SLOT: Mac._in_ack_slot,
    MacState.ACK_DELIMITER: Mac._in_ack_delimiter,
    MacState.EOF: Mac._in_eof,
    MacState.INTERMISSION: Mac._in_intermission,
    MacState.SUSPEND: Mac._in_suspend,
    MacState.ACTIVE_FLAG: Mac._in_active_flag,
    MacState.PASSIVE_FLAG: Mac._in_passive_flag,
    MacState.FLAG_END: Mac._in_flag_end,
    MacState.DELIMITER: Mac._in_delimiter,
    MacState.RECOVERING: Mac._in_recovery,
}
