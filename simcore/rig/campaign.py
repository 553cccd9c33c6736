"""A software update of the vehicle, from the tester's side: `Campaign` in a script.

    backend = Backend()
    backend.campaign("1.1.0", now_ns=rig.now_ns)
    campaign = Campaign(rig, backend)
    campaign.load()                 # in the background; the script may drive meanwhile
    campaign.wait(timeout=s(60))
    campaign.settle(timeout=s(60))  # activate all, commit all or none
    campaign.versions()

Everything goes over the bus: UDS on ISO-TP, from the place of the tester.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from simcore.diag.codes import Nrc, Sid
from simcore.ecu.runtime.software_areas import AUDIT_ADDRESS, IMAGE_ADDRESS, METADATA_ADDRESS
from simcore.ecu.runtime.software_bundle import (
    BEGIN_RID,
    MEMBER_DID,
    ORDERS_RID,
    REPORT_RID,
    STATUS_RID,
    unpack_orders,
)
from simcore.ecu.runtime.software_rows import (
    ACTIVATE_RID,
    ANNOUNCE_RID,
    CANCEL_RID,
    CHECK_RID,
    COMMIT_RID,
    CONSENT_RID,
    ERASE_RID,
    INSTALL_RID,
    REPORT_DID,
    REPORTED_RID,
    ROLLBACK_RID,
    STATUS_DID,
)
from simcore.errors import UsageError
from simcore.rig.software import PRIMARY, Backend
from simcore.rig.update_tasks import (
    Ask,
    Await,
    Baton,
    Download,
    Resume,
    Status,
    Task,
    Turn,
    UpdateDialogue,
    Upload,
    enter,
    refusal,
    routine,
)
from simcore.transport import LinkSettings
from simcore.units import NS_PER_MS, NS_PER_S
from simcore.update.attacks import Pace
from simcore.update.bundle import MemberOrder, OrderKind
from simcore.update.bundle_phases import BundlePhase
from simcore.update.states import UpdateState

if TYPE_CHECKING:
    from simcore.rig.bench import Bench

VERSION_DID = 0xF189
DRIVING = LinkSettings(tx_dl=24, n_cs_ns=4 * NS_PER_MS, separation_time_ns=4 * NS_PER_MS)
"""Leaves the bus to whom it belongs: 24 bytes every 4 ms are 5 % of it, and a frame of that length
holds up another one by 0.2 ms at most (COM-001 allows 0.5 ms for a cycle of 5 ms)."""
WORKSHOP = LinkSettings()
"""As fast as the bus can: what drives comes late then, so it is for a car that stands."""
_PATIENCE_NS = 300 * NS_PER_S
_PAUSE_NS = 50 * NS_PER_MS
_LOCKED_OUT = (
    Nrc.SERVICE_NOT_SUPPORTED_IN_ACTIVE_SESSION,
    Nrc.SECURITY_ACCESS_DENIED,
    Nrc.AUTHENTICATION_REQUIRED,
    Nrc.REQUEST_OUT_OF_RANGE,
)
_RIDS = {
    OrderKind.ACTIVATE: ACTIVATE_RID,
    OrderKind.COMMIT: COMMIT_RID,
    OrderKind.ROLL_BACK: ROLLBACK_RID,
    OrderKind.CANCEL: CANCEL_RID,
    OrderKind.ACKNOWLEDGE: REPORTED_RID,
}


class Campaign:
    """One campaign of a back end on one rig."""

    def __init__(
        self,
        rig: Bench,
        backend: Backend,
        nodes: Iterable[str] | None = None,
        *,
        pace: LinkSettings = DRIVING,
    ) -> None:
        """`pace` is how the tester sends: `DRIVING` beside all that drives, or `WORKSHOP`."""
        self.rig = rig
        self.backend = backend
        self.pace = pace
        self.nodes = tuple(backend.orders if nodes is None else nodes)
        unknown = [node for node in self.nodes if node not in backend.orders]
        if unknown or not self.nodes:
            raise UsageError(
                "Campaign, nodes",
                expected=f"of {', '.join(backend.orders) or 'a campaign of the back end'}",
                got=", ".join(unknown) or "none",
            )
        rig.tester.use_link(pace)
        if pace.n_cs_ns < DRIVING.n_cs_ns or pace.tx_dl > DRIVING.tx_dl:
            rig.filled_buses.add(rig.buses[0].name)
            rig.log.add("TST", "note", f"{rig.buses[0].name} carries more than its reference load")
        self.baton = Baton()
        self.dialogues: dict[str, UpdateDialogue] = {}
        self.phase = BundlePhase.IDLE
        """Of the bundle, as the coordinator said last."""
        self.refusals: dict[str, str] = {}
        """The last refusal of an order, by ECU."""

    # -- metadata and images ----------------------------------------------------------------------

    def load(self, *, through: UpdateState = UpdateState.STAGED) -> None:
        """Begin to bring metadata and image to every ECU, up to a state; returns at once.

        Transfers take turns, installations overlap with them; the primary first gets the version
        reports of the others.
        """
        self._tell_primary()
        for node in self.nodes:
            self.dialogues[node] = self._start(node, self.tasks(node, through=through))

    def load_one(self, node: str, *, through: UpdateState = UpdateState.STAGED) -> None:
        """As `load`, for one ECU."""
        self.dialogues[node] = self._start(node, self.tasks(node, through=through))

    def reload(self, node: str, *, through: UpdateState = UpdateState.STAGED) -> None:
        """Go on with an ECU whose dialogue failed, from where it stands."""
        status = self.status(node)
        state = UpdateState.IDLE if status is None else status.state
        tasks = self.tasks(node, through=through, since=state)
        self.dialogues[node] = self._start(node, tasks)

    def wait(self, *, timeout: int) -> bool:
        """Let time pass until all are loaded, or failed; whether all are loaded."""
        self.rig.tester.wait(*self.dialogues.values(), timeout=timeout)
        return all(each.done and not each.failure for each in self.dialogues.values())

    @property
    def failures(self) -> dict[str, str]:
        """What went wrong while loading, by ECU."""
        return {node: each.failure for node, each in self.dialogues.items() if each.failure}

    def tasks(
        self, node: str, *, through: UpdateState, since: UpdateState = UpdateState.IDLE
    ) -> list[Task]:
        """What brings an ECU from one state to another."""
        metadata = self.backend.metadata(self.rig.now_ns)
        image = self.backend.image(node)
        pace = self.backend.pace
        download = Download(
            "image",
            IMAGE_ADDRESS,
            image,
            size_per_s=None if pace is None else max(pace.size_per_s, 1),
            stops_after=None if pace is None else _stop(pace, len(image)),
        )
        size = len(image).to_bytes(4, "big")
        erase = routine(ERASE_RID, b"\x44" + IMAGE_ADDRESS.to_bytes(4, "big") + size)
        announce = routine(ANNOUNCE_RID, len(metadata).to_bytes(4, "big"))
        steps: list[tuple[UpdateState, list[Task]]] = [
            (
                UpdateState.PENDING_CONSENT,
                [
                    *([Download("metadata", METADATA_ADDRESS, metadata)] if metadata else []),
                    Ask("announcement", announce),
                    Await(UpdateState.PENDING_CONSENT),
                ],
            ),
            (UpdateState.DOWNLOADING, [Ask("consent", routine(CONSENT_RID))]),
            (
                UpdateState.READY,
                [
                    Ask("erase", erase),
                    Resume(download),
                    download,
                    Ask("check of the image", routine(CHECK_RID)),
                    Await(UpdateState.READY),
                ],
            ),
            (
                UpdateState.STAGED,
                [
                    Ask("installation", routine(INSTALL_RID), patience_ns=_PATIENCE_NS),
                    Await(UpdateState.STAGED, patience_ns=_PATIENCE_NS),
                ],
            ),
        ]
        if through not in {state for state, _ in steps}:
            raise UsageError("campaign: load, through", expected="up to STAGED", got=through.name)
        tasks: list[Task] = [Turn(self.baton, node), *enter()]
        for state, more in steps:
            # A state that is reached already, or still being worked at, is not commanded anew.
            if state > since:
                tasks += more
            if state is UpdateState.READY:
                tasks.append(Turn(self.baton, node, gives=True))
            if state is through:
                break
        return tasks

    def _tell_primary(self) -> None:
        """Bring the version reports of all ECUs to the primary."""
        if PRIMARY not in self.nodes:
            return
        self._enter(PRIMARY)
        for node in self.nodes:
            report = self.read(node, REPORT_DID)
            if report:
                self.order(PRIMARY, routine(REPORT_RID, report))

    # -- activation -------------------------------------------------------------------------------

    def settle(self, *, timeout: int, on_round: Callable[[], object] | None = None) -> BundlePhase:
        """Carry statuses to the coordinator and its orders to the members until it is over.

        `on_round` is called after each round of that.
        """
        end_ns = self.rig.now_ns + timeout
        ended = BundlePhase.IDLE
        begun = False
        while self.rig.now_ns < end_ns:
            begun = begun or not refusal(self.order(PRIMARY, routine(BEGIN_RID)))
            if begun:
                self.round()
            if self.phase in (BundlePhase.COMMITTED, BundlePhase.ROLLED_BACK):
                ended = self.phase
            if ended is not BundlePhase.IDLE and self.phase is BundlePhase.IDLE:
                break
            self.rig.run_for(_PAUSE_NS)
            if on_round is not None:
                on_round()
        return ended

    def round(self) -> tuple[MemberOrder, ...]:
        """One round: every status to the coordinator, every order to its member."""
        for node in self.nodes:
            status = self.read(node, MEMBER_DID)
            if status:
                self._heard(self.order(PRIMARY, routine(STATUS_RID, status)))
        packed = self._heard(self.order(PRIMARY, routine(ORDERS_RID)))
        orders = tuple(unpack_orders(packed))
        for each in orders:
            self._carry_out(each)
        return orders

    def _heard(self, response: bytes | None) -> bytes:
        """Keep the phase that a response of the coordinator begins with; the rest of it."""
        if refusal(response) or response is None:
            return b""
        self.phase = BundlePhase(response[4])
        return response[5:]

    def _carry_out(self, order: MemberOrder) -> None:
        option = b"" if order.authorisation is None else order.authorisation.to_bytes()
        wrong = refusal(self.order(order.ecu_id, routine(_RIDS[order.kind], option)))
        if wrong:
            self.refusals[order.ecu_id] = f"{order.kind.name}: {wrong}"

    def activate(self, node: str) -> str:
        """Activate one ECU by itself; what was refused, empty for nothing."""
        return refusal(self.order(node, routine(ACTIVATE_RID)))

    def cancel(self, node: str) -> str:
        """Let an ECU give the campaign up; what was refused, empty for nothing."""
        return refusal(self.order(node, routine(CANCEL_RID)))

    def acknowledge(self, node: str) -> str:
        """Tell an ECU that its report has arrived; what was refused, empty for nothing."""
        return refusal(self.order(node, routine(REPORTED_RID)))

    # -- looking ----------------------------------------------------------------------------------

    def read(self, node: str, did: int) -> bytes | None:
        """A data record; `None` without an answer or with a refusal."""
        request = bytes((Sid.READ_DATA_BY_IDENTIFIER,)) + did.to_bytes(2, "big")
        response = self.rig.tester.request(node, request)
        return None if refusal(response) or response is None else response[3:]

    def upload_audit(self, node: str) -> bytes:
        """The audit log of an ECU, as `simcore audit` reads it; nothing where it gives none."""
        self._enter(node)
        dialogue = UpdateDialogue([upload := Upload("audit log", AUDIT_ADDRESS)])
        self.rig.tester.start(node, dialogue)
        self.rig.tester.wait(dialogue, timeout=30 * NS_PER_S)
        return upload.data

    def status(self, node: str) -> Status | None:
        """How the update of an ECU stands; `None` without an answer."""
        record = self.read(node, STATUS_DID)
        return None if record is None else Status(record)

    def versions(self) -> dict[str, str]:
        """The version that every ECU says it runs; `?` without an answer."""
        found = {node: self.read(node, VERSION_DID) for node in self.nodes}
        return {node: "?" if data is None else data.decode() for node, data in found.items()}

    def transferred(self) -> Mapping[str, int]:
        """Bytes that every ECU has stored so far."""
        return {node: each.transferred for node, each in self.dialogues.items()}

    # -- inside -----------------------------------------------------------------------------------

    def order(self, node: str, payload: bytes) -> bytes | None:
        """A request that needs a certificate; authenticated anew where a reset took that away."""
        response = self.rig.tester.request(node, payload)
        if response is not None and response[:1] == b"\x7f" and response[2] in _LOCKED_OUT:
            if self._enter(node):
                response = self.rig.tester.request(node, payload)
        return response

    def _enter(self, node: str) -> bool:
        dialogue = self._start(node, list(enter()))
        self.rig.tester.wait(dialogue, timeout=2 * NS_PER_S)
        return dialogue.done and not dialogue.failure

    def _start(self, node: str, tasks: list[Task]) -> UpdateDialogue:
        dialogue = UpdateDialogue(tasks, ends=Turn(self.baton, node, gives=True))
        self.rig.tester.start(node, dialogue)
        return dialogue


def _stop(pace: Pace, size: int) -> int | None:
    """After how many bytes a thief's transfer stops; in the middle of an image that is shorter."""
    return None if pace.stops_after is None else min(pace.stops_after, size // 2)
