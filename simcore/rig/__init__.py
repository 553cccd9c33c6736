"""The reference vehicle wired up: run it, record it, judge it. The public scripting API."""

from simcore.rig.bench import Bench
from simcore.rig.campaign import DRIVING, WORKSHOP, Campaign
from simcore.rig.evidence import AllOf, AnyOf, ColumnHolds, EventSeen, Evidence, SignalSeen
from simcore.rig.evidence_dtc import DtcSet
from simcore.rig.injection import InjectedFault
from simcore.rig.measure import ForceAccuracy, Release, Stop
from simcore.rig.reaction import Reaction
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
from simcore.rig.software import Backend

__all__ = [
    "AllOf",
    "AnyOf",
    "Backend",
    "Bench",
    "BusStatistics",
    "Campaign",
    "Check",
    "ColumnHolds",
    "ControllerStatistics",
    "DRIVING",
    "DtcSet",
    "Event",
    "EventSeen",
    "Evidence",
    "FaultRecord",
    "Finding",
    "ForceAccuracy",
    "InjectedFault",
    "MessageStatistics",
    "Reaction",
    "Release",
    "Restbus",
    "Rig",
    "Scenario",
    "ScenarioResult",
    "ScenarioSet",
    "SignalSeen",
    "Stop",
    "Trace",
    "Verdict",
    "WORKSHOP",
    "load_scenarios",
    "run_scenario",
    "scenario",
]
