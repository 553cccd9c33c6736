"""Every trouble code can be set by a fault of the catalogue, and shows what it was like (DIA-002).

Forks of a few warm vehicles, one per case; each case says which codes it must set. That no code is
left out is a test of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from simcore import Rig, ms
from simcore.bus import Frame
from simcore.diag.dtc_status import TEST_FAILED_SINCE_LAST_CLEAR
from simcore.ecu.cdc import trouble_codes as cdc
from simcore.ecu.cdc2 import trouble_codes as cdc2
from simcore.ecu.emb import trouble_codes as emb
from simcore.ecu.runtime import trouble_code_rows as every
from simcore.ecu.runtime.trouble_codes import TroubleCodes
from simcore.faults import (
    BusShorted,
    CaliperJammed,
    ChannelDisagreement,
    ChecksumWrong,
    ClockDrift,
    EcuReset,
    EcuSilent,
    Fault,
    MessageCycle,
    MessageDelayed,
    MessageStopped,
    MotorFree,
    MotorSlow,
    NodeUnplugged,
    OutputStuck,
    OverTemperature,
    ParkLatchUnlocked,
    ReplayAttack,
    SensorOffset,
    SensorRangeFault,
    SensorStuck,
    SignalCorrupted,
    SupplyLost,
    SupplyLow,
    TaskSkipped,
    UnintendedClamp,
    WatchdogAnswerMissing,
)
from simcore.network import Database
from simcore.protection import Profile05Sender

DATABASE = Database.reference()
CORNERS = ("FL", "FR", "RL", "RR")
SETTINGS = {"CDC": cdc.SETTINGS, "CDC2": cdc2.SETTINGS, "EMB": emb.SETTINGS}
A, B = "CHASSIS_A", "CHASSIS_B"


@dataclass(frozen=True)
class Case:
    """Faults at an operating point, and the events that they set, by node."""

    name: str
    point: str
    faults: tuple[Fault, ...]
    sets: dict[str, tuple[str, ...]]
    run_ms: int = 300
    then: Callable[[Rig], object] | None = None
    """What the driver does after the fault, before it runs."""


def brake_fully(rig: Rig) -> None:
    rig.press_pedal(100)


def let_go(rig: Rig) -> None:
    rig.release_pedal()


def park(rig: Rig) -> None:
    rig.set_park_brake(True)


def unpark(rig: Rig) -> None:
    rig.set_park_brake(False)


def _ramp(message: str) -> MessageDelayed:
    return MessageDelayed(message=message, delay_ns=ms(60), ramp_ns_per_s=ms(200))


def _replayed(signal: str, raw: int) -> ReplayAttack:
    """Commands with a reserved value, counter and checksum right: nobody else can send them."""
    message = DATABASE.message("CDC_EmbCmd")
    found = message.signal(signal)
    assert message.e2e is not None and found.start_bit % 8 == 0 and raw < 1 << 16
    writer = message.codec.writer("CDC_FL_ReqVld", "CDC_FL_Mode")
    data = bytearray(writer.write(1, 2))
    place = found.start_bit // 8
    data[place : place + 2] = raw.to_bytes(2, "little")
    sender = Profile05Sender(message.e2e.data_id, message.length)
    frames = tuple(
        Frame(message.arbitration_id, sender.protect(bytes(data)), is_fd=True, bitrate_switch=True)
        for _ in range(256)
    )
    return ReplayAttack(bus=A, frames=frames)


AT_SECONDARY = (
    "EMB_RR failed by itself",
    "EMB_RL late",
    "pedal_travel_2_mm stuck",
    "pedal silent",
    "supply B",
    "EMB_FR wheel speed not valid",
    "yaw_rate_radps shorted",
)
"""Of the control task's cases those that are tried with the secondary, too: it is the same task."""


def control_cases() -> Iterable[tuple[str, tuple[Fault, ...], tuple[str, ...], int]]:
    """What the control task finds, whichever controller runs it: while braking."""
    for corner in CORNERS:
        node = f"EMB_{corner}"
        status = f"{node}_St1"
        told = {
            cdc.SILENT: EcuSilent(node=node),
            cdc.LATE: _ramp(status),
            cdc.FAILED: SensorRangeFault(node=node, pin="screw_travel_m"),
            cdc.ENABLE_OFF: SignalCorrupted(message=status, signal=f"{node}_EnLine", value=0),
            cdc.FORCE_LOW: SignalCorrupted(message=status, signal=f"{node}_FAct", value=0),
            cdc.FORCE_HIGH: SignalCorrupted(message=status, signal=f"{node}_FAct", value=40_000),
        }
        for kind, fault in told.items():
            run_ms = 250 if kind == cdc.LATE else 200
            yield f"{node} {kind}", (fault,), (cdc.actuator_event(corner, kind),), run_ms
        i = CORNERS.index(corner)
        yield (
            f"{node} wheel speed not valid",
            (SensorRangeFault(node=node, pin="wheel_speed_radps"),),
            (cdc.WHEEL_INVALID[i],),
            100,
        )
        yield (
            f"{node} wheel speed wrong",
            (SensorStuck(node=node, pin="wheel_speed_radps", value=0.0),),
            (cdc.WHEEL_WRONG[i],),
            300,
        )
    for i, pin in enumerate(("pedal_travel_1_mm", "pedal_travel_2_mm")):
        wrong = SensorStuck(node="BPS", pin=pin, value=0.0)
        yield f"{pin} stuck", (wrong,), (cdc.PEDAL_CHANNEL_WRONG[i],), 100
        out = SensorRangeFault(node="BPS", pin=pin)
        yield f"{pin} shorted", (out,), (cdc.PEDAL_CHANNEL_INVALID[i],), 100
    force = "pedal_force_n"
    no_force = SensorRangeFault(node="BPS", pin=force)
    yield "pedal force shorted", (no_force,), (cdc.PEDAL_FORCE_INVALID,), 100
    off = SensorOffset(node="BPS", pin=force, value=200.0)
    yield "pedal force off", (off,), (cdc.PEDAL_FORCE_WRONG,), 300
    yield "channels apart", (no_force, ChannelDisagreement()), (cdc.PEDAL_DISAGREES,), 100
    yield "pedal late", (_ramp("BPS_Pedal"),), (cdc.PEDAL_LATE,), 250
    yield "pedal silent", (EcuSilent(node="BPS"),), (cdc.PEDAL_SILENT,), 100
    yield "supply A", (SupplyLost(supply="A"),), (cdc.SUPPLY_LOST[1],), 200
    yield "supply B", (SupplyLost(supply="B"),), (cdc.SUPPLY_LOST[2],), 200
    for pin, invalid, wrong_name in (
        ("ax_mps2", cdc.ACCELERATION_INVALID, cdc.ACCELERATION_WRONG),
        ("yaw_rate_radps", cdc.YAW_INVALID, cdc.YAW_WRONG),
    ):
        yield f"{pin} shorted", (SensorRangeFault(node="IMU", pin=pin),), (invalid,), 100
        value = -5.0 if pin == "ax_mps2" else 0.5
        yield f"{pin} off", (SensorOffset(node="IMU", pin=pin, value=value),), (wrong_name,), 300


def cases() -> Iterable[Case]:
    for name, faults, events, run_ms in control_cases():
        yield Case(name, "braking", faults, {"CDC": events}, run_ms)
        if name in AT_SECONDARY:
            yield Case(f"{name}, secondary", "secondary", faults, {"CDC2": events}, run_ms)
    yield from controller_cases()
    yield from message_cases()
    yield from actuator_cases()


def controller_cases() -> Iterable[Case]:
    for point, node in (("cruise", "CDC"), ("secondary cruise", "CDC2")):
        path = "application" if node == "CDC" else "application.control"
        yield Case(
            f"{node} gone wild",
            point,
            (
                # Slowly renewed, so that it is wrong for several checks in a row.
                MessageCycle(message="ADAS_LongReq", cycle_ns=ms(50)),
                OutputStuck(node=node, variable=f"{path}.assistance.emergency_mps2", value=9.8),
            ),
            {node: (cdc.COMMAND_EXCESS, cdc.COMMAND_CUT)},
        )
    yield Case(
        "own clock",
        "braking",
        (ClockDrift(node="CDC", ppm=100_000),),
        {"CDC": (cdc.CLOCK_SUSPECT,)},
    )
    yield Case(
        "primary silent", "braking", (EcuSilent(node="CDC"),), {"CDC2": (cdc2.PRIMARY_LOST,)}, 100
    )
    yield Case(
        "primary late",
        "braking",
        (_ramp("CDC_EmbCmd"),),
        {"CDC2": (cdc2.PRIMARY_LATE,), "EMB_FL": (emb.COMMAND_LATE,)},
        600,
    )
    state = [
        SignalCorrupted(message=f"EMB_{c}_St1", signal=f"EMB_{c}_State", value=2)
        for c in ("RL", "RR")
    ]
    yield Case(
        "park not applied", "standing", tuple(state), {"CDC": (cdc.PARK_NOT_APPLIED,)}, 3200, park
    )
    held = [
        SignalCorrupted(message=f"EMB_{c}_St1", signal=f"EMB_{c}_State", value=5)
        for c in ("RL", "RR")
    ]
    yield Case(
        "park not released", "parked", tuple(held), {"CDC": (cdc.PARK_NOT_RELEASED,)}, 3200, unpark
    )
    for point, node, task in (
        ("braking", "CDC", "control"),
        ("secondary", "CDC2", "control"),
        ("braking", "EMB_FL", "communication"),
    ):
        expired = (every.SUPERVISION_FAILED, every.SUPERVISION_EXPIRED, every.EXPIRED_BEFORE)
        skipped = TaskSkipped(node=node, task=task, every=2)
        yield Case(f"{node} skips {task}", point, (skipped,), {node: expired}, 600)
        yield Case(
            f"{node} does not answer",
            point,
            (WatchdogAnswerMissing(node=node),),
            {node: (every.ENABLE_LOST,)},
            400,
        )


def message_cases() -> Iterable[Case]:
    nodes = ("CDC", "CDC2", "EMB_FL")
    yield Case("bus A", "braking", (BusShorted(bus=A),), dict.fromkeys(nodes, every.BUS_LOST[:1]))
    yield Case("bus B", "braking", (BusShorted(bus=B),), dict.fromkeys(nodes, every.BUS_LOST[1:]))
    for i, bus in enumerate((A, B)):
        yield Case(
            f"BPS unplugged from {bus}",
            "braking",
            (NodeUnplugged(bus=bus, node="BPS"),),
            dict.fromkeys(nodes, (every.SENDER_SILENT[i],)),
        )
    heard = {
        "CDC": (*cdc.MESSAGES, *cdc.MESSAGES_PRIMARY),
        "CDC2": (*cdc.MESSAGES, *cdc2.MESSAGES_SECONDARY),
        "EMB_FL": emb.MESSAGES,
    }
    for group, run_ms in (
        (tuple(f"EMB_{corner}_St1" for corner in CORNERS), 350),
        (("BPS_Pedal", "IMU_Data", "VCU_Torque", "ADAS_LongReq"), 350),
        (("PDM_Supply", "VEH_Mode", "CDC_VehDyn"), 700),
        (("CDC_EmbCmd",), 350),
        (("CDC2_EmbCmd",), 350),
    ):
        for fault_of, event_of in (
            (MessageStopped, every.missing),
            (ChecksumWrong, every.invalid),
        ):
            sets = {
                node: tuple(event_of(name) for name in group if name in names)
                for node, names in heard.items()
            }
            faults = tuple(fault_of(message=name) for name in group)
            yield Case(f"{event_of.__name__} {', '.join(group)}", "braking", faults, sets, run_ms)


def actuator_cases() -> Iterable[Case]:
    node = "EMB_FL"

    def case(
        event: str,
        point: str,
        *faults: Fault,
        then: Callable[[Rig], object] | None = None,
        run_ms: int = 300,
    ) -> Case:
        return Case(event, point, faults, {node: (event,)}, run_ms, then)

    force, travel = "clamp_force_n", "screw_travel_m"
    yield case(emb.FORCE_RANGE, "braking", SensorRangeFault(node=node, pin=force))
    yield case(emb.FORCE_WRONG, "braking", SensorOffset(node=node, pin=force, value=5000.0))
    yield case(emb.MOTION_RANGE, "braking", SensorRangeFault(node=node, pin=travel))
    yield case(emb.MOTION_WRONG, "braking", SensorStuck(node=node, pin=travel), then=brake_fully)
    yield case(emb.SUPPLY_LOST, "braking", SupplyLost(supply="A"))
    yield case(emb.SUPPLY_LOW, "braking", SupplyLow(supply="A", voltage_v=34.0))
    hot = OverTemperature(corner="FL", temperature_c=200.0)
    yield Case(
        "motor hot", "braking", (hot,), {node: (emb.MOTOR_HOT, emb.MOTOR_TOO_HOT)}, run_ms=300
    )
    yield case(
        emb.SELF_TEST_FAILED,
        "cruise",
        SensorRangeFault(node=node, pin=travel),
        EcuReset(node=node),
        run_ms=600,
    )
    yield case(emb.ACTUATOR_FREE, "braking", MotorFree(corner="FL"))
    yield case(emb.ACTUATOR_JAMMED, "braking", CaliperJammed(corner="FL"), then=brake_fully)
    yield case(emb.ACTUATOR_SLOW, "cruise", MotorSlow(corner="FL", ratio=0.1), then=brake_fully)
    clamp = UnintendedClamp(corner="FL")
    yield Case("clamp", "cruise", (clamp,), {node: (emb.FORCE_EXCESS, emb.FUNCTION_CUT)})
    wild = SignalCorrupted(message="CDC_EmbCmd", signal="CDC_FL_FReq", value=40_000.0)
    yield case(emb.REQUEST_LIMITED, "cruise", wild)
    yield case(emb.COMMAND_REJECTED, "cruise", _replayed("CDC_FL_FReq", 0xFFFF))
    silent = (EcuSilent(node="CDC"), EcuSilent(node="CDC2"))
    yield case(emb.COMMAND_LOST, "braking", *silent)
    speed = SensorRangeFault(node=node, pin="wheel_speed_radps")
    yield case(emb.WHEEL_SPEED_RANGE, "braking", speed)
    latch = ParkLatchUnlocked(corner="RL")
    yield Case("latch", "parked", (latch,), {"EMB_RL": (emb.LOCK_OPEN, emb.LOCK_FAULT)}, 2000)


CASES = {case.name: case for case in cases()}


def kind_of(node: str) -> str:
    return "EMB" if node.startswith("EMB") else node


def test_every_code_of_every_ecu_is_set_by_some_case() -> None:
    set_by: dict[str, set[str]] = {kind: set() for kind in SETTINGS}
    for case in CASES.values():
        for node, events in case.sets.items():
            set_by[kind_of(node)].update(events)
    # The secondary's control task is the primary's own.
    shared = {dtc.name for dtc in cdc.control_dtcs(continuous=True)}
    set_by["CDC2"] |= set_by["CDC"] & shared
    for kind, settings in SETTINGS.items():
        assert set_by[kind] == {event for dtc in settings.dtcs for event in dtc.events}, kind


@pytest.fixture(scope="module")
def warm() -> dict[str, Rig]:
    """Vehicles at operating points, ready to be forked."""
    begin = Rig(seed=1)
    begin.run_for(ms(600))
    rigs = {}
    standing = rigs["standing"] = begin.fork()
    parked = rigs["parked"] = standing.fork()
    parked.set_park_brake(True)
    parked.run_for(ms(1500))
    cruise = rigs["cruise"] = begin.fork()
    cruise.vehicle.set_speed(kmh=100)
    cruise.run_for(ms(100))
    braking = rigs["braking"] = cruise.fork()
    braking.press_pedal(35)
    braking.run_for(ms(400))
    for name, primary in (("secondary cruise", cruise), ("secondary", braking)):
        rigs[name] = rig = primary.fork()
        rig.inject(EcuSilent(node="CDC"))
        rig.run_for(ms(100))
    return rigs


def codes_of(rig: Rig, node: str) -> TroubleCodes:
    found: Any = rig.node(node)
    assert isinstance(found.trouble_codes, TroubleCodes)
    return found.trouble_codes


@pytest.mark.parametrize("name", CASES)
def test_the_fault_sets_its_codes(warm: dict[str, Rig], name: str) -> None:
    case = CASES[name]
    rig = warm[case.point].fork()
    for fault in case.faults:
        rig.inject(fault)
    if case.then is not None:
        case.then(rig)
    rig.run_for(ms(case.run_ms))
    assert list(rig.log.findings) == []
    for node, events in case.sets.items():
        memory = codes_of(rig, node).memory
        for event in events:
            dtc = memory.settings.by_name[event]
            assert memory.status(dtc.code) & TEST_FAILED_SINCE_LAST_CLEAR, (node, event)
            logged = [e for e in rig.log.events if e.kind == "dtc" and e.source == node]
            assert any(e.text.startswith(dtc.title + ":") for e in logged), (node, event)
