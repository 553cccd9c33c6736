"""Scans an ECU behind DoIP with scapy's UDS scanner and prints what it found as JSON.

A program of its own, run by test_scapy.py: `scan_with_scapy.py PORT TARGET FIRST_DID LAST_DID`.
Sessions 2, 3 and 0x40, services 0x10..0x3E and 0x83..0x87, and a range of identifiers, in each
session it gets into. `all` in place of the identifiers: seven enumerators, which takes minutes.
"""

from __future__ import annotations

import json
import logging
import sys
import time

logging.getLogger("scapy").setLevel(logging.ERROR)

from scapy.config import conf  # noqa: E402
from scapy.contrib.automotive.doip import UDS_DoIPSocket  # noqa: E402
from scapy.contrib.automotive.uds import UDS, UDS_ER  # noqa: E402
from scapy.contrib.automotive.uds_scan import (  # noqa: E402
    UDS_DSCEnumerator,
    UDS_EREnumerator,
    UDS_IOCBIEnumerator,
    UDS_RCEnumerator,
    UDS_RDBIEnumerator,
    UDS_SAEnumerator,
    UDS_Scanner,
    UDS_ServiceEnumerator,
    UDS_TPEnumerator,
)

conf.max_list_count = 1000
TIMEOUT_S = 2.0
BOOT_S = 0.2
"""The first requests after a reset find nobody."""


def main(port: int, target: int, scope: list[str]) -> None:
    """Scan and print."""

    opened: list[UDS_DoIPSocket] = []

    def connect() -> UDS_DoIPSocket:
        for each in opened:
            each.close()  # or the gateway would ask it whether it is alive
        opened[:] = [
            UDS_DoIPSocket("127.0.0.1", port=port, source_address=0x0E80, target_address=target)
        ]
        return opened[0]

    def reset() -> None:
        connect().sr1(UDS() / UDS_ER(resetType="hardReset"), timeout=1, verbose=False)
        time.sleep(BOOT_S)

    few = {"timeout": TIMEOUT_S, "retry_if_none_received": True}
    services: dict[str, object] = dict(few)
    if scope == ["all"]:
        cases = [
            UDS_DSCEnumerator,
            UDS_ServiceEnumerator,
            UDS_RDBIEnumerator,
            UDS_EREnumerator,
            UDS_SAEnumerator,
            UDS_RCEnumerator,
            UDS_IOCBIEnumerator,
        ]
        ranges: dict[str, object] = {
            "UDS_RDBIEnumerator_kwargs": {**few, "scan_range": range(0xF100, 0xF200)},
            "UDS_RCEnumerator_kwargs": {**few, "scan_range": range(0x0200, 0x0400)},
            "UDS_IOCBIEnumerator_kwargs": {**few, "scan_range": range(0x0400, 0x0500)},
            "UDS_SAEnumerator_kwargs": {**few, "scan_range": range(1, 0x43)},
            "UDS_EREnumerator_kwargs": {**few, "scan_range": range(4, 0x100)},
        }
        sessions = range(2, 0x100)
    else:
        first, last = (int(each, 0) for each in scope)
        cases = [UDS_DSCEnumerator, UDS_ServiceEnumerator, UDS_RDBIEnumerator]
        ranges = {"UDS_RDBIEnumerator_kwargs": {**few, "scan_range": range(first, last + 1)}}
        sessions = [2, 3, 0x40]
        services["scan_range"] = [*range(0x10, 0x3F), *range(0x83, 0x88)]
    scanner = UDS_Scanner(
        connect(),
        reconnect_handler=connect,
        reset_handler=reset,
        test_cases=cases,
        UDS_DSCEnumerator_kwargs={
            **few,
            "overwrite_timeout": False,
            "delay_state_change": 0,
            "scan_range": sessions,
        },
        UDS_ServiceEnumerator_kwargs=services,
        **ranges,
    )
    scanner.scan(timeout=600 if scope == ["all"] else 120)
    print(json.dumps(report(scanner)))


def report(scanner: UDS_Scanner) -> dict[str, object]:
    """States, and per session what answered how."""
    found: dict[str, object] = {
        "states": sorted(str(each) for each in scanner.state_paths and scanner.final_states),
        "paths": [[getattr(each, "session", 0) for each in path] for path in scanner.state_paths],
        "completed": bool(scanner.scan_completed),
    }
    for case in scanner.configuration.test_cases:
        rows: dict[str, dict[str, str]] = {}
        for state, request, response, *_ in case.results:
            if isinstance(case, UDS_TPEnumerator):
                continue
            session = str(getattr(state, "session", 0))
            answer = "" if response is None else bytes(response)[:3].hex()
            rows.setdefault(session, {})[bytes(request).hex()] = answer
        found[type(case).__name__] = rows
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2], 0), sys.argv[3:])
