"""What a tester switches off at standstill comes back when the car moves; nothing else gets in."""

from __future__ import annotations

import pytest

from simcore import Rig, ms, s
from simcore.faults import EcuSilent
from simcore.rig import WORKSHOP, Backend, Campaign

EMBS = ("EMB_FL", "EMB_FR", "EMB_RL", "EMB_RR")
CONTROLLERS = ("CDC", "CDC2")


@pytest.fixture(scope="module")
def standing() -> Rig:
    rig = Rig()
    rig.run_for(ms(600))
    return rig


def ask(rig: Rig, node: str, request: str) -> str:
    response = rig.tester.request(node, bytes.fromhex(request))
    return "" if response is None else response.hex()


def reactions(rig: Rig) -> list[str]:
    return [
        event.source
        for event in rig.log.events
        if event.kind == "reaction" and event.text == "the vehicle moves: default session"
    ]


def test_brakes_made_deaf_and_dumb_at_standstill_work_again_on_the_road(standing: Rig) -> None:
    rig = standing.fork()
    for node in EMBS:
        ask(rig, node, "1003")
        assert ask(rig, node, "280303") == "6803"
    for node in CONTROLLERS:
        ask(rig, node, "1003")
        assert ask(rig, node, "280103") == "6801"
    rig.tester.present()
    rig.run_for(s(1))
    assert reactions(rig) == []
    rig.vehicle.set_speed(kmh=80)
    rig.run_for(ms(200))
    assert set(reactions(rig)) == {*EMBS, *CONTROLLERS}
    stop = rig.measure_stop(pedal_pct=100, timeout=s(6))
    assert stop.stopped
    assert stop.distance_m < 27.0


@pytest.mark.parametrize("node", CONTROLLERS)
@pytest.mark.parametrize("request_hex", ["280301", "280203"])
def test_a_controller_cannot_be_made_deaf(standing: Rig, node: str, request_hex: str) -> None:
    rig = standing.fork()
    ask(rig, node, "1003")
    assert ask(rig, node, request_hex) == "7f2822"


def test_a_speed_that_nobody_knows_is_no_standstill(standing: Rig) -> None:
    rig = standing.fork()
    for node in EMBS:
        rig.inject(EcuSilent(node=node))
    rig.run_for(ms(300))
    assert ask(rig, "CDC", "1101") == "7f1188"
    alone = standing.fork()
    for node in CONTROLLERS:
        alone.inject(EcuSilent(node=node))
    alone.run_for(ms(300))
    assert ask(alone, "EMB_FL", "1101") == "7f1188"


def test_trouble_codes_are_not_switched_off_on_the_road(standing: Rig) -> None:
    rig = standing.fork()
    ask(rig, "CDC", "1003")
    assert ask(rig, "CDC", "8502") == "c502"
    rig.tester.present()
    rig.vehicle.set_speed(kmh=30)
    rig.run_for(ms(100))
    assert "CDC" in reactions(rig)
    assert ask(rig, "CDC", "1003") == "5003003201f4"
    assert ask(rig, "CDC", "8502") == "7f8588"
    rig.inject(EcuSilent(node="EMB_FL"))
    rig.run_for(ms(200))
    assert "5a1087" in ask(rig, "CDC", "190208")


# ---- bundles ----


@pytest.fixture(scope="module")
def staged() -> tuple[Rig, Campaign]:
    rig = Rig()
    rig.set_park_brake(True)
    rig.set_power_mode("Park")
    rig.run_for(s(3))
    backend = Backend()
    backend.campaign("1.1.0", now_ns=rig.now_ns, nodes=("CDC", "EMB_FL"), size=2048)
    campaign = Campaign(rig, backend, pace=WORKSHOP)
    campaign.load()
    assert campaign.wait(timeout=s(10)), campaign.failures
    return rig, campaign


def test_a_member_of_a_bundle_starts_nothing_without_its_coordinator(
    staged: tuple[Rig, Campaign],
) -> None:
    rig, campaign = staged
    campaign.read("EMB_FL", 0xF1A4)  # asking how it stands opens nothing
    assert campaign.activate("EMB_FL") == "0x33 security_access_denied"
    forged = bytes(16) + b"\x03" + bytes(64)
    response = campaign.order("EMB_FL", bytes.fromhex("31 01 02 13") + forged)
    assert response == bytes.fromhex("7F 31 33")
    status = campaign.status("EMB_FL")
    assert status is not None
    assert status.state.name == "STAGED"
    refused = [event.text for event in rig.log.events if "not ordered" in event.text]
    assert refused == ["update: activation refused: not ordered by the coordinator"] * len(refused)
    assert refused


def test_a_status_is_heard_once_even_over_a_reset_of_the_coordinator(
    staged: tuple[Rig, Campaign],
) -> None:
    rig, campaign = staged
    status = campaign.read("EMB_FL", 0xF1A4)
    assert status is not None
    request = bytes.fromhex("31 01 02 21") + status
    first = campaign.order("CDC", request)
    assert first is not None and first[0] == 0x71
    assert campaign.order("CDC", request) == bytes.fromhex("7F 31 31")
    assert ask(rig, "CDC", "1101") == "5101"
    rig.run_for(s(1))
    assert campaign.order("CDC", request) == bytes.fromhex("7F 31 31")
    changed = request[:-70] + bytes((request[-70] ^ 1,)) + request[-69:]
    assert campaign.order("CDC", changed) == bytes.fromhex("7F 31 33")
