"""`simcore serve --doip` as a program of its own, and what the tools on it should find."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from simcore.diag.server import offers
from simcore.diag.table import DiagnosticTable
from simcore.ecu.gw.addresses import LOGICAL_ADDRESSES
from simcore.rig import Rig
from simcore.units import s

PATIENCE_S = 180.0
"""On a machine that has other things to do."""
PROGRAM = "from simcore.cli.main import main; main()"


@dataclass(frozen=True)
class Served:
    """Where the server is, and where the ECUs are behind it."""

    port: int

    def uri(self, node: str) -> str:
        """The target as gallia wants it: complete, so that it never looks around the network."""
        return (
            f"doip://127.0.0.1:{self.port}?src_addr=0xe00"
            f"&target_addr={LOGICAL_ADDRESSES[node]:#06x}&activation_type=0&protocol_version=3"
        )


@pytest.fixture(scope="package")
def served() -> Iterator[Served]:
    """A vehicle in real time on a free port; it has to end in order."""
    command = [sys.executable, "-c", PROGRAM, "serve", "--doip", "--port", "0"]
    command += ["--announce-port", "0", "--tolerate-late"]
    root = str(Path(__file__).resolve().parent.parent.parent)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    server = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        preexec_fn=_hear_interrupts,
    )
    assert server.stdout is not None
    try:
        first = server.stdout.readline()
        assert first.startswith("DoIP on 127.0.0.1:"), first
        yield Served(port=int(first.split(":")[1]))
        server.send_signal(signal.SIGINT)
        out, _ = server.communicate(timeout=PATIENCE_S)
        assert server.returncode == 0, out
        assert " s served, worst lateness " in out
    finally:
        server.kill()
        server.communicate()


def _hear_interrupts() -> None:
    """Who runs the tests in the background may have had SIGINT ignored, which is inherited."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class Offered:
    """What an ECU's table says that a tool should find."""

    table: DiagnosticTable
    with_dtcs: bool

    def services(self, session: int) -> set[int]:
        """Service identifiers in a session."""
        offered = offers(self.table, has_dtcs=self.with_dtcs)
        return {sid for sid, offer in offered.items() if offer.in_session(session)}

    def transitions(self) -> set[tuple[int, int]]:
        """From which session another one can be entered."""
        sessions = [each.session for each in self.table.sessions]
        return {
            (before, rule.session)
            for rule in self.table.sessions
            for before in (sessions if rule.reached_from is None else rule.reached_from)
        }

    def readable(self, session: int, first: int, last: int) -> set[int]:
        """Identifiers of a range that anybody may read in a session."""
        return {
            row.did
            for row in self.table.dids
            if row.read is not None
            and first <= row.did <= last
            and row.access.in_session(session)
            and row.access.denial(0, ()) is None
        }


@pytest.fixture(scope="session")
def offered() -> Callable[[str], Offered]:
    """`offered("EMB_FL")`, from a vehicle in this process."""
    rig = Rig()
    rig.run_for(s(1))  # everybody has booted

    def table_of(node: str) -> Offered:
        ecu = rig.node(node)
        diagnostics = ecu.require_diagnostics(rig.now_ns)  # type: ignore[attr-defined]
        return Offered(
            diagnostics.server.table,
            with_dtcs=ecu.trouble_codes.memory is not None,  # type: ignore[attr-defined]
        )

    return table_of


@pytest.fixture
def run() -> Callable[..., str]:
    """`run(program, *arguments)`: what it prints; it has to end well and in time."""

    def ran(*command: str) -> str:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]
        return ended.stdout + ended.stderr

    return ran
