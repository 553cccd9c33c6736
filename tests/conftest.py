"""Hypothesis profiles for every test.

`dev` is what a desk runs, `ci` draws the same examples in every run (chosen by CI=true), `nightly`
looks longer (HYPOTHESIS_PROFILE=nightly). No profile has a deadline and none complains about slow
examples: both read the wall clock, so a loaded machine would fail tests that are right.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_EVERYWHERE = {
    "deadline": None,
    "print_blob": True,
    "suppress_health_check": [HealthCheck.too_slow],
}
settings.register_profile("dev", max_examples=50, **_EVERYWHERE)
settings.register_profile("ci", max_examples=100, derandomize=True, database=None, **_EVERYWHERE)
settings.register_profile("nightly", max_examples=2000, **_EVERYWHERE)

_IN_CI = os.environ.get("CI", "").lower() not in ("", "0", "false")
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if _IN_CI else "dev"))
