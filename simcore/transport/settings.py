"""`LinkSettings`: everything about a link but its address. ISO 15765-2:2016, clauses 9.6.5, 9.8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from simcore.errors import UsageError
from simcore.transport.pci import MESSAGE_SIZE_MAX, TX_DLS, st_min_of
from simcore.units import NS_PER_MS, NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings:
    """How a link sends, what it asks of its peer, and how long it waits. Raises `UsageError`."""

    tx_dl: int = 64
    """Longest frame sent: 8, 12, 16, 20, 24, 32, 48 or 64 bytes."""
    is_fd: bool = True
    bitrate_switch: bool = True
    """Of FD frames; classic ones have none."""
    padding: int | None = 0xCC
    """Fills frames up to 8 bytes. `None`: short frames stay short; where an FD frame has to be
    filled, 0xCC does."""
    block_size: int = 0
    """Consecutive frames between two flow controls asked of the peer; 0 for no limit."""
    separation_time_ns: int = 0
    """STmin asked of the peer: 100..900 us or 0..127 ms."""
    receive_buffer_size: int = 65_535
    """Longest message of several frames taken; the first frame of a longer one is answered by
    FC.OVFLW. One that fits into a single frame is always taken."""
    wait_frames_max: int = 10
    """N_WFTmax: FC.WAIT in a row that this end sends while held, before it gives up."""
    wait_interval_ns: int = 500 * NS_PER_MS
    """From one FC.WAIT to the next flow control."""
    wait_frames_accepted: int | None = None
    """FC.WAIT in a row that this end bears as sender. `None`, as the standard: any number."""
    n_as_ns: int = NS_PER_S
    """Longest time a frame of the sender may take to leave the controller."""
    n_ar_ns: int = NS_PER_S
    """The same of the receiver's flow control."""
    n_bs_ns: int = NS_PER_S
    """Longest wait of the sender for a flow control."""
    n_br_ns: int = 0
    """What this end takes to send a flow control."""
    n_cs_ns: int = 0
    """What this end takes to send a consecutive frame, beside the peer's STmin."""
    n_cr_ns: int = NS_PER_S
    """Longest wait of the receiver for a consecutive frame."""
    confirms: bool = True
    """`True`: the owner calls `confirmed` when a frame has left the controller, and the next one
    is requested then. `False`: frames count as sent when requested; nothing waits for the bus."""
    window_size: int = 8
    """Without confirmation: consecutive frames per step where no separation time is asked for."""
    window_ns: int = 0
    """Without confirmation: from one such window to the next."""
    full_duplex: bool = True
    """`False`: messages are not received while one is sent in several frames, and not sent while
    one is received."""

    def __post_init__(self) -> None:
        if self.tx_dl not in TX_DLS:
            raise UsageError("LinkSettings, tx_dl", expected=f"one of {TX_DLS}", got=self.tx_dl)
        if self.tx_dl != 8 and not self.is_fd:
            raise UsageError("LinkSettings, tx_dl", expected="8 without is_fd", got=self.tx_dl)
        if self.padding is not None:
            _require_whole("padding", self.padding, least=0, most=0xFF)
        _require_whole("block_size", self.block_size, least=0, most=0xFF)
        _require_whole("separation_time_ns", self.separation_time_ns, least=0)
        st_min_of(self.separation_time_ns)
        _require_whole(
            "receive_buffer_size", self.receive_buffer_size, least=1, most=MESSAGE_SIZE_MAX
        )
        _require_whole("wait_frames_max", self.wait_frames_max, least=0)
        if self.wait_frames_accepted is not None:
            _require_whole("wait_frames_accepted", self.wait_frames_accepted, least=0)
        for name in ("n_as_ns", "n_ar_ns", "n_bs_ns", "n_cr_ns", "wait_interval_ns", "window_size"):
            _require_whole(name, getattr(self, name), least=1)
        for name in ("n_br_ns", "n_cs_ns", "window_ns"):
            _require_whole(name, getattr(self, name), least=0)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self


def _require_whole(name: str, value: object, *, least: int, most: int | None = None) -> None:
    if type(value) is not int or value < least or (most is not None and value > most):
        limits = f">= {least}" if most is None else f"{least}..{most}"
        raise UsageError(
            f"LinkSettings, {name}", expected=f"a whole number {limits}", got=repr(value)
        )
