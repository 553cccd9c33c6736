"""The tester's side of an update, reduced to decisions: what to command next in which state."""

from __future__ import annotations

from simcore.update.client import Result, UpdateClient
from simcore.update.client_ports import Accepted
from simcore.update.flash import Flash
from simcore.update.guards import Refused
from simcore.update.layout import FlashLayout
from simcore.update.states import UpdateState

_S = UpdateState
ENDED = frozenset({_S.COMMITTED, _S.ROLLED_BACK, _S.FAILED})


class Campaign:
    """One campaign for one ECU: metadata, image, and who asks for the next thing."""

    def __init__(
        self, metadata: bytes, image: bytes, *, block_size: int = 512, in_bundle: bool = False
    ) -> None:
        self.metadata = metadata
        self.image = image
        self.block_size = block_size
        self.in_bundle = in_bundle
        """Activation and end are the coordinator's."""
        self.refusals: list[Refused] = []
        self.ended: UpdateState | None = None
        """How it ended; None while it goes on."""
        self.cause = ""

    def act(self, client: UpdateClient, flash: Flash, now_ns: int) -> bool:
        """Give the next command; false where there is none to give."""
        result: Result | None = None
        match client.state:
            case _S.IDLE if self.ended is None:
                write_metadata(self.metadata, flash, client.layout)
                result = client.announce(now_ns, size=len(self.metadata))
            case _S.PENDING_CONSENT:
                result = client.consent(True, now_ns)
            case _S.DOWNLOADING:
                result = self._transfer(client, now_ns)
            case _S.READY:
                result = client.install(now_ns)
            case _S.STAGED if not self.in_bundle and client.next_deadline_ns() is None:
                result = client.activate(now_ns)
            case state if state in ENDED and not self.in_bundle:
                self.ended, self.cause = state, client.cause
                result = client.acknowledge(now_ns)
        if isinstance(result, Refused):
            self.refusals.append(result)
        return isinstance(result, Accepted)

    def _transfer(self, client: UpdateClient, now_ns: int) -> Result:
        begun = client.begin_download(len(self.image), now_ns)
        if isinstance(begun, Refused):
            return begun
        if begun.offset == len(self.image):
            return client.end_download(now_ns)
        block = self.image[begun.offset : begun.offset + self.block_size]
        return client.write(begun.offset, block, now_ns)


def write_metadata(metadata: bytes, flash: Flash, layout: FlashLayout) -> None:
    """What the diagnostic services do with a metadata set: into its region, whole sectors."""
    region = layout.metadata.on(flash)
    size = region.sector_size
    for start in range(0, len(metadata), size):
        region.erase(start, size)
        part = metadata[start : start + size]
        region.program(start, part + b"\xff" * (-len(part) % region.program_size))
