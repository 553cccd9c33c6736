"""What a domain controller makes of frames it must not use, and of messages that stay away.

For each kind of wrong frame (COM-002) the pedal is pressed, or a request made, behind it: nothing
of it may reach a brake; and once the frames are right again, all of it must (COM-003). Single wrong
frames in a row of right ones must not be felt.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from simcore.faults import (
    ChecksumWrong,
    CounterFrozen,
    CounterRandom,
    DataIdWrong,
    LengthWrong,
    MessageDelayed,
    MessageMasqueraded,
    MessageReordered,
    MessageRepeated,
    MessageStopped,
    PayloadCorrupted,
)
from simcore.faults.message import MessageFault
from simcore.network import Message
from simcore.testing.conformance.case import Case, Group
from simcore.testing.conformance.controller_scene import Scene, is_bound, vehicle_case
from simcore.testing.conformance.groups.controller_control import ask_emergency
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.stimuli import checksum_bits
from simcore.testing.conformance.trial import Trial
from simcore.units import ms

USED, MACHINE = "used", "machine"
_FLIPPED = (37, 61, 90)
"""Bits of the payload, beside the header of E2E."""


def _kinds(found: Message, length: int, other: str) -> dict[str, MessageFault]:
    """Frames that must not be used, by the name of what is wrong with them."""
    assert found.e2e is not None
    message, places = found.name, checksum_bits(found.e2e)
    return {
        "checksum": ChecksumWrong(message=message),
        "low_bit": PayloadCorrupted(message=message, bits=(places[0],)),
        "high_bit": PayloadCorrupted(message=message, bits=(places[-1],)),
        "last_bit": PayloadCorrupted(message=message, bits=(8 * found.length - 1,)),
        "data_id": DataIdWrong(message=message, data_id=1),
        "payload": PayloadCorrupted(message=message, bits=_FLIPPED),
        "repeated": CounterFrozen(message=message),
        "sequence": CounterRandom(message=message),
        "length": LengthWrong(message=message, length=length),
        "masqueraded": MessageMasqueraded(message=message, protected_as=other),
    }


KINDS = (
    "checksum",
    "low_bit",
    "high_bit",
    "last_bit",
    "data_id",
    "payload",
    "repeated",
    "sequence",
    "length",
    "masqueraded",
)
TEXTS = {
    "checksum": "with a wrong checksum",
    "low_bit": "with the lowest bit of the checksum flipped",
    "high_bit": "with the highest bit of the checksum flipped",
    "last_bit": "with the last bit of the content flipped",
    "data_id": "with another data id",
    "payload": "with flipped bits",
    "repeated": "whose counter stands still",
    "sequence": "whose counter is random",
    "length": "that are too short",
    "masqueraded": "protected as another message",
}


def cases(interface: Interface) -> list[Case]:
    """None without the bindings of a controller."""
    if not is_bound(interface):
        return []
    return [*_received(interface), *_single(interface), *_silent(interface)]


def _case(name: str, group: Group, title: str, run: Callable[[Trial], None]) -> Case:
    return vehicle_case(name, group, title, run)


def _received(interface: Interface) -> list[Case]:
    sources: tuple[tuple[str, str, Callable[..., None]], ...] = (
        ("pedal", interface.binding("pedal")["message"], _wrong_pedal),
        ("assistance", interface.binding("assistance")["message"], _wrong_assistance),
        ("actuator", "a brake's status", _wrong_status),
        ("supply", interface.binding("supply")["message"], _wrong_supply),
    )
    return [
        _case(
            f"e2e.receive.{source}.{kind}",
            Group.E2E_RECEIVE,
            f"frames of {message} {TEXTS[kind]} are not used, right ones are",
            partial(run, kind=kind),
        )
        for source, message, run in sources
        for kind in KINDS
    ]


def _single(interface: Interface) -> list[Case]:
    pedal = str(interface.binding("pedal")["message"])
    status = str(interface.binding("actuators")["status"][1])
    faults: tuple[tuple[str, str, MessageFault], ...] = (
        ("checksum", "one wrong checksum", ChecksumWrong(message=pedal, frames=1)),
        ("repeated", "one frame twice", MessageRepeated(message=pedal, frames=1)),
        ("lost", "two frames lost", MessageStopped(message=pedal, frames=2)),
        ("reordered", "two frames exchanged", MessageReordered(message=pedal, frames=1)),
        ("status", "one wrong status of a brake", ChecksumWrong(message=status, frames=1)),
        ("status_lost", "two statuses of a brake lost", MessageStopped(message=status, frames=2)),
    )
    return [
        _case(
            f"e2e.receive.single.{name}",
            Group.E2E_RECEIVE,
            f"{text}: braking goes on as if nothing had been",
            partial(_not_felt, fault=fault),
        )
        for name, text, fault in faults
    ]


def _silent(interface: Interface) -> list[Case]:
    made = [
        _case("timeout.controller.pedal", Group.TIMEOUTS,
              "without the pedal no brake is told to open", _no_pedal),
        _case("timeout.controller.assistance", Group.TIMEOUTS,
              "a request ends with its message", _no_assistance),
        _case("timeout.controller.cruise", Group.TIMEOUTS,
              "a cruise request without its message leaves without a jerk", _no_cruise),
        _case("timeout.controller.late", Group.TIMEOUTS,
              "a pedal that is late is used, or not at all", _late_pedal),
    ]  # fmt: skip
    for name in ("inertia", "supply", "drive"):
        message = str(interface.binding(name)["message"])
        made.append(
            _case(
                f"timeout.controller.{name}",
                Group.TIMEOUTS,
                f"without {message} it brakes on",
                partial(_without, name=name),
            )
        )
    return made


def _fault(scene: Scene, message: str, kind: str) -> MessageFault:
    """A wrong frame of a kind; masqueraded as the controller's other partner's message."""
    found = scene.message(message)
    length = max(each for each in (8, 12, 16, 20, 24, 32, 48) if each < found.length)
    other = str(scene.table("secondary")["message"])
    return _kinds(found, length, other)[kind]


# -- wrong for a while ----------------------------------------------------------------------------


def _wrong_pedal(trial: Trial, *, kind: str) -> None:
    scene = Scene(trial)
    scene.roll(60.0)
    injected = scene.inject(_fault(scene, str(scene.pedal["message"]), kind))
    scene.run(ms(60))
    since_ns = scene.brake(60.0, ramp_ms=0.0, for_ms=150.0)
    scene.at_most(
        float(scene.commanded(since_ns).max(initial=0.0)),
        trial.parameter("unused_force_n"),
        "N",
        "largest force commanded by a pedal that cannot be believed",
        USED,
    )
    injected.clear()
    cleared_ns = scene.rig.now_ns
    scene.run(ms(trial.parameter("reuse_ms")) + ms(30))
    force_n = trial.parameter("used_force_n")
    scene.expect_within(
        scene.first_ns(cleared_ns, lambda forces_n: min(forces_n) > force_n),
        cleared_ns,
        trial.parameter("reuse_ms"),
        "right frames to a command",
        MACHINE,
    )


def _wrong_assistance(trial: Trial, *, kind: str) -> None:
    scene = Scene(trial)
    scene.roll(60.0)
    injected = scene.inject(_fault(scene, str(scene.table("assistance")["message"]), kind))
    scene.run(ms(150))
    since_ns = ask_emergency(scene, 6.0)
    scene.run(ms(200))
    scene.at_most(
        float(scene.commanded(since_ns).max(initial=0.0)),
        trial.parameter("unused_force_n"),
        "N",
        "largest force commanded by a request that cannot be believed",
        USED,
    )
    injected.clear()
    cleared_ns = scene.rig.now_ns
    scene.run(ms(trial.parameter("reuse_slow_ms")) + ms(30))
    force_n = trial.parameter("used_force_n")
    scene.expect_within(
        scene.first_ns(cleared_ns, lambda forces_n: min(forces_n) > force_n),
        cleared_ns,
        trial.parameter("reuse_slow_ms"),
        "right frames to a command",
        MACHINE,
    )


def _wrong_status(trial: Trial, *, kind: str) -> None:
    scene = Scene(trial)
    scene.roll(60.0)
    since_ns = scene.rig.now_ns
    place = KINDS.index(kind) % len(scene.corners)
    injected = scene.inject(_fault(scene, scene.status_of(place), kind))
    scene.run(ms(trial.parameter("lost_ms")) + ms(30))
    scene.expect_within(
        scene.first_said("level", scene.said("one_lost", place), since_ns),
        since_ns,
        trial.parameter("lost_ms"),
        f"{scene.node(place)} counts as lost",
        USED,
    )
    injected.clear()
    cleared_ns = scene.rig.now_ns
    scene.run(ms(trial.parameter("reuse_ms")) + ms(50))
    scene.expect_within(
        scene.first_said("level", scene.said("whole"), cleared_ns),
        cleared_ns,
        trial.parameter("reuse_ms") + trial.parameter("timeout_margin_ms"),
        "right frames to a whole brake system",
        MACHINE,
    )


def _wrong_supply(trial: Trial, *, kind: str) -> None:
    scene = Scene(trial)
    scene.roll(60.0)
    names = scene.table("supply")
    injected = scene.inject(_fault(scene, str(names["message"]), kind))
    scene.run(ms(200))
    since_ns = scene.rig.now_ns
    gone = {str(names["states"][0]): scene.said("supply_gone")}
    scene.rig.restbus(str(names["node"])).set(str(names["message"]), **gone)
    scene.run(ms(250))
    trial.expect(
        not scene.ever_said("level", scene.said("supply_lost", 0), since_ns),
        text="a supply lost in frames that cannot be believed",
        measured="believed"
        if scene.ever_said("level", scene.said("supply_lost", 0), since_ns)
        else "not believed",
        limit="not believed",
        requirement=scene.demand(USED),
    )
    injected.clear()
    cleared_ns = scene.rig.now_ns
    scene.run(ms(trial.parameter("reuse_slowest_ms")) + ms(30))
    scene.expect_within(
        scene.first_said("level", scene.said("supply_lost", 0), cleared_ns),
        cleared_ns,
        trial.parameter("reuse_slowest_ms"),
        "right frames to a supply that is lost",
        MACHINE,
    )


# -- wrong once -----------------------------------------------------------------------------------


def _not_felt(trial: Trial, *, fault: MessageFault) -> None:
    scene = Scene(trial)
    scene.braking()
    before_n = scene.mean_n(scene.rig.now_ns - ms(30))
    since_ns = scene.rig.now_ns
    scene.inject(fault)
    scene.run(ms(150))
    rows = scene.commanded(since_ns)
    worst_n = float(np.abs(rows - np.array(before_n)).max()) if len(rows) else float("nan")
    scene.at_most(
        worst_n, trial.parameter("unfelt_force_n"), "N", "largest change of a command", MACHINE
    )
    scene.healthy(since_ns, MACHINE)
    trial.check_safe(since_ns)


# -- silent ---------------------------------------------------------------------------------------


def _no_pedal(trial: Trial) -> None:
    scene = Scene(trial)
    scene.braking()
    message = str(scene.pedal["message"])
    cycle_ns = scene.message(message).cycle_time_ns or 0
    since_ns = scene.rig.now_ns
    injected = scene.inject(MessageStopped(message=message))
    scene.run(ms(120))
    scene.warned(since_ns, scene.said("pedal_degraded"), MACHINE)
    command = str(scene.command["message"])
    names = [*scene.command["valid"], *scene.command["forces"]]
    valid = scene.raw(command, str(names[0]), scene.said("valid"))
    settled_ns = since_ns + 4 * cycle_ns + ms(10)
    opened, open_n = 0, trial.parameter("open_command_n")
    for record in trial.frames(command, settled_ns):
        values = scene.message(command).codec.reader(*names).read(record.frame.data)
        half = len(values) // 2
        opened += any(values[i] == valid and values[half + i] <= open_n for i in range(half))
    trial.expect(
        not opened,
        text="commands that tell a brake to open while nobody knows the pedal",
        measured=f"{opened}",
        limit="none",
        requirement=scene.demand(MACHINE),
    )
    injected.clear()
    cleared_ns = scene.rig.now_ns
    scene.run(ms(trial.parameter("reuse_ms")) + ms(30))
    force_n = trial.parameter("used_force_n")
    scene.expect_within(
        scene.first_ns(cleared_ns, lambda forces_n: min(forces_n) > force_n),
        cleared_ns,
        trial.parameter("reuse_ms"),
        "the pedal is back, to a command",
        MACHINE,
    )


def _no_assistance(trial: Trial) -> None:
    scene = Scene(trial)
    message = scene.message(str(scene.table("assistance")["message"]))
    scene.roll(80.0)
    ask_emergency(scene, 6.0)
    scene.run(ms(250))
    since_ns = scene.rig.now_ns
    scene.inject(MessageStopped(message=message.name))
    scene.run(ms(200))
    limit_ms = 4.0 * (message.cycle_time_ns or 0) / 1e6 + trial.parameter("timeout_margin_ms")
    force_n = trial.parameter("unused_force_n")
    scene.expect_within(
        scene.first_ns(since_ns, lambda forces_n: max(forces_n) <= force_n),
        since_ns,
        limit_ms,
        "last frame to the end of the emergency braking",
        MACHINE,
    )
    trial.check_safe(since_ns)


def _no_cruise(trial: Trial) -> None:
    scene = Scene(trial)
    message = str(scene.table("assistance")["message"])
    scene.roll(90.0)
    scene.tell("assistance", cruise=scene.said("active"), cruise_acceleration=-3.0)
    scene.run(ms(400))
    since_ns = scene.rig.now_ns
    scene.inject(MessageStopped(message=message))
    scene.run(ms(1500))
    rows = scene.commanded(since_ns)
    steps = np.abs(np.diff(rows, axis=0))
    scene.at_most(
        float(steps.max(initial=0.0)) if len(rows) else float("nan"),
        trial.parameter("cruise_step_n"),
        "N",
        "largest step of a command from frame to frame",
        MACHINE,
    )
    scene.at_most(
        float(rows[-1].max()) if len(rows) else float("nan"),
        trial.parameter("unused_force_n"),
        "N",
        "command 1.5 s after the last request",
        MACHINE,
    )


def _late_pedal(trial: Trial) -> None:
    scene = Scene(trial)
    scene.braking()
    before_n = scene.clamp_now_n()
    since_ns = scene.rig.now_ns
    scene.inject(MessageDelayed(message=str(scene.pedal["message"]), delay_ns=ms(30)))
    scene.run(ms(200))
    scene.kept(before_n, since_ns, trial.parameter("late_kept_ratio"), MACHINE)
    trial.check_safe(since_ns)


def _without(trial: Trial, *, name: str) -> None:
    scene = Scene(trial)
    scene.roll(90.0)
    scene.inject(MessageStopped(message=str(scene.table(name)["message"])))
    scene.run(ms(400))
    since_ns = scene.rig.now_ns
    scene.brake(40.0, for_ms=500.0)
    decel_mps2 = scene.decel_mps2(scene.rig.now_ns - ms(200))
    scene.at_least(
        decel_mps2,
        trial.parameter("without_mps2"),
        "m/s2",
        "deceleration at 40 % of the pedal",
        MACHINE,
    )
    trial.check_safe(since_ns)
