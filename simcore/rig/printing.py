"""How measured values are printed in verdicts."""

from __future__ import annotations


def printed(measured: float | str | None, limit: str) -> str:
    """A measured value as printed, with the unit that ends the limit."""
    if measured is None or isinstance(measured, str):
        return measured or ""
    words = limit.split()
    unit = words[-1] if len(words) > 1 and not _is_number(words[-1]) else ""
    return f"{measured:.4g} {unit}".strip()


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
