"""Modelled on the TPS65381A-Q1: question and answer in two windows, ENDRV, NRES.

Three answers belong into window 1, the last one into window 2; the sequence begins anew after the
fourth answer, or when window 2 is over. WD_FAIL_CNT counts +1/-1 in three bits: from 5 on ENDRV
(the enable line) is low; a bad event at 7 ("7+1") pulls NRES (the reset line), if WD_RST_EN is set.

Simplified: see `LEDGER`.
"""

from __future__ import annotations

from dataclasses import dataclass

from simcore.units import NS_PER_MS, NS_PER_US
from simcore.watchdog.device import FrozenSettings, Verdict, require_whole
from simcore.watchdog.device_lines import DeviceLines
from simcore.watchdog.device_states import DeviceInput, DeviceState
from simcore.watchdog.error_counter import ErrorCounter, ErrorCounterSettings
from simcore.watchdog.question_answer import Dialogue, DialogueSettings, DialogueState
from simcore.watchdog.service_dialogue import DialogueService

LEDGER = (
    "TPS65381: window 1 is (RT+1) and window 2 (RW+1) times 0.55 ms, as inferred from the "
    "family; WD_FAIL_CNT starts at 0; DIAGNOSTIC, ACTIVE and SAFE are one INIT and one NORMAL, "
    "device errors other than the watchdog's, ENABLE_DRV and BIST are absent; the order of "
    "questions is the simulator's own."
)
STEP_NS = 550 * NS_PER_US
FAIL_COUNT_MAX = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Tps65381Settings(FrozenSettings):
    """Configuration of one device; made by `tps65381`."""

    rt: int
    """WD_WIN1_CFG, 0..127."""
    rw: int
    """WD_WIN2_CFG, 0..31."""
    disable_at: int
    """WD_FAIL_CNT from which ENDRV is low."""
    resets_ecu: bool
    """WD_RST_EN."""
    init_ns: int
    """For the first sequence after power on and reset."""
    reset_ns: int

    def __post_init__(self) -> None:
        require_whole("tps65381, rt", self.rt, least=0, most=127)
        require_whole("tps65381, rw", self.rw, least=0, most=31)
        require_whole("tps65381, disable_at", self.disable_at, least=1, most=FAIL_COUNT_MAX)
        require_whole("tps65381, init_ns", self.init_ns, least=1)
        require_whole("tps65381, reset_ns", self.reset_ns, least=1)

    @property
    def window_1_ns(self) -> int:
        """Three answers are due here."""
        return (self.rt + 1) * STEP_NS

    @property
    def window_2_ns(self) -> int:
        """The last one is due here."""
        return (self.rw + 1) * STEP_NS

    def build(self) -> Tps65381:
        """The chip, without supply."""
        return Tps65381(self)

    def service(self) -> DialogueService:
        """The software that serves it."""
        return DialogueService(window_1_ns=self.window_1_ns, window_2_ns=self.window_2_ns)


class Tps65381(DeviceLines):
    """One device."""

    __slots__ = ("_dialogue", "_errors", "settings")

    def __init__(self, settings: Tps65381Settings) -> None:
        super().__init__(reset_ns=settings.reset_ns)
        self.settings = settings
        self._dialogue = Dialogue(
            DialogueSettings(
                first_ns=settings.init_ns,
                window_1_ns=settings.window_1_ns,
                window_2_ns=settings.window_2_ns,
            )
        )
        self._errors = ErrorCounter(
            ErrorCounterSettings(
                threshold=FAIL_COUNT_MAX + 1, bad=1, good=1, maximum=FAIL_COUNT_MAX
            )
        )

    @property
    def error_count(self) -> int:
        """WD_FAIL_CNT."""
        return self._errors.count

    def question(self, now_ns: int) -> int:
        """The expected answer (WD_ANSW_CNT) in bits 5..4, the question in bits 3..0."""
        if now_ns >= self.deadline_ns:
            self.on_timer(now_ns)
        dialogue = self._dialogue
        return dialogue.index << 4 | dialogue.question

    def takes(self, values: tuple[int, ...], now_ns: int) -> bool:
        """Whether these are all answers but the last one, in time; else nothing happens."""
        return now_ns < self.deadline_ns and self._dialogue.takes(values, now_ns)

    def answer(self, value: int, now_ns: int) -> None:
        """An answer byte."""
        if now_ns >= self.deadline_ns:
            self.on_timer(now_ns)
        verdict = self._dialogue.answer(value, now_ns)
        if verdict is None:
            return
        if verdict is Verdict.GOOD:
            self._errors.good()
            if self.state is DeviceState.INIT:
                self._happens(DeviceInput.SERVED, now_ns)
            if not self.enabled and self._errors.count < self.settings.disable_at:
                self._set_enabled(True, self._counter, now_ns)
        else:
            self._bad(verdict, now_ns)
        self._look()

    # -- inside --------------------------------------------------------------------------------

    @property
    def _counter(self) -> str:
        return f"counter {self._errors.count} of {FAIL_COUNT_MAX}"

    def _begin(self, now_ns: int) -> None:
        self._errors.clear()
        self._dialogue.start(now_ns)
        self._look()

    def _stop(self) -> None:
        self._dialogue.halt()

    def _expired(self, now_ns: int) -> None:
        first = self._dialogue.state is DialogueState.FIRST
        verdict = self._dialogue.expire()
        assert verdict is not None
        if first:
            self._note("detection", f"{verdict.value} in the first window", now_ns)
            self._reset(DeviceInput.INIT_EXPIRED, "first window over", now_ns)
        else:
            self._bad(verdict, now_ns)
        self._look()

    def _bad(self, verdict: Verdict, now_ns: int) -> None:
        before = self._errors.count
        tripped = self._errors.bad()
        if self._errors.count != before or self.settings.resets_ecu:
            self._note("detection", f"{verdict.value}, {self._counter}", now_ns)
        if tripped and self.settings.resets_ecu:
            self._reset(DeviceInput.THRESHOLD_REACHED, f"{self._counter} + 1", now_ns)
        elif self._errors.count >= self.settings.disable_at:
            self._set_enabled(False, self._counter, now_ns)

    def _look(self) -> None:
        """Work out the next deadline, unless a reset has set it."""
        if self.state is not DeviceState.RESET:
            before_ns = self.deadline_ns
            self.deadline_ns = self._dialogue.deadline_ns
            if self.deadline_ns < before_ns:
                self.changed = True


def tps65381(
    *,
    rt: int = 4,
    rw: int = 7,
    disable_at: int = 5,
    resets_ecu: bool = True,
    init_ns: int = 500 * NS_PER_MS,
    reset_ns: int = 10 * NS_PER_MS,
) -> Tps65381Settings:
    """A device modelled on the TPS65381; by default for software that is called every 5 ms.

    With these window 1 is 2.75 ms and window 2 4.4 ms; a dead ECU's enable line drops 35.75 ms
    after its last answer.
    """
    return Tps65381Settings(
        rt=rt,
        rw=rw,
        disable_at=disable_at,
        resets_ecu=resets_ecu,
        init_ns=init_ns,
        reset_ns=reset_ns,
    )
