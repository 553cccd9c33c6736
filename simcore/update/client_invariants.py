"""What must hold whatever happens to an update: nine invariants, and nobody runs what is not good.

    (0) nothing but the ordered image, signed for this ECU, ever becomes READY, or runs
    (1) the running slot is never erased or written by the application
    (2) a boot ends in exactly the old or the new image, and the version report names it
    (3) security counter and metadata versions never decrease, and rise only once confirmed
    (4) an image that is not confirmed never starts more often than its tries; none is confirmed
        before its self-test has passed
    (5) no activation without guard
    (6) every failure has a cause and stands in the audit log
    (7) a bundle commits as a whole or not at all; a mixture is not released for driving
    (8) what comes twice does nothing the second time (asked by the walk)
    (9) erases per sector are bounded

Written against what lies in flash and what the client says, with none of its code.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

from simcore.update.audit import AuditLog
from simcore.update.bundle import BundleCoordinator, driving_refusals, status_of
from simcore.update.bundle_authority import Decision
from simcore.update.bundle_phases import BundlePhase
from simcore.update.bundle_reference import OLD, Built
from simcore.update.client_ecu import UpdateEcu
from simcore.update.guards import fit_conditions
from simcore.update.states import UpdateState

_S = UpdateState
_VERIFIED = frozenset({_S.READY, _S.INSTALLING, _S.STAGED, _S.ACTIVATING, _S.BOOT_SWAP})
_CONFIRMING = frozenset({_S.COMMITTING, _S.COMMITTED})
ERASES_PER_EVENT = 3
"""What one boot, one transfer or one campaign may cost the most worn sector."""


class Watcher:
    """Watches the ECUs of a walk."""

    def __init__(self, built: Built) -> None:
        self.built = built
        self.erases = 8
        """Events so far that may erase a sector."""
        self._found: list[str] = []
        self._running: dict[str, bytes] = {}
        self._counters: dict[str, int] = {}
        self._versions: dict[str, tuple[int, ...]] = {}
        self._states: dict[str, UpdateState] = {}
        self._passed: dict[str, bool] = {}

    def complain(self, text: str) -> None:
        """An invariant is broken."""
        self._found.append(text)

    # ---- around what an application does ----

    def before(self, ecu: UpdateEcu) -> None:
        """An application is about to act."""
        self._running[_name(ecu)] = _running_slot(ecu)
        ecu.requests.clear()

    def after(self, ecu: UpdateEcu) -> None:
        """It has acted."""
        self._check_requests(ecu)
        before = self._running.get(_name(ecu))
        if before is not None and _running_slot(ecu) != before:
            self.complain(f"(1) {_name(ecu)}: the running slot was written")

    def booted(self, ecu: UpdateEcu) -> None:
        """An ECU has started."""
        name = _name(ecu)
        self.erases += 1
        self._check_requests(ecu)
        running = _running_slot(ecu)
        images = {
            "old": self.built.old_images[name],
            "new": self.built.images[name],
        }
        found = [kind for kind, image in images.items() if running.startswith(image)]
        if ecu.is_in_recovery or not found:
            self.complain(f"(2) {name}: neither the old nor the new image runs")
        elif ecu.client is not None:
            version = str(OLD) if found == ["old"] else ecu.version
            if ecu.version != version:
                self.complain(f"(2) {name}: says {ecu.version}, runs {version}")
        if found == ["new"] and name in self.built.example.strangers:
            self.complain(f"(0) {name}: an image of a stranger runs")
        if ecu.starts_least > self.built.example.tries:
            self.complain(f"(4) {name}: started {ecu.starts_least} times without confirmation")
        if ecu.wrong_tries:
            self.complain(f"(4) {name}: a try was counted wrongly")
        if ecu.outcome is not None and not ecu.outcome.trial:
            self._passed.setdefault(name, False)
        elif ecu.client is not None and ecu.client.state is _S.TRIAL:
            if not ecu.client.record.promised:
                self._passed[name] = False  # this start has its own self-test
        self.before(ecu)

    def tested(self, name: str, passed: bool) -> None:
        """A self-test came to its end."""
        self._passed[name] = passed

    def _check_requests(self, ecu: UpdateEcu) -> None:
        for conditions in ecu.requests:
            if conditions != fit_conditions():
                self.complain(f"(5) {_name(ecu)}: activation without guard")
        ecu.requests.clear()

    # ---- after every step ----

    def look(
        self, ecus: Mapping[str, UpdateEcu], coordinator: BundleCoordinator | None
    ) -> list[str]:
        """Everything that can be seen from outside; what is broken."""
        for ecu in ecus.values():
            self._look_at(ecu)
        if self.built.example.in_bundle:
            self._look_at_bundle(ecus, coordinator)
        found, self._found = self._found, []
        return found

    def _look_at(self, ecu: UpdateEcu) -> None:
        name, client = _name(ecu), ecu.client
        worst = ecu.flash.worst_wear
        if worst > ERASES_PER_EVENT * self.erases:
            self.complain(f"(9) {name}: a sector was erased {worst} times")
        if client is None:
            return
        state = client.state
        if state is not self._states.get(name):
            self._states[name] = state
            self.erases += 1
            self._entered(ecu, state)
        self._check_counters(ecu)
        if state in _CONFIRMING and not self._passed.get(name, False):
            self.complain(f"(4) {name}: confirms before the self-test has passed")

    def _entered(self, ecu: UpdateEcu, state: UpdateState) -> None:
        name, client = _name(ecu), ecu.client
        assert client is not None
        if state in _VERIFIED and not client.record.promised:
            area = ecu.plan.layout.download.on(ecu.flash)
            image = self.built.images[name]
            if area.read(0, len(image)) != image or name in self.built.example.strangers:
                self.complain(f"(0) {name}: {state.name} with an image that was not ordered")
        if state in (_S.FAILED, _S.ROLLED_BACK):
            self._check_failure(ecu)

    def _check_failure(self, ecu: UpdateEcu) -> None:
        name, client = _name(ecu), ecu.client
        assert client is not None
        if not client.cause:
            self.complain(f"(6) {name}: {client.state.name} without a cause")
        plan = ecu.plan
        log = AuditLog(plan.layout.audit.on(ecu.flash), ecu=name, key=plan.audit_key)
        texts = [entry.text for entry in log.entries() if entry.kind == "update"]
        wanted = client.cause
        if not log.is_full and not any(wanted in text for text in texts[-3:]):
            self.complain(f"(6) {name}: {client.state.name} is not in the audit log")
        twin = copy.deepcopy(ecu)
        twin.flash.cut = None
        assert twin.client is not None
        report = twin.client.version_report(0)
        if report is None or str(report.version) != ecu.version:
            self.complain(f"(6) {name}: {client.state.name} without a report")

    def _check_counters(self, ecu: UpdateEcu) -> None:
        name, client = _name(ecu), ecu.client
        assert client is not None
        counter, versions = ecu.security_counter, client.record.metadata_versions
        before = self._counters.get(name, counter)
        versions_before = self._versions.get(name, versions)
        if counter < before or any(
            new < old for new, old in zip(versions, versions_before, strict=True)
        ):
            self.complain(f"(3) {name}: a counter went down")
        if (counter, versions) != (before, versions_before):
            if not _running_slot(ecu).startswith(self.built.images[name]) or ecu.is_on_trial:
                self.complain(f"(3) {name}: a counter rose before the image was confirmed")
        self._counters[name] = counter
        self._versions[name] = versions

    # ---- the bundle ----

    def _look_at_bundle(
        self, ecus: Mapping[str, UpdateEcu], coordinator: BundleCoordinator | None
    ) -> None:
        new = {
            name: _running_slot(e).startswith(self.built.images[name]) for name, e in ecus.items()
        }
        confirmed = [name for name, ecu in ecus.items() if new[name] and not ecu.is_on_trial]
        if coordinator is not None:
            if confirmed and coordinator.decision is Decision.ROLLBACK:
                self.complain(f"(7) {', '.join(confirmed)} confirmed, decided was rollback")
            if coordinator.phase is BundlePhase.COMMITTED and len(confirmed) < len(ecus):
                self.complain(f"(7) the bundle is committed, confirmed are {confirmed}")
            if coordinator.phase is BundlePhase.ROLLED_BACK and confirmed:
                self.complain(f"(7) the bundle is rolled back, confirmed are {confirmed}")
            undecided = coordinator.phase in (BundlePhase.GATHERING, BundlePhase.ACTIVATING)
            if confirmed and undecided:
                self.complain(f"(7) {', '.join(confirmed)} confirmed before the decision")
        if 0 < sum(new.values()) < len(new):
            statuses = {
                name: status_of(name, ecu.client, ecu.version, 0)
                for name, ecu in ecus.items()
                if ecu.client is not None
            }
            if not driving_refusals(tuple(ecus), statuses, self.built.catalogue):
                self.complain("(7) a mixture is released for driving")


def _name(ecu: UpdateEcu) -> str:
    return ecu.plan.client.ecu_id


def _running_slot(ecu: UpdateEcu) -> bytes:
    extent = ecu.plan.layout.running
    return extent.on(ecu.flash).read(0, extent.size)
