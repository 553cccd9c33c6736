"""The challenge of the FS65 and MC33907 families: an 8-bit LFSR and what is answered to it.

Software reads the LFSR, computes NOT(((LFSR * 4) + 6) - 4) / 4 and writes the result; after a good
refresh the LFSR moves on. Worked out, the formula is the bitwise NOT. Published pairs: B2 -> 4D,
64 -> 9B, C8 -> 37, 91 -> 6E. The tap mask is the only one of full period that gives that sequence.
"""

from __future__ import annotations

SEED = 0xB2
TAPS = 0xFA
"""Inferred from the published sequence, not published itself."""


def following(lfsr: int) -> int:
    """The LFSR after one step: shifted left, the parity of the taps comes in."""
    return (lfsr << 1 & 0xFF) | ((lfsr & TAPS).bit_count() & 1)


def answer_to(lfsr: int) -> int:
    """What software writes: the data sheet's formula, in 8 bits after the division."""
    return ~(((lfsr * 4) + 6 - 4) // 4) & 0xFF


def release_code(lfsr: int) -> int:
    """What releases the fail-safe output: the LFSR bit-reversed and inverted."""
    code = 0
    for bit in range(8):
        code |= (lfsr >> bit & 1) << (7 - bit)
    return ~code & 0xFF


FOLLOWING = tuple(following(lfsr) for lfsr in range(256))
ANSWERS = tuple(answer_to(lfsr) for lfsr in range(256))
"""By LFSR."""
