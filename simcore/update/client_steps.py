"""Work of the update client by state: one flash operation or one check per call."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

from simcore.errors import InputError
from simcore.update.client_checks import CHECKS, Failure, failure_of
from simcore.update.client_download import Download
from simcore.update.client_install import Cleaning, Installation, Work
from simcore.update.client_memory import Order, metadata_versions
from simcore.update.client_running import ClientRunning
from simcore.update.events import UpdateEvent
from simcore.update.guards import ACTIVATION_GUARD, BACKGROUND_GUARD, Refused
from simcore.update.image_reader import read_image
from simcore.update.metadata import BundleOrder, Target
from simcore.update.record import Region
from simcore.update.states import UpdateState
from simcore.update.verification import Installed, Verdict
from simcore.update.verification_transfer import TransferWatch
from simcore.update.verification_verdict import Check

_S = UpdateState
_E = UpdateEvent
_WORKING = frozenset(
    {
        *(_S.CHECKING, _S.VERIFYING, _S.INSTALLING, _S.ACTIVATING, _S.COMMITTING),
        *(_S.ROLLING_BACK, _S.CLEANING),
    }
)
"""States in which `step` has something to do at once."""
_POLLING = frozenset({_S.DOWNLOADING, _S.READY, _S.SUSPENDED})
_DIGEST_SIZE = 16
NO_OTHERS: Mapping[str, Installed] = {}


class ClientSteps(ClientRunning):
    """Adds the work to the core."""

    _download: Download | None = None
    """The transfer under way; None until it is begun, after every boot anew."""
    _watch: TransferWatch | None = None
    _work: Installation | Cleaning | None = None
    _stage = 0
    """Which check, or which part of committing, comes next."""
    _announced: tuple[int | None, Mapping[str, Installed]] = (None, NO_OTHERS)
    _poll_ns = 0
    _since_ns = 0
    """When the trial, or the transfer, began."""
    _recheck = False
    _alive = 0
    _self_test: bool | None = None

    # ---- time ----

    def next_deadline_ns(self) -> int | None:
        """When `step` is to be called next; None while only a command goes on."""
        due_ns = self._due_ns()
        return None if due_ns is None else max(due_ns, self._busy_until_ns)

    def _due_ns(self) -> int | None:
        state, settings = self._state, self.settings
        if self._reset_wanted:
            return None
        if state in _WORKING or self._recheck:
            return self._busy_until_ns
        if state is _S.PENDING_CONSENT:
            return self._consent.deadline_ns()
        if state is _S.DOWNLOADING:
            watched_ns = None if self._watch is None else self._watch.next_deadline_ns()
            due_ns = self._since_ns + settings.begin_ns if self._watch is None else watched_ns
            return self._poll_ns if due_ns is None else min(self._poll_ns, due_ns)
        if state in _POLLING:
            return self._poll_ns
        if state is _S.TRIAL and not self.record.promised:
            return self._since_ns + settings.trial_ns
        return None

    @property
    def progress(self) -> tuple[int, int]:
        """Bytes done of the present state's work, and bytes in all."""
        size, state = self.record.size, self._state
        if state is _S.DOWNLOADING and self._download is not None:
            return self._download.received, size
        if state is _S.INSTALLING and isinstance(self._work, Installation):
            return min(self._work.done * self.layout.sector_size, size), size
        if state in (_S.DOWNLOADING, _S.SUSPENDED, _S.INSTALLING):
            return min(self.record.offset, size), size
        return (size if state > _S.DOWNLOADING else 0), size

    def step(self, now_ns: int) -> None:
        """Do what is due: at most one flash operation or one check."""
        due_ns = self.next_deadline_ns()
        if due_ns is None or now_ns < due_ns:
            return
        match self._state:
            case _S.CHECKING:
                self._check_metadata(now_ns)
            case _S.PENDING_CONSENT:
                self._go(_E.CONSENT_EXPIRED, now_ns, **self._forgotten())
            case _S.DOWNLOADING | _S.READY | _S.SUSPENDED:
                self._poll(now_ns)
            case _S.VERIFYING:
                self._verify(now_ns)
            case _S.INSTALLING:
                self._install(now_ns)
            case _S.STAGED:
                self._check_again(now_ns)
            case _S.ACTIVATING:
                self._activate(now_ns)
            case _S.TRIAL:
                self._go(_E.TRIAL_EXPIRED, now_ns, cause="self-test: not passed in time")
            case _S.COMMITTING:
                self._commit(now_ns)
            case _S.ROLLING_BACK:
                self._roll_back(now_ns)
            case _S.CLEANING:
                self._clean(now_ns)
        self._take_time(now_ns)

    def _entered(self, before: UpdateState, following: UpdateState, now_ns: int) -> None:
        self._stage = 0
        self._work = None
        self._recheck = False
        self._poll_ns = now_ns + self.settings.poll_ns
        if following is _S.PENDING_CONSENT:
            self._consent.ask(now_ns)
        elif before is _S.PENDING_CONSENT:
            self._consent.close()
        if following is _S.DOWNLOADING:
            self._since_ns = now_ns
            if before is not _S.SUSPENDED:
                self._download = self._watch = None
        elif following is _S.TRIAL and before is not _S.TRIAL:
            self._begin_trial(now_ns)
        elif following is _S.BOOT_SWAP:
            self._reset_wanted = True

    def _begin_trial(self, now_ns: int) -> None:
        self._since_ns = now_ns
        self._alive = 0
        self._self_test = None

    # ---- metadata ----

    def _check_metadata(self, now_ns: int) -> None:
        size, installed = self._announced
        region = self.layout.metadata.on(self._flash)
        if size is not None and size > region.size:
            text = f"{size} bytes of metadata, room for {region.size}"
            self._refuse_metadata(failure_of(Check.TOO_LONG, text), now_ns)
            return
        if self._memory.is_lost:
            self._refuse_metadata(Failure("flash: trusted metadata unreadable"), now_ns)
            return
        data = region.read(0, region.size if size is None else size)
        if size is None:
            data = data.rstrip(bytes((region.erased,)))
        known = {**installed, **self._running()}
        verdict = self._verification.verify(data, now_ns, self._memory.trusted, known)
        self._take_time(now_ns, len(data))
        if not verdict.accepted:
            assert verdict.check is not None
            self._refuse_metadata(failure_of(verdict.check, str(verdict)), now_ns)
        elif verdict.mine is None or verdict.mine.target.sha256 == self.running_hash():
            self._go(_E.NOTHING_NEW, now_ns)
        else:
            self._accept_metadata(verdict, now_ns)

    def _accept_metadata(self, verdict: Verdict, now_ns: int) -> None:
        assert verdict.mine is not None and verdict.trusted is not None
        target, bundle = verdict.mine.target, verdict.mine.bundle
        campaign = campaign_of(target, bundle)
        order = Order(target, bundle, verdict.trusted)
        stored = self._counter.value
        if campaign in self.record.blocked:
            self._refuse_metadata(Failure("campaign is blocked: it failed before"), now_ns)
        elif target.length > self.layout.image_size:
            self._refuse_metadata(failure_of(Check.TOO_LONG, f"{target.length} bytes"), now_ns)
        elif target.security_counter < stored:
            text = f"{target.security_counter} after {stored}"
            self._refuse_metadata(failure_of(Check.SECURITY_COUNTER, text), now_ns)
        elif len(order.to_bytes()) > self._memory.capacity:
            self._refuse_metadata(failure_of(Check.TOO_LONG, "metadata do not fit"), now_ns)
        else:
            number = self._memory.keep(order)
            self._go(
                _E.METADATA_ACCEPTED,
                now_ns,
                campaign=campaign,
                image_name=_digest(target.filename),
                version=str(target.version),
                size=target.length,
                image_hash=target.sha256,
                offset=0,
                hash_context=bytes(8),
                security_counter=target.security_counter,
                release_counter=target.release_counter,
                tries=0,
                cause="",
                candidate_blob=number,
                bundle=bundle is not None,
            )

    def _refuse_metadata(self, failure: Failure, now_ns: int) -> None:
        self._detail = failure.detail
        self._go(_E.METADATA_REFUSED, now_ns, **{**self._forgotten(), "cause": failure.cause})

    def _forgotten(self) -> dict[str, object]:
        """Changes that take a campaign out of the record; what is blocked or trusted stays."""
        return {
            "campaign": bytes(16),
            "image_name": bytes(16),
            "version": "",
            "size": 0,
            "image_hash": bytes(32),
            "offset": 0,
            "hash_context": bytes(8),
            "security_counter": 0,
            "release_counter": 0,
            "tries": 0,
            "cause": "",
            "candidate_blob": 0,
            "bundle": False,
            "promised": False,
            "authorised": False,
            "permanent": False,
            "installed": False,
            "commanded": False,
        }

    def background_refusal(self, now_ns: int) -> Refused | None:
        """Whether the guard of what runs in the background would refuse now, and why."""
        return self._refusal(BACKGROUND_GUARD, now_ns)

    # ---- download ----

    def _poll(self, now_ns: int) -> None:
        settings = self.settings
        self._poll_ns = now_ns + settings.poll_ns
        lost = self.background_refusal(now_ns)
        if self._state is _S.SUSPENDED:
            if lost is None and not self.record.commanded:
                self._resume(now_ns)
        elif lost is not None:
            self._pause(now_ns, cause=f"guard: {lost.row}")
        elif self._state is _S.DOWNLOADING:
            self._check_rate(now_ns)

    def _pause(self, now_ns: int, **changes: object) -> bool:
        if self._watch is not None:
            self._watch.suspend(now_ns)
        return self._go(_E.PAUSED, now_ns, resume_state=self._state, **changes)

    def _check_rate(self, now_ns: int) -> None:
        if self._watch is None:
            if now_ns - self._since_ns >= self.settings.begin_ns:
                self._refuse_download(failure_of(Check.NO_ANSWER, "no transfer begun"), now_ns)
            return
        verdict = self._watch.on_timer(now_ns)
        if verdict is not None and verdict.check is not None:
            self._refuse_download(failure_of(verdict.check, str(verdict)), now_ns)

    def _watch_transfer(self, now_ns: int) -> None:
        """From here on the transfer must not be too slow."""
        assert self._download is not None
        left = self._download.size - self._download.received
        self._watch = TransferWatch("image", left, now_ns, self.settings.transfer)

    def _refuse_download(self, failure: Failure, now_ns: int) -> None:
        self._detail = failure.detail
        self._go(_E.DOWNLOAD_REFUSED, now_ns, cause=failure.cause)

    def _resume(self, now_ns: int) -> None:
        is_download = self.record.resume_state is _S.DOWNLOADING
        event = _E.DOWNLOAD_RESUMED if is_download else _E.INSTALLATION_RESUMED
        self._go(event, now_ns, cause="", commanded=False)
        if is_download and self._watch is not None:
            self._watch.resume(now_ns)

    # ---- image ----

    def _target(self) -> Target | None:
        order = self._memory.order
        return None if order is None else order.target

    def _verify(self, now_ns: int) -> None:
        target = self._target()
        if target is None:
            self._fail(_E.IMAGE_REFUSED, Failure("order is lost: metadata unreadable"), now_ns)
            return
        area = self.layout.download.on(self._flash)
        counters = self._memory.trusted.release_counters
        failure = self._checks.failure(
            CHECKS[self._stage],
            area,
            target,
            self._counter.value,
            counters.get(self.settings.ecu_id, 0),
        )
        self._take_time(now_ns, target.length)
        self._stage += 1
        if failure is not None:
            self._fail(_E.IMAGE_REFUSED, failure, now_ns)
        elif self._stage == len(CHECKS):
            self._go(_E.IMAGE_ACCEPTED, now_ns, offset=0)

    def _fail(self, event: UpdateEvent, failure: Failure, now_ns: int) -> None:
        self._detail = failure.detail
        self._go(event, now_ns, cause=failure.cause)

    # ---- installation ----

    def _install(self, now_ns: int) -> None:
        work = self._work
        if not isinstance(work, Installation):
            work = self._work = self._installation()
        if work.done == work.sectors:
            self._verify_installed(now_ns)
            return
        result = work.step()
        if result is Work.FAILED:
            self._fail(_E.INSTALLATION_FAILED, Failure("flash: read back wrong"), now_ns)
        elif result in (Work.SECTOR_DONE, Work.DONE):
            if result is Work.DONE or work.done % self.settings.persist_sectors == 0:
                self._persist(offset=work.done * self.layout.sector_size)

    def _installation(self) -> Installation:
        layout = self.layout
        return Installation(
            layout.download.on(self._flash),
            layout.secondary.on(self._flash),
            start=layout.candidate.start - layout.secondary.start,
            size=self.record.size,
            done=self.record.offset // layout.sector_size,
            tries_max=self.settings.sector_tries,
        )

    def _verify_installed(self, now_ns: int) -> None:
        failure = self._candidate_failure(now_ns)
        if failure is None:
            self._go(_E.INSTALLED, now_ns)
        else:
            self._fail(_E.INSTALLATION_FAILED, failure, now_ns)

    def _candidate_failure(self, now_ns: int) -> Failure | None:
        target = self._target()
        if target is None:
            return Failure("order is lost: metadata unreadable")
        self._take_time(now_ns, target.length)
        return self._checks.staged(self.layout.candidate.on(self._flash), target)

    def _check_again(self, now_ns: int) -> None:
        self._recheck = False
        failure = self._candidate_failure(now_ns)
        if failure is not None:
            self._fail(_E.CANDIDATE_LOST, failure, now_ns)

    # ---- activation, trial, end ----

    def _activate(self, now_ns: int) -> None:
        lost = self._refusal(ACTIVATION_GUARD, now_ns)
        if lost is not None:
            self._detail = lost.reason
            self._go(_E.GUARD_LOST, now_ns)
            return
        if self._boot.request_upgrade(self.record.permanent).stands:
            self._go(_E.BOOT_REQUESTED, now_ns)
        else:
            self._go(_E.GUARD_LOST, now_ns)
            self._recheck = True

    def _commit(self, now_ns: int) -> None:
        """Confirm, then security counter, then trusted metadata: each may be repeated."""
        if self._stage == 0:
            if not self._boot.confirm():
                self._reset_wanted = True  # a revert stands: the next boot tells
                return
        elif self._stage == 1:
            self._boot.raise_security_counter()
        else:
            order = self._memory.order
            trusted = self._memory.trusted if order is None else order.trusted
            self._go(
                _E.CONFIRMED,
                now_ns,
                trusted_blob=self.record.candidate_blob,
                metadata_versions=metadata_versions(trusted),
                installed=False,
                attack=0,
                cause="",
            )
            return
        self._stage += 1

    def _roll_back(self, now_ns: int) -> None:
        if self._runs_new():
            self._boot.request_revert()
            self._reset_wanted = True
            return
        region = self.layout.running.on(self._flash)
        try:
            size = read_image(region).size
        except InputError:
            self._go(_E.NO_VALID_SLOT, now_ns)
            return
        self._take_time(now_ns, size)
        record = self.record
        blocked = record.blocked if record.promised else record.blocked.blocking(record.campaign)
        self._go(_E.OLD_IMAGE_VERIFIED, now_ns, blocked=blocked)

    def _clean(self, now_ns: int) -> None:
        if not isinstance(self._work, Cleaning):
            places: list[tuple[Region, int]] = []
            if self.record.installed:
                slot = self.layout.secondary.on(self._flash)
                places.append((slot, slot.size))
            places.append((self.layout.download.on(self._flash), self.record.size))
            self._work = Cleaning(tuple(places))
        if self._work.step() is Work.DONE:
            self._go(_E.CLEANED, now_ns, **self._forgotten())


def campaign_of(target: Target, bundle: BundleOrder | None) -> bytes:
    """Digest that names a campaign: the bundle's identifier, or the image itself."""
    if bundle is not None:
        return _digest(f"bundle {bundle.identifier}")
    return _digest(f"image {target.filename} {target.sha256.hex()}")


def _digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=_DIGEST_SIZE).digest()
