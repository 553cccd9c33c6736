"""Defects of any ECU beside what it is for: update, robustness, power.

Each is a mixin that stands before `Emb` or `Cdc`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from simcore.bus import Frame
from simcore.ecu.runtime.schedule import ScheduleTable
from simcore.ecu.runtime.software import Software
from simcore.units import NS_PER_MS
from simcore.update.client_checks import ImageChecks
from simcore.update.guards import Conditions, GuardSettings, holding_rows
from simcore.update.verification_steps import Steps
from simcore.update.verification_verdict import Check
from tests.mutants.altering import (
    Patched,
    ThroughPort,
)

# -- update ----------------------------------------------------------------------------------------


def _nothing(*arguments: Any, **more: Any) -> None:
    """A check that finds nothing."""


def _yes(*arguments: Any, **more: Any) -> bool:
    return True


_CHECKED = ImageChecks.failure
_ORDER = Steps._check_order
_HOLDING = holding_rows


def _failure_but_counters(
    self: Any, check: str, area: Any, target: Any, stored: int, release: int
) -> Any:
    if check in ("release counter", "security counter"):
        return None
    return _CHECKED(self, check, area, target, stored, release)


def _order_but_hardware(self: Any, each: Any, hardware_id: str) -> Any:
    finding = _ORDER(self, each, hardware_id)
    return None if finding is not None and finding.check is Check.HARDWARE_ID else finding


class SignatureUnchecked(Patched):
    """Checks the signature neither of metadata nor of images."""

    patches: ClassVar[Mapping[str, Any]] = {
        "simcore.update.verification_roles:RepositoryCheck._check_signatures": _nothing,
        "simcore.update.verification_steps:is_signed": _yes,
        "simcore.update.image_verify:_authentic": _nothing,
    }


class ImageSignatureUnchecked(Patched):
    """Checks the metadata, and takes an image whoever signed it."""

    patches: ClassVar[Mapping[str, Any]] = {
        "simcore.update.image_verify:_authentic": _nothing,
    }


class DowngradeAccepted(Patched):
    """Takes software and metadata that are older than its own."""

    patches: ClassVar[Mapping[str, Any]] = {
        "simcore.update.verification_roles:RepositoryCheck._check_version": _nothing,
        "simcore.update.verification_steps:Steps._check_order": _nothing,
        "simcore.update.image_verify:_not_older": _nothing,
        "simcore.update.security_counter:SecurityCounter.value": property(lambda self: 0),
        "simcore.update.client_checks:ImageChecks.failure": _failure_but_counters,
    }


class OtherHardwareAccepted(Patched):
    """Takes software that was made for other hardware."""

    patches: ClassVar[Mapping[str, Any]] = {
        "simcore.update.verification_steps:Steps._check_order": _order_but_hardware,
        "simcore.update.image_verify:_for_this_hardware": _nothing,
    }


def _parked(conditions: Conditions, settings: GuardSettings) -> dict[str, bool]:
    held = _HOLDING(conditions, settings)
    moving = ("speed_sources", "speed", "standstill", "park_commanded", "park_confirmed")
    return {**held, **dict.fromkeys((*moving, "ignition", "intervention"), True)}


class ActivatesWhileMoving(Patched):
    """Activates new software whether the vehicle stands and is parked or not."""

    patches: ClassVar[Mapping[str, Any]] = {"simcore.update.guards:holding_rows": _parked}


def _consenting(conditions: Conditions, settings: GuardSettings) -> dict[str, bool]:
    return {**_HOLDING(conditions, settings), "consent": True}


class ConsentIgnored(Patched):
    """Activates new software without the driver's consent."""

    patches: ClassVar[Mapping[str, Any]] = {"simcore.update.guards:holding_rows": _consenting}


def _confirmed_at_once(self: Software, client: Any, now_ns: int) -> None:
    if not self._judged:
        self._judged = True
        for _ in range(client.settings.alive_cycles):
            client.alive_cycle(now_ns)
        client.report_self_test(True, now_ns, "")
    self._alive_ns = now_ns + 20 * NS_PER_MS


class ConfirmsTooEarly(Patched):
    """Confirms new software before its self-test."""

    patches: ClassVar[Mapping[str, Any]] = {
        "simcore.ecu.runtime.software:Software._try_image": _confirmed_at_once,
    }


class TriesUnlimited:
    """Starts an unconfirmed image fifteen times before it goes back."""

    def boot_stage(self, now_ns: int) -> Any:
        settings = self.software_settings
        if settings is not None and settings.boot.tries < 15:
            boot = replace(settings.boot, tries=15)
            self.software_settings = replace(settings, boot=boot)
        return super().boot_stage(now_ns)


class AuditMissing(Patched):
    """Writes nothing into its audit log."""

    patches: ClassVar[Mapping[str, Any]] = {
        "simcore.ecu.runtime.software:LoggedSteps.append": _nothing,
    }


# -- robustness ------------------------------------------------------------------------------------


class CrashesOnEmptyFrame:
    """Reads the first byte of every frame, whether there is one or not."""

    def receive(self, frame: Frame, now_ns: int) -> None:
        frame.data[0]
        super().receive(frame, now_ns)


class CrashesOnExtendedFrame:
    """Has no acceptance filter, and takes every identifier for an index of 2048."""

    _seen: bytearray

    def start(self, port: Any, now_ns: int) -> None:
        self._seen = bytearray(0x800)
        super().start(port, now_ns)

    def _accept(self, application: Any) -> None:
        super()._accept(application)
        self.port.accept(None)

    def receive(self, frame: Frame, now_ns: int) -> None:
        self._seen[frame.arbitration_id] = 1
        super().receive(frame, now_ns)


class CrashesOnReservedPci:
    """Knows four kinds of transport frames, and what a fifth one would be it finds nowhere."""

    def receive(self, frame: Frame, now_ns: int) -> None:
        if self._diagnostic is not None and frame.data:
            if frame.arbitration_id == self._diagnostic.request.arbitration_id:
                ("single", "first", "consecutive", "flow control")[frame.data[0] >> 4]
        super().receive(frame, now_ns)


class HangsOnPayload:
    """A frame full of ones sends it into an endless loop."""

    _hung_ns: int | None = None

    def start(self, port: Any, now_ns: int) -> None:
        self._hung_ns = None
        super().start(port, now_ns)

    def receive(self, frame: Frame, now_ns: int) -> None:
        if len(frame.data) >= 8 and set(frame.data) == {0xFF}:
            self._hung_ns = now_ns
        super().receive(frame, now_ns)

    def next_deadline_ns(self) -> int | None:
        return super().next_deadline_ns() if self._hung_ns is None else self._hung_ns

    def on_timer(self, now_ns: int) -> None:
        if self._hung_ns is None:
            super().on_timer(now_ns)

    fixed_schedule = False


class MemoryGrows:
    """Keeps every frame that it has ever received."""

    def start(self, port: Any, now_ns: int) -> None:
        self._frames: list[Frame] = []
        super().start(port, now_ns)

    def receive(self, frame: Frame, now_ns: int) -> None:
        self._frames.append(Frame(frame.arbitration_id, bytes(frame.data), is_fd=True))
        super().receive(frame, now_ns)


class AnswersEverybody(ThroughPort):
    """Echoes every frame that it cannot understand."""

    def receive(self, frame: Frame, now_ns: int) -> None:
        message = self.message_of(frame)
        if message is not None and len(frame.data) != message.length and message.e2e is not None:
            self.bare.send(Frame(0x7F0, bytes(8), is_fd=True))
        super().receive(frame, now_ns)


# -- power -----------------------------------------------------------------------------------------


class ForgetsMemory(ThroughPort):
    """Has a non-volatile memory that is not: every start begins with an empty one."""

    _memory: dict[str, bytes]

    def start(self, port: Any, now_ns: int) -> None:
        self._memory = {}
        super().start(port, now_ns)

    @property
    def kept(self) -> dict[str, bytes]:
        return self._memory


class StartsOnce(ThroughPort):
    """Does not come up again after a loss of supply: the second start finds nothing to do."""

    _started = False

    def start(self, port: Any, now_ns: int) -> None:
        if self._started:
            self.port = port
            self._tasks, self._receptions = [], {}
            self._workers = []
            self._schedule = ScheduleTable((), now_ns)
            return
        self._started = True
        super().start(port, now_ns)
