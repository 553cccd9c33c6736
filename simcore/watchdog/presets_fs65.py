"""Modelled on the FS65, FS45 and MC33907 families: challenge in a half-open window, FS0B, RSTB.

Every period is closed in its first half and open in its second. A good refresh is the right answer
in the open half; it, or a bad one, begins a new period. An error counter that reaches its maximum
raises the global fault error counter, takes FS0B (the enable line) low and pulls RSTB (the reset
line). Six good refreshes in a row lower the fault error counter; at 0 software may release FS0B.

Simplified: see `LEDGER`.
"""

from __future__ import annotations

from dataclasses import dataclass

from simcore.errors import UsageError
from simcore.units import NS_PER_MS, format_ns
from simcore.watchdog.challenge import ANSWERS, FOLLOWING, SEED, release_code
from simcore.watchdog.device import FrozenSettings, Verdict, require_byte, require_whole
from simcore.watchdog.device_lines import DeviceLines
from simcore.watchdog.device_states import DeviceInput, DeviceState
from simcore.watchdog.error_counter import ErrorCounter, ErrorCounterSettings
from simcore.watchdog.service_challenge import ChallengeService

LEDGER = (
    "FS65: one FS0B, no FS1B; the +2/-1 steps of the error counter, the length of RSTB and that "
    "a bad refresh begins a new period are taken from the family, not checked against the part; "
    "the fault error counter starts at 0; debug mode, SPI and ABIST are absent."
)
PERIOD_MAX_MS = 1024
_NORMAL = DeviceState.NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Fs65Settings(FrozenSettings):
    """Configuration of one device; made by `fs65`."""

    period_ns: int = 8 * NS_PER_MS
    """Of the window: 1..1024 ms; closed in its first half."""
    errors: ErrorCounterSettings = ErrorCounterSettings(threshold=6)  # noqa: RUF009 (frozen)
    refreshes: int = 6
    """Good refreshes in a row that lower the fault error counter by one."""
    faults_max: int = 6
    """Fault error counter at which the device goes to deep fail-safe."""
    init_ns: int = 256 * NS_PER_MS
    """The open window of INIT_FS."""
    resets_ecu: bool = True
    """Whether a full error counter pulls RSTB, too."""
    reset_ns: int = 10 * NS_PER_MS

    def __post_init__(self) -> None:
        whole_ms, rest_ns = divmod(self.period_ns, NS_PER_MS)
        if rest_ns or not 1 <= whole_ms <= PERIOD_MAX_MS:
            raise UsageError(
                "fs65, period_ns",
                expected=f"whole milliseconds, 1..{PERIOD_MAX_MS}",
                got=format_ns(self.period_ns),
            )
        require_whole("fs65, refreshes", self.refreshes, least=1)
        require_whole("fs65, faults_max", self.faults_max, least=1)
        require_whole("fs65, init_ns", self.init_ns, least=1)
        require_whole("fs65, reset_ns", self.reset_ns, least=1)

    @property
    def closed_ns(self) -> int:
        """The closed half of a period."""
        return self.period_ns // 2

    def build(self) -> Fs65:
        """The chip, without supply."""
        return Fs65(self)

    def service(self) -> ChallengeService:
        """The software that serves it."""
        return ChallengeService(closed_ns=self.closed_ns, open_ns=self.period_ns - self.closed_ns)


class Fs65(DeviceLines):
    """One device."""

    __slots__ = (
        "_closed_ns",
        "_errors",
        "_lfsr",
        "_opens_ns",
        "_period_ns",
        "_refreshes",
        "fault_count",
        "settings",
    )

    def __init__(self, settings: Fs65Settings) -> None:
        super().__init__(reset_ns=settings.reset_ns)
        self.settings = settings
        self._errors = ErrorCounter(settings.errors)
        self._period_ns = settings.period_ns
        self._closed_ns = settings.closed_ns
        self._lfsr = SEED
        self._opens_ns = 0
        self._refreshes = 0
        self.fault_count = 0
        """The global fault error counter."""

    @property
    def error_count(self) -> int:
        """The watchdog error counter."""
        return self._errors.count

    def power_on(self, now_ns: int) -> None:
        """Supply comes: everything anew."""
        self.fault_count = 0
        self._lfsr = SEED
        super().power_on(now_ns)

    def question(self, now_ns: int) -> int:
        """The LFSR."""
        return self._lfsr

    def answer(self, value: int, now_ns: int) -> None:
        """A refresh with the answer to the present LFSR."""
        if now_ns >= self.deadline_ns:
            self.on_timer(now_ns)
        lfsr = self._lfsr
        if self.state is _NORMAL and now_ns >= self._opens_ns and value == ANSWERS[lfsr]:
            self._lfsr = FOLLOWING[lfsr]
            self._opens_ns = now_ns + self._closed_ns
            self.deadline_ns = now_ns + self._period_ns
            if self._errors.count:
                self._errors.good()
            if self.fault_count:
                self._refreshed()
            return
        self._judge(require_byte("answer to the watchdog", value), now_ns)

    def _judge(self, value: int, now_ns: int) -> None:
        """What is no ordinary good refresh."""
        right = value == ANSWERS[self._lfsr]
        if self.state is DeviceState.INIT:
            if right:
                self._lfsr = FOLLOWING[self._lfsr]
                self._happens(DeviceInput.SERVED, now_ns)
                self._new_period(now_ns)
                if self.fault_count:
                    self._refreshed()
            else:
                self._bad(Verdict.ANSWER_WRONG, now_ns)
        elif self.state is _NORMAL:
            self._new_period(now_ns)
            self._bad(Verdict.ANSWER_EARLY if right else Verdict.ANSWER_WRONG, now_ns)

    def release(self, code: int, now_ns: int) -> None:
        """Let FS0B go high; not before the fault error counter is 0 again."""
        if now_ns >= self.deadline_ns:
            self.on_timer(now_ns)
        if self.state is not _NORMAL or self.enabled or self._demanded or self.fault_count:
            return
        if code == release_code(self._lfsr):
            self._set_enabled(True, "released", now_ns)
        else:
            self._note("detection", "release code wrong", now_ns)

    # -- inside --------------------------------------------------------------------------------

    def _begin(self, now_ns: int) -> None:
        self._errors.clear()
        self._refreshes = 0
        self._opens_ns = now_ns
        self.deadline_ns = now_ns + self.settings.init_ns
        self.changed = True

    def _stop(self) -> None:
        """The timer of the reset pulse is all that runs."""

    def _new_period(self, now_ns: int) -> None:
        self._opens_ns = now_ns + self._closed_ns
        self.deadline_ns = now_ns + self._period_ns
        self.changed = True  # it may be nearer than before

    def _expired(self, now_ns: int) -> None:
        if self.state is DeviceState.INIT:
            self._note("detection", "answer missing in the first window", now_ns)
            self._fault(DeviceInput.INIT_EXPIRED, "first window over", now_ns)
        else:
            self._new_period(now_ns)
            self._bad(Verdict.ANSWER_MISSING, now_ns)

    def _refreshed(self) -> None:
        self._refreshes += 1
        if self._refreshes == self.settings.refreshes:
            self._refreshes = 0
            self.fault_count -= 1

    def _bad(self, verdict: Verdict, now_ns: int) -> None:
        self._refreshes = 0
        errors = self._errors
        tripped = errors.bad()
        text = f"counter {errors.count} of {errors.settings.threshold}"
        self._note("detection", f"{verdict.value}, {text}", now_ns)
        if tripped:
            self._fault(DeviceInput.THRESHOLD_REACHED, text, now_ns)

    def _fault(self, happened: DeviceInput, why: str, now_ns: int) -> None:
        """The error counter is full, or nobody closed INIT_FS."""
        self.fault_count = min(self.fault_count + 1, self.settings.faults_max)
        deep = self.fault_count == self.settings.faults_max
        if deep or self.settings.resets_ecu or happened is DeviceInput.INIT_EXPIRED:
            self._reset(happened, why, now_ns, for_good=deep)
            return
        self._errors.clear()
        self._set_enabled(False, why, now_ns)


def fs65(
    *,
    period_ns: int = 8 * NS_PER_MS,
    errors_max: int = 6,
    refreshes: int = 6,
    faults_max: int = 6,
    init_ns: int = 256 * NS_PER_MS,
    resets_ecu: bool = True,
    reset_ns: int = 10 * NS_PER_MS,
) -> Fs65Settings:
    """A device modelled on the FS65; by default for software that answers every 5 ms.

    With these a dead ECU's enable line drops 24 ms after its last answer.
    """
    return Fs65Settings(
        period_ns=period_ns,
        errors=ErrorCounterSettings(threshold=errors_max),
        refreshes=refreshes,
        faults_max=faults_max,
        init_ns=init_ns,
        resets_ecu=resets_ecu,
        reset_ns=reset_ns,
    )
