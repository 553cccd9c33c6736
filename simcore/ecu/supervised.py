"""`Supervised`: a Watchdog Manager around a module that knows nothing of watchdogs.

    rig.replace("EMB_FL", Supervised(MyModule(), alive_supervision(frames={0x090: ms(5)})))
    rig.guard("EMB_FL", fs65(), cuts="outputs")

Checkpoints come from what can be seen from outside: every timer call of the module (`module.timer`)
and every frame it sends (`module.frame 0x090`). A module that wants to say more reports checkpoints
of its own through `port.checkpoint("module.control")`. While the supervision allows it, the
external watchdog beside the module is served.

What this cannot see: a module that computes nonsense at the right times. And the manager runs
beside the module, in the same simulated ECU, on its clock: it is part of what is supervised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from simcore.bus import ErrorState, Frame
from simcore.ecu.runtime.status_log import log_change
from simcore.ecu.seam import Node, Port
from simcore.errors import UsageError
from simcore.units import NS_PER_MS, format_ns
from simcore.watchdog.device import WatchdogLine
from simcore.watchdog.manager import WatchdogManager
from simcore.watchdog.settings import (
    AliveSupervision,
    EntityMode,
    SupervisedEntity,
    SupervisionMode,
    SupervisionSettings,
)

if TYPE_CHECKING:
    from simcore.diag.codes import ResetKind
    from simcore.update.flash import Flash
    from simcore.update.reset_cause import ResetCause

ENTITY = "module"
"""The supervised entity of settings made here."""
TIMER = "timer"
"""Checkpoint in every timer call, of whichever entity has one of this name."""
_ANY_COUNT = 1_000_000


def frame_checkpoint(arbitration_id: int) -> str:
    """Checkpoint of a sent frame: `frame 0x080`."""
    return f"frame 0x{arbitration_id:03X}"


def alive_supervision(
    frames: Mapping[int, int] | None = None,
    *,
    timer_ns: int | None = 20 * NS_PER_MS,
    cycle_ns: int = 5 * NS_PER_MS,
    tolerance: int = 1,
    own: Iterable[str] = (),
) -> SupervisionSettings:
    """Settings for a module seen from outside.

    `frames` are base identifiers with their cycle times in ns: judged over two cycles, one frame
    more or less is right. `timer_ns`: at least one timer call in this time, `None` for a module
    that needs none. `own` are checkpoints the module reports itself. `tolerance` judgements in a
    row may fail; the first frames of a module that starts slowly may need more.
    """
    alive = []
    if timer_ns is not None:
        cycles = _cycles("timer_ns", timer_ns, cycle_ns)
        alive.append(AliveSupervision(TIMER, 1, cycles, max_margin=_ANY_COUNT))
    for arbitration_id, period_ns in (frames or {}).items():
        name = frame_checkpoint(arbitration_id)
        cycles = _cycles(name, 2 * period_ns, cycle_ns)
        count = cycles * cycle_ns // period_ns
        alive.append(AliveSupervision(name, count, cycles, min_margin=1, max_margin=1))
    checkpoints = (*(each.checkpoint for each in alive), *own)
    if not checkpoints:
        raise UsageError("alive_supervision", expected="something to supervise", got="nothing")
    mode = EntityMode(ENTITY, tuple(alive), failed_alive_tolerance=tolerance)
    return SupervisionSettings(
        cycle_ns,
        (SupervisedEntity(ENTITY, checkpoints),),
        (SupervisionMode("normal", (mode,)),),
    )


def _cycles(what: str, span_ns: int, cycle_ns: int) -> int:
    """How many supervision cycles a span takes, rounded up."""
    if type(cycle_ns) is not int or cycle_ns <= 0:
        raise UsageError("alive_supervision, cycle_ns", expected="whole ns > 0", got=repr(cycle_ns))
    if type(span_ns) is not int or span_ns <= 0:
        raise UsageError(f"alive_supervision, {what}", expected="whole ns > 0", got=repr(span_ns))
    return -(-span_ns // cycle_ns)


class SupervisedPort:
    """The port of a supervised module: sending is seen, checkpoints can be reported."""

    __slots__ = ("_around", "_frames", "_port", "channels", "inputs", "name")

    def __init__(self, port: Port, around: Supervised, frames: dict[int, list[int]]) -> None:
        self._port = port
        self._around = around
        self._frames = frames
        self.name = port.name
        self.channels = port.channels
        self.inputs: Mapping[str, float] = port.inputs

    @property
    def memory(self) -> dict[str, bytes]:
        return self._port.memory

    @property
    def watchdog(self) -> WatchdogLine | None:
        return getattr(self._port, "watchdog", None)

    @property
    def flash(self) -> Flash | None:
        return getattr(self._port, "flash", None)

    @property
    def reset_cause(self) -> ResetCause:
        return self._port.reset_cause

    def confirm(self, arbitration_ids: Iterable[int]) -> None:
        self._port.confirm(arbitration_ids)

    def timer_changed(self) -> None:
        self._port.timer_changed()

    def reset(self, kind: ResetKind) -> None:
        self._port.reset(kind)

    def send(self, frame: Frame, channel: str | None = None) -> None:
        """See `Port.send`; a checkpoint, too."""
        self._port.send(frame, channel)
        for checkpoint in self._frames.get(frame.arbitration_id, ()):
            self._around.reached(checkpoint)

    def checkpoint(self, name: str) -> Callable[[], None]:
        """What to call at a checkpoint, `entity.checkpoint`. `UsageError` for none of the settings.

        It may be kept as long as the module runs.
        """
        number = self._around.manager.checkpoint(name)
        return partial(self._around.reached, number)

    def accept(self, arbitration_ids: Iterable[int] | None) -> None:
        self._port.accept(arbitration_ids)

    def read(self, pin: str) -> float:
        return self._port.read(pin)

    def write(self, pin: str, value_ratio: float) -> None:
        self._port.write(pin, value_ratio)

    def log(self, kind: str, text: str) -> None:
        self._port.log(kind, text)


class Supervised:
    """A node with a Watchdog Manager around it; implements `Node`.

    Without `settings` the module must have a timer call at least every 20 ms. Whatever else the
    module can do (`receive_on`, `bus_state`, methods of its own) is reached through this one, too.
    """

    __slots__ = ("_due_ns", "_now_ns", "_port", "_timer", "manager", "module", "settings")

    fixed_schedule = False
    """Whatever the module is: the supervision has a deadline of its own."""
    run_due = None

    def __init__(self, module: Node, settings: SupervisionSettings | None = None) -> None:
        for method in ("start", "receive", "on_timer", "next_deadline_ns"):
            if isinstance(module, type) or not callable(getattr(module, method, None)):
                raise UsageError(
                    "Supervised", expected=f"a node with a method {method}", got=repr(module)
                )
        if settings is not None and not isinstance(settings, SupervisionSettings):
            raise UsageError(
                "Supervised, settings",
                expected="SupervisionSettings, as alive_supervision() gives",
                got=repr(settings),
            )
        self.module = module
        self.settings = settings if settings is not None else alive_supervision()
        self.manager = WatchdogManager(self.settings)
        self._timer: list[int] = []
        """Checkpoints of a timer call."""
        self._due_ns = 0
        """The next supervision cycle."""
        self._now_ns = 0

    def __getattr__(self, name: str) -> Any:
        # Copying and pickling look for dunders before there is a module to ask.
        if name.startswith("__") or name in Supervised.__slots__:
            raise AttributeError(name)
        found = getattr(self.module, name)
        # What brings a time with it may lead to a checkpoint.
        return {
            "receive_on": self._receive_on,
            "bus_state": self._bus_state,
            "transmitted": self._transmitted,
        }.get(name, found)

    def _receive_on(self, channel: str, frame: Frame, now_ns: int) -> None:
        self._now_ns = now_ns
        self.module.receive_on(channel, frame, now_ns)  # type: ignore[attr-defined]

    def _bus_state(self, channel: str, state: ErrorState, now_ns: int) -> None:
        self._now_ns = now_ns
        self.module.bus_state(channel, state, now_ns)  # type: ignore[attr-defined]

    def _transmitted(self, channel: str, frame: Frame, now_ns: int) -> None:
        self._now_ns = now_ns
        self.module.transmitted(channel, frame, now_ns)  # type: ignore[attr-defined]

    # -- the Node protocol --------------------------------------------------------------------

    def start(self, port: Port, now_ns: int) -> None:
        """Power on: the supervision begins with the module, and serves the watchdog at once."""
        self._port = port
        self._now_ns = now_ns
        line = getattr(port, "watchdog", None)
        cycle_ns = self.settings.cycle_ns
        if line is not None and line.service.period_ns < cycle_ns:
            raise UsageError(
                f"{port.name}: Supervised, cycle_ns",
                expected=f"at most {format_ns(line.service.period_ns)}, as the watchdog wants",
                got=format_ns(cycle_ns),
            )
        self.manager = WatchdogManager(self.settings, port.memory)
        self.manager.start(now_ns)
        self._due_ns = now_ns + cycle_ns
        self._timer = self._numbers_of(TIMER)
        frames: dict[int, list[int]] = {}
        for name in self.settings.checkpoints:
            _, _, own = name.partition(".")
            if own.startswith("frame 0x"):
                arbitration_id = int(own.removeprefix("frame 0x"), 16)
                frames.setdefault(arbitration_id, []).append(self.manager.checkpoint(name))
        self.module.start(SupervisedPort(port, self, frames), now_ns)
        self._serve(now_ns)

    def receive(self, frame: Frame, now_ns: int) -> None:
        """Hand the frame on."""
        self._now_ns = now_ns
        self.module.receive(frame, now_ns)

    def on_timer(self, now_ns: int) -> None:
        """The module's timer call if it is due, then the supervision if that is."""
        self._now_ns = now_ns
        deadline_ns = self.module.next_deadline_ns()
        if deadline_ns is not None and deadline_ns <= now_ns:
            for checkpoint in self._timer:
                self.manager.reached(checkpoint, now_ns)
            self.module.on_timer(now_ns)
        if now_ns >= self._due_ns:
            self._due_ns += self.settings.cycle_ns
            for change in self.manager.main_function(now_ns):
                log_change(self._port.log, change)
            self._serve(now_ns)

    def next_deadline_ns(self) -> int | None:
        """The module's deadline or the supervision's, whichever is first."""
        deadline_ns = self.module.next_deadline_ns()
        if type(deadline_ns) is not int:
            return self._due_ns if deadline_ns is None else deadline_ns
        return min(deadline_ns, self._due_ns)

    # -- supervision ----------------------------------------------------------------------------

    def reached(self, checkpoint: int) -> None:
        """A checkpoint of the module, by its number."""
        self.manager.reached(checkpoint, self._now_ns)

    def _serve(self, now_ns: int) -> None:
        line = getattr(self._port, "watchdog", None)
        if line is not None:
            line.service.step(line, now_ns, allowed=self.manager.may_trigger)

    def _numbers_of(self, own: str) -> list[int]:
        return [
            self.manager.checkpoint(name)
            for name in self.settings.checkpoints
            if name.partition(".")[2] == own
        ]
