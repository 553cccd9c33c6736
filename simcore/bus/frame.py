"""`Frame`: one CAN frame as the data link layer sees it. ISO 11898-1:2015, clause 10.4.

Field names are python-can's. `dlc` is the raw 4-bit code on the wire, not a length: classic frames
may carry 9..15 with 8 bytes, FD frames 9..15 stand for 12..64 bytes.

A frame is immutable: the same object goes to every receiver and into the record. What depends on
the identifier, the flags and the dlc only is computed once and shared, see `FrameHeader`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NoReturn

from simcore.errors import UsageError

DLC_TO_LENGTH = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64)
"""Bytes of an FD frame by raw dlc."""
LENGTH_TO_DLC = {length: dlc for dlc, length in enumerate(DLC_TO_LENGTH)}

MAX_BASE_ID = 0x7FF
MAX_EXTENDED_ID = 0x1FFFFFFF


class FrameHeader:
    """Everything about a frame but its payload. One object per distinct header.

    `bits` is the unstuffed level sequence SOF..DLC, MSB first. `arbitration_key` orders frames as
    the wired-AND of the arbitration field does: the lower key wins, equal keys cannot be told
    apart by arbitration.
    """

    __slots__ = (
        "arbitration_id",
        "arbitration_key",
        "bitrate_switch",
        "bits",
        "dlc",
        "error_state_indicator",
        "fdf_index",
        "is_extended_id",
        "is_fd",
        "is_remote_frame",
        "length",
        "wire_prefix",
    )

    def __init__(
        self,
        arbitration_id: int,
        is_extended_id: bool,
        is_fd: bool,
        bitrate_switch: bool,
        error_state_indicator: bool,
        is_remote_frame: bool,
        dlc: int,
    ) -> None:
        self.arbitration_id = arbitration_id
        self.is_extended_id = is_extended_id
        self.is_fd = is_fd
        self.bitrate_switch = bitrate_switch
        self.error_state_indicator = error_state_indicator
        self.is_remote_frame = is_remote_frame
        self.dlc = dlc
        self.length = _payload_length(is_fd, is_remote_frame, dlc)
        remote = "1" if is_remote_frame else "0"
        if is_extended_id:
            base, extension = arbitration_id >> 18, arbitration_id & 0x3FFFF
            # SOF, base id, SRR = 1, IDE = 1, id extension, RTR (classic) or RRS (FD)
            arbitration = f"0{base:011b}11{extension:018b}{remote}"
            self.arbitration_key = base << 21 | 0b11 << 19 | extension << 1 | is_remote_frame
        else:
            # SOF, base id, RTR or RRS, IDE = 0
            arbitration = f"0{arbitration_id:011b}{remote}0"
            self.arbitration_key = arbitration_id << 21 | is_remote_frame << 20
        if is_fd:
            # FDF = 1, res = 0, BRS, ESI
            control = f"10{bitrate_switch:d}{error_state_indicator:d}"
        else:
            # base: r0; extended: r1, r0
            control = "00" if is_extended_id else "0"
        self.fdf_index = len(arbitration)
        self.bits = f"{arbitration}{control}{dlc:04b}"
        self.wire_prefix: dict[bool, tuple[int, int, int, int]] = {}
        """What `duration.py` works out once per header, by `iso`."""

    def __deepcopy__(self, memo: dict[int, object]) -> FrameHeader:
        return self

    def __reduce__(self) -> tuple[object, ...]:
        return (
            frame_header,
            (
                self.arbitration_id,
                self.is_extended_id,
                self.is_fd,
                self.bitrate_switch,
                self.error_state_indicator,
                self.is_remote_frame,
                self.dlc,
            ),
        )


@lru_cache(maxsize=8192)
def frame_header(
    arbitration_id: int,
    is_extended_id: bool,
    is_fd: bool,
    bitrate_switch: bool,
    error_state_indicator: bool,
    is_remote_frame: bool,
    dlc: int,
) -> FrameHeader:
    """The shared header for these fields, which the caller has validated."""
    return FrameHeader(
        arbitration_id,
        is_extended_id,
        is_fd,
        bitrate_switch,
        error_state_indicator,
        is_remote_frame,
        dlc,
    )


class Frame:
    """One CAN or CAN FD frame; immutable, hashable.

    `dlc` is the raw code; left out, it follows from the data. Where data is given, python-can's
    convention (dlc = number of bytes) is understood too, since the two never clash then. A remote
    frame carries no data whatever its dlc. Raises `UsageError` for what cannot be on a wire.
    """

    __slots__ = ("arbitration_id", "data", "header", "wire_counts")

    arbitration_id: int
    data: bytes
    header: FrameHeader
    wire_counts: tuple[bool, int, int] | None
    """What `duration.py` counted once: ISO or not, bits at the nominal and at the data rate."""

    def __init__(
        self,
        arbitration_id: int,
        data: bytes | bytearray | memoryview | list[int] = b"",
        *,
        is_extended_id: bool = False,
        is_fd: bool = False,
        bitrate_switch: bool = False,
        error_state_indicator: bool = False,
        is_remote_frame: bool = False,
        dlc: int | None = None,
    ) -> None:
        payload = _octets(arbitration_id, data)
        _check_id(arbitration_id, is_extended_id)
        if is_remote_frame and is_fd:
            raise UsageError(_name(arbitration_id), expected="no remote frames in CAN FD")
        if not is_fd and (bitrate_switch or error_state_indicator):
            raise UsageError(
                _name(arbitration_id),
                expected="bitrate_switch and error_state_indicator in FD only",
            )
        code = _raw_dlc(arbitration_id, payload, is_fd, is_remote_frame, dlc)
        header = frame_header(
            int(arbitration_id),
            bool(is_extended_id),
            bool(is_fd),
            bool(bitrate_switch),
            bool(error_state_indicator),
            bool(is_remote_frame),
            code,
        )
        _set(self, "arbitration_id", header.arbitration_id)
        _set(self, "data", payload)
        _set(self, "header", header)
        _set(self, "wire_counts", None)

    @staticmethod
    def of(header: FrameHeader, data: bytes) -> Frame:
        """The frame of a header and a payload that are known to fit; nothing is checked."""
        frame: Frame = _new(Frame)
        _set_id(frame, header.arbitration_id)
        _set_data(frame, data)
        _set_header(frame, header)
        _set_counts(frame, None)
        return frame

    def with_data(self, data: bytes) -> Frame:
        """The same frame with another payload of the same length. The fast way to send again."""
        header = self.header
        if data.__class__ is not bytes:
            data = bytes(data)
        if len(data) != header.length:
            raise UsageError(
                f"{_name(self.arbitration_id)}: with_data",
                expected=f"{header.length} bytes",
                got=f"{len(data)}",
            )
        frame: Frame = _new(Frame)  # as `of` does
        _set_id(frame, header.arbitration_id)
        _set_data(frame, data)
        _set_header(frame, header)
        _set_counts(frame, None)
        return frame

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"Frame is immutable: cannot set {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"Frame is immutable: cannot delete {name!r}")

    @property
    def is_extended_id(self) -> bool:
        return self.header.is_extended_id

    @property
    def is_fd(self) -> bool:
        return self.header.is_fd

    @property
    def bitrate_switch(self) -> bool:
        return self.header.bitrate_switch

    @property
    def error_state_indicator(self) -> bool:
        return self.header.error_state_indicator

    @property
    def is_remote_frame(self) -> bool:
        return self.header.is_remote_frame

    @property
    def dlc(self) -> int:
        """Raw data length code, 0..15."""
        return self.header.dlc

    def __len__(self) -> int:
        return len(self.data)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Frame):
            return NotImplemented
        return self.data == other.data and (
            self.header is other.header or self.header.bits == other.header.bits
        )

    def __hash__(self) -> int:
        return hash((self.header.arbitration_key, self.data))

    def __repr__(self) -> str:
        header = self.header
        flags = "".join(
            f", {name}=True"
            for name in (
                "is_extended_id",
                "is_fd",
                "bitrate_switch",
                "error_state_indicator",
                "is_remote_frame",
            )
            if getattr(header, name)
        )
        identifier = f"0x{self.arbitration_id:0{8 if header.is_extended_id else 3}X}"
        return f"Frame({identifier}, {self.data.hex()!r}{flags}, dlc={header.dlc})"

    def __copy__(self) -> Frame:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Frame:
        return self

    def __reduce__(self) -> tuple[object, ...]:
        return (Frame.of, (self.header, self.data))


_new = object.__new__
_set = object.__setattr__


# The slots' own setters: an immutable object is filled past its `__setattr__`.
_set_id = Frame.arbitration_id.__set__  # type: ignore[misc, attr-defined]
_set_data = Frame.data.__set__  # type: ignore[misc, attr-defined]
_set_header = Frame.header.__set__  # type: ignore[misc, attr-defined]
_set_counts = Frame.wire_counts.__set__  # type: ignore[misc, union-attr]
keep_counts = _set_counts


def _name(arbitration_id: object) -> str:
    return f"frame 0x{arbitration_id:X}" if isinstance(arbitration_id, int) else "frame"


def _octets(arbitration_id: object, data: object) -> bytes:
    if isinstance(data, bytes):
        return data
    if isinstance(data, int):  # bytes(8) would silently mean eight zero bytes
        raise UsageError(f"{_name(arbitration_id)}: data", expected="bytes", got=repr(data))
    try:
        return bytes(data)  # type: ignore[call-overload, no-any-return]
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"{_name(arbitration_id)}: data", expected="bytes", got=f"{data!r} ({error})"
        ) from None


def _check_id(arbitration_id: object, is_extended_id: bool) -> None:
    limit = MAX_EXTENDED_ID if is_extended_id else MAX_BASE_ID
    if isinstance(arbitration_id, bool) or not isinstance(arbitration_id, int):
        raise UsageError("frame: arbitration_id", expected="an integer", got=repr(arbitration_id))
    if not 0 <= arbitration_id <= limit:
        kind = "extended" if is_extended_id else "base"
        raise UsageError(
            f"frame: {kind} arbitration_id",
            expected=f"0..0x{limit:X}",
            got=f"{arbitration_id:#X}".replace("X", "x", 1),
        )


def _payload_length(is_fd: bool, is_remote_frame: bool, dlc: int) -> int:
    if is_remote_frame:
        return 0
    return DLC_TO_LENGTH[dlc] if is_fd else min(dlc, 8)


def _raw_dlc(
    arbitration_id: int, data: bytes, is_fd: bool, is_remote_frame: bool, dlc: int | None
) -> int:
    length = len(data)
    where = _name(arbitration_id)
    if dlc is not None and (isinstance(dlc, bool) or not isinstance(dlc, int)):
        raise UsageError(f"{where}: dlc", expected="an integer", got=repr(dlc))
    if is_remote_frame:
        if length:
            raise UsageError(where, expected="no data in a remote frame", got=f"{length} bytes")
        code = 0 if dlc is None else dlc
        if not 0 <= code <= 15:
            raise UsageError(f"{where}: dlc", expected="0..15", got=dlc)
        return code
    legal = LENGTH_TO_DLC if is_fd else range(9)
    if length not in legal:
        lengths = "0..8, 12, 16, 20, 24, 32, 48 or 64 bytes" if is_fd else "0..8 bytes"
        if not is_fd and length in LENGTH_TO_DLC:
            lengths += ", or is_fd=True"
        raise UsageError(f"{where}: data", expected=lengths, got=f"{length}")
    natural = LENGTH_TO_DLC[length]
    if dlc is None or dlc == length:
        return natural
    if not 0 <= dlc <= 15 or _payload_length(is_fd, False, dlc) != length:
        raise UsageError(f"{where}: dlc", expected=f"{natural} for {length} bytes", got=dlc)
    return dlc
