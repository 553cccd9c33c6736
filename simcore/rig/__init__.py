"""The reference vehicle wired up: run it, record it, judge it. The public scripting API."""

from simcore.rig.bench import Bench
from simcore.rig.injection import InjectedFault
from simcore.rig.measure import ForceAccuracy, Release, Stop
from simcore.rig.restbus import Restbus
from simcore.rig.result import (
    BusStatistics,
    Check,
    ControllerStatistics,
    Event,
    FaultRecord,
    Finding,
    MessageStatistics,
    ScenarioResult,
    Trace,
    Verdict,
)
from simcore.rig.rig import Rig
from simcore.rig.scenario import Scenario, ScenarioSet, load_scenarios, run_scenario, scenario

__all__ = [
    "Bench",
    "BusStatistics",
    "Check",
    "ControllerStatistics",
    "Event",
    "FaultRecord",
    "Finding",
    "ForceAccuracy",
    "InjectedFault",
    "MessageStatistics",
    "Release",
    "Restbus",
    "Rig",
    "Scenario",
    "ScenarioResult",
    "ScenarioSet",
    "Stop",
    "Trace",
    "Verdict",
    "load_scenarios",
    "run_scenario",
    "scenario",
]
