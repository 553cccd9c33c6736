"""Several ECUs in memory that update together: members, coordinator, and who tells it all.

The network is a function call; every ECU that is on says how it stands once per round. With
`shared_supply` a loss of power takes all ECUs, else only the one whose flash lost it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from simcore.update.bundle import (
    BundleCoordinator,
    BundleSettings,
    MemberOrder,
    MemberStatus,
    driving_refusals,
    obey,
    status_of,
)
from simcore.update.bundle_phases import BundlePhase
from simcore.update.client_campaign import Campaign
from simcore.update.client_ecu import EcuPlan, UpdateEcu
from simcore.update.compatibility import Software
from simcore.update.flash import PowerLost
from simcore.update.reset_cause import ResetCause
from simcore.update.states import UpdateState

_T = TypeVar("_T")
ROUND_NS = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class VehiclePlan:
    """How the vehicle is built, and its one campaign."""

    ecus: Mapping[str, EcuPlan]
    coordinator: BundleSettings
    campaign: bytes
    metadata: bytes
    images: Mapping[str, bytes]
    catalogue: Mapping[tuple[str, str], Software]

    def __copy__(self: _T) -> _T:
        return self

    def __deepcopy__(self: _T, memo: dict[int, Any]) -> _T:
        return self


class BundleVehicle:
    """The ECUs of a bundle, in memory."""

    def __init__(self, plan: VehiclePlan, *, shared_supply: bool = True) -> None:
        self.plan = plan
        self.shared_supply = shared_supply
        self.ecus = {name: UpdateEcu(each) for name, each in plan.ecus.items()}
        self.coordinator: BundleCoordinator | None = None
        self.campaigns: dict[str, Campaign] = {}
        self.now_ns = 0
        self.losses = 0
        """Losses of power of single ECUs."""
        self.first_lost_at = ""
        """State of the update in the ECU that lost power first; empty before."""
        self.first_started: tuple[str, str] | None = None
        """That ECU, and the version it ran when power was back; empty for none."""
        self.ended: BundlePhase | None = None
        self.mixed_drives = 0
        """Rounds in which the versions did not fit and the vehicle was released all the same."""
        self.is_open = True
        """Whether the tester still wants the campaign."""

    # ---- power ----

    def power_on(self, cause: ResetCause) -> None:
        """All of them start."""
        self.coordinator = None
        self.campaigns = {name: self._campaign(name) for name in self.ecus}
        for name in self.ecus:
            self._power_on(name, cause)

    def _power_on(self, name: str, cause: ResetCause) -> None:
        ecu = self.ecus[name]
        ecu.client = None
        ecu.boot(cause, self.now_ns)
        self._start_coordinator(name)

    def _start_coordinator(self, name: str) -> None:
        settings = self.plan.coordinator
        if name != settings.ecu_id:
            return
        self.coordinator = None
        ecu = self.ecus[name]
        if ecu.client is not None:
            region = ecu.plan.layout.records.on(ecu.flash)
            self.coordinator = BundleCoordinator(region, settings)
            self.coordinator.start(self.now_ns)

    def _campaign(self, name: str) -> Campaign:
        return Campaign(self.plan.metadata, self.plan.images[name], in_bundle=True)

    # ---- time ----

    def round(self) -> None:
        """Every ECU works a little; all of them talk."""
        self.now_ns += ROUND_NS
        for name in self.ecus:
            self._guarded(name, None)
        for order in self._talk():
            self._guarded(order.ecu_id, order)
        self._look()

    def _guarded(self, name: str, order: MemberOrder | None) -> None:
        """One ECU's turn; where supplies are its own, its loss of power stops only itself."""
        try:
            self._turn(name, order)
        except PowerLost:
            if self.shared_supply:
                raise
            self.losses += 1
            self._lose(name)

    def _lose(self, name: str) -> None:
        ecu = self.ecus[name]
        if not self.first_lost_at:
            self.first_lost_at = "boot" if ecu.client is None else ecu.client.state.name
        if name == self.plan.coordinator.ecu_id:
            self.coordinator = None
        for _ in range(2):
            try:
                self._power_on(name, ResetCause.POWER_ON)
                self.first_started = self.first_started or (name, ecu.version)
                return
            except PowerLost:
                self.losses += 1

    def _turn(self, name: str, order: MemberOrder | None) -> None:
        ecu = self.ecus[name]
        client = ecu.client
        if order is not None:
            if client is not None:
                obey(client, order, self.now_ns)
            return
        if client is not None and self.is_open:
            self.campaigns[name].act(client, ecu.flash, self.now_ns)
        self.now_ns = max(self.now_ns, ecu.work(self.now_ns))
        if ecu.client is not client:
            self._start_coordinator(name)

    def _talk(self) -> tuple[MemberOrder, ...]:
        """The members say how they stand; what the coordinator orders."""
        coordinator = self.coordinator
        if coordinator is None:
            return ()
        try:
            if self.is_open and coordinator.phase is BundlePhase.IDLE and self.ended is None:
                coordinator.begin(self.plan.campaign, tuple(self.ecus), self.now_ns)
            for status in self.statuses().values():
                coordinator.take(status, self.now_ns)
            if coordinator.phase in (BundlePhase.COMMITTED, BundlePhase.ROLLED_BACK):
                self.ended = coordinator.phase
                self.is_open = False
            return coordinator.orders(self.now_ns)
        except PowerLost:
            if self.shared_supply:
                raise
            self.losses += 1
            self._lose(self.plan.coordinator.ecu_id)
            return ()

    def statuses(self) -> dict[str, MemberStatus]:
        """Of every ECU that answers."""
        return {
            name: status_of(name, ecu.client, ecu.version, self.now_ns)
            for name, ecu in self.ecus.items()
            if ecu.client is not None
        }

    def driving_refusals(self) -> tuple[str, ...]:
        """Why the vehicle may not drive now."""
        return driving_refusals(tuple(self.ecus), self.statuses(), self.plan.catalogue)

    def _look(self) -> None:
        versions = {ecu.version for ecu in self.ecus.values()}
        if len(versions) > 1 and not self.driving_refusals():
            self.mixed_drives += 1

    @property
    def is_over(self) -> bool:
        """Nothing is under way any more."""
        coordinator = self.coordinator
        if coordinator is None or coordinator.phase is not BundlePhase.IDLE or self.is_open:
            return False
        return all(
            ecu.client is not None and ecu.client.state is UpdateState.IDLE
            for ecu in self.ecus.values()
        )
