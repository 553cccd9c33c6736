"""The dialogue of a domain controller with its external watchdog (WDG-001 to WDG-003).

The watchdog stands beside the module on the board, and faults stand between the two. A controller
that serves it badly is cut off from the buses, and the other one brakes; what it says of itself on
the bus must agree with what the watchdog counts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from simcore.faults import (
    WatchdogAnswerEarly,
    WatchdogAnswerLate,
    WatchdogAnswerMissing,
    WatchdogAnswerWrong,
)
from simcore.faults.watchdog import WatchdogFault
from simcore.rig.board import Board
from simcore.testing.conformance.case import Case, Group, Need
from simcore.testing.conformance.controller_scene import Scene, is_bound, vehicle_case
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_MS, ms

SUPERVISED, CUT, SERVED = "supervised", "cut", "served"
FAULTS: dict[str, type[WatchdogFault]] = {
    "wrong": WatchdogAnswerWrong,
    "missing": WatchdogAnswerMissing,
    "early": WatchdogAnswerEarly,
    "late": WatchdogAnswerLate,
}


def cases(interface: Interface) -> list[Case]:
    """None without the bindings of a controller."""
    if not is_bound(interface):
        return []
    return [
        _case("served", "the watchdog is served, and that is told", _served),
        _case("braking", "it is served while the car brakes and slips", _braking),
        *(
            _case(
                f"cut.{name}",
                f"{name} answers cut the controller off in time, the other one brakes",
                partial(_cut, name=name),
            )
            for name in FAULTS
        ),
        _case("once", "one wrong answer is counted, and forgiven", _once),
        _case("again", "after the reset it serves and commands again", _again),
    ]


def _case(name: str, title: str, run: Callable[[Trial], None]) -> Case:
    return vehicle_case(f"watchdog.{name}", Group.WATCHDOG, title, run, Need.WATCHDOG)


def _board(scene: Scene) -> Board:
    board = scene.rig.host(scene.trial.node).board
    if board is None:
        scene.trial.not_tested("the place has no watchdog")
    assert board is not None
    return board


def _expect_sound(scene: Scene, since_ns: int) -> None:
    """The line is high, nothing is counted, and the status says so."""
    board = _board(scene)
    scene.trial.expect(
        board.enabled and board.error_count == 0,
        text="enable line and error counter",
        measured=f"{'high' if board.enabled else 'low'}, {board.error_count}",
        limit="high, 0",
        requirement=scene.demand(SERVED),
    )
    scene.says("enabled", scene.said("on"), since_ns, "enable line as told", SERVED)
    scene.says("supervision", scene.said("supervision_ok"), since_ns, "supervision", SUPERVISED)


def _served(trial: Trial) -> None:
    scene = Scene(trial)
    since_ns = scene.rig.now_ns
    for _ in range(4):
        scene.run(ms(100))
        _expect_sound(scene, since_ns)


def _braking(trial: Trial) -> None:
    scene = Scene(trial)
    scene.rig.vehicle.set_friction(0.3)
    scene.roll(80.0)
    since_ns = scene.rig.now_ns
    scene.brake(100.0, for_ms=600.0)
    _expect_sound(scene, since_ns)


def _fault(name: str, node: str, count: int | None = None) -> WatchdogFault:
    return FAULTS[name](node=node, count=count)


def _cut(trial: Trial, *, name: str) -> None:
    scene = Scene(trial)
    scene.braking(pedal_pct=30.0)
    before_n = scene.clamp_now_n()
    board = _board(scene)
    since_ns = scene.rig.now_ns
    injected = scene.inject(_fault(name, trial.node))
    low = scene.rig.run_until(_IsLow(board), timeout=ms(300))
    scene.expect_within(
        scene.rig.now_ns if low else None,
        since_ns,
        trial.parameter("cut_ms"),
        "first bad answer to a low enable line",
        CUT,
    )
    cut_ns = scene.rig.now_ns
    scene.run(ms(60))
    own = trial.frames(str(scene.command["message"]), cut_ns + ms(2), channel="*")
    trial.expect(
        not own or board.enabled,
        text="commands of a controller whose line is low",
        measured=f"{len(own)}",
        limit="none",
        requirement=scene.demand(SERVED),
    )
    scene.kept(before_n, since_ns, trial.parameter("cut_kept_ratio"), SERVED)
    injected.clear()


class _IsLow:
    """Predicate: the enable line is low."""

    __slots__ = ("_board",)

    def __init__(self, board: Board) -> None:
        self._board = board

    def __call__(self) -> bool:
        return not self._board.enabled


def _once(trial: Trial) -> None:
    scene = Scene(trial)
    scene.roll(60.0)
    board = _board(scene)
    since_ns = scene.rig.now_ns
    scene.inject(_fault("wrong", trial.node, 1))
    scene.run(ms(60))
    counted = [value for _, value in scene.status("errors", since_ns)]
    trial.expect(
        max(counted, default=0) > 0,
        text="error counter as told, after one wrong answer",
        measured=f"at most {max(counted, default=0)}",
        limit="more than 0",
        requirement=scene.demand(SERVED),
    )
    scene.run(ms(200))
    trial.expect(
        board.enabled and board.error_count == 0,
        text="enable line and error counter when answers are right again",
        measured=f"{'high' if board.enabled else 'low'}, {board.error_count}",
        limit="high, 0",
        requirement=scene.demand(SERVED),
    )
    trial.check_safe(since_ns)


def _again(trial: Trial) -> None:
    scene = Scene(trial)
    scene.roll(60.0)
    board = _board(scene)
    injected = scene.inject(_fault("missing", trial.node))
    scene.rig.run_until(_IsLow(board), timeout=ms(300))
    injected.clear()
    scene.run(ms(trial.parameter("restart_ms")))
    since_ns = scene.rig.now_ns
    scene.run(ms(100))
    _expect_sound(scene, since_ns)
    message = scene.message(str(scene.command["message"]))
    count, share = len(trial.frames(message.name, since_ns)), trial.parameter("commands_ratio")
    trial.expect(
        count >= share * 100 * NS_PER_MS / (message.cycle_time_ns or 1),
        text="commands in 100 ms after the restart",
        measured=f"{count}",
        limit="one in each cycle",
        requirement=scene.demand(SERVED),
    )
