"""What a node hears about errors, as the error frames of Linux: `linux/can/error.h`.

An error frame is an identifier with `CAN_ERR_FLAG` and class bits, and eight data bytes: [1] state
of the controller, [2] type and [3] place of a protocol violation, [6] and [7] the transmit and the
receive error counter. Places are the segment codes of the SJA1000, which the header took over.
Drivers differ in detail; this one reports every error it detects (`berr-reporting on`) and each
change of state once, downwards too.

Not here: who detects what (`mac`), and the files and interfaces that carry these frames.
"""

from __future__ import annotations

from simcore.bus.error_record import ErrorKind, ErrorState, StateChange, WireError
from simcore.bus.frame import Frame

CAN_ERR_FLAG = 0x2000_0000
CAN_ERR_DLC = 8

# Classes, in the identifier.
CAN_ERR_TX_TIMEOUT = 0x001
CAN_ERR_LOSTARB = 0x002
CAN_ERR_CRTL = 0x004
CAN_ERR_PROT = 0x008
CAN_ERR_TRX = 0x010
CAN_ERR_ACK = 0x020
CAN_ERR_BUSOFF = 0x040
CAN_ERR_BUSERROR = 0x080
CAN_ERR_RESTARTED = 0x100
CAN_ERR_CNT = 0x200

# data[1]: the controller.
CAN_ERR_CRTL_RX_OVERFLOW = 0x01
CAN_ERR_CRTL_TX_OVERFLOW = 0x02
CAN_ERR_CRTL_RX_WARNING = 0x04
CAN_ERR_CRTL_TX_WARNING = 0x08
CAN_ERR_CRTL_RX_PASSIVE = 0x10
CAN_ERR_CRTL_TX_PASSIVE = 0x20
CAN_ERR_CRTL_ACTIVE = 0x40

# data[2]: type of a protocol violation.
CAN_ERR_PROT_UNSPEC = 0x00
CAN_ERR_PROT_BIT = 0x01
CAN_ERR_PROT_FORM = 0x02
CAN_ERR_PROT_STUFF = 0x04
CAN_ERR_PROT_BIT0 = 0x08
CAN_ERR_PROT_BIT1 = 0x10
CAN_ERR_PROT_OVERLOAD = 0x20
CAN_ERR_PROT_TX = 0x80

# data[3]: its place.
CAN_ERR_PROT_LOC_UNSPEC = 0x00
CAN_ERR_PROT_LOC_ID28_21 = 0x02
CAN_ERR_PROT_LOC_SOF = 0x03
CAN_ERR_PROT_LOC_SRTR = 0x04
CAN_ERR_PROT_LOC_IDE = 0x05
CAN_ERR_PROT_LOC_ID20_18 = 0x06
CAN_ERR_PROT_LOC_ID17_13 = 0x07
CAN_ERR_PROT_LOC_CRC_SEQ = 0x08
CAN_ERR_PROT_LOC_RES0 = 0x09
CAN_ERR_PROT_LOC_DATA = 0x0A
CAN_ERR_PROT_LOC_DLC = 0x0B
CAN_ERR_PROT_LOC_RTR = 0x0C
CAN_ERR_PROT_LOC_RES1 = 0x0D
CAN_ERR_PROT_LOC_ID04_00 = 0x0E
CAN_ERR_PROT_LOC_ID12_05 = 0x0F
CAN_ERR_PROT_LOC_INTERM = 0x12
CAN_ERR_PROT_LOC_CRC_DEL = 0x18
CAN_ERR_PROT_LOC_ACK = 0x19
CAN_ERR_PROT_LOC_EOF = 0x1A
CAN_ERR_PROT_LOC_ACK_DEL = 0x1B
# The SJA1000's codes outside a frame; error.h has no names for them, can-utils knows them.
SEGMENT_ACTIVE_ERROR_FLAG = 0x11
SEGMENT_PASSIVE_ERROR_FLAG = 0x16
SEGMENT_ERROR_DELIMITER = 0x17
SEGMENT_OVERLOAD_FLAG = 0x1C

_LOCATIONS = {
    "sof": CAN_ERR_PROT_LOC_SOF,
    "srr": CAN_ERR_PROT_LOC_SRTR,
    "ide": CAN_ERR_PROT_LOC_IDE,
    "control": CAN_ERR_PROT_LOC_RES0,
    "dlc": CAN_ERR_PROT_LOC_DLC,
    "data": CAN_ERR_PROT_LOC_DATA,
    "stuff_count": CAN_ERR_PROT_LOC_CRC_SEQ,
    "crc": CAN_ERR_PROT_LOC_CRC_SEQ,
    "crc_delimiter": CAN_ERR_PROT_LOC_CRC_DEL,
    "ack_slot": CAN_ERR_PROT_LOC_ACK,
    "ack_delimiter": CAN_ERR_PROT_LOC_ACK_DEL,
    "eof": CAN_ERR_PROT_LOC_EOF,
    "intermission": CAN_ERR_PROT_LOC_INTERM,
    "error_delimiter": SEGMENT_ERROR_DELIMITER,
    "overload_flag": SEGMENT_OVERLOAD_FLAG,
    "idle": CAN_ERR_PROT_LOC_UNSPEC,
}
"""By `WireError.field`; the four fields missing here depend on more."""
_LAST_ID21_BIT = 8
_LAST_BASE_RTR_BIT = 14
"""RTR of a base frame is bit 12, behind at most two stuff bits."""
_LAST_ID13_BIT = 18
_LAST_ID05_BIT = 26

_TYPES = {
    ErrorKind.STUFF: CAN_ERR_PROT_STUFF,
    ErrorKind.CRC: CAN_ERR_PROT_UNSPEC,  # drivers tell a CRC error by its place alone
    ErrorKind.FORM: CAN_ERR_PROT_FORM,
    ErrorKind.ACK: CAN_ERR_PROT_UNSPEC,  # likewise, and by its class
    ErrorKind.OVERLOAD: CAN_ERR_PROT_OVERLOAD,
}
_CAPTURE_TYPES = {ErrorKind.BIT: 0, ErrorKind.FORM: 1, ErrorKind.STUFF: 2}
_CAPTURE_OTHER = 3
_STATES = {
    ErrorState.ACTIVE: (CAN_ERR_CRTL_ACTIVE, CAN_ERR_CRTL_ACTIVE),
    ErrorState.WARNING: (CAN_ERR_CRTL_TX_WARNING, CAN_ERR_CRTL_RX_WARNING),
    ErrorState.PASSIVE: (CAN_ERR_CRTL_TX_PASSIVE, CAN_ERR_CRTL_RX_PASSIVE),
}
"""data[1] where the transmit and where the receive error counter is the higher one."""
_COUNTER_MAX = 255


def encode_wire_error(error: WireError, frame: Frame | None = None) -> tuple[int, bytes]:
    """Identifier (with `CAN_ERR_FLAG`) and data of the error frame for one detected error.

    `frame` is what was on the wire: with it, a place inside the identifier is exact; without it,
    stuff bits are taken for identifier bits.
    """
    kind = error.kind
    classes = CAN_ERR_PROT | CAN_ERR_BUSERROR
    if kind is ErrorKind.ACK:
        classes |= CAN_ERR_ACK
    if kind is ErrorKind.BIT:
        violation = CAN_ERR_PROT_BIT0 if error.level else CAN_ERR_PROT_BIT1
    else:
        violation = _TYPES[kind]
    if error.transmitter:
        violation |= CAN_ERR_PROT_TX
    data = bytearray(CAN_ERR_DLC)
    data[2] = violation
    data[3] = location_of(error, frame)
    return _counted(classes, data, error.transmit_error_count, error.receive_error_count)


def encode_state_change(change: StateChange) -> tuple[int, bytes]:
    """Identifier (with `CAN_ERR_FLAG`) and data of the error frame for one change of state.

    Leaving bus-off is told twice over, as a restart and as a change to active: programs look for
    the one or the other.
    """
    data = bytearray(CAN_ERR_DLC)
    if change.after is ErrorState.BUS_OFF:
        classes = CAN_ERR_BUSOFF
    else:
        classes = CAN_ERR_CRTL
        transmit, receive = change.transmit_error_count, change.receive_error_count
        transmit_state, receive_state = _STATES[change.after]
        data[1] |= transmit_state if transmit >= receive else 0
        data[1] |= receive_state if receive >= transmit else 0
    if change.before is ErrorState.BUS_OFF:
        classes |= CAN_ERR_RESTARTED
    return _counted(classes, data, change.transmit_error_count, change.receive_error_count)


def location_of(error: WireError, frame: Frame | None = None) -> int:
    """data[3]: the segment code of the place where an error was detected."""
    if error.kind is ErrorKind.CRC:
        return CAN_ERR_PROT_LOC_CRC_SEQ  # told after the ACK delimiter, but that is what is wrong
    found = _LOCATIONS.get(error.field)
    if error.field == "error_flag":
        return SEGMENT_PASSIVE_ERROR_FLAG if error.passive else SEGMENT_ACTIVE_ERROR_FLAG
    if error.field == "control" and frame is not None and frame.is_extended_id:
        position = _unstuffed_index(frame, error.bit)
        first = position == frame.header.fdf_index
        return CAN_ERR_PROT_LOC_RES1 if first else CAN_ERR_PROT_LOC_RES0
    if found is not None:
        return found
    position = error.bit if frame is None else _unstuffed_index(frame, error.bit)
    if error.field == "rtr":
        base = position <= _LAST_BASE_RTR_BIT
        return CAN_ERR_PROT_LOC_SRTR if base else CAN_ERR_PROT_LOC_RTR
    if error.field == "identifier":
        high = position <= _LAST_ID21_BIT
        return CAN_ERR_PROT_LOC_ID28_21 if high else CAN_ERR_PROT_LOC_ID20_18
    if position <= _LAST_ID13_BIT:
        return CAN_ERR_PROT_LOC_ID17_13
    return CAN_ERR_PROT_LOC_ID12_05 if position <= _LAST_ID05_BIT else CAN_ERR_PROT_LOC_ID04_00


def error_code_capture(error: WireError, frame: Frame | None = None) -> int:
    """The SJA1000's register ECC: type (2 bits), 1 for a receiver, segment (5 bits)."""
    kind = _CAPTURE_TYPES.get(error.kind, _CAPTURE_OTHER)
    return kind << 6 | (not error.transmitter) << 5 | location_of(error, frame)


def _counted(
    classes: int, data: bytearray, transmit_error_count: int, receive_error_count: int
) -> tuple[int, bytes]:
    """With the counters, where both fit: at bus-off they do not, and mean nothing any more."""
    if transmit_error_count <= _COUNTER_MAX and receive_error_count <= _COUNTER_MAX:
        classes |= CAN_ERR_CNT
        data[6], data[7] = transmit_error_count, receive_error_count
    return CAN_ERR_FLAG | classes, bytes(data)


def _unstuffed_index(frame: Frame, wire_index: int) -> int:
    """Index among the bits of the frame proper; a stuff bit counts as the bit before it."""
    run, last = 0, ""
    at = -1
    for index, bit in enumerate(frame.header.bits):
        run = run + 1 if bit == last else 1
        last = bit
        at += 1
        if at >= wire_index:
            return index
        if run == 5:
            run, last = 1, "1" if bit == "0" else "0"
            at += 1
            if at >= wire_index:
                return index
    return len(frame.header.bits) - 1
