"""gallia scans ECUs behind DoIP; what it finds is what their tables say.

Each test has an ECU of its own: scans leave sessions behind. The target is always given in full:
without it gallia looks for one by broadcast.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable

import pytest

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.skipif(shutil.which("gallia") is None, reason="gallia is not installed"),
]


def scan(run: Callable[..., str], kind: str, uri: str, *options: str) -> list[str]:
    """The results that a scan prints, without their time and source."""
    said = run("gallia", "scan", "uds", kind, "--target", uri, "--no-dumpcap", *options)
    return [line.split("[result]: ", 1)[1] for line in said.splitlines() if "[result]: " in line]


def test_it_finds_the_services_of_each_session(run, served, offered) -> None:
    results = scan(run, "services", served.uri("EMB_FL"), "--sessions", "1", "3")
    found: dict[int, set[int]] = {1: set(), 3: set()}
    session = 0
    for line in results[results.index("findings in session 0x01:") :]:
        if line.startswith("findings in session"):
            session = int(line.split()[-1].rstrip(":"), 0)
        else:
            found[session].add(int(line.strip()[1:5], 0))
    table = offered("EMB_FL")
    assert found == {1: table.services(1), 3: table.services(3)}
    assert 0x31 in found[3] - found[1]


def test_it_finds_the_way_into_the_programming_session(run, served, offered) -> None:
    text = "\n".join(scan(run, "sessions", served.uri("EMB_FR")))
    found: dict[int, set[int]] = {}
    for session, stacks in re.findall(r"\* Session (0x..) \n((?:\s*via stack: .*\n?)+)", text):
        for stack in re.findall(r"defaultSession(?:->0x..)*", stacks):
            before = int(stack[-4:], 0) if "->" in stack else 1
            found.setdefault(int(session, 0), set()).add(before)
    transitions = {(before, after) for after, ways in found.items() for before in ways}
    assert transitions == offered("EMB_FR").transitions()
    assert (1, 2) not in transitions
    assert {(1, 3), (3, 2)} <= transitions


def test_it_reads_the_identifiers_that_anybody_may_read(run, served, offered) -> None:
    first, last = 0xF180, 0xF1A0
    results = scan(
        run,
        "identifiers",
        served.uri("EMB_RL"),
        *("--start", hex(first), "--end", hex(last)),
    )
    found = {int(line[:6], 0) for line in results if re.match(r"0x....: Read", line)}
    assert found == offered("EMB_RL").readable(1, first, last)
    assert 0xF190 in found
    assert "Abnormal replies: 0" in results
    assert "Timeouts: 0" in results


def test_it_resets_in_every_way_there_is(run, served, offered) -> None:
    results = scan(run, "reset", served.uri("EMB_RR"))
    kinds = sorted(int(row.kind) for row in offered("EMB_RR").table.resets)
    assert f"ok: {kinds}" in results
    assert "timeout: []" in results
    assert "with error: []" in results
