"""Builds signed images in the format of MCUboot."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from hashlib import sha256

from simcore.errors import UsageError
from simcore.update.image_format import (
    HEADER_SIZE,
    IMAGE_MAGIC,
    TLV_INFO_MAGIC,
    TLV_INFO_SIZE,
    TLV_PROTECTED_MAGIC,
    Behaviour,
    Dependency,
    ImageVersion,
    Tlv,
    VendorTlv,
    version_bytes,
)
from simcore.update.image_keys import SigningKey


def build_image(
    payload: bytes,
    version: ImageVersion | str,
    key: SigningKey,
    *,
    security_counter: int | None = None,
    hardware_id: str | None = None,
    dependencies: tuple[Dependency, ...] = (),
    behaviour: Behaviour = Behaviour.HEALTHY,
    extra_tlvs: Mapping[int, bytes] | None = None,
    load_address: int = 0,
) -> bytes:
    """A signed image. `extra_tlvs` (tag: value) are added to the protected ones."""
    number = ImageVersion.parse(version) if isinstance(version, str) else version
    entries: list[tuple[int, bytes]] = []
    if security_counter is not None:
        if not 0 <= security_counter <= 0xFFFFFFFF:
            raise UsageError(
                "build_image, security_counter", expected="0..4294967295", got=security_counter
            )
        entries.append((Tlv.SEC_CNT, security_counter.to_bytes(4, "little")))
    for each in dependencies:
        if not 0 <= each.image <= 0xFF:
            raise UsageError("build_image, image of a dependency", expected="0..255", got=each)
        entries.append(
            (Tlv.DEPENDENCY, bytes((each.image, 0, 0, 0)) + version_bytes(each.at_least))
        )
    if hardware_id is not None:
        entries.append((VendorTlv.HARDWARE_ID, hardware_id.encode()))
    if behaviour is not Behaviour.HEALTHY:
        entries.append((VendorTlv.BEHAVIOUR, bytes((behaviour,))))
    entries += (extra_tlvs or {}).items()
    protected = _area(TLV_PROTECTED_MAGIC, entries) if entries else b""
    header = struct.pack(
        "<IIHHII8sI",
        IMAGE_MAGIC,
        load_address,
        HEADER_SIZE,
        len(protected),
        len(payload),
        0,
        version_bytes(number),
        0,
    )
    covered = header + payload + protected
    tail = _area(
        TLV_INFO_MAGIC,
        [
            (Tlv.SHA256, sha256(covered).digest()),
            (Tlv.KEYHASH, key.public.key_hash),
            (key.kind, key.sign(covered)),
        ],
    )
    return covered + tail


def _area(magic: int, entries: list[tuple[int, bytes]]) -> bytes:
    body = b""
    for tag, value in entries:
        if not 0 < tag <= 0xFFFF or len(value) > 0xFFFF:
            raise UsageError(
                "build_image, TLV",
                expected="a tag 1..0xffff and at most 65535 bytes",
                got=f"{tag:#x} with {len(value)} bytes",
            )
        body += struct.pack("<HH", tag, len(value)) + value
    total = TLV_INFO_SIZE + len(body)
    if total > 0xFFFF:
        raise UsageError("build_image, TLVs", expected="at most 65535 bytes", got=total)
    return struct.pack("<HH", magic, total) + body
