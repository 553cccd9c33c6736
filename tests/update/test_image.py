"""Images: built, read and judged, with imgtool on the other side."""

from __future__ import annotations

import copy
import pickle
import struct
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simcore.errors import InputError, UsageError
from simcore.update.flash import Flash, FlashGeometry, FlashRegion
from simcore.update.image import (
    Behaviour,
    Dependency,
    Image,
    ImageFault,
    ImageVersion,
    KeyKind,
    SigningKey,
    Tlv,
    VendorTlv,
    build_image,
    read_image,
    verify_image,
)
from simcore.update.image_format import ImageFlag

KEYS = {kind: SigningKey.of(1, "maker", kind) for kind in KeyKind}
KEY = KEYS[KeyKind.ED25519]
STRANGER = SigningKey.of(1, "stranger")
PAYLOAD = bytes(range(256)) * 5


def an_image(key: SigningKey = KEY, **fields: Any) -> bytes:
    return build_image(
        PAYLOAD,
        "1.2.3+4",
        key,
        **{"security_counter": 7, "hardware_id": "EMB-3", **fields},
    )


def fault_of(image: bytes, **fields: Any) -> ImageFault | None:
    return verify_image(image, (KEY.public,), **fields).fault


# ---- built and read ----


def test_what_is_built_is_read_back() -> None:
    needs = (Dependency(1, ImageVersion(2, 0, 1)), Dependency(3, ImageVersion(0, 9)))
    data = an_image(dependencies=needs, behaviour=Behaviour.HANGS, extra_tlvs={0xA7: b"note"})
    image = read_image(data + b"\xff" * 100)
    assert image.version == ImageVersion(1, 2, 3, 4)
    assert image.payload == PAYLOAD
    assert image.size == len(data)
    assert image.security_counter == 7
    assert image.hardware_id == "EMB-3"
    assert image.dependencies == needs
    assert image.behaviour is Behaviour.HANGS
    assert image.values(0xA7, protected=True) == (b"note",)
    assert image.digest == sha256(image.covered).digest()


def test_an_image_that_says_nothing_has_no_counter_no_hardware_and_is_healthy() -> None:
    image = read_image(build_image(b"x", "1", KEY))
    assert image.security_counter is None
    assert image.hardware_id is None
    assert image.dependencies == ()
    assert image.behaviour is Behaviour.HEALTHY
    assert image.protected == ()


def test_an_unknown_behaviour_counts_as_healthy() -> None:
    for value in (b"\x09", b"", b"\x01\x00"):
        image = read_image(an_image(extra_tlvs={VendorTlv.BEHAVIOUR: value}))
        assert image.behaviour is Behaviour.HEALTHY


def test_an_image_is_read_from_flash() -> None:
    data = an_image()
    flash = Flash(FlashGeometry(size=4096, sector_size=1024))
    region = FlashRegion(flash, 1024, 3072)
    region.program(0, data.ljust(-(-len(data) // 8) * 8, b"\xff"))
    assert read_image(region) == read_image(data)
    assert verify_image(region, (KEY.public,)).ok
    empty = FlashRegion(flash, 0, 1024)
    assert verify_image(empty, (KEY.public,)).fault is ImageFault.EMPTY


@pytest.mark.parametrize("kind", KeyKind)
def test_the_same_image_is_the_same_bytes_each_time(kind: KeyKind) -> None:
    assert an_image(KEYS[kind]) == an_image(SigningKey.of(1, "maker", kind))


def test_versions_compare_by_all_their_parts() -> None:
    texts = ["0.9.9", "1", "1.0.1", "1.0.1+2", "1.2", "10.0.0"]
    versions = [ImageVersion.parse(text) for text in texts]
    assert versions == sorted(versions)
    assert len(set(versions)) == len(texts)
    assert [str(each) for each in versions[:4]] == ["0.9.9", "1.0.0", "1.0.1", "1.0.1+2"]


# ---- refused by the builder ----


@pytest.mark.parametrize("text", ["", "a", "1.2.3.4", "1.", "-1", "1.2+"])
def test_a_version_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"ImageVersion: expected major.minor.revision\+build"):
        ImageVersion.parse(text)


def test_what_the_format_cannot_hold_is_refused() -> None:
    with pytest.raises(UsageError, match=r"ImageVersion, major: expected a whole number 0..255"):
        ImageVersion(256)
    with pytest.raises(UsageError, match=r"security_counter: expected 0..4294967295, got -1"):
        build_image(b"", "1", KEY, security_counter=-1)
    with pytest.raises(UsageError, match=r"image of a dependency: expected 0..255"):
        build_image(b"", "1", KEY, dependencies=(Dependency(256, ImageVersion(1)),))
    with pytest.raises(UsageError, match=r"TLV: expected a tag 1\.\.0xffff"):
        build_image(b"", "1", KEY, extra_tlvs={0: b""})
    with pytest.raises(UsageError, match="TLVs: expected at most 65535 bytes, got 65543"):
        build_image(b"", "1", KEY, extra_tlvs={0xA7: bytes(65535)})


def test_a_key_of_the_wrong_size_or_range_is_refused() -> None:
    with pytest.raises(UsageError, match="SigningKey, secret: expected 32 bytes, got 31"):
        SigningKey(KeyKind.ED25519, bytes(31))
    for secret in (bytes(32), b"\xff" * 32):
        with pytest.raises(UsageError, match="SigningKey, secret: expected a scalar of P-256"):
            SigningKey(KeyKind.ECDSA_P256, secret)


def test_keys_copy_and_pickle() -> None:
    for key in KEYS.values():
        assert copy.deepcopy(key) == key == pickle.loads(pickle.dumps(key))
        assert pickle.loads(pickle.dumps(key.public)) == key.public


# ---- judged ----


@pytest.mark.parametrize("kind", KeyKind)
def test_a_good_image_may_run(kind: KeyKind) -> None:
    keys = (STRANGER.public, KEYS[kind].public)
    data = an_image(KEYS[kind], dependencies=(Dependency(2, ImageVersion(3)),))
    verdict = verify_image(
        data, keys, hardware_id="EMB-3", least_counter=7, available={2: ImageVersion(3)}
    )
    assert (verdict.fault, verdict.detail, verdict.ok) == (None, "", True)
    assert verdict.image == read_image(data)


@pytest.mark.parametrize("kind", KeyKind)
def test_every_flipped_bit_of_the_covered_part_is_found(kind: KeyKind) -> None:
    data = an_image(KEYS[kind])
    covered = len(read_image(data).covered)
    for position in (*range(32), *range(32, covered, 97), covered - 1):
        for bit in (0, 7):
            bad = bytearray(data)
            bad[position] ^= 1 << bit
            assert not verify_image(bytes(bad), (KEYS[kind].public,)).ok


def resealed(data: bytes, *tail: tuple[int, bytes]) -> bytes:
    """The image with another unprotected TLV area."""
    covered = read_image(data).covered
    body = b"".join(struct.pack("<HH", tag, len(value)) + value for tag, value in tail)
    return covered + struct.pack("<HH", 0x6907, 4 + len(body)) + body


def parts(data: bytes) -> dict[int, bytes]:
    return {entry.tag: entry.value for entry in read_image(data).entries}


def test_each_thing_that_is_missing_or_wrong_has_its_own_name() -> None:
    data = an_image()
    found = parts(data)
    digest = (Tlv.SHA256, found[Tlv.SHA256])
    keyhash = (Tlv.KEYHASH, found[Tlv.KEYHASH])
    signature = (Tlv.ED25519, found[Tlv.ED25519])
    expected = {
        ImageFault.HASH_MISSING: resealed(data, keyhash, signature),
        ImageFault.HASH_WRONG: resealed(data, (Tlv.SHA256, bytes(32)), keyhash, signature),
        ImageFault.SIGNATURE_MISSING: resealed(data, digest, keyhash),
        ImageFault.KEY_UNKNOWN: resealed(data, digest, signature),
        ImageFault.SIGNATURE_WRONG: resealed(data, digest, keyhash, (Tlv.ED25519, bytes(64))),
        ImageFault.MALFORMED: data[:-1],
        ImageFault.EMPTY: b"\xff" * 100,
    }
    assert {name: fault_of(image) for name, image in expected.items()} == {
        name: name for name in expected
    }
    assert fault_of(an_image(STRANGER)) is ImageFault.KEY_UNKNOWN
    # The signature of another kind under the hash of a known key is not taken for its own.
    other = resealed(data, digest, keyhash, (Tlv.ECDSA_SIG, found[Tlv.ED25519]))
    assert fault_of(other) is ImageFault.KEY_UNKNOWN


def test_the_second_signature_may_be_the_known_one() -> None:
    data = an_image()
    found = parts(data)
    theirs = parts(an_image(STRANGER))
    both = resealed(
        data,
        (Tlv.SHA256, found[Tlv.SHA256]),
        (Tlv.KEYHASH, theirs[Tlv.KEYHASH]),
        (Tlv.ED25519, theirs[Tlv.ED25519]),
        (Tlv.KEYHASH, found[Tlv.KEYHASH]),
        (Tlv.ED25519, found[Tlv.ED25519]),
    )
    assert fault_of(both) is None


@pytest.mark.parametrize("flag", ImageFlag)
def test_an_image_that_nothing_here_could_run_is_refused(flag: ImageFlag) -> None:
    data = bytearray(an_image())
    data[16:20] = struct.pack("<I", flag)
    assert fault_of(bytes(data)) is ImageFault.UNSUPPORTED


def test_hardware_counter_and_dependencies_are_judged() -> None:
    needs = (Dependency(2, ImageVersion(3)),)
    data = an_image(dependencies=needs)
    assert fault_of(data, hardware_id="EMB-4") is ImageFault.HARDWARE_WRONG
    assert fault_of(an_image(hardware_id=None), hardware_id="X") is ImageFault.HARDWARE_MISSING
    assert fault_of(data, least_counter=8) is ImageFault.COUNTER_TOO_LOW
    missing = an_image(security_counter=None)
    assert fault_of(missing, least_counter=0) is ImageFault.COUNTER_MISSING
    assert fault_of(data, available={}) is ImageFault.DEPENDENCY_MISSING
    assert fault_of(data, available={2: ImageVersion(2, 9)}) is ImageFault.DEPENDENCY_TOO_OLD
    detail = verify_image(data, (KEY.public,), least_counter=8).detail
    assert detail == "at least 8, the image has 7"


def test_an_unprotected_counter_or_hardware_id_does_not_count() -> None:
    data = build_image(PAYLOAD, "1", KEY)
    extra = [(Tlv.SEC_CNT, bytes((9, 0, 0, 0))), (VendorTlv.HARDWARE_ID, b"EMB-3")]
    forged = resealed(data, *parts(data).items(), *extra)
    assert fault_of(forged, least_counter=1) is ImageFault.COUNTER_MISSING
    assert fault_of(forged, hardware_id="EMB-3") is ImageFault.HARDWARE_MISSING


# ---- any bytes ----


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ((0, b"\x00"), "offset 0x0, magic: expected 0x96f3b83d, got 0x96f3b800"),
        ((8, b"\x1f\x00"), "offset 0x8, header size: expected at least 32, got 31"),
        ((12, b"\xff\xff\xff\xff"), "header, payload and protected TLVs: expected 4294967"),
        (
            (0x520, b"\x09"),
            "offset 0x520, magic of the protected TLVs: expected 0x6908, got 0x6909",
        ),
        ((0x522, b"\x03\x00"), "offset 0x522, size of the protected TLVs: expected at least 4"),
        ((0x522, b"\x0c\x00"), "size of the protected TLVs: expected 21, got 12"),
        ((0x526, b"\x09\x00"), "value of TLV 0x0050: expected 4 bytes, got 9"),
        ((0x526, b"\x99\x00"), "value of TLV 0x0050: expected 153 bytes, got 13"),
        ((0x52E, b"\x06\x00"), "value of TLV 0x00a0: expected 6 bytes, got 5"),
        ((0x535, b"\x00"), "offset 0x535, magic of the TLVs: expected 0x6907, got 0x6900"),
        ((0x537, b"\xff\xff"), "offset 0x535, TLVs: expected 65535 bytes, got 144"),
    ],
)
def test_the_reader_says_where_it_stopped(change: tuple[int, bytes], text: str) -> None:
    data = bytearray(an_image())
    assert data[0x520:0x522] == b"\x08\x69"
    data[change[0] : change[0] + len(change[1])] = change[1]
    with pytest.raises(InputError, match=text):
        read_image(bytes(data))


def test_a_rest_too_short_for_an_entry_is_malformed() -> None:
    data = resealed(an_image(), (Tlv.SHA256, bytes(32)))
    position = len(data) - 36 - 2
    shorter = data[:position] + struct.pack("<H", 4 + 2) + data[position + 2 :]
    with pytest.raises(InputError, match="entry of the TLVs: expected 4 bytes, got 2"):
        read_image(shorter)


def read_or_refuse(data: bytes) -> Image | None:
    try:
        image = read_image(data)
    except InputError as error:
        assert str(error).startswith("image, offset 0x")
        return None
    assert image.size <= len(data)
    assert len(image.covered) <= image.size
    assert image.behaviour in Behaviour
    assert image.hardware_id is None or isinstance(image.hardware_id, str)
    assert all(each.image <= 255 for each in image.dependencies)
    return image


@settings(max_examples=25)
@given(st.data())
def test_no_bytes_crash_the_reader_or_pass_the_verifier(data: st.DataObject) -> None:
    good = an_image()
    bad = bytearray(good)
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.one_of(st.integers(0, 40), st.integers(0x500, len(good) - 4)))
        piece = data.draw(st.binary(min_size=1, max_size=4))
        bad[place : place + len(piece)] = piece
    cut = bytes(bad[: data.draw(st.one_of(st.just(len(bad)), st.integers(0, len(bad))))])
    image = read_or_refuse(cut)
    verdict = verify_image(cut, (KEY.public,), hardware_id="EMB-3", least_counter=7)
    assert verdict.ok is (
        image is not None
        and image.covered == read_image(good).covered
        and (image.entries == read_image(good).entries or verdict.ok)
    )
    read_or_refuse(data.draw(st.binary(max_size=200)))


# ---- imgtool ----

imgtool = pytest.importorskip("imgtool.main", reason="imgtool is not installed")
runner = pytest.importorskip("click.testing").CliRunner


def imgtool_says(*arguments: object) -> str:
    result = runner().invoke(imgtool.imgtool, [str(each) for each in arguments])
    assert result.exit_code == 0, result.output
    return str(result.output)


@pytest.mark.parametrize("kind", KeyKind)
def test_imgtool_accepts_and_describes_what_is_built_here(kind: KeyKind, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(KEYS[kind].pem())
    needs = (Dependency(1, ImageVersion(2)),)
    data = an_image(KEYS[kind], dependencies=needs)
    (tmp_path / "image.bin").write_bytes(data)
    said = imgtool_says("verify", "-k", tmp_path / "key.pem", tmp_path / "image.bin")
    assert "Image was correctly validated" in said
    assert "Image version: 1.2.3+4" in said
    assert f"Image digest: {sha256(read_image(data).covered).hexdigest()}" in said
    told = imgtool_says("dumpinfo", tmp_path / "image.bin")
    for words in ("SEC_CNT (0x50)", "DEPENDENCY (0x40)", "KEYHASH (0x1)", f"({kind:#x})"):
        assert words in told


@pytest.mark.parametrize("kind", KeyKind)
def test_what_imgtool_signs_is_read_and_judged_here(kind: KeyKind, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(KEYS[kind].pem())
    (tmp_path / "software.bin").write_bytes(PAYLOAD)
    arguments = ["-v", "3.4.5+6", "-s", "9", "-H", "0x200", "--pad-header", "-S", "0x2000"]
    arguments += ["--align", "8", "--custom-tlv", "0xa0", "EMB-3", "-d", "(1,2.0.0+0)"]
    files = [tmp_path / "software.bin", tmp_path / "image.bin"]
    imgtool_says("sign", "-k", tmp_path / "key.pem", *arguments, *files)
    data = (tmp_path / "image.bin").read_bytes()
    verdict = verify_image(data, (KEYS[kind].public,), hardware_id="EMB-3", least_counter=9)
    assert verdict.ok, verdict
    assert verdict.image is not None
    assert verdict.image.version == ImageVersion(3, 4, 5, 6)
    assert verdict.image.dependencies == (Dependency(1, ImageVersion(2)),)
    assert verdict.image.payload == PAYLOAD
    assert verify_image(data, (STRANGER.public,)).fault is ImageFault.KEY_UNKNOWN
