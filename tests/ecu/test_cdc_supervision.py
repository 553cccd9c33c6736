"""Supervision of both domain controllers on the rig: WDG-001, WDG-002, and DEG-002 behind it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simcore import Rig, ms
from simcore.ecu.cdc import CdcParameters
from simcore.ecu.cdc.housekeeping import SECONDS, STARTS, Housekeeping
from simcore.ecu.cdc.supervision import supervision_settings
from simcore.ecu.cdc2 import Cdc2Parameters
from simcore.ecu.cdc2.supervision import supervision_settings as secondary_settings
from simcore.faults.ecu import EcuReset
from simcore.faults.ecu_tasks import (
    TaskDoubled,
    TaskHung,
    TaskOrderSwapped,
    TaskSkipped,
    TaskSlow,
)
from simcore.faults.fault import Fault
from simcore.watchdog import GlobalStatus, LocalStatus

CORNERS = ("FL", "FR", "RL", "RR")
SENDING = {"CDC": "send CDC_EmbCmd", "CDC2": "send CDC2_EmbCmd"}


@pytest.fixture(scope="module")
def braking() -> Rig:
    """A car at 100 km/h that brakes with a third of the pedal, dry road."""
    rig = Rig(seed=5)
    rig.vehicle.set_friction(1.05)
    rig.vehicle.set_speed(kmh=100)
    rig.run_for(ms(400))
    rig.press_pedal(35)
    rig.run_for(ms(467))  # no round number of cycles: between two of them
    return rig


def faults(node: str) -> dict[str, Fault]:
    return {
        "control hung": TaskHung(node=node, task="control"),
        "control three times as slow": TaskSlow(node=node, task="control", factor=3),
        "control skipped": TaskSkipped(node=node, task="control", every=1),
        "control skipped every second time": TaskSkipped(node=node, task="control", every=2),
        "control doubled": TaskDoubled(node=node, task="control"),
        "monitor hung": TaskHung(node=node, task="monitor"),
        "monitor three times as slow": TaskSlow(node=node, task="monitor", factor=3),
        "monitor skipped every second time": TaskSkipped(node=node, task="monitor", every=2),
        "monitor skipped every fifth time": TaskSkipped(node=node, task="monitor", every=5),
        "control skipped every fifth time": TaskSkipped(node=node, task="control", every=5),
        "sending skipped every second time": TaskSkipped(node=node, task=SENDING[node], every=2),
        "sending skipped every fifth time": TaskSkipped(node=node, task=SENDING[node], every=5),
        "sending hung": TaskHung(node=node, task=SENDING[node]),
        "sending skipped": TaskSkipped(node=node, task=SENDING[node], every=1),
        "sending doubled": TaskDoubled(node=node, task=SENDING[node]),
        "control after sending": TaskOrderSwapped(node=node, first="control", second=SENDING[node]),
    }


NAMES = [(node, name) for node in ("CDC", "CDC2") for name in faults(node)]


def events_since(rig: Rig, start_ns: int, source: str, kind: str) -> list[tuple[float, str]]:
    return [
        ((event.time_ns - start_ns) / 1e6, event.text)
        for event in rig.log.events
        if event.time_ns >= start_ns and event.source == source and event.kind == kind
    ]


@pytest.mark.parametrize(("node", "name"), NAMES)
def test_a_disturbed_task_is_detected_and_the_safe_path_open_within_100_ms(
    braking: Rig, node: str, name: str
) -> None:
    rig = braking.fork()
    fault_ns = rig.now_ns
    rig.inject(faults(node)[name])
    rig.run_for(ms(150 if "fifth" in name else 100))
    detections = events_since(rig, fault_ns, node, "detection")
    low = [each for each in events_since(rig, fault_ns, node, "reaction") if "line low" in each[1]]
    # What is skipped now and then is wrong from the first run that is missing on.
    assert detections and detections[0][0] <= (70.0 if "fifth" in name else 30.0)
    assert low and low[0][0] - detections[0][0] <= 70.0
    assert low[0][0] <= (150.0 if "fifth" in name else 100.0)


@pytest.mark.parametrize(
    "name", ["control three times as slow", "control skipped", "control doubled", "control hung"]
)
def test_while_the_controller_is_reset_by_its_watchdog_no_force_rises_above_demand(
    braking: Rig, name: str
) -> None:
    """DEG-002: the secondary is in charge meanwhile, and hands back."""
    rig = braking.fork()
    fault_ns = rig.now_ns
    demand_n = [rig.signal("CDC_EmbCmd", f"CDC_{corner}_FReq") or 0.0 for corner in CORNERS]
    rig.inject(faults("CDC")[name])
    rig.run_for(ms(600))
    for corner, force_n in zip(CORNERS, demand_n, strict=True):
        highest_n = float(np.max(rig.recorded(f"clamp_force_n.{corner}", since_ns=fault_ns)))
        assert highest_n <= force_n + max(0.03 * force_n, 300.0)
    texts = [text for _, text in events_since(rig, fault_ns, "CDC2", "state")]
    assert "STANDBY -> COMMANDING (PRIMARY_LOST)" in texts
    assert "COMMANDING -> STANDBY (PRIMARY_BACK)" in texts
    assert rig.signal("CDC_EmbCmd", "CDC_FL_ReqVld") == 1
    assert rig.signal("CDC_BrkSt", "CDC_WdgSt") == GlobalStatus.OK


def test_the_monitor_of_the_secondary_is_supervised_before_it_is_needed(braking: Rig) -> None:
    """Found only when it commands, it would take the second controller after the first."""
    rig = braking.fork()
    assert rig.node("CDC2").supervision.local_status("monitor") is LocalStatus.OK
    rig.inject(TaskHung(node="CDC2", task="monitor"))
    rig.run_for(ms(100))
    found = events_since(rig, 0, "CDC2", "detection")
    assert found and "monitor EXPIRED" in found[0][1]


def test_an_undisturbed_controller_never_leaves_ok(braking: Rig) -> None:
    rig = braking.fork()
    rig.run_for(ms(300))
    for node in ("CDC", "CDC2"):
        assert rig.node(node).supervision.global_status is GlobalStatus.OK
        assert events_since(rig, 0, node, "detection") == []
    assert rig.signal("CDC_BrkSt", "CDC_WdgSt") == 0
    assert rig.signal("CDC_BrkSt", "CDC_EnLine") == 1
    assert rig.signal("CDC_BrkSt", "CDC_MonSt") == 0
    assert rig.signal("CDC2_EmbCmd", "CDC2_WdgSt") == 0


def test_what_expired_first_is_told_after_the_reset(braking: Rig) -> None:
    rig = braking.fork()
    rig.inject(TaskDoubled(node="CDC", task="control"))
    rig.run_for(ms(300))
    settings = supervision_settings(CdcParameters())
    place = [entity.name for entity in settings.entities].index("control")
    assert rig.signal("CDC_BrkSt", "CDC_WdgFirstExp") == place + 1


def test_the_secondary_is_supervised_more_closely_while_it_commands(braking: Rig) -> None:
    rig = braking.fork()
    supervision = rig.node("CDC2").supervision
    assert supervision.local_status("braking") is LocalStatus.DEACTIVATED
    rig.inject(TaskHung(node="CDC", task="control"))
    rig.run_for(ms(50))
    assert supervision.local_status("braking") is LocalStatus.OK
    assert supervision.local_status("monitor") is LocalStatus.OK


@pytest.mark.parametrize(
    "settings", [supervision_settings(CdcParameters()), secondary_settings(Cdc2Parameters())]
)
def test_every_task_has_alive_and_deadline_supervision(settings: Any) -> None:
    modes = {mode.entity: mode for mode in settings.modes[-1].entities}
    assert set(modes) == {entity.name for entity in settings.entities}
    for name, mode in modes.items():
        assert mode.alive
        assert mode.deadline or name == "braking"


def test_without_a_watchdog_nothing_is_supervised() -> None:
    rig = Rig(without=["watchdog"])
    rig.run_for(ms(200))
    assert rig.node("CDC").supervision.global_status is GlobalStatus.DEACTIVATED
    assert rig.signal("CDC_BrkSt", "CDC_WdgSt") == GlobalStatus.DEACTIVATED


class Port:
    def __init__(self) -> None:
        self.memory: dict[str, bytes] = {}


def test_housekeeping_counts_starts_and_operating_time_over_resets() -> None:
    port: Any = Port()
    for start in (1, 2, 3):
        housekeeping = Housekeeping(port, ms(100))
        assert housekeeping.starts == start
        for _ in range(150):
            housekeeping.step(0)
    assert int.from_bytes(port.memory[STARTS], "big") == 3
    # Written every 10 s: a reset loses the seconds since.
    assert int.from_bytes(port.memory[SECONDS], "big") == 30
    assert housekeeping.operating_s == 35


def test_a_reset_is_counted_by_housekeeping(braking: Rig) -> None:
    rig = braking.fork()
    rig.inject(EcuReset(node="CDC"))
    rig.run_for(ms(50))
    assert rig.node("CDC").housekeeping.starts == 2
