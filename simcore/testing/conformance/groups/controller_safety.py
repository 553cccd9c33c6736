"""What a domain controller must never do, whatever is done to it: the invariant of its role.

It asks no brake for force without a request, asks for nothing beyond the range of its message, and
goes on commanding while it has its supply. A request is a pressed pedal or a request of the driver
assistance in a frame that can be believed, or a switch: whether the controller had to follow it is
the matter of cases; here it only excuses.
"""

from __future__ import annotations

from collections.abc import Iterator

from simcore.bus.log import BusRecord
from simcore.faults.ecu import EcuFault
from simcore.faults.fault import WireFault
from simcore.network import Message
from simcore.testing.conformance.groups.actuator_safety import _Asking, limit_of
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_MS

SILENT_CYCLES = 4
"""So many cycles without a command are a silence."""
START_UP_NS = 150 * NS_PER_MS
"""One that was never heard may be starting up."""


def check_safe(trial: Trial, since_ns: int) -> None:
    """Judge the module from `since_ns` until now."""
    interface = trial.interface
    if "command" not in interface.bindings:
        return
    message = trial.message(interface.binding("command")["message"])
    _check_requests(trial, message, since_ns)
    _check_sending(trial, message, since_ns)


def _check_requests(trial: Trial, message: Message, since_ns: int) -> None:
    """Forces that nothing asks for, and forces beyond what can be asked for."""
    interface = trial.interface
    command = interface.binding("command")
    idle_n, requirement = limit_of(interface, "idle_force_n")
    excused_ns = int(limit_of(interface, "after_request_ms")[0] * NS_PER_MS)
    read = message.codec.reader(*command["forces"]).read
    limits_n = [message.signal(each).maximum for each in command["forces"]]
    asked_ns, newest, worst_n, beyond = [*_requests_ns(trial, since_ns - excused_ns)], 0, 0.0, ""
    for record in trial.frames(message.name, since_ns, channel="*"):
        if len(record.frame.data) != message.length:
            continue
        forces_n = read(record.frame.data)
        for name, force_n, limit_n in zip(command["forces"], forces_n, limits_n, strict=True):
            if limit_n is not None and not force_n <= limit_n:
                beyond = f"{name} {force_n:g} N"
        while newest < len(asked_ns) and asked_ns[newest] <= record.sof_ns:
            newest += 1
        last_ns = asked_ns[newest - 1] if newest else None
        if last_ns is None or record.sof_ns - last_ns > excused_ns:
            worst_n = max(worst_n, *(float(each) for each in forces_n))
    trial.expect(
        worst_n <= idle_n,
        text="largest force commanded without a request",
        measured=worst_n,
        limit=f"<= {idle_n:g} N",
        requirement=requirement,
    )
    trial.expect(
        not beyond,
        text="commands beyond the range of their signal",
        measured=beyond or "none",
        limit="none",
        requirement=requirement,
    )


def _requests_ns(trial: Trial, since_ns: int) -> Iterator[int]:
    """When anything asked for braking, in order; a switch that is on asks all the time."""
    pins = trial.bench.host(trial.node).inputs
    if any(pins.get(name, 0.0) > 0.0 for name in trial.interface.binding("switches", [])):
        yield from range(max(since_ns, 0), trial.now_ns, 10 * NS_PER_MS)
        return
    asking = _askings(trial.interface)
    for record in trial.records(since_ns):
        found = asking.get(record.frame.arbitration_id)
        if found is not None and record.sender != trial.node and _asks(found, record):
            yield record.eof_ns


def _askings(interface: Interface) -> dict[int, tuple[_Asking, tuple[float, ...]]]:
    """By identifier: how a message is read, and above which values its signals ask."""
    found = {}
    for entry in interface.binding("requests", []):
        message = interface.database.message(str(entry["message"]))
        names = [str(each) for each in entry["signals"]]
        above = float(entry.get("above", 0.0))
        found[message.arbitration_id] = (_Asking.of(message, *names), (above,) * len(names))
    return found


def _asks(asking: tuple[_Asking, tuple[float, ...]], record: BusRecord) -> bool:
    values = asking[0].values(record.frame.data)
    return values is not None and any(
        float(value) > above for value, above in zip(values, asking[1], strict=True)
    )


def _check_sending(trial: Trial, message: Message, since_ns: int) -> None:
    """Commands go on, unless the case has taken away what that needs."""
    bench = trial.bench
    host = bench.host(trial.node)
    disturbed = any(
        isinstance(each.fault, WireFault)
        or (isinstance(each.fault, EcuFault) and each.node == trial.node)
        for each in bench.faults
    )
    window_ns = SILENT_CYCLES * (message.cycle_time_ns or 0)
    if not host.running or disturbed or trial.node in bench.silenced:
        return
    if bench.now_ns - since_ns < window_ns:
        return
    heard = trial.frames(message.name, since_ns, channel="*")
    newest_ns = heard[-1].eof_ns if heard else since_ns + START_UP_NS
    trial.expect(
        bench.now_ns - newest_ns <= window_ns,
        text="the controller goes on commanding",
        measured=(bench.now_ns - newest_ns) / NS_PER_MS,
        limit=f"last command <= {window_ns / NS_PER_MS:g} ms ago",
    )
