"""Broken domain controllers: watchdog, diagnostics, update, bus-off, robustness, power."""

from __future__ import annotations

from simcore.ecu.cdc import Cdc
from tests.mutants import services, services_update
from tests.mutants.actuators_control import _Late, _Never, _Served


class CdcWatchdogUnserved(_Served, Cdc):
    """Never serves its watchdog."""

    violates = ("WDG-003", "WDG-001")
    service_of = _Never


class CdcWatchdogLate(_Served, Cdc):
    """Serves its watchdog every 20 ms, too late for the window."""

    violates = ("WDG-003", "WDG-001")
    service_of = _Late


class CdcSilentAfterBusOff(services.SilentAfterBusOff, Cdc):
    """Stays silent on a bus for ever once it was bus-off there."""

    violates = ("COM-010",)


class CdcCrashesOnEmptyFrame(services_update.CrashesOnEmptyFrame, Cdc):
    """Reads the first byte of every frame, whether there is one or not."""

    violates = ("ROB-001",)


class CdcHangsOnPayload(services_update.HangsOnPayload, Cdc):
    """A frame full of ones sends it into an endless loop."""

    violates = ("ROB-001",)


class CdcWrongNrc(services.WrongNrc, Cdc):
    """Refuses an unknown identifier with 0x22 instead of 0x31."""

    violates = ("DIA-001",)


class CdcNoTroubleCodes(services.NoTroubleCodes, Cdc):
    """Finds faults and keeps no trouble codes."""

    violates = ("DIA-002",)


class CdcSignatureUnchecked(services_update.SignatureUnchecked, Cdc):
    """Checks the signature neither of metadata nor of images."""

    violates = ("OTA-001",)


class CdcConfirmsTooEarly(services_update.ConfirmsTooEarly, Cdc):
    """Confirms new software before its self-test."""

    violates = ("OTA-004",)


class CdcStartsOnce(services_update.StartsOnce, Cdc):
    """Does not come up again after a loss of supply."""

    violates = ("PWR-001",)
