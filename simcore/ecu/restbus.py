"""`RestbusNode`: sends the messages of one node as the database describes them.

Stands in for every ECU that is not simulated, so that the bus carries its full load. Counters and
checksums are right. When a message is sent is the matter of `simcore.network.interaction`; this
module gives it values, time and a port. `GenMsgILSupport` makes no difference: it says that in the
ECU another layer sends the message, and the restbus stands in for the whole ECU (network management
goes out with fixed content then). Lives here and not in `network/` because protection comes after
the network in the order of rooms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial

from simcore.bus import LENGTH_TO_DLC, Frame
from simcore.ecu.restbus_agenda import Agenda, CyclicSender, EventSender, Sender
from simcore.ecu.restbus_timeouts import TimeoutWatch
from simcore.ecu.restbus_values import DrivenPayload, Source, WriteSender, require_source
from simcore.ecu.runtime import Ecu, sync_message_of, transmission_of
from simcore.ecu.seam import Port
from simcore.errors import InputError, UsageError
from simcore.network import Database, Message
from simcore.network.accepting import raw_of
from simcore.network.columns import Column
from simcore.network.interaction import SendMachine
from simcore.network.interaction_rules import SendRules, application_signals, send_rules_of
from simcore.network.messages import Number
from simcore.network.send_types import STANDARD, SendTypes

EVERY = "*"
"""Stands for every message that nothing in the database ever makes be sent."""
_TIMEOUTS = -1
"""Place of the timeouts in the agenda: the first that goes before the messages."""


class RestbusNode(Ecu):
    """Sends all messages of node `name`; values start at the database's start values.

    `messages` names those it shall send, where several nodes are senders of the same one; `bus` is
    the network they belong to in a file of several. `offsets` gives start delays in ns in place of
    the database's (`interaction_offsets.spread`), `cycles` cycle times, under `EVERY` for all that
    would never be sent by themselves. Signals of the messages in `monitored` are
    monitored for their reception timeouts, see `restbus_timeouts`.

    `skipped` names the messages that cannot be played, with the reason. What `write`, `send` and
    `drive` change while the node runs moves `next_deadline_ns`: whoever calls them asks for it.
    """

    __slots__ = (
        "_agenda",
        "_drives",
        "_index",
        "_made",
        "machines",
        "payloads",
        "rules",
        "skipped",
        "timeouts",
        "written",
    )

    def __init__(
        self,
        name: str,
        database: Database,
        *,
        messages: Iterable[str] | None = None,
        bus: str | None = None,
        offsets: Mapping[str, int] | None = None,
        cycles: Mapping[str, int] | None = None,
        send_types: SendTypes = STANDARD,
        monitored: Iterable[Message] = (),
    ) -> None:
        super().__init__(name, database)
        self.rules: dict[str, SendRules] = {}
        """When each message is sent."""
        self.skipped: dict[str, str] = {}
        self.payloads: dict[str, DrivenPayload] = {}
        self.machines: dict[str, SendMachine] = {}
        """Of the messages that are not just cyclic."""
        self.written: set[str] = set()
        """Messages that were sent, or may have been, for another reason than their cycle."""
        self._agenda = Agenda()
        self._index: dict[str, int] = {}
        """Place of each message in the agenda."""
        self._made: dict[str, frozenset[str]] = {}
        """The signals that E2E and SecOC fill in, by message."""
        self._drives: dict[tuple[str, str], tuple[Source, int | None]] = {}
        """Sources whose values count as writes, with their period."""
        for message in self._sent(messages, bus):
            offset_ns = (offsets or {}).get(message.name)
            self._take_on(message, send_types, offset_ns, cycles or {})
        watch = TimeoutWatch(name, database, monitored)
        self.timeouts: TimeoutWatch | None = watch if watch.identifiers else None
        """Watches what the node receives, where there is anything to watch."""
        if self.timeouts is not None:
            self.fixed_schedule = False  # a frame after a timeout brings a new deadline

    def _sent(self, wanted: Iterable[str] | None, bus: str | None) -> list[Message]:
        """The messages this node shall send, in database order."""
        sent = [
            message
            for message in self.database.sent_by(self.name)
            if bus is None or message.bus == bus
        ]
        if wanted is None:
            return sent
        names, known = frozenset(wanted), {message.name for message in sent}
        if not names <= known:
            raise UsageError(
                f"restbus of {self.name}: messages",
                expected=f"messages it sends ({', '.join(m.name for m in sent) or 'none'})",
                got=", ".join(sorted(names - known)),
            )
        return [message for message in sent if message.name in names]

    def _take_on(
        self,
        message: Message,
        send_types: SendTypes,
        offset_ns: int | None,
        cycles: Mapping[str, int],
    ) -> None:
        """Play a message, or say why not."""
        if message.name in self.rules:
            self.skipped[message.label] = "another message has the same name"
            return
        reason = _unplayable(message)
        if reason:
            self.skipped[message.name] = reason
            return
        try:
            rules = send_rules_of(message, send_types, lenient=self.database.is_lenient)
        except InputError as error:
            if not self.database.is_lenient:
                raise
            self.skipped[message.name] = str(error)
            return
        cycle_ns = cycles.get(message.name, cycles.get(EVERY, 0) if rules.is_silent else 0)
        if cycle_ns:
            gap_ns = min(rules.gap_ns, cycle_ns)
            notes = tuple(note for note in rules.notes if "cycle time" not in note)
            rules = replace(rules, cycle_ns=cycle_ns, gap_ns=gap_ns, notes=notes)
        if offset_ns is not None:
            rules = replace(rules, start_delay_ns=offset_ns)
        self.rules[message.name] = rules
        self.payloads[message.name] = DrivenPayload(message)
        own = {signal.name for signal in application_signals(message)}
        made = frozenset(signal.name for signal in message.signals) - own
        if made:
            self._made[message.name] = made
        if not rules.is_plain:
            self.machines[message.name] = SendMachine(rules)

    def start(self, port: Port, now_ns: int) -> None:
        """Power on; nothing is received but what is monitored, and freshness sync messages."""
        super().start(port, now_ns)
        if self.timeouts is not None:
            port.accept((*self._receptions, *self.timeouts.identifiers))

    def configure(self, now_ns: int) -> None:
        senders: list[Sender] = []
        for index, (name, rules) in enumerate(self.rules.items()):
            pack = self.payloads[name].pack
            transmit = transmission_of(rules.message, self.port, pack, self.freshness).transmit
            machine = self.machines.get(name)
            self._index[name] = index
            if machine is None:
                first_ns = now_ns + rules.start_delay_ns
                senders.append(CyclicSender(first_ns, rules.cycle_ns, transmit))
            else:
                machine.rules = rules
                machine.start(now_ns)
                senders.append(EventSender(machine, transmit))
        self._agenda = Agenda()
        self._agenda.begin(senders)
        if self.timeouts is not None:
            self.timeouts.begin(self.port, now_ns)
            self._agenda.add_first(self.timeouts)
        for message, signal in self._drives:
            self._drive_events(message, signal, now_ns)

    # -- values -------------------------------------------------------------------------------

    def set(self, message: str, /, **values: Number | str) -> None:
        """Set signals of one message by name, without an event; sent from its next frame on.

        Physical values or texts. Ends the drives of these signals.
        """
        raws = self._take(message, values)
        machine = self.machines.get(message)
        if machine is not None:
            for name, raw in raws.items():
                machine.preset(name, raw)

    def write(self, message: str, now_ns: int, /, **values: Number | str) -> int:
        """Set signals as an application writes them: events are raised as the send types say.

        All signals of one call are one event. Returns the number of frames sent at once.
        """
        raws = self._take(message, values)
        machine = self.machines.get(message)
        if machine is None:
            return 0
        self.written.add(message)
        for name, raw in raws.items():
            machine.write(name, raw, now_ns)
        return self._follow(message, now_ns) if machine.is_started else 0

    def send(self, message: str, now_ns: int, /) -> int:
        """Send one frame of a message, whatever its send type; returns how many went out at once.

        `GenMsgDelayTime` holds, but not for a message that is just cyclic. Raises `UsageError`
        before the node has started.
        """
        sender = self._sender(message)
        self.written.add(message)
        if isinstance(sender, CyclicSender):
            sender.transmit(now_ns)
            return 1
        sender.machine.request(now_ns)
        return self._follow(message, now_ns)

    def drive(
        self,
        message: str,
        signal: str,
        source: Source,
        /,
        *,
        every_ns: int | None = None,
        now_ns: int = 0,
    ) -> None:
        """Take a signal's value from a `Column` or a function of the time in s at every frame.

        Where writes of the signal raise events, a column writes at the times of its samples and a
        function every `every_ns`. `now_ns` is the time where the node already runs.
        """
        payload = self._payload(message)
        where = f"restbus of {self.name}: drive {message}.{signal}"
        payload.message.signal(signal)  # refuses an unknown one
        self.require_writable(message, (signal,), where=where)
        require_source(where, payload.message, signal, source)
        rules = self.rules[message]
        raises_events = signal in rules.events
        if every_ns is not None and every_ns <= 0:
            raise UsageError(where, expected="every_ns of more than 0 ns", got=every_ns)
        is_column = isinstance(source, Column)
        if raises_events and not (is_column or every_ns or rules.cycle_ns):
            raise UsageError(
                where,
                expected="a Column, or every_ns: the message is sent on events only",
                got="a function without every_ns",
            )
        payload.sources[signal] = source
        self._drives.pop((message, signal), None)
        if raises_events and (is_column or every_ns):
            self._drives[message, signal] = source, every_ns
            self.written.add(message)
            if self.machines[message].is_started:
                self._drive_events(message, signal, now_ns)

    def rule_of(self, message: Message) -> SendRules | None:
        """How the node sends a message; `None` for one that it does not send."""
        rule = self.rules.get(message.name)
        if rule is None or _key(rule.message) != _key(message):
            return None
        return rule

    def require_writable(self, message: str, names: Iterable[str], *, where: str = "") -> None:
        """Refuse signals that E2E and SecOC fill in: what is set there would not be sent."""
        made = self._made.get(message, frozenset())
        for name in names:
            if name in made:
                raise UsageError(
                    where or f"restbus of {self.name}: {message}.{name}",
                    expected="a signal that E2E and SecOC do not fill in; faults of the message "
                    "break those, as CounterFrozen and ChecksumWrong",
                    got=name,
                )

    def is_in_cycle(self, message: Message) -> bool:
        """Whether a message has had nothing but its cycle to go by so far."""
        rules = self.rules[message.name]
        machine = self.machines.get(message.name)
        is_fast = machine is not None and (machine.is_active or rules.fast_start_ns > 0)
        return bool(rules.cycle_ns) and message.name not in self.written and not is_fast

    # -- the Node protocol --------------------------------------------------------------------

    def receive(self, frame: Frame, now_ns: int) -> None:
        """A frame of a monitored message came, or a freshness sync message."""
        super().receive(frame, now_ns)
        if self.timeouts is not None and self.timeouts.received(frame, now_ns):
            self._agenda.follow(_TIMEOUTS)

    def on_timer(self, now_ns: int) -> None:
        """Send what is due."""
        self._agenda.run_due(now_ns)

    @property
    def run_due(self) -> Callable[[int], int | None]:
        """`on_timer` and `next_deadline_ns` in one call."""
        return self._agenda.run_due

    def next_deadline_ns(self) -> int | None:
        """When the next frame is due."""
        return self._agenda.deadline_ns

    # -- inside -------------------------------------------------------------------------------

    def _payload(self, message: str) -> DrivenPayload:
        payload = self.payloads.get(message)
        if payload is None:
            reason = self.skipped.get(message)
            raise UsageError(
                f"restbus of {self.name}",
                expected=f"one of its messages ({', '.join(self.payloads) or 'none'})",
                got=message if reason is None else f"{message}, which is skipped: {reason}",
            )
        return payload

    def _take(self, message: str, values: Mapping[str, Number | str]) -> dict[str, Number]:
        """Put values into the payload, in place of their drives; returns them raw."""
        payload = self._payload(message)
        self.require_writable(message, values)
        payload.set(**values)
        for name in values:
            self._drives.pop((message, name), None)
        if message not in self.machines:
            return {}
        found = payload.message
        return {name: raw_of(found, found.signal(name), value) for name, value in values.items()}

    def _follow(self, message: str, now_ns: int) -> int:
        """Let a message's sender follow its machine; returns the number of frames sent now."""
        index = self._index[message]
        self._agenda.follow(index)
        return int(self._agenda.run_one(index, now_ns))

    def _drive_events(self, message: str, signal: str, now_ns: int) -> None:
        source, every_ns = self._drives[message, signal]
        follow = partial(self._agenda.follow, self._index[message])
        machine, payload = self.machines[message], self.payloads[message]
        writer = WriteSender(machine, payload, signal, source, every_ns=every_ns, follow=follow)
        writer.begin(now_ns)
        self._agenda.add_first(writer)

    def _sender(self, message: str) -> CyclicSender | EventSender:
        self._payload(message)
        index = self._index.get(message)
        if index is None:
            raise UsageError(f"restbus of {self.name}: {message}", expected="a started node")
        sender = self._agenda.senders[index]
        assert isinstance(sender, CyclicSender | EventSender)
        return sender


def _key(message: Message) -> tuple[int, bool]:
    return message.arbitration_id, message.is_extended_id


def _unplayable(message: Message) -> str:
    """Why no frame can carry the message; empty where one can."""
    if message.defect:
        return message.defect
    is_counted = message.secoc is not None and message.secoc.multi_counter is not None
    if is_counted and sync_message_of(message.database, message) is None:
        return "SecOC freshness of several counters without a freshness sync message"
    if message.is_fd and message.length not in LENGTH_TO_DLC:
        return f"{message.length} bytes are no length of a CAN FD frame"
    if not message.is_fd and message.length > 8:
        return f"{message.length} bytes do not fit a classic frame"
    return ""
