"""`Wire`: the bus bit by bit, for as long as anything is out of the ordinary.

`Bus` sends undisturbed frames as wholes. Where a frame meets a disturbance, a collision, nobody to
acknowledge it, an error-passive sender or a controller that cannot take it, the wire takes over:
one `Mac` per node (or per group of nodes that cannot be told apart) samples and drives, each with
bit times of its own, and the level on the bus is the wired-AND of all. At the first instant at
which everybody is idle again and nothing holds the line, the bus goes on as before. A disturbance
in mid-frame is no different: the wire replays the frame up to that instant.

Nodes are synchronised hard at every start of frame and not within a frame: there are no
propagation delays and no oscillator tolerances here. After an error that only some nodes see in
the data phase their bit grids differ until the next start of frame.
"""

from __future__ import annotations

from math import lcm
from typing import TYPE_CHECKING

from simcore.bus.controller import Controller
from simcore.bus.delivery import Attempt, deliver, sent_through
from simcore.bus.error_notes import ErrorNotes
from simcore.bus.frame import Frame
from simcore.bus.frame_reading import MacState
from simcore.bus.grouping import (
    bring_back,
    level_of,
    machine_of,
    machines_at,
    parted_by_state,
    place_in_frame,
    sender_of,
    stuck,
    taken_out,
)
from simcore.bus.mac import INTEGRATION_BITS, SUSPEND_BITS, Mac
from simcore.bus.transmit_queue import Request
from simcore.kernel import Priority
from simcore.units import NS_PER_S

if TYPE_CHECKING:
    from simcore.bus.bus import Bus

_BUS = int(Priority.BUS)
_ARBITRATION = int(Priority.ARBITRATION)
_IDLE, _SUSPEND, _RECOVERING = MacState.IDLE, MacState.SUSPEND, MacState.RECOVERING
_DOZES = frozenset({MacState.IDLE, MacState.RECOVERING})
_RESTING = frozenset({MacState.IDLE, MacState.SUSPEND, MacState.RECOVERING})
_SYNCHRONISES = _RESTING | {MacState.INTERMISSION, MacState.START}


class Wire:
    """Bit-by-bit simulation of one bus. `active` while it is in charge."""

    __slots__ = (
        "_attempt",
        "_awaited_ns",
        "_busy_from_ns",
        "_data",
        "_dozes_from_ns",
        "_nominal",
        "_rate",
        "_ref_ns",
        "_replaying",
        "_silent",
        "_tick",
        "active",
        "asleep",
        "bus",
        "done",
        "iso",
        "macs",
        "notes",
        "shortcut",
        "valid",
    )

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        timing = bus.timing
        self.iso = timing.iso
        data_bps = timing.data_bps or timing.nominal_bps
        # Ticks per second in which bits and sample points of both rates are whole numbers.
        self._rate = lcm(timing.nominal_bps, data_bps) * 1000
        nominal, data = self._rate // timing.nominal_bps, self._rate // data_bps
        self._nominal = (nominal, nominal // 1000 * timing.nominal_sample_point_permille)
        self._data = (data, data // 1000 * timing.data_sample_point_permille)
        self.active = False
        self.asleep = False
        """In charge, but nothing can change before somebody does something."""
        self.macs: list[Mac] = []
        self.valid: list[Mac] = []
        """Receivers for whom the frame became valid in this bit."""
        self.done: list[Mac] = []
        """Transmitters that got through in this bit."""
        self.shortcut: tuple[list[int], Frame] | None = None
        """The frame last decoded and the bits it came from."""
        self._ref_ns = 0
        self._tick = 0
        self._attempt = Attempt()
        self._awaited_ns = -1
        """For when the next event is posted."""
        self._dozes_from_ns: int | None = None
        self._replaying = False
        self._silent = False
        """What happens in a replay had its effects already."""
        self.notes = ErrorNotes(self)
        self._busy_from_ns: int | None = None

    # -- taking over and handing back -----------------------------------------------------------

    def start(self, senders: list[Controller]) -> None:
        """Take over at a start of frame; `senders` have something to send."""
        self._reset(self.bus.scheduler.now_ns)
        self._begin(senders)
        self._go_on()

    def replay(
        self,
        sof_ns: int,
        sent: list[tuple[Controller, Request]],
        *,
        delivered: bool,
        through: bool,
    ) -> None:
        """Take over in mid-frame, which went well so far: for receivers, or for all of it."""
        now_ns = self.bus.scheduler.now_ns
        self._reset(sof_ns)
        gone: list[Mac] = []
        for controller, request in sent:
            if not through:
                controller.sent_again(request)
            sender_of(controller, self, gone).begin(request[3])
        waiting = [mac for mac in self.macs if mac.state is _RECOVERING]
        self.macs = [mac for mac in self.macs if mac not in waiting]
        self._attempt.logged = delivered
        for mac in self.macs:
            self._begin_bit(mac, 0)
        self._replaying = True
        self._silent = delivered
        while self.instant_ns(self._next_tick()) <= now_ns:
            self._process(self._next_tick())
        bring_back(waiting, self.macs)
        self.macs = [mac for mac in self.macs if mac not in gone]
        self._replaying = self._silent = False
        self._attempt.logged = delivered

    def take_idle(self) -> None:
        """Take over an idle bus: every node is synchronised to this instant."""
        self._reset(self.bus.scheduler.now_ns)
        for mac in self.macs:
            self._begin_bit(mac, 0)

    def wake(self) -> None:
        """Somebody did something: go on. The grid of the bits begins anew."""
        if self.asleep:
            self.asleep = False
            self._catch_up()
            self._ref_ns = self.bus.scheduler.now_ns
            self._tick = 0
            for mac in self.macs:
                self._begin_bit(mac, 0)
            if any(mac.state in _RESTING for mac in self.macs):
                self._await_requests()
            else:
                self.schedule()

    def _reset(self, ref_ns: int) -> None:
        self.active = True
        self.asleep = False
        self._ref_ns = ref_ns
        self._tick = 0
        self._awaited_ns = -1
        self._dozes_from_ns = None
        self._attempt.logged = False
        self._busy_from_ns = None
        self.valid.clear()
        self.done.clear()
        self.shortcut = None
        self.macs = machines_at(self, ref_ns)

    def _hand_over(self) -> None:
        """Everybody is idle: the bus goes on in whole frames."""
        self._rest()
        self.active = False
        for mac in self.macs:
            for controller in mac.members:
                if mac.state is MacState.SUSPEND:
                    left = (SUSPEND_BITS - mac.count) * self._nominal[0]
                    controller.suspended_until_ns = self.instant_ns(self._tick + left)
                elif mac.state is MacState.RECOVERING:
                    self.bus.recoveries.resume(controller, mac.remaining, mac.count)
        self.macs = []
        self.bus.resume()

    # -- time -----------------------------------------------------------------------------------

    def instant_ns(self, tick: int) -> int:
        """Instant of a tick; exact, rounded half up as `BitTiming.to_ns` does."""
        return self._ref_ns + (2 * tick * NS_PER_S + self._rate) // (2 * self._rate)

    def _next_tick(self) -> int:
        macs = self.macs
        tick = macs[0].next_tick
        for mac in macs:
            if mac.next_tick < tick:
                tick = mac.next_tick
        return tick

    def _begin_bit(self, mac: Mac, tick: int) -> None:
        mac.drive = mac.output
        mac.sampling = True
        mac.next_tick = tick + (self._data if mac.fast else self._nominal)[1]

    def schedule(self) -> None:
        """Go on at the next tick, as an event of its own: time stays where it is."""
        time_ns = self.bus.scheduler.now_ns
        if self.macs:
            time_ns = max(time_ns, self.instant_ns(self._next_tick()))
        self._awaited_ns = time_ns
        self.bus.scheduler.post(time_ns, _BUS, self._due)

    def _await_requests(self) -> None:
        """Somebody may start a frame: at the end of this instant, when all have asked."""
        self._awaited_ns = now_ns = self.bus.scheduler.now_ns
        self.bus.scheduler.post(now_ns, _ARBITRATION, self._starts)

    def _is_awaited(self) -> bool:
        """Whether the event that fires is the one posted last: others were overtaken."""
        if not self.active or self._awaited_ns != self.bus.scheduler.now_ns:
            return False
        self._awaited_ns = -1
        return True

    def _go_on(self) -> None:
        """Process tick after tick as long as nothing else is due."""
        scheduler = self.bus.scheduler
        while self.macs:
            tick = self._next_tick()
            time_ns = self.instant_ns(tick)
            if time_ns > scheduler.now_ns and not scheduler.advance_to(time_ns):
                self.schedule()
                return
            if self._process(tick):
                self._await_requests()
                return
            if self.asleep:
                return
        self._hand_over()

    def _due(self) -> None:
        """The instant of the next tick has come."""
        if self._is_awaited():
            self._go_on()

    def _process(self, tick: int) -> bool:
        """Bit borders and sample points of one tick; whether somebody may start a frame now."""
        self._tick = tick
        sampling: list[Mac] = []
        bordering: list[Mac] = []
        for mac in self.macs:
            if mac.next_tick == tick:
                (sampling if mac.sampling else bordering).append(mac)
        may_start = False
        if bordering:
            self._effects()
            for mac in bordering:
                self._begin_bit(mac, tick)
                state = mac.state
                if state is _IDLE or state is _SUSPEND or (state is _RECOVERING and mac.count):
                    may_start = True
            if not may_start and stuck(self.macs) and not self.bus.line_is_recessive():
                self.asleep = True  # and armed: a request changes nothing
        if sampling:
            self._sample(sampling, tick)
        return may_start and not self._replaying

    def _sample(self, macs: list[Mac], tick: int) -> None:
        """Everybody in `macs` reads the level at this instant."""
        disturbances = self.bus.disturbances
        level = level_of(self.macs, disturbances)
        seen = [level] * len(macs)
        if disturbances:
            at = place_in_frame(self.macs, self.instant_ns(tick))
            for each in disturbances:
                level = each.on_wire(level, at)
            for index, mac in enumerate(macs):
                seen[index] = level
                name = mac.members[0].name
                for each in disturbances:
                    if each.singles_out(name):
                        seen[index] = each.at_node(name, seen[index], at)
        for mac, mine in zip(macs, seen, strict=True):
            mac.sample(mine)
        for mac in self.macs:
            if mac.sampling and mac.next_tick == tick:
                bit, sample_at = self._data if mac.fast else self._nominal
                mac.sampling = False
                mac.next_tick = tick + bit - sample_at
        if self.notes.detections:
            self.notes.bit_over()
        for mac in macs:
            if mac.bit == 0 and mac.state is MacState.FRAME:
                self._attempt.sof_ns = self.instant_ns(tick - self._nominal[1])
                if self._busy_from_ns is None:
                    self._busy_from_ns = self._attempt.sof_ns
                self._attempt.logged = False
                break

    # -- starting frames, falling asleep --------------------------------------------------------

    def _starts(self) -> None:
        """All requests of this instant are made: start frames, or hand over."""
        if not self._is_awaited():
            return
        bus = self.bus
        now_ns = bus.scheduler.now_ns
        if all(mac.state in _RESTING for mac in self.macs):
            self._rest()
            if not any(each.holds_line() for each in bus.disturbances):
                self._hand_over()
                return
        border = self._tick + self._nominal[1]
        senders = [
            controller
            for mac in self.macs
            if mac.state is MacState.IDLE and mac.sampling and mac.next_tick == border
            for controller in mac.members
            if bus.ready_to_send(controller, now_ns)
        ]
        if senders:
            self._begin(senders)
            bus.announce(senders)
        elif all(mac.state in _DOZES for mac in self.macs) and not bus.contenders:
            if level_of(self.macs, ()) == 1 and bus.line_is_recessive() and self._doze():
                return
        self._go_on()

    def _doze(self) -> bool:
        """Recessive and nobody wants anything: sleep until somebody does, or has recovered."""
        left = [
            mac.remaining * INTEGRATION_BITS - mac.count
            for mac in self.macs
            if mac.state is MacState.RECOVERING
        ]
        if left and min(left) < INTEGRATION_BITS:
            return False
        self.asleep = True
        self.bus.armed = False
        self._dozes_from_ns = self.bus.scheduler.now_ns
        if left:
            # The last bit is read awake.
            wake_ns = self.instant_ns(self._tick + (min(left) - 1) * self._nominal[0])
            self._awaited_ns = wake_ns
            self.bus.scheduler.post(wake_ns, _BUS, self._doze_over)
        return True

    def _doze_over(self) -> None:
        if self.asleep and self._is_awaited():
            self.bus.armed = True
            self.wake()

    def _catch_up(self) -> None:
        """Bits that passed in sleep, for those who count recessive ones."""
        if self._dozes_from_ns is None:
            return
        slept_ns = self.bus.scheduler.now_ns - self._dozes_from_ns
        self._dozes_from_ns = None
        bits = slept_ns * self._rate // (NS_PER_S * self._nominal[0])
        for mac in self.macs:
            if mac.state is MacState.RECOVERING:
                runs, mac.count = divmod(mac.count + bits, INTEGRATION_BITS)
                mac.remaining -= runs

    @property
    def busy_so_far_ns(self) -> int:
        """How long the bus has been busy bit by bit, where that is not over yet."""
        busy_from_ns = self._busy_from_ns
        return 0 if busy_from_ns is None else self.bus.scheduler.now_ns - busy_from_ns

    def _rest(self) -> None:
        """The bus is idle: its busy time is known."""
        self.bus.busy_ns += self.busy_so_far_ns
        self._busy_from_ns = None

    def _begin(self, senders: list[Controller]) -> None:
        """Start of frame: now is tick 0 of everybody who can synchronise to it."""
        bus = self.bus
        tick = self._tick
        if all(mac.state in _SYNCHRONISES for mac in self.macs):
            self._ref_ns, tick = bus.scheduler.now_ns, 0
            self._tick = 0
        for controller in senders:
            mac = machine_of(controller, self.macs)
            mac.begin(bus.as_sent(controller, controller.take()))
        for mac in self.macs:
            if mac.state in _SYNCHRONISES:
                self._begin_bit(mac, tick)

    def join(self, mac: Mac) -> None:
        """A node saw a SOF in the third bit of its intermission: it goes along with the ID."""
        bus = self.bus
        now_ns = bus.scheduler.now_ns
        for controller in list(mac.members):
            if bus.ready_to_send(controller, now_ns):
                own = machine_of(controller, self.macs)
                own.begin(bus.as_sent(controller, controller.take()), sof_seen=True)

    def node_changed(self, controller: Controller) -> None:
        """A node was switched or plugged while the wire is in charge."""
        self.remove(controller)
        controller.sending = None
        if controller.enabled and controller.bus is self.bus:
            controller.recovering = True
            self.begin_recovery(controller)
        elif self.asleep:
            self.wake()

    def remove(self, controller: Controller) -> None:
        """Take a node's machine off the wire: it drives nothing from now on."""
        taken_out(controller, self.macs)

    # -- what the machines report ---------------------------------------------------------------

    def lost_arbitration(self, mac: Mac) -> None:
        """A transmitter became a receiver."""
        for controller in mac.members:
            controller.arbitration_lost_count += 1
            controller.not_sent(lost=True)

    def part_by_state(self, mac: Mac) -> list[Mac]:
        """Split a group whose members answer an error differently; the new ones."""
        return parted_by_state(mac, self.macs)

    def attempt_failed(self, mac: Mac) -> None:
        """A transmitter gives up this attempt."""
        for controller in mac.members:
            if controller.sending is not None:
                self._attempt.given_up = (controller.name, controller.sending)
                self.notes.destroyed(controller.sending[3], controller.name)
                controller.not_sent(lost=False)

    def delimiter_over(self, mac: Mac) -> None:
        """An error or overload frame is complete for a node."""
        end_ns = self.instant_ns(self._tick + self._nominal[0] - self._nominal[1])
        self.notes.delimiter_over(end_ns, self._attempt.sof_ns)

    def acknowledged(self, mac: Mac) -> None:
        """Receivers read a good frame up to the ACK slot."""
        if not self._silent:
            for controller in mac.members:
                controller.received_well()

    def gone_bus_off(self, mac: Mac) -> None:
        """A transmitter's machine stops; it comes back when it recovers."""
        if mac in self.macs:
            self.macs.remove(mac)
            for controller in mac.members:
                if controller.recovering:
                    self.begin_recovery(controller)

    def begin_recovery(self, controller: Controller) -> None:
        """A bus-off node begins to count its 128 times 11 recessive bits."""
        self.wake()
        mac = Mac(self, [controller], MacState.RECOVERING)
        mac.remaining = self.bus.recoveries.taken(controller)[0]
        if self.macs:
            like = self.macs[0]
            mac.sampling, mac.next_tick = like.sampling, like.next_tick
        else:
            self._begin_bit(mac, self._tick)
        self.macs.append(mac)

    def left_out(self, mac: Mac) -> None:
        """A tolerant classic controller waits for 11 recessive bits."""
        mac.state = MacState.RECOVERING
        mac.count = 0
        mac.remaining = 1
        mac.output = 1

    def recovered(self, mac: Mac) -> None:
        """A node has seen the recessive bits it waited for."""
        for controller in mac.members:
            if controller.recovering:
                controller.recovered()

    # -- effects at the end of a bit ------------------------------------------------------------

    def _effects(self) -> None:
        """Frames that became valid, and transmitters that got through, in the bit now over."""
        valid, self.valid = self.valid, []
        done, self.done = self.done, []
        bus, attempt = self.bus, self._attempt
        if valid and not self._silent:
            deliver(bus, attempt, valid, self.instant_ns(self._tick + self._nominal[0]))
        for mac in done:
            for controller in mac.members:
                sent_through(bus, attempt, controller, self.instant_ns(self._tick))
