"""Robustness: frames that nobody should send, by the hundred, drawn from the seed.

`budget` says how many per case. Afterwards the module runs, is in its cycles, and was safe all the
time; what it raised or how it crashed fails the case by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from simcore.bus import DLC_TO_LENGTH, Frame
from simcore.faults.message import ChecksumWrong, LengthWrong
from simcore.network import Message
from simcore.testing.conformance.case import Case, Group, Need
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.measuring import judge_life
from simcore.testing.conformance.stimuli import (
    SETTLING_NS,
    Intruder,
    RandomContent,
    let_come,
    played,
    stand_of,
)
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_MS, NS_PER_US

_PAUSE_NS = 700 * NS_PER_US
"""Between two frames of an intruder: half of a bus."""
_LENGTHS = tuple(DLC_TO_LENGTH)
_STANDARD_IDS = 0x7FF
_EXTENDED_IDS = 0x1FFF_FFFF


def cases(interface: Interface) -> list[Case]:
    """One case per class of identifier, two per message the node receives in a cycle."""
    made = [
        _case("unknown", "frames of identifiers that nobody has", unknown),
        _case("extended", "frames with 29-bit identifiers", extended),
        _case("remote", "remote frames of any identifier", remote),
        _case("own", "frames with its own identifiers from somebody else", own),
        _case("others", "random frames of identifiers that others have", others),
        _case("received", "random frames of identifiers it receives", received),
        _case("lengths", "frames it receives, with every other length", lengths),
        _case("classic", "frames it receives, in the other frame format", other_format),
        _case("flood", "frames without any pause", flood),
        _case("mixed", "all of that at once", mixed),
    ]
    if interface.diag_request is not None:
        made.append(_case("diagnostic", "random frames of diagnostic identifiers", diagnostic))
    for message in interface.cyclic_received:
        name = message.name
        if message.e2e is not None:
            made.append(
                _case(f"sealed.{name}", f"random content of {name}, protection right", sealed, name)
            )
            made.append(
                _case(f"broken.{name}", f"random content of {name}, checksum wrong", broken, name)
            )
        made.append(_case(f"length.{name}", f"{name} with a wrong length", wrong_length, name))
    return made


def _case(id: str, title: str, run: Callable[..., None], name: str = "") -> Case:
    return Case(
        id=f"robust.{id}",
        group=Group.ROBUSTNESS,
        title=f"{title}: it lives on",
        run=partial(run, name=name) if name else run,
        needs=frozenset({Need.VIRTUAL_TIME}),
    )


def _judge(trial: Trial) -> None:
    trial.run_for(SETTLING_NS)
    judge_life(trial, trial.now_ns - SETTLING_NS, what=" after it")
    trial.check_safe(trial.start_ns)


def _content(trial: Trial, length: int) -> bytes:
    """Random bytes, and now and then all zeros or all ones."""
    drawn = trial.rng.integer(0, 9)
    if drawn < 2:
        return bytes([0x00 if drawn else 0xFF]) * length
    return trial.rng.octets(length)


def _drawn(trial: Trial, identifier: int, *, is_extended: bool = False) -> Frame:
    """A frame of that identifier, classic or FD, of any length."""
    is_fd = trial.interface.database.is_fd and trial.rng.chance(0.7)
    length = _LENGTHS[trial.rng.integer(0, len(_LENGTHS) - 1 if is_fd else 8)]
    return Frame(
        identifier,
        _content(trial, length),
        is_fd=is_fd,
        bitrate_switch=is_fd and trial.rng.chance(0.7),
        is_extended_id=is_extended,
    )


def _known(trial: Trial) -> set[int]:
    return {
        each.arbitration_id for each in trial.interface.database.messages if not each.is_extended_id
    }


def _send(trial: Trial, frames: list[Frame], pause_ns: int = _PAUSE_NS) -> None:
    """Send frames as an intruder on each bus in turn."""
    intruders = [Intruder.on(trial, channel) for channel in trial.channels]
    for number, frame in enumerate(frames):
        intruders[number % len(intruders)].send(frame, pause_ns)
    for each in intruders:
        each.leave()


def unknown(trial: Trial) -> None:
    """Identifiers that the database does not have."""
    free = sorted(set(range(_STANDARD_IDS + 1)) - _known(trial))
    ids = (free[trial.rng.integer(0, len(free) - 1)] for _ in range(trial.budget))
    _send(trial, [_drawn(trial, each) for each in ids])
    _judge(trial)


def extended(trial: Trial) -> None:
    """Among them those whose lower bits are a known identifier."""
    known = sorted(_known(trial))
    frames = []
    for _ in range(trial.budget):
        low = known[trial.rng.integer(0, len(known) - 1)] if trial.rng.chance(0.5) else 0
        identifier = low if trial.rng.chance(0.3) else trial.rng.integer(0, _EXTENDED_IDS)
        frames.append(_drawn(trial, identifier, is_extended=True))
    _send(trial, frames)
    _judge(trial)


def remote(trial: Trial) -> None:
    """Remote frames, also of what it receives and of what it sends."""
    interface = trial.interface
    ids = [each.arbitration_id for each in (*interface.received, *interface.sent)]
    frames = []
    for _ in range(trial.budget):
        known = bool(ids) and trial.rng.chance(0.5)
        identifier = (
            ids[trial.rng.integer(0, len(ids) - 1)]
            if known
            else trial.rng.integer(0, _STANDARD_IDS)
        )
        if identifier <= _STANDARD_IDS:
            frames.append(Frame(identifier, is_remote_frame=True))
    _send(trial, frames)
    _judge(trial)


def own(trial: Trial) -> None:
    """Somebody else uses its identifiers, in the pauses between its own frames."""
    messages = trial.interface.cyclic_sent
    if not messages:
        trial.not_tested("it sends nothing in a cycle")
    intruder = Intruder.on(trial)
    for _ in range(max(1, trial.budget // 10)):
        message = messages[trial.rng.integer(0, len(messages) - 1)]
        seen = len(trial.frames(message.name, trial.start_ns))
        limit_ns = 2 * trial.interface.cycle_ns(message)
        trial.run_until(_Seen(trial, message, seen), timeout=limit_ns)
        intruder.send(
            Frame(
                message.arbitration_id,
                _content(trial, message.length),
                is_fd=message.is_fd,
                bitrate_switch=message.is_fd and message.bitrate_switch,
                is_extended_id=message.is_extended_id,
            ),
            NS_PER_MS,
        )
    intruder.leave()
    _judge(trial)


class _Seen:
    """Whether one more frame of a message of the module has come."""

    __slots__ = ("_count", "_frames", "_message", "_node", "_started")

    def __init__(self, trial: Trial, message: Message, seen: int) -> None:
        self._frames = trial.bench.recorder.frames
        self._started = len(self._frames)
        self._message = message
        self._node = trial.node

    def __call__(self) -> bool:
        new = self._frames[self._started :]
        self._started = len(self._frames)
        return any(
            each.sender == self._node and each.frame.arbitration_id == self._message.arbitration_id
            for each in new
        )


def _foreign(trial: Trial, messages: list[Message]) -> None:
    """Random frames of identifiers of nodes that are silent meanwhile: nothing collides."""
    stand = stand_of(trial)
    for message in messages:
        stand.stop(message.name)
    trial.run_for(2 * NS_PER_MS)
    frames = []
    for _ in range(trial.budget):
        message = messages[trial.rng.integer(0, len(messages) - 1)]
        identifier = message.arbitration_id
        frames.append(_drawn(trial, identifier, is_extended=message.is_extended_id))
    _send(trial, frames)
    for message in messages:
        stand.resume(message.name)
    _judge(trial)


def others(trial: Trial) -> None:
    """Messages that are not for it at all."""
    interface = trial.interface
    names = {each.name for each in interface.received}
    stand = stand_of(trial)
    messages = [
        each
        for each in interface.database.messages
        if each.name not in names
        and trial.node not in each.senders
        and each not in (interface.diag_request, interface.diag_functional)
        and each.name in stand.restbus(stand.sender_of(each.name)).payloads
    ]
    if not messages:
        trial.not_tested("every message of the network is for it")
    _foreign(trial, messages)


def received(trial: Trial) -> None:
    """Messages that are for it, protection and length as they come."""
    messages = played(trial)
    if not messages:
        trial.not_tested("it receives nothing that can be played")
    _foreign(trial, messages)


def lengths(trial: Trial) -> None:
    """Every length there is, of every message it receives."""
    messages = played(trial)
    if not messages:
        trial.not_tested("it receives nothing that can be played")
    stand = stand_of(trial)
    for message in messages:
        stand.stop(message.name)
    trial.run_for(2 * NS_PER_MS)
    frames = [
        Frame(
            message.arbitration_id,
            _content(trial, length),
            is_fd=message.is_fd,
            bitrate_switch=message.is_fd and message.bitrate_switch,
            is_extended_id=message.is_extended_id,
        )
        for message in messages
        for length in _LENGTHS
        if length != message.length and (message.is_fd or length <= 8)
    ]
    _send(trial, frames[: 2 * trial.budget])
    for message in messages:
        stand.resume(message.name)
    _judge(trial)


def other_format(trial: Trial) -> None:
    """FD messages as classic frames; classic ones as FD frames."""
    messages = played(trial)
    if not messages:
        trial.not_tested("it receives nothing that can be played")
    stand = stand_of(trial)
    for message in messages:
        stand.stop(message.name)
    trial.run_for(2 * NS_PER_MS)
    frames = []
    for number in range(trial.budget):
        message = messages[number % len(messages)]
        is_fd = not message.is_fd
        if is_fd and not trial.interface.database.is_fd:
            trial.not_tested("the buses carry no CAN FD frames")
        length = min(message.length, 64 if is_fd else 8)
        frames.append(
            Frame(
                message.arbitration_id,
                _content(trial, length),
                is_fd=is_fd,
                bitrate_switch=is_fd,
                is_extended_id=message.is_extended_id,
            )
        )
    _send(trial, frames)
    for message in messages:
        stand.resume(message.name)
    _judge(trial)


def flood(trial: Trial) -> None:
    """One frame behind the other, of the highest priority."""
    frames = [Frame(0, _content(trial, 8)) for _ in range(trial.budget)]
    intruders = [Intruder.on(trial, channel) for channel in trial.channels]
    for frame in frames:
        for each in intruders:
            each.send(frame)
    trial.run_for(trial.budget * 300 * NS_PER_US)
    for each in intruders:
        each.leave()
    _judge(trial)


def mixed(trial: Trial) -> None:
    """Unknown, extended and remote frames while everything it receives is random."""
    for message in played(trial):
        if message.e2e is not None and trial.interface.cycle_ns(message):
            trial.bench.inject(RandomContent(message=message.name, frames=None), duration=None)
    known = _known(trial)
    frames: list[Frame] = []
    while len(frames) < trial.budget:
        identifier = trial.rng.integer(0, _STANDARD_IDS)
        if identifier in known:
            frames.append(_drawn(trial, identifier, is_extended=True))
        elif trial.rng.chance(0.1):
            frames.append(Frame(identifier, is_remote_frame=True))
        else:
            frames.append(_drawn(trial, identifier))
    _send(trial, frames)
    judge_life(trial, trial.start_ns + 5 * NS_PER_MS, what=" meanwhile")


def diagnostic(trial: Trial) -> None:
    """Random frames where requests are expected: every kind of transport frame comes up."""
    interface = trial.interface
    links = [each for each in (interface.diag_request, interface.diag_functional) if each]
    frames: list[Frame] = []
    for number in range(trial.budget):
        message = links[number % len(links)]
        content = bytearray(_content(trial, _LENGTHS[trial.rng.integer(1, 8)]))
        content[0] = trial.rng.integer(0, 3) << 4 | content[0] & 0x0F
        frames.append(
            Frame(
                message.arbitration_id,
                bytes(content),
                is_fd=message.is_fd,
                bitrate_switch=message.is_fd and message.bitrate_switch,
                is_extended_id=message.is_extended_id,
            )
        )
    _send(trial, frames)
    _judge(trial)


def sealed(trial: Trial, name: str) -> None:
    """Random values under a right checksum: a sender that is broken before its protection."""
    _through(trial, RandomContent(message=name), name)
    judge_life(trial, trial.start_ns)


def broken(trial: Trial, name: str) -> None:
    """Random values under a wrong checksum: nothing of it may have an effect."""
    trial.bench.inject(ChecksumWrong(message=name))
    _through(trial, RandomContent(message=name), name)
    judge_life(trial, trial.start_ns)
    trial.check_safe(trial.start_ns)


def wrong_length(trial: Trial, name: str) -> None:
    """Shorter and longer by one step, checksum as it comes."""
    message = trial.message(name)
    steps = [each for each in _LENGTHS if message.is_fd or each <= 8]
    at = next((i for i, each in enumerate(steps) if each >= message.length), len(steps) - 1)
    others = [steps[i] for i in (at - 1, at + 1) if 0 <= i < len(steps)]
    for length in others:
        if length != message.length:
            _through(trial, LengthWrong(message=name, length=length), name)
    judge_life(trial, trial.start_ns)
    trial.check_safe(trial.start_ns)


def _through(trial: Trial, fault: RandomContent | LengthWrong, name: str) -> None:
    """Let a number of frames of a message come with a fault, then right ones."""
    message = trial.message(name)
    if message not in played(trial):
        trial.not_tested(f"{name} cannot be played")
    injected = trial.bench.inject(fault)
    let_come(trial, message, max(4, trial.budget // 8))
    trial.bench.clear(injected)
    trial.run_for(SETTLING_NS)
