"""The interaction layer: when a message is sent. Sans-IO, one `SendMachine` per message.

The rules come from `interaction_rules`. Sources, by tag: [IL] Vector Interaction Layer, technical
reference 2.10, 3.7, and the attribute descriptions that go with it; [COM] AUTOSAR SWS COM,
transmission modes PERIODIC, DIRECT and MIXED; [I] interpretation, where neither says.

- Cyclic: at start + `GenMsgStartDelayTime` + k * `GenMsgCycleTime` [IL]. The grid never moves: no
  event frame shifts it, and a frame that the gap delays is not caught up on the next one [COM:
  MIXED, the period is not affected by triggered frames]. The start delay concerns the cyclic part
  alone; events are sent from the start on [IL].
- OnWrite, OnChange: one frame at once [IL]. OnChange compares raw values [IL].
- WithRepetition: `GenMsgNrOfRepetition` further frames, `GenMsgCycleTimeFast` apart, counted from
  when the first one goes out [IL]. A new event that repeats drops what is left and begins anew
  [COM]; one that does not repeat leaves the rest running [I]. A cyclic frame in between does not
  count as a repetition [I; AUTOSAR COM may count it], one at the same instant does [I].
- IfActive: from the write that makes a first signal differ from its `GenSigInactiveValue`, a frame
  at once and then every `GenMsgCycleTimeFast`, while any signal is active [IL]. Meanwhile the fast
  period stands in for the cycle; the cyclic grid goes on afterwards where it would have been [I].
  When the last one becomes inactive, one frame says so at once [I, as a mode switch in COM], and
  WithRepetition repeats that one [I].
- FastOnStart: for `GenMsgFastOnStart` from the first cyclic frame on, `GenMsgCycleTimeFast` stands
  in for the cycle; needs both cycle times [IL].
- GenMsgDelayTime: least time between any two frames of the message, cyclic ones too [IL; COM with
  ComEnableMDTForCyclicTransmission]. What is due before waits, and all that waits goes out as one
  frame with the values of that moment [COM: the minimum delay timer]; a repetition keeps the gap to
  the frame before it, so its number is kept. It runs from request to request: how long a frame then
  waits for the bus is not seen here.

Not here: the bytes (`payload`), protection, and the bus.
"""

from __future__ import annotations

from simcore.errors import UsageError
from simcore.network.interaction_rules import SendRules
from simcore.network.messages import Number

_NEVER_NS = 1 << 62


class SendMachine:
    """Says when the next frame of one message goes out. All times in ns.

    `write` after the fact of a new value, then `on_timer` whenever `next_deadline_ns` has come; a
    write may make it come at once. `on_timer` returns how many frames to send now, 0 or 1.
    """

    __slots__ = (
        "_base_ns",
        "_begins_burst",
        "_deadline_ns",
        "_fast_end_ns",
        "_fast_ns",
        "_free_ns",
        "_is_active",
        "_is_due",
        "_is_repetition_due",
        "_left",
        "_raws",
        "_repeat_ns",
        "is_started",
        "rules",
    )

    def __init__(self, rules: SendRules) -> None:
        self.rules = rules
        self.is_started = False
        signals = {signal.name: signal for signal in rules.message.signals}
        self._raws: dict[str, Number] = {
            name: signals[name].start_raw for name in signals if name in rules.events
        }
        self._reset()

    def _reset(self) -> None:
        self._base_ns = _NEVER_NS
        """Next point of the cyclic grid."""
        self._fast_ns = _NEVER_NS
        """Next frame at the fast period."""
        self._fast_end_ns = -1
        """End of the fast start."""
        self._repeat_ns = _NEVER_NS
        self._left = 0
        """Repetitions still to come."""
        self._free_ns = -1
        """End of the gap after the last frame."""
        self._is_due = False
        self._is_repetition_due = False
        self._begins_burst = False
        self._is_active = False
        self._deadline_ns = _NEVER_NS

    def start(self, now_ns: int) -> None:
        """Begin, or begin anew: the values written so far stay, everything else is forgotten."""
        self._reset()
        self.is_started = True
        rules = self.rules
        first_ns = now_ns + rules.start_delay_ns
        if rules.cycle_ns:
            self._base_ns = first_ns
            if rules.fast_start_ns:
                self._fast_ns = first_ns
                self._fast_end_ns = first_ns + rules.fast_start_ns
        self._is_active = self._judge_activity()
        if self._is_active:
            self._fast_ns = first_ns
        self._arm(now_ns)

    def stop(self) -> None:
        """Send nothing more until the next `start`; what waited is forgotten."""
        self._reset()
        self.is_started = False

    def write(self, signal: str, raw: Number, now_ns: int) -> None:
        """An application wrote `raw` to `signal`. Before `start` it is only remembered."""
        before = self._raws.get(signal)
        if before is None:
            return
        self._raws[signal] = raw
        if not self.is_started:
            return
        rules = self.rules
        if signal in rules.on_write or (signal in rules.on_change and raw != before):
            self._request(signal in rules.repeated)
        if signal in rules.inactive:
            self._follow_activity(signal, now_ns)
        self._arm(now_ns)

    def preset(self, signal: str, raw: Number) -> None:
        """Change a value without an event; activity follows at the next `write` or `start`."""
        if signal in self._raws:
            self._raws[signal] = raw

    def request(self, now_ns: int) -> None:
        """Send one frame as soon as the gap allows, whatever the send type says."""
        if not self.is_started:
            raise UsageError(
                f"message {self.rules.message.label}: request",
                expected="a started interaction layer",
            )
        self._is_due = True
        self._arm(now_ns)

    def on_timer(self, now_ns: int) -> int:
        """The number of frames to send now."""
        if now_ns < self._deadline_ns:
            return 0
        rules = self.rules
        is_due = self._is_due
        if self._base_ns <= now_ns:
            self._base_ns += rules.cycle_ns * ((now_ns - self._base_ns) // rules.cycle_ns + 1)
            if not self._is_active and now_ns >= self._fast_end_ns:
                is_due = True
        if self._fast_ns <= now_ns:
            is_due = True
            self._fast_ns += rules.fast_ns * ((now_ns - self._fast_ns) // rules.fast_ns + 1)
            if not self._is_active and self._fast_ns >= self._fast_end_ns:
                self._fast_ns = _NEVER_NS
        if self._repeat_ns <= now_ns:
            is_due = self._is_repetition_due = True
            self._repeat_ns = _NEVER_NS
        self._is_due = is_due
        sends = is_due and now_ns >= self._free_ns
        if sends:
            self._sent(now_ns)
        self._arm(now_ns)
        return 1 if sends else 0

    def next_deadline_ns(self) -> int | None:
        """When to call `on_timer` next; `None` for never."""
        return None if self._deadline_ns == _NEVER_NS else self._deadline_ns

    @property
    def is_active(self) -> bool:
        """Whether a signal that counts has another than its inactive value."""
        return self._is_active

    def _request(self, repeats: bool) -> None:
        self._is_due = True
        if repeats:
            self._begins_burst = True
            self._is_repetition_due = False
            self._left = 0
            self._repeat_ns = _NEVER_NS

    def _follow_activity(self, signal: str, now_ns: int) -> None:
        was_active, self._is_active = self._is_active, self._judge_activity()
        if self._is_active and not was_active:
            self._fast_ns = now_ns
        elif was_active and not self._is_active:
            self._fast_ns = _NEVER_NS
            if now_ns < self._fast_end_ns:  # the fast start goes on
                self._fast_ns = now_ns + self.rules.fast_ns
            self._request(signal in self.rules.repeated)

    def _judge_activity(self) -> bool:
        raws = self._raws
        return any(raws[name] != raw for name, raw in self.rules.inactive.items())

    def _sent(self, now_ns: int) -> None:
        rules = self.rules
        self._is_due = False
        self._free_ns = now_ns + rules.gap_ns
        if self._begins_burst:
            self._begins_burst = False
            self._left = rules.repetitions
        elif self._is_repetition_due:
            self._left -= 1
        else:
            return
        self._is_repetition_due = False
        self._repeat_ns = now_ns + rules.spacing_ns if self._left else _NEVER_NS

    def _arm(self, now_ns: int) -> None:
        """The earliest of what comes next; what is due waits for the end of the gap."""
        deadline_ns = max(self._free_ns, now_ns) if self._is_due else _NEVER_NS
        for time_ns in (self._base_ns, self._fast_ns, self._repeat_ns):
            if time_ns < deadline_ns:
                deadline_ns = time_ns
        self._deadline_ns = deadline_ns
