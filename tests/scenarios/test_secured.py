"""Shipped scenarios on the secured interface: what is lost or rejected is missed as ever."""

from __future__ import annotations

from typing import Any

import pytest

from simcore.faults.message import ChecksumWrong, MessageFault, MessageJitter, MessageStopped
from simcore.network import Database
from simcore.protection.e2e_state_machine import E2eState
from simcore.protection.e2e_status import E2eStatus
from simcore.resources import dbc_path, scenario_path
from simcore.rig import Rig, Verdict, load_scenarios, run_scenario
from simcore.units import ms

SECURED = Database.load(dbc_path("chassis_fd_secoc.dbc"))
FILES = {
    "cdc_lost[moment=braking]": "cdc_lost",
    "cdc_back[mu=1.05]": "cdc_lost",
    "silent_actuator[corner=FL]": "silent_actuator",
    "bus_a_shorted[fault=dominant]": "bus_a_shorted",
    "babbling_node": "babbling_node",
}
RECEIVERS = ("CDC2", "EMB_FL", "EMB_FR", "EMB_RL", "EMB_RR")


@pytest.mark.parametrize("name", FILES)
def test_a_loss_is_mastered_on_the_secured_interface_too(name: str) -> None:
    items = load_scenarios(scenario_path(f"{FILES[name]}.py"))
    item = next(each for each in items if each.name == name)
    result = run_scenario(item, database=SECURED)
    assert result.error is None, result.error_detail
    assert [check for check in result.checks if not check.passed] == []
    assert (result.verdict, result.findings) == (Verdict.PASSED, ())


@pytest.mark.parametrize(
    ("fault", "is_missed"),
    [
        (MessageStopped(message="CDC_EmbCmd", frames=1), False),
        (MessageStopped(message="CDC_EmbCmd", frames=100), True),
        (ChecksumWrong(message="CDC_EmbCmd", frames=100), True),
        (MessageJitter(message="CDC_EmbCmd", jitter_ns=ms(4), frames=100), False),
    ],
    ids=lambda each: getattr(each, "sentence", str(each)),
)
def test_a_command_that_is_missing_or_rejected_is_no_new_data(
    fault: MessageFault, is_missed: bool
) -> None:
    rig = Rig(database=SECURED)
    rig.run_for(ms(300))
    rig.inject(fault)
    rig.run_for(ms(200))
    for name in RECEIVERS:
        node: Any = rig.node(name)
        reception = node.reception("CDC_EmbCmd")
        if is_missed:
            assert reception.status is E2eStatus.NO_NEW_DATA
        assert reception.usable(rig.now_ns) is not is_missed
    if is_missed:
        secondary: Any = rig.node("CDC2")
        assert secondary.application.control is not None  # it has taken over
    rig.run_for(ms(800))
    for name in RECEIVERS:
        node = rig.node(name)
        assert node.reception("CDC_EmbCmd").usable(rig.now_ns)
        assert node.reception("CDC_EmbCmd").state is E2eState.VALID
    assert rig.log.findings == []
