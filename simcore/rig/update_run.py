"""A whole update of the reference vehicle as one run: what `simcore update` does.

Park (or drive), load metadata and images, park, activate all or none, hear the signed version
reports, fetch the audit logs. How long that took on the wall is the caller's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from simcore.bus import BitTiming
from simcore.bus.duration import bit_counts
from simcore.bus.timing import INTERMISSION_BITS
from simcore.ecu.runtime.diagnostic_addresses import DiagnosticMessages, diagnosed_nodes
from simcore.ecu.runtime.software_rows import REPORT_DID
from simcore.errors import UsageError
from simcore.rig.bench import Bench
from simcore.rig.campaign import DRIVING, WORKSHOP, Campaign
from simcore.rig.rig import Rig
from simcore.rig.software import FACTORY_SIZE, HARDWARE, PRIMARY, Backend, ecu_key
from simcore.rig.update_tasks import Download
from simcore.transport import LinkSettings
from simcore.transport.framing import Framing
from simcore.transport.pci import CONSECUTIVE_FRAME
from simcore.units import NS_PER_MS, NS_PER_S
from simcore.update.attacks import CATALOGUE, AttackCase
from simcore.update.bundle_phases import BundlePhase
from simcore.update.flash import FlashGeometry
from simcore.update.image import Behaviour
from simcore.update.metadata_keys import public_key
from simcore.update.states import UpdateState
from simcore.update.version_report import verify_report

NEW_VERSION = "1.1.0"
ATTACKED_VERSION = "2.0.0"
"""What attacks are made on, in a car that has 1.1.0 already."""
SPEED_KMH = 100.0
_SLICE_NS = 100 * NS_PER_MS
_PARK_NS = 3 * NS_PER_S
_LEAST_PER_S = 10_000
"""A transfer that takes longer than at so many bytes a second is given up."""
_DAY_NS = 86_400 * NS_PER_S
_OVER = (UpdateState.IDLE, UpdateState.FAILED, UpdateState.ROLLED_BACK)
_SAMPLE = 64
"""Consecutive frames that the limit of a link is worked out from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatePlan:
    """What is to be updated, and how. Raises `UsageError`."""

    version: str = NEW_VERSION
    nodes: tuple[str, ...] = tuple(HARDWARE)
    size: int = FACTORY_SIZE
    """Bytes of payload of every image."""
    pace: LinkSettings = WORKSHOP
    attack: str = ""
    """Name of a case of the catalogue; empty for an honest back end."""
    drives: bool = False
    """The images come while the car drives at 100 km/h; it parks for the activation."""
    defects: Mapping[str, Behaviour] = field(default_factory=dict)
    """Images that are no good, by ECU."""
    seed: int = 0

    def __post_init__(self) -> None:
        unknown = [node for node in (*self.nodes, *self.defects) if node not in HARDWARE]
        if unknown or not self.nodes:
            got = ", ".join(unknown) or "none"
            raise UsageError("update, nodes", expected=f"of {', '.join(HARDWARE)}", got=got)
        if len(set(self.nodes)) != len(self.nodes):
            raise UsageError("update, nodes", expected="each once", got=", ".join(self.nodes))
        if self.drives and self.pace.n_cs_ns < DRIVING.n_cs_ns:
            raise UsageError(
                "update, pace", expected="driving, beside all that drives", got="workshop"
            )
        if self.attack and self.case is None:
            known = ", ".join(case.name for case in CATALOGUE)
            raise UsageError("update, attack", expected=f"of {known}", got=self.attack)
        if self.attack and (self.defects or self.version != ATTACKED_VERSION):
            raise UsageError(
                "update, attack",
                expected=f"version {ATTACKED_VERSION} without defects",
                got=f"{self.version} with {', '.join(self.defects) or 'none'}",
            )

    @property
    def case(self) -> AttackCase | None:
        """The attack."""
        return next((case for case in CATALOGUE if case.name == self.attack), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferFigures:
    """How fast an image came, and what it was kept busy by."""

    size: int
    """Bytes of the image that came."""
    begun_ns: int
    ended_ns: int
    limit_per_s: float
    """Bytes a second of consecutive frames that follow without a gap."""
    program_ns: int
    erase_ns: int

    @property
    def duration_ns(self) -> int:
        """First to last block, programming and erasing included."""
        return self.ended_ns - self.begun_ns

    @property
    def rate_per_s(self) -> float:
        """Bytes a second, programming and erasing included."""
        return _per_s(self.size, self.duration_ns)

    @property
    def unerased_per_s(self) -> float:
        """The same without the time for erasing."""
        return _per_s(self.size, self.duration_ns - self.erase_ns)

    @property
    def share_ratio(self) -> float:
        """Of the limit."""
        return self.rate_per_s / self.limit_per_s


@dataclass(frozen=True, slots=True, kw_only=True)
class EcuResult:
    """How the update of one ECU ended."""

    node: str
    version: str
    """That it runs, as its report says; empty where that is no good."""
    report: str
    """What the verification of the signed report came to."""
    attack: str
    """Title of the attack that the report names."""
    why: str
    """What was refused or failed; empty for nothing."""
    transfer: TransferFigures | None
    """`None` where no image came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateResult:
    """How the whole update ended."""

    plan: UpdatePlan
    ended: BundlePhase
    ecus: tuple[EcuResult, ...]
    bus_load_ratio: float
    findings: tuple[str, ...]
    """What a module raised, and the like: there are none in a run that counts."""
    digest: str

    @property
    def all_new(self) -> bool:
        """Whether every ECU says, signed, that it runs the new version, and nothing broke."""
        return not self.findings and all(ecu.version == self.plan.version for ecu in self.ecus)

    @property
    def reasons(self) -> tuple[str, ...]:
        """What was refused, or failed, where."""
        return tuple(f"{ecu.node}: {ecu.why}" for ecu in self.ecus if ecu.why)


Watch = Callable[[str, Campaign | None], object]
"""Told what is going on, every 100 ms or so of virtual time."""


class UpdateRun:
    """One run of a plan: `run`, then the rig is there to be looked at."""

    def __init__(self, plan: UpdatePlan, *, rig: Rig | None = None, watch: Watch | None = None):
        self.plan = plan
        self.rig = Rig(seed=plan.seed) if rig is None else rig
        self._watch = watch
        self.campaign: Campaign | None = None
        self._causes: dict[str, str] = {}
        """What an ECU said on the way back, by node."""

    def run(self) -> UpdateResult:
        """Do it all."""
        plan, rig = self.plan, self.rig
        if not plan.drives or plan.attack:
            self._park()
        backend = self._backend()
        if plan.drives:
            self._drive()
        campaign = self.campaign = Campaign(rig, backend, plan.nodes, pace=plan.pace)
        loaded = self._load(campaign)
        if plan.drives:
            self._stop()
        ended = BundlePhase.IDLE
        if loaded:
            ended = self._settle(campaign)
        why = self._reasons(campaign)
        if not loaded:
            self._give_up(campaign)
        self._tell("version reports")
        return UpdateResult(
            plan=plan,
            ended=ended,
            ecus=tuple(self._ecu(campaign, node, why.get(node, "")) for node in plan.nodes),
            bus_load_ratio=rig.buses[0].load_ratio,
            findings=tuple(f"{each.source}: {each.text}" for each in rig.log.findings),
            digest=rig.digest,
        )

    def audit_logs(self) -> dict[str, bytes]:
        """What every ECU exports, by node."""
        assert self.campaign is not None, "after run()"
        return {node: self.campaign.upload_audit(node) for node in self.plan.nodes}

    # -- the car ----------------------------------------------------------------------------------

    def _drive(self) -> None:
        self._tell("driving")
        self.rig.set_park_brake(False)
        self.rig.set_power_mode("Drive")
        self.rig.run_for(_PARK_NS)
        self.rig.vehicle.set_speed(kmh=SPEED_KMH)
        self.rig.driver.hold_speed(SPEED_KMH)
        self.rig.run_for(_SLICE_NS * 5)

    def _park(self) -> None:
        self._tell("parking")
        self.rig.set_park_brake(True)
        self.rig.set_power_mode("Park")
        self.rig.run_for(_PARK_NS)

    def _stop(self) -> None:
        self._tell("stopping")
        self.rig.measure_stop(pedal_pct=30, timeout=60 * NS_PER_S)
        self._park()
        self.rig.release_pedal()
        self.rig.run_for(NS_PER_S)

    # -- the campaign -----------------------------------------------------------------------------

    def _backend(self) -> Backend:
        plan, rig = self.plan, self.rig
        case = plan.case
        if case is None:
            backend = Backend()
            backend.campaign(
                plan.version,
                now_ns=rig.now_ns,
                nodes=plan.nodes,
                size=plan.size,
                is_bundle=PRIMARY in plan.nodes,
                behaviour=plan.defects,
            )
            return backend
        backend = Backend.with_history(size=plan.size)
        before = Campaign(rig, backend, pace=WORKSHOP)
        self._tell("the version before")
        before.load()
        if not self._await_loaded(before) or self._settle(before) is not BundlePhase.COMMITTED:
            raise UsageError(
                "update, version before", expected="COMMITTED", got=str(before.failures)
            )
        backend.serve(plan.version)
        backend.ahead_ns += case.after_days * _DAY_NS
        backend.repository.start_attack(case.name)
        return backend

    def _load(self, campaign: Campaign) -> bool:
        campaign.load()
        return self._await_loaded(campaign)

    def _await_loaded(self, campaign: Campaign) -> bool:
        plan = self.plan
        count = len(campaign.nodes)
        end_ns = self.rig.now_ns + 120 * NS_PER_S
        end_ns += plan.size * count * NS_PER_S // _LEAST_PER_S
        while self.rig.now_ns < end_ns:
            if campaign.wait(timeout=_SLICE_NS):
                return True
            self._tell("loading", campaign)
            if all(each.done or each.failure for each in campaign.dialogues.values()):
                break
        return False

    def _settle(self, campaign: Campaign) -> BundlePhase:
        """Activate, try, commit: by the coordinator, or each ECU for itself where it is not in."""
        patience_ns = 120 * NS_PER_S + self.plan.size * NS_PER_S // _LEAST_PER_S
        if PRIMARY in campaign.nodes:
            heard = partial(self._heard, campaign)
            return campaign.settle(timeout=patience_ns, on_round=heard)
        ends = [self._activate(campaign, node, patience_ns) for node in campaign.nodes]
        return BundlePhase.COMMITTED if all(ends) else BundlePhase.ROLLED_BACK

    def _heard(self, campaign: Campaign) -> None:
        """A round is over. On the way back: why? It is forgotten once the way back is."""
        self._tell("activating", campaign)
        if campaign.phase not in (BundlePhase.ROLLING_BACK, BundlePhase.ROLLED_BACK):
            return
        for node in campaign.nodes:
            if node not in self._causes:
                status = campaign.status(node)
                if status is not None and status.cause:
                    self._causes[node] = status.cause

    def _activate(self, campaign: Campaign, node: str, patience_ns: int) -> bool:
        """One ECU for itself; whether it runs the new image for good."""
        wrong = campaign.activate(node)
        if wrong:
            campaign.refusals[node] = f"ACTIVATE: {wrong}"
            return False
        end_ns = self.rig.now_ns + patience_ns
        while self.rig.now_ns < end_ns:
            self.rig.run_for(_SLICE_NS)
            self._tell("activating", campaign)
            status = campaign.status(node)
            if status is None:
                continue
            if status.state in (UpdateState.COMMITTED, *_OVER):
                if status.cause:
                    campaign.refusals[node] = f"{status.state.name}: {status.cause}"
                campaign.acknowledge(node)
                return status.state is UpdateState.COMMITTED
        campaign.refusals[node] = "ACTIVATE: not over in time"
        return False

    def _give_up(self, campaign: Campaign) -> None:
        """Nothing is activated: every ECU forgets what it has."""
        for node in campaign.nodes:
            campaign.acknowledge(node)
            status = campaign.status(node)
            if status is not None and status.state is not UpdateState.IDLE:
                campaign.cancel(node)

    def _reasons(self, campaign: Campaign) -> dict[str, str]:
        if self._causes:
            return dict(self._causes)
        found = dict(campaign.refusals)
        for node in campaign.nodes:
            if node in campaign.failures:
                self._wait_for_end(campaign, node)
            status = campaign.status(node)
            if status is not None and status.cause:
                found[node] = f"{status.state.name}, {status.cause}"
            elif node in campaign.failures:
                found[node] = campaign.failures[node]
        return found

    def _wait_for_end(self, campaign: Campaign, node: str) -> None:
        """Until the ECU has noticed that nothing more comes, too."""
        end_ns = self.rig.now_ns + 20 * NS_PER_S
        while self.rig.now_ns < end_ns:
            status = campaign.status(node)
            if status is not None and status.state in _OVER:
                break
            self.rig.run_for(_SLICE_NS)

    def _ecu(self, campaign: Campaign, node: str, why: str) -> EcuResult:
        data = campaign.read(node, REPORT_DID) or b""
        verdict = verify_report(data, public_key(ecu_key(node)), ecu_id=node)
        report = verdict.report if verdict.accepted else None
        attack = None if report is None else report.attack
        if attack is not None and report is not None:
            why = report.attack_text
        version = "" if report is None else str(report.version)
        if version == self.plan.version:
            why = ""  # it was refused for a while
        return EcuResult(
            node=node,
            version=version,
            report=str(verdict),
            attack="" if attack is None else attack.title,
            why=why,
            transfer=transfer_figures(self.rig, campaign, node),
        )

    def _tell(self, step: str, campaign: Campaign | None = None) -> None:
        if self._watch is not None:
            self._watch(step, campaign)


# ---- figures ----


def transfer_figures(rig: Bench, campaign: Campaign, node: str) -> TransferFigures | None:
    """Of the image that an ECU got; `None` where none came."""
    image = _download(campaign, node)
    flash = rig.host(node).flash
    if image is None or image.begun_ns is None or image.ended_ns is None or flash is None:
        return None
    geometry = flash.geometry
    return TransferFigures(
        size=image.transferred,
        begun_ns=image.begun_ns,
        ended_ns=image.ended_ns,
        limit_per_s=isotp_limit_per_s(
            diagnosed_nodes(rig.database)[node],
            campaign.pace,
            rig.buses[0].timing,
            campaign.backend.image(node),
        ),
        program_ns=_units(image.transferred, geometry) * geometry.program_ns,
        erase_ns=-(-image.transferred // geometry.sector_size) * geometry.erase_ns,
    )


def isotp_limit_per_s(
    messages: DiagnosticMessages, pace: LinkSettings, timing: BitTiming, image: bytes
) -> float:
    """Bytes a second of consecutive frames of this image that follow without a gap.

    Of the frame length and format in use, with the stuff bits that the image makes, intermission
    included; a separation time that the sender keeps belongs to it.
    """
    settings = messages.link_settings(messages.request, pace)
    request = messages.request
    framing = Framing(request.arbitration_id, b"", settings, is_extended_id=request.is_extended_id)
    room = settings.tx_dl - 1
    count = max(1, min(_SAMPLE, len(image) // room))
    total_ns = 0
    for number in range(count):
        head = bytes((CONSECUTIVE_FRAME << 4 | (number + 1) & 0x0F,))
        frame = framing.frame(head + image[number * room : (number + 1) * room])
        nominal_bits, data_bits = bit_counts(frame, iso=timing.iso)
        total_ns += max(timing.to_ns(nominal_bits + INTERMISSION_BITS, data_bits), settings.n_cs_ns)
    return _per_s(min(count * room, len(image)), total_ns)


def _download(campaign: Campaign, node: str) -> Download | None:
    dialogue = campaign.dialogues.get(node)
    tasks = () if dialogue is None else dialogue.tasks
    return next((t for t in tasks if isinstance(t, Download) and t.what == "image"), None)


def _units(size: int, geometry: FlashGeometry) -> int:
    return -(-size // geometry.program_size)


def _per_s(size: int, duration_ns: int) -> float:
    return size * NS_PER_S / duration_ns if duration_ns > 0 else 0.0
