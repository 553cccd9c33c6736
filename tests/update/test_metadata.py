"""Calendar time, keys, targets and the file that carries a metadata set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.formats import encode_canonical

from simcore.errors import InputError, UsageError
from simcore.units import NS_PER_S
from simcore.update.compatibility import Requirement
from simcore.update.image_format import ImageVersion
from simcore.update.metadata import (
    BundleOrder,
    Target,
    assignments_of,
    pack_files,
    target_of,
    unpack_files,
)
from simcore.update.metadata_keys import (
    canonical_json,
    derive_key,
    fingerprint,
    is_signed,
    public_key,
    sign,
)
from simcore.update.metadata_time import EPOCH, EPOCH_S, seconds_at, time_of, utc_text

LAST_S = 253_402_300_799

# ---- time ----


def as_datetime(time_s: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=time_s)


def test_simulated_time_begins_at_the_epoch() -> None:
    assert utc_text(seconds_at(0)) == EPOCH
    assert as_datetime(EPOCH_S).isoformat() == "2030-01-01T00:00:00+00:00"
    assert seconds_at(1_999_999_999) == EPOCH_S + 1


@settings(max_examples=200)
@given(st.integers(0, LAST_S))
def test_calendar_time_is_that_of_the_standard_library(time_s: int) -> None:
    text = utc_text(time_s)
    assert text == as_datetime(time_s).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
    assert time_of(text) == time_s


@pytest.mark.parametrize("year", [1970, 1972, 2000, 2030, 2096, 2100, 2104, 2400, 9999])
def test_every_day_around_the_ends_of_months_is_right(year: int) -> None:
    for month in range(1, 13):
        start_s = int((datetime(year, month, 1, tzinfo=UTC) - as_datetime(0)).total_seconds())
        for time_s in (start_s, start_s - 1, start_s + 86_399):
            if 0 <= time_s <= LAST_S:
                assert time_of(utc_text(time_s)) == time_s
                assert as_datetime(time_s).strftime("%m-%dT%H:%M:%SZ") == utc_text(time_s)[5:]


@pytest.mark.parametrize(
    "text",
    [
        *("", "2030-01-01", "2030-01-01T00:00:00", "2030-01-01 00:00:00Z", "2030-1-01T00:00:00Z"),
        *("2030-02-30T00:00:00Z", "2030-02-29T00:00:00Z", "2100-02-29T00:00:00Z"),
        *("2030-00-01T00:00:00Z", "2030-13-01T00:00:00Z", "2030-01-00T00:00:00Z"),
        *("2030-01-32T00:00:00Z", "2030-01-01T24:00:00Z", "2030-01-01T00:60:00Z"),
        *("2030-01-01T00:00:60Z", "1969-12-31T23:59:59Z", "2030-01-01T00:00:00Z ", "9999-99-99"),
    ],
)
def test_what_is_no_calendar_time_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="time of metadata: expected UTC as 2030-01-01T00:00:00Z"):
        time_of(text)


@pytest.mark.parametrize("time_s", [-1, LAST_S + 1])
def test_time_beyond_four_digits_of_a_year_is_refused(time_s: int) -> None:
    with pytest.raises(UsageError, match=rf"utc_text\(\): expected 0..{LAST_S} s since 1970"):
        utc_text(time_s)


# ---- keys ----


def test_keys_come_from_the_seed_and_their_names() -> None:
    keys = {
        derive_key(1, "a"),
        derive_key(2, "a"),
        derive_key(1, "b"),
        derive_key(1, "a", "b"),
        derive_key(1, "ab"),
        derive_key(b"1x", "a"),
    }
    assert len(keys) == 6
    assert derive_key(1, "a") == derive_key(1, "a")
    assert {len(key) for key in keys} == {32}


def test_signatures_are_those_of_rfc_8032() -> None:
    """Test vector 2 of section 7.1."""
    secret = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    public = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert public_key(secret) == public
    assert sign(secret, b"\x72") == signature
    assert is_signed(public, signature, b"\x72")
    assert not is_signed(public, signature, b"\x73")
    assert not is_signed(public, signature[:-1], b"\x72")
    assert not is_signed(public[:-1], signature, b"\x72")
    assert not is_signed(bytes(32), signature, b"\x72")


def test_a_fingerprint_can_be_read_aloud() -> None:
    assert fingerprint(bytes(32)) == "6668 7aad f862 bd77"


def test_canonical_json_is_that_of_securesystemslib() -> None:
    content = {"b": [1, "ä\n", None], "a": {"z": True, "y": -5}}
    assert canonical_json(content) == encode_canonical(content).encode()


@pytest.mark.parametrize("content", [1.5, {"a": 0.1}, {1: "a"}, b"bytes", "\ud800"])
def test_what_has_no_canonical_form_is_refused(content: object) -> None:
    with pytest.raises(InputError, match="canonical JSON: expected whole numbers, texts"):
        canonical_json(content)


# ---- the container ----

FILES = {"time": b"now", "director/root/2": b"", "image/targets": bytes(300)}


def test_a_set_gives_back_its_files() -> None:
    assert unpack_files(pack_files(FILES)) == FILES
    assert unpack_files(pack_files({})) == {}


def test_a_set_does_not_depend_on_the_order_of_its_files() -> None:
    assert pack_files(FILES) == pack_files(dict(reversed(FILES.items())))


def test_a_set_is_laid_out_as_documented() -> None:
    assert pack_files({"b": b"xyz", "a": b""}) == (
        b"SCMS\x01\x02" + b"\x01a\x00\x00\x00\x00" + b"\x01b\x00\x00\x00\x03xyz"
    )


@given(st.dictionaries(st.text("abc/", min_size=1, max_size=9), st.binary(max_size=40), max_size=6))
def test_any_set_survives(files: dict[str, bytes]) -> None:
    assert unpack_files(pack_files(files)) == files


def test_a_set_cut_short_anywhere_is_refused() -> None:
    for length in range(len(pack_files(FILES))):
        with pytest.raises(InputError, match="metadata set: expected"):
            unpack_files(pack_files(FILES)[:length])


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "expected SCMS, format 1, got "),
        (b"SCMS\x02\x00", "expected SCMS, format 1, got 53 43 4d 53 02 00"),
        (pack_files(FILES) + b"x", "expected 356 bytes, got 357 bytes"),
        (b"SCMS\x01\x02\x01b\0\0\0\0\x01a\0\0\0\0", "expected sorted names, each once, got b'a'"),
        (b"SCMS\x01\x02\x01a\0\0\0\0\x01a\0\0\0\0", "expected sorted names, each once, got b'a'"),
        (b"SCMS\x01\x02\x04\\xff\0\0\0\0\x01\xff\0\0\0\0", "expected names in ASCII, got b"),
        (b"SCMS\x01\x01\x01a\xff\xff\xff\xffxyz", "expected at least 4294967307 bytes, got 15"),
    ],
)
def test_what_is_no_set_is_refused(data: bytes, text: str) -> None:
    with pytest.raises(InputError, match=f"metadata set: {text}"):
        unpack_files(data)


def test_a_set_has_bounds() -> None:
    with pytest.raises(UsageError, match="metadata set: expected at most 255 files, got 256"):
        pack_files({str(number): b"" for number in range(256)})
    with pytest.raises(UsageError, match=r"metadata set: expected names of 1..255 bytes, got b''"):
        pack_files({"": b""})
    with pytest.raises(UsageError, match="metadata set: expected names in ASCII, got b"):
        pack_files({"\xff": b""})


# ---- targets ----

TARGET = Target(
    filename="emb.img",
    length=5,
    sha256=bytes(range(32)),
    version=ImageVersion(1, 2, 3),
    hardware_ids=("EMB-HW",),
    release_counter=4,
    security_counter=5,
    requires=(
        Requirement("CDC-HW", ImageVersion(2)),
        Requirement("GW-HW", ImageVersion(1), ImageVersion(2)),
    ),
)
HASHES = {"sha256": TARGET.sha256.hex()}


def custom(**changes: object) -> dict[str, Any]:
    return TARGET.custom() | changes


def test_a_target_survives_its_custom_field() -> None:
    assert target_of("emb.img", 5, HASHES, TARGET.custom()) == TARGET


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (None, "target emb.img: custom: expected an object, got None"),
        (custom(version=None), "target emb.img: version: expected a text, got None"),
        (custom(version="x"), "target emb.img: version: expected major.minor.revision"),
        (custom(version="999.0.0"), "target emb.img: version: expected a whole number 0..255"),
        (custom(hardware_ids="EMB"), "target emb.img: hardware_ids: expected a list, got 'EMB'"),
        (custom(hardware_ids=[1]), "target emb.img: hardware_ids: expected a text, got 1"),
        (custom(release_counter=-1), "target emb.img: release_counter: expected a whole number"),
        (custom(release_counter=True), "target emb.img: release_counter: expected a whole number"),
        (custom(release_counter=1 << 32), "target emb.img: release_counter: expected a whole"),
        (custom(security_counter=None), "target emb.img: security_counter: expected a whole"),
        (custom(requires={}), "target emb.img: requires: expected a list, got {}"),
        (custom(requires=[1]), "target emb.img: requires: expected an object, got 1"),
        (custom(requires=[{}]), "target emb.img: requires: expected a text, got None"),
    ],
)
def test_a_bad_custom_field_is_refused_by_name(fields: object, text: str) -> None:
    with pytest.raises(InputError, match=text):
        target_of("emb.img", 5, HASHES, fields)


@pytest.mark.parametrize("hashes", [{}, {"sha512": "00" * 64}, {"sha256": "00"}])
def test_a_target_needs_its_sha256(hashes: dict[str, str]) -> None:
    with pytest.raises(InputError, match=r"target emb.img: hashes: expected 64 hex digits"):
        target_of("emb.img", 5, hashes, TARGET.custom())
    with pytest.raises(InputError, match=r"target emb.img: sha256: expected hex digits"):
        target_of("emb.img", 5, {"sha256": "xy" * 32}, TARGET.custom())


def test_orders_name_ecus_hardware_and_bundle() -> None:
    fields = {"ecus": {"EMB_FR": "EMB-HW", "EMB_FL": "EMB-HW"}}
    bundle = {"id": "campaign", "members": ["EMB_FL", "EMB_FR"]}
    orders = assignments_of(TARGET, custom(**fields, bundle=bundle))
    assert [(each.ecu_id, each.hardware_id) for each in orders] == [
        ("EMB_FL", "EMB-HW"),
        ("EMB_FR", "EMB-HW"),
    ]
    assert orders[0].bundle == BundleOrder("campaign", ("EMB_FL", "EMB_FR"))
    assert assignments_of(TARGET, custom(**fields))[0].bundle is None


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "target emb.img: ecus: expected an object, got None"),
        ({"ecus": {"EMB_FL": 1}}, "target emb.img: hardware of EMB_FL: expected a text, got 1"),
        ({"ecus": {}, "bundle": 5}, "target emb.img: bundle: expected an object, got 5"),
        ({"ecus": {}, "bundle": {}}, "target emb.img: bundle: id: expected a text, got None"),
        ({"ecus": {}, "bundle": {"id": "x"}}, "bundle: members: expected a list, got None"),
    ],
)
def test_a_bad_order_is_refused_by_name(changes: dict[str, object], text: str) -> None:
    with pytest.raises(InputError, match=text):
        assignments_of(TARGET, custom(**changes))


def test_time_counts_whole_seconds() -> None:
    assert seconds_at(NS_PER_S - 1) == EPOCH_S
