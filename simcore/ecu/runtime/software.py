"""The software of an ECU as a thing that can change: bootloader, image that runs, update client.

`Software` stands between the ECU's runtime and `simcore.update`: it boots before the application
starts, starts the update client on what the bootloader found, gives it time, and resets the ECU
when it must. What a tester can ask of it is in software_rows.py. An image does not change what the
simulated application does, except as its `Behaviour` says: then the self-test fails, or nothing
runs at all until the watchdog resets the ECU. Without a valid image only diagnostics runs.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from simcore.diag.codes import ResetKind
from simcore.diag.dtc_status import TEST_FAILED
from simcore.units import NS_PER_MS
from simcore.update.audit import AuditLog
from simcore.update.bootloader import Bootloader, BootOutcome, BootSettings
from simcore.update.client import UpdateClient
from simcore.update.client_audit import ClientLog
from simcore.update.client_checks import attack_of
from simcore.update.client_ports import Verification
from simcore.update.client_settings import ClientSettings
from simcore.update.flash import Flash
from simcore.update.guards import Conditions, ConditionsSource
from simcore.update.image_format import Behaviour, Image
from simcore.update.layout import FlashLayout
from simcore.update.states import UpdateState
from simcore.watchdog.statuses import GlobalStatus

if TYPE_CHECKING:
    from simcore.ecu.runtime.ecu import Ecu
    from simcore.ecu.runtime.trouble_codes import TroubleCodeReports
    from simcore.ecu.seam import Port
    from simcore.update.reset_cause import ResetCause

POLL_NS = 100 * NS_PER_MS
"""How often the conditions of an update are looked at while one is under way."""
SELF_TEST_NS = 500 * NS_PER_MS
"""After the start of an image on trial; then its self-test is judged."""
_CHECK_IMMEDIATELY = 0x80
"""Severity of a trouble code (ISO 14229-1:2020, annex D.3)."""
_CYCLE_NS = 20 * NS_PER_MS
"""Between two looks at whether the tasks of an image on trial go round."""
LAST_ATTACK = "update attack"
"""Key in the non-volatile memory: cause of the refusal that named an attack last."""
_CONSENT = "update consent"
_SILENT = (Behaviour.HANGS, Behaviour.HANGS_AT_START)
_EXPIRED = (GlobalStatus.EXPIRED, GlobalStatus.STOPPED)
_QUIET = frozenset({UpdateState.IDLE, UpdateState.RECOVERY})


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftwareSettings:
    """What the factory knows of an ECU's software."""

    layout: FlashLayout
    boot: BootSettings
    client: ClientSettings
    verification: Verification
    ecu_key: bytes
    """Private key of the ECU: signs version reports and the audit log."""
    factory_file: str
    """Filename of the image from the factory."""
    rxswin: str
    """Identification of the type-approved software (UN R156, 7.1.2.4)."""

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


def has_active_fault(codes: TroubleCodeReports) -> bool:
    """Whether a test of a code that is to be looked at immediately fails now."""
    memory = codes.memory
    return memory is not None and any(
        dtc.severity & _CHECK_IMMEDIATELY and memory.status(dtc.code) & TEST_FAILED
        for dtc in memory.settings.dtcs
    )


class SoftwareConditions:
    """The ECU's conditions, with the driver's consent and whether the other ECUs are ready."""

    __slots__ = ("_memory", "dependents_ready", "source")

    def __init__(self, memory: MutableMapping[str, bytes]) -> None:
        self._memory = memory
        self.source: ConditionsSource | None = None
        """`None` before the application has started: unfit for anything."""
        self.dependents_ready = False

    @property
    def consent(self) -> bool:
        """Whether the driver agrees; kept over resets."""
        return self._memory.get(_CONSENT) == b"\x01"

    @consent.setter
    def consent(self, given: bool) -> None:
        self._memory[_CONSENT] = bytes((given,))

    def conditions(self, now_ns: int) -> Conditions:
        """The conditions at `now_ns`."""
        if self.source is None:
            return Conditions()
        return replace(
            self.source.conditions(now_ns),
            consent=self.consent,
            dependents_ready=self.dependents_ready,
        )


class LoggedSteps(ClientLog):
    """The audit log, every entry an event of the run too."""

    __slots__ = ("_port",)

    def __init__(self, log: AuditLog, port: Port) -> None:
        super().__init__(log)
        self._port = port

    def append(self, step: int, text: str, now_ns: int) -> None:
        """Add an entry."""
        super().append(step, text, now_ns)
        self._port.log("state", f"update {text}")


class Software:
    """The software of one ECU from one start to the next; a `BootStage` and a `Worker`."""

    __slots__ = (
        "_alive_ns",
        "_attended",
        "_audit",
        "_bootloader",
        "_client",
        "_ecu",
        "_ends",
        "_has_started",
        "_judged",
        "_pause_ns",
        "_poll_ns",
        "_self_test",
        "_started_ns",
        "_waited",
        "conditions",
        "flash",
        "outcome",
        "settings",
    )

    def __init__(self, ecu: Ecu, settings: SoftwareSettings, flash: Flash) -> None:
        self._ecu = ecu
        self.settings = settings
        self.flash = flash
        self._bootloader: Bootloader | None = None
        self.outcome: BootOutcome | None = None
        """What the bootloader came to; `None` while it works."""
        self.conditions = SoftwareConditions(ecu.port.memory)
        self._has_started = False
        self._client: UpdateClient | None = None
        self._audit: AuditLog | None = None
        self._self_test: Callable[[int], str] | None = None
        self._judged = False
        self._attended = False
        self._waited = False
        self._ends = False
        """The reset is ordered: the client has nothing to do before it."""
        self._started_ns = self._alive_ns = self._poll_ns = self._pause_ns = 0

    # -- the bootloader's time --------------------------------------------------------------------

    def boots_at_once(self, now_ns: int) -> bool:
        """Begin to boot; whether that was all of it.

        A boot that finds nothing to do takes no time of its own: that of an ordinary start is in
        the start-up times of the application.
        """
        self._pause_ns = self._piece() or 0
        return not self._pause_ns

    def step(self, now_ns: int) -> int | None:
        """The next piece of the boot; see `BootStage`."""
        pause_ns, self._pause_ns = self._pause_ns, 0
        return pause_ns or self._piece()

    def _piece(self) -> int | None:
        cause: ResetCause = self._ecu.port.reset_cause
        step = self.bootloader.step(cause)
        if not step.done:
            if not self._waited:
                self._waited = True
                self._ecu.port.log("state", "bootloader at work")
            return max(step.busy_ns, 1)
        self.outcome = step.outcome
        self._bootloader = None  # all it knows is in flash
        return None

    @property
    def bootloader(self) -> Bootloader:
        """The bootloader, for what the application asks of it too."""
        if self._bootloader is None:
            settings = self.settings
            self._bootloader = Bootloader(self.flash, settings.layout, settings.boot)
        return self._bootloader

    # -- the application's time -------------------------------------------------------------------

    @property
    def has_client(self) -> bool:
        """Whether there is an update client, opened or not."""
        return self._has_started

    @property
    def client(self) -> UpdateClient | None:
        """The update client; `None` until the application starts.

        Where no update ever was, it is opened when it is first asked for: what it would have done
        since the start is nothing.
        """
        if self._client is None and self._has_started:
            self._open()
        return self._client

    @property
    def audit(self) -> AuditLog | None:
        """The audit log; `None` until the application starts."""
        if self._client is None and self._has_started:
            self._open()
        return self._audit

    @property
    def is_untouched(self) -> bool:
        """Whether the flash holds no record of any update: nothing is under way, nor ever was."""
        return self.settings.layout.records.on(self.flash).is_blank

    @property
    def image(self) -> Image | None:
        """The image that runs."""
        return None if self.outcome is None else self.outcome.image

    @property
    def is_silent(self) -> bool:
        """Whether no task of this image ever runs, or there is no image."""
        image = self.image
        return image is None or image.behaviour in _SILENT

    @property
    def answers(self) -> bool:
        """Whether diagnostics runs: in every image that does not hang, and without one."""
        return self.image is None or not self.is_silent

    def start(self, now_ns: int) -> None:
        """The application is about to start: the update client goes on where it was."""
        outcome = self.outcome
        assert outcome is not None
        port = self._ecu.port
        if outcome.is_recovery:
            port.log("state", "no valid software: diagnostics only")
        elif outcome.why and (outcome.trial or self._waited):
            port.log("state", f"starts {outcome.version} ({outcome.why})")
        if outcome.image is not None and outcome.image.behaviour is Behaviour.HANGS_AT_START:
            return
        self._has_started = True
        self._started_ns = self._alive_ns = self._poll_ns = now_ns
        if outcome.trial or outcome.is_recovery or not self.is_untouched:
            self._open()

    def _open(self) -> None:
        """The client goes on where it was at the start."""
        settings, outcome = self.settings, self.outcome
        assert outcome is not None
        self._audit = AuditLog(
            settings.layout.audit.on(self.flash), ecu=settings.client.ecu_id, key=settings.ecu_key
        )
        self._client = UpdateClient(
            self.flash,
            settings.layout,
            self.bootloader,
            settings.verification,
            LoggedSteps(self._audit, self._ecu.port),
            self.conditions,
            settings.client,
        )
        self._client.start(outcome, self._started_ns)

    def begin(self, source: ConditionsSource, self_test: Callable[[int], str] | None) -> None:
        """The application is built: where conditions come from, and what its self-test says.

        `self_test(now_ns)` returns what is wrong, empty for nothing.
        """
        self.conditions.source = source
        self._self_test = self_test
        if self._client is not None and self._client.state not in _QUIET:
            self.attend()

    def attend(self) -> None:
        """Take part in the ECU's time from now on: an update is under way."""
        if not self._attended:
            self._attended = True
            self._ecu.attends(self)

    # -- Worker -----------------------------------------------------------------------------------

    def on_timer(self, now_ns: int) -> None:
        """Whatever is due."""
        client = self.client
        assert client is not None
        if client.state is UpdateState.TRIAL and not self.is_silent:
            self._try_image(client, now_ns)
        if now_ns >= self._poll_ns:
            self._poll_ns = now_ns + POLL_NS
            self.conditions.conditions(now_ns)
        client.step(now_ns)
        self.look()

    def look(self, *, answering: bool = False) -> None:
        """After every call of the client: does it want a reset? `answering` a request, that is."""
        client = self.client
        if client is None:
            return
        self._keep_attack(client)
        if client.take_reset():
            self._ends = True
            self._reset(answering)

    def _keep_attack(self, client: UpdateClient) -> None:
        """The version report names the last attack until other software is committed."""
        memory = self._ecu.port.memory
        cause = client.cause
        if cause and client.attack is not None and attack_of(cause) is not None:
            memory[LAST_ATTACK] = cause.encode()
        elif client.state is UpdateState.COMMITTED:
            memory.pop(LAST_ATTACK, None)

    def _reset(self, answering: bool) -> None:
        """Reset the ECU; once the answer has left, where a tester waits for one."""
        diagnostics = self._ecu.diagnostics
        if diagnostics is not None and (answering or diagnostics.is_answering):
            diagnostics.server.request_reset(ResetKind.HARD)
        else:
            self._ecu.reset(ResetKind.HARD)

    def next_deadline_ns(self) -> int | None:
        """When to call `on_timer` next."""
        client = self.client
        if client is None or self._ends:
            return None
        due_ns = client.next_deadline_ns()
        if client.state in _QUIET:
            return due_ns
        soonest_ns = self._poll_ns if due_ns is None else min(due_ns, self._poll_ns)
        if client.state is UpdateState.TRIAL and not self.is_silent:
            soonest_ns = min(soonest_ns, self._alive_ns)
        return soonest_ns

    def _try_image(self, client: UpdateClient, now_ns: int) -> None:
        """The trial of a new image: its tasks go round, then its self-test is judged."""
        if now_ns < self._alive_ns:
            return
        self._alive_ns = now_ns + _CYCLE_NS
        if self._ecu.supervision.global_status not in _EXPIRED:
            client.alive_cycle(now_ns)
        if not self._judged and now_ns - self._started_ns >= SELF_TEST_NS:
            self._judged = True
            wrong = "" if self._self_test is None else self._self_test(now_ns)
            image = self.image
            if image is not None and image.behaviour is Behaviour.SELF_TEST_FAILS:
                wrong = wrong or "checksum of the calibration data"
            self._ecu.port.log("state", f"self-test: {wrong or 'passed'}")
            client.report_self_test(not wrong, now_ns, wrong)
