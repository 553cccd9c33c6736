"""`ControllerOptions`: what kind of CAN controller a node has, in the words of data sheets.

The defaults are a generous part: all waiting frames by priority, frames handed over at once,
automatic recovery. Each field names parts that work that way.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique

from simcore.errors import UsageError


@unique
class TransmitPolicy(Enum):
    """Which of several waiting frames a controller sends next."""

    PRIORITY = "priority"
    """Lowest identifier first (M_CAN Tx queue, MCP25xxFD TXQ); equal ones by order of request."""
    FIFO = "fifo"
    """Order of request (M_CAN Tx FIFO, can2040): an urgent frame waits behind the others."""
    MAILBOXES = "mailboxes"
    """`mailbox_count` frames are in the controller, further ones wait in the driver's FIFO."""


@unique
class Recovery(Enum):
    """How a controller leaves bus-off."""

    AUTOMATIC = "automatic"
    """After `recovery_delay_ns` it starts to count 128 x 11 recessive bits (bxCAN ABOM)."""
    ON_REQUEST = "on request"
    """It counts when software asks (`Controller.recover`; M_CAN, ISO 11898-1:2015)."""
    NEVER = "never"


@unique
class FdSupport(Enum):
    """What a controller makes of FD frames."""

    FULL = "full"
    NONE = "none"
    """Classic only: a recessive FDF bit is a form error, it destroys FD traffic."""
    TOLERANT = "tolerant"
    """Classic only, with protocol exception: it ignores FD frames and does not acknowledge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerOptions:
    """Configuration of one controller.

    `transmit_depth` limits the frames that wait (`None`: no limit); one too many is refused and
    counted. Messages in `replace_pending` (base identifiers) have a transmit buffer of their own: a
    frame that still waits is replaced by a newer one. `single_shot`: no second attempt after an
    error, nor after lost arbitration if `single_shot_counts_arbitration`. `receive_depth` puts
    received frames into a FIFO for `Controller.read`; a frame too many is lost and counted, the
    oldest one instead with `overwrite_oldest`.
    """

    transmit: TransmitPolicy = TransmitPolicy.PRIORITY
    mailbox_count: int = 3
    mailboxes_by_request: bool = False
    """Mailboxes go out in order of request (bxCAN TXFP = 1), not by identifier."""
    transmit_depth: int | None = None
    replace_pending: frozenset[int] = frozenset()
    single_shot: bool = False
    single_shot_counts_arbitration: bool = True
    receive_depth: int | None = None
    overwrite_oldest: bool = False
    recovery: Recovery = Recovery.AUTOMATIC
    recovery_delay_ns: int = 0
    fd: FdSupport = FdSupport.FULL
    listen_only: bool = False

    def __post_init__(self) -> None:
        for name, least in (
            ("mailbox_count", 1),
            ("transmit_depth", 1),
            ("receive_depth", 1),
            ("recovery_delay_ns", 0),
        ):
            value = getattr(self, name)
            if value is None and name.endswith("_depth"):
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise UsageError(
                    f"ControllerOptions.{name}", expected=f"an integer >= {least}", got=value
                )

    def __copy__(self) -> ControllerOptions:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> ControllerOptions:
        return self


GENEROUS = ControllerOptions()
