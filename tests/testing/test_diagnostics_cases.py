"""Cases of diagnostics and updates: the sound ECU passes, planted defects are failed."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simcore import InputError
from simcore.attach.dut import Dut, dut_of, load_dut
from simcore.diag import UdsServer
from simcore.diag.codes import Nrc
from simcore.ecu import Emb
from simcore.network import Database
from simcore.testing.conformance.case import Case, Group
from simcore.testing.conformance.dialogue import (
    Offer,
    filled,
    named,
    nrc_name,
    payload_of,
    single_frame,
)
from simcore.testing.conformance.groups import (
    diagnostics,
    diagnostics_actions,
    diagnostics_codes,
    diagnostics_data,
    diagnostics_transport,
    update,
)
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.judge import CaseRun
from simcore.testing.conformance.plan import plan
from simcore.testing.conformance.result import CaseResult, CaseVerdict
from tests.mutants import c_actuators
from tests.mutants.actuators_services import EmbCalibrationOpen, EmbOtherHardwareAccepted
from tests.mutants.judging import examine

NODE = "EMB_FL"
MODULES = (
    diagnostics,
    diagnostics_actions,
    diagnostics_codes,
    diagnostics_data,
    diagnostics_transport,
    update,
)
SOUND = (
    "diag.session.03",
    "diag.refusal.order",
    "diag.data.read_only",
    "diag.security.unlock",
    "diag.isotp.response",
    "diag.dtc.stored",
    "diag.moving",
    "update.identity",
    "update.refused.key",
)


@pytest.fixture(scope="module")
def interface() -> Interface:
    return Interface.of(Database.reference(), NODE)


@pytest.fixture(scope="module")
def cases(interface: Interface) -> dict[str, Case]:
    return {case.id: case for case in plan(interface)}


Judge = Callable[..., list[CaseResult]]


@pytest.fixture(scope="module")
def judge(interface: Interface, cases: dict[str, Case]) -> Judge:
    def run(dut: Dut, *ids: str) -> list[CaseResult]:
        kept = CaseRun(interface=interface, dut=dut, seed=0, budget=20)
        return [kept.run(cases[each]) for each in ids]

    return run


# ---- planted defects ----


class _Server(UdsServer):
    """Answers as the class says that is put in its place."""

    __slots__ = ()


class AlwaysInPlace(_Server):
    """Refuses functionally, too."""

    __slots__ = ()

    def request(
        self, payload: bytes, now_ns: int, *, functional: bool = False, source: int = 0
    ) -> tuple[bytes, ...]:
        return super().request(payload, now_ns, functional=False, source=source)


class NeverEnds(_Server):
    """Forgets S3."""

    __slots__ = ()

    def _restart_s3(self, now_ns: int) -> None:
        self._s3_ns = None


class ForgivesKeys(_Server):
    """Counts no wrong key."""

    __slots__ = ()

    def request(self, payload: bytes, now_ns: int, **more: Any) -> tuple[bytes, ...]:
        self.state.security._failures = dict.fromkeys(self.state.security._failures, 0)
        return super().request(payload, now_ns, **more)


class _Diagnosed(Emb):
    server: type[UdsServer] = UdsServer

    def receive(self, frame: Any, now_ns: int) -> None:
        super().receive(frame, now_ns)
        found = self.diagnostics
        if found is not None and type(found.server) is UdsServer:
            found.server.__class__ = self.server


class AnswersAll(_Diagnosed):
    server = AlwaysInPlace


class SessionForEver(_Diagnosed):
    server = NeverEnds


class KeysForFree(_Diagnosed):
    server = ForgivesKeys


# ---- the plan ----


def test_diagnostics_and_update_are_at_least_twenty_cases_each_with_a_requirement(
    cases: dict[str, Case],
) -> None:
    own = [case for case in cases.values() if case.group in (Group.DIAGNOSTICS, Group.UPDATE)]
    assert sum(case.group is Group.DIAGNOSTICS for case in own) >= 40
    assert sum(case.group is Group.UPDATE for case in own) >= 12
    assert all(case.requirements for case in own)
    assert all(pickle.loads(pickle.dumps(case)).title == case.title for case in own)


@pytest.mark.parametrize("module", MODULES)
def test_a_node_without_diagnostic_messages_has_no_case(module: Any, interface: Interface) -> None:
    assert module.cases(interface)
    assert module.cases(replace(interface, diag_request=None)) == []


@pytest.mark.parametrize("module", MODULES[:-1])
def test_without_a_table_of_what_is_offered_nothing_is_asked(
    module: Any, interface: Interface
) -> None:
    bindings = {name: each for name, each in interface.bindings.items() if name != "diagnostics"}
    assert module.cases(replace(interface, bindings=bindings)) == []


def test_an_offer_that_lacks_an_entry_says_where(interface: Interface) -> None:
    offer = Offer(replace(interface, bindings={"diagnostics": {"no_identifier": "0x1"}}))
    with pytest.raises(InputError, match=r"interface\.actuator\.diagnostics\.sessions: expected"):
        offer["sessions"]
    with pytest.raises(InputError, match=r"expected hexadecimal bytes, as '22 F1 90', got '0x1'"):
        offer.octets("no_identifier")
    assert offer.texts("sessions") == [] and "sessions" not in offer


# ---- frames ----


def test_single_frames_are_built_and_read_as_the_standard_has_them() -> None:
    assert filled(single_frame(b"\x3e\x00")) == bytes.fromhex("02 3E 00 CC CC CC CC CC")
    long = filled(single_frame(bytes(range(20))))
    assert long[:2] == b"\x00\x14" and len(long) == 24
    assert payload_of(long) == bytes(range(20))
    assert payload_of(bytes.fromhex("02 3E 00 CC")) == b"\x3e\x00"
    for frame in (b"", b"\x10\x09", b"\x00\x00", b"\x05\x3e", b"\x00"):
        assert payload_of(frame) is None


def test_responses_have_names() -> None:
    assert named(None) == "no response"
    assert named(b"\x7f\x22\x31") == "0x31 request out of range"
    assert named(b"\x62\xf1\x90") == "62 F1 90"
    assert nrc_name(0xF0) == "0xF0" and nrc_name(Nrc.INVALID_KEY) == "0x35 invalid key"


# ---- verdicts ----


def test_the_reference_passes_some_of_each_kind(judge: Judge) -> None:
    results = judge(load_dut("reference"), *SOUND)
    wrong = [
        f"{result.id}: {each.text}: {each.measured}, {each.limit} {result.reason}"
        for result in results
        for each in result.judgements
        if not each.passed
    ]
    assert [each.verdict for each in results] == [CaseVerdict.PASSED] * len(SOUND), wrong


@pytest.mark.parametrize(
    ("factory", "case"),
    [
        (AnswersAll, "diag.functional.silent"),
        (SessionForEver, "diag.session.timeout"),
        (KeysForFree, "diag.security.attempts"),
        (EmbCalibrationOpen, "diag.security.write.0301"),
    ],
)
def test_a_planted_defect_is_failed(judge: Judge, factory: type[Emb], case: str) -> None:
    (result,) = judge(dut_of(factory), case)
    assert result.verdict is CaseVerdict.FAILED and result.requirements == ("DIA-001",)


@pytest.mark.parametrize("case", ["update.refused.hardware", "update.refused.hardware_image"])
def test_software_for_other_hardware_that_is_taken_fails(judge: Judge, case: str) -> None:
    (result,) = judge(dut_of(EmbOtherHardwareAccepted), case)
    blamed = {each.requirement for each in result.judgements if not each.passed}
    assert result.verdict is CaseVerdict.FAILED and blamed == {"OTA-001"}


def test_what_the_sidecar_of_a_c_module_leaves_out_its_mutants_are_not_asked(
    tmp_path: Path,
) -> None:
    if c_actuators.compiler() is None:
        pytest.skip("no C compiler")
    (sound,) = c_actuators.built(tmp_path, lambda name: name == "C actuator")
    outcome = examine(sound, cases="diag.se[cs]*.[st]*")
    assert outcome.is_sound and outcome.ran == 1, outcome
