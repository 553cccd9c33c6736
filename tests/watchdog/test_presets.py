"""The chips: windows to the nanosecond, counters of the data sheets, lines, wrong settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.errors import UsageError
from simcore.units import ms, us
from simcore.watchdog import presets
from simcore.watchdog.challenge import ANSWERS, release_code
from simcore.watchdog.device import NEVER_NS, SafetyDevice
from simcore.watchdog.device_states import DeviceState
from simcore.watchdog.presets import Fs65, Tlf35584, Tps65381, fs65, tlf35584, tps65381
from simcore.watchdog.question_answer import RESPONSES


def texts(device: SafetyDevice, kind: str) -> list[str]:
    """Events of one kind since the last look, without their common beginning."""
    return [
        event.text.removeprefix("watchdog: ")
        for event in device.take_events()
        if event.kind == kind
    ]


def pass_time(device: SafetyDevice, until_ns: int) -> None:
    deadline_ns = device.next_deadline_ns()
    while deadline_ns is not None and deadline_ns <= until_ns:
        device.on_timer(deadline_ns)
        deadline_ns = device.next_deadline_ns()


def dialogue(device: SafetyDevice, now_ns: int, *, wrong: int = 0, count: int = 4) -> None:
    """Answer the present question, from the expected answer on."""
    for _ in range(count):
        register = device.question(now_ns)
        device.answer(RESPONSES[register & 0xF][register >> 4] ^ wrong, now_ns)


# -- modelled on the TLF35584 --------------------------------------------------------------------


def tlf(**options: Any) -> Tlf35584:
    """In NORMAL since 0, both watchdogs served at 0."""
    device = tlf35584(**options).build()
    device.power_on(0)
    device.trigger(0)
    dialogue(device, 0)
    assert device.state is DeviceState.NORMAL
    device.take_events()
    return device


def test_tlf_needs_both_watchdogs_served_to_become_normal() -> None:
    device = tlf35584().build()
    device.power_on(0)
    device.trigger(ms(1))
    assert (device.state, device.enabled) == (DeviceState.INIT, False)
    dialogue(device, ms(2))
    assert (device.state, device.enabled) == (DeviceState.NORMAL, True)


@pytest.mark.parametrize("which", ["window", "functional"])
def test_tlf_is_not_normal_with_one_watchdog_only(which: str) -> None:
    device = tlf35584(init_ns=ms(100)).build()
    device.power_on(0)
    for now_ns in range(0, ms(100), ms(10)):
        if which == "window":
            device.trigger(now_ns)
        else:
            dialogue(device, now_ns)
    assert (device.state, device.enabled) == (DeviceState.INIT, False)
    device.on_timer(ms(100))
    assert (device.state, device.take_reset()) == (DeviceState.RESET, ms(10))
    missing = "answer" if which == "window" else "trigger"
    assert texts(device, "detection") == [f"{missing} missing in the first window"]


@pytest.mark.parametrize(
    ("at_ns", "count", "detections"),
    [
        (ms(5) - 1, 2, ["trigger in the closed window, window counter 2 of 9"]),
        (ms(5), 0, []),
        (ms(15) - 1, 0, []),
        (ms(15), 1, ["trigger missing, window counter 2 of 9"]),  # and then good, in the new one
    ],
)
def test_tlf_windows_have_exact_borders(at_ns: int, count: int, detections: list[str]) -> None:
    device = tlf()
    device.trigger(at_ns)
    assert device.error_counts == (count, 0)
    assert texts(device, "detection") == detections


@pytest.mark.parametrize(("threshold", "bad_count"), [(9, 5), (14, 7), (7, 4)])
def test_tlf_missed_windows_trip_after_closed_plus_open_windows(
    threshold: int, bad_count: int
) -> None:
    device = tlf(window_threshold=threshold, heartbeat_ns=ms(1000))
    end_ns = ms(5) + bad_count * ms(10)
    pass_time(device, end_ns - 1)
    assert (device.enabled, device.take_reset()) == (True, None)
    assert len(texts(device, "detection")) == bad_count - 1
    pass_time(device, end_ns)
    assert (device.enabled, device.take_reset()) == (False, ms(10))


@pytest.mark.parametrize(("threshold", "bad_count"), [(9, 5), (14, 7)])
def test_tlf_wrong_answers_trip_the_functional_counter_only(threshold: int, bad_count: int) -> None:
    device = tlf(functional_threshold=threshold)
    for number in range(1, bad_count + 1):
        assert device.enabled
        device.trigger(ms(10) * number)
        dialogue(device, ms(10) * number, wrong=1)
        if number < bad_count:
            assert device.error_counts == (0, 2 * number)
            assert device.error_count == 2 * number
            expected = f"answer wrong, functional counter {2 * number} of {threshold}"
            assert texts(device, "detection") == [expected]
    assert (device.enabled, device.take_reset()) == (False, ms(10))
    assert texts(device, "reaction") == [
        f"enable line low (functional counter {threshold} of {threshold})",
        f"reset for 10 ms (functional counter {threshold} of {threshold})",
    ]


def test_tlf_alternating_answers_trip_at_the_fifteenth_event() -> None:
    device = tlf()
    for number in range(1, 16):
        assert device.enabled
        device.trigger(ms(10) * number)
        dialogue(device, ms(10) * number, wrong=number % 2)
    assert not device.enabled


def test_tlf_one_wrong_answer_in_three_never_trips() -> None:
    device = tlf()
    for number in range(1, 3000):
        device.trigger(ms(10) * number)
        dialogue(device, ms(10) * number, wrong=number % 3 == 0)
        assert device.error_counts[1] <= 2
    assert device.enabled


def test_tlf_triggers_that_alternate_between_too_early_and_good_trip_at_the_fifteenth() -> None:
    device = tlf(heartbeat_ns=ms(1000))
    found = []
    for number in range(1, 16):
        assert device.enabled
        # Right after a good one it is too early; that opens a window, in which any is good.
        device.trigger(number)
        found += texts(device, "detection")
    assert not device.enabled
    assert len(found) == 8
    assert {text.partition(",")[0] for text in found} == {"trigger in the closed window"}


def test_tlf_goes_to_failsafe_after_too_many_resets() -> None:
    device = tlf(resets_max=2, init_ns=ms(50))
    resets = []
    for _ in range(100):
        deadline_ns = device.next_deadline_ns()
        if deadline_ns is None:
            break
        device.on_timer(deadline_ns)
        pulse_ns = device.take_reset()
        if pulse_ns is not None:
            resets.append(pulse_ns)
    assert resets == [ms(10), ms(10), NEVER_NS]
    assert (device.state, device.enabled) == (DeviceState.FAILSAFE, False)
    assert texts(device, "reaction")[-1] == "reset for good, after 2 resets"
    device.trigger(ms(5000))
    dialogue(device, ms(5000))
    assert (device.state, device.take_events()) == (DeviceState.FAILSAFE, ())


# -- modelled on the TPS65381 --------------------------------------------------------------------

STEP_NS = us(550)


def tps(**options: Any) -> Tps65381:
    """In NORMAL since 0; window 1 is 2.75 ms, window 2 is 4.4 ms."""
    device = tps65381(**options).build()
    device.power_on(0)
    dialogue(device, 0)
    assert device.enabled
    device.take_events()
    return device


def test_tps_windows_follow_their_registers() -> None:
    settings = tps65381(rt=4, rw=7)
    assert (settings.window_1_ns, settings.window_2_ns) == (5 * STEP_NS, 8 * STEP_NS)
    assert tps().next_deadline_ns() == 13 * STEP_NS


@pytest.mark.parametrize(
    ("three_ns", "last_ns", "found"),
    [
        (0, 5 * STEP_NS, []),
        (5 * STEP_NS - 1, 13 * STEP_NS - 1, []),
        (5 * STEP_NS, 6 * STEP_NS, ["answer too late, counter 1 of 7"]),
        (0, 5 * STEP_NS - 1, ["answer too early, counter 1 of 7"]),
        (0, 13 * STEP_NS, ["answer missing, counter 1 of 7"]),  # an answer to the next one
    ],
)
def test_tps_windows_have_exact_borders(three_ns: int, last_ns: int, found: list[str]) -> None:
    device = tps()
    dialogue(device, three_ns, count=3)
    dialogue(device, last_ns, count=1)
    assert device.error_count == len(found)
    assert texts(device, "detection") == found


def test_tps_endrv_is_low_at_the_fifth_and_nres_at_the_eighth_bad_event() -> None:
    device = tps()
    reset_at = []
    for number in range(1, 9):
        assert device.enabled is (number <= 5)
        device.on_timer(device.next_deadline_ns() or 0)
        assert device.error_count == min(number, 7)
        if device.take_reset() is not None:
            reset_at.append(number)
    assert reset_at == [8]
    assert texts(device, "reaction") == [
        "enable line low (counter 5 of 7)",
        "reset for 10 ms (counter 7 of 7 + 1)",
    ]


def test_tps_endrv_is_high_again_below_five() -> None:
    device = tps()
    now_ns = 0
    for _ in range(6):
        now_ns = device.next_deadline_ns() or 0
        device.on_timer(now_ns)
    assert (device.error_count, device.enabled) == (6, False)
    for count, enabled in ((5, False), (4, True), (3, True)):
        dialogue(device, now_ns, count=3)
        now_ns += 5 * STEP_NS
        dialogue(device, now_ns, count=1)
        assert (device.error_count, device.enabled) == (count, enabled)
    assert texts(device, "reaction") == [
        "enable line low (counter 5 of 7)",
        "enable line high (counter 4 of 7)",
    ]


def test_tps_without_reset_enable_stays_at_seven_and_says_so_once() -> None:
    device = tps(resets_ecu=False)
    for _ in range(30):
        device.on_timer(device.next_deadline_ns() or 0)
    assert (device.error_count, device.enabled, device.take_reset()) == (7, False, None)
    assert len(texts(device, "detection")) == 7


def test_tps_a_bad_event_keeps_the_question_and_a_good_one_changes_it() -> None:
    device = tps()
    question = device.question(0) & 0xF
    dialogue(device, 0, count=3)
    dialogue(device, 5 * STEP_NS, count=1, wrong=0x80)
    assert device.question(5 * STEP_NS) & 0xF == question
    dialogue(device, 5 * STEP_NS, count=3)
    dialogue(device, 10 * STEP_NS, count=1)
    assert device.question(10 * STEP_NS) & 0xF != question


# -- modelled on the FS65 ------------------------------------------------------------------------


def fs(**options: Any) -> Fs65:
    """In NORMAL since 0, released."""
    device = fs65(**options).build()
    device.power_on(0)
    refresh(device, 0)
    release(device, 0)
    assert device.enabled
    device.take_events()
    return device


def refresh(device: Fs65, now_ns: int) -> None:
    device.answer(ANSWERS[device.question(now_ns)], now_ns)


def release(device: Fs65, now_ns: int) -> None:
    device.release(release_code(device.question(now_ns)), now_ns)


@pytest.mark.parametrize(
    ("at_ns", "found"),
    [
        (ms(4) - 1, ["answer too early, counter 2 of 6"]),
        (ms(4), []),
        (ms(8) - 1, []),
        (ms(8), ["answer missing, counter 2 of 6", "answer too early, counter 4 of 6"]),
    ],
)
def test_fs_windows_have_exact_borders(at_ns: int, found: list[str]) -> None:
    device = fs()
    refresh(device, at_ns)
    assert texts(device, "detection") == found
    assert device.next_deadline_ns() == at_ns + ms(8)


def test_fs_a_wrong_answer_is_bad_in_both_halves_and_keeps_the_challenge() -> None:
    for at_ns in (ms(1), ms(5)):
        device = fs()
        challenge = device.question(0)
        device.answer(ANSWERS[challenge] ^ 1, at_ns)
        assert texts(device, "detection") == ["answer wrong, counter 2 of 6"]
        assert device.question(at_ns) == challenge


def test_fs_a_dead_ecu_loses_its_line_after_three_periods() -> None:
    device = fs()
    pass_time(device, ms(24) - 1)
    assert (device.enabled, device.error_count) == (True, 4)
    pass_time(device, ms(24))
    assert (device.enabled, device.fault_count, device.take_reset()) == (False, 1, ms(10))


def test_fs_the_line_is_released_after_six_good_refreshes_and_with_the_right_code() -> None:
    device = fs()
    pass_time(device, ms(24))
    device.take_events()
    now_ns = ms(34)
    for _ in range(6):
        release(device, now_ns)
        assert not device.enabled
        refresh(device, now_ns)
        now_ns += ms(5)
    assert device.fault_count == 0
    device.release(release_code(device.question(now_ns)) ^ 1, now_ns)
    assert (device.enabled, texts(device, "detection")) == (False, ["release code wrong"])
    release(device, now_ns)
    assert device.enabled
    assert texts(device, "reaction") == ["enable line high (released)"]


def test_fs_without_reset_the_line_drops_and_the_ecu_goes_on() -> None:
    device = fs(resets_ecu=False)
    pass_time(device, ms(24))
    assert (device.enabled, device.take_reset(), device.error_count) == (False, None, 0)
    assert device.state is DeviceState.NORMAL
    now_ns = ms(24)
    for _ in range(6):
        now_ns += ms(5)
        refresh(device, now_ns)
    release(device, now_ns)
    assert device.enabled


def test_fs_goes_to_deep_fail_safe_when_the_fault_error_counter_is_full() -> None:
    device = fs(faults_max=3)
    resets = []
    for _ in range(100):
        deadline_ns = device.next_deadline_ns()
        if deadline_ns is None:
            break
        device.on_timer(deadline_ns)
        pulse_ns = device.take_reset()
        if pulse_ns is not None:
            resets.append(pulse_ns)
    assert resets == [ms(10), ms(10), NEVER_NS]
    assert device.state is DeviceState.FAILSAFE


def test_fs_wrong_answers_do_not_close_the_first_window() -> None:
    device = fs65().build()
    device.power_on(0)
    device.answer(0x00, ms(1))
    device.answer(0x00, ms(2))
    assert (device.state, device.error_count) == (DeviceState.INIT, 4)
    assert device.next_deadline_ns() == ms(256)
    refresh(device, ms(3))
    assert device.state is DeviceState.NORMAL
    device = fs65().build()
    device.power_on(0)
    for _ in range(3):
        device.answer(0x00, ms(1))
    assert (device.state, device.take_reset()) == (DeviceState.RESET, ms(10))


class Fs65Model:
    """Written from the description alone: counts in plain numbers, windows by subtraction."""

    def __init__(self) -> None:
        self.errors = self.faults = self.good_run = 0
        self.period_ns, self.begun_ns = 8, 0
        self.line, self.resets = True, 0
        self.in_reset_until_ns: int | None = None
        self.first_until_ns: int | None = None

    def bad(self, at_ns: int) -> None:
        self.good_run, self.errors = 0, min(6, self.errors + 2)
        if self.errors == 6:
            self.fail(at_ns)

    def fail(self, at_ns: int) -> None:
        self.faults, self.line, self.good_run = self.faults + 1, False, 0
        self.resets += 1
        self.in_reset_until_ns, self.first_until_ns = at_ns + 3, None

    def pass_time(self, now_ns: int) -> None:
        while True:
            if self.in_reset_until_ns is not None:
                if now_ns < self.in_reset_until_ns:
                    return
                self.first_until_ns = self.in_reset_until_ns + 40
                self.in_reset_until_ns, self.errors = None, 0
            elif self.first_until_ns is not None:
                if now_ns < self.first_until_ns:
                    return
                self.fail(self.first_until_ns)
            elif now_ns >= self.begun_ns + self.period_ns:
                self.begun_ns += self.period_ns
                self.bad(self.begun_ns)
            else:
                return

    def answer(self, now_ns: int, right: bool) -> None:
        self.pass_time(now_ns)
        if self.in_reset_until_ns is not None:
            return
        if self.first_until_ns is not None:
            if not right:
                self.bad(now_ns)
                return
            self.first_until_ns = None
            self.begun_ns = now_ns
        else:
            early = now_ns - self.begun_ns < self.period_ns / 2
            self.begun_ns = now_ns
            if early or not right:
                self.bad(now_ns)
                return
            self.errors = max(0, self.errors - 1)
        if self.faults:
            self.good_run += 1
            if self.good_run == 6:
                self.good_run, self.faults = 0, self.faults - 1


@given(
    st.lists(
        st.tuples(st.one_of(st.integers(4, 7), st.integers(0, 25)), st.booleans(), st.booleans()),
        max_size=120,
    )
)
def test_fs_walks_as_an_independent_model_does(steps: list[tuple[int, bool, bool]]) -> None:
    # Milliseconds stand for the model's ns: the device's period is whole milliseconds.
    device = fs(faults_max=10_000, init_ns=ms(40), reset_ns=ms(3))
    model, now, resets = Fs65Model(), 0, 0
    for wait, usually_right, releases in steps:
        now += wait
        right = usually_right or wait == 5
        challenge = ANSWERS[device.question(now)]
        device.answer(challenge if right else challenge ^ 0x10, ms(now))
        model.answer(now, right)
        if releases:
            release(device, ms(now))
            in_normal = model.in_reset_until_ns is None and model.first_until_ns is None
            model.line = model.line or (in_normal and model.faults == 0)
        resets += device.take_reset() is not None
        assert (device.error_count, device.fault_count) == (model.errors, model.faults)
        assert device.enabled is model.line
        assert device.reset_count == model.resets


class TpsModel:
    """Sequences as lists of answers, the count in plain numbers; a step is 0.55 ms."""

    def __init__(self) -> None:
        self.begun, self.given, self.count = 0, [], 0
        self.first_until: int | None = None
        self.reset_until: int | None = None
        self.line, self.normal, self.resets = True, True, 0

    def bad(self, at: int) -> None:
        if self.count == 7:
            self.reset(at)
        else:
            self.count += 1
            self.line = self.line and self.count < 5

    def reset(self, at: int) -> None:
        self.line, self.normal, self.resets = False, False, self.resets + 1
        self.reset_until, self.first_until = at + 20, None

    def close(self, at: int, verdict: bool) -> None:
        self.begun, self.given, self.first_until = at, [], None
        if verdict:
            self.count, self.normal = max(0, self.count - 1), True
            self.line = self.line or self.count < 5
        else:
            self.bad(at)

    def pass_time(self, now: int) -> None:
        while True:
            if self.reset_until is not None:
                if now < self.reset_until:
                    return
                self.first_until, self.reset_until = self.reset_until + 100, None
                self.count, self.given = 0, []
            elif self.first_until is not None:
                if now < self.first_until:
                    return
                self.reset(self.first_until)
            elif now >= self.begun + 13:
                self.close(self.begun + 13, False)
            else:
                return

    def answer(self, now: int, right: bool) -> None:
        self.pass_time(now)
        if self.reset_until is not None:
            return
        late = now - self.begun >= 5
        in_window = self.first_until is not None or late is (len(self.given) == 3)
        self.given.append(right and in_window)
        if len(self.given) == 4:
            self.close(now, all(self.given))


@given(
    st.lists(
        st.tuples(st.sampled_from([0, 0, 0, 0, 4, 5, 6, 9, 13, 25]), st.integers(0, 9)),
        max_size=200,
    )
)
def test_tps_walks_as_an_independent_model_does(steps: list[tuple[int, int]]) -> None:
    device = tps(init_ns=100 * STEP_NS, reset_ns=20 * STEP_NS)
    model, now, resets = TpsModel(), 0, 0
    for wait, flaw in steps:
        now += wait
        dialogue(device, now * STEP_NS, count=1, wrong=int(flaw == 0))
        model.answer(now, flaw != 0)
        resets += device.take_reset() is not None
        assert device.error_count == model.count
        assert device.enabled is model.line
        assert device.reset_count == model.resets
        in_reset = model.reset_until is not None
        assert (device.state is DeviceState.RESET) is in_reset
        assert (device.state is DeviceState.NORMAL) is (model.normal and not in_reset)


def test_a_wrong_answer_in_the_first_window_costs_a_count_and_not_the_start() -> None:
    for make in (tlf35584, tps65381):
        device: Any = make().build()
        device.power_on(0)
        device.trigger(0)
        dialogue(device, 0, wrong=1)
        assert device.state is DeviceState.INIT
        assert device.take_reset() is None
        pass_time(device, device.next_deadline_ns())
        assert (device.state, device.take_reset()) == (DeviceState.INIT, None)
        assert len(texts(device, "detection")) == 2


# -- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "options", "text"),
    [
        (tlf35584, {"cycle_ns": ms(2)}, r"cycle_ns: expected 0.1 ms or 1 ms, got 2 ms"),
        (
            tlf35584,
            {"closed_ns": ms(6)},
            r"closed_ns: expected a multiple of 50 cycles, 5 ms, got 6 ms",
        ),
        (
            tlf35584,
            {"cycle_ns": ms(1), "closed_ns": ms(50), "open_ns": ms(10)},
            r"open_ns: expected a multiple of 50 cycles, 50 ms, got 10 ms",
        ),
        (tlf35584, {"heartbeat_ns": 0}, r"heartbeat_ns: expected a whole number >= 1, got 0"),
        (tlf35584, {"init_ns": 0}, r"init_ns: expected a whole number >= 1, got 0"),
        (tlf35584, {"reset_ns": 0}, r"reset_ns: expected a whole number >= 1, got 0"),
        (tlf35584, {"resets_max": -1}, r"resets_max: expected a whole number >= 0, got -1"),
        (tps65381, {"rt": 128}, r"rt: expected a whole number 0\.\.127, got 128"),
        (tps65381, {"rw": 32}, r"rw: expected a whole number 0\.\.31, got 32"),
        (tps65381, {"disable_at": 8}, r"disable_at: expected a whole number 1\.\.7, got 8"),
        (tps65381, {"init_ns": 0}, r"init_ns: expected a whole number >= 1, got 0"),
        (tps65381, {"reset_ns": 0.5}, r"reset_ns: expected a whole number >= 1, got 0\.5"),
        (
            fs65,
            {"period_ns": us(1500)},
            r"period_ns: expected whole milliseconds, 1\.\.1024, got 1\.5 ms",
        ),
        (
            fs65,
            {"period_ns": ms(1025)},
            r"period_ns: expected whole milliseconds, 1\.\.1024, got 1025 ms",
        ),
        (fs65, {"refreshes": 0}, r"refreshes: expected a whole number >= 1, got 0"),
        (fs65, {"faults_max": 0}, r"faults_max: expected a whole number >= 1, got 0"),
        (fs65, {"init_ns": 0}, r"init_ns: expected a whole number >= 1, got 0"),
        (fs65, {"reset_ns": 0}, r"reset_ns: expected a whole number >= 1, got 0"),
    ],
)
def test_settings_that_a_part_does_not_have_are_refused(
    make: Callable[..., object], options: dict[str, Any], text: str
) -> None:
    name = make.__name__
    with pytest.raises(UsageError, match=rf"^{name}, {text}$"):
        make(**options)


def test_the_parts_own_defaults_can_be_set() -> None:
    settings = tlf35584(cycle_ns=ms(1), closed_ns=ms(350), open_ns=ms(600), heartbeat_ns=ms(250))
    assert (settings.closed_ns, settings.open_ns) == (ms(350), ms(600))
    assert fs65().init_ns == ms(256)


@pytest.mark.parametrize("value", [-1, 256, "A", None])
def test_what_is_no_byte_is_refused(value: int) -> None:
    for device in (tlf(), tps(), fs()):
        with pytest.raises(UsageError, match=r"^answer to the watchdog: expected a whole number"):
            device.answer(value, ms(5))


def test_what_is_simplified_is_said_for_each_part() -> None:
    assert [text.partition(":")[0] for text in presets.LEDGER] == ["TLF35584", "TPS65381", "FS65"]
