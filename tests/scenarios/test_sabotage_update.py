"""Scenarios of updates fail honestly: a protection is left out, and its requirements fail.

The sets are exact, as in `test_sabotage`. Campaigns are made smaller where that changes nothing:
fewer controllers, smaller images, of the attacks only those that the protection is there for.
"""

from __future__ import annotations

from typing import Any

import pytest

from simcore.ecu.runtime.software import LoggedSteps
from simcore.resources import scenario_path
from simcore.rig import (
    WORKSHOP,
    Backend,
    Campaign,
    Scenario,
    ScenarioResult,
    Verdict,
    load_scenarios,
    run_scenario,
)
from simcore.transport import LinkSettings
from simcore.units import s
from simcore.update import bootloader, client, client_steps, image_verify
from simcore.update.attacks import attack_case
from simcore.update.bootloader import BootOutcome
from simcore.update.bundle_phases import BundlePhase
from simcore.update.client import UpdateClient
from simcore.update.client_install import Installation
from simcore.update.guards import Row
from simcore.update.reset_cause import ResetCause
from simcore.update.security_counter import SecurityCounter
from simcore.update.swap_status import StatusLog, SwapStatus
from simcore.update.verification_roles import RepositoryCheck
from simcore.update.verification_steps import PartialSteps, Steps
from simcore.update.verification_verdict import Check, Finding

pytestmark = pytest.mark.campaign

Patch = pytest.MonkeyPatch
SMALL = 4 * 1024


@pytest.fixture
def patch(monkeypatch: Patch) -> Patch:
    """`monkeypatch`."""
    return monkeypatch


def shipped(file: str, name: str = "") -> Scenario:
    items = load_scenarios(scenario_path(f"update_{file}.py"))
    return next(item for item in items if item.name == (name or f"update_{file}"))


def smaller(patch: Patch, item: Scenario, **names: Any) -> Scenario:
    """The scenario with other constants."""
    for name, value in names.items():
        patch.setitem(item.function.__globals__, name, value)
    return item


class SmallBackend(Backend):
    """Orders small images for two controllers."""

    def campaign(self, version: str, **options: Any) -> dict[str, str]:
        return super().campaign(version, **{"nodes": PAIR, "size": SMALL, **options})


class Impatient(Campaign):
    """Waits for eight seconds at most."""

    def wait(self, *, timeout: int) -> bool:
        return super().wait(timeout=min(timeout, s(8)))

    def settle(self, *, timeout: int, **options: Any) -> BundlePhase:
        return super().settle(timeout=min(timeout, s(8)), **options)


PAIR = ("CDC", "EMB_FL")


def parked(patch: Patch) -> Scenario:
    names = {"Backend": SmallBackend, "Campaign": Impatient, "NODES": PAIR}
    return smaller(patch, shipped("parked"), **names)


def rolled_back(patch: Patch, node: str, fault: str) -> Scenario:
    item = shipped("rollback", f"update_rollback[node={node},fault={fault}]")
    return smaller(patch, item, Campaign=Impatient, NODES=("CDC", "EMB_RR"))


def driving(patch: Patch) -> Scenario:
    return smaller(patch, shipped("while_driving"), SIZE=SMALL)


def attacked(patch: Patch, *names: str) -> Scenario:
    return smaller(patch, shipped("attack_suite"), CATALOGUE=[attack_case(name) for name in names])


def failed(result: ScenarioResult) -> set[str]:
    """Requirements that failed; the run itself went to its end."""
    assert result.error is None, result.error_detail
    assert result.findings == ()
    names = {check.requirement for check in result.checks if not check.passed}
    assert result.verdict is (Verdict.FAILED if names else Verdict.PASSED)
    return names


def texts(result: ScenarioResult) -> set[str]:
    return {check.text for check in result.checks if not check.passed}


# ---- who may say what runs ----


def test_an_image_of_a_thief_is_accepted_where_nobody_checks_its_signature(patch: Patch) -> None:
    patch.setattr(image_verify, "_authentic", lambda image, keys: None)
    item = shipped("attack_suite", "update_foreign_image[theft=repository keys]")
    result = run_scenario(item)
    assert failed(result) == {"OTA-001"}
    assert texts(result) == {"what CDC refuses it for", "what EMB_FL refuses it for"}


def test_an_image_exchanged_in_flash_runs_where_the_bootloader_checks_no_signature(
    patch: Patch,
) -> None:
    verify_image = image_verify.verify_image

    def trusting(source: Any, keys: Any, **limits: Any) -> image_verify.ImageVerdict:
        verdict = verify_image(source, keys, **limits)
        return image_verify.ImageVerdict(verdict.image)

    patch.setattr(bootloader, "verify_image", trusting)
    item = shipped("attack_suite", "update_foreign_image[theft=flash]")
    result = run_scenario(item)
    assert failed(result) == {"OTA-001"}
    assert texts(result) == {"what EMB_FL refuses it for", "what runs in the end"}


def test_older_software_is_accepted_where_nobody_looks_at_the_security_counter(
    patch: Patch,
) -> None:
    check_order = Steps._check_order

    def blind(self: Steps, *order: Any) -> Finding | None:
        found = check_order(self, *order)
        return None if found is not None and found.check is Check.SECURITY_COUNTER else found

    patch.setattr(Steps, "_check_order", blind)  # in the metadata
    patch.setattr(SecurityCounter, "value", 0)  # and in the image
    item = shipped("attack_suite", "update_foreign_image[theft=repository keys, old software]")
    result = run_scenario(item)
    assert failed(result) == {"OTA-001"}
    assert texts(result) == {"what CDC refuses it for", "what EMB_FL refuses it for"}


def test_unchecked_metadata_signatures_fail_the_attack_suite(patch: Patch) -> None:
    patch.setattr(RepositoryCheck, "_check_signatures", lambda *_: None)
    result = run_scenario(attacked(patch, "arbitrary_software_own_keys"))
    assert failed(result) == {"OTA-001"}


def test_a_partial_verifier_that_takes_anything_fails_the_attack_suite(patch: Patch) -> None:
    def take(self: PartialSteps) -> Finding | None:
        finding = self._check_set() or self._begin_director()
        assert finding is None and self._director is not None
        return self._director.check_targets() or self._read_orders()

    patch.setattr(PartialSteps, "run", take)
    result = run_scenario(attacked(patch, "freeze_time_forged"))
    assert failed(result) == {"OTA-001"}
    assert texts(result) == {"freeze_time_forged: what EMB_FL reports"}


# ---- when it may change ----


def test_without_its_guard_an_activation_at_speed_is_accepted(patch: Patch) -> None:
    for module in (client, client_steps):
        patch.setattr(module, "ACTIVATION_GUARD", ())
    result = run_scenario(driving(patch))
    assert failed(result) == {"OTA-003"}
    assert texts(result) == {"activation at 100 km/h"}


def without(guard: tuple[Row, ...], name: str) -> tuple[Row, ...]:
    assert name in {row.name for row in guard}
    return tuple(row for row in guard if row.name != name)


def test_an_activation_that_the_driver_has_not_agreed_to_is_refused_for_nothing(
    patch: Patch,
) -> None:
    for module in (client, client_steps):
        patch.setattr(module, "ACTIVATION_GUARD", without(module.ACTIVATION_GUARD, "consent"))
    result = run_scenario(parked(patch))
    assert failed(result) == {"OTA-003"}
    assert "activation of EMB_FL, parked, consent withdrawn" in texts(result)


def test_the_pace_of_a_workshop_is_not_for_the_road(patch: Patch) -> None:
    class Hasty(Campaign):
        def __init__(self, *args: Any, pace: LinkSettings = WORKSHOP) -> None:
            super().__init__(*args, pace=pace)

    item = smaller(patch, driving(patch), Campaign=Hasty, SIZE=24 * 1024)
    assert failed(run_scenario(item)) == {"OTA-005"}


# ---- what is written where, and when ----


def test_an_update_in_place_leaves_nothing_to_run_after_a_cut(patch: Patch) -> None:
    def in_place(self: UpdateClient) -> Installation:
        layout = self.layout
        return Installation(
            layout.download.on(self._flash),
            layout.running.on(self._flash),
            start=0,
            size=self.record.size,
            done=self.record.offset // layout.sector_size,
            tries_max=self.settings.sector_tries,
        )

    patch.setattr(UpdateClient, "_installation", in_place)
    item = shipped("power_cut", "update_power_cut[node=EMB_RL,moment=installation,kind=before]")
    assert failed(run_scenario(item)) == {"OTA-002"}


def test_an_image_confirmed_before_its_self_test_stays_when_that_fails(patch: Patch) -> None:
    start = UpdateClient.start

    def hasty(self: UpdateClient, outcome: BootOutcome, now_ns: int) -> None:
        start(self, outcome, now_ns)
        if outcome.trial:
            self._boot.confirm()

    patch.setattr(UpdateClient, "start", hasty)
    result = run_scenario(rolled_back(patch, "CDC", "self-test fails"))
    assert failed(result) == {"OTA-001"}


def test_tries_that_nobody_counts_never_end(patch: Patch) -> None:
    def try_again(log: StatusLog, trial: SwapStatus, cause: ResetCause) -> int:
        log.write(trial.after(tries=1, is_open=True))
        return 1

    patch.setattr(bootloader, "begin_try", try_again)
    result = run_scenario(rolled_back(patch, "EMB_RR", "hangs"))
    assert failed(result) == {"OTA-001", "OTA-004"}


def test_an_update_that_nobody_writes_down_fails_the_audit(patch: Patch) -> None:
    patch.setattr(LoggedSteps, "append", lambda self, step, text, now_ns: None)
    result = run_scenario(parked(patch))
    assert failed(result) == {"OTA-006"}
    assert texts(result) == {f"audit log of {node}" for node in PAIR}
