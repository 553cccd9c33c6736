"""Signed ECU version reports and the vehicle version manifest (Uptane 2.1; R156 7.2.1.2).

A report says what runs on an ECU, which attack it has refused last, the latest time it could
verify, and a counter that changes with every report, so that an old one cannot stand in for a new
one. The primary puts the reports of all ECUs, as signed, into the manifest and signs that. Both are
canonical JSON: {"signature": hex, "signed": {...}}.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum, unique
from typing import TypeAlias

from simcore.errors import InputError
from simcore.update.image_format import ImageVersion
from simcore.update.metadata import Assignment
from simcore.update.metadata_keys import canonical_json, is_signed, sign
from simcore.update.metadata_time import time_of, utc_text
from simcore.update.verification_verdict import Attack, Check, Verdict, refused

Json: TypeAlias = dict[str, object]


@unique
class ReportFault(IntEnum):
    """What is wrong with a report or a manifest."""

    UNREADABLE = 1
    SIGNATURE = 2
    WRONG_ECU = 3
    """It is not of the ECU, or the vehicle, that it is taken for."""
    REPEATED = 4
    """Its counter is not higher than that of the report before."""
    MISSING_ECU = 5
    UNKNOWN_ECU = 6

    @property
    def title(self) -> str:
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionReport:
    """What one ECU says of itself."""

    ecu_id: str
    hardware_id: str
    filename: str
    """Of the running image, as of the fields below."""
    length: int
    sha256: bytes
    version: ImageVersion
    release_counter: int
    security_counter: int
    attack: Attack | None
    """The attack refused last, since the software in the field changed."""
    attack_text: str = ""
    time_s: int
    """The latest attested time, in seconds since 1970."""
    counter: int

    def __deepcopy__(self, memo: object) -> VersionReport:
        return self

    def to_bytes(self, key: bytes) -> bytes:
        """The report, signed with the ECU's private key."""
        content: Json = {
            "_type": "ecu_version_report",
            "ecu_id": self.ecu_id,
            "hardware_id": self.hardware_id,
            "installed_image": {
                "filename": self.filename,
                "length": self.length,
                "hashes": {"sha256": self.sha256.hex()},
                "version": str(self.version),
                "release_counter": self.release_counter,
                "security_counter": self.security_counter,
            },
            "attacks_detected": 0 if self.attack is None else int(self.attack),
            "attack_text": self.attack_text,
            "time": utc_text(self.time_s),
            "counter": self.counter,
        }
        return _signed(content, key)


@dataclass(frozen=True, slots=True)
class ReportVerdict:
    """The result of checking a report."""

    report: VersionReport | None
    fault: ReportFault | None = None
    text: str = ""

    @property
    def accepted(self) -> bool:
        return self.fault is None

    def __str__(self) -> str:
        return "accepted" if self.fault is None else f"{self.fault.title}: {self.text}"


@dataclass(frozen=True, slots=True)
class ManifestVerdict:
    """The result of checking a manifest; `reports` are those that are good by themselves."""

    reports: Mapping[str, VersionReport]
    fault: ReportFault | None = None
    text: str = ""

    @property
    def accepted(self) -> bool:
        return self.fault is None

    def __str__(self) -> str:
        return "accepted" if self.fault is None else f"{self.fault.title}: {self.text}"


# ---- one report ----


def verify_report(
    data: bytes, public_key: bytes, *, ecu_id: str | None = None, counter_above: int = -1
) -> ReportVerdict:
    """Check a report of an ECU whose counter was `counter_above` the last time."""
    content = _content(data, "ecu_version_report", public_key)
    if isinstance(content, tuple):
        return ReportVerdict(None, *content)
    try:
        report = _report(content)
    except InputError as error:
        return ReportVerdict(None, ReportFault.UNREADABLE, str(error))
    if ecu_id is not None and report.ecu_id != ecu_id:
        text = f"of {report.ecu_id}, expected {ecu_id}"
        return ReportVerdict(report, ReportFault.WRONG_ECU, text)
    if report.counter <= counter_above:
        text = f"{report.ecu_id}: counter {report.counter} after {counter_above}"
        return ReportVerdict(report, ReportFault.REPEATED, text)
    return ReportVerdict(report)


def _report(content: Json) -> VersionReport:
    where = "version report"
    try:
        image = content["installed_image"]
        assert isinstance(image, dict)
        attack = content["attacks_detected"]
        report = VersionReport(
            ecu_id=_text(content["ecu_id"]),
            hardware_id=_text(content["hardware_id"]),
            filename=_text(image["filename"]),
            length=_number(image["length"]),
            sha256=bytes.fromhex(image["hashes"]["sha256"]),
            version=ImageVersion.parse(_text(image["version"])),
            release_counter=_number(image["release_counter"]),
            security_counter=_number(image["security_counter"]),
            attack=Attack(_number(attack)) if attack else None,
            attack_text=_text(content["attack_text"]),
            time_s=time_of(_text(content["time"])),
            counter=_number(content["counter"]),
        )
    except (KeyError, TypeError, ValueError, AssertionError) as error:
        got = f"{type(error).__name__}: {error}"
        raise InputError(where, expected="the fields of a report", got=got) from None
    return report


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _number(value: object) -> int:
    if type(value) is not int:
        raise TypeError(f"{value!r} is no whole number")
    return value


# ---- the manifest ----


def vehicle_manifest(
    vin: str, primary: str, reports: Iterable[bytes], *, counter: int, key: bytes
) -> bytes:
    """The vehicle version manifest: all reports as signed, signed with the primary's key."""
    content: Json = {
        "_type": "vehicle_version_manifest",
        "vin": vin,
        "primary_ecu_id": primary,
        "counter": counter,
        "reports": [json.loads(report) for report in reports],
    }
    return _signed(content, key)


def verify_manifest(
    data: bytes,
    *,
    vin: str,
    primary: str,
    public_keys: Mapping[str, bytes],
    counters_above: Mapping[str, int] | None = None,
) -> ManifestVerdict:
    """Check a manifest: one good report of each ECU of `public_keys`, the primary's included.

    `counters_above` are the counters of the reports before, by ECU; that of the manifest itself
    has the VIN as name.
    """
    above = counters_above or {}
    content = _content(data, "vehicle_version_manifest", public_keys[primary])
    if isinstance(content, tuple):
        return ManifestVerdict({}, *content)
    listed = content.get("reports")
    counter = content.get("counter")
    if not isinstance(listed, list) or type(counter) is not int:
        return ManifestVerdict({}, ReportFault.UNREADABLE, "no reports or no counter")
    if content.get("vin") != vin or content.get("primary_ecu_id") != primary:
        text = f"of {content.get('vin')}, {content.get('primary_ecu_id')}"
        return ManifestVerdict({}, ReportFault.WRONG_ECU, f"{text}, expected {vin}, {primary}")
    if counter <= above.get(vin, -1):
        text = f"{vin}: counter {counter} after {above[vin]}"
        return ManifestVerdict({}, ReportFault.REPEATED, text)
    return _check_reports(listed, public_keys, above)


def _check_reports(
    listed: list[object], public_keys: Mapping[str, bytes], above: Mapping[str, int]
) -> ManifestVerdict:
    reports: dict[str, VersionReport] = {}
    first: tuple[ReportFault, str] | None = None
    for each in listed:
        claimed = _claimed_ecu(each)
        if claimed not in public_keys:
            first = first or (ReportFault.UNKNOWN_ECU, f"{claimed!r} is not in this vehicle")
            continue
        data = canonical_json(each)
        known = above.get(claimed, -1)
        verdict = verify_report(data, public_keys[claimed], counter_above=known)
        if verdict.fault is not None:
            first = first or (verdict.fault, f"{claimed}: {verdict.text}")
        elif claimed in reports:
            first = first or (ReportFault.REPEATED, f"{claimed} is there more than once")
        elif verdict.report is not None:
            reports[claimed] = verdict.report
    missing = sorted(set(public_keys) - set(reports))
    if missing and first is None:
        first = ReportFault.MISSING_ECU, f"no report of {', '.join(missing)}"
    return ManifestVerdict(reports, *(first or (None, "")))


def _claimed_ecu(report: object) -> str:
    signed = report.get("signed") if isinstance(report, dict) else None
    ecu_id = signed.get("ecu_id") if isinstance(signed, dict) else None
    return ecu_id if isinstance(ecu_id, str) else ""


def check_bundle_installation(
    assignments: Iterable[Assignment], reports: Mapping[str, VersionReport]
) -> Verdict:
    """Whether the members of each bundle all run what was ordered, or none of them does."""
    running: dict[str, dict[str, bool]] = {}
    for each in assignments:
        if each.bundle is not None:
            report = reports.get(each.ecu_id)
            is_new = report is not None and report.sha256 == each.target.sha256
            running.setdefault(each.bundle.identifier, {})[each.ecu_id] = is_new
    for identifier, members in sorted(running.items()):
        if len(set(members.values())) > 1:
            new = ", ".join(sorted(e for e, is_new in members.items() if is_new))
            old = ", ".join(sorted(e for e, is_new in members.items() if not is_new))
            text = f"{new} run the new software, {old} do not"
            return refused(Check.BUNDLE_INSTALLATION, f"bundle {identifier}", text)
    return Verdict()


# ---- the signed form ----


def _signed(content: Json, key: bytes) -> bytes:
    signature = sign(key, canonical_json(content)).hex()
    return canonical_json({"signature": signature, "signed": content})


def _content(data: bytes, kind: str, public_key: bytes) -> Json | tuple[ReportFault, str]:
    """What is signed, once the signature is good; else what is wrong."""
    try:
        fields = json.loads(data)
        content = fields["signed"]
        signature = bytes.fromhex(fields["signature"])
        payload = canonical_json(content)
        found = content["_type"]
    except (ValueError, KeyError, TypeError, RecursionError, InputError) as error:
        return ReportFault.UNREADABLE, f"cannot be read: {str(error)[:120]}"
    if not is_signed(public_key, signature, payload):
        return ReportFault.SIGNATURE, "not signed with the key of the ECU"
    if found != kind or not isinstance(content, dict):
        return ReportFault.UNREADABLE, f"expected {kind}, got {found}"
    return content
