"""The shipped C brake actuator: built in one command, in all four corners, part by part."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from e2e import p05

from simcore.attach.c_module import CModule, header_path
from simcore.attach.dut import load_dut
from simcore.ecu import Node
from simcore.network import Database
from simcore.protection import E2eStateMachine, E2eStatus
from simcore.resources import scenario_path
from simcore.rig import Rig
from simcore.rig.measure import Stop
from simcore.rig.reference import EMB_NODES, WATCHDOGS
from simcore.rig.stand import NodeStand
from simcore.units import ms, s

MODULES = scenario_path("modules/brake_actuator.c").parent
STRICT = ("-std=c99", "-O2", "-Wall", "-Wextra", "-pedantic", "-Werror")
READY = ms(400)
ASKED = (
    *("3E 00", "3E 80", "3E", "3E 01", "3E 00 00", "10 01", "10 03", "10", "10 7F", "11 04"),
    *("22 F1 86", "22 F1 90", "22 F1", "22", "22 FF FF", "85 01", "85 03", "28 00", "28 07 01"),
    *("BA 00", "10 01", "85 01", "28 00 01", "10 83", "22 F1 86", "22 F1 97 F1 90 F1 86"),
)
"""Requests that the reference understands as the module does."""
Build = Callable[..., Path]


@pytest.fixture(scope="module")
def compiler() -> str:
    for name in (os.environ.get("CC", ""), "cc", "gcc", "clang"):
        found = shutil.which(name) if name else None
        if found:
            return found
    pytest.skip("no C compiler on this machine")


@pytest.fixture(scope="module")
def library(compiler: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The actuator as its README builds it, with its sidecar beside it."""
    folder = tmp_path_factory.mktemp("modules")
    built = folder / "brake_actuator.so"
    include = f"-I{header_path().parent}"
    source = str(MODULES / "brake_actuator.c")
    command = [compiler, *STRICT, "-shared", "-fPIC", include, "-o", str(built), source]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    shutil.copy(MODULES / "brake_actuator.toml", folder)
    return built


@pytest.fixture(scope="module")
def probe(compiler: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[str]]:
    """A program around the actuator's E2E: answers each line of its input with one."""
    folder = tmp_path_factory.mktemp("probe")
    (folder / "probe.c").write_text(PROBE)
    program = folder / "probe"
    include = (f"-I{header_path().parent}", f"-I{MODULES}")
    command = [compiler, "-std=c99", *include, "-o", str(program), str(folder / "probe.c")]
    subprocess.run(command, check=True, capture_output=True)

    def answers(text: str) -> list[str]:
        done = subprocess.run([str(program)], input=text, capture_output=True, text=True)
        assert done.returncode == 0
        return done.stdout.split()

    return answers


PROBE = """
#include "brake_actuator_com.h"
#include <stdio.h>
int main(void)
{
    stream_t stream;
    unsigned data_id, length, byte, check;
    char kind;
    stream_start(&stream);
    while (scanf(" %c", &kind) == 1) {
        if (kind == 'p') { /* protect: data id, counter, length, bytes */
            uint8_t data[64] = {0}, counter;
            if (scanf("%x %x %u", &data_id, &byte, &length) != 3) return 1;
            counter = (uint8_t)byte;
            for (unsigned i = 0; i < length; i++) {
                if (scanf("%2x", &byte) != 1) return 1;
                data[i] = (uint8_t)byte;
            }
            e2e_protect(data, length, (uint16_t)data_id, &counter);
            for (unsigned i = 0; i < length; i++) printf("%02x", data[i]);
            printf("\\n");
        } else { /* one check of the state machine */
            if (scanf("%u", &check) != 1) return 1;
            e2e_step(&stream, (check_t)check);
            printf("%u\\n", stream.state);
        }
    }
    return 0;
}
"""


def test_a_frame_is_protected_as_autosar_says(probe: Callable[[str], list[str]]) -> None:
    # Vectors of AUTOSAR PRS_E2EProtocol for profile 5: 8 bytes, data id 0x1234.
    assert probe(f"p 1234 0 8 {bytes(8).hex()}") == ["1cca000000000000"]
    assert probe(f"p 1234 1 8 {bytes(8).hex()}") == ["cf8d010000000000"]


def test_any_frame_passes_the_check_of_the_published_library(
    probe: Callable[[str], list[str]],
) -> None:
    rng = random.Random(5)
    orders, ids = [], []
    for _ in range(200):
        length, data_id = rng.choice((12, 16, 20, 24)), rng.randrange(0x10000)
        payload = rng.randbytes(length).hex()
        orders.append(f"p {data_id:x} {rng.randrange(256):x} {length} {payload}")
        ids.append(data_id)
    frames = [bytes.fromhex(line) for line in probe("\n".join(orders))]
    assert len(frames) == 200
    for frame, data_id in zip(frames, ids, strict=True):
        assert p05.e2e_p05_check(frame, data_id)
        assert not p05.e2e_p05_check(frame, data_id ^ 1)


def test_the_state_machine_goes_the_way_of_the_standard_s(
    probe: Callable[[str], list[str]],
) -> None:
    """Against the table-driven one of `simcore.protection`, over random checks of three kinds."""
    rng = random.Random(7)
    statuses = (E2eStatus.REPEATED, E2eStatus.OK, E2eStatus.ERROR, E2eStatus.NO_NEW_DATA)
    states = {"NO_DATA": "0", "INIT": "1", "VALID": "2", "INVALID": "3"}
    for badness, begin in ((1, []), (4, [1]), (10, [3] * 7)):
        checks = begin + rng.choices(range(4), (badness, 40, badness, badness), k=1500)
        machine = E2eStateMachine()
        expected = [states[machine.step(statuses[check]).name] for check in checks]
        assert probe("\n".join(f"s {check}" for check in checks)) == expected
        assert {"2", "3"} <= set(expected)


# ---- on the stand ----


@pytest.fixture
def stand(library: Path) -> NodeStand:
    """The actuator up and running in front on the left, nobody asks for force."""
    made = NodeStand(Database.reference(), "EMB_FL", axle="front", watchdog=WATCHDOGS["EMB_FL"][0])
    for lane in ("CDC", "CDC2"):
        made.set(f"{lane}_EmbCmd", **{f"{lane}_FL_ReqVld": 1, f"{lane}_FL_FSlope": 1000})
    made.set("CDC_VehDyn", CDC_VehSpd=0.0, CDC_VehSpdQf="Valid")
    made.set("BPS_Pedal", BPS_Trvl1=40.0, BPS_Trvl2=40.0, BPS_Qf1="Valid", BPS_Qf2="Valid")
    made.mount(CModule(library))
    made.run_for(READY)
    return made


def ask(stand: NodeStand, force_n: float, lane: str = "CDC") -> None:
    mode = "ForceCtrl" if force_n else "Clearance"
    stand.set(f"{lane}_EmbCmd", **{f"{lane}_FL_Mode": mode})
    stand.set(f"{lane}_EmbCmd", **{f"{lane}_FL_FReq": force_n})


def said(stand: NodeStand, signal: str) -> str:
    """The last value of a signal of the first status frame, as its table calls it."""
    message = stand.database.message("EMB_FL_St1")
    value = message.codec.decode(last(stand, "EMB_FL_St1"))[f"EMB_FL_{signal}"]
    choices = message.signal(f"EMB_FL_{signal}").choices or {}
    return str(choices.get(int(value), value))


def last(stand: NodeStand, name: str) -> bytes:
    identifier = stand.database.message(name).arbitration_id
    frames = [f for f in stand.recorder.frames if f.frame.arbitration_id == identifier]
    return bytes(frames[-1].frame.data)


@pytest.mark.parametrize("force_n", [2_000, 15_000, 36_000])
def test_the_force_comes_and_goes_as_asked_for(stand: NodeStand, force_n: int) -> None:
    """BRK-005 and BRK-004."""
    ask(stand, force_n)
    stand.run_for(ms(250))
    assert stand.pin("clamp_force_n") == pytest.approx(force_n, abs=max(300.0, 0.03 * force_n))
    assert said(stand, "State") == "ForceCtrl"
    ask(stand, 0)
    stand.run_for(ms(155))
    assert stand.pin("clamp_force_n") < 500.0


def test_without_the_first_lane_the_second_one_is_obeyed(stand: NodeStand) -> None:
    """COM-004."""
    ask(stand, 12_000)
    ask(stand, 6_000, lane="CDC2")
    stand.run_for(ms(200))
    stand.stop("CDC_EmbCmd")
    stand.run_for(ms(120))
    assert stand.pin("clamp_force_n") == pytest.approx(6_000, abs=300.0)


def test_a_command_of_one_frame_that_the_pedal_does_not_explain_does_little(
    stand: NodeStand,
) -> None:
    """SAF-004: three commands of 40 kN in a row, and nobody brakes."""
    stand.set("BPS_Pedal", BPS_Trvl1=0.0, BPS_Trvl2=0.0)
    stand.run_for(ms(50))
    ask(stand, 40_000)
    stand.run_for(ms(15))
    ask(stand, 0)
    stand.run_for(ms(300))
    assert stand.recorded("clamp_force_n", since_ns=READY).max() < 2_500.0


def test_it_is_released_when_its_watchdog_takes_the_power_stage_away(
    stand: NodeStand,
) -> None:
    """WDG-003: it opens, says so, and brakes again once it is served."""
    ask(stand, 10_000)
    stand.run_for(ms(200))
    board = stand.dut.board
    assert board is not None
    board.demand_safe_state(stand.now_ns)
    stand.run_for(ms(150))
    assert said(stand, "State") == "SafeReleased"
    assert said(stand, "EnLine") == "Off"
    assert stand.pin("clamp_force_n") < 500.0


def test_diagnostics_answer_as_those_of_the_reference_do(stand: NodeStand) -> None:
    """Requests that both understand; identification differs, its identifiers do not."""
    reference = Rig()
    reference.run_for(READY)
    for text in ASKED:
        request = bytes.fromhex(text)
        mine = stand.tester.request("EMB_FL", request, timeout=ms(200))
        assert mine == reference.tester.request("EMB_FL", request, timeout=ms(200)), text
    mine = stand.tester.request("EMB_FL", bytes.fromhex("22 F189 F195 F18A F187"))
    assert mine is not None and len(mine) > 24, "does not take several frames"
    assert mine[:12] == b"\x62\xf1\x89C99 1.0.0"


def test_a_reset_by_a_tester_starts_it_anew(stand: NodeStand) -> None:
    assert stand.tester.request("EMB_FL", b"\x11\x01") == b"\x51\x01"
    stand.run_for(ms(80))
    assert said(stand, "State") in ("Init", "SelfTest")
    stand.run_for(READY)
    assert said(stand, "State") == "Ready"


# ---- in the vehicle ----


def stopped(build: Callable[[], Node] | None, *, fork_at_ns: int = 0) -> tuple[Stop, str]:
    """A panic stop from 70 km/h with these modules in all four corners."""
    rig = Rig()
    for name in EMB_NODES if build else ():
        assert build is not None
        rig.replace(name, build())
        rig.guard(name, WATCHDOGS[name][0], cuts="outputs")
    rig.vehicle.set_speed(kmh=70)
    rig.run_for(ms(300))
    if fork_at_ns:
        rig = rig.fork()
    return rig.measure_stop(pedal_pct=100, timeout=s(10)), rig.digest


def test_four_of_them_stop_the_car_as_the_reference_does_and_repeat_it(library: Path) -> None:
    """BRK-001, BRK-002; the digest is the same again, and from a copy in the midst."""
    stop, digest = stopped(lambda: CModule(library))
    reference, _ = stopped(None)
    assert stop.distance_m == pytest.approx(reference.distance_m, abs=0.2)
    assert stop.response_ms is not None and stop.response_ms <= 200.0
    assert stop.longest_lock_ms <= 150.0
    assert stopped(lambda: CModule(library), fork_at_ns=1) == (stop, digest)


def test_it_loads_by_its_path_and_its_sidecar_says_what_it_lacks(library: Path) -> None:
    dut = load_dut(str(library))
    assert (dut.kind, dut.forkable, dut.has_pins) == ("c", True, True)
    assert "update.*" in dut.omits
    assert all(len(reason) > 20 for reason in dut.omits.values())


@pytest.mark.parametrize("node", ["EMB_FR", "EMB_RL", "EMB_RR"])
def test_it_works_in_every_corner(library: Path, node: str) -> None:
    stand = NodeStand(Database.reference(), node, axle="front" if node[4] == "F" else "rear")
    corner = node[4:]
    command = {f"CDC_{corner}_ReqVld": 1, f"CDC_{corner}_FSlope": 1000, f"CDC_{corner}_FReq": 9000}
    stand.set("BPS_Pedal", BPS_Trvl1=40.0, BPS_Trvl2=40.0, BPS_Qf1="Valid", BPS_Qf2="Valid")
    stand.set("CDC_EmbCmd", **command)
    stand.set("CDC_EmbCmd", **{f"CDC_{corner}_Mode": "ForceCtrl"})
    stand.mount(load_dut(str(library)).build(node, stand.database))
    stand.run_for(ms(500))
    assert stand.pin("clamp_force_n") == pytest.approx(9000, abs=300)
    for name in (f"{node}_St1", f"{node}_St2"):
        protection = stand.database.message(name).e2e
        assert protection is not None
        assert p05.e2e_p05_check(last(stand, name), protection.data_id), name
    if corner.startswith("R"):
        stand.set("CDC_EmbCmd", **{f"CDC_{corner}_Mode": "ParkApply"})
        stand.run_for(ms(300))
        assert stand.pin("park_lock_state") == 1.0
        assert stand.pin("motor_current_a") == 0.0


def test_a_place_without_a_corner_is_refused_in_words(library: Path) -> None:
    stand = NodeStand(Database.reference(), "BPS")
    stand.mount(CModule(library))
    stand.run_for(ms(100))
    events = [event.text for event in stand.log.events if event.source == "BPS"]
    assert any("no corner" in text for text in events)


def test_the_template_builds_as_it_is_and_reports_in(compiler: str, tmp_path: Path) -> None:
    shutil.copytree(MODULES / "template", tmp_path / "module")
    command = ["make", "-s", "build", f"CC={compiler}", f"CFLAGS={' '.join(STRICT)}"]
    command.append(f"PYTHON={sys.executable}")
    if shutil.which("make") is None:
        pytest.skip("no make on this machine")
    done = subprocess.run(command, cwd=tmp_path / "module", capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    stand = NodeStand(Database.reference(), "EMB_FL", axle="front")
    stand.mount(CModule(tmp_path / "module" / "my_module.so"))
    stand.run_for(ms(200))
    assert said(stand, "State") == "Ready"
    assert p05.e2e_p05_check(last(stand, "EMB_FL_St1"), 0x4080)
