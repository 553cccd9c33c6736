"""`Update`: a campaign for one module on its stand, for the cases of updates.

What must come of it the group `update` says.
"""

from __future__ import annotations

from collections.abc import Sequence

from simcore.ecu.runtime.software_rows import ACTIVATE_RID
from simcore.rig import WORKSHOP, Backend, Campaign
from simcore.rig.software import HARDWARE, VIN, signed_image
from simcore.rig.stand import NodeStand
from simcore.rig.update_tasks import refusal, routine
from simcore.testing.conformance.trial import Trial
from simcore.transport import LinkSettings
from simcore.units import ms, s
from simcore.update.image import Behaviour, SigningKey
from simcore.update.states import UpdateState

NEW = "1.1.0"
SIZE = 4 * 1024
LOADING_NS = s(20)
STARTING_NS = s(4)


class DamagedBackend(Backend):
    """Delivers something else than what it has signed."""

    def image(self, node: str) -> bytes:
        """The image with a byte changed."""
        found = super().image(node)
        middle = len(found) // 2
        return found[:middle] + bytes((found[middle] ^ 0x40,)) + found[middle + 1 :]


def demand(trial: Trial, meaning: str) -> str:
    """The id that the requirement file has for a demand on updates; empty where it names none."""
    return str(trial.interface.binding("update_demands", {}).get(meaning, ""))


class Update:
    """One campaign for the module of a trial."""

    def __init__(self, trial: Trial, backend: Backend | None = None) -> None:
        if trial.node not in HARDWARE:
            trial.not_tested(f"nobody releases software for {trial.node}")
        bench = trial.bench
        if not isinstance(bench, NodeStand):
            trial.not_tested("needs the stand of the node")
        assert isinstance(bench, NodeStand)
        self.trial = trial
        self.stand = bench
        self.backend = Backend() if backend is None else backend
        self.campaign: Campaign | None = None

    def park(self, table: str = "parked") -> None:
        """Set what the module sees of the vehicle."""
        found = self.trial.interface.binding(table)
        for message, values in found.get("values", {}).items():
            self.stand.set(message, **values)
        for pin, value in found.get("pins", {}).items():
            self.stand.set_pin(pin, float(value))
        if "speed_kmh" in found and self.stand.plant is not None:
            self.stand.set_speed(kmh=float(found["speed_kmh"]))

    def release(
        self,
        version: str = NEW,
        *,
        behaviour: Behaviour = Behaviour.HEALTHY,
        key: SigningKey | None = None,
        security_counter: int | None = None,
        pace: LinkSettings = WORKSHOP,
        size: int = SIZE,
    ) -> Campaign:
        """Order a version for the module alone."""
        node = self.trial.node
        self.backend.campaign(
            version,
            now_ns=self.trial.now_ns,
            nodes=(node,),
            size=size,
            is_bundle=False,
            behaviour={node: behaviour},
            key=key,
            security_counter=security_counter,
        )
        self.campaign = Campaign(self.stand, self.backend, pace=pace)
        return self.campaign

    def release_foreign(self, *, labelled: bool) -> Campaign:
        """Order software made for other hardware; unlabelled, the metadata say it is for this."""
        node = self.trial.node
        own = HARDWARE[node]
        other = next(each for each in HARDWARE.values() if each != own)
        repository, name = self.backend.repository, f"{other.lower()}-{NEW}"
        repository.release(
            name,
            signed_image(other, NEW, size=SIZE, security_counter=2),
            version=NEW,
            hardware_ids=(other if labelled else own,),
            release_counter=2,
            security_counter=2,
        )
        repository.order(VIN, {node: name})
        repository.publish(self.trial.now_ns)
        self.backend.orders = {node: name}
        self.campaign = Campaign(self.stand, self.backend)
        return self.campaign

    @property
    def ordered(self) -> Campaign:
        """The campaign under way."""
        assert self.campaign is not None
        return self.campaign

    def load(self, *, through: UpdateState = UpdateState.STAGED) -> bool:
        """Bring it to the module, up to a state; whether that worked."""
        self.ordered.load_one(self.trial.node, through=through)
        return self.ordered.wait(timeout=LOADING_NS)

    def expect_loaded(self, loaded: bool, requirement: str) -> None:
        self.trial.expect(
            loaded,
            text="a good image is loaded and installed",
            measured="; ".join(self.ordered.failures.values()) or "staged",
            limit="staged",
            requirement=demand(self.trial, requirement),
        )

    def activate(self, patience_ns: int = 0) -> str:
        """Ask for the new software; what was refused, empty for nothing.

        With patience it is asked again: a module may want to have stood still for some time.
        """
        end_ns = self.trial.now_ns + patience_ns
        while True:
            wrong = refusal(self.ordered.order(self.trial.node, routine(ACTIVATE_RID)))
            if not wrong or self.trial.now_ns >= end_ns:
                return wrong
            self.trial.run_for(ms(200))

    def version(self) -> str:
        """What the module says it runs; `?` without an answer."""
        return self.ordered.versions()[self.trial.node]

    def state(self) -> UpdateState | None:
        """Where its update stands."""
        status = self.ordered.status(self.trial.node)
        return None if status is None else status.state

    def expect_version(self, wanted: Sequence[str], text: str, requirement: str) -> None:
        found = self.version()
        self.trial.expect(
            found in wanted,
            text=text,
            measured=found,
            limit=" or ".join(wanted),
            requirement=demand(self.trial, requirement),
        )

    def until(self, *states: UpdateState, timeout: int = STARTING_NS) -> UpdateState | None:
        """Let time pass until its update is in one of these states; the last that was told."""
        end_ns = self.trial.now_ns + timeout
        found = self.state()
        while found not in states and self.trial.now_ns < end_ns:
            self.trial.run_for(ms(20))
            found = self.state()
        return found
