"""Broken actuators: diagnostics, update, bus-off, robustness, power; defects from `services`."""

from __future__ import annotations

from simcore.ecu.emb import Emb
from simcore.ecu.emb.application import Application
from tests.mutants import services, services_update
from tests.mutants.altering import Operated


class EmbSilentAfterBusOff(services.SilentAfterBusOff, Emb):
    """Stays silent on a bus for ever once it was bus-off there."""

    violates = ("COM-010",)


class EmbStormAfterBusOff(services.StormAfterBusOff, Emb):
    """Sends its last frame every 300 us for 300 ms once a bus-off is over."""

    violates = ("COM-010",)


class EmbWrongNrc(services.WrongNrc, Emb):
    """Refuses an unknown identifier with 0x22 instead of 0x31."""

    violates = ("DIA-001",)


class EmbLengthUnchecked(services.LengthUnchecked, Emb):
    """Refuses a request of the wrong length with 0x12 instead of 0x13."""

    violates = ("DIA-001",)


class EmbTesterPresentUnheard(services.TesterPresentUnheard, Emb):
    """Knows no TesterPresent."""

    violates = ("DIA-001",)


class EmbSuppressBitIgnored(services.SuppressBitIgnored, Emb):
    """Answers where the request says that no answer is wanted."""

    violates = ("DIA-001",)


class EmbSessionNeverEnds(services.SessionNeverEnds, Emb):
    """Stays in the extended session without a tester."""

    violates = ("DIA-001",)


class EmbSessionEndsEarly(services.SessionEndsEarly, Emb):
    """Ends a session 2 s after the last request instead of 5."""

    violates = ("DIA-001",)


class EmbFunctionalRefused(services.FunctionalRefused, Emb):
    """Answers functional requests that do not concern it with a refusal."""

    violates = ("DIA-001",)


class EmbAnswersLate(services.AnswersLate, Emb):
    """Answers after 80 ms, and does not say that it takes longer."""

    violates = ("DIA-001",)


class EmbDefaultSessionRefused(services.DefaultSessionRefused, Emb):
    """Says yes to the default session and stays in the other one."""

    violates = ("DIA-001",)


class EmbVinWritable(services.VinWritable, Emb):
    """Lets anybody write the vehicle identification number."""

    violates = ("DIA-001", "OTA-006")


class EmbCalibrationOpen(services.CalibrationOpen, Emb):
    """Lets anybody write calibration in the extended session, without a key."""

    violates = ("DIA-001",)


class EmbKeyConstant(services.KeyConstant, Emb):
    """Has the same key for every seed: eight zeros."""

    violates = ("DIA-001",)


class EmbResetWhileMoving(services.ResetWhileMoving, Emb):
    """Resets itself for a tester at any speed."""

    violates = ("DIA-001",)


class EmbNoTroubleCodes(services.NoTroubleCodes, Emb):
    """Finds faults and keeps no trouble codes."""

    violates = ("DIA-002",)


class EmbSignatureUnchecked(services_update.SignatureUnchecked, Emb):
    """Checks the signature neither of metadata nor of images."""

    violates = ("OTA-001",)


class EmbImageSignatureUnchecked(services_update.ImageSignatureUnchecked, Emb):
    """Checks the metadata, and takes an image whoever signed it."""

    violates = ("OTA-001",)


class EmbDowngradeAccepted(services_update.DowngradeAccepted, Emb):
    """Takes software and metadata that are older than its own."""

    violates = ("OTA-001",)


class EmbOtherHardwareAccepted(services_update.OtherHardwareAccepted, Emb):
    """Takes software that was made for other hardware."""

    violates = ("OTA-001",)


class EmbActivatesWhileMoving(services_update.ActivatesWhileMoving, Emb):
    """Activates new software whether the vehicle stands and is parked or not."""

    violates = ("OTA-003",)


class EmbConsentIgnored(services_update.ConsentIgnored, Emb):
    """Activates new software without the driver's consent."""

    violates = ("OTA-003",)


class EmbConfirmsTooEarly(services_update.ConfirmsTooEarly, Emb):
    """Confirms new software before its self-test."""

    violates = ("OTA-004",)


class EmbTriesUnlimited(services_update.TriesUnlimited, Emb):
    """Starts an unconfirmed image fifteen times before it goes back."""

    violates = ("OTA-004",)


class EmbAuditMissing(services_update.AuditMissing, Emb):
    """Writes nothing into its audit log."""

    violates = ("OTA-006",)


class EmbCrashesOnEmptyFrame(services_update.CrashesOnEmptyFrame, Emb):
    """Reads the first byte of every frame, whether there is one or not."""

    violates = ("ROB-001",)


class EmbCrashesOnExtendedFrame(services_update.CrashesOnExtendedFrame, Emb):
    """Has no acceptance filter, and takes every identifier for an index of 2048."""

    violates = ("ROB-001",)


class EmbCrashesOnReservedPci(services_update.CrashesOnReservedPci, Emb):
    """Knows four kinds of transport frames and looks a fifth one up in the same table."""

    violates = ("ROB-001", "DIA-001")


class EmbHangsOnPayload(services_update.HangsOnPayload, Emb):
    """A frame full of ones sends it into an endless loop."""

    violates = ("ROB-001",)


class EmbMemoryGrows(services_update.MemoryGrows, Emb):
    """Keeps every frame that it has ever received."""

    violates = ("COM-011", "ROB-001")


class EmbForgetsMemory(services_update.ForgetsMemory, Emb):
    """Has a non-volatile memory that is not: every start begins with an empty one."""

    violates = ("PWR-001", "DIA-002")


class EmbStartsOnce(services_update.StartsOnce, Emb):
    """Does not come up again after a loss of supply."""

    violates = ("PWR-001",)


class _Offended(Application):
    __slots__ = ()

    def _recover(self, supply_v: float, now_ns: int) -> None:
        """Never again."""


class NoRecoveryFromLowSupply(Operated, Emb):
    """Stays released for ever after one brown-out."""

    violates = ("SAF-005", "PWR-001")

    def operate(self) -> None:
        self.application.__class__ = _Offended
