"""States of a safety device: the total table, and what every chip does alike."""

from __future__ import annotations

import copy
import pickle

import pytest

from simcore.units import ms
from simcore.watchdog.device import NEVER_NS, DeviceSettings, SafetyDevice, Verdict
from simcore.watchdog.device_states import (
    IGNORED,
    TRANSITIONS,
    DeviceInput,
    DeviceState,
    next_state,
)
from simcore.watchdog.presets import fs65, tlf35584, tps65381

CHIPS: list[DeviceSettings] = [tlf35584(), tps65381(), fs65()]
NAMES = ["tlf35584", "tps65381", "fs65"]
chips = pytest.mark.parametrize("settings", CHIPS, ids=NAMES)


def test_the_table_is_total() -> None:
    pairs = {(state, happened) for state in DeviceState for happened in DeviceInput}
    assert TRANSITIONS.keys() | IGNORED == pairs
    assert not TRANSITIONS.keys() & IGNORED
    for state, happened in pairs:
        expected = state if (state, happened) in IGNORED else TRANSITIONS[state, happened]
        assert next_state(state, happened) is expected


def test_only_power_on_leads_out_of_failsafe() -> None:
    out = {happened for (state, happened) in TRANSITIONS if state is DeviceState.FAILSAFE}
    assert out == {DeviceInput.POWERED}


def served(settings: DeviceSettings, until_ns: int) -> SafetyDevice:
    """Powered on at 0 and served every 5 ms, the last time at `until_ns`."""
    device, service = settings.build(), settings.service()
    device.power_on(0)
    for now_ns in range(0, until_ns + 1, ms(5)):
        service.step(device, now_ns, allowed=True)
    return device


def run_out(device: SafetyDevice, until_ns: int) -> list[tuple[int, str, str]]:
    """Let time pass without service; what happened."""
    deadline_ns = device.next_deadline_ns()
    while deadline_ns is not None and deadline_ns <= until_ns:
        device.on_timer(deadline_ns)
        deadline_ns = device.next_deadline_ns()
    return [(event.time_ns, event.kind, event.text) for event in device.take_events()]


@chips
def test_without_supply_nothing_happens(settings: DeviceSettings) -> None:
    device = settings.build()
    device.trigger(5)
    device.answer(0, 5)
    device.on_timer(ms(10_000))
    assert device.next_deadline_ns() is None
    assert (device.enabled, device.take_reset(), device.take_events()) == (False, None, ())


@chips
def test_the_enable_line_is_low_until_the_first_good_service(settings: DeviceSettings) -> None:
    device, service = settings.build(), settings.service()
    device.power_on(ms(7))
    assert not device.enabled
    assert device.take_events() == ()
    service.step(device, ms(100), allowed=True)
    assert device.enabled
    assert device.changed
    (event,) = device.take_events()
    assert (event.time_ns, event.kind) == (ms(100), "state")
    assert event.text == "watchdog: INIT -> NORMAL (SERVED)"
    assert not device.changed


@chips
def test_an_ecu_that_never_serves_is_reset_when_the_first_window_is_over(
    settings: DeviceSettings,
) -> None:
    device = settings.build()
    device.power_on(ms(7))
    first_ns = device.next_deadline_ns()
    assert first_ns == ms(7) + settings.init_ns  # type: ignore[attr-defined]
    device.on_timer(first_ns - 1)
    assert device.take_reset() is None
    device.on_timer(first_ns)
    assert device.take_reset() == ms(10)
    assert device.take_reset() is None
    assert device.state is DeviceState.RESET  # type: ignore[attr-defined]
    kinds = [event.kind for event in device.take_events()]
    assert kinds == ["detection", "state", "reaction"]


@chips
def test_after_a_reset_the_long_first_window_opens_again_with_the_line_low(
    settings: DeviceSettings,
) -> None:
    device = served(settings, ms(100))
    device.take_events()
    while device.take_reset() is None:
        device.on_timer(device.next_deadline_ns() or 0)
    over_ns = device.next_deadline_ns()
    assert over_ns is not None
    device.take_events()
    for now_ns in (over_ns - ms(5), over_ns - 1):  # what an ECU in reset might do is not judged
        device.trigger(now_ns)
        device.answer(device.question(now_ns) ^ 0x55, now_ns)
    assert device.take_events() == ()
    device.on_timer(over_ns)
    (event,) = device.take_events()
    assert event.text == "watchdog: RESET -> INIT (RESET_OVER)"
    assert (device.enabled, device.error_count) == (False, 0)
    assert device.next_deadline_ns() == over_ns + settings.init_ns  # type: ignore[attr-defined]
    service = settings.service()
    for now_ns in range(over_ns, over_ns + ms(100), ms(5)):
        service.step(device, now_ns, allowed=True)
    assert device.enabled
    assert device.take_events()[-1].text.startswith("watchdog: enable line high (")


@chips
def test_supply_that_comes_back_makes_everything_new(settings: DeviceSettings) -> None:
    device = served(settings, ms(100))
    run_out(device, ms(5000))
    device.power_on(ms(6000))
    assert (device.enabled, device.error_count, device.take_events()) == (False, 0, ())
    assert device.take_reset() is None
    settings.service().step(device, ms(6005), allowed=True)
    assert device.enabled


@chips
def test_a_demanded_safe_state_lasts_until_the_next_reset(settings: DeviceSettings) -> None:
    device, service = settings.build(), settings.service()
    device.power_on(0)
    for now_ns in range(0, ms(200), ms(5)):
        service.step(device, now_ns, allowed=True)
        if now_ns == ms(50):
            device.demand_safe_state(now_ns)
            device.demand_safe_state(now_ns)
    assert not device.enabled
    texts = [event.text for event in device.take_events() if event.kind == "reaction"]
    assert texts == ["watchdog: enable line low (demanded by software)"]
    while device.take_reset() is None:  # no longer served
        device.on_timer(device.next_deadline_ns() or 0)
    over_ns = device.next_deadline_ns() or 0
    service = settings.service()
    for now_ns in range(over_ns, over_ns + ms(100), ms(5)):
        service.step(device, now_ns, allowed=True)
    assert device.enabled


@chips
def test_it_makes_no_difference_whether_its_timer_or_the_software_comes_first(
    settings: DeviceSettings,
) -> None:
    """Called only by software, a device catches up with what its timer would have done."""
    lazy, prompt = served(settings, ms(100)), served(settings, ms(100))
    for now_ns in (ms(103), ms(126), ms(127), ms(171), ms(190), ms(430), ms(1111), ms(1200)):
        run: list[object] = []
        deadline_ns = prompt.next_deadline_ns()
        while deadline_ns is not None and deadline_ns <= now_ns:
            prompt.on_timer(deadline_ns)
            deadline_ns = prompt.next_deadline_ns()
        for device in (lazy, prompt):
            device.trigger(now_ns)
            device.answer(0x4D, now_ns)
            run.append(
                (
                    device.take_events(),
                    device.take_reset(),
                    device.enabled,
                    device.error_count,
                    device.next_deadline_ns(),
                )
            )
        assert run[0] == run[1]


@chips
def test_a_copy_and_a_pickle_go_on_alike_and_share_the_settings(settings: DeviceSettings) -> None:
    device = served(settings, ms(100))
    twin, other = copy.deepcopy(device), pickle.loads(pickle.dumps(device))
    assert twin.settings is device.settings  # type: ignore[attr-defined]
    assert copy.copy(settings) is settings
    happened = [run_out(each, ms(1500)) for each in (device, twin, other)]
    assert happened[0] == happened[1] == happened[2]
    assert len(happened[0]) > 5


@chips
def test_the_timer_moves_on_and_a_run_out_device_ends_somewhere(settings: DeviceSettings) -> None:
    device = served(settings, ms(20))
    last_ns = -1
    for _ in range(200):
        deadline_ns = device.next_deadline_ns()
        if deadline_ns is None:
            break
        assert last_ns < deadline_ns < NEVER_NS
        last_ns = deadline_ns
        device.on_timer(deadline_ns)
    assert not device.enabled


def test_verdicts_say_what_was_wrong() -> None:
    assert [verdict.value for verdict in Verdict] == [
        "good",
        "trigger in the closed window",
        "trigger missing",
        "answer wrong",
        "answer too early",
        "answer too late",
        "answer missing",
    ]
