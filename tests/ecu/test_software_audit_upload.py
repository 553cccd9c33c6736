"""What an ECU gives of its audit log: all of it, or a refusal."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from simcore.diag.codes import Nrc
from simcore.ecu.runtime.software_areas import AuditTarget


class Log:
    def export(self, now_ns: int) -> bytes:
        return b'{"entry": 1}\n'


def target(log: Any) -> AuditTarget:
    software: Any = SimpleNamespace(audit=log)
    return AuditTarget(software)


def test_a_log_is_never_cut_short() -> None:
    log = target(Log())
    assert log.begin(0, 12, 0, 0) is Nrc.REQUEST_OUT_OF_RANGE
    assert isinstance(log.begin(0, 13, 0, 0), int)
    assert log.give(100, 0) == b'{"entry": 1}\n'


def test_what_is_asked_for_beyond_the_end_is_line_feeds() -> None:
    log = target(Log())
    log.begin(0, 16, 0, 0)
    assert log.give(14, 0) == b'{"entry": 1}\n\n'
    assert log.give(14, 0) == b"\n\n"


def test_without_a_log_or_from_its_middle_there_is_nothing() -> None:
    assert target(None).begin(0, 13, 0, 0) is Nrc.CONDITIONS_NOT_CORRECT
    assert target(Log()).begin(1, 13, 0, 0) is Nrc.CONDITIONS_NOT_CORRECT
