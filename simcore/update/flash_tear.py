"""What an interrupted flash operation leaves behind: some bits written, some not.

A program operation pulls bits away from the erased level unit by unit: the units before the cut
are whole, one is torn, the rest untouched. An erase first pulls all bits down (pre-programming
evens the charge out), then lets them rise again: cut anywhere, any bit may have any value. Which
bits depends on `seed` alone; the kinds of damage range from nothing at all to as good as finished.
"""

from __future__ import annotations

from simcore.kernel import RandomStream

_ALL = b"\xff"


def torn_program(
    old: bytes, new: bytes, program_size: int, erased: int, seed: int
) -> tuple[bytes, bytes]:
    """Content and mask of doubtful bits after `new` was cut while being programmed over `old`."""
    stream = RandomStream(seed, "flash.torn_program")
    unit = stream.integer(0, len(new) // program_size - 1)
    return torn_at_unit(old, new, unit * program_size, program_size, erased, seed)


def torn_at_unit(
    old: bytes, new: bytes, start: int, program_size: int, erased: int, seed: int
) -> tuple[bytes, bytes]:
    """The same with the torn unit given: it begins at `start` of `new`."""
    end = start + program_size
    stream = RandomStream(seed, "flash.torn_unit")
    before, wanted = old[start:end], new[start:end]
    changing = _xor(before, wanted)
    changed = _and(changing, _mask(stream, program_size, stream.integer(0, 4)))
    content = new[:start] + _xor(before, changed) + old[end:]
    return content, bytes(start) + changing + bytes(len(old) - end)


def torn_erase(old: bytes, erased: int, seed: int) -> tuple[bytes, bytes]:
    """Content and mask of doubtful bits of a sector whose erase was cut."""
    stream = RandomStream(seed, "flash.torn_erase")
    size = len(old)
    flip = bytes((erased ^ 0xFF,)) * size
    level = _xor(old, flip)  # 1: the erased level
    falling, rising = _DAMAGE[stream.integer(0, len(_DAMAGE) - 1)]
    if falling is not None:
        level = _and(level, _not(_mask(stream, size, falling)))
    if rising is not None:
        level = _or(level, _mask(stream, size, rising))
    return _xor(level, flip), _ALL * size


def unstable_read(content: bytes, doubtful: bytes, erased: int, seed: int) -> bytes:
    """What a sector with doubtful bits reads this time.

    They read as they were left, all as erased, all as programmed, or any way.
    """
    stream = RandomStream(seed, "flash.unstable")
    size = len(content)
    match stream.integer(0, 3):
        case 0:
            return content
        case 1:
            level = bytes((erased,)) * size
        case 2:
            level = bytes((erased ^ 0xFF,)) * size
        case _:
            level = stream.octets(size)
    return _xor(content, _and(_xor(content, level), doubtful))


_DAMAGE: tuple[tuple[int | None, int | None], ...] = (
    (None, None),  # cut before the first bit moved
    (1, None),  # pre-programming had just begun
    (2, None),
    (4, None),  # all bits down
    (4, 1),
    (4, 2),  # down, and half of them up again
    (4, 3),
    (None, 1),  # a device without pre-programming
    (None, 2),
    (None, 3),
    (None, 4),  # as good as erased
)
"""Density of the bits that fell and of those that rose again; see `_mask`."""


def _mask(stream: RandomStream, size: int, density: int) -> bytes:
    """Random bits: 0 none, 1 an eighth, 2 half, 3 seven eighths, 4 all."""
    if density == 0:
        return bytes(size)
    if density == 4:
        return _ALL * size
    first = stream.octets(size)
    if density == 2:
        return first
    join = _and if density == 1 else _or
    return join(join(first, stream.octets(size)), stream.octets(size))


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(len(left), "big")


def _and(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") & int.from_bytes(right, "big")).to_bytes(len(left), "big")


def _or(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") | int.from_bytes(right, "big")).to_bytes(len(left), "big")


def _not(bits: bytes) -> bytes:
    return _xor(bits, _ALL * len(bits))
