"""Start-up: what a module says first, when, and what it does before anybody has asked for anything.

The module is switched on with everything else on the bus at the same instant, unless the case says
otherwise: then the start delays of the database keep messages apart.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from simcore.network import Message, Signal
from simcore.network.e2e_layout import PLAIN, PROFILES
from simcore.network.messages import Number
from simcore.protection.e2e_header import WRONG
from simcore.testing.conformance.case import Case, Group, Need, StandKind
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.measuring import (
    channels_of,
    counters_of,
    judge_life,
    raws_of,
)
from simcore.testing.conformance.stimuli import is_allowed, played, set_start_values, stand_of
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_MS, ms

_PHASES = 4
_OBSERVED_NS = 300 * NS_PER_MS


def cases(interface: Interface) -> list[Case]:
    """Start-up cases of a node."""
    made = []
    for message in interface.cyclic_sent:
        name = message.name
        made.append(_case(f"first.{name}", f"{name} comes first when it is due", first_frame, name))
        made.append(_case(f"values.{name}", f"{name} begins with values it may have", values, name))
        if message.e2e is not None:
            made.append(
                _case(f"e2e.{name}", f"{name} is protected from its first frame on", e2e, name)
            )
    for message_name in interface.binding("initial", {}):
        made.append(
            _case(
                f"initial.{message_name}",
                f"{message_name} says at first that nothing is known yet",
                initial,
                message_name,
            )
        )
    return [
        *made,
        _case("own", "from the start only own messages are sent", own_messages),
        _case("phase", "it starts at any instant", any_phase),
        _case("alone", "it starts while nobody else speaks, and stays safe", alone),
        _case("calm", "it starts into start values only, and stays safe", calm),
        _case("again", "switched off at once and on again it starts as ever", again),
    ]


def _case(id: str, title: str, run: Callable[..., None], name: str = "") -> Case:
    return Case(
        id=f"start.{id}",
        group=Group.START_UP,
        title=title,
        run=partial(run, name=name) if name else run,
        stand=StandKind.COLD,
        needs=frozenset({Need.VIRTUAL_TIME}),
    )


def judge_start(trial: Trial, on_ns: int, message: Message, *, what: str = "") -> None:
    """Judge when the first frame of a message came, with `start_budget_ms`."""
    budget_ms = trial.parameter("start_budget_ms")
    for channel in channels_of(trial, message):
        found = trial.frames(message.name, on_ns, channel=channel)
        limit_ms = message.start_delay_ns / NS_PER_MS + budget_ms
        took_ms = (found[0].sof_ns - on_ns) / NS_PER_MS if found else float("nan")
        trial.expect(
            took_ms <= limit_ms,
            text=f"power on to the first frame of {message.name} on {channel}{what}",
            measured=took_ms,
            limit=f"<= {limit_ms:g} ms",
        )


def _started(trial: Trial, message: Message | None = None) -> int:
    """Switch on and wait until every message, or this one, must have come."""
    on_ns = trial.power_on()
    messages = trial.interface.cyclic_sent if message is None else (message,)
    latest_ns = max((each.start_delay_ns for each in messages), default=0)
    trial.run_for(latest_ns + ms(trial.parameter("start_budget_ms")))
    return on_ns


def first_frame(trial: Trial, name: str) -> None:
    """The first frame comes within start delay and budget, on each bus."""
    message = trial.message(name)
    judge_start(trial, _started(trial, message), message)


def values(trial: Trial, name: str) -> None:
    """The first frames say nothing that the database forbids."""
    message = trial.message(name)
    on_ns = _started(trial, message)
    trial.run_for(3 * trial.interface.cycle_ns(message))
    records = trial.frames(name, on_ns)
    found = [
        f"{signal.name} = {raws[signal.name]}"
        for record in records
        for raws in (raws_of(message, record) or {},)
        for signal in message.signals
        if signal.name in raws and not is_allowed(signal, raws[signal.name])
    ]
    trial.expect(
        bool(records) and not found,
        text=f"values in the first {len(records)} frames of {name} that may not be sent",
        measured=", ".join(dict.fromkeys(found)) or "none",
        limit="none",
    )


def e2e(trial: Trial, name: str) -> None:
    """Counter and checksum are right from the first frame on, and the counter begins as it must."""
    message = trial.message(name)
    config = message.e2e
    assert config is not None
    on_ns = _started(trial, message)
    trial.run_for(3 * trial.interface.cycle_ns(message))
    records = trial.frames(name, on_ns)
    counters = counters_of(message, records)
    right = [counter for counter in counters if counter != WRONG]
    trial.expect(
        bool(records) and len(right) == len(records),
        text=f"frames of {name} with the right checksum",
        measured=f"{len(right)} of {len(records)}",
        limit="all",
    )
    first = 0 if config.profile in PLAIN else PROFILES[config.profile].first_counter
    trial.expect(
        bool(counters) and counters[0] == first,
        text=f"counter of the first frame of {name}",
        measured=str(counters[0]) if counters else "no frame",
        limit=str(first),
    )


def initial(trial: Trial, name: str) -> None:
    """The bound signals have the database's start values in the first frame."""
    message = trial.message(name)
    on_ns = _started(trial, message)
    records = trial.frames(name, on_ns)
    if not trial.expect(bool(records), text=f"{name} came", measured=len(records), limit=">= 1"):
        return
    raws = raws_of(message, records[0]) or {}
    for signal_name in trial.interface.binding("initial")[name]:
        signal = message.signal(signal_name)
        raw = raws.get(signal_name)
        trial.expect(
            raw == signal.start_raw,
            text=f"{signal_name} in the first frame",
            measured="nothing" if raw is None else _text(signal, raw),
            limit=_text(signal, signal.start_raw),
        )


def _text(signal: Signal, raw: Number) -> str:
    return str(signal.choices.get(int(raw), raw))


def own_messages(trial: Trial) -> None:
    """Nothing is sent that the database does not give to the node."""
    on_ns = _started(trial)
    trial.run_for(_OBSERVED_NS)
    judge_own(trial, on_ns)


def judge_own(trial: Trial, since_ns: int) -> None:
    """Judge that every frame of the module is one of its messages, on a bus it belongs to."""
    interface = trial.interface
    first = trial.channels[0]
    own = {
        (each.arbitration_id, each.is_extended_id): each.is_redundant
        for each in (*interface.sent, interface.diag_response)
        if each is not None
    }
    foreign: dict[str, None] = {}
    count = 0
    for record in trial.own_records(since_ns):
        count += 1
        key = record.frame.arbitration_id, record.frame.is_extended_id
        if key not in own or not (own[key] or record.channel == first):
            foreign[f"0x{key[0]:03X} on {record.channel}"] = None
    trial.expect(
        not foreign,
        text=f"foreign messages among {count} frames sent",
        measured=", ".join(foreign) or "none",
        limit="none",
    )


def any_phase(trial: Trial) -> None:
    """Switched on at instants that have nothing to do with the others, it starts as well."""
    stand = stand_of(trial)
    trial.run_for(trial.rng.integer(50 * NS_PER_MS, 60 * NS_PER_MS))
    trial.power_on()
    for turn in range(_PHASES):
        stand.power_off()
        trial.run_for(trial.rng.integer(20 * NS_PER_MS, 30 * NS_PER_MS))
        stand.power_on()
        on_ns = trial.now_ns
        latest_ns = max((each.start_delay_ns for each in trial.interface.cyclic_sent), default=0)
        trial.run_for(latest_ns + ms(trial.parameter("start_budget_ms")))
        for message in trial.interface.cyclic_sent:
            judge_start(trial, on_ns, message, what=f", start {turn + 1}")
    judge_own(trial, trial.start_ns)


def alone(trial: Trial) -> None:
    """With all others silent it reports in all the same, and does nothing."""
    for name in trial.bench.nodes:
        if name != trial.node:
            trial.bench.silence(name)
    on_ns = _started(trial)
    for message in trial.interface.cyclic_sent:
        judge_start(trial, on_ns, message)
    trial.run_for(_OBSERVED_NS)
    judge_life(trial, on_ns + _OBSERVED_NS // 2)
    trial.check_safe(on_ns)


def calm(trial: Trial) -> None:
    """Acting on a start value by mistake would show here."""
    for message in played(trial):
        set_start_values(trial, message)
    on_ns = _started(trial)
    trial.run_for(_OBSERVED_NS)
    judge_life(trial, on_ns + _OBSERVED_NS // 2)
    trial.check_safe(on_ns)


def again(trial: Trial) -> None:
    """Off in the middle of its start, and on again."""
    stand = stand_of(trial)
    trial.power_on()
    for turn in range(3):
        trial.run_for(trial.rng.integer(1, 20 * NS_PER_MS))
        stand.power_off()
        trial.run_for((turn + 1) * NS_PER_MS)
        stand.power_on()
    on_ns = trial.now_ns
    latest_ns = max((each.start_delay_ns for each in trial.interface.cyclic_sent), default=0)
    trial.run_for(latest_ns + ms(trial.parameter("start_budget_ms")))
    for message in trial.interface.cyclic_sent:
        judge_start(trial, on_ns, message)
    judge_life(trial, trial.now_ns)
    trial.check_safe(trial.start_ns)
