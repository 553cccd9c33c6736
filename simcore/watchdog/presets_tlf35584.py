"""Modelled on the TLF35584 (and TLF30681): window and functional watchdog, ROT, SS1.

Two watchdogs with an error counter each, +2/-1. Both must be served well once after power on or
reset (INIT -> NORMAL, SS1, the enable line, high). A counter at its threshold takes SS1 low and
pulls ROT (the reset line): INIT again; after `resets_max` of those FAILSAFE.

Simplified: see `LEDGER`.
"""

from __future__ import annotations

from dataclasses import dataclass

from simcore.errors import UsageError
from simcore.units import NS_PER_MS, NS_PER_US, format_ns
from simcore.watchdog.device import FrozenSettings, Verdict, require_whole
from simcore.watchdog.device_lines import DeviceLines
from simcore.watchdog.device_states import DeviceInput, DeviceState
from simcore.watchdog.error_counter import ErrorCounter, ErrorCounterSettings
from simcore.watchdog.question_answer import Dialogue, DialogueSettings, DialogueState
from simcore.watchdog.service_triggered import TriggeredService
from simcore.watchdog.window import WindowSettings, WindowState, WindowWatchdog

LEDGER = (
    "TLF35584: SS1 only, without the delayed SS2; WAKE, SLEEP and STANDBY, the ERR pin, voltage "
    "monitoring, the protected registers and the inverted copy of DEVCTRL are absent; the order "
    "of questions is the simulator's own, and how many resets lead to FAILSAFE is a parameter."
)
WINDOW_STEP = 50
"""Windows and heartbeat are multiples of this many watchdog cycles."""
_CYCLES_NS = (100 * NS_PER_US, NS_PER_MS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tlf35584Settings(FrozenSettings):
    """Configuration of one device; made by `tlf35584`."""

    cycle_ns: int
    """WDCYC: 0.1 or 1 ms."""
    closed_ns: int
    open_ns: int
    heartbeat_ns: int
    window_errors: ErrorCounterSettings
    functional_errors: ErrorCounterSettings
    init_ns: int
    """The long open window after power on and reset, for both watchdogs."""
    reset_ns: int
    resets_max: int

    def __post_init__(self) -> None:
        if self.cycle_ns not in _CYCLES_NS:
            raise UsageError(
                "tlf35584, cycle_ns", expected="0.1 ms or 1 ms", got=format_ns(self.cycle_ns)
            )
        step_ns = WINDOW_STEP * self.cycle_ns
        for name in ("closed_ns", "open_ns", "heartbeat_ns"):
            value = getattr(self, name)
            require_whole(f"tlf35584, {name}", value, least=1)
            if value % step_ns:
                raise UsageError(
                    f"tlf35584, {name}",
                    expected=f"a multiple of {WINDOW_STEP} cycles, {format_ns(step_ns)}",
                    got=format_ns(value),
                )
        require_whole("tlf35584, init_ns", self.init_ns, least=1)
        require_whole("tlf35584, reset_ns", self.reset_ns, least=1)
        require_whole("tlf35584, resets_max", self.resets_max, least=0)

    def build(self) -> Tlf35584:
        """The chip, without supply."""
        return Tlf35584(self)

    def service(self) -> TriggeredService:
        """The software that serves it."""
        return TriggeredService(
            closed_ns=self.closed_ns, open_ns=self.open_ns, heartbeat_ns=self.heartbeat_ns
        )


class Tlf35584(DeviceLines):
    """One device."""

    __slots__ = (
        "_dialogue",
        "_dialogue_served",
        "_functional_errors",
        "_window",
        "_window_errors",
        "_window_served",
        "settings",
    )

    def __init__(self, settings: Tlf35584Settings) -> None:
        super().__init__(reset_ns=settings.reset_ns)
        self.settings = settings
        self._window = WindowWatchdog(
            WindowSettings(
                closed_ns=settings.closed_ns, open_ns=settings.open_ns, first_ns=settings.init_ns
            )
        )
        self._dialogue = Dialogue(
            DialogueSettings(
                first_ns=settings.init_ns, window_1_ns=0, window_2_ns=settings.heartbeat_ns
            )
        )
        self._window_errors = ErrorCounter(settings.window_errors)
        self._functional_errors = ErrorCounter(settings.functional_errors)
        self._window_served = self._dialogue_served = False

    @property
    def error_count(self) -> int:
        """The higher one of both counters."""
        return max(self._window_errors.count, self._functional_errors.count)

    @property
    def error_counts(self) -> tuple[int, int]:
        """Of the window and of the functional watchdog."""
        return self._window_errors.count, self._functional_errors.count

    def question(self, now_ns: int) -> int:
        """The expected answer in bits 5..4, the question in bits 3..0."""
        if now_ns >= self.deadline_ns:
            self.on_timer(now_ns)
        dialogue = self._dialogue
        return dialogue.index << 4 | dialogue.question

    def trigger(self, now_ns: int) -> None:
        """A trigger of the window watchdog."""
        if now_ns >= self.deadline_ns:
            self.on_timer(now_ns)
        verdict = self._window.trigger(now_ns)
        if verdict is Verdict.GOOD:
            self._window_errors.good()
            self._window_served = True
            if self.state is DeviceState.INIT:
                self._served(now_ns)
        elif verdict is not None:
            self._window_bad(verdict, now_ns)
        self._look(now_ns)

    def takes(self, values: tuple[int, ...], now_ns: int) -> bool:
        """Whether these are all answers but the last one, in time; else nothing happens."""
        return now_ns < self.deadline_ns and self._dialogue.takes(values, now_ns)

    def answer(self, value: int, now_ns: int) -> None:
        """An answer byte: RESP3 to RESP1 to FWDRSP, RESP0 to FWDRSPSYNC."""
        if now_ns >= self.deadline_ns:
            self.on_timer(now_ns)
        verdict = self._dialogue.answer(value, now_ns)
        if verdict is None:
            return
        if verdict is Verdict.GOOD:
            self._functional_errors.good()
            self._dialogue_served = True
            if self.state is DeviceState.INIT:
                self._served(now_ns)
        else:
            self._functional_bad(verdict, now_ns)
        self._look(now_ns)

    # -- inside --------------------------------------------------------------------------------

    def _begin(self, now_ns: int) -> None:
        self._window_errors.clear()
        self._functional_errors.clear()
        self._window_served = self._dialogue_served = False
        self._window.start(now_ns)
        self._dialogue.start(now_ns)
        self._look(now_ns)

    def _stop(self) -> None:
        self._window.halt()
        self._dialogue.halt()

    def _served(self, now_ns: int) -> None:
        if self._window_served and self._dialogue_served:
            self._happens(DeviceInput.SERVED, now_ns)
            self._set_enabled(True, "served", now_ns)

    def _expired(self, now_ns: int) -> None:
        window, dialogue = self._window, self._dialogue
        if window.deadline_ns <= now_ns:
            first = window.state is WindowState.FIRST
            verdict = window.expire()
            judge = self._window_bad
        else:
            first = dialogue.state is DialogueState.FIRST
            verdict = dialogue.expire()
            judge = self._functional_bad
        assert verdict is not None
        if first:
            self._init_over(verdict, now_ns)
        else:
            judge(verdict, now_ns)
        self._look(now_ns)

    def _init_over(self, verdict: Verdict, now_ns: int) -> None:
        self._note("detection", f"{verdict.value} in the first window", now_ns)
        self._restart(DeviceInput.INIT_EXPIRED, "first window over", now_ns)

    def _window_bad(self, verdict: Verdict, now_ns: int) -> None:
        self._bad(self._window_errors, "window", verdict, now_ns)

    def _functional_bad(self, verdict: Verdict, now_ns: int) -> None:
        self._bad(self._functional_errors, "functional", verdict, now_ns)

    def _bad(self, errors: ErrorCounter, which: str, verdict: Verdict, now_ns: int) -> None:
        tripped = errors.bad()
        text = f"{which} counter {errors.count} of {errors.settings.threshold}"
        self._note("detection", f"{verdict.value}, {text}", now_ns)
        if tripped:
            self._restart(DeviceInput.THRESHOLD_REACHED, text, now_ns)

    def _restart(self, happened: DeviceInput, why: str, now_ns: int) -> None:
        self._reset(happened, why, now_ns, for_good=self.reset_count >= self.settings.resets_max)

    def _look(self, now_ns: int) -> None:
        """Work out the next deadline, unless a reset has set it."""
        if self.state is DeviceState.RESET or self.state is DeviceState.FAILSAFE:
            return
        before_ns = self.deadline_ns
        self.deadline_ns = after_ns = min(self._window.deadline_ns, self._dialogue.deadline_ns)
        if after_ns < before_ns:
            self.changed = True


def tlf35584(
    *,
    cycle_ns: int = 100 * NS_PER_US,
    closed_ns: int = 5 * NS_PER_MS,
    open_ns: int = 10 * NS_PER_MS,
    heartbeat_ns: int = 20 * NS_PER_MS,
    window_threshold: int = 9,
    functional_threshold: int = 9,
    init_ns: int = 600 * NS_PER_MS,
    reset_ns: int = 10 * NS_PER_MS,
    resets_max: int = 3,
) -> Tlf35584Settings:
    """A device modelled on the TLF35584; by default for software that is called every 5 ms.

    The part's own defaults are 350 ms closed and 600 ms open with a cycle of 1 ms.
    """
    return Tlf35584Settings(
        cycle_ns=cycle_ns,
        closed_ns=closed_ns,
        open_ns=open_ns,
        heartbeat_ns=heartbeat_ns,
        window_errors=ErrorCounterSettings(threshold=window_threshold),
        functional_errors=ErrorCounterSettings(threshold=functional_threshold),
        init_ns=init_ns,
        reset_ns=reset_ns,
        resets_max=resets_max,
    )
