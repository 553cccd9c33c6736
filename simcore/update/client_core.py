"""Core of the update client: state, record, audit log and pacing; no work and no commands."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from simcore.update.client_checks import ImageChecks, attack_of
from simcore.update.client_memory import ClientMemory, Order
from simcore.update.client_ports import BootControl, StepLog, Verification
from simcore.update.client_settings import ClientSettings
from simcore.update.consent import Consent
from simcore.update.events import UpdateEvent
from simcore.update.flash import Flash
from simcore.update.guards import Conditions, ConditionsSource, Refused, Row, refusal
from simcore.update.layout import FlashLayout
from simcore.update.record import UpdateRecord
from simcore.update.security_counter import SecurityCounter
from simcore.update.states import TRANSITIONS, VOLATILE, UpdateState
from simcore.update.trusted import TrustedMetadata
from simcore.update.verification_verdict import Attack


class ClientCore:
    """State, record, audit log and pacing of one ECU's update."""

    def __init__(
        self,
        flash: Flash,
        layout: FlashLayout,
        bootloader: BootControl,
        verification: Verification,
        audit: StepLog,
        conditions: ConditionsSource,
        settings: ClientSettings,
    ) -> None:
        self.settings = settings
        self.layout = layout
        self._flash = flash
        self._boot = bootloader
        self._verification = verification
        self._audit = audit
        self._source = conditions
        self._checks = ImageChecks(settings)
        self._counter = SecurityCounter(flash, layout)
        self._memory = ClientMemory(flash, layout, settings)
        self._state = self._memory.record.state
        self._consent = Consent(settings.consent_ns)
        self._busy_until_ns = 0
        self._reset_wanted = False
        self._detail = ""

    # ---- what others may know ----

    @property
    def state(self) -> UpdateState:
        """Where the update stands."""
        return self._state

    @property
    def record(self) -> UpdateRecord:
        """As persisted."""
        return self._memory.record

    @property
    def cause(self) -> str:
        """Why the campaign failed or was taken back; empty where it did not."""
        return self._memory.record.cause

    @property
    def detail(self) -> str:
        """The sentence behind the cause; gone after a restart."""
        return self._detail

    @property
    def attack(self) -> Attack | None:
        """The attack that was refused last, since other software was committed."""
        code = self._memory.record.attack
        return Attack(code) if code else None

    @property
    def order(self) -> Order | None:
        """What verified metadata order for this ECU in the campaign under way."""
        return self._memory.order

    @property
    def trusted(self) -> TrustedMetadata:
        """The metadata that are trusted: raised once an image is confirmed."""
        return self._memory.trusted

    @property
    def busy_until_ns(self) -> int:
        """Until when flash and checks keep the client busy."""
        return self._busy_until_ns

    def take_reset(self) -> bool:
        """Whether the ECU must reset now; true once."""
        wanted, self._reset_wanted = self._reset_wanted, False
        return wanted

    # ---- transitions ----

    def _go(self, event: UpdateEvent, now_ns: int, **changes: Any) -> bool:
        """Take a transition of the table: record first, then audit log."""
        before = self._state
        following = TRANSITIONS.get((before, event))
        if following is None:
            return False
        record = self._memory.record
        is_idle = following is UpdateState.IDLE and record.state is UpdateState.IDLE
        self._state = following
        found = attack_of(str(changes.get("cause", "")))
        if found is not None:
            changes["attack"] = int(found)
        if following in VOLATILE or is_idle:
            self._log(record.steps, _text(before, event, following, record.version, ""), now_ns)
        else:
            self._persist(
                state=following, previous=before, event=event, steps=record.steps + 1, **changes
            )
            self._log_record(now_ns)
        self._entered(before, following, now_ns)
        return True

    def _entered(self, before: UpdateState, following: UpdateState, now_ns: int) -> None:
        """What begins with a state; see client_steps.py."""
        raise NotImplementedError

    def _persist(self, **changes: Any) -> None:
        self._memory.persist(replace(self._memory.record, **changes))

    def _log_record(self, now_ns: int) -> None:
        record = self._memory.record
        text = _text(record.previous, record.event, record.state, record.version, record.cause)
        self._log(record.steps, text, now_ns)

    def _log_missing(self, now_ns: int) -> None:
        """Make good the entry of a transition whose audit entry a cut swallowed."""
        if self._audit.last_step() < self._memory.record.steps:
            self._log_record(now_ns)

    def _log(self, step: int, text: str, now_ns: int) -> None:
        self._audit.append(step, text, now_ns)

    def _was_swapped(self) -> bool:
        """Whether the installed image was ever swapped in: then the spare sector, which the
        installation left blank, holds the old image's first one."""
        slot = self.layout.secondary.on(self._flash)
        return not slot.is_erased(0, slot.sector_size)

    # ---- guards and pacing ----

    def _refusal(self, guard: tuple[Row, ...], now_ns: int) -> Refused | None:
        conditions = self._conditions(now_ns)
        return refusal(guard, conditions, self.settings.guards)

    def _conditions(self, now_ns: int) -> Conditions:
        """Those of the ECU, with what only the flash knows."""
        conditions = self._source.conditions(now_ns)
        left = self._flash.geometry.endurance - self._flash.worst_wear
        left = min(left, conditions.erase_cycles_left)
        room = conditions.audit_room and self._audit.has_room()
        return replace(conditions, erase_cycles_left=left, audit_room=room)

    def _take_time(self, now_ns: int, checked_size: int = 0) -> None:
        """Account for the flash operations so far and for bytes that were hashed."""
        busy_ns = self._flash.take_busy_ns() + checked_size * self.settings.verify_ns_per_byte
        self._busy_until_ns = max(self._busy_until_ns, now_ns) + busy_ns


def _text(
    before: UpdateState, event: UpdateEvent, after: UpdateState, version: str, cause: str
) -> str:
    words = [f"{before.name} -> {after.name}: {event.name}"]
    if version:
        words.append(f"version {version}")
    if cause:
        words.append(cause)
    return "; ".join(words)
