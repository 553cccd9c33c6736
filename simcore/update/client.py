"""Update client of one ECU: from the announcement of a campaign to the report about its end.

Sans-IO: commands return `Accepted` or `Refused`; `step` does one flash operation or one check and
is called at `next_deadline_ns`. Everything that must survive is in the record; a new client on the
same flash goes on where the old one was cut. Order of every transition: record, then audit log; an
audit entry that a cut swallowed is made good at the next start. The work is in client_steps.py,
states in states.py, guards in guards.py, several ECUs together in bundle.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from simcore.diag.codes import Nrc
from simcore.errors import UsageError
from simcore.update.bootloader import BootOutcome
from simcore.update.bundle_authority import Authorisation, Decision, is_genuine
from simcore.update.client_checks import failure_of
from simcore.update.client_download import Download, Taken
from simcore.update.client_ports import Accepted
from simcore.update.client_steps import NO_OTHERS, ClientSteps
from simcore.update.events import BOOT_EVENTS, UpdateEvent
from simcore.update.guards import ACTIVATION_GUARD, INSTALL_GUARD, Refused
from simcore.update.states import TRANSITIONS, UpdateState
from simcore.update.verification import Installed
from simcore.update.verification_verdict import Check

Result: TypeAlias = Accepted | Refused

_S = UpdateState
_E = UpdateEvent
_STARTED = frozenset(
    {_S.DOWNLOADING, _S.SUSPENDED, _S.VERIFYING, _S.READY, _S.INSTALLING, _S.STAGED}
)
_DONE_BEFORE: dict[UpdateEvent, frozenset[UpdateState]] = {
    _E.ANNOUNCED: frozenset({_S.CHECKING}),
    _E.CONSENT_GIVEN: _STARTED,
    _E.CONSENT_DECLINED: frozenset({_S.IDLE}),
    _E.INSTALLATION_COMMANDED: frozenset({_S.INSTALLING, _S.STAGED}),
    _E.ACTIVATION_COMMANDED: frozenset({_S.ACTIVATING, _S.BOOT_SWAP}),
    _E.ROLLBACK_COMMANDED: frozenset({_S.ROLLING_BACK, _S.ROLLED_BACK}),
    _E.CANCELLED: frozenset({_S.IDLE, _S.CLEANING}),
    _E.PAUSED: frozenset({_S.SUSPENDED}),
    _E.REPORT_ACKNOWLEDGED: frozenset({_S.IDLE, _S.CLEANING}),
    _E.COMMIT_AUTHORISED: frozenset({_S.COMMITTING, _S.COMMITTED}),
}
"""States in which a command that came twice has been done already."""


class UpdateClient(ClientSteps):
    """Update client of one ECU. Copies, pickles and forks at any instant."""

    # ---- boot ----

    def start(self, outcome: BootOutcome, now_ns: int) -> None:
        """The application starts: to be called first thing after every boot."""
        if outcome.trial:
            self._boot.mark_started()
        self._busy_until_ns = now_ns
        self._memory.settle()
        self._audit.settle(now_ns)
        self._log_missing(now_ns)
        event = self._boot_event(outcome)
        tries = max(self.record.tries, outcome.try_number)
        changes: dict[str, object] = {"tries": tries} if outcome.trial else {}
        if event is _E.SWAP_REFUSED:
            changes["cause"] = "bootloader refused the image"
            changes["blocked"] = self.record.blocked.blocking(self.record.campaign)
        elif event is _E.OLD_IMAGE_STARTED and not self.record.cause:
            changes["cause"] = "trial: not confirmed in its tries"
        self._go(event, now_ns, **changes)
        self._resume_after_boot(now_ns)
        self._take_time(now_ns)

    def _boot_event(self, outcome: BootOutcome) -> UpdateEvent:
        """What this boot means for the campaign in the record."""
        record = self.record
        if outcome.is_recovery:
            return _E.NO_VALID_SLOT
        if record.state not in (_S.ACTIVATING, _S.TRIAL, _S.COMMITTING, _S.ROLLING_BACK):
            return _E.RESTARTED
        if self._runs_new():
            return _E.NEW_IMAGE_STARTED if outcome.trial else _E.NEW_IMAGE_PERMANENT
        if record.state is not _S.ACTIVATING:
            return _E.OLD_IMAGE_STARTED
        if outcome.was_refused:
            return _E.SWAP_REFUSED
        was_tried = self._was_swapped() and not record.permanent
        return _E.OLD_IMAGE_STARTED if was_tried else _E.RESTARTED

    def _resume_after_boot(self, now_ns: int) -> None:
        self._poll_ns = now_ns + self.settings.poll_ns
        self._since_ns = now_ns
        match self._state:
            case _S.PENDING_CONSENT:
                self._consent.ask(now_ns)
            case _S.STAGED:
                self._recheck = True
            case _S.TRIAL:
                self._begin_trial(now_ns)

    # ---- commands ----

    def announce(
        self,
        now_ns: int,
        *,
        size: int | None = None,
        installed: Mapping[str, Installed] = NO_OTHERS,
    ) -> Result:
        """The metadata are complete in their region; `installed`: what other ECUs run.

        Without `size` the metadata end at the last byte that is not erased.
        """
        if self._state is _S.IDLE:
            if not self._audit.has_room():
                return Refused(Nrc.CONDITIONS_NOT_CORRECT, "the audit log is full", "audit_room")
            self._announced = (size, installed)
        return self._command(_E.ANNOUNCED, now_ns)

    def consent(self, approved: bool, now_ns: int) -> Result:
        """The driver's answer."""
        if approved:
            return self._command(_E.CONSENT_GIVEN, now_ns, offset=0, hash_context=bytes(8))
        return self._command(_E.CONSENT_DECLINED, now_ns, **self._forgotten())

    def begin_download(self, size: int, now_ns: int) -> Result:
        """A transfer of the whole image is about to begin; `offset` says from where."""
        if self._state is not _S.DOWNLOADING:
            return self._out_of_sequence("begin of download")
        record = self.record
        if size > record.size:
            return self._refuse_transfer(
                Check.TOO_LONG, f"{size} bytes, ordered are {record.size}", now_ns
            )
        if size < record.size:
            return self._refuse_transfer(
                Check.IMAGE_TOO_SHORT, f"{size} bytes, ordered are {record.size}", now_ns
            )
        if self._download is None:
            download = Download(self.layout.download.on(self._flash), self.settings.persist_sectors)
            download.begin(size, record.offset, record.hash_context)
            self._download = download
            self._watch_transfer(now_ns)
        self._take_time(now_ns)
        return Accepted(self._download.received)

    def write(self, offset: int, data: bytes, now_ns: int) -> Result:
        """A block of the image, in order; one that came before is accepted once more."""
        if self._state is _S.SUSPENDED:
            return Refused(Nrc.TRANSFER_DATA_SUSPENDED, f"suspended: {self.cause}")
        if self._state is not _S.DOWNLOADING or self._download is None:
            return self._out_of_sequence("block of the image")
        download = self._download
        persisted = download.persisted
        taken = download.take(offset, data)
        if taken is Taken.TOO_LONG:
            text = f"{offset + len(data)} bytes, ordered are {download.size}"
            return self._refuse_transfer(Check.TOO_LONG, text, now_ns)
        if taken is Taken.GAP:
            text = f"block at {offset}, expected at {download.received}"
            return Refused(Nrc.REQUEST_SEQUENCE_ERROR, text)
        if download.persisted != persisted:
            self._persist(offset=download.persisted, hash_context=download.context)
        if taken is Taken.WRITTEN and self._watch is not None:
            self._watch.received(len(data), now_ns)
        self._take_time(now_ns)
        return Accepted(download.received, taken is Taken.REPEATED)

    def end_download(self, now_ns: int) -> Result:
        """All bytes were sent."""
        if self._state is _S.VERIFYING:
            return Accepted(repeated=True)
        if self._state is not _S.DOWNLOADING or self._download is None:
            return self._out_of_sequence("end of download")
        download = self._download
        if not download.finish():
            text = f"{download.received} of {download.size} bytes"
            return Refused(Nrc.REQUEST_SEQUENCE_ERROR, text)
        return self._command(_E.DOWNLOAD_COMPLETED, now_ns)

    def install(self, now_ns: int) -> Result:
        """Write the second slot."""
        if self._state is _S.READY:
            refused = self._refusal(INSTALL_GUARD, now_ns)
            if refused is not None:
                return refused
        return self._command(_E.INSTALLATION_COMMANDED, now_ns, offset=0, installed=True)

    def activate(self, now_ns: int) -> Result:
        """Start the new image at the next reset, which `take_reset` asks for."""
        if self._state is _S.STAGED:
            refused = self.activation_refusal(now_ns)
            if refused is not None:
                return refused
        return self._command(_E.ACTIVATION_COMMANDED, now_ns, permanent=False)

    def activation_refusal(self, now_ns: int) -> Refused | None:
        """Whether the activation guard would refuse now, and why."""
        if self._recheck:
            return Refused(Nrc.BUSY_REPEAT_REQUEST, "the installed image is checked again")
        return self._refusal(ACTIVATION_GUARD, now_ns)

    def commit(self, authorisation: Authorisation | None, now_ns: int) -> Result:
        """The coordinator's decision for the new software.

        A member that promised and runs the old image again rolls forward.
        """
        if self._state in _DONE_BEFORE[_E.COMMIT_AUTHORISED]:
            return Accepted(repeated=True)
        refused = self._authorisation_refusal(authorisation, Decision.COMMIT)
        if refused is not None:
            return refused
        if not self.record.promised:
            return Refused(Nrc.CONDITIONS_NOT_CORRECT, "the self-test has not passed")
        if self._state is _S.TRIAL:
            return self._command(_E.COMMIT_AUTHORISED, now_ns, authorised=True)
        if self._state not in (_S.ROLLED_BACK, _S.STAGED):
            return self._repeated_or_busy()
        refused = self.activation_refusal(now_ns)
        if refused is not None:
            return refused
        return self._command(
            _E.ROLL_FORWARD_AUTHORISED,
            now_ns,
            authorised=True,
            permanent=True,
            cause="",
        )

    def rollback(self, now_ns: int, authorisation: Authorisation | None = None) -> Result:
        """Back to the old image. Who promised the new one needs the coordinator's decision."""
        record = self.record
        changes: dict[str, object] = {}
        if record.promised and self._state in (_S.TRIAL, _S.ROLLED_BACK, _S.ROLLING_BACK):
            refused = self._authorisation_refusal(authorisation, Decision.ROLLBACK)
            if refused is not None:
                return refused
            changes["promised"] = False
            if self._state is _S.ROLLING_BACK:
                self._persist(promised=False)
            if self._state is _S.ROLLED_BACK:
                changes["blocked"] = record.blocked.blocking(record.campaign)
        elif self._state is _S.ROLLED_BACK:
            return Accepted(repeated=True)
        if self._state is _S.TRIAL:
            changes["cause"] = "rollback commanded"
        return self._command(_E.ROLLBACK_COMMANDED, now_ns, **changes)

    def cancel(self, now_ns: int) -> Result:
        """Give the campaign up while the old image runs."""
        if self.record.promised:
            return Refused(Nrc.CONDITIONS_NOT_CORRECT, "promised to the coordinator of the bundle")
        record = self.record
        changes: dict[str, object] = {}
        if TRANSITIONS.get((self._state, _E.CANCELLED)) is _S.IDLE:
            changes = self._forgotten()
        if record.bundle:  # whose coordinator takes no bundle up twice
            changes["blocked"] = record.blocked.blocking(record.campaign)
        return self._command(_E.CANCELLED, now_ns, **changes)

    def suspend(self, now_ns: int) -> Result:
        """Stop for now; `resume` goes on."""
        if self._state in (_S.DOWNLOADING, _S.READY):
            self._pause(now_ns, commanded=True, cause="command")
            self._take_time(now_ns)
            return Accepted()
        return self._command(_E.PAUSED, now_ns)

    def resume(self, now_ns: int) -> Result:
        """Go on, if the background guard holds."""
        if self._state in _STARTED - {_S.SUSPENDED}:
            return Accepted(repeated=True)
        if self._state is not _S.SUSPENDED:
            return self._out_of_sequence("resume")
        refused = self.background_refusal(now_ns)
        if refused is not None:
            return refused
        self._resume(now_ns)
        self._take_time(now_ns)
        return Accepted()

    def acknowledge(self, now_ns: int) -> Result:
        """The report about the end of the campaign has arrived."""
        if self.record.promised and self._state is _S.ROLLED_BACK:
            return Refused(Nrc.CONDITIONS_NOT_CORRECT, "the coordinator has not decided yet")
        return self._command(_E.REPORT_ACKNOWLEDGED, now_ns)

    # ---- the trial ----

    def alive_cycle(self, now_ns: int) -> None:
        """The application's tasks went round once."""
        if self._state is _S.TRIAL:
            self._alive += 1
            self._consider_trial(now_ns)

    def report_self_test(self, passed: bool, now_ns: int, reason: str = "") -> None:
        """What the self-test of the new image came to."""
        if self._state is not _S.TRIAL:
            return
        self._self_test = passed
        self._detail = reason
        if passed:
            self._consider_trial(now_ns)
        elif not self.record.promised:
            self._go(_E.SELF_TEST_FAILED, now_ns, cause="self-test: failed")
        self._take_time(now_ns)

    def _consider_trial(self, now_ns: int) -> None:
        record = self.record
        if record.promised or not self._self_test or self._alive < self.settings.alive_cycles:
            return
        if record.bundle:
            self._go(_E.PROMISED, now_ns, promised=True)
        else:
            self._go(_E.SELF_TEST_PASSED, now_ns)
        self._take_time(now_ns)

    @property
    def is_doubtful(self) -> bool:
        """The self-test failed after this member promised: the coordinator ought to know."""
        return self._state is _S.TRIAL and self.record.promised and self._self_test is False

    # ---- events ----

    def handle(self, event: UpdateEvent, now_ns: int) -> Result:
        """A command or a finding of the ECU by its event; those with parameters are calls."""
        match event:
            case _E.ANNOUNCED:
                return self.announce(now_ns)
            case _E.CONSENT_GIVEN | _E.CONSENT_DECLINED:
                return self.consent(event is _E.CONSENT_GIVEN, now_ns)
            case _E.INSTALLATION_COMMANDED:
                return self.install(now_ns)
            case _E.ACTIVATION_COMMANDED:
                return self.activate(now_ns)
            case _E.ROLLBACK_COMMANDED:
                return self.rollback(now_ns)
            case _E.CANCELLED:
                return self.cancel(now_ns)
            case _E.PAUSED:
                return self.suspend(now_ns)
            case _E.DOWNLOAD_RESUMED | _E.INSTALLATION_RESUMED:
                return self.resume(now_ns)
            case _E.REPORT_ACKNOWLEDGED:
                return self.acknowledge(now_ns)
            case _E.SELF_TEST_PASSED | _E.SELF_TEST_FAILED:
                self.report_self_test(event is _E.SELF_TEST_PASSED, now_ns)
                return Accepted()
        kind = "start()" if event in BOOT_EVENTS else "step() or a call of its own"
        raise UsageError(
            "update client, handle", expected=f"a command; this comes by {kind}", got=event.name
        )

    # ---- inside ----

    def _command(self, event: UpdateEvent, now_ns: int, **changes: object) -> Result:
        if self._go(event, now_ns, **changes):
            self._take_time(now_ns)
            return Accepted()
        if self._state in _DONE_BEFORE.get(event, frozenset()):
            return Accepted(repeated=True)
        return self._out_of_sequence(event.name.lower().replace("_", " "))

    def _out_of_sequence(self, what: str) -> Refused:
        return Refused(Nrc.REQUEST_SEQUENCE_ERROR, f"{what} is not possible in {self._state.name}")

    def _repeated_or_busy(self) -> Result:
        """A commit on the way back or forward: it is to be repeated."""
        if self.record.permanent and self._state in (_S.ACTIVATING, _S.BOOT_SWAP):
            return Accepted(repeated=True)
        return Refused(Nrc.BUSY_REPEAT_REQUEST, f"{self._state.name} has to end first")

    def _refuse_transfer(self, check: Check, text: str, now_ns: int) -> Refused:
        failure = failure_of(check, text)
        self._refuse_download(failure, now_ns)
        self._take_time(now_ns)
        return Refused(Nrc.TRANSFER_DATA_SUSPENDED, f"{failure.cause}: {text}")

    def _authorisation_refusal(
        self, authorisation: Authorisation | None, wanted: Decision
    ) -> Refused | None:
        record = self.record
        key = self.settings.coordinator_key
        if not record.bundle:
            return Refused(Nrc.REQUEST_SEQUENCE_ERROR, "no bundle is under way")
        if authorisation is None or not is_genuine(authorisation, key):
            return Refused(Nrc.SECURITY_ACCESS_DENIED, "not signed by the coordinator")
        if authorisation.campaign != record.campaign or authorisation.decision is not wanted:
            return Refused(Nrc.REQUEST_OUT_OF_RANGE, "authorisation of something else")
        return None
