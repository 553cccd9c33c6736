"""`Restbus`: any network with its nodes played, and places free for the modules under test.

Every node of the database is a place on the bus. A played one sends its messages by their send
types, with counters and checksums right; one left out is silent until `replace` puts a module
there, or a program comes in from outside (`simcore.attach`). An analyser that only acknowledges is
on the bus too, as a test system's own controller is: a lone node would else get no acknowledgement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from simcore.bus import BitTiming, Bus, ControllerOptions
from simcore.ecu import Node, RestbusNode
from simcore.ecu.restbus import EVERY
from simcore.ecu.restbus_values import Source
from simcore.ecu.seam import Port
from simcore.errors import InputError, UsageError
from simcore.kernel import Pacing, Priority
from simcore.network import Database, Message
from simcore.network.database import NO_SENDER
from simcore.network.interaction_check import require_send_types
from simcore.network.interaction_offsets import spread
from simcore.network.interaction_rules import send_rules_of
from simcore.network.messages import Number, unknown_name
from simcore.network.send_types import STANDARD, SendTypes
from simcore.protection.cmac import memory_of
from simcore.rig.arguments import require_time
from simcore.rig.bench import Bench
from simcore.rig.building import BUS_OFF_PAUSE_NS
from simcore.rig.clock import NodeClock
from simcore.rig.host import NodeHost
from simcore.rig.invariants import cycle_checks
from simcore.rig.reference import test_keys
from simcore.rig.restbus_notes import restbus_notes
from simcore.rig.result import BusStatistics, Check
from simcore.rig.timing import timing_of
from simcore.rig.wire_watch import WireWatch
from simcore.units import NS_PER_S

if TYPE_CHECKING:
    import os

    from simcore.bus import Frame

ANALYSER = "(analyser)"
"""Name of the controller that acknowledges."""
SOURCE = "restbus"
"""Whom the event log names for notes."""
TIDY_NS = NS_PER_S
"""How often recorded frames are packed."""


class AbsentNode:
    """Holds a place on the bus: sends nothing and hears nothing."""

    def start(self, port: Port, now_ns: int) -> None:
        """Nothing begins."""

    def receive(self, frame: Frame, now_ns: int) -> None:
        """Nobody is there."""

    def on_timer(self, now_ns: int) -> None:
        """Never called."""

    def next_deadline_ns(self) -> int | None:
        """Never."""
        return None


class Restbus(Bench):
    """A network in virtual time with its nodes played by the restbus.

    `play` names the nodes to play, `all_but` those to leave out; without both all are played.
    Messages without a sender are played by the node `Vector__XXX`. With `spread_offsets` cyclic
    messages without a start delay begin spread over their cycle instead of all at once; by default
    they do where most cyclic messages have none. `bus` selects the network of a file that describes
    several. `timing` is needed where the file gives no bit rates other than 500 kbit/s and
    2 Mbit/s, `cycles` where it gives no cycle times: in ns by message, under `*` for every message
    that would never be sent by itself.

    A played node that receives signals of an absent one monitors their reception timeouts; see
    `simcore.ecu.restbus_timeouts`. Raises `InputError` for a database with errors, unless that was
    loaded leniently: then the messages concerned are in `skipped`.
    """

    def __init__(
        self,
        database: Database | str | os.PathLike[str],
        *,
        play: Sequence[str] | None = None,
        all_but: Sequence[str] | None = None,
        seed: int = 0,
        timing: BitTiming | None = None,
        pacing: Pacing | None = None,
        channel: str = "CAN",
        bus: str | None = None,
        spread_offsets: bool | None = None,
        send_types: SendTypes = STANDARD,
        cycles: Mapping[str, int] | None = None,
    ) -> None:
        if not isinstance(database, Database):
            database = Database.load(database)
        if not database.is_lenient:
            database.refuse_errors()
        super().__init__(database, seed=seed, pacing=pacing)
        self.played = _played(database, play, all_but)
        """Names of the nodes the restbus plays."""
        self.absent: tuple[str, ...] = tuple(
            name for name in database.senders if name not in self.played
        )
        self._send_types = send_types
        self.network = _network(database, bus)
        """Name of the network, in a file of several."""
        self.timing = timing if timing is not None else timing_of(database, self.network)
        wire = Bus(channel, self.timing, self.scheduler, log=self.recorder.frames)
        wire.attach(ANALYSER)
        self.buses = (wire,)
        self.wire_watch = WireWatch(self.buses, self.recorder, self.log)
        self._cycles = dict(cycles or {})
        self._sender: dict[str, str] = {}
        """Who plays each message."""
        self._twins: dict[str, str] = {}
        """Messages that another node's of the same name keeps from being played."""
        shares = self._shares()
        self._require_cycles()
        if not database.is_lenient:
            played = [self.message(name) for names in shares.values() for name in names]
            require_send_types(played, send_types)
        nodes = self._nodes(shares, send_types, {})
        self.offsets = self._offsets(nodes, spread_offsets)
        """Start delays in ns by message, where they are spread; else empty."""
        if self.offsets:
            nodes = self._nodes(shares, send_types, self.offsets)
        self._wire_up(wire, nodes)
        self.notes = restbus_notes(
            database,
            [rule for node in nodes.values() for rule in node.rules.values()],
            self.skipped,
        )
        """What is not played, what is contradictory, what has no protection."""
        for note in self.notes:
            self.log.add(SOURCE, "note", note)
        self.scheduler.timer(TIDY_NS, Priority.OBSERVER, self._tidy)

    def _tidy(self) -> None:
        """Pack the frames recorded so far, so that a long run stays small."""
        self.recorder.fold()
        self.scheduler.timer(self.now_ns + TIDY_NS, Priority.OBSERVER, self._tidy)

    def message(self, name: str) -> Message:
        """A message of this network. Raises `UsageError` with the nearest name for an unknown."""
        return self.database.message(name, bus=self.network)

    def message_named(self, name: str) -> Message:
        """The same; what `Bench` asks."""
        return self.message(name)

    def messages_of(self, node: str) -> tuple[Message, ...]:
        """The messages of a node on this network, played or not."""
        return tuple(
            message
            for message in self.database.sent_by(node)
            if self.network is None or message.bus == self.network
        )

    def _nodes(
        self,
        shares: Mapping[str, list[str]],
        send_types: SendTypes,
        offsets: Mapping[str, int],
    ) -> dict[str, RestbusNode]:
        monitored = [
            message
            for name in self.absent
            for message in self.messages_of(name)
            if message.name not in self._sender
        ]
        return {
            name: RestbusNode(
                name,
                self.database,
                messages=shares[name],
                bus=self.network,
                offsets=offsets,
                cycles=self._cycles,
                send_types=send_types,
                monitored=monitored if name in self.database.nodes else (),
            )
            for name in self.played
        }

    def _require_cycles(self) -> None:
        for name, cycle_ns in self._cycles.items():
            require_time(f"Restbus, cycle of {name}", cycle_ns)
            if cycle_ns == 0:
                raise UsageError(f"Restbus, cycle of {name}", expected="more than 0 ns", got=0)
            if name != EVERY:
                self.sender_of(name)

    def _offsets(self, nodes: Mapping[str, RestbusNode], wanted: bool | None) -> dict[str, int]:
        rules = [rule for node in nodes.values() for rule in node.rules.values()]
        if wanted is None:
            delays = [rule.start_delay_ns > 0 for rule in rules if rule.cycle_ns]
            wanted = 2 * sum(delays) < len(delays)
        return spread(rules, self.timing) if wanted else {}

    def _shares(self) -> dict[str, list[str]]:
        """Names of the messages each played node sends; one with several senders goes to one."""
        taken: dict[str, Message] = {}
        shares: dict[str, list[str]] = {}
        for name in self.played:
            shares[name] = []
            for message in self.messages_of(name):
                if taken.get(message.name, message) is not message:
                    self._twins[message.label] = "another message has the same name"
                    continue
                others = [each for each in message.senders if each in self.absent]
                if message.name in self._sender or others:
                    continue  # it is another played node's, or the module's under test
                self._sender[message.name] = name
                taken[message.name] = message
                shares[name].append(message.name)
        return shares

    def _provisioned(self, name: str) -> dict[str, bytes]:
        """What is in a node's non-volatile memory: the test keys of messages under SecOC."""
        if name not in self.database.nodes:
            return {}
        return memory_of(test_keys(name, self.database))

    def _wire_up(self, wire: Bus, nodes: Mapping[str, RestbusNode]) -> None:
        clock = NodeClock(self.scheduler)
        for name in self.database.senders:
            node: Node = nodes.get(name) or AbsentNode()
            host = NodeHost(
                name,
                node,
                (wire,),
                self.scheduler,
                clock,
                self.log,
                inputs={},
                outputs={},
                provisioned=self._provisioned(name),
            )
            self._hosts[name] = host
            played = nodes.get(name)
            if played is None:
                host.halt()
                continue
            host.configure_controllers(
                ControllerOptions(
                    replace_pending=frozenset(
                        rule.message.arbitration_id
                        for rule in played.rules.values()
                        if rule.cycle_ns
                    ),
                    recovery_delay_ns=BUS_OFF_PAUSE_NS,
                )
            )
            host.start()

    # -- what is sent ---------------------------------------------------------------------------

    @property
    def skipped(self) -> dict[str, str]:
        """Messages of played nodes that cannot be played, with the reason."""
        found = dict(self._twins)
        for node in self.restbus_nodes.values():
            found.update(node.skipped)
        return found

    @property
    def restbus_nodes(self) -> dict[str, RestbusNode]:
        """The restbus senders that are in their places."""
        found = {name: host.node for name, host in self._hosts.items()}
        return {name: node for name, node in found.items() if isinstance(node, RestbusNode)}

    def set(self, message: str, /, **values: Number | str) -> None:
        """Set signals without an event: they are sent from the next frame on."""
        self._node_of(message).set(message, **values)

    def write(self, message: str, /, **values: Number | str) -> None:
        """Write signals as an application does: with the events their send types say."""
        name = self.sender_of(message)
        self.restbus(name).write(message, self.now_ns, **values)
        self._hosts[name].ask_again()

    def send(self, message: str, /) -> None:
        """Send one frame of a message, now, whatever its send type."""
        name = self.sender_of(message)
        self.restbus(name).send(message, self.now_ns)
        self._hosts[name].ask_again()

    def drive(
        self, message: str, signal: str, source: Source, /, *, every: int | None = None
    ) -> None:
        """Take a signal's value from a `Column` or a function of the time in s.

        It is asked at every frame; where a write raises events, also every `every` ns.
        """
        if every is not None:
            require_time("drive, every", every)
        name = self.sender_of(message)
        node = self.restbus(name)
        node.drive(message, signal, source, every_ns=every, now_ns=self.now_ns)
        self._hosts[name].ask_again()

    def sender_of(self, message: str) -> str:
        """The played node that sends a message. Raises `UsageError` where there is none."""
        name = self._sender.get(message)
        if name is None:
            # an unknown one is said to be unknown
            found = self.message(message)
            senders = ", ".join(found.senders) or NO_SENDER
            raise UsageError(
                f"restbus: {message}",
                expected="a message of a played node",
                got=f"one of {senders}, which is not played",
            )
        return name

    def _node_of(self, message: str) -> RestbusNode:
        return self.restbus(self.sender_of(message))

    # -- verdicts -------------------------------------------------------------------------------

    def invariants(self, buses: tuple[BusStatistics, ...]) -> list[Check]:
        """COM-001 over `cyclic_messages`."""
        # What has no sender in the file is sent by the node that stands in for it.
        messages = [
            replace(
                message,
                senders=message.senders or (NO_SENDER,),
                cycle_time_ns=self.cycle_ns(message),
            )
            for message in self.cyclic_messages
        ]
        return list(cycle_checks(self, messages))

    def cycle_ns(self, message: Message) -> int | None:
        """The cycle time of a message: as it is played, else as the file says."""
        node = self.restbus_nodes.get(self._sender.get(message.name, ""))
        rules = None if node is None else node.rules.get(message.name)
        if rules is None or rules.message is not message:
            return message.cycle_time_ns
        return rules.cycle_ns or message.cycle_time_ns

    @property
    def cyclic_messages(self) -> tuple[Message, ...]:
        """The messages that had nothing but their cycle to go by so far.

        Of the played nodes and of the modules that were put into a place. One that is sent on
        events, too, counts as long as none was raised.
        """
        found: list[Message] = []
        for name, host in self._hosts.items():
            node = host.node
            if isinstance(node, RestbusNode):
                found += [
                    rule.message for rule in node.rules.values() if node.is_in_cycle(rule.message)
                ]
            elif not isinstance(node, AbsentNode):
                found += [
                    message
                    for message in self.messages_of(name)
                    if len(message.senders) < 2  # of several, another may be meant to
                    and not message.defect
                    and self._is_plain(message)
                ]
        return tuple(found)

    def _is_plain(self, message: Message) -> bool:
        """Whether a module's message is just cyclic; one with rules that nobody knows is not."""
        try:
            rules = send_rules_of(message, self._send_types, lenient=self.database.is_lenient)
        except InputError:
            return False
        return rules.is_plain


def _network(database: Database, bus: str | None) -> str | None:
    """The network to play; `None` in a file of a single one."""
    if bus is None:
        if len(database.buses) > 1:
            raise UsageError(
                f"Restbus, bus: {database.name} describes several networks",
                expected=f"one of {', '.join(database.buses)}",
            )
        return None
    if bus not in database.buses:
        raise unknown_name(f"{database.name}: unknown bus", bus, database.buses)
    return bus


def _played(
    database: Database, play: Sequence[str] | None, all_but: Sequence[str] | None
) -> tuple[str, ...]:
    if play is not None and all_but is not None:
        raise UsageError("Restbus", expected="either play or all_but", got="both")
    for label, names in (("play", play), ("all_but", all_but)):
        if isinstance(names, str):
            raise UsageError(f"Restbus, {label}", expected="a list of node names", got=repr(names))
        for name in names or ():
            if name not in database.senders:
                raise unknown_name(f"Restbus, {label}: unknown node", name, database.senders)
    if play is not None:
        return tuple(name for name in database.senders if name in play)
    return tuple(name for name in database.senders if name not in (all_but or ()))
