"""Thinning of curves and their grouping into panels."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.report.plots import plot_data, thin
from simcore.rig.result import Event, ScenarioResult, Trace

Make = Callable[..., Any]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=400), st.integers(2, 60))
def test_thinning_keeps_the_extremes_the_ends_and_the_order(
    points: list[float], limit: int
) -> None:
    values = np.array(points)
    kept = thin(values, limit)
    assert kept[0] == 0
    assert kept[-1] == len(values) - 1
    assert (np.diff(kept) > 0).all()
    assert values[kept].min() == values.min()
    assert values[kept].max() == values.max()
    assert len(kept) <= max(limit, 2) + 2


def test_a_spike_of_one_sample_survives() -> None:
    values = np.sin(np.arange(100_000) / 1000.0)
    values[54_321] = 9.0
    kept = thin(values, 2000)
    assert len(kept) <= 2002
    assert 54_321 in kept


def test_flat_stretches_keep_only_their_ends() -> None:
    values = np.array([0.0] * 50 + [1.0] * 50)
    assert thin(values).tolist() == [0, 49, 50, 99]


def test_gaps_stay_gaps() -> None:
    values = np.arange(10_000.0)
    values[3_000:3_100] = np.nan
    kept = thin(values, 200).tolist()
    assert {2_999, 3_000, 3_099, 3_100} <= set(kept)
    assert not set(range(3_001, 3_099)) & set(kept)


def test_thinning_an_empty_column_gives_nothing() -> None:
    assert thin(np.array([])).tolist() == []


def panels_of(result: ScenarioResult) -> list[Any]:
    data = plot_data(result)
    assert data is not None
    panels = data["panels"]
    assert isinstance(panels, list)
    return panels


def test_panels_come_in_a_fixed_order_with_units_for_people(make_stop: Make) -> None:
    shown = [(panel["title"], panel["unit"]) for panel in panels_of(make_stop())]
    assert shown == [
        ("Speed", "km/h"),
        ("Pedal", "%"),
        ("Clamp force", "kN"),
        ("Wheel slip", "%"),
        ("Bus load", "%"),
        ("Motor current", "A"),
        ("Yaw rate", "°/s"),
    ]


def test_commanded_and_actual_force_share_a_panel_corner_by_corner(make_stop: Make) -> None:
    curves = panels_of(make_stop())[2]["curves"]
    assert [(curve["style"], curve["corner"]) for curve in curves] == [
        *(("dash", corner) for corner in ("FL", "FR", "RL", "RR")),
        *(("solid", corner) for corner in ("FL", "FR", "RL", "RR")),
    ]


def test_curves_travel_as_little_endian_floats_in_shown_units(make_result: Make) -> None:
    trace = Trace(time_s=np.array([0.0, 0.5]), columns={"speed_mps": np.array([10.0, 5.0])})
    (panel,) = panels_of(make_result(trace=trace))
    (curve,) = panel["curves"]
    assert np.frombuffer(base64.b64decode(curve["x"]), "<f4").tolist() == [0.0, 0.5]
    assert np.frombuffer(base64.b64decode(curve["y"]), "<f4").tolist() == [36.0, 18.0]


def test_long_runs_keep_their_time_resolution(make_result: Make) -> None:
    time_s = np.array([0.0, 3600.0001])
    trace = Trace(time_s=time_s, columns={"speed_mps": np.array([1.0, 2.0])})
    (panel,) = panels_of(make_result(trace=trace))
    (curve,) = panel["curves"]
    assert curve["wide"] is True
    assert np.frombuffer(base64.b64decode(curve["x"]), "<f8").tolist() == time_s.tolist()


@pytest.mark.parametrize(
    ("column", "title", "unit"),
    [
        ("screw_travel_m.FL", "Screw travel", "m"),
        ("disc_temperature_c", "Disc temperature", "°C"),
        ("caliper_stiffness_n_per_m", "Caliper stiffness", "n_per_m"),
        ("state", "State", ""),
    ],
)
def test_an_unknown_quantity_gets_a_panel_named_after_it(
    make_result: Make, column: str, title: str, unit: str
) -> None:
    trace = Trace(time_s=np.array([0.0, 1.0]), columns={column: np.array([0.0, 1.0])})
    (panel,) = panels_of(make_result(trace=trace))
    assert (panel["title"], panel["unit"]) == (title, unit)


def test_events_alone_are_drawn_and_nothing_at_all_is_not(make_result: Make) -> None:
    assert plot_data(make_result()) is None
    event = Event(time_ns=1_500_000, source="EMB_FL", kind="fault", text="silent")
    data = plot_data(make_result(events=(event,)))
    assert data == {
        "duration_s": 4.25,
        "panels": [],
        "events": [[0.0015, "fault", "EMB_FL", "silent"]],
    }


def test_bus_load_is_drawn_to_the_end_of_the_run(make_stop: Make) -> None:
    (load, _) = next(p["curves"] for p in panels_of(make_stop()) if p["title"] == "Bus load")
    times_s = np.frombuffer(base64.b64decode(load["x"]), "<f4")
    assert (times_s[0], times_s[-1]) == (0.0, 4.0)


def test_values_no_float32_holds_do_not_stop_the_report(make_result: Make) -> None:
    trace = Trace(time_s=np.array([0.0, 1.0]), columns={"speed_mps": np.array([1e300, np.nan])})
    (panel,) = panels_of(make_result(trace=trace))
    drawn = np.frombuffer(base64.b64decode(panel["curves"][0]["y"]), "<f4")
    assert drawn[0] == np.inf
    assert np.isnan(drawn[1])
