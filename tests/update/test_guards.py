"""Guards: every row, taken away alone, refuses exactly its command with its code."""

from __future__ import annotations

import pytest

from simcore.diag.codes import Nrc
from simcore.update.bundle_reference import START_NS, Example, built
from simcore.update.client_campaign import Campaign
from simcore.update.client_ecu import UpdateEcu
from simcore.update.client_walk import LOST
from simcore.update.guards import (
    ACTIVATION_GUARD,
    BACKGROUND_GUARD,
    INSTALL_GUARD,
    Conditions,
    GuardSettings,
    Refused,
    Row,
    Standstill,
    fit_conditions,
    holding_rows,
    refusal,
)
from simcore.update.reset_cause import ResetCause
from simcore.update.states import UpdateState

SETTINGS = GuardSettings()

CODES = {
    "speed": Nrc.VEHICLE_SPEED_TOO_HIGH,
    "standstill": Nrc.VEHICLE_SPEED_TOO_HIGH,
    "park_commanded": Nrc.SHIFTER_LEVER_NOT_IN_PARK,
    "park_confirmed": Nrc.SHIFTER_LEVER_NOT_IN_PARK,
    "ignition": Nrc.ENGINE_IS_RUNNING,
    "supply_low": Nrc.VOLTAGE_TOO_LOW,
    "supply_high": Nrc.VOLTAGE_TOO_HIGH,
    "supply_margin": Nrc.VOLTAGE_TOO_LOW,
}
"""All others are conditionsNotCorrect."""


def ecu_in(state: UpdateState) -> tuple[UpdateEcu, int]:
    """An ECU whose update has come as far as `state`."""
    example = built(Example())
    ecu = UpdateEcu(example.plans["EMB_FL"])
    campaign = Campaign(example.metadata, example.images["EMB_FL"])
    now_ns = START_NS
    ecu.boot(ResetCause.POWER_ON, now_ns)
    for _ in range(200):
        client = ecu.client
        assert client is not None
        if client.state is state and client.next_deadline_ns() != client.busy_until_ns:
            return ecu, now_ns
        campaign.act(client, ecu.flash, now_ns)
        now_ns = ecu.work(now_ns)
    raise AssertionError(f"{state.name} was not reached")


@pytest.mark.parametrize("row", ACTIVATION_GUARD, ids=[row.name for row in ACTIVATION_GUARD])
def test_each_row_of_the_activation_guard_alone_refuses_with_its_code(row: Row) -> None:
    ecu, now_ns = ecu_in(UpdateState.STAGED)
    client = ecu.client
    assert client is not None
    ecu.surroundings.seen = fit_conditions(**LOST[row.name])
    answer = client.activate(now_ns)
    expected = CODES.get(row.name, Nrc.CONDITIONS_NOT_CORRECT)
    assert answer == Refused(expected, row.reason, row.name)
    assert client.state is UpdateState.STAGED
    lost = [
        name for name, holds in holding_rows(ecu.surroundings.seen, SETTINGS).items() if not holds
    ]
    assert lost == [row.name]


@pytest.mark.parametrize("row", INSTALL_GUARD, ids=[row.name for row in INSTALL_GUARD])
def test_each_row_of_the_install_guard_alone_refuses_with_its_code(row: Row) -> None:
    ecu, now_ns = ecu_in(UpdateState.READY)
    client = ecu.client
    assert client is not None
    ecu.surroundings.seen = fit_conditions(**LOST[row.name])
    expected = CODES.get(row.name, Nrc.CONDITIONS_NOT_CORRECT)
    assert client.install(now_ns) == Refused(expected, row.reason, row.name)
    assert client.state is UpdateState.READY


def test_what_only_the_activation_asks_for_does_not_hinder_the_installation() -> None:
    moving = fit_conditions(speed_1_mps=20.0, parked_confirmed=False, consent=False)
    assert refusal(INSTALL_GUARD, moving, SETTINGS) is None
    assert refusal(BACKGROUND_GUARD, moving, SETTINGS) is None


@pytest.mark.parametrize("row", ACTIVATION_GUARD, ids=[row.name for row in ACTIVATION_GUARD])
def test_a_guard_lost_before_the_request_write_leads_back_to_staged(row: Row) -> None:
    ecu, now_ns = ecu_in(UpdateState.STAGED)
    client = ecu.client
    assert client is not None
    client.activate(now_ns)
    assert client.state is UpdateState.ACTIVATING
    ecu.surroundings.seen = fit_conditions(**LOST[row.name])
    now_ns = client.busy_until_ns
    client.step(now_ns)
    assert client.state is UpdateState.STAGED
    assert not client.take_reset()
    assert ecu.requests == []


def test_a_guard_lost_after_the_request_write_changes_nothing() -> None:
    ecu, now_ns = ecu_in(UpdateState.STAGED)
    client = ecu.client
    assert client is not None
    client.activate(now_ns)
    client.step(client.busy_until_ns)
    assert client.state is UpdateState.BOOT_SWAP
    ecu.surroundings.seen = Conditions()
    client.step(client.busy_until_ns)
    assert isinstance(client.cancel(now_ns), Refused)
    assert isinstance(client.rollback(now_ns), Refused)
    assert client.state is UpdateState.BOOT_SWAP
    assert client.take_reset()


def test_nothing_holds_by_default() -> None:
    holds = holding_rows(Conditions(), SETTINGS)
    assert not (holds["speed_sources"] or holds["consent"] or holds["safety_dtc"])
    assert refusal(ACTIVATION_GUARD, Conditions(), SETTINGS) is not None


def test_worn_flash_counts_whatever_the_ecu_says() -> None:
    ecu, now_ns = ecu_in(UpdateState.READY)
    client = ecu.client
    assert client is not None
    ecu.flash._wear[0] = ecu.flash.geometry.endurance - SETTINGS.erase_cycles_min + 1
    answer = client.install(now_ns)
    assert isinstance(answer, Refused) and answer.row == "endurance"


@pytest.mark.parametrize(
    ("first_mps", "first_valid", "second_mps", "second_valid"),
    [
        (0.1, True, 0.0, True),
        (0.0, True, 0.1, True),
        (0.0, False, 0.0, True),
        (0.0, True, 0.0, False),
    ],
)
def test_standstill_begins_anew_with_any_doubt(
    first_mps: float, first_valid: bool, second_mps: float, second_valid: bool
) -> None:
    standstill = Standstill()
    assert standstill.update(0.0, True, 0.0, True, 100) == 0
    assert standstill.update(0.0, True, 0.0, True, 400) == 300
    assert standstill.update(first_mps, first_valid, second_mps, second_valid, 500) == 0
    assert standstill.update(0.0, True, 0.0, True, 600) == 0
    assert standstill.update(0.0, True, 0.0, True, 650) == 50
