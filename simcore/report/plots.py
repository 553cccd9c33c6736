"""What the report page draws: recorded columns grouped into panels, thinned without losing peaks.

The page's script turns the result into one figure per scenario. Curves travel as base64 of
little-endian floats, which is half the size of digits and exact to seven of them.
Not here: colours and layout (`templates/`).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simcore.rig.result import ScenarioResult, Trace
from simcore.units import DEG_PER_RAD, KMH_PER_MPS, NS_PER_S, UNIT_SUFFIXES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[np.float64]

POINT_LIMIT = 2000
"""Points a curve is thinned to on a page."""
CORNERS = ("FL", "FR", "RL", "RR")

_FLOAT32_SPAN_S = 100.0  # up to here a float32 resolves time to 8 us, finer than a pixel of zoom


@dataclass(frozen=True, slots=True)
class _Quantity:
    """How one recorded quantity is shown: its panel, its row in the readout, its unit."""

    panel: str
    label: str
    unit: str
    scale_ratio: float
    style: str = "solid"
    height_px: int = 80


_KNOWN = {
    "speed_mps": _Quantity("Speed", "vehicle speed", "km/h", KMH_PER_MPS, "thick", 140),
    "wheel_speed_mps": _Quantity("Speed", "wheel speed", "km/h", KMH_PER_MPS),
    "pedal_pct": _Quantity("Pedal", "pedal", "%", 1.0),
    "force_command_n": _Quantity("Clamp force", "force, commanded", "kN", 1e-3, "dash", 210),
    "clamp_force_n": _Quantity("Clamp force", "force, actual", "kN", 1e-3),
    "slip_ratio": _Quantity("Wheel slip", "slip", "%", 100.0, height_px=140),
    "wheel_speed_radps": _Quantity("Wheel rotation", "wheel rotation", "rad/s", 1.0, height_px=110),
    "motor_current_a": _Quantity("Motor current", "motor current", "A", 1.0, height_px=110),
    "ax_mps2": _Quantity("Longitudinal acceleration", "acceleration", "m/s²", 1.0),
    "yaw_rate_radps": _Quantity("Yaw rate", "yaw rate", "°/s", DEG_PER_RAD),
    "lateral_offset_m": _Quantity("Lateral offset", "lateral offset", "m", 1.0),
}
"""Quantities with a place of their own, in the order of the panels; any other one follows."""
MAIN_PANELS = ("Speed", "Pedal", "Clamp force", "Wheel slip")
"""Panels above the bus load; the others are below it."""

_UNIT_TEXT = {
    "bps": "bit/s", "hz": "Hz", "n": "N", "kn": "kN", "nm": "N m", "v": "V", "a": "A", "w": "W",
    "j": "J", "ohm": "ohm", "mps": "m/s", "kmh": "km/h", "mps2": "m/s²", "mps3": "m/s³",
    "radps": "rad/s", "deg": "°", "degps": "°/s", "pct": "%", "ratio": "", "c": "°C", "k": "K",
}  # fmt: skip


def plot_data(result: ScenarioResult, limit: int = POINT_LIMIT) -> dict[str, object] | None:
    """Panels and events of one run as plain JSON data, `None` where there is nothing to draw.

    Curves have at most about `limit` points.
    """
    panels = [] if result.trace is None else _trace_panels(result.trace, limit)
    if any(bus.load_series_ratio for bus in result.buses):
        above = sum(panel["title"] in MAIN_PANELS for panel in panels)
        panels.insert(above, _load_panel(result, limit))
    if not panels and not result.events:
        return None
    events = [[e.time_ns / NS_PER_S, e.kind, e.source, e.text] for e in result.events]
    return {"duration_s": result.duration_ns / NS_PER_S, "panels": panels, "events": events}


def thin(values: Column, limit: int = POINT_LIMIT) -> NDArray[np.intp]:
    """Indices of at most about `limit` points that draw the same curve.

    Every bucket keeps its smallest and its largest value where they occurred, so no peak is
    lost; the ends and the edges of gaps (NaN) stay, and flat stretches keep only their ends.
    """
    count = len(values)
    if count <= 2:
        return np.arange(count)
    kept = np.arange(count) if count <= limit else _extremes(values, limit)
    y = values[kept]
    same = (y[1:] == y[:-1]) | (np.isnan(y[1:]) & np.isnan(y[:-1]))
    inside_flat = np.zeros(len(kept), dtype=bool)
    inside_flat[1:-1] = same[:-1] & same[1:]
    return kept[~inside_flat]


def _extremes(values: Column, limit: int) -> NDArray[np.intp]:
    count = len(values)
    missing = np.isnan(values)
    starts = np.linspace(0, count, max(limit // 2, 1), endpoint=False).astype(np.intp)
    low = np.where(missing, np.inf, values)
    high = np.where(missing, -np.inf, values)
    ends = np.append(starts[1:], count)
    keep = np.zeros(count, dtype=bool)
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        keep[start + int(np.argmin(low[start:end]))] = True
        keep[start + int(np.argmax(high[start:end]))] = True
    keep[0] = keep[-1] = True
    edges = np.flatnonzero(missing[1:] != missing[:-1])
    keep[edges] = True
    keep[edges + 1] = True
    return np.flatnonzero(keep)


def _trace_panels(trace: Trace, limit: int) -> list[dict[str, object]]:
    """Panels in the order of `_KNOWN`, then the other quantities in the order recorded."""
    quantities = {name: _quantity(name.partition(".")[0]) for name in trace.columns}
    order = list(dict.fromkeys(known.panel for known in _KNOWN.values()))
    order += [quantity.panel for quantity in quantities.values()]
    panels: list[dict[str, object]] = []
    for title in dict.fromkeys(order):
        members = [name for name, quantity in quantities.items() if quantity.panel == title]
        if members:
            members.sort(key=_drawing_order)
            shown = {name: quantities[name] for name in members}
            panels.append(_panel(title, trace, shown, limit))
    return panels


def _drawing_order(name: str) -> tuple[int, int]:
    base, _, corner = name.partition(".")
    known = list(_KNOWN)
    return (
        known.index(base) if base in known else len(known),
        CORNERS.index(corner) if corner in CORNERS else len(CORNERS),
    )


def _panel(
    title: str, trace: Trace, members: dict[str, _Quantity], limit: int
) -> dict[str, object]:
    curves = []
    for name, quantity in members.items():
        corner = name.partition(".")[2]
        values = trace.columns[name] * quantity.scale_ratio
        curve = _curve(trace.time_s, values, limit)
        label = quantity.label
        if corner and corner not in CORNERS:
            label, corner = f"{label} {corner}", ""
        curves.append(curve | {"label": label, "corner": corner, "style": quantity.style})
    height = max(quantity.height_px for quantity in members.values())
    unit = next(iter(members.values())).unit
    return {"title": title, "unit": unit, "height": height, "curves": curves}


def _curve(time_s: Column, values: Column, limit: int) -> dict[str, object]:
    kept = thin(values, limit)
    wide = len(time_s) > 0 and float(time_s[-1]) > _FLOAT32_SPAN_S
    return {
        "x": _base64(time_s[kept], "<f8" if wide else "<f4"),
        "wide": wide,
        "y": _base64(values[kept], "<f4"),
    }


def _base64(values: Column, dtype: str) -> str:
    with np.errstate(over="ignore"):  # beyond a float32 is infinite, which is drawn as a gap
        narrowed = values.astype(dtype)
    return base64.b64encode(narrowed.tobytes()).decode("ascii")


def _load_panel(result: ScenarioResult, limit: int) -> dict[str, object]:
    """Bus load per window, drawn as steps from the start of each window."""
    curves = []
    for bus in result.buses:
        load = np.array(bus.load_series_ratio, dtype=np.float64) * 100.0
        start_s = np.arange(len(load), dtype=np.float64) * bus.load_window_ns / NS_PER_S
        if len(load):
            start_s = np.append(start_s, max(result.duration_ns / NS_PER_S, float(start_s[-1])))
            load = np.append(load, load[-1])
        curve = _curve(start_s, load, limit)
        curves.append(curve | {"label": f"load {bus.channel}", "corner": "", "style": "step"})
    return {"title": "Bus load", "unit": "%", "height": 100, "curves": curves}


def _quantity(base: str) -> _Quantity:
    if base in _KNOWN:
        return _KNOWN[base]
    words = base.split("_")
    for cut in range(1, len(words)):
        suffix = "_".join(words[cut:])
        if suffix in UNIT_SUFFIXES:
            label = " ".join(words[:cut])
            return _Quantity(label.capitalize(), label, _UNIT_TEXT.get(suffix, suffix), 1.0)
    label = " ".join(words)
    return _Quantity(label.capitalize(), label, "", 1.0)
