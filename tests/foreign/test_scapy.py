"""scapy's UDS scanner over DoIP, as a program of its own: state graph, services, identifiers."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from simcore.ecu.gw.addresses import LOGICAL_ADDRESSES

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.skipif(importlib.util.find_spec("scapy") is None, reason="scapy is not installed"),
]
NODE = "CDC2"
FIRST_DID, LAST_DID = 0xF186, 0xF191
UNKNOWN_NRCS = ("11", "7f")


@pytest.fixture(scope="module")
def found(served) -> dict[str, object]:
    """What a scan of one ECU brought to light."""
    import subprocess

    script = Path(__file__).with_name("scan_with_scapy.py")
    target = hex(LOGICAL_ADDRESSES[NODE])
    ended = subprocess.run(
        [sys.executable, str(script), str(served.port), target, hex(FIRST_DID), hex(LAST_DID)],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    return json.loads(ended.stdout)


def test_it_gets_into_every_session_by_the_way_of_the_table(found, offered) -> None:
    assert found["completed"]
    sessions = {str(each.session) for each in offered(NODE).table.sessions}
    assert found["UDS_DSCEnumerator"].keys() == sessions
    assert [1, 3, 2] in found["paths"]
    assert [1, 2] not in found["paths"]
    entered = {
        (int(before), int(request[2:], 16))
        for before, rows in found["UDS_DSCEnumerator"].items()
        for request, answer in rows.items()
        if answer.startswith("50")
    }
    asked = {(before, after) for before, after in offered(NODE).transitions() if after != 1}
    assert entered == asked


@pytest.mark.parametrize("session", [1, 2, 3])
def test_it_finds_the_services_of_a_session(found, offered, session: int) -> None:
    rows = found["UDS_ServiceEnumerator"][str(session)]
    assert all(rows.values()), "a request was not answered"
    there = {
        int(request, 16)
        for request, answer in rows.items()
        if not (answer.startswith("7f") and answer[4:] in UNKNOWN_NRCS)
    }
    asked = {int(request, 16) for request in rows}
    assert there == offered(NODE).services(session)
    assert there < asked


@pytest.mark.parametrize("session", [1, 2, 3])
def test_it_reads_the_identifiers_of_a_session(found, offered, session: int) -> None:
    rows = found["UDS_RDBIEnumerator"][str(session)]
    assert len(rows) == LAST_DID - FIRST_DID + 1
    there = {int(request[2:], 16) for request, answer in rows.items() if answer[:2] == "62"}
    assert there == offered(NODE).readable(session, FIRST_DID, LAST_DID)
