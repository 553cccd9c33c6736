"""Buses and nodes of the reference chassis, wired up as the database says."""

from __future__ import annotations

from simcore.bus import BitTiming, Bus, ControllerOptions, FrameLog
from simcore.ecu import Ecu
from simcore.errors import UsageError
from simcore.kernel import Scheduler
from simcore.network import Database
from simcore.protection.cmac import memory_of
from simcore.rig.clock import NodeClock
from simcore.rig.events import EventLog
from simcore.rig.host import NodeHost
from simcore.rig.reference import (
    CHASSIS_A,
    CHASSIS_B,
    EMB_NODES,
    PINS,
    WATCHDOGS,
    build_node,
    test_keys,
)
from simcore.rig.software import HARDWARE, factory_flash, provision
from simcore.units import NS_PER_MS

BUS_OFF_PAUSE_NS = 100 * NS_PER_MS
"""Software waits this long before it lets a controller recover (AUTOSAR CanSM, bus-off L1)."""


def chassis_buses(
    database: Database, timing: BitTiming, scheduler: Scheduler, log: FrameLog
) -> tuple[Bus, ...]:
    """`CHASSIS_A`, and `CHASSIS_B` where the database marks redundant nodes; one log for both."""
    names = (CHASSIS_A, CHASSIS_B) if database.redundant_nodes else (CHASSIS_A,)
    buses = tuple(Bus(name, timing, scheduler, log=log) for name in names)
    for bus in buses:
        bus.keeps_counts = len(buses) > 1
    return buses


def chassis_hosts(
    database: Database,
    buses: tuple[Bus, ...],
    scheduler: Scheduler,
    log: EventLog,
    *,
    without: frozenset[str] = frozenset(),
) -> dict[str, NodeHost]:
    """Every node of the database on its buses, not yet powered on.

    `without` names the mechanisms (`simcore.ecu.mechanisms`) that are left out everywhere.
    Raises `UsageError` where the database lacks a node that the plant needs.
    """
    clock = NodeClock(scheduler)
    both_ids = frozenset(m.arbitration_id for m in database.messages if m.is_redundant)
    hosts: dict[str, NodeHost] = {}
    for name in database.nodes:
        inputs, outputs = PINS.get(name, ({}, {}))
        node = build_node(name, database)
        if isinstance(node, Ecu):
            node.without = without
        provision(name, node)
        hosts[name] = NodeHost(
            name,
            node,
            buses if name in database.redundant_nodes else buses[:1],
            scheduler,
            clock,
            log,
            inputs=inputs,
            outputs=outputs,
            both_ids=both_ids,
            provisioned=memory_of(test_keys(name, database)),
        )
        hosts[name].configure_controllers(
            ControllerOptions(
                replace_pending=frozenset(
                    message.arbitration_id
                    for message in database.sent_by(name)
                    if message.cycle_time_ns is not None
                ),
                recovery_delay_ns=BUS_OFF_PAUSE_NS,
            )
        )
        if name in HARDWARE:
            hosts[name].fit_flash(factory_flash(name))
        if name in WATCHDOGS and "watchdog" not in without:
            settings, cuts = WATCHDOGS[name]
            hosts[name].guard(settings, cuts=cuts, built_in=True)
    missing = [name for name in (*EMB_NODES, "BPS", "IMU", "CDC") if name not in hosts]
    if missing:
        raise UsageError(f"rig on {database.name}", expected=f"the nodes {', '.join(missing)}")
    return hosts
