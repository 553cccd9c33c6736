"""The first entity that expired, kept over a reset: in memory that no start clears.

Two cells, the value and its inverse; what does not match is refused, as memory after a cold start.
"""

from __future__ import annotations

from collections.abc import MutableMapping

FIRST_EXPIRED = "wdgm.first_expired"
FIRST_EXPIRED_INVERSE = "wdgm.first_expired_inverse"

_CODE_MASK = 0xFFFF


def store_code(memory: MutableMapping[str, bytes], code: int) -> None:
    """Write the number of the entity, from 1, and its inverse."""
    memory[FIRST_EXPIRED] = code.to_bytes(2, "big")
    memory[FIRST_EXPIRED_INVERSE] = (code ^ _CODE_MASK).to_bytes(2, "big")


def stored_code(memory: MutableMapping[str, bytes], *, code_max: int) -> int | None:
    """The number of the entity, 0 for none; `None` where the cells are not right and refused."""
    value = memory.get(FIRST_EXPIRED)
    inverse = memory.get(FIRST_EXPIRED_INVERSE)
    if value is None and inverse is None:
        return 0
    if value is None or inverse is None or len(value) != 2 or len(inverse) != 2:
        return None
    code = int.from_bytes(value, "big")
    if code ^ int.from_bytes(inverse, "big") != _CODE_MASK or not 1 <= code <= code_max:
        return None
    return code
