"""A module in a process of its own: whatever becomes of that, the run goes on and says so."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simcore.attach import isolation
from simcore.attach.c_module import CModule
from simcore.attach.isolation import IsolatedRunner, ModuleCrashError, ModuleHangError
from simcore.bus import Frame
from simcore.errors import UsageError
from simcore.rig import Rig
from simcore.units import ms

Compile = Callable[..., Path]

SHORT_S = 0.1


@pytest.fixture(scope="module")
def warm(probe: Path) -> Rig:
    """A rig with an isolated module, 2 ms after power on. Never run: fork it."""
    rig = Rig(seed=3)
    rig.replace("EMB_FL", CModule(probe, isolated=True, call_limit_s=SHORT_S))
    rig.run_for(ms(2))
    return rig


@pytest.fixture
def rig(warm: Rig) -> Rig:
    return warm.fork()


class Port:
    """Enough of a port for a start."""

    name = "EMB_FL"
    channels = ("CHASSIS_A",)

    def __init__(self) -> None:
        self.inputs = {"wheel_speed_radps": 1.5}
        self.memory: dict[str, bytes] = {}

    def send(self, frame: Frame, channel: str | None = None) -> None: ...

    def write(self, pin: str, value_ratio: float) -> None: ...


def tell(rig: Rig, number: int) -> None:
    rig.host("EMB_FL").receiver(0)(Frame(0x7F0, bytes((number,))))


def module_of(rig: Rig) -> CModule:
    node = rig.node("EMB_FL")
    assert isinstance(node, CModule)
    return node


def pid_of(node: CModule) -> int:
    runner = node._runner
    assert isinstance(runner, IsolatedRunner)
    return runner._child.pid


def state_of(pid: int) -> str:
    """`R`, `S`, `Z` for a zombie, `` for no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


def flush() -> None:
    """The server has carried out what it was told: it serves one wish after the other."""
    isolation._server().end(0)


ENDS = [
    (1, "ModuleCrashError: crashed with SIGSEGV in receive of 0x7F0 at 2 ms"),
    (2, "ModuleHangError: hung in receive of 0x7F0 at 2 ms: no return within 0.1 s on the wall's"),
    (3, "ModuleCrashError: called exit(3) in receive of 0x7F0 at 2 ms"),
    (4, "ModuleCrashError: crashed with SIGABRT in receive of 0x7F0 at 2 ms"),
    (5, "ModuleMemoryError: receive of 0x7F0 at 2 ms: the module wrote behind its state"),
    (9, "ModuleCrashError: crashed with SIGABRT in receive of 0x7F0 at 2 ms"),
    (10, "ModuleHangError: hung in receive of 0x7F0 at 2 ms: no return within 0.1 s on the wall's"),
    (11, "ModuleCrashError: called exit(0) in receive of 0x7F0 at 2 ms"),
]
"""What a command makes of the module, and how that is said."""


@pytest.mark.parametrize(("number", "said"), ENDS)
def test_the_end_of_a_module_is_said_and_leaves_no_process(
    probe: Path, number: int, said: str
) -> None:
    if number == 9 and "LD_PRELOAD" not in isolation._checked_heap({}):
        pytest.skip("no libc_malloc_debug.so.0 on this machine, which watches the heap")
    node, port = CModule(probe, isolated=True, call_limit_s=SHORT_S), Port()
    node.start(port, 0)
    pid = pid_of(node)
    with pytest.raises(UsageError, match=r"0x7F0 at 2 ms") as raised:
        node.receive(Frame(0x7F0, bytes((number,))), ms(2))
    assert f"{type(raised.value).__name__}: {raised.value}".startswith(said)
    flush()
    assert state_of(pid) == ""
    node.start(port, ms(5))
    assert (node.next_deadline_ns(), port.memory["starts"]) == (ms(6), b"\2\0\0\0")


@pytest.mark.parametrize(("number", "said"), ENDS[:2])
def test_on_the_rig_it_is_a_finding_and_the_run_goes_on(rig: Rig, number: int, said: str) -> None:
    twin = rig.fork()
    for each in (rig, twin):
        tell(each, number)
        (finding,) = each.log.findings
        assert finding.source == "EMB_FL"
        assert said in finding.text and "; the node is switched off" in finding.text
        assert not each.host("EMB_FL").running
        each.run_for(ms(2))
        each.reset("EMB_FL")
        each.run_for(ms(2))
        assert each.host("EMB_FL").memory["starts"] == b"\2\0\0\0"
        assert len(each.log.findings) == 1
    assert rig.digest == twin.digest


@pytest.mark.parametrize(
    ("number", "said"), [("SIGKILL", "crashed with SIGKILL in timer"), ("SIGSTOP", "hung in timer")]
)
def test_what_happens_to_a_process_from_outside_is_a_finding_too(
    probe: Path, number: str, said: str
) -> None:
    node = CModule(probe, isolated=True, call_limit_s=SHORT_S)
    node.start(Port(), 0)
    os.kill(pid_of(node), signal.Signals[number])
    with pytest.raises(UsageError, match=f"^{said} at 1 ms"):
        node.on_timer(ms(1))


@pytest.mark.parametrize(
    "nonsense", [b"\0garbage", b"\0\x91\xcc\xff", b"\0\x90", b"\1more", b"\7", b"\1" * 3000]
)
def test_nonsense_from_a_process_is_a_finding(
    probe: Path, compile_c: Compile, nonsense: bytes
) -> None:
    node = CModule(probe, isolated=True)
    node.start(Port(), 0)
    runner = node._runner
    assert isinstance(runner, IsolatedRunner)
    child = runner._child
    here, there = isolation.socket.socketpair(
        isolation.socket.AF_UNIX, isolation.socket.SOCK_SEQPACKET
    )
    with here, there:
        child.link, link = here, child.link
        there.send(nonsense)
        if nonsense[0] == 1:
            there.send(b"\2")
        with pytest.raises(ModuleCrashError, match="sent nonsense from its process in timer at 1"):
            node.on_timer(ms(1))
        link.close()


def test_a_library_that_crashes_when_it_is_loaded_is_refused_with_that(compile_c: Compile) -> None:
    source = """
        #include <stdlib.h>
        __attribute__((constructor)) static void first(void) { abort(); }
    """
    with pytest.raises(ModuleCrashError, match="crashed with SIGABRT in loading"):
        CModule(compile_c(source), isolated=True)


def test_a_library_that_hangs_when_it_is_loaded_is_refused_with_that(compile_c: Compile) -> None:
    source = """
        #include <unistd.h>
        __attribute__((constructor)) static void first(void) { pause(); }
    """
    with pytest.raises(ModuleHangError, match=r"hung in loading: no return within 0\.1 s"):
        CModule(compile_c(source), isolated=True, call_limit_s=SHORT_S)


def test_what_a_module_prints_is_seen_and_a_killed_simulator_leaves_no_process(probe: Path) -> None:
    root = Path(isolation.__file__).parent.parent
    script = f"""
import os, signal, sys, types
sys.path[:] = {sys.path!r}
for name, folder in (("simcore", {str(root)!r}), ("simcore.attach", {str(root / "attach")!r})):
    sys.modules[name] = types.ModuleType(name)  # not all that simcore imports: it takes a second
    sys.modules[name].__path__ = [folder]
from simcore.attach.c_abi import FRAME, Call, Entry, Surroundings
from simcore.attach.c_library import LibraryFile
from simcore.attach.isolation import IsolatedRunner

class World:
    def read(self, pin): return 0.0
    def take(self, order, *arguments): return None

surroundings = Surroundings("X", ("A",), ("wheel_speed_radps",), ("motor_current_a",), True)
runner = IsolatedRunner(LibraryFile.at({str(probe)!r}), surroundings, b"", 5.0)
runner.call(Call(Entry.START, 0), World())
runner.call(Call(Entry.RECEIVE, 1, frame=FRAME.pack(0x7F0, 0, 1, 1, 0, bytes([47]))), World())
os.kill(os.getpid(), signal.SIGKILL)
"""
    # All processes hold standard error: to have read it to its end means that none is left.
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert (done.stdout, done.stderr) == (b"", b"hello from C\n")


def test_processes_go_with_the_modules_they_stand_for(probe: Path) -> None:
    node = CModule(probe, isolated=True)
    node.start(Port(), 0)
    twin = copy.deepcopy(node)
    twin.on_timer(ms(1))
    pids = [pid_of(each) for each in (node, twin)]
    assert len(set(pids)) == 2
    assert all(state_of(pid) for pid in pids)
    node.start(Port(), 0)
    flush()
    assert (state_of(pids[0]), bool(state_of(pids[1]))) == ("", True)
    del twin
    gc.collect()
    flush()
    assert state_of(pids[1]) == ""


def test_a_process_that_has_ended_is_not_ended_again_under_the_pid_of_another(
    probe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dismissed: list[int] = []
    monkeypatch.setattr(isolation._Server, "dismiss", lambda self, pid: dismissed.append(pid))
    node = CModule(probe, isolated=True)
    node.start(Port(), 0)
    with pytest.raises(ModuleCrashError, match="SIGSEGV"):
        node.receive(Frame(0x7F0, b"\1"), ms(1))
    del node
    gc.collect()
    assert dismissed == []


def test_another_process_may_not_use_a_module_but_its_pickle(probe: Path) -> None:
    node = CModule(probe, isolated=True)
    node.start(Port(), 0)
    runner = node._runner
    assert isinstance(runner, IsolatedRunner)
    server = runner._child._server
    server.owner += 1  # as it is in a process that was forked from the one that started it
    try:
        with pytest.raises(
            UsageError, match=r"probe\.so: timer at 1 ms: expected a call from proc"
        ):
            node.on_timer(ms(1))
    finally:
        server.owner -= 1


def test_another_system_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation.sys, "platform", "win32")
    with pytest.raises(UsageError, match=r"^isolated=True: expected Linux, got win32$"):
        isolation._Server()


def test_a_server_that_was_killed_is_replaced(probe: Path) -> None:
    first = isolation._server()
    node = CModule(probe, isolated=True)
    node.start(Port(), 0)
    twin: CModule = pickle.loads(pickle.dumps(node))
    first._process.kill()
    first._process.wait()
    with pytest.raises(ModuleCrashError, match="the process that starts isolated modules has ende"):
        node.on_timer(ms(1))
    twin.on_timer(ms(1))
    assert isolation._server() is not first
    assert copy.deepcopy(twin).next_deadline_ns() == ms(2)


def test_a_large_state_travels(compile_c: Compile) -> None:
    source = Path(__file__).with_name("c_probe.c").read_text()
    source = source.replace("sizeof(probe) + 1;", "sizeof(probe) + 300001;")
    source = source.replace("static volatile int zero;", "static volatile int zero;\n", 1)
    node = CModule(compile_c(source), isolated=True)
    node.start(Port(), 0)
    twin = copy.deepcopy(node)
    twin.on_timer(ms(1))
    assert twin.facts.state_size > 300_000
    assert twin.next_deadline_ns() == ms(2)


def test_a_busy_machine_is_no_hang(probe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = CModule(probe, isolated=True, call_limit_s=SHORT_S)
    node.start(Port(), 0)
    runner = node._runner
    assert isinstance(runner, IsolatedRunner)
    child, asked = runner._child, []
    os.kill(child.pid, signal.SIGSTOP)

    def starved(self: Any) -> bool:
        asked.append(self)
        if len(asked) == 2:
            os.kill(child.pid, signal.SIGCONT)
        return True

    monkeypatch.setattr(isolation._Child, "_is_starved", starved)
    node.on_timer(ms(1))
    assert node.next_deadline_ns() == ms(2)
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("state", "user_ticks", "system_ticks", "starved"),
    [
        ("R", 100, 0, True),
        ("R", 100, 49, True),
        ("R", 150, 50, False),
        ("R", 100, 100, False),
        ("S", 100, 0, False),
        ("D", 100, 0, False),
    ],
)
def test_only_who_wants_to_run_and_was_not_let_is_starved(
    state: str, user_ticks: int, system_ticks: int, starved: bool
) -> None:
    # 1 s used before, limit 1 s, ticks of 10 ms; a name may hold anything
    fields = [state, *["0"] * 10, str(user_ticks), str(system_ticks), "9999"]
    status = f"7 (R) S 9 (x) {' '.join(fields)}"
    assert isolation._TICKS_PER_S == 100
    assert isolation.is_starved(status, 10**9, 1.0) is starved
