"""Layout and ranges of what a module sends: lengths, formats, unused bits, values.

What it does with any value it receives is in `layout_received`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from simcore.bus import LENGTH_TO_DLC
from simcore.bus.log import BusRecord
from simcore.network import Message
from simcore.network.e2e_layout import bit_positions
from simcore.network.interaction_rules import application_signals
from simcore.testing.conformance.case import Case, Group, Need
from simcore.testing.conformance.groups import layout_received
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.measuring import header_of, protected_length, raws_of
from simcore.testing.conformance.stimuli import STEP_NS, is_allowed, stir
from simcore.testing.conformance.trial import EVERY_CHANNEL, Trial
from simcore.units import NS_PER_MS

_LEAST_CYCLES = 10
_STIRRED_NS = 300 * NS_PER_MS
_MOST_NS = 1000 * NS_PER_MS


def cases(interface: Interface) -> list[Case]:
    """Layout cases of a node, sent and received."""
    made = []
    for message in interface.cyclic_sent:
        name = message.name
        made.append(_case(f"format.{name}", f"{name} has the format of the database", form, name))
        made.append(
            _case(
                f"unused.{name}",
                f"bits of {name} that no signal has stay as they are",
                unused,
                name,
                needs={Need.VIRTUAL_TIME},
            )
        )
        made.append(
            _case(
                f"range.{name}",
                f"every signal of {name} has only values that may be sent",
                ranges,
                name,
                needs={Need.VIRTUAL_TIME},
            )
        )
    return [*made, *layout_received.cases(interface)]


def _case(
    id: str,
    title: str,
    run: Callable[..., None],
    name: str,
    *,
    needs: set[Need] | None = None,
) -> Case:
    return Case(
        id=f"layout.{id}",
        group=Group.LAYOUT,
        title=title,
        run=partial(run, name=name),
        needs=frozenset(needs or ()),
    )


def _observed(trial: Trial, message: Message, *, stirred: bool) -> list[BusRecord]:
    """Frames of a message on all buses, with everything received changing or not."""
    begin_ns = trial.now_ns
    cycle_ns = trial.interface.cycle_ns(message)
    length_ns = max(2 * cycle_ns, min(_LEAST_CYCLES * cycle_ns, _MOST_NS))
    if stirred:
        step_ns = max(STEP_NS, min(cycle_ns + NS_PER_MS, _MOST_NS // 4))
        stir(trial, max(length_ns, _STIRRED_NS, 5 * step_ns), step_ns=step_ns)
    else:
        trial.run_for(length_ns)
    return trial.frames(message.name, begin_ns, channel=EVERY_CHANNEL)


def form(trial: Trial, name: str) -> None:
    """Length, identifier, FD format, bit-rate switch; no remote frame."""
    message = trial.message(name)
    records = _observed(trial, message, stirred=False)
    wanted = (message.length, message.is_fd, message.is_fd and message.bitrate_switch, False)
    names = ("bytes", "FD", "bit-rate switch", "remote")
    seen = {
        (
            len(each.frame.data),
            each.frame.is_fd,
            each.frame.bitrate_switch,
            each.frame.is_remote_frame,
        )
        for each in records
    }
    for at, what in enumerate(names):
        said = sorted({each[at] for each in seen})
        trial.expect(
            said == [wanted[at]],
            text=f"{what} of {len(records)} frames of {name}",
            measured=", ".join(map(str, said)) or "no frame",
            limit=str(wanted[at]),
        )
    dlcs = sorted({each.frame.dlc for each in records})
    trial.expect(
        dlcs == [LENGTH_TO_DLC[message.length]] if message.length in LENGTH_TO_DLC else True,
        text=f"DLC of {name}",
        measured=", ".join(map(str, dlcs)),
        limit=str(LENGTH_TO_DLC.get(message.length, "any")),
    )


def unused_mask(message: Message) -> bytes:
    """The bits of a payload that neither a signal nor the protection fills."""
    length = message.length
    used = bytearray(length)
    for signal in message.signals:
        for bit in bit_positions(signal.start_bit, signal.length, signal.byte_order):
            used[bit // 8] |= 1 << bit % 8
    header = header_of(message)
    if header is not None:
        zero, ones = bytearray(length), bytearray(b"\xff" * length)
        covered = protected_length(message)
        for buffer in (zero, ones):
            part = buffer[:covered]
            header.seal(part, 0)
            buffer[:covered] = part
        used = bytearray(
            each | (a ^ 0) | (b ^ 0xFF) for each, a, b in zip(used, zero, ones, strict=True)
        )
    if message.secoc is not None:
        for at in range(message.secoc.authentic_length, length):
            used[at] = 0xFF
    return bytes(~each & 0xFF for each in used)


def unused(trial: Trial, name: str) -> None:
    """What belongs to no signal is constant: somebody may use it tomorrow."""
    message = trial.message(name)
    mask = unused_mask(message)
    records = _observed(trial, message, stirred=True)
    found = {
        bytes(a & b for a, b in zip(each.frame.data, mask, strict=True))
        for each in records
        if len(each.frame.data) == message.length
    }
    count = sum(each.bit_count() for each in mask)
    trial.expect(
        len(found) == 1,
        text=f"different contents of the {count} unused bits of {name} in {len(records)} frames",
        measured=len(found),
        limit="1",
    )


def ranges(trial: Trial, name: str) -> None:
    """Within minimum and maximum and the value table, also while everything received changes."""
    message = trial.message(name)
    records = _observed(trial, message, stirred=True)
    decoded = [raws_of(message, record) for record in records]
    raws = [each for each in decoded if each is not None]
    trial.expect(
        len(raws) == len(records),
        text=f"frames of {name} that make no sense, of {len(records)}",
        measured=len(records) - len(raws),
        limit="0",
    )
    for signal in application_signals(message):
        said = {each[signal.name] for each in raws if signal.name in each}
        wrong = sorted(raw for raw in said if not is_allowed(signal, raw))
        shown = ", ".join(f"{signal.to_physical(raw):g} (raw {raw})" for raw in wrong[:4])
        trial.expect(
            bool(said or signal.multiplexer_signal) and not wrong,
            text=f"values of {signal.name} that may not be sent, of {len(said)} in {len(raws)} "
            "frames",
            measured=shown or ("none" if said else "no frame"),
            limit="none",
        )
