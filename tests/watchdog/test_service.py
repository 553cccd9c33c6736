"""The software side: it keeps its device happy, serves in time, and stops when told to."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simcore.units import ms, us
from simcore.watchdog.device import DeviceEvent, DeviceSettings, SafetyDevice
from simcore.watchdog.presets import Fs65Settings, fs65, tlf35584, tps65381

CHIPS: list[DeviceSettings] = [tlf35584(), tlf35584(window_threshold=7), tps65381(), fs65()]
NAMES = ["tlf35584", "tlf35584 of the CDC", "tps65381", "fs65"]
chips = pytest.mark.parametrize("settings_", CHIPS, ids=NAMES)


class Ecu:
    """A device, its software, and faults on the way between them."""

    def __init__(self, settings_: DeviceSettings) -> None:
        self.device: SafetyDevice = settings_.build()
        self.service = settings_.service()
        self.device.power_on(0)
        self.events: list[DeviceEvent] = []
        self.wrong = 0
        self.lost = 0
        """So many answers and triggers to come do not arrive."""

    def step(self, now_ns: int, *, allowed: bool = True) -> None:
        self.service.step(self, now_ns, allowed=allowed)  # type: ignore[arg-type]
        self.events += self.device.take_events()

    def _arrives(self) -> bool:
        self.lost -= 1
        return self.lost < 0

    def trigger(self, now_ns: int) -> None:
        if self._arrives():
            self.device.trigger(now_ns)

    def answer(self, value: int, now_ns: int) -> None:
        if self._arrives():
            self.device.answer(value ^ self.wrong, now_ns)

    def question(self, now_ns: int) -> int:
        return self.device.question(now_ns)

    def release(self, code: int, now_ns: int) -> None:
        self.device.release(code, now_ns)

    @property
    def enabled(self) -> bool:
        return self.device.enabled

    @property
    def detections(self) -> list[str]:
        return [event.text for event in self.events if event.kind == "detection"]


@chips
@pytest.mark.parametrize("period_ns", [ms(5), ms(1), us(100)])
def test_called_often_enough_it_never_gives_a_bad_service(
    settings_: DeviceSettings, period_ns: int
) -> None:
    ecu = Ecu(settings_)
    for now_ns in range(0, ms(2000), period_ns):
        ecu.step(now_ns)
        assert ecu.enabled
    assert ecu.detections == []


@chips
def test_five_milliseconds_are_often_enough_and_so_is_its_own_period(
    settings_: DeviceSettings,
) -> None:
    assert settings_.service().period_ns > ms(5)
    ecu = Ecu(settings_)
    for number in range(400):
        ecu.step(number * ecu.service.period_ns)
    assert (ecu.detections, ecu.enabled) == ([], True)


@chips
@settings(max_examples=30)
@given(jitters_ns=st.lists(st.integers(0, us(800)), min_size=50, max_size=200))
def test_a_late_call_now_and_then_does_no_harm(
    settings_: DeviceSettings, jitters_ns: list[int]
) -> None:
    ecu = Ecu(settings_)
    for number, late_ns in enumerate(jitters_ns):
        ecu.step(number * ms(5) + late_ns)
    assert (ecu.detections, ecu.enabled) == ([], True)


@chips
@pytest.mark.parametrize("ppm", [-20_000, 20_000])
def test_a_clock_that_is_two_percent_off_does_no_harm(settings_: DeviceSettings, ppm: int) -> None:
    """The device's clock is its own: the software's five milliseconds are others."""
    ecu = Ecu(settings_)
    for number in range(1000):
        ecu.step(number * (ms(5) + ppm * 5))
    assert (ecu.detections, ecu.enabled) == ([], True)


@chips
def test_while_it_is_not_allowed_it_leaves_the_device_alone(settings_: DeviceSettings) -> None:
    ecu = Ecu(settings_)
    for now_ns in range(0, ms(100), ms(5)):
        ecu.step(now_ns)
    before = ecu.device.next_deadline_ns()
    fresh = copy.deepcopy(ecu.device)
    for now_ns in range(ms(100), ms(104), us(500)):
        ecu.step(now_ns, allowed=False)
    assert ecu.device.next_deadline_ns() == before
    for now_ns in range(ms(104), ms(150), ms(5)):
        ecu.step(now_ns, allowed=False)
    ecu.device.on_timer(ms(150))
    fresh.on_timer(ms(150))
    assert not ecu.device.enabled
    assert ecu.device.take_events() == fresh.take_events()


@chips
@pytest.mark.parametrize("lost", [1, 2, 3])
def test_services_that_got_lost_are_caught_up_with(settings_: DeviceSettings, lost: int) -> None:
    ecu = Ecu(settings_)
    for number in range(200):
        if number == 20:
            ecu.lost = lost
        ecu.step(number * ms(5))
        assert ecu.enabled
    assert 1 <= len(ecu.detections) <= 6
    assert ecu.device.error_count == 0


@chips
def test_wrong_answers_for_a_while_are_forgiven_and_for_longer_are_not(
    settings_: DeviceSettings,
) -> None:
    ecu = Ecu(settings_)
    for number in range(100):
        ecu.wrong = 1 if 20 <= number < 22 else 0
        ecu.step(number * ms(5))
    assert ecu.enabled
    assert ecu.device.error_count == 0
    assert any("answer wrong" in text for text in ecu.detections)
    ecu.wrong = 1
    for number in range(100, 115):
        ecu.step(number * ms(5))
    assert not ecu.enabled


@chips
def test_every_question_is_answered_in_the_course_of_time(settings_: DeviceSettings) -> None:
    ecu = Ecu(settings_)
    seen = set()
    is_challenge = isinstance(settings_, Fs65Settings)
    for number in range(600):
        ecu.step(number * ms(5))
        seen.add(ecu.question(number * ms(5)) & (0xFF if is_challenge else 0xF))
    assert len(seen) == (255 if is_challenge else 16)
