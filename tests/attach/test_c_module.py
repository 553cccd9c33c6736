"""A module in C in the place of a node: in this process and in one of its own, the same run.

c_probe.c does what the first byte of a frame with identifier 0x7F0 says. It is built twice: as a
relocatable module, and with everything in static variables and on the heap.
"""

from __future__ import annotations

import copy
import gc
import pickle
import re
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from simcore.attach.c_abi import Order
from simcore.attach.c_instance import ModuleMemoryError
from simcore.attach.c_module import CModule, header_path
from simcore.attach.c_port import _CARRIED_OUT
from simcore.bus import ErrorState, Frame
from simcore.diag.codes import ResetKind
from simcore.ecu import Node
from simcore.errors import UsageError
from simcore.rig import Rig
from simcore.units import ms
from simcore.update.reset_cause import ResetCause
from simcore.watchdog.presets import fs65

Compile = Callable[..., Path]
Module = Callable[[], CModule]


class Service:
    period_ns = 7

    def step(self, line: Line, now_ns: int, *, allowed: bool) -> None:
        line.did.append(("serve", now_ns, allowed))


class Line:
    """A watchdog that notes what is done to it."""

    enabled = True
    error_count = 3
    service = Service()

    def __init__(self, did: list[Any]) -> None:
        self.did = did

    def question(self, now_ns: int) -> int:
        return 0x5A

    def trigger(self, now_ns: int) -> None:
        self.did.append(("trigger", now_ns))

    def answer(self, value: int, now_ns: int) -> None:
        self.did.append(("answer", value, now_ns))

    def release(self, code: int, now_ns: int) -> None:
        self.did.append(("release", code, now_ns))

    def demand_safe_state(self, now_ns: int) -> None:
        self.did.append(("demand_safe_state", now_ns))


class Place:
    """A port that notes what is done to it."""

    name = "EMB_FL"
    channels = ("CHASSIS_A", "CHASSIS_B")
    reset_cause = ResetCause.POWER_ON

    def __init__(self) -> None:
        self.inputs = {"wheel_speed_radps": 1.5, "supply_v": 12.0}
        self.outputs = {"motor_current_a": 0.0}
        self.memory: dict[str, bytes] = {}
        self.did: list[Any] = []
        self.watchdog: Line | None = None

    def send(self, frame: Frame, channel: str | None = None) -> None:
        self.did.append((frame, channel))

    def write(self, pin: str, value_ratio: float) -> None:
        if pin not in self.outputs or value_ratio != value_ratio:
            raise UsageError(f"write {pin}", got=value_ratio)
        self.outputs[pin] = value_ratio

    def log(self, kind: str, text: str) -> None:
        self.did.append((kind, text))

    def accept(self, arbitration_ids: Iterable[int] | None) -> None:
        self.did.append(("accept", arbitration_ids))

    def confirm(self, arbitration_ids: Iterable[int]) -> None:
        self.did.append(("confirm", arbitration_ids))

    def reset(self, kind: ResetKind) -> None:
        self.did.append(("reset", kind))


def command(number: int, *rest: int) -> Frame:
    return Frame(0x7F0, bytes((number, *rest)))


def numbers(port: Place, identifier: int = 0x701) -> list[int]:
    """What the module sent with an identifier."""
    sent = [item[0] for item in port.did if isinstance(item[0], Frame)]
    return [
        int.from_bytes(frame.data, "little", signed=True)
        for frame in sent
        if frame.arbitration_id == identifier
    ]


@pytest.fixture(params=["relocatable", "static", "relocatable, isolated", "static, isolated"])
def module(request: pytest.FixtureRequest, probe: Path, static_probe: Path) -> Module:
    """Makes modules of one kind."""
    kind: str = request.param
    path = static_probe if kind.startswith("static") else probe

    def made() -> CModule:
        return CModule(path, isolated=kind.endswith("isolated"))

    return made


@pytest.fixture
def in_process(probe: Path) -> CModule:
    return CModule(probe)


def started(node: CModule, port: Place, *, until_ms: int = 3) -> CModule:
    """The module after start and its timer at 1, 2, ... ms."""
    node.start(port, 0)
    for now_ms in range(1, until_ms + 1):
        assert node.next_deadline_ns() == ms(now_ms)
        node.on_timer(ms(now_ms))
    port.did.clear()
    return node


# ---- what a module sees ----


def test_a_module_is_a_node_and_says_what_it_is(module: Module, probe: Path) -> None:
    node = module()
    assert isinstance(node, Node)
    assert len(node.file_digest) == 32
    assert repr(node).startswith("CModule('")
    assert "probe.so'" in repr(node) and ("isolated=True" in repr(node)) is node.isolated
    assert not node.fixed_schedule
    assert header_path().name == "simcore_node.h" and header_path().is_file()


def test_a_start_finds_zeroed_memory_and_what_was_kept(module: Module) -> None:
    node, port = module(), Place()
    node.start(port, 0)
    assert port.did == [(Frame(0x700, b"\1\0\0\0"), None)]
    assert port.memory == {"starts": b"\1\0\0\0"}
    node.on_timer(ms(1))
    port.did.clear()
    port.reset_cause = ResetCause.SOFTWARE
    node.start(port, ms(5))
    assert port.did == [("note", "no power on"), (Frame(0x700, b"\2\0\0\0"), None)]
    assert node.next_deadline_ns() == ms(6)


def test_pins_are_read_and_written_by_index_and_by_name(module: Module) -> None:
    port = Place()
    node = started(module(), port, until_ms=4)
    assert port.outputs == {"motor_current_a": 0.004}
    port.inputs["wheel_speed_radps"] = 2.0
    node.on_timer(ms(5))
    assert numbers(port, 0x700) == [4 * 1500 + 2000]
    node.receive(command(59), ms(5))
    assert port.outputs == {"motor_current_a": 12.0}


def test_memory_by_key_is_written_read_in_part_and_erased(module: Module) -> None:
    port = Place()
    started(module(), port).receive(command(50), ms(4))
    assert numbers(port) == [-1, 300, 7, 9, -1]
    assert set(port.memory) == {"starts"}


def test_without_a_watchdog_there_is_none_and_nothing_happens(module: Module) -> None:
    port = Place()
    started(module(), port).receive(command(51), ms(4))
    assert numbers(port) == [-1, -1, -1, -1]
    assert len(port.did) == 4


def test_the_watchdog_is_served_through_its_line(module: Module) -> None:
    port = Place()
    node = started(module(), port)
    port.watchdog = Line(port.did)
    node.receive(command(51), ms(4))
    assert numbers(port) == [1, 7, 3, 0x5A]
    assert port.did[4:] == [
        ("answer", 0xA5, ms(4)),
        ("trigger", ms(4)),
        ("release", 3, ms(4)),
        ("serve", ms(4), True),
        ("demand_safe_state", ms(4)),
    ]


@pytest.mark.parametrize(
    ("number", "done"),
    [
        (52, ("confirm", (0x700, 0x701))),
        (53, ("accept", (0x700, 0x701))),
        (54, ("accept", None)),
        (55, ("reset", ResetKind.SOFT)),
        (56, ("note", "EMB_FL")),
        (60, ("note", r"\xff bytes")),
        (61, ("confirm", ())),
    ],
)
def test_everything_else_reaches_the_port(
    in_process: CModule, number: int, done: tuple[object, ...]
) -> None:
    port = Place()
    started(in_process, port).receive(command(number), ms(4))
    assert port.did == [done]


def test_channels_and_pins_that_are_not_there_are_none(module: Module) -> None:
    port = Place()
    started(module(), port).receive(command(57), ms(4))
    assert numbers(port) == [2, 1, -1, -1, -1]


def test_frames_of_every_kind_go_out_on_the_channel_that_was_named(module: Module) -> None:
    port = Place()
    started(module(), port).receive(command(58), ms(4))
    long = Frame(0x18DAF110, bytes(64), is_extended_id=True, is_fd=True, bitrate_switch=True)
    remote = Frame(0x100, is_remote_frame=True)
    assert port.did == [(long, "CHASSIS_B"), (remote, "CHASSIS_A")]


ECHOED = [
    Frame(0x7F1),
    Frame(0x7F1, b"12345678"),
    Frame(0x7F1, b"12345678", dlc=13),
    Frame(0x7F1, is_remote_frame=True, dlc=5),
    Frame(0x7F1, bytes(range(64)), is_fd=True),
    Frame(0x7F1, bytes(range(12)), is_fd=True, bitrate_switch=True),
    Frame(0x7F1, b"1", is_fd=True, error_state_indicator=True),
    Frame(0x1FFFFFFF, b"1", is_extended_id=True),
    Frame(0, bytes(20), is_extended_id=True, is_fd=True, bitrate_switch=True),
]


def test_a_frame_arrives_as_it_was_and_leaves_as_it_is(module: Module) -> None:
    port = Place()
    node = started(module(), port)
    for frame in ECHOED:
        node.receive(frame, ms(4))
    assert [frame for frame, _ in port.did] == ECHOED


def test_a_deadline_that_never_comes_is_none_and_stays_so_in_a_copy(module: Module) -> None:
    node = started(module(), Place())
    node.receive(command(48), ms(4))
    assert node.next_deadline_ns() is None
    twin = copy.deepcopy(node)
    twin.receive(command(0), ms(5))
    assert twin.next_deadline_ns() is None


def test_many_frames_in_many_calls_are_allowed(in_process: CModule) -> None:
    port = Place()
    node = started(in_process, port)
    for now_ms in (4, 5, 6):
        node.receive(command(49), ms(now_ms))
    assert len(numbers(port, 0x704)) == 1800


def test_frames_of_the_second_bus_and_tidings_of_controllers_arrive(module: Module) -> None:
    port = Place()
    node = started(module(), port)
    assert node.receive_on and node.bus_state and node.transmitted
    node.receive_on("CHASSIS_B", command(0), ms(4))
    node.bus_state("CHASSIS_A", ErrorState.BUS_OFF, ms(4))
    node.transmitted("CHASSIS_B", Frame(0x700, b"\0"), ms(4))
    assert numbers(port, 0x703) == [1]
    assert port.did[1:] == [
        ("note", "channel 0 is in error state 3"),
        ("note", "0x700 has left on 1"),
    ]
    with pytest.raises(UsageError, match="channel CHASSIS_C: expected CHASSIS_A, CHASSIS_B"):
        node.receive_on("CHASSIS_C", command(0), ms(4))


def test_a_port_that_does_not_say_its_outputs_is_told_the_name_that_was_asked_for(
    module: Module,
) -> None:
    port = Place()
    outputs = port.outputs
    del port.outputs
    port.write = outputs.__setitem__  # type: ignore[method-assign]
    node = started(module(), port, until_ms=2)
    assert outputs == {"motor_current_a": 0.002}
    twin = copy.deepcopy(node)
    twin_outputs = twin._port.write.__self__  # type: ignore[union-attr]
    twin.on_timer(ms(3))
    assert twin_outputs == {"motor_current_a": 0.003}


def test_optional_calls_are_not_offered_where_the_library_has_none(compile_c: Compile) -> None:
    source = Path(__file__).with_name("c_probe.c").read_text()
    for name in ("receive_on", "bus_state", "transmitted", "describe"):
        source = source.replace(f"simcore_node_{name}(", f"other_{name}(")
    lean = CModule(compile_c(source, "-Wno-missing-prototypes"))
    assert (lean.receive_on, lean.bus_state, lean.transmitted) == (None, None, None)


# ---- what a module does wrong ----

MISTAKES = [
    (20, "send of frame 0x100: length: expected 0..64 bytes, got 65"),
    (21, "frame 0x100: data: expected 0..8 bytes, got 9"),
    (22, "EMB_FL: send on channel 2: expected 0..1, or -1 for the default"),
    (23, "frame: base arbitration_id: expected 0..0x7FF, got 0x800"),
    (24, "send of frame 0x100: flags: expected within 0x1f, got 0x20"),
    (25, "send: expected a frame, got NULL"),
    (27, "write motor_current_a: got nan"),
    (28, "EMB_FL: write pin with index 99: expected 0..0, as find_output returned it"),
    (29, "EMB_FL: read pin with index -1: expected 0..1, as find_input returned it"),
    (30, "write horn: got 1.0"),
    (31, "EMB_FL: read pin 'horn': expected one of supply_v, wheel_speed_radps"),
    (32, "EMB_FL: log: expected one of state, detection, reaction, fault, note, dtc, got 'gossip'"),
    (33, "log, text: expected at most 1024 bytes, got more"),
    (34, "memory_erase, key: expected at most 64 bytes, got more"),
    (35, "memory_write 'k': expected at most 65536 bytes, got 65537"),
    (36, "memory_write, key: expected 1..64 bytes, got 0"),
    (37, "EMB_FL: reset: expected one of 1 (HARD), 2 (KEY_OFF_ON), 3 (SOFT), got 9"),
    (38, "EMB_FL: send: expected at most 1000 frames in a call"),
    (39, "memory_read, key: expected a text, got NULL"),
    (43, "confirm: expected 12 bytes, got NULL"),
    (44, "memory_read, buffer: expected 4 bytes, got NULL"),
    (45, "EMB_FL: at most 10000 calls of the host in one call"),
]


@pytest.mark.parametrize(
    ("number", "complaint", "isolated"),
    [
        *((number, text, False) for number, text in MISTAKES),
        *((number, text, True) for number, text in MISTAKES if number in (21, 27, 31, 38, 45)),
    ],
)
def test_a_mistake_raises_when_the_call_has_returned_and_ends_the_module(
    probe: Path, number: int, complaint: str, isolated: bool
) -> None:
    port = Place()
    node = started(CModule(probe, isolated=isolated), port)
    with pytest.raises(UsageError, match=re.escape(complaint)) as raised:
        node.receive(command(number), ms(4))
    assert str(raised.value) == complaint
    assert len(port.did) == (1000 if number == 38 else 0)
    assert node.next_deadline_ns() is None
    with pytest.raises(
        UsageError, match=r"probe\.so: timer at 5 ms: expected a module that has been started, got"
    ):
        node.on_timer(ms(5))
    node.start(port, ms(6))
    assert port.memory["starts"] == b"\2\0\0\0"


def test_after_a_mistake_nothing_has_an_effect_any_more(module: Module) -> None:
    port = Place()
    node = started(module(), port)
    with pytest.raises(UsageError, match="write pin with index 99"):
        node.receive(command(26), ms(4))
    assert (port.did, port.outputs) == ([], {"motor_current_a": 0.003})
    assert set(port.memory) == {"starts"}


def test_a_start_that_fails_ends_what_ran_before(module: Module) -> None:
    class Torn(Place):
        @property
        def channels(self) -> tuple[str, ...]:  # type: ignore[override]
            raise RuntimeError("torn")

    node = started(module(), Place())
    with pytest.raises(RuntimeError, match="torn"):
        node.start(Torn(), ms(4))
    with pytest.raises(UsageError, match="expected a module that has been started"):
        node.on_timer(ms(4))


@pytest.mark.parametrize(
    ("number", "complaint"),
    [
        (5, "receive of 0x7F0 at 4 ms: the module wrote behind its state of 33 bytes"),
        (6, "receive of 0x7F0 at 4 ms: the module wrote before its state of 33 bytes"),
        (7, "receive of 0x7F0 at 4 ms: the module wrote into the frame it was given"),
        (8, "receive of 0x7F0 at 4 ms: the module wrote behind the frame it was given"),
    ],
)
@pytest.mark.parametrize("isolated", [False, True])
def test_a_write_past_its_memory_is_found_at_the_call_that_did_it(
    probe: Path, number: int, complaint: str, isolated: bool
) -> None:
    node = started(CModule(probe, isolated=isolated), Place())
    with pytest.raises(ModuleMemoryError, match=f"^{complaint}$"):
        node.receive(command(number), ms(4))


@pytest.mark.parametrize("isolated", [False, True])
def test_a_pointer_into_its_own_state_shows_when_the_state_is_moved(
    probe: Path, isolated: bool
) -> None:
    node = started(CModule(probe, isolated=isolated), Place())
    node.receive(command(40), ms(3))
    with pytest.raises(ModuleMemoryError, match="where its state lay before: it keeps a pointer"):
        for now_ms in range(4, 20):
            node.on_timer(ms(now_ms))


def test_without_the_promise_a_module_may_point_into_its_state(static_probe: Path) -> None:
    port = Place()
    node = started(CModule(static_probe), port)
    node.receive(command(40), ms(3))
    for now_ms in range(4, 20):
        node.on_timer(ms(now_ms))
    assert port.outputs == {"motor_current_a": 0.019}


def test_a_host_that_is_kept_for_later_is_refused(module: Module) -> None:
    node = started(module(), Place())
    node.receive(command(41), ms(3))
    with pytest.raises(
        UsageError, match="passed in an earlier call: expected that it uses the one"
    ):
        node.on_timer(ms(4))


def test_what_the_port_raises_passes_through_c_unharmed(in_process: CModule) -> None:
    class Odd(Place):
        def log(self, kind: str, text: str) -> None:
            raise KeyboardInterrupt

    node = started(in_process, Odd())
    with pytest.raises(KeyboardInterrupt):
        node.receive(command(56), ms(4))


def test_a_call_before_the_start_is_refused(module: Module) -> None:
    with pytest.raises(UsageError, match="timer at 1 ms: expected a module that has been started"):
        module().on_timer(ms(1))
    assert module().next_deadline_ns() is None


def test_a_limit_that_is_no_time_is_refused(probe: Path) -> None:
    for limit_s in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="call_limit_s: expected a time > 0 s and <= 3600 s"):
            CModule(probe, call_limit_s=limit_s)


def test_every_order_is_carried_out_by_somebody() -> None:
    assert set(_CARRIED_OUT) == set(Order)


# ---- several instances, copies ----


def life(node: CModule, port: Place, first_ms: int, last_ms: int) -> None:
    """Timers and frames."""
    for now_ms in range(first_ms, last_ms):
        port.inputs["wheel_speed_radps"] = 0.25 * now_ms
        node.on_timer(ms(now_ms))
        node.receive(Frame(0x60, bytes((now_ms & 0xFF, 7))), ms(now_ms) + 10)
        if now_ms % 7 == 0:
            node.receive(command(50), ms(now_ms) + 20)


def test_instances_of_one_library_do_not_know_of_each_other(module: Module) -> None:
    alone = Place()
    life(started(module(), alone, until_ms=1), alone, 2, 30)
    ports = [Place() for _ in range(3)]
    nodes = [started(module(), port, until_ms=1) for port in ports]
    for first_ms in range(2, 30, 4):
        for node, port in zip(nodes, ports, strict=True):
            life(node, port, first_ms, first_ms + 4)
    assert alone.did and all(port.did == alone.did for port in ports)


def copied(node: CModule) -> tuple[CModule, Place]:
    twin = copy.deepcopy(node)
    assert isinstance(twin._port, Place)
    return twin, twin._port


def pickled(node: CModule) -> tuple[CModule, Place]:
    twin = pickle.loads(pickle.dumps(node))
    assert isinstance(twin, CModule) and isinstance(twin._port, Place)
    return twin, twin._port


@pytest.mark.parametrize("how", [copied, pickled])
def test_a_copy_goes_on_as_the_original_does(
    module: Module, how: Callable[[CModule], tuple[CModule, Place]]
) -> None:
    port = Place()
    node = started(module(), port, until_ms=1)
    life(node, port, 2, 12)
    twin, twin_port = how(node)
    again, again_port = how(twin)
    life(node, port, 12, 30)
    assert len(again_port.did) < len(port.did)
    for each, each_port in ((twin, twin_port), (again, again_port)):
        assert each.next_deadline_ns() == ms(12)
        life(each, each_port, 12, 30)
        assert each_port.did == port.did
        assert each_port.outputs == port.outputs
    later, later_port = how(twin)
    for each, each_port in ((node, port), (later, later_port)):
        life(each, each_port, 30, 40)
    assert later_port.did == port.did


def test_a_copy_that_is_never_called_costs_no_instance(module: Module) -> None:
    node = started(module(), Place())
    twins = [copy.deepcopy(node) for _ in range(3)]
    assert all(twin._runner is None for twin in twins)
    assert len({id(twin._snapshot) for twin in twins}) == 1


def test_a_copy_within_a_call_is_refused(in_process: CModule) -> None:
    class Copying(Place):
        def log(self, kind: str, text: str) -> None:
            copy.deepcopy(in_process)

    node = started(in_process, Copying())
    with pytest.raises(UsageError, match="copy: expected between two calls, got within one"):
        node.receive(command(56), ms(4))


def test_a_module_that_reads_a_clock_cannot_be_copied_and_that_is_said(
    static_probe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = started(CModule(static_probe), Place())
    node.receive(command(46), ms(4))
    sum(range(10**6))  # let some processor time pass
    twin = copy.deepcopy(node)
    with pytest.raises(
        UsageError,
        match="receive of 0x7F0 at 4 ms, repeated for a copy of the module: expected that it does "
        "the same with the same inputs, got something else",
    ):
        twin.on_timer(ms(5))
    node.on_timer(ms(5))


def test_an_instance_that_nobody_needs_goes(in_process: CModule) -> None:
    started(in_process, Place())
    block = weakref.ref(in_process._runner._block)  # type: ignore[union-attr]
    in_process.start(Place(), 0)
    gc.collect()
    assert block() is None


# ---- on the rig ----


def mounted(node: CModule) -> Rig:
    rig = Rig(seed=3)
    rig.replace("EMB_FL", node)
    return rig


def tell(rig: Rig, number: int) -> None:
    rig.host("EMB_FL").receiver(0)(command(number))


def test_a_fork_of_a_rig_ends_with_the_digest_of_the_original(module: Module) -> None:
    rig = mounted(module())
    rig.run_for(ms(20))
    fork = rig.fork()
    moved: Rig = pickle.loads(pickle.dumps(rig))
    rig.run_for(ms(20))
    assert not rig.log.findings
    for each in (fork, moved):
        assert each.digest != rig.digest
        each.run_for(ms(20))
        assert each.digest == rig.digest


def test_isolated_or_not_relocatable_or_not_the_run_is_the_same(
    probe: Path, static_probe: Path
) -> None:
    digests = set()
    for path in (probe, static_probe):
        for isolated in (False, True):
            rig = mounted(CModule(path, isolated=isolated))
            rig.guard("EMB_FL", fs65())
            rig.run_for(ms(5))
            for number in (50, 51, 57, 59, 60):
                tell(rig, number)
            rig.run_for(ms(5))
            rig.reset("EMB_FL")
            tell(rig, 28)
            rig.run_for(ms(2))
            (finding,) = rig.log.findings
            assert "raised UsageError: EMB_FL: write pin with index 99" in finding.text
            digests.add(rig.digest)
    assert len(digests) == 1


def test_a_mistake_is_a_finding_and_a_power_cycle_brings_the_module_back(module: Module) -> None:
    rig = mounted(module())
    rig.run_for(ms(4))
    tell(rig, 27)
    (finding,) = rig.log.findings
    assert finding.source == "EMB_FL"
    assert (
        "raised UsageError: EMB_FL: write pin 'motor_current_a': expected a finite" in finding.text
    )
    assert "the node is switched off" in finding.text
    assert not rig.host("EMB_FL").running
    rig.run_for(ms(4))
    rig.reset("EMB_FL")
    rig.run_for(ms(4))
    assert rig.host("EMB_FL").memory["starts"] == b"\2\0\0\0"
    assert rig.host("EMB_FL").outputs["motor_current_a"] > 0.0
    assert len(rig.log.findings) == 1


def test_a_deadline_that_does_not_move_on_is_a_finding(in_process: CModule) -> None:
    rig = mounted(in_process)
    rig.run_for(ms(4))
    tell(rig, 42)
    rig.run_for(ms(1))
    assert not rig.log.findings  # due at once, once, is allowed
