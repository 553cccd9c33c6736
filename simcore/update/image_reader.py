"""Reads images: any bytes give an `Image` or an `InputError` that says where.

Nothing is verified here beyond the structure; see image_verify.py.
"""

from __future__ import annotations

import struct
from typing import NoReturn

from simcore.errors import InputError
from simcore.update.flash import FlashRegion
from simcore.update.image_format import (
    EXACT_SIZES,
    HEADER_SIZE,
    IMAGE_MAGIC,
    TLV_HEADER_SIZE,
    TLV_INFO_MAGIC,
    TLV_INFO_SIZE,
    TLV_PROTECTED_MAGIC,
    Image,
    TlvEntry,
    read_version,
)

_HEADER = struct.Struct("<IIHHII8sI")
assert _HEADER.size == HEADER_SIZE


class _Source:
    """Bytes or a flash region, read with bounds."""

    __slots__ = ("_data", "_region", "size")

    def __init__(self, source: bytes | FlashRegion) -> None:
        self._region = source if isinstance(source, FlashRegion) else None
        self._data = b"" if isinstance(source, FlashRegion) else source
        self.size = source.size if isinstance(source, FlashRegion) else len(source)

    def take(self, start: int, size: int, what: str) -> bytes:
        if start + size > self.size:
            _bad(start, what, f"{size} bytes", f"{max(0, self.size - start)} before the end")
        if self._region is not None:
            return self._region.read(start, size)
        return self._data[start : start + size]


def read_image(source: bytes | FlashRegion) -> Image:
    """Read one image at the start of `source`; what lies behind it is not looked at."""
    data = _Source(source)
    raw = data.take(0, HEADER_SIZE, "header")
    magic, load_address, header_size, protected_size, payload_size, flags, version, _ = (
        _HEADER.unpack(raw)
    )
    if magic != IMAGE_MAGIC:
        _bad(0, "magic", f"{IMAGE_MAGIC:#010x}", f"{magic:#010x}")
    if header_size < HEADER_SIZE:
        _bad(8, "header size", f"at least {HEADER_SIZE}", header_size)
    position = header_size + payload_size
    covered = data.take(0, position + protected_size, "header, payload and protected TLVs")
    protected: tuple[TlvEntry, ...] = ()
    if protected_size:
        protected, end = _area(data, position, TLV_PROTECTED_MAGIC, "protected TLVs")
        if end != position + protected_size:
            _bad(position + 2, "size of the protected TLVs", protected_size, end - position)
        position = end
    entries, end = _area(data, position, TLV_INFO_MAGIC, "TLVs")
    return Image(
        version=read_version(version),
        flags=flags,
        load_address=load_address,
        header_size=header_size,
        payload_size=payload_size,
        size=end,
        covered=covered,
        protected=protected,
        entries=entries,
    )


def _area(data: _Source, start: int, expected: int, what: str) -> tuple[tuple[TlvEntry, ...], int]:
    magic, total = struct.unpack("<HH", data.take(start, TLV_INFO_SIZE, what))
    if magic != expected:
        _bad(start, f"magic of the {what}", f"{expected:#06x}", f"{magic:#06x}")
    if total < TLV_INFO_SIZE:
        _bad(start + 2, f"size of the {what}", f"at least {TLV_INFO_SIZE}", total)
    area = data.take(start, total, what)
    entries = []
    position = TLV_INFO_SIZE
    while position < total:
        if position + TLV_HEADER_SIZE > total:
            _bad(start + position, f"entry of the {what}", "4 bytes", total - position)
        tag, length = struct.unpack_from("<HH", area, position)
        position += TLV_HEADER_SIZE
        if position + length > total:
            _bad(start + position, f"value of TLV {tag:#06x}", f"{length} bytes", total - position)
        fixed = EXACT_SIZES.get(tag)
        if fixed is not None and length != fixed:
            _bad(start + position, f"value of TLV {tag:#06x}", f"{fixed} bytes", length)
        entries.append(TlvEntry(tag, area[position : position + length]))
        position += length
    return tuple(entries), start + total


def _bad(offset: int, what: str, expected: object, got: object) -> NoReturn:
    raise InputError(f"image, offset {offset:#x}, {what}", expected=expected, got=got)
