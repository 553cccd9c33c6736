"""Every shipped scenario passes, and passes the same way twice in one process."""

from __future__ import annotations

import pytest

from simcore.resources import scenario_path
from simcore.rig import Scenario, Verdict, load_scenarios, run_scenario
