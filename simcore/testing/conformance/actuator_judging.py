"""Judgements that many cases of a brake actuator share: rise, overshoot, steady error, release.

Limits are parameters of the requirements that the case verifies.
"""

from __future__ import annotations

import numpy as np

from simcore.testing.conformance.actuator import PRIMARY, Actuator, Series
from simcore.units import NS_PER_MS


def judge_steady(act: Actuator, series: Series, force_n: float, text: str = "") -> None:
    """BRK-005 over a stretch of steady request."""
    tolerance_n = act.tolerance_n(force_n)
    if len(series.values):
        error_n = float(np.abs(series.values - force_n).max())
    else:
        error_n = float("nan")
    act.trial.expect(
        error_n <= tolerance_n,
        text=text or "largest steady error of the clamp force",
        measured=error_n,
        limit=f"<= {tolerance_n:.0f} N",
        requirement="BRK-005",
    )


def judge_overshoot(act: Actuator, series: Series, before_n: float, force_n: float) -> None:
    """How far the force shoots past a request, up or down."""
    sign = 1.0 if force_n >= before_n else -1.0
    beyond_n = float((sign * (series.values - force_n)).max()) if len(series.values) else 0.0
    most_n = max(
        act.number("overshoot_pct") / 100.0 * abs(force_n - before_n),
        act.number("overshoot_n"),
    )
    act.trial.expect(
        beyond_n <= most_n,
        text="overshoot of the clamp force",
        measured=max(0.0, beyond_n),
        limit=f"<= {most_n:.0f} N",
        requirement="BRK-009",
    )


def judge_rise(
    act: Actuator, series: Series, asked_ns: int, before_n: float, force_n: float
) -> None:
    """How long nine tenths of the way take."""
    reached_n = before_n + 0.9 * (force_n - before_n)
    reached = series.values >= reached_n if force_n >= before_n else series.values <= reached_n
    at_ns = series.first_ns(reached)
    took_ms = float("nan") if at_ns is None else (at_ns - asked_ns) / NS_PER_MS
    limit_ms = act.number("rise_ms")
    act.trial.expect(
        took_ms <= limit_ms,
        text=f"from the request to {reached_n:.0f} N",
        measured=took_ms,
        limit=f"<= {limit_ms:g} ms",
        requirement="BRK-009",
    )


def asked(act: Actuator, since_ns: int) -> int:
    """When the frame with a request was complete."""
    return act.next_frame_ns(act.lanes[PRIMARY].message.name, since_ns)


def settled(act: Actuator, asked_ns: int) -> Series:
    """The clamp force from when it has to be steady until now."""
    return act.force(asked_ns + int(act.number("settle_ms") * NS_PER_MS))


def judge_release(
    act: Actuator, since_ns: int, *, extra_ms: float = 0.0, text: str = "from the release"
) -> None:
    """BRK-004: when the clamp force was last above what counts as open."""
    trial = act.trial
    open_n, limit_ms = act.number("open_force_n"), act.number("release_ms") + extra_ms
    series = act.force(since_ns)
    last_ns = series.last_ns(series.values >= open_n)
    took_ms = 0.0 if last_ns is None else (last_ns - since_ns) / NS_PER_MS
    trial.expect(
        took_ms <= limit_ms,
        text=f"{text} to a clamp force below {open_n:g} N for good",
        measured=took_ms,
        limit=f"<= {limit_ms:g} ms",
        requirement="BRK-004",
    )


def judge_within(act: Actuator, series: Series, low_n: float, high_n: float, text: str) -> None:
    """BRK-005 where a force must not leave a band."""
    for value_n, limit_n, is_least in (
        (series.least, low_n, True),
        (series.largest, high_n, False),
    ):
        passed = value_n >= limit_n if is_least else value_n <= limit_n
        act.trial.expect(
            passed,
            text=f"{'least' if is_least else 'largest'} clamp force {text}",
            measured=value_n,
            limit=f"{'>=' if is_least else '<='} {limit_n:.0f} N",
        )


def judge_idle(act: Actuator, since_ns: int, text: str) -> None:
    """BRK-003 where nothing may clamp, whatever the frames say."""
    limit_n = act.number("idle_force_n")
    largest_n = act.force(since_ns).largest
    act.trial.expect(
        largest_n <= limit_n,
        text=f"largest clamp force {text}",
        measured=largest_n,
        limit=f"<= {limit_n:g} N",
        requirement="BRK-003",
    )


def judge_time(
    act: Actuator,
    at_ns: int | None,
    since_ns: int,
    limit_ms: float,
    text: str,
    requirement: str = "",
) -> bool:
    """Whether something came in time; `None` for never."""
    took_ms = float("nan") if at_ns is None else (at_ns - since_ns) / NS_PER_MS
    return act.trial.expect(
        took_ms <= limit_ms,
        text=text,
        measured=took_ms if at_ns is not None else "never",
        limit=f"<= {limit_ms:g} ms",
        requirement=requirement,
    )
