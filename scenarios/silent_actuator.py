"""One actuator falls silent while braking: detect, redistribute, warn, still stop."""

import numpy as np

from simcore import EcuSilent, Rig, ms, s, scenario

REFERENCE_MPS2 = {"FL": 6.84, "FR": 6.84, "RL": 8.15, "RR": 8.15}
"""MFDD the reference vehicle reaches on dry asphalt with this one brake lost."""
LEVEL = {"FL": 2, "FR": 2, "RL": 1, "RR": 1}
"""CDC_DegrLvl for the loss: OneFront, OneRear."""
TORQUE_NM_PER_N = {"FL": 0.112, "FR": 0.112, "RL": 0.108, "RR": 0.108}
"""Brake torque per clamp force, 2 mu r."""
CORNERS = [{"corner": corner} for corner in TORQUE_NM_PER_N]


def torque_nm(rig: Rig, corners: list[str], since_ns: int) -> np.ndarray:
    """True brake torque of some wheels, one value per millisecond."""
    return sum(
        TORQUE_NM_PER_N[corner] * rig.recorded(f"clamp_force_n.{corner}", since_ns=since_ns)
        for corner in corners
    )


@scenario(requirements=["SAF-001", "DEG-001", "DIA-002"], cases=CORNERS)
def silent_actuator(rig: Rig, corner: str) -> None:
    """One EMB goes silent during moderate braking; then a full stop from 100 km/h without it."""
    rig.vehicle.set_friction(1.05)
    rig.vehicle.set_speed(kmh=130)
    rig.run_for(ms(500))
    rig.press_pedal(35)
    rig.run_for(ms(800))
    others = [name for name in TORQUE_NM_PER_N if name != corner]
    before_mps2 = -rig.plant.vehicle.ax_mps2
    before_nm = torque_nm(rig, list(TORQUE_NM_PER_N), rig.now_ns - ms(1))[-1]
    fault_ns = rig.now_ns
    rig.inject(EcuSilent(node=f"EMB_{corner}"))

    # Seen from outside: the level for this very loss, in a frame on the bus.
    warned = rig.wait_for(
        "CDC_BrkSt", lambda values: values["CDC_DegrLvl"] == LEVEL[corner], timeout=ms(500)
    )
    detection_ms = rig.elapsed_ms(fault_ns)
    rig.check(
        "SAF-001",
        warned and detection_ms <= 50.0,
        measured=detection_ms,
        limit="<= 50 ms",
        text="fault to the right degradation level on the bus",
    )
    rig.check(
        "DEG-001",
        rig.signal("CDC_BrkSt", "CDC_LampRed") == 1 and detection_ms <= 100.0,
        measured=detection_ms,
        limit="<= 100 ms",
        text="fault to red warning lamp on the bus",
    )

    # The truth decides, not what an ECU says: when the other brakes carry what four did before,
    # and whether the car ever decelerated markedly less.
    rig.run_for(ms(500))
    carried = np.flatnonzero(torque_nm(rig, others, fault_ns) >= 0.9 * before_nm)
    takeover_ms = float(carried[0] + 1) if len(carried) else float("inf")
    rig.check(
        "SAF-001",
        takeover_ms <= 100.0,
        measured=takeover_ms,
        limit="<= 100 ms",
        text="fault to 90 % of the torque of before from the other brakes",
    )
    weak_ms = rig.last_ms("ax_mps2", lambda ax: -ax < 0.9 * before_mps2, since_ns=fault_ns)
    rig.check(
        "SAF-001",
        weak_ms <= 200.0,
        measured=weak_ms,
        limit="<= 200 ms",
        text="last instant below 90 % of the deceleration before (FTTI)",
    )
    rig.check(
        "SAF-001",
        rig.signal("CDC_BrkSt", "CDC_DegrLvl") == LEVEL[corner],
        text="the degradation level stays",
    )

    rig.release_pedal()
    rig.run_for(ms(500))
    rig.vehicle.set_speed(kmh=100)
    rig.run_for(ms(500))
    stop = rig.measure_stop(pedal_pct=100, timeout=s(12))
    rig.report("stopping distance with one brake lost", f"{stop.distance_m:.1f} m")
    rig.report("largest lateral offset", f"{stop.lateral_offset_m:.2f} m")
    check_residual(rig, corner, stop.stopped, stop.mfdd_mps2)
    trouble_code(rig, corner)


def trouble_code(rig: Rig, corner: str) -> None:
    """DIA-002: the CDC kept the loss, its status and what it saw; a tester can read both."""
    number = list(TORQUE_NM_PER_N).index(corner)
    code = bytes((0x5A, 0x10 + number, 0x87))
    listed = rig.tester.request("CDC", bytes.fromhex("19 02 08")) or b""
    records = [listed[at : at + 4] for at in range(3, len(listed), 4)]
    status = next((record[3] for record in records if record[:3] == code), 0)
    rig.check(
        "DIA-002",
        status & 0x09 == 0x09,
        measured=f"0x{status:02X}",
        limit="testFailed and confirmedDTC",
        text=f"status of C1A1{number}-87 in the CDC",
    )
    snapshot = rig.tester.request("CDC", b"\x19\x04" + code + b"\xff") or b""
    rig.check(
        "DIA-002",
        snapshot[:2] == b"\x59\x04" and len(snapshot) > 10,
        measured=f"{len(snapshot)} bytes",
        limit="a snapshot record",
        text="what the CDC saw when it lost the brake",
    )


@scenario(requirements=["DEG-001"], cases=CORNERS)
def silent_in_full_stop(rig: Rig, corner: str) -> None:
    """One EMB goes silent in the middle of a full stop from 100 km/h: the rest must do at once."""
    rig.vehicle.set_friction(1.05)
    rig.vehicle.set_speed(kmh=100)
    rig.run_for(ms(500))
    rig.press_pedal(100)
    rig.run_for(ms(400))
    rig.inject(EcuSilent(node=f"EMB_{corner}"))
    stop = rig.measure_stop(pedal_pct=100, timeout=s(12), ramp_ns=0)
    rig.report("stopping distance after the loss", f"{stop.distance_m:.1f} m")
    rig.report("largest lateral offset", f"{stop.lateral_offset_m:.2f} m")
    check_residual(rig, corner, stop.stopped, stop.mfdd_mps2)
    rig.check(
        "DEG-001",
        rig.signal("CDC_BrkSt", "CDC_DegrLvl") == LEVEL[corner],
        text="the loss is reported",
    )


def check_residual(rig: Rig, corner: str, stopped: bool, mfdd_mps2: float) -> None:
    """Secondary braking, and what this loss may cost."""
    wanted_mps2 = 0.9 * REFERENCE_MPS2[corner]
    rig.report("MFDD with one brake lost", f"{mfdd_mps2:.2f} m/s2")
    rig.check(
        "DEG-001",
        stopped and mfdd_mps2 >= 2.44,
        measured=mfdd_mps2,
        limit=">= 2.44 m/s2",
        text="secondary braking",
    )
    rig.check(
        "DEG-001",
        mfdd_mps2 >= wanted_mps2,
        measured=mfdd_mps2,
        limit=f">= {wanted_mps2:.2f} m/s2",
        text="90 % of the reference figure for this loss",
    )
