"""A walk over updates, step by step: the world in which the invariants are held against the client.

A step is plain data (a name and arguments), so that a walk can be written down and walked again
(replay.py). The world is one ECU, or a bundle with its coordinator; the walker is tester, driver,
thief, supply and clock in one. What must hold after every step is in client_invariants.py.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeAlias

from simcore.errors import InputError, UsageError
from simcore.units import NS_PER_S
from simcore.update.bundle import BundleCoordinator, MemberOrder, obey, status_of
from simcore.update.bundle_phases import BundlePhase
from simcore.update.bundle_reference import (
    COORDINATOR,
    START_NS,
    VIN,
    Built,
    Example,
    built,
    filename_of,
)
from simcore.update.client import UpdateClient
from simcore.update.client_campaign import write_metadata
from simcore.update.client_ecu import ClientType, UpdateEcu
from simcore.update.client_invariants import Watcher
from simcore.update.flash import CutKind, PowerCut, PowerLost
from simcore.update.guards import ACTIVATION_GUARD, Conditions, fit_conditions
from simcore.update.reset_cause import ResetCause
from simcore.update.states import UpdateState

Value: TypeAlias = "str | int | float | bool"
Step: TypeAlias = tuple[Value, ...]
_S = UpdateState
IDLE_NS = NS_PER_S
"""Deadlines farther away than this are waited for by `time` only."""
BLOCK_SIZE = 384
WORLDS: dict[str, Example] = {
    "single": Example(tries=2),
    "stranger": Example(strangers=("EMB_FL",)),
    "bundle": Example(ecus=("EMB_FL", "CDC"), in_bundle=True, tries=2),
}

LOST: dict[str, dict[str, Value]] = {
    "speed_sources": {"speed_2_valid": False},
    "speed": {"speed_1_mps": 0.5},
    "standstill": {"standstill_ns": 0},
    "park_commanded": {"parked_commanded": False},
    "park_confirmed": {"parked_confirmed": False},
    "intervention": {"esc_active": True},
    "epb_moving": {"epb_moving": True},
    "ignition": {"ignition_allowed": False},
    "supply_low": {"supply_v": 9.0},
    "supply_high": {"supply_v": 17.0},
    "supply_margin": {"supply_margin_ns": 0},
    "temperature": {"temperature_c": 120.0},
    "other_programming": {"other_programming": True},
    "endurance": {"erase_cycles_left": 0},
    "audit_room": {"audit_room": False},
    "safety_dtc": {"safety_dtc": True},
    "consent": {"consent": False},
    "dependents": {"dependents_ready": False},
}
"""For every row of the activation guard, conditions that take just that row away."""
assert set(LOST) == {row.name for row in ACTIVATION_GUARD}

COMMANDS: dict[str, Callable[[UpdateClient, int], object]] = {
    "install": UpdateClient.install,
    "activate": UpdateClient.activate,
    "rollback": UpdateClient.rollback,
    "cancel": UpdateClient.cancel,
    "suspend": UpdateClient.suspend,
    "resume": UpdateClient.resume,
    "acknowledge": UpdateClient.acknowledge,
    "end": UpdateClient.end_download,
    "announce": UpdateClient.announce,
}


@lru_cache(maxsize=256)
def _served(example: Example, attack: str) -> tuple[bytes, dict[str, bytes]]:
    """Metadata and images as they come to the vehicle under an attack; none with ''."""
    repository = built(example).repository
    if attack:
        repository = copy.deepcopy(repository)
        repository.start_attack(attack)
    metadata = repository.metadata_for(VIN)
    return metadata, {name: repository.image_bytes(filename_of(name)) for name in example.ecus}


class Walk:
    """One world and what has happened in it."""

    def __init__(self, world: str, client_type: ClientType = UpdateClient) -> None:
        if world not in WORLDS:
            raise UsageError("walk", expected=" or ".join(WORLDS), got=world)
        self.world = world
        self.built: Built = built(WORLDS[world])
        self.ecus = {name: UpdateEcu(plan, client_type) for name, plan in self.built.plans.items()}
        self.attack = ""
        self.now_ns = START_NS
        self.coordinator: BundleCoordinator | None = None
        self.old_orders: list[MemberOrder] = []
        self.watcher = Watcher(self.built)
        self.cuts = 0
        for name in self.ecus:
            self._boot(name, ResetCause.POWER_ON)

    # ---- steps ----

    def apply(self, step: Sequence[Value]) -> list[str]:
        """Take a step; which invariants it broke."""
        kind, *arguments = step
        action = _ACTIONS.get(str(kind))
        if action is None:
            raise InputError("step of a walk", expected=" or ".join(_ACTIONS), got=str(kind))
        try:
            action(self, *arguments)
        except (TypeError, KeyError) as error:
            raise InputError(f"step {kind}", expected="its arguments", got=error) from error
        return self.watcher.look(self.ecus, self.coordinator)

    def _guarded(self, name: str, action: Callable[..., object], *arguments: object) -> None:
        """Let an ECU act; when it loses power on the way, it starts again."""
        self.watcher.before(self.ecus[name])
        try:
            action(*arguments)
        except PowerLost:
            self.cuts += 1
            self._boot(name, ResetCause.POWER_ON)
        else:
            self.watcher.after(self.ecus[name])

    def _boot(self, name: str, cause: ResetCause) -> None:
        ecu = self.ecus[name]
        self.watcher.after(ecu)
        if name == COORDINATOR:
            self.coordinator = None
        for _ in range(3):
            ecu.client = None
            try:
                ecu.boot(cause, self.now_ns)
                self._start_coordinator(name)
                break
            except PowerLost:
                self.cuts += 1
                cause = ResetCause.POWER_ON
        self.watcher.booted(ecu)

    def _start_coordinator(self, name: str) -> None:
        ecu = self.ecus[name]
        if name != COORDINATOR or not self.built.example.in_bundle or ecu.client is None:
            return
        region = ecu.plan.layout.records.on(ecu.flash)
        coordinator = BundleCoordinator(region, self.built.coordinator)
        coordinator.start(self.now_ns)
        self.coordinator = coordinator

    def command(self, name: str, what: str) -> None:
        """One command, twice: the second one must change nothing."""
        self._guarded(name, self._command, name, what)

    def _command(self, name: str, what: str) -> None:
        client = self.ecus[name].client
        if client is None:
            return
        for turn in range(2):
            before = client.state, client.record
            if what in ("approve", "decline"):
                client.consent(what == "approve", self.now_ns)
            elif what == "begin":
                client.begin_download(len(self._image(name)), self.now_ns)
            elif what == "announce":
                client.announce(self.now_ns, size=len(self._metadata()))
            else:
                COMMANDS[what](client, self.now_ns)
            if turn and (client.state, client.record) != before:
                self.watcher.complain(f"(8) {what} twice: {before[0].name} -> {client.state.name}")
        self._settle(client)

    def metadata(self, name: str, attack: str) -> None:
        """The tester, or a thief, puts metadata into their region."""
        self.attack = attack
        self._guarded(name, self._metadata_written, name)

    def _metadata_written(self, name: str) -> None:
        client = self.ecus[name].client
        data = self._metadata()
        ecu = self.ecus[name]
        if client is not None and client.state is _S.IDLE:
            if len(data) <= ecu.plan.layout.metadata.size:
                self.watcher.erases += 1
                write_metadata(data, ecu.flash, ecu.plan.layout)

    def block(self, name: str, where: str) -> None:
        """A block of the image: the next, the last again, one too far, or more than all."""
        self._guarded(name, self._block, name, where)

    def _block(self, name: str, where: str) -> None:
        client, image = self.ecus[name].client, self._image(name)
        if client is None:
            return
        done = client.progress[0]
        start = {"next": done, "again": max(0, done - BLOCK_SIZE), "ahead": done + 8}.get(where)
        if start is None:
            client.write(done, image[done:] + b"endless", self.now_ns)
        else:
            client.write(start, image[start : start + BLOCK_SIZE], self.now_ns)
        self._settle(client)

    def work(self, name: str, turns: int) -> None:
        """The ECU works on, as long as it has something to do."""
        self._guarded(name, self._work, name, turns)

    def _work(self, name: str, turns: int) -> None:
        ecu = self.ecus[name]
        for _ in range(turns):
            client = ecu.client
            if client is None:
                return
            if client.take_reset():
                self._boot(name, ResetCause.SOFTWARE)
                continue
            deadline_ns = client.next_deadline_ns()
            if deadline_ns is None or deadline_ns > self.now_ns + IDLE_NS:
                return
            self.now_ns = max(self.now_ns, deadline_ns)
            client.step(self.now_ns)
            self._settle(client)

    def proceed(self, name: str) -> None:
        """What a tester would do next."""
        client = self.ecus[name].client
        if client is None:
            self.reset(name, "WATCHDOG")
            return
        match client.state:
            case _S.IDLE:
                self.metadata(name, self.attack)
                self.command(name, "announce")
            case _S.PENDING_CONSENT:
                self.command(name, "approve")
            case _S.DOWNLOADING:
                self._transfer(name)
            case _S.READY:
                self.command(name, "install")
            case _S.STAGED if not self.built.example.in_bundle:
                self.command(name, "activate")
            case _S.TRIAL:
                self.self_test(name, True)
                self.alive(name)
            case _S.COMMITTED | _S.ROLLED_BACK | _S.FAILED if not self.built.example.in_bundle:
                self.command(name, "acknowledge")
        self.work(name, 40)

    def _transfer(self, name: str) -> None:
        self.command(name, "begin")
        for _ in range(len(self._image(name)) // BLOCK_SIZE + 1):
            self.block(name, "next")
        self.command(name, "end")

    def self_test(self, name: str, passed: bool) -> None:
        """The self-test of the application comes to its end."""
        client = self.ecus[name].client
        if client is not None and client.state is _S.TRIAL:
            self.watcher.tested(name, passed)
            self._guarded(name, client.report_self_test, passed, self.now_ns)

    def alive(self, name: str) -> None:
        """The application's tasks go round often enough."""
        for _ in range(self.ecus[name].plan.client.alive_cycles):
            client = self.ecus[name].client
            if client is not None:
                self._guarded(name, client.alive_cycle, self.now_ns)

    def guard(self, name: str, row: str) -> None:
        """A row of the guards is lost; '' gives all back."""
        seen: Conditions = fit_conditions(**LOST[row]) if row else fit_conditions()
        self.ecus[name].surroundings.seen = seen

    def cut(self, name: str, operations: int, kind: str, seed: int) -> None:
        """Power will be cut so many flash operations from now."""
        flash = self.ecus[name].flash
        flash.cut = PowerCut(flash.operations + operations, CutKind[kind], seed)

    def reset(self, name: str, cause: str) -> None:
        """The ECU resets, or loses power between two operations."""
        self._boot(name, ResetCause[cause])

    def time(self, duration_ns: int) -> None:
        """Time passes; everybody does what is due."""
        self.now_ns += duration_ns
        for name in self.ecus:
            self._guarded(name, self._due, name)

    def _due(self, name: str) -> None:
        client = self.ecus[name].client
        if client is not None:
            client.step(self.now_ns)
            self._settle(client)

    # ---- the bundle ----

    def talk(self, reverse: bool = False) -> None:
        """The members say how they stand, the coordinator orders, they obey."""
        orders = self.old_orders[-len(self.ecus) :]
        if self.coordinator is not None:
            self._orders: tuple[MemberOrder, ...] = ()
            self._guarded(COORDINATOR, self._coordinate)
            orders = list(self._orders)
            self.old_orders = (self.old_orders + orders)[-20:]
        for order in reversed(orders) if reverse else orders:
            self._deliver(order)

    def _coordinate(self) -> None:
        coordinator = self.coordinator
        assert coordinator is not None
        self.now_ns += self.built.coordinator.repeat_ns
        if coordinator.phase is BundlePhase.IDLE:
            if any(
                ecu.client is not None and ecu.client.record.campaign == self.built.campaign
                for ecu in self.ecus.values()
            ):
                coordinator.begin(self.built.campaign, tuple(self.ecus), self.now_ns)
        for name, ecu in self.ecus.items():
            if ecu.client is not None:
                status = status_of(name, ecu.client, ecu.version, self.now_ns)
                coordinator.take(status, self.now_ns)
        self._orders = coordinator.orders(self.now_ns)

    def old_order(self, index: int) -> None:
        """An order of before arrives once more, late."""
        if self.old_orders:
            self._deliver(self.old_orders[index % len(self.old_orders)])

    def abandon(self) -> None:
        """The bundle is given up, if nothing is decided."""
        if self.coordinator is not None:
            self._guarded(COORDINATOR, self.coordinator.abandon, self.now_ns)

    def _deliver(self, order: MemberOrder) -> None:
        client = self.ecus[order.ecu_id].client
        if client is not None:
            self._guarded(order.ecu_id, obey, client, order, self.now_ns)

    # ---- inside ----

    def _metadata(self) -> bytes:
        return _served(self.built.example, self.attack)[0]

    def _image(self, name: str) -> bytes:
        return _served(self.built.example, self.attack)[1][name]

    def _settle(self, client: UpdateClient) -> None:
        self.now_ns = max(self.now_ns, client.busy_until_ns)


_ACTIONS: dict[str, Callable[..., None]] = {
    "command": Walk.command,
    "metadata": Walk.metadata,
    "block": Walk.block,
    "work": Walk.work,
    "proceed": Walk.proceed,
    "self_test": Walk.self_test,
    "alive": Walk.alive,
    "guard": Walk.guard,
    "cut": Walk.cut,
    "reset": Walk.reset,
    "time": Walk.time,
    "talk": Walk.talk,
    "old_order": Walk.old_order,
    "abandon": Walk.abandon,
}
"""Steps by name; their arguments are those of the method."""
