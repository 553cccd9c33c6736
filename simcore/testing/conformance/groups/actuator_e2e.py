"""E2E protection of what a brake actuator receives: every status of every stream that it acts on.

A wrong frame carries another force, or another pedal, than the right ones around it: as long as the
actuator does what the right ones say, the wrong ones are not used. Single wrong frames must not
make a stream invalid, and more than the state machine tolerates must.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from simcore.faults.fault import Fault
from simcore.faults.message import (
    ChecksumWrong,
    CounterOffset,
    DataIdWrong,
    LengthWrong,
    MessageStopped,
)
from simcore.faults.message_content import PayloadCorrupted, SignalCorrupted
from simcore.network import Message
from simcore.network.messages import Number
from simcore.testing.conformance.actuator import Actuator, lanes_of
from simcore.testing.conformance.actuator_judging import (
    judge_release,
    judge_rise,
    judge_steady,
    judge_time,
    settled,
)
from simcore.testing.conformance.case import Case, Group, Need
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.stimuli import checksum_bits
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_MS, ms

_PINS = frozenset({Need.PINS, Need.VIRTUAL_TIME})
_APART_CYCLES = 12
"""Between two attacks: the errors of one have left the windows before the next."""
_ATTACKS = 5

WRONG = {
    "crc": "with a wrong checksum",
    "crc_low": "with the lowest bit of the checksum flipped",
    "crc_high": "with the highest bit of the checksum flipped",
    "tail": "with the last bit of the content flipped",
    "data_id": "protected with the data id of another message",
    "repeated": "with the counter of the frame before",
    "sequence": "with a counter far ahead",
    "length": "of another length",
}
"""Kinds of wrong frames."""


def cases(interface: Interface) -> list[Case]:
    """Lanes, pedal and speed, as far as they are protected."""
    make = partial(Case, group=Group.E2E_RECEIVE, needs=_PINS)
    made: list[Case] = []
    for index, lane in enumerate(lanes_of(interface)):
        name = lane.message.name
        if lane.message.e2e is None:
            continue
        made += [
            make(
                id=f"e2e.receive.{name}.{kind}",
                title=f"Frames of {name} {text} are never used",
                run=partial(wrong_commands, lane=index, kind=kind),
            )
            for kind, text in WRONG.items()
        ]
        for kind, title, run in (
            ("ok", f"Over a whole turn of its counter {name} is obeyed", whole_turn),
            ("some_lost", f"With as many frames of {name} lost as allowed it is obeyed", some_lost),
            ("no_new_data", f"Two missing frames of {name} change nothing", two_missing),
            ("invalid", f"After too many wrong frames {name} is not obeyed any more", invalid),
            ("valid_again", f"{name} is obeyed again after enough right frames", valid_again),
        ):
            made.append(
                make(id=f"e2e.receive.{name}.{kind}", title=title, run=partial(run, lane=index))
            )
    pedal = interface.database.message(interface.binding("pedal")["message"])
    if pedal.e2e is not None:
        made += [
            make(
                id=f"e2e.receive.{pedal.name}.{kind}",
                title=f"Frames of {pedal.name} {text} do not release the brake",
                run=partial(wrong_pedal, kind=kind),
            )
            for kind, text in WRONG.items()
        ]
    speed = interface.database.message(interface.binding("speed")["message"])
    if speed.e2e is not None:
        made += [
            make(
                id=f"e2e.receive.{speed.name}.{kind}",
                title=f"A speed in frames {WRONG[kind]} does not keep the brake closed",
                run=partial(wrong_speed, kind=kind),
            )
            for kind in ("crc", "crc_low", "crc_high", "tail", "data_id")
        ]
    return made


def wrong_frames(act: Actuator, message: Message, kind: str, frames: int | None) -> Fault:
    """The fault that makes the next frames wrong in one way."""
    name = message.name
    if kind == "crc":
        return ChecksumWrong(message=name, frames=frames)
    if kind in ("crc_low", "crc_high", "tail"):
        return PayloadCorrupted(message=name, frames=frames, bits=(_bit_of(message, kind),))
    if kind == "data_id":
        return DataIdWrong(message=name, frames=frames, data_id=_data_id_of_another(act, message))
    if kind == "repeated":
        return CounterOffset(message=name, frames=frames, offset=-1)
    if kind == "sequence":
        ahead = int(act.number("delta_max_count")) + 9
        return CounterOffset(message=name, frames=frames, offset=ahead)
    shorter = max(each for each in (8, 12, 16, 20, 24, 32, 48) if each < message.length)
    return LengthWrong(message=name, frames=frames, length=shorter)


def _bit_of(message: Message, kind: str) -> int:
    """A single bit that the protection has to notice: of the checksum, or the last one it covers.

    A check of one byte of two, or of all bytes but the last, takes every other wrong frame.
    """
    assert message.e2e is not None
    places = checksum_bits(message.e2e)
    if kind == "tail":
        length = message.length if message.secoc is None else message.secoc.authentic_length
        return 8 * length - 1
    return places[0] if kind == "crc_low" else places[-1]


def _data_id_of_another(act: Actuator, message: Message) -> int:
    """That of the first other message that the module receives: a masquerade worth trying."""
    assert message.e2e is not None
    own = message.e2e.data_id
    for other in act.interface.received:
        if other.e2e is not None and other.e2e.data_id != own:
            return other.e2e.data_id
    return own ^ 1


def tolerated(act: Actuator, message: Message, kind: str) -> int:
    """How many wrong frames of a kind in a row leave a valid stream valid.

    A counter that jumps is wrong twice, ahead and back; a repeated one is repeated once. Whether
    the copies of a wrong frame on two buses are one error or two is nowhere said.
    """
    if kind in ("repeated", "sequence"):
        return 1
    copies = 2 if message.is_redundant and act.interface.is_redundant else 1
    return max(1, int(act.number("error_valid_count")) // copies)


def attack(
    act: Actuator,
    message: Message,
    kind: str,
    content: dict[str, Number | str],
    frames: int | None = None,
) -> None:
    """Make the next frames of a message wrong, with another content."""
    for signal, value in content.items():
        act.inject(SignalCorrupted(message=message.name, frames=frames, signal=signal, value=value))
    act.inject(wrong_frames(act, message, kind, frames))


def _only_on(act: Actuator, lane: int, force_n: float) -> None:
    """Brake with one lane; the others are there, and say that they are not valid."""
    for other in range(len(act.lanes)):
        if other != lane:
            act.request(0.0, mode="open", lane=other, valid=False)
    act.drive(50.0)
    act.pedal("pressed")
    act.trial.run_for(ms(20))
    act.request(force_n, lane=lane)
    act.trial.run_for(ms(300))


def judge_obeyed(act: Actuator, since_ns: int, mode: str, text: str) -> None:
    """Whether the status has said all the time that this mode is followed."""
    wanted = act.bound("modes", mode)
    others = [raw for _, raw in act.said("echo", since_ns) if act.shown("echo", raw) != wanted]
    act.trial.expect(
        not others,
        text=f"what it says it follows {text}",
        measured=act.shown("echo", others[0]) if others else wanted,
        limit=f"{wanted} all the time",
        requirement="COM-002",
    )


def wrong_commands(trial: Trial, lane: int, kind: str) -> None:
    """Wrong frames among right ones, a few at a time, with twice the force."""
    act = Actuator(trial)
    to = act.lanes[lane]
    force_n, other_n = act.share_n(0.25), act.share_n(0.75)
    _only_on(act, lane, force_n)
    begin_ns = trial.now_ns
    cycle_ns = to.message.cycle_time_ns or ms(10)
    for _ in range(_ATTACKS):
        content: dict[str, Number | str] = {to.force: other_n, to.mode: act.bound("modes", "hold")}
        attack(act, to.message, kind, content, tolerated(act, to.message, kind))
        trial.run_for(_APART_CYCLES * cycle_ns)
    judge_steady(act, act.force(begin_ns), force_n, "largest change of the force by wrong frames")
    judge_obeyed(act, begin_ns, "brake", "while single frames are wrong")
    act.plot(begin_ns - ms(20), [(begin_ns - ms(20), force_n)])
    trial.check_safe()


def whole_turn(trial: Trial, lane: int) -> None:
    """The counter passes its end; a change of the request is followed behind it, too."""
    act = Actuator(trial)
    force_n = act.share_n(0.25)
    _only_on(act, lane, force_n)
    begin_ns = trial.now_ns
    message = act.lanes[lane].message
    header_values = 1 << 8
    trial.run_for(header_values * (message.cycle_time_ns or ms(10)))
    judge_steady(act, act.force(begin_ns), force_n, "error over a whole turn of the counter")
    judge_obeyed(act, begin_ns, "brake", "over a whole turn of the counter")
    trial.check_safe()


def some_lost(trial: Trial, lane: int) -> None:
    """Again and again as many frames are missing as the counter may jump over."""
    act = Actuator(trial)
    to = act.lanes[lane]
    force_n, other_n = act.share_n(0.25), act.share_n(0.5)
    _only_on(act, lane, force_n)
    begin_ns = trial.now_ns
    cycle_ns = to.message.cycle_time_ns or ms(10)
    lost = int(act.number("delta_max_count")) - 1
    for _ in range(_ATTACKS):
        act.inject(MessageStopped(message=to.message.name, frames=lost))
        trial.run_for(_APART_CYCLES * cycle_ns)
    judge_steady(act, act.force(begin_ns), force_n, "largest change of the force by lost frames")
    judge_obeyed(act, begin_ns, "brake", "while frames are lost")
    act.inject(MessageStopped(message=to.message.name, frames=lost))
    asked_ns = act.request(other_n, lane=lane)
    trial.run_for(ms(350))
    came_ns = act.next_frame_ns(to.message.name, asked_ns)
    judge_rise(act, act.force(asked_ns), came_ns, force_n, other_n)
    judge_steady(act, settled(act, came_ns), other_n)
    trial.check_safe()


def two_missing(trial: Trial, lane: int) -> None:
    """One pause of two cycles, well before the deadline."""
    act = Actuator(trial)
    to = act.lanes[lane]
    force_n = act.share_n(0.3)
    _only_on(act, lane, force_n)
    begin_ns = trial.now_ns
    act.inject(MessageStopped(message=to.message.name, frames=2))
    trial.run_for(ms(150))
    judge_steady(act, act.force(begin_ns), force_n, "largest change of the force by a short pause")
    judge_obeyed(act, begin_ns, "brake", "in a short pause")
    trial.check_safe()


def _spoilt(act: Actuator, lane: int, force_n: float, other_n: float) -> int:
    """Too many wrong frames in a row, with another force; when the last right one was complete."""
    to = act.lanes[lane]
    _only_on(act, lane, force_n)
    last_ns = act.last_frame_ns(to.message.name)
    content: dict[str, Number | str] = {to.force: other_n}
    attack(act, to.message, "crc", content, 2 * int(act.number("error_valid_count")) + 4)
    return last_ns


def invalid(trial: Trial, lane: int) -> None:
    """The stream is lost: its mode is not said to be followed any more, its force not used."""
    act = Actuator(trial)
    to = act.lanes[lane]
    force_n, other_n = act.share_n(0.25), act.share_n(0.75)
    last_ns = _spoilt(act, lane, force_n, other_n)
    cycle_ns = to.message.cycle_time_ns or ms(10)
    wrong = 2 * int(act.number("error_valid_count")) + 4
    trial.run_for((wrong + 2) * cycle_ns)
    brake = act.bound("modes", "brake")
    left_ns = _first(act, last_ns, lambda text: text != brake)
    limit_ms = act.number("other_lane_ms") + act.number("reporting_ms")
    judge_time(
        act, left_ns, last_ns, limit_ms, "from the last right frame until it says so", "COM-003"
    )
    judge_steady(act, act.force(last_ns), force_n, "largest change of the force by wrong frames")
    trial.check_safe()


def valid_again(trial: Trial, lane: int) -> None:
    """Back with right frames: not with the first ones, but soon."""
    act = Actuator(trial)
    to = act.lanes[lane]
    force_n = act.share_n(0.25)
    _spoilt(act, lane, force_n, act.share_n(0.75))
    cycle_ns = to.message.cycle_time_ns or ms(10)
    wrong = 2 * int(act.number("error_valid_count")) + 4
    trial.run_for(wrong * cycle_ns)
    right_ns = trial.now_ns
    trial.run_for(ms(200))
    first_ns = act.next_frame_ns(to.message.name, right_ns)
    brake = act.bound("modes", "brake")
    back_ns = _first(act, first_ns, lambda text: text == brake)
    needed = int(act.number("ok_invalid_count"))
    # of frames, so that half a cycle of tolerance cannot excuse a whole one
    early_ms = (needed - 1.5) * cycle_ns / NS_PER_MS
    back_ms = float("nan") if back_ns is None else (back_ns - first_ns) / NS_PER_MS
    trial.expect(
        back_ms >= early_ms,
        text=f"obeyed again not before {needed} right frames",
        measured=back_ms,
        limit=f">= {early_ms:g} ms",
        requirement="COM-003",
    )
    window = act.number("window_invalid_count")
    late_ms = (window + 1.0) * cycle_ns / NS_PER_MS + act.number("reporting_ms")
    judge_time(act, back_ns, first_ns, late_ms, "from the first right frame", "COM-003")
    judge_steady(act, settled(act, right_ns - ms(150)), force_n, "error once it is obeyed again")
    trial.check_safe()


def _first(act: Actuator, since_ns: int, holds: Callable[[str], bool]) -> int | None:
    """When it first said to follow something of the kind."""
    for time_ns, raw in act.said("echo", since_ns):
        if holds(act.shown("echo", raw)):
            return time_ns
    return None


def wrong_pedal(trial: Trial, kind: str) -> None:
    """Without commands the pedal brakes; wrong frames say that it is released."""
    act = Actuator(trial)
    pedal = trial.message(act.bound("pedal", "message"))
    act.drive(50.0)
    act.pedal_travel(0.6)
    act.stop_lanes()
    trial.run_for(ms(700))
    force_n = act.force(trial.now_ns - ms(20)).mean
    idle_n = act.number("idle_force_n")
    trial.expect(
        force_n > idle_n,
        text="clamp force by the pedal alone",
        measured=force_n,
        limit=f"> {idle_n:g} N",
        requirement="COM-004",
    )
    begin_ns = trial.now_ns
    cycle_ns = pedal.cycle_time_ns or ms(10)
    released: dict[str, Number | str] = dict.fromkeys(act.bound("pedal", "travels"), 0.0)
    for _ in range(_ATTACKS):
        attack(act, pedal, kind, released, tolerated(act, pedal, kind))
        trial.run_for(_APART_CYCLES * cycle_ns)
    judge_steady(act, act.force(begin_ns), force_n, "largest change of the force by wrong frames")
    act.plot(begin_ns - ms(20), [(begin_ns - ms(20), force_n)])
    trial.check_safe()


def wrong_speed(trial: Trial, kind: str) -> None:
    """At standstill a lost command is not held; wrong frames say that the vehicle drives."""
    act = Actuator(trial)
    speed = trial.message(act.bound("speed", "message"))
    act.brake(act.share_n(0.3), speed_kmh=0.0)
    attack(act, speed, kind, {act.bound("speed", "signal"): 80.0})
    trial.run_for(ms(60))
    last_ns = act.stop_lanes()
    act.stand.stop(act.bound("pedal", "message"))
    trial.run_for(ms(450))
    lost_ms = act.number("lost_ms")
    tolerance_ms = act.number("time_tolerance_ms")
    judge_release(act, last_ns, extra_ms=lost_ms + tolerance_ms, text="from the last command")
    trial.check_safe()
