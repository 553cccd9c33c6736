"""Results made up for the report tests: a plausible panic stop and variations of it.

Nothing here is simulated; the fixtures at the end hand out the builders.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from simcore.bus import BusRecord, Frame
from simcore.rig.result import (
    BusStatistics,
    Check,
    Event,
    Finding,
    MessageStatistics,
    ScenarioResult,
    Trace,
)
from simcore.units import ms, s

CORNERS = ("FL", "FR", "RL", "RR")
REQUIREMENT_TEXTS = {
    "BRK-001": "100-0 km/h, dry, full pedal: distance <= 70 m and MFDD >= 6.43 m/s²",
    "BRK-002": "Pedal to prescribed force at the slowest wheel <= 600 ms",
    "BRK-003": "Without any request no wheel sees more than 500 N clamp force, in any state",
    "COM-001": "Every cyclic message within ±10 % of its cycle time, measured at SOF",
    "SAF-001": "Silent EMB: detected <= 50 ms, redistributed <= 100 ms, FTTI 200 ms",
    "OTA-002": "Power cut at every flash operation boots exactly old or new, never a brick",
}


def check(requirement: str = "BRK-001", passed: bool = True, **changes: Any) -> Check:
    """One check, passed unless told otherwise."""
    values: dict[str, Any] = {
        "requirement": requirement,
        "passed": passed,
        "text": "stopping distance",
        "measured": "40.2 m" if passed else "81.7 m",
        "limit": "<= 70 m",
        "time_ns": s(4),
        "source": "scenario",
    }
    return Check(**values | changes)


def result(name: str = "panic_stop", **changes: Any) -> ScenarioResult:
    """One small result that passed, without a trace."""
    values: dict[str, Any] = {
        "name": name,
        "file": "scenarios/panic_stop.py",
        "title": "Full pedal at 100 km/h on dry asphalt.",
        "requirements": ("BRK-001",),
        "seed": 20,
        "options": {"pacing": "free"},
        "duration_ns": ms(4250),
        "digest": "5f1c0d9be2a74c3388a1d7e0b6f4925c",
        "checks": (check(),),
        "findings": (),
        "events": (),
        "messages": (),
        "buses": (),
        "trace": None,
        "replay_command": f"simcore run scenarios/panic_stop.py --scenario {name} --seed 20",
    }
    return ScenarioResult(**values | changes)


def record(
    index: int = 0, channel: str = "CHASSIS_A", frame: Frame | None = None, sender: str = "CDC"
) -> BusRecord:
    """The `index`-th of frames that start 1 ms apart and take 123.456 us."""
    sof_ns = ms(1) * index
    sent = frame if frame is not None else Frame(0x60, bytes(range(8)))
    return BusRecord(sof_ns, sof_ns + 123_456, channel, sent, sender, sof_ns - 1_000)


def panic_stop(fault_ns: int | None = None, duration_ns: int = s(4)) -> ScenarioResult:
    """A full stop from 100 km/h with traces and statistics; EMB_FL falls silent at `fault_ns`."""
    trace = _trace(duration_ns, fault_ns)
    done = result(
        "panic_stop" if fault_ns is None else "silent_emb[corner=FL]",
        duration_ns=duration_ns,
        title="Full pedal at 100 km/h on dry asphalt.",
        requirements=("BRK-001", "BRK-002", "COM-001"),
        checks=(
            check(text="stopping distance from 100 km/h"),
            check(text="mean fully developed deceleration", measured="9.61 m/s²",
                  limit=">= 6.43 m/s²"),
            check("BRK-002", text="slowest wheel to 90 % of prescribed force",
                  measured="182 ms", limit="<= 600 ms"),
            check("BRK-003", text="largest clamp force without request", measured="12 N",
                  limit="<= 500 N", source="no unrequested force"),
            check("COM-001", text="largest deviation from the cycle time", measured="4.1 %",
                  limit="<= 10 %", source="cycle times"),
        ),
        measurements={
            "stopping distance": "40.2 m", "MFDD": "9.61 m/s²", "build-up time": "182 ms",
            "peak clamp force": "27.9 kN", "largest slip": "14.8 %", "peak bus load": "38.4 %",
        },
        events=_events(fault_ns),
        messages=_messages(duration_ns),
        buses=(_bus("CHASSIS_A", duration_ns, 0.31), _bus("CHASSIS_B", duration_ns, 0.18)),
        trace=trace,
    )  # fmt: skip
    if fault_ns is None:
        return done
    return replace(
        done,
        title="EMB front left falls silent in a full stop.",
        requirements=("BRK-001", "SAF-001", "DEG-001"),
        checks=(
            *done.checks,
            check("SAF-001", False, text="silent EMB to redistribution",
                  measured="131 ms", limit="<= 100 ms", time_ns=fault_ns + ms(131)),
        ),
        findings=(
            Finding(time_ns=fault_ns + ms(40), source="EMB_FL",
                    text="the module raised ZeroDivisionError: division by zero",
                    detail="Traceback (most recent call last):\n"
                           '  File "emb.py", line 12, in receive\n'
                           "ZeroDivisionError: division by zero"),
        ),
    )  # fmt: skip


def _trace(duration_ns: int, fault_ns: int | None) -> Trace:
    count = duration_ns // ms(1) + 1
    time_s = np.arange(count) / 1000.0
    braking_s = np.clip(time_s - 0.5, 0.0, None)
    speed_mps = np.clip(27.78 - 9.8 * np.clip(braking_s - 0.1, 0.0, None), 0.0, None)
    columns = {"pedal_pct": np.clip(braking_s / 0.08, 0.0, 1.0) * 100.0, "speed_mps": speed_mps}
    for index, corner in enumerate(CORNERS):
        share_n = 27_000.0 if corner in ("FL", "FR") else 13_000.0
        command_n = np.where(time_s >= 0.52, share_n, 0.0)
        lag_s = 0.045 + 0.006 * index
        force_n = share_n * (1.0 - np.exp(-np.clip(braking_s - 0.02, 0.0, None) / lag_s))
        force_n = force_n * (1.0 + 0.03 * np.sin(time_s * 55.0 + index) * (braking_s > 0.3))
        if fault_ns is not None and corner == "FL":
            after_s = np.clip(time_s - fault_ns / 1e9, 0.0, None)
            force_n = force_n * np.exp(-after_s / 0.03)
        columns[f"force_command_n.{corner}"] = command_n
        columns[f"clamp_force_n.{corner}"] = force_n
        columns[f"motor_current_a.{corner}"] = force_n / 900.0
        moving = speed_mps > 0.5
        slip_ratio = force_n / share_n * (0.08 + 0.01 * index)
        slip_ratio = slip_ratio * (1.0 + 0.4 * np.sin(time_s * 40.0 + index)) * moving
        columns[f"slip_ratio.{corner}"] = slip_ratio
    columns["yaw_rate_radps"] = 0.007 * np.sin(time_s * 9.0) * (braking_s > 0)
    return Trace(time_s=time_s, columns=columns)


def _events(fault_ns: int | None) -> tuple[Event, ...]:
    events = [
        Event(time_ns=0, source="CDC", kind="state", text="INIT -> RUN"),
        Event(time_ns=ms(500), source="driver", kind="driver", text="pedal to 100 %"),
        Event(time_ns=ms(520), source="CDC", kind="state", text="RUN -> BRAKING"),
        Event(time_ns=ms(3320), source="vehicle", kind="vehicle", text="standstill"),
    ]
    if fault_ns is not None:
        events += [
            Event(time_ns=fault_ns, source="EMB_FL", kind="fault", text="falls silent"),
            Event(time_ns=fault_ns + ms(32), source="CDC", kind="detection",
                  text="EMB_FL_St1 missing for 3 cycles"),
            Event(time_ns=fault_ns + ms(131), source="CDC", kind="reaction",
                  text="force redistributed to FR RL RR"),
            Event(time_ns=fault_ns + ms(140), source="CDC", kind="state",
                  text="BRAKING -> DEGRADED"),
        ]  # fmt: skip
    return tuple(sorted(events, key=lambda event: event.time_ns))


def _messages(duration_ns: int) -> tuple[MessageStatistics, ...]:
    rows = [
        (0x60, "CDC_EmbCmd", "CDC", 5), (0x50, "BPS_Pedal", "BPS", 5),
        (0x70, "EMB_FL_St1", "EMB_FL", 5), (0x71, "EMB_FR_St1", "EMB_FR", 5),
        (0x72, "EMB_RL_St1", "EMB_RL", 5), (0x73, "EMB_RR_St1", "EMB_RR", 5),
        (0x90, "IMU_Motion", "IMU", 10), (0xA0, "EPS_Angle", "EPS", 10),
        (0x210, "VCU_Torque", "VCU", 20), (0x300, "PDM_Supply", "PDM", 100),
    ]  # fmt: skip
    messages = [
        MessageStatistics(
            channel="CHASSIS_A", arbitration_id=identifier, is_extended_id=False, name=name,
            sender=sender, count=duration_ns // ms(cycle), cycle_nominal_ns=ms(cycle),
            cycle_min_ns=ms(cycle) - 41_250 * (index % 4), cycle_mean_ns=float(ms(cycle)),
            cycle_max_ns=ms(cycle) + 52_125 * (index % 5), latency_min_ns=121_500,
            latency_mean_ns=148_210.5 + 9_000 * index, latency_max_ns=262_000 + 31_000 * index,
            load_ratio=0.123 / cycle,
        )
        for index, (identifier, name, sender, cycle) in enumerate(rows)
    ]  # fmt: skip
    messages.append(
        MessageStatistics(
            channel="CHASSIS_B", arbitration_id=0x18DAF110, is_extended_id=True,
            name="0x18DAF110", sender="TST", count=1, cycle_nominal_ns=None, cycle_min_ns=None,
            cycle_mean_ns=None, cycle_max_ns=None, latency_min_ns=140_000,
            latency_mean_ns=140_000.0, latency_max_ns=140_000, load_ratio=0.00003,
        )
    )  # fmt: skip
    return tuple(messages)


def _bus(channel: str, duration_ns: int, load_ratio: float) -> BusStatistics:
    windows = duration_ns // ms(100)
    series = tuple(load_ratio + 0.02 * (index * 7 % 5 - 2) for index in range(windows))
    return BusStatistics(
        channel=channel, nominal_bps=500_000, data_bps=2_000_000, frame_count=5_320,
        load_ratio=load_ratio, peak_load_ratio=max(series), load_window_ns=ms(100),
        load_series_ratio=series,
    )  # fmt: skip


@pytest.fixture
def make_check() -> Callable[..., Check]:
    return check


@pytest.fixture
def make_result() -> Callable[..., ScenarioResult]:
    return result


@pytest.fixture
def make_record() -> Callable[..., BusRecord]:
    return record


@pytest.fixture
def make_stop() -> Callable[..., ScenarioResult]:
    return panic_stop


@pytest.fixture
def requirement_texts() -> dict[str, str]:
    return dict(REQUIREMENT_TEXTS)


@pytest.fixture
def mixed_run() -> list[ScenarioResult]:
    """Passed with traces, failed with traces, broken off without, passed without."""
    broken = result(
        "flash_cut[at=17]",
        file="scenarios/ota.py",
        title="Power cut while slot B is written.",
        requirements=("OTA-002",),
        checks=(),
        error="scenarios/ota.py:41: KeyError: 'slot_b'",
        error_detail="Traceback (most recent call last):\nKeyError: 'slot_b'",
    )
    return [panic_stop(), panic_stop(ms(1500)), broken, result("hold")]
