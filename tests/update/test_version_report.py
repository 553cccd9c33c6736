"""Version reports and the vehicle version manifest: what tampering with them comes to."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from simcore.update.image_format import ImageVersion
from simcore.update.metadata_keys import canonical_json, derive_key, public_key, sign
from simcore.update.metadata_time import EPOCH_S
from simcore.update.verification_verdict import Attack
from simcore.update.version_report import (
    ManifestVerdict,
    ReportFault,
    VersionReport,
    vehicle_manifest,
    verify_manifest,
    verify_report,
)

VIN = "SIMCORE0000000001"
ECUS = ("CDC", "EMB_FL", "EMB_FR")
KEYS = {ecu: derive_key(1, "report", ecu) for ecu in ECUS}
PUBLIC = {ecu: public_key(key) for ecu, key in KEYS.items()}
Json = dict[str, Any]


def report(ecu_id: str = "EMB_FL", counter: int = 7) -> VersionReport:
    return VersionReport(
        ecu_id=ecu_id,
        hardware_id="EMB-HW",
        filename="emb-1.1.0.img",
        length=2048,
        sha256=bytes(range(32)),
        version=ImageVersion(1, 1, 0, 9),
        release_counter=2,
        security_counter=3,
        attack=Attack.ROLLBACK,
        attack_text="director/timestamp: version 1 after 2",
        time_s=EPOCH_S + 60,
        counter=counter,
    )


def signed(ecu_id: str = "EMB_FL", counter: int = 7) -> bytes:
    return report(ecu_id, counter).to_bytes(KEYS[ecu_id])


def resigned(data: bytes, key: bytes, change: Callable[[Json], None]) -> bytes:
    """The content changed and signed anew."""
    content = json.loads(data)["signed"]
    change(content)
    signature = sign(key, canonical_json(content)).hex()
    return canonical_json({"signature": signature, "signed": content})


# ---- one report ----


def test_a_report_survives_the_way_and_says_everything() -> None:
    verdict = verify_report(signed(), PUBLIC["EMB_FL"], ecu_id="EMB_FL", counter_above=6)
    assert verdict.accepted and str(verdict) == "accepted"
    assert verdict.report == report()
    fields = json.loads(signed())["signed"]
    assert fields["installed_image"]["hashes"]["sha256"] == bytes(range(32)).hex()
    assert fields["attacks_detected"] == 7
    assert fields["time"] == "2030-01-01T00:01:00Z"


def test_no_attack_is_reported_as_zero() -> None:
    data = replace(report(), attack=None, attack_text="").to_bytes(KEYS["EMB_FL"])
    assert json.loads(data)["signed"]["attacks_detected"] == 0
    verdict = verify_report(data, PUBLIC["EMB_FL"])
    assert verdict.report is not None and verdict.report.attack is None


def test_the_same_state_with_another_counter_is_another_report() -> None:
    assert signed(counter=7) != signed(counter=8)
    assert signed(counter=7) == signed(counter=7)


def test_reports_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(report())) == report()


def test_every_changed_byte_of_a_report_is_found() -> None:
    data = signed()
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 0x01
        verdict = verify_report(bytes(changed), PUBLIC["EMB_FL"])
        assert verdict.fault in (ReportFault.UNREADABLE, ReportFault.SIGNATURE), place
        assert verdict.report is None


def test_a_report_of_another_ecu_is_refused() -> None:
    data = report("EMB_FR").to_bytes(KEYS["EMB_FL"])
    verdict = verify_report(data, PUBLIC["EMB_FL"], ecu_id="EMB_FL")
    assert verdict.fault is ReportFault.WRONG_ECU
    assert str(verdict) == "wrong ecu: of EMB_FR, expected EMB_FL"


@pytest.mark.parametrize("above", [7, 8, 1000])
def test_a_repeated_report_is_refused(above: int) -> None:
    verdict = verify_report(signed(), PUBLIC["EMB_FL"], counter_above=above)
    assert verdict.fault is ReportFault.REPEATED
    assert verdict.text == f"EMB_FL: counter 7 after {above}"


def test_the_key_of_another_ecu_signs_nothing() -> None:
    verdict = verify_report(signed(), PUBLIC["EMB_FR"])
    assert verdict.fault is ReportFault.SIGNATURE
    assert verdict.text == "not signed with the key of the ECU"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("counter", "7"), ("counter", True), ("time", "yesterday"), ("attacks_detected", 99)),
        *(("attacks_detected", "1"), ("ecu_id", 5), ("installed_image", []), ("_type", "other")),
        ("installed_image", {"filename": "x"}),
    ],
)
def test_a_signed_report_with_bad_fields_is_unreadable(name: str, value: object) -> None:
    data = resigned(signed(), KEYS["EMB_FL"], lambda content: content.update({name: value}))
    verdict = verify_report(data, PUBLIC["EMB_FL"])
    assert verdict.fault is ReportFault.UNREADABLE, verdict


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"5", b'{"signed":1.5}', b"[" * 100_000])
def test_what_is_no_report_is_unreadable(data: bytes) -> None:
    assert verify_report(data, PUBLIC["EMB_FL"]).fault is ReportFault.UNREADABLE


# ---- the manifest ----


def manifest(*reports: bytes, counter: int = 3, vin: str = VIN) -> bytes:
    return vehicle_manifest(vin, "CDC", reports, counter=counter, key=KEYS["CDC"])


def all_reports() -> list[bytes]:
    return [signed(ecu) for ecu in ECUS]


def verify(data: bytes, **above: int) -> ManifestVerdict:
    return verify_manifest(data, vin=VIN, primary="CDC", public_keys=PUBLIC, counters_above=above)


def test_a_manifest_brings_the_report_of_every_ecu() -> None:
    verdict = verify(manifest(*all_reports()), CDC=6, SIMCORE0000000001=2)
    assert verdict.accepted and str(verdict) == "accepted"
    assert dict(verdict.reports) == {ecu: report(ecu) for ecu in ECUS}


def test_a_manifest_without_a_report_names_the_ecu() -> None:
    verdict = verify(manifest(*all_reports()[:2]))
    assert verdict.fault is ReportFault.MISSING_ECU
    assert str(verdict) == "missing ecu: no report of EMB_FR"
    assert set(verdict.reports) == {"CDC", "EMB_FL"}


def test_an_old_report_in_a_new_manifest_is_named() -> None:
    verdict = verify(manifest(*all_reports()), EMB_FL=7)
    assert verdict.fault is ReportFault.REPEATED
    assert verdict.text == "EMB_FL: EMB_FL: counter 7 after 7"
    assert set(verdict.reports) == {"CDC", "EMB_FR"}


def test_an_old_manifest_is_refused() -> None:
    verdict = verify(manifest(*all_reports()), **{VIN: 3})
    assert verdict.fault is ReportFault.REPEATED
    assert verdict.text == f"{VIN}: counter 3 after 3"


def test_the_primary_cannot_change_a_report() -> None:
    def change(content: Json) -> None:
        content["reports"][1]["signed"]["installed_image"]["filename"] = "other.img"

    verdict = verify(resigned(manifest(*all_reports()), KEYS["CDC"], change))
    assert verdict.fault is ReportFault.SIGNATURE
    assert verdict.text == "EMB_FL: not signed with the key of the ECU"


def test_the_primary_cannot_exchange_two_ecus() -> None:
    def change(content: Json) -> None:
        one, other = content["reports"][1]["signed"], content["reports"][2]["signed"]
        one["ecu_id"], other["ecu_id"] = other["ecu_id"], one["ecu_id"]

    verdict = verify(resigned(manifest(*all_reports()), KEYS["CDC"], change))
    assert verdict.fault is ReportFault.SIGNATURE


def test_a_report_of_an_ecu_that_is_not_there_is_named() -> None:
    stranger = report("EMB_XX").to_bytes(derive_key(1, "stranger"))
    verdict = verify(manifest(*all_reports(), stranger))
    assert verdict.fault is ReportFault.UNKNOWN_ECU
    assert verdict.text == "'EMB_XX' is not in this vehicle"
    assert set(verdict.reports) == set(ECUS)


def test_two_reports_of_one_ecu_are_named() -> None:
    verdict = verify(manifest(*all_reports(), signed("EMB_FL", 8)))
    assert verdict.fault is ReportFault.REPEATED
    assert verdict.text == "EMB_FL is there more than once"


def test_the_manifest_of_another_vehicle_is_refused() -> None:
    verdict = verify(manifest(*all_reports(), vin="OTHER"))
    assert verdict.fault is ReportFault.WRONG_ECU
    assert verdict.text == f"of OTHER, CDC, expected {VIN}, CDC"


def test_a_changed_manifest_is_refused() -> None:
    data = manifest(*all_reports())
    assert verify(data.replace(b'"counter":3', b'"counter":4')).fault is ReportFault.SIGNATURE
    assert verify(data[:-1]).fault is ReportFault.UNREADABLE


@pytest.mark.parametrize(
    ("name", "value"), [("reports", {}), ("counter", "3"), ("counter", None), ("_type", "x")]
)
def test_a_signed_manifest_with_bad_fields_is_unreadable(name: str, value: object) -> None:
    data = resigned(manifest(*all_reports()), KEYS["CDC"], lambda c: c.update({name: value}))
    assert verify(data).fault is ReportFault.UNREADABLE


@pytest.mark.parametrize("junk", [5, None, {}, {"signed": 5}, {"signed": {"ecu_id": []}}])
def test_junk_among_the_reports_is_of_no_ecu(junk: object) -> None:
    data = resigned(manifest(*all_reports()), KEYS["CDC"], lambda c: c["reports"].append(junk))
    verdict = verify(data)
    assert verdict.fault is ReportFault.UNKNOWN_ECU
    assert set(verdict.reports) == set(ECUS)
