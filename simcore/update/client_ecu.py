"""One ECU in memory, for sweeps and walks: flash, bootloader, update client, least application.

Its bus is a function call and its clock comes with every call. The whole ECU with its control
software is in `simcore.ecu`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from simcore.update.audit import AuditLog
from simcore.update.bootloader import Bootloader, BootOutcome, BootSettings, UpgradeRequest
from simcore.update.client import UpdateClient
from simcore.update.client_audit import ClientLog
from simcore.update.client_ports import Verification
from simcore.update.client_settings import ClientSettings
from simcore.update.flash import Flash
from simcore.update.guards import Conditions, fit_conditions
from simcore.update.image_format import Behaviour
from simcore.update.layout import FlashLayout
from simcore.update.reset_cause import ResetCause
from simcore.update.security_counter import SecurityCounter
from simcore.update.states import UpdateState

_T = TypeVar("_T")
BOOT_STEPS_MOST = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EcuPlan:
    """How one ECU is built."""

    layout: FlashLayout
    boot: BootSettings
    client: ClientSettings
    verification: Verification
    audit_key: bytes
    image: bytes
    """That runs at first."""
    unstable: bool = False
    """Whether torn cells read differently each time."""

    def __copy__(self: _T) -> _T:
        return self

    def __deepcopy__(self: _T, memo: dict[int, Any]) -> _T:
        return self


class Surroundings:
    """The conditions that an ECU sees; whoever tells the story changes them."""

    __slots__ = ("seen",)

    def __init__(self) -> None:
        self.seen: Conditions = fit_conditions()

    def conditions(self, now_ns: int) -> Conditions:
        """As they are."""
        return self.seen


ClientType = Callable[..., UpdateClient]


class CountingLoader(Bootloader):
    """A bootloader whose application's starts are counted: to judge its own counting of tries."""

    __slots__ = ("ecu",)
    ecu: UpdateEcu

    def mark_started(self) -> None:
        """Count before and after: in between, a cut leaves either right."""
        self.ecu.starts_most += 1
        super().mark_started()
        self.ecu.starts_least += 1

    def request_upgrade(self, permanent: bool = False) -> UpgradeRequest:
        """A new trial counts from 0."""
        if not self.in_trial:
            self.ecu.starts_least = self.ecu.starts_most = 0
        self.ecu.requests.append(self.ecu.surroundings.seen)
        return super().request_upgrade(permanent)


class UpdateEcu:
    """The ECU. `client` is None while nothing runs that could answer."""

    def __init__(self, plan: EcuPlan, client_type: ClientType = UpdateClient) -> None:
        self.plan = plan
        self.client_type = client_type
        self.flash = Flash(plan.layout.geometry(), unstable=plan.unstable)
        unit = plan.layout.program_size
        image = plan.image + b"\xff" * (-len(plan.image) % unit)
        plan.layout.running.on(self.flash).program(0, image)
        self.flash.operations = 0
        self.flash.take_busy_ns()
        self.surroundings = Surroundings()
        self.client: UpdateClient | None = None
        self.outcome: BootOutcome | None = None
        self.starts_least = self.starts_most = 0
        """Starts of an application on trial since the last upgrade request."""
        self.requests: list[Conditions] = []
        """The conditions at each request for an upgrade."""
        self._hung_try = 0
        """The try that hangs before its first act: it counts once the watchdog has bitten."""
        self.wrong_tries = 0
        """Tries that the bootloader counted otherwise."""
        self.resets: list[ResetCause] = []

    def boot(self, cause: ResetCause, now_ns: int) -> None:
        """Bootloader, then the application up to the start of its client."""
        self.client = None
        self.outcome = None
        self.resets.append(cause)
        if cause is ResetCause.POWER_ON:
            self._hung_try = 0
        loader = CountingLoader(self.flash, self.plan.layout, self.plan.boot)
        loader.ecu = self
        outcome = None
        for _ in range(BOOT_STEPS_MOST):
            outcome = loader.step(cause).outcome
            if outcome is not None:
                break
        self.outcome = outcome
        if cause is ResetCause.WATCHDOG:
            self.starts_least = max(self.starts_least, self._hung_try)
        self._hung_try = 0
        if outcome is None or outcome.is_recovery:
            return
        if outcome.trial and not (
            self.starts_least + 1 <= outcome.try_number <= self.starts_most + 1
        ):
            self.wrong_tries += 1
        if self.behaviour is Behaviour.HANGS_AT_START:
            self._hung_try = self.starts_most = outcome.try_number
        else:
            self._start(loader, outcome, now_ns)

    def _start(self, loader: Bootloader, outcome: BootOutcome, now_ns: int) -> None:
        plan = self.plan
        log = AuditLog(plan.layout.audit.on(self.flash), ecu=plan.client.ecu_id, key=plan.audit_key)
        client = self.client_type(
            self.flash,
            plan.layout,
            loader,
            plan.verification,
            ClientLog(log),
            self.surroundings,
            plan.client,
        )
        client.start(outcome, now_ns)
        self.client = client

    @property
    def behaviour(self) -> Behaviour:
        """How the running software does."""
        image = None if self.outcome is None else self.outcome.image
        return Behaviour.HEALTHY if image is None else image.behaviour

    @property
    def version(self) -> str:
        """Of the image that runs."""
        image = None if self.outcome is None else self.outcome.image
        return "" if image is None else str(image.version)

    @property
    def security_counter(self) -> int:
        """As stored."""
        return SecurityCounter(self.flash, self.plan.layout).value

    @property
    def is_on_trial(self) -> bool:
        """Whether the image that runs is not confirmed, as the flash says."""
        return Bootloader(self.flash, self.plan.layout, self.plan.boot).in_trial

    @property
    def is_in_recovery(self) -> bool:
        """Whether the last boot found nothing to start."""
        return self.outcome is None or self.outcome.is_recovery

    def work(self, now_ns: int) -> int:
        """One step of the client and one cycle of the application; the time after it."""
        client = self.client
        if client is None:
            if not self.is_in_recovery:
                self.boot(ResetCause.WATCHDOG, now_ns)
            return now_ns
        if client.take_reset():
            self.boot(ResetCause.SOFTWARE, now_ns)
            return now_ns
        deadline_ns = client.next_deadline_ns()
        if client.state is UpdateState.TRIAL and not client.record.promised:
            self._trial(client, now_ns)
        elif deadline_ns is not None and client.state is not UpdateState.TRIAL:
            now_ns = max(now_ns, deadline_ns)
            client.step(now_ns)
        return max(now_ns, client.busy_until_ns)

    def _trial(self, client: UpdateClient, now_ns: int) -> None:
        match self.behaviour:
            case Behaviour.HANGS | Behaviour.HANGS_AT_START:
                self.boot(ResetCause.WATCHDOG, now_ns)
            case Behaviour.SELF_TEST_FAILS:
                client.report_self_test(False, now_ns, "as the image says")
            case _:
                client.report_self_test(True, now_ns)
                client.alive_cycle(now_ns)
