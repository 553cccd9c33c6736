"""What a tester can ask about the software of an ECU: rows of its diagnostic table.

Download areas for metadata and image, an upload area for the audit log, routines for every command
of the update client, and identifiers that say what runs, none of which can be written (OTA-006).
A refusal is the NRC of the guard's row; its reason is an event of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from simcore.diag.access import Access
from simcore.diag.codes import Nrc, Session
from simcore.diag.operation import Answer
from simcore.diag.rows import Did, MemoryArea, Routine
from simcore.ecu.runtime.diagnostics_rows import (
    PROGRAMMER,
    PROGRAMMING_LEVEL,
    DiagnosticExtras,
)
from simcore.ecu.runtime.software import LAST_ATTACK, Software
from simcore.ecu.runtime.software_answers import OK, SoftwareAnswers, UntilState, verdict
from simcore.ecu.runtime.software_areas import (
    AUDIT_ADDRESS,
    IMAGE_ADDRESS,
    METADATA_ADDRESS,
    METADATA_SIZE_MAX,
    AuditTarget,
    ImageTarget,
    MetadataTarget,
)
from simcore.update.bundle_authority import Authorisation, Decision, is_genuine
from simcore.update.client import Result, UpdateClient
from simcore.update.client_checks import attack_of
from simcore.update.guards import ACTIVATION_GUARD, Refused, refusal
from simcore.update.states import UpdateState
from simcore.update.verification import Installed
from simcore.update.version_report import VersionReport

if TYPE_CHECKING:
    from simcore.ecu.runtime.ecu import Ecu

STATUS_DID = 0xF1A0
REPORT_DID = 0xF1A1
AUDIT_DID = 0xF1A2
RXSWIN_DID = 0xF1A3
ERASE_RID, DEPENDENCIES_RID = 0xFF00, 0xFF01
CHECK_RID, PRECONDITIONS_RID = 0x0202, 0x0203
ANNOUNCE_RID, CONSENT_RID, INSTALL_RID, ACTIVATE_RID = 0x0210, 0x0211, 0x0212, 0x0213
COMMIT_RID, ROLLBACK_RID, CANCEL_RID, SUSPEND_RID, REPORTED_RID = (
    0x0214,
    0x0215,
    0x0216,
    0x0217,
    0x0218,
)
IN_UPDATE = Access(
    sessions=(Session.EXTENDED, Session.PROGRAMMING),
    level=PROGRAMMING_LEVEL,
    role=PROGRAMMER,
    either=True,
)
"""By certificate in the extended session too: images are loaded while the vehicle drives."""
_REPORTS = "version reports"
"""Key in the non-volatile memory: how many were made."""
_S = UpdateState


class SoftwareRows(SoftwareAnswers):
    """Handlers of one ECU's software."""

    __slots__ = ("installed",)

    def __init__(self, ecu: Ecu, software: Software) -> None:
        super().__init__(ecu, software)
        self.installed: Callable[[], Mapping[str, Installed]] | None = None
        """What the other ECUs run, where this one knows."""

    def extras(self) -> DiagnosticExtras:
        """Everything there is, for the ECU's table."""
        layout = self._software.settings.layout
        image = MemoryArea(
            "image", IMAGE_ADDRESS, layout.download.size, ImageTarget(self), download=IN_UPDATE
        )
        metadata = MemoryArea(
            "metadata",
            METADATA_ADDRESS,
            METADATA_SIZE_MAX,
            MetadataTarget(self, layout.metadata.on(self._software.flash)),
            download=IN_UPDATE,
        )
        audit = MemoryArea(
            "audit log", AUDIT_ADDRESS, 1 << 20, AuditTarget(self._software), upload=IN_UPDATE
        )
        return DiagnosticExtras(
            dids=self._dids(), routines=self._routines(), areas=(image, metadata, audit)
        )

    # -- identifiers ------------------------------------------------------------------------------

    def _dids(self) -> tuple[Did, ...]:
        rxswin = self._software.settings.rxswin.encode()
        return (
            Did(0xF188, "vehicleManufacturerECUSoftwareNumber", None, read=self._file),
            Did(0xF189, "vehicleManufacturerECUSoftwareVersionNumber", None, read=self._version),
            Did(0xF195, "systemSupplierECUSoftwareVersionNumber", None, read=self._version),
            Did(STATUS_DID, "update: state, bytes, size, tries, cause", None, read=self._status),
            Did(REPORT_DID, "ECU version report, signed", None, read=self._report),
            Did(AUDIT_DID, "audit log: entries, free bytes", 8, read=self._audit),
            Did(RXSWIN_DID, "RXSWIN (UN R156)", len(rxswin), read=rxswin),
        )

    def _file(self, now_ns: int) -> Answer:
        return self._filename().encode()

    def _filename(self) -> str:
        client, image = self._software.client, self._software.image
        if client is not None and image is not None:
            order = client.order
            if order is not None and order.target.version == image.version:
                return order.target.filename
        return self._software.settings.factory_file

    def _version(self, now_ns: int) -> Answer:
        image = self._software.image
        return b"none" if image is None else str(image.version).encode()

    def _status(self, now_ns: int) -> Answer:
        client = self._software.client
        if client is None:
            return Nrc.CONDITIONS_NOT_CORRECT
        done, size = client.progress
        record = client.record
        numbers = done.to_bytes(4, "big") + size.to_bytes(4, "big")
        flags = record.promised | client.is_doubtful << 1
        return bytes((client.state, record.tries, flags)) + numbers + client.cause.encode()[:200]

    def _report(self, now_ns: int) -> Answer:
        client, image = self._software.client, self._software.image
        if client is None or image is None:
            return Nrc.CONDITIONS_NOT_CORRECT
        memory = self._ecu.port.memory
        count = int.from_bytes(memory.get(_REPORTS, b""), "big") + 1
        memory[_REPORTS] = count.to_bytes(4, "big")
        cause = memory.get(LAST_ATTACK, b"").decode()
        counters = client.trusted.release_counters
        report = VersionReport(
            ecu_id=client.settings.ecu_id,
            hardware_id=client.settings.hardware_id,
            filename=self._filename(),
            length=image.size,
            sha256=client.running_hash(),
            version=image.version,
            release_counter=counters.get(client.settings.ecu_id, 0),
            security_counter=image.security_counter or 0,
            attack=attack_of(cause),
            attack_text=cause,
            time_s=client.trusted.time_s,
            counter=count,
        )
        return report.to_bytes(self._software.settings.ecu_key)

    def _audit(self, now_ns: int) -> Answer:
        audit = self._software.audit
        if audit is None:
            return Nrc.CONDITIONS_NOT_CORRECT
        return len(audit.entries()).to_bytes(4, "big") + audit.room().to_bytes(4, "big")

    # -- routines ---------------------------------------------------------------------------------

    def _routines(self) -> tuple[Routine, ...]:
        def row(
            rid: int,
            name: str,
            start: Callable[[bytes, int], Answer],
            *,
            stop: Callable[[bytes, int], Answer] | None = None,
            size: int | None = 0,
        ) -> Routine:
            return Routine(rid, name, start=start, stop=stop, option_size=size, access=IN_UPDATE)

        return (
            row(ERASE_RID, "eraseMemory: address, size", self.erase, size=None),
            row(CHECK_RID, "checkMemory", self.check),
            row(DEPENDENCIES_RID, "checkProgrammingDependencies", self.dependencies),
            row(PRECONDITIONS_RID, "checkProgrammingPreconditions", self.preconditions),
            row(ANNOUNCE_RID, "announceCampaign: size of the metadata", self.announce, size=4),
            row(CONSENT_RID, "consent", self.consent, stop=self.decline),
            row(INSTALL_RID, "install", self.install),
            row(ACTIVATE_RID, "activate: authorisation of the bundle", self.activate, size=None),
            row(COMMIT_RID, "commit: authorisation of the bundle", self.commit, size=None),
            row(ROLLBACK_RID, "rollback: authorisation of the bundle", self.rollback, size=None),
            row(CANCEL_RID, "cancel", self.cancel),
            row(SUSPEND_RID, "suspend", self.suspend, stop=self.resume),
            row(REPORTED_RID, "reportAcknowledged", self.acknowledge),
        )

    def announce(self, option: bytes, now_ns: int) -> Answer:
        """The metadata lie in their area: check them."""
        client = self.ready()
        if client is None:
            return Nrc.CONDITIONS_NOT_CORRECT
        self._software.attend()
        self._software.conditions.consent = False
        others = {} if self.installed is None else self.installed()
        result = client.announce(now_ns, size=int.from_bytes(option, "big"), installed=others)
        answer = self.answered("announcement", result, now_ns)
        if isinstance(answer, Nrc):
            return answer
        return UntilState(client, _S.CHECKING, (_S.PENDING_CONSENT, _S.IDLE), now_ns)

    def consent(self, option: bytes, now_ns: int) -> Answer:
        """The driver agrees."""
        self._software.conditions.consent = True
        return self._command("consent", UpdateClient.consent, now_ns, True)

    def decline(self, option: bytes, now_ns: int) -> Answer:
        """The driver does not, or no longer."""
        self._software.conditions.consent = False
        client = self._software.client
        if client is not None and client.state is not _S.PENDING_CONSENT:
            return b""  # withdrawn: the activation guard finds none
        return self._command("consent", UpdateClient.consent, now_ns, False)

    def erase(self, option: bytes, now_ns: int) -> Answer:
        """Prepare the download area for an image of this size."""
        if len(option) < 2:
            return Nrc.INCORRECT_MESSAGE_LENGTH_OR_INVALID_FORMAT
        address_size, size_size = option[0] & 0x0F, option[0] >> 4
        if len(option) != 1 + address_size + size_size or not address_size or not size_size:
            return Nrc.INCORRECT_MESSAGE_LENGTH_OR_INVALID_FORMAT
        address = int.from_bytes(option[1 : 1 + address_size], "big")
        size = int.from_bytes(option[1 + address_size :], "big")
        if address != IMAGE_ADDRESS:
            return Nrc.REQUEST_OUT_OF_RANGE
        return self._command("begin of download", UpdateClient.begin_download, now_ns, size)

    def check(self, option: bytes, now_ns: int) -> Answer:
        """Whether the image that was downloaded is the one that was ordered."""
        client = self.ready()
        if client is None:
            return Nrc.CONDITIONS_NOT_CORRECT
        if client.state is _S.VERIFYING:
            return UntilState(client, _S.VERIFYING, (_S.READY,), now_ns)
        return verdict(client.state in (_S.READY, _S.INSTALLING, _S.STAGED))

    def dependencies(self, option: bytes, now_ns: int) -> Answer:
        """Whether what is staged fits the ECU: it is verified again before it counts as staged."""
        client = self.ready()
        if client is None:
            return Nrc.CONDITIONS_NOT_CORRECT
        return verdict(client.state is _S.STAGED)

    def preconditions(self, option: bytes, now_ns: int) -> Answer:
        """The guards of an activation that do not hold now, as text; nothing where all do."""
        client = self.ready()
        if client is None:
            return Nrc.CONDITIONS_NOT_CORRECT
        conditions = self._software.conditions.conditions(now_ns)
        refused = refusal(ACTIVATION_GUARD, conditions, client.settings.guards)
        return OK if refused is None else b"\x01" + refused.reason.encode()

    def install(self, option: bytes, now_ns: int) -> Answer:
        """Write the second slot, in the background."""
        return self._command("installation", UpdateClient.install, now_ns)

    def activate(self, option: bytes, now_ns: int) -> Answer:
        """Start the new image: the ECU resets itself once that is requested in flash.

        For a member of a bundle the coordinator must say so, signed: nobody else knows whether the
        other ECUs are ready.
        """
        client = self.ready()
        if client is None:
            return Nrc.CONDITIONS_NOT_CORRECT
        conditions = self._software.conditions
        conditions.dependents_ready = True
        if client.record.bundle and client.state is UpdateState.STAGED:
            refused = client.activation_refusal(now_ns)
            if refused is None and not self._is_ordered(client, option, (Decision.ACTIVATE,)):
                refused = Refused(Nrc.SECURITY_ACCESS_DENIED, "not ordered by the coordinator")
            if refused is not None:
                conditions.dependents_ready = False
                return self.answered("activation", refused, now_ns)
        return self._command("activation", UpdateClient.activate, now_ns)

    def _is_ordered(
        self, client: UpdateClient, option: bytes, decisions: tuple[Decision, ...]
    ) -> bool:
        """Whether the coordinator has signed one of these decisions on this campaign."""
        word = Authorisation.from_bytes(option)
        return (
            word is not None
            and word.decision in decisions
            and word.campaign == client.record.campaign
            and is_genuine(word, client.settings.coordinator_key)
        )

    def commit(self, option: bytes, now_ns: int) -> Answer:
        """The coordinator of the bundle decided for the new software."""
        return self._authorised("commit", UpdateClient.commit, option, now_ns)

    def rollback(self, option: bytes, now_ns: int) -> Answer:
        """Back to the image before."""
        if option:
            return self._authorised("rollback", _rollback, option, now_ns)
        return self._command("rollback", UpdateClient.rollback, now_ns)

    def cancel(self, option: bytes, now_ns: int) -> Answer:
        """Give the campaign up."""
        return self._command("cancel", UpdateClient.cancel, now_ns)

    def suspend(self, option: bytes, now_ns: int) -> Answer:
        """Stop for now."""
        return self._command("suspend", UpdateClient.suspend, now_ns)

    def resume(self, option: bytes, now_ns: int) -> Answer:
        """Go on."""
        return self._command("resume", UpdateClient.resume, now_ns)

    def acknowledge(self, option: bytes, now_ns: int) -> Answer:
        """The report about the end has arrived."""
        return self._command("acknowledgement", UpdateClient.acknowledge, now_ns)

    # -- inside -----------------------------------------------------------------------------------

    def _command(
        self, what: str, command: Callable[..., Result], now_ns: int, *arguments: object
    ) -> Answer:
        client = self.ready()
        if client is None:
            return Nrc.CONDITIONS_NOT_CORRECT
        self._software.attend()
        return self.answered(what, command(client, *arguments, now_ns=now_ns), now_ns)

    def _authorised(
        self, what: str, command: Callable[..., Result], option: bytes, now_ns: int
    ) -> Answer:
        authorisation = Authorisation.from_bytes(option)
        if authorisation is None:
            return Nrc.REQUEST_OUT_OF_RANGE
        client = self.ready()
        decided = (Decision.COMMIT, Decision.ROLLBACK)
        if client is not None and self._is_ordered(client, option, decided):
            self._software.conditions.dependents_ready = True  # the coordinator saw to it
        return self._command(what, command, now_ns, authorisation)


def _rollback(client: UpdateClient, authorisation: Authorisation, *, now_ns: int) -> Result:
    return client.rollback(now_ns, authorisation)
