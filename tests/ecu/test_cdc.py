"""The domain controller bare on the bench: what it hears, decides and sends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simcore.ecu import Cdc, Node
from simcore.network import Database
from simcore.protection import E2eStatus, Profile05Receiver
from simcore.units import ms

Make = Callable[..., Any]
CORNERS = ("FL", "FR", "RL", "RR")
CYCLIC = (
    "CDC_EmbCmd",
    "CDC_WhlSpd",
    "CDC_VehDyn",
    "CDC_BrkSt",
    "CDC_RegenReq",
    "CDC_SteerReq",
    "CDC_Epb",
)
STILL = {"WhlSpd": 0.0, "WhlDir": "Standstill"}


def status(corner: str, **changes: Any) -> dict[str, Any]:
    values = {
        "FAct": 0,
        "FActQf": "Valid",
        "State": "Ready",
        "FaultLvl": "None",
        "WhlSpd": 100.0,
        "WhlSpdQf": "Valid",
        "WhlDir": "Forward",
        "ReqEcho": "Clearance",
        **changes,
    }
    return {f"EMB_{corner}_{name}": value for name, value in values.items()}


def pedal(travel_mm: float, **changes: Any) -> dict[str, Any]:
    values = {"Trvl1": travel_mm, "Trvl2": travel_mm, "Qf1": "Valid", "Qf2": "Valid", **changes}
    return {f"BPS_{name}": value for name, value in values.items()}


def report(bench: Any, **changes: Any) -> None:
    """All four actuators report this from now on."""
    for corner in CORNERS:
        bench.repeat(f"EMB_{corner}_St1", **status(corner, **changes))


def follow(bench: Any, duration_ns: int, *, silent: tuple[str, ...] = (), **changes: Any) -> None:
    """Let time pass with actuators that deliver what they are commanded."""
    for _ in range(duration_ns // ms(5)):
        bench.run_for(ms(5))
        if changes.get("WhlSpd") != 0.0:  # the car decelerates as it is braked
            shaken_mps2 = 0.002 * (bench.now_ns // ms(5) % 2)  # no real sensor stands still
            ax_mps2 = shaken_mps2 - sum(forces(bench)) * 0.32 / 2200.0
            bench.repeat("IMU_Data", IMU_Ax=ax_mps2, IMU_AxQf="Valid")
        for corner, force_n in zip(CORNERS, forces(bench), strict=True):
            if corner in silent:
                continue
            bench.repeat(f"EMB_{corner}_St1", **status(corner, FAct=force_n, **changes))


def awake(make_bench: Make, database: Database, **changes: Any) -> Any:
    """A controller with all its neighbours on the bus, start-up over."""
    bench = make_bench(Cdc("CDC", database), "CDC", inputs={"auto_hold_switch_state": 0.0})
    report(bench, **changes)
    bench.repeat("BPS_Pedal", **pedal(0.0))
    bench.repeat("IMU_Data", IMU_Ax=0.0, IMU_AxQf="Valid")
    bench.repeat("VCU_Torque", VCU_AccPed=0)
    bench.repeat("ADAS_LongReq", ADAS_AebActv="Inactive")
    bench.run_to(ms(300))
    return bench


@pytest.fixture
def cdc(make_bench: Make, database: Database) -> Any:
    """The controller of a car that rolls at 100 km/h."""
    return awake(make_bench, database)


@pytest.fixture
def parked_cdc(make_bench: Make, database: Database) -> Any:
    """The controller of a car that stands."""
    return awake(make_bench, database, **STILL)


def commands(bench: Any) -> list[tuple[float, str]]:
    values = bench.last("CDC_EmbCmd")
    return [(values[f"CDC_{corner}_FReq"], values[f"CDC_{corner}_Mode"]) for corner in CORNERS]


def forces(bench: Any) -> list[float]:
    return [force_n for force_n, _ in commands(bench)]


def test_the_reference_controller_is_a_node(database: Database) -> None:
    assert isinstance(Cdc("CDC", database), Node)


def test_it_listens_to_actuators_pedal_inertia_drive_assistance_and_supply(
    cdc: Any, database: Database
) -> None:
    names = [f"EMB_{corner}_St1" for corner in CORNERS]
    names += ["BPS_Pedal", "IMU_Data", "VCU_Torque", "ADAS_LongReq", "PDM_Supply", "CDC2_EmbCmd"]
    names += ["VEH_Mode", "DIAG_CDC_Req", "DIAG_Func_Req"]
    assert cdc.port.accepted == {database.message(name).arbitration_id for name in names}


def test_everything_it_sends_is_in_its_cycle_protected_and_complete(
    cdc: Any, database: Database
) -> None:
    start_ns = cdc.now_ns
    first = {name: len(cdc.frames(name)) for name in (*CYCLIC, "CDC_Hmi")}
    cdc.run_for(ms(1_000))
    for name, count in first.items():
        message = database.message(name)
        assert message.e2e is not None and message.cycle_time_ns is not None
        receiver = Profile05Receiver(message.e2e.data_id, message.length)
        statuses = {receiver.check(frame.data) for frame in cdc.frames(name)}
        assert statuses == {E2eStatus.OK}
        assert len(cdc.frames(name)) - count == (cdc.now_ns - start_ns) // message.cycle_time_ns
    sent_by_it = {
        message.name for message in database.sent_by("CDC") if message.cycle_time_ns is not None
    }
    assert sent_by_it == set(first)


def test_without_a_request_every_brake_is_commanded_open(cdc: Any) -> None:
    assert commands(cdc) == [(0, "Clearance")] * 4
    values = cdc.last("CDC_BrkSt")
    assert (values["CDC_ReqSrc"], values["CDC_StopLamp"], values["CDC_DegrLvl"]) == (
        "None",
        "Off",
        "Full",
    )


def test_the_pedal_brakes_all_four_wheels_more_in_front(cdc: Any) -> None:
    cdc.repeat("BPS_Pedal", **pedal(31.0))
    cdc.run_for(ms(20))
    fl, fr, rl, rr = forces(cdc)
    assert fl == fr > rl == rr > 1_000
    assert {mode for _, mode in commands(cdc)} == {"ForceCtrl"}
    # 6 m/s2 of 2200 kg through 2 mu r / R of each brake
    tyre_n = sum(f * 2 * 0.40 * r / 0.345 for f, r in ((fl + fr, 0.14), (rl + rr, 0.135)))
    assert tyre_n == pytest.approx(2200 * 6.0, rel=0.01)
    values = cdc.last("CDC_BrkSt")
    assert (values["CDC_ReqSrc"], values["CDC_StopLamp"]) == ("Driver", "On")
    assert cdc.last("CDC_EmbCmd")["CDC_DrvBrkActv"] == "Active"


def test_a_pedal_frame_reaches_the_command_of_the_same_control_step(cdc: Any) -> None:
    cdc.repeat("BPS_Pedal", **pedal(31.0))
    cdc.run_to(ms(305))
    assert min(forces(cdc)) > 0


def test_the_release_of_the_pedal_opens_the_brakes_at_once(cdc: Any) -> None:
    cdc.repeat("BPS_Pedal", **pedal(31.0))
    cdc.run_for(ms(50))
    cdc.repeat("BPS_Pedal", **pedal(0.0))
    cdc.run_for(ms(5))
    assert commands(cdc) == [(0, "Clearance")] * 4


def test_a_silent_pedal_is_no_request_and_warns(cdc: Any) -> None:
    """BRK-003: what is not known to be wanted is not done."""
    cdc.repeat("BPS_Pedal", **pedal(40.0))
    follow(cdc, ms(50))
    cdc.stop("BPS_Pedal")
    cdc.run_for(ms(30))
    assert forces(cdc) == [0] * 4
    assert cdc.last("CDC_BrkSt")["CDC_DegrLvl"] == "PedalDegr"


def test_without_a_pedal_the_command_says_that_it_is_not_valid(cdc: Any) -> None:
    """What the actuators do then is theirs, COM-004; an assistance may still command them."""
    valid = [f"CDC_{corner}_ReqVld" for corner in CORNERS]
    assert {cdc.last("CDC_EmbCmd")[name] for name in valid} == {"Valid"}
    cdc.stop("BPS_Pedal")
    cdc.run_for(ms(30))
    assert {cdc.last("CDC_EmbCmd")[name] for name in valid} == {"NotValid"}
    cdc.repeat("ADAS_LongReq", ADAS_AebActv="Full", ADAS_AebDecel=-6.0)
    follow(cdc, ms(40))
    assert {cdc.last("CDC_EmbCmd")[name] for name in valid} == {"Valid"}
    assert min(forces(cdc)) > 1_000


def test_one_pedal_channel_left_keeps_the_command_valid(cdc: Any) -> None:
    cdc.repeat("BPS_Pedal", **pedal(31.0, Qf1="Invalid"))
    follow(cdc, ms(30))
    values = cdc.last("CDC_EmbCmd")
    assert {values[f"CDC_{corner}_ReqVld"] for corner in CORNERS} == {"Valid"}
    assert min(forces(cdc)) > 1_000


def test_disagreeing_pedal_channels_brake_by_the_smaller_and_warn(cdc: Any) -> None:
    """SAF-003."""
    cdc.repeat("BPS_Pedal", **pedal(31.0))
    follow(cdc, ms(20))
    half = forces(cdc)
    cdc.repeat("BPS_Pedal", **pedal(31.0, Trvl2=60.0))
    follow(cdc, ms(20))
    assert forces(cdc) == half
    values = cdc.last("CDC_BrkSt")
    assert (values["CDC_DegrLvl"], values["CDC_LampRed"]) == ("PedalDegr", "On")
    follow(cdc, ms(100))
    assert cdc.last("CDC_Hmi")["HMI_MsgId"] == "BrakePedalFault"


def test_emergency_braking_brakes_and_says_whose_it_is(cdc: Any) -> None:
    cdc.repeat("ADAS_LongReq", ADAS_AebActv="Full", ADAS_AebDecel=-6.0)
    cdc.run_for(ms(40))
    assert min(forces(cdc)) > 1_000
    assert cdc.last("CDC_BrkSt")["CDC_ReqSrc"] == "AEB"
    assert cdc.last("CDC_EmbCmd")["CDC_EmgcyBrk"] == "Active"
    assert cdc.last("CDC_EmbCmd")["CDC_DrvBrkActv"] == "Inactive"


def test_the_driver_may_brake_harder_than_the_emergency_braking(cdc: Any) -> None:
    cdc.repeat("ADAS_LongReq", ADAS_AebActv="Partial", ADAS_AebDecel=-3.0)
    follow(cdc, ms(40))
    partial = forces(cdc)
    cdc.repeat("BPS_Pedal", **pedal(50.0))
    follow(cdc, ms(40))
    assert all(more > less for more, less in zip(forces(cdc), partial, strict=True))
    assert cdc.last("CDC_BrkSt")["CDC_ReqSrc"] == "Driver"
    assert cdc.last("CDC_EmbCmd")["CDC_EmgcyBrk"] == "Inactive"


def test_a_lost_assistance_ramps_cruise_braking_out_and_never_steps(cdc: Any) -> None:
    cdc.repeat("ADAS_LongReq", ADAS_AccActv=1, ADAS_AccAccel=-3.0)
    follow(cdc, ms(100))
    assert cdc.last("CDC_BrkSt")["CDC_ReqSrc"] == "ACC"
    cdc.stop("ADAS_LongReq")
    follow(cdc, ms(50))
    before = forces(cdc)
    first_n = before[0]
    for _ in range(230):
        follow(cdc, ms(5))
        now = forces(cdc)
        assert all(old - 100 <= new <= old for new, old in zip(now, before, strict=True))
        before = now
    assert first_n > 2_000
    assert before == [0] * 4


def test_a_wheel_that_locks_is_relieved_and_reported(cdc: Any) -> None:
    cdc.repeat("BPS_Pedal", **pedal(60.0))
    follow(cdc, ms(50))
    demand = forces(cdc)
    for speed_kmh in (85.0, 70.0, 55.0, 40.0, 40.0, 40.0):
        cdc.repeat("EMB_FL_St1", **status("FL", FAct=20_000, WhlSpd=speed_kmh))
        cdc.run_for(ms(5))
    assert forces(cdc)[0] < 0.8 * demand[0]
    values = cdc.last("CDC_EmbCmd")
    assert values["CDC_FL_AbsActv"] == "Active"
    assert cdc.last("CDC_BrkSt")["CDC_AbsActv"] & 1


# -- lost actuators ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("corner", "level"),
    [("FL", "OneFront"), ("FR", "OneFront"), ("RL", "OneRear"), ("RR", "OneRear")],
)
def test_a_silent_actuator_is_left_out_and_the_driver_warned_within_50_ms(
    cdc: Any, corner: str, level: str
) -> None:
    """SAF-001 and DEG-001 as the bus sees them."""
    cdc.repeat("BPS_Pedal", **pedal(31.0))
    follow(cdc, ms(50))
    before = dict(zip(CORNERS, forces(cdc), strict=True))
    cdc.stop(f"EMB_{corner}_St1")
    follow(cdc, ms(35), silent=(corner,))
    after = dict(zip(CORNERS, commands(cdc), strict=True))
    assert after[corner] == (0, "Clearance")
    gained = [name for name in CORNERS if after[name][0] > before[name]]
    assert gained and corner not in gained
    values = cdc.last("CDC_BrkSt")
    assert (values["CDC_DegrLvl"], values["CDC_LampRed"]) == (level, "On")
    assert cdc.happened("detection") == [f"EMB_{corner} lost: silent"]
    reaction = f"degradation FULL -> {'ONE_FRONT' if level == 'OneFront' else 'ONE_REAR'}"
    assert cdc.happened("reaction") == [reaction]
    wheels = cdc.last("CDC_WhlSpd")
    assert wheels[f"CDC_WhlQf{corner}"] == "Invalid"


def test_an_actuator_back_on_the_bus_is_braked_with_again(cdc: Any) -> None:
    cdc.repeat("BPS_Pedal", **pedal(31.0))
    follow(cdc, ms(50))
    cdc.stop("EMB_FL_St1")
    follow(cdc, ms(200), silent=("FL",))
    follow(cdc, ms(100))
    assert min(forces(cdc)) > 0
    assert cdc.last("CDC_BrkSt")["CDC_DegrLvl"] == "Full"
    assert cdc.happened("detection") == ["EMB_FL lost: silent", "EMB_FL back"]


def test_with_all_actuators_silent_the_driver_s_demand_goes_on_and_all_lost_is_reported(
    cdc: Any,
) -> None:
    """A valid command of nothing would open the brakes of those that still hear it."""
    cdc.repeat("BPS_Pedal", **pedal(31.0))
    cdc.run_for(ms(20))
    cdc.stop(*(f"EMB_{corner}_St1" for corner in CORNERS))
    before_n = forces(cdc)
    cdc.run_for(ms(60))
    assert forces(cdc) == before_n and min(before_n) > 0
    assert {mode for _, mode in commands(cdc)} == {"ForceCtrl"}
    assert cdc.last("CDC_BrkSt")["CDC_DegrLvl"] == "AllLost"
    assert cdc.last("CDC_VehDyn")["CDC_VehSpdQf"] == "Invalid"


def test_the_actuators_may_be_late_for_200_ms_after_power_on(
    make_bench: Make, database: Database
) -> None:
    bench = make_bench(Cdc("CDC", database), "CDC", inputs={"auto_hold_switch_state": 0.0})
    bench.run_to(ms(199))
    assert bench.happened("detection") == []
    bench.run_to(ms(200))
    assert len(bench.happened("detection")) == 4


# -- vehicle dynamics, hold ----------------------------------------------------------------------


def test_speed_and_acceleration_are_passed_on(cdc: Any) -> None:
    cdc.repeat("IMU_Data", IMU_Ax=-1.5, IMU_AxQf="Valid")
    cdc.run_for(ms(30))
    values = cdc.last("CDC_VehDyn")
    assert values["CDC_VehSpd"] == pytest.approx(100.0, abs=0.5)
    assert (values["CDC_VehSpdQf"], values["CDC_Standstill"]) == ("Valid", "Moving")
    assert values["CDC_RefAccel"] == pytest.approx(-1.5, abs=0.005)


@pytest.mark.parametrize("how", ["silent", "invalid"])
def test_an_acceleration_that_cannot_be_trusted_is_not_used(cdc: Any, how: str) -> None:
    cdc.repeat("IMU_Data", IMU_Ax=-1.5, IMU_AxQf="Valid")
    cdc.run_for(ms(30))
    if how == "silent":
        cdc.stop("IMU_Data")
    else:
        cdc.repeat("IMU_Data", IMU_Ax=-1.5, IMU_AxQf="Invalid")
    cdc.run_for(ms(40))
    assert cdc.last("CDC_VehDyn")["CDC_RefAccel"] == pytest.approx(0.0)


def standing(parked_cdc: Any) -> Any:
    """Stopped with the pedal on a 20 % slope, auto hold on."""
    parked_cdc.port.inputs["auto_hold_switch_state"] = 1.0
    parked_cdc.repeat("IMU_Data", IMU_Ax=1.92, IMU_AxQf="Valid")
    parked_cdc.repeat("BPS_Pedal", **pedal(20.0))
    follow(parked_cdc, ms(1_000), **STILL)
    parked_cdc.repeat("BPS_Pedal", **pedal(0.0))
    follow(parked_cdc, ms(500), **STILL)
    assert parked_cdc.happened("detection") == []
    return parked_cdc


def test_auto_hold_keeps_the_brakes_after_the_pedal_is_released(parked_cdc: Any) -> None:
    standing(parked_cdc)
    values = parked_cdc.last("CDC_BrkSt")
    assert (values["CDC_HoldSt"], values["CDC_ReqSrc"]) == ("Holding", "Hold")
    fl, fr, rl, rr = forces(parked_cdc)
    tyre_n = sum(f * 2 * 0.40 * r / 0.345 for f, r in ((fl + fr, 0.14), (rl + rr, 0.135)))
    assert tyre_n >= 2700 * 1.92  # the heaviest car on that slope
    slope = parked_cdc.last("CDC_VehDyn")["CDC_Slope"]
    assert slope == pytest.approx(100 * 1.92 / 9.81, abs=0.1)


def test_without_auto_hold_the_released_pedal_releases_the_brakes(parked_cdc: Any) -> None:
    parked_cdc.repeat("BPS_Pedal", **pedal(20.0))
    follow(parked_cdc, ms(1_000), **STILL)
    parked_cdc.repeat("BPS_Pedal", **pedal(0.0))
    follow(parked_cdc, ms(100), **STILL)
    assert forces(parked_cdc) == [0] * 4
    assert parked_cdc.last("CDC_BrkSt")["CDC_HoldSt"] == "Unavail"


def test_the_accelerator_ends_the_hold(parked_cdc: Any) -> None:
    standing(parked_cdc)
    parked_cdc.repeat("VCU_Torque", VCU_AccPed=2.8)
    follow(parked_cdc, ms(100), **STILL)
    assert min(forces(parked_cdc)) > 0
    parked_cdc.repeat("VCU_Torque", VCU_AccPed=3.2)
    follow(parked_cdc, ms(500), **STILL)
    assert forces(parked_cdc) == [0] * 4


def test_an_accelerator_that_is_not_available_does_not_end_the_hold(parked_cdc: Any) -> None:
    """Beyond 100 %."""
    standing(parked_cdc)
    parked_cdc.repeat("VCU_Torque", VCU_AccPed=102)
    follow(parked_cdc, ms(300), **STILL)
    assert min(forces(parked_cdc)) > 0


def test_the_assistance_may_ask_for_a_hold_and_release_it(parked_cdc: Any) -> None:
    parked_cdc.repeat("ADAS_LongReq", ADAS_HoldReq="Hold", ADAS_AccActv=1, ADAS_AccAccel=-1.0)
    follow(parked_cdc, ms(1_000), **STILL)
    parked_cdc.repeat("ADAS_LongReq", ADAS_HoldReq="Hold")
    follow(parked_cdc, ms(500), **STILL)
    assert parked_cdc.last("CDC_BrkSt")["CDC_HoldSt"] == "Holding"
    assert min(forces(parked_cdc)) > 0
    parked_cdc.repeat("ADAS_LongReq", ADAS_HoldReq="Release")
    follow(parked_cdc, ms(500), **STILL)
    assert forces(parked_cdc) == [0] * 4


# -- joining after power on ------------------------------------------------------------------------


def secondary(force_n: float, *, valid: int = 1) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for corner in CORNERS:
        values |= {
            f"CDC2_{corner}_FReq": force_n,
            f"CDC2_{corner}_Mode": "ForceCtrl",
            f"CDC2_{corner}_ReqVld": valid,
            f"CDC2_{corner}_AbsActv": 1,
        }
    return values


def starting(make_bench: Make, database: Database, **command: Any) -> Any:
    """A controller at power on in a car that brakes at full pedal on a slippery road."""
    bench = make_bench(Cdc("CDC", database), "CDC", inputs={"auto_hold_switch_state": 0.0})
    report(bench, FAct=5_000, WhlSpd=92.0)
    bench.repeat("BPS_Pedal", **pedal(60.0))
    bench.repeat("IMU_Data", IMU_Ax=-3.0, IMU_AxQf="Valid")
    if command:
        bench.repeat("CDC2_EmbCmd", **command)
    return bench


def first_valid_ms(bench: Any) -> tuple[int, list[float]]:
    for elapsed_ms in bench.each_ms(200):
        if bench.frames("CDC_EmbCmd") and bench.last("CDC_EmbCmd")["CDC_FL_ReqVld"] == "Valid":
            return elapsed_ms, forces(bench)
    raise AssertionError("never commanded")


def test_a_controller_that_starts_while_the_secondary_brakes_goes_on_from_its_forces(
    make_bench: Make, database: Database
) -> None:
    bench = starting(make_bench, database, **secondary(5_000))
    elapsed_ms, forces_n = first_valid_ms(bench)
    assert elapsed_ms <= 50
    assert all(4_000 < force_n < 6_000 for force_n in forces_n)


def test_a_secondary_that_stands_by_is_no_reason_to_wait(
    make_bench: Make, database: Database
) -> None:
    bench = starting(make_bench, database, **secondary(5_000, valid=0))
    elapsed_ms, forces_n = first_valid_ms(bench)
    assert elapsed_ms <= 50
    assert min(forces_n) > 6_000  # what the pedal asks; slip control begins anew


def test_without_a_secondary_it_commands_after_100_ms(make_bench: Make, database: Database) -> None:
    elapsed_ms, _ = first_valid_ms(starting(make_bench, database))
    assert elapsed_ms == 100


def test_a_secondary_that_commands_is_waited_for_no_longer_than_100_ms(
    make_bench: Make, database: Database
) -> None:
    """One actuator is missing: it is never known how fast that wheel turns."""
    bench = starting(make_bench, database, **secondary(5_000))
    bench.stop("EMB_RL_St1")
    elapsed_ms, _ = first_valid_ms(bench)
    assert elapsed_ms == 100
