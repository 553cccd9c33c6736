"""Hypothesis profiles for those who fuzz with simcore.

    import simcore.testing.profiles

in a `conftest.py` registers `simcore-ci`: the same examples in every run, on every machine, none
kept from run to run. `--hypothesis-profile simcore-ci` takes it, or `load()` in the same file. No
profile has a deadline, and none complains of slow examples: both read the clock on the wall.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

CI, DESK, NIGHTLY = "simcore-ci", "simcore-desk", "simcore-nightly"
STEPS = 20
"""Steps of a sequence."""

_CALM = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)

settings.register_profile(
    CI,
    max_examples=40,
    stateful_step_count=STEPS,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=_CALM,
)
settings.register_profile(
    DESK,
    max_examples=100,
    stateful_step_count=STEPS,
    deadline=None,
    suppress_health_check=_CALM,
)
settings.register_profile(
    NIGHTLY,
    max_examples=2_000,
    stateful_step_count=2 * STEPS,
    deadline=None,
    suppress_health_check=_CALM,
)


def load(name: str = CI) -> None:
    """Make a profile the default: `simcore-ci`, `simcore-desk` or `simcore-nightly`."""
    settings.load_profile(name)
