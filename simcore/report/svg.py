"""What the charts of the report share: text elements, clean text, round steps of a time axis."""

from __future__ import annotations

from html import escape


def svg_text(left: int, base_px: int, text: str, *, anchor: str = "start", name: str = "") -> str:
    """A text element; `left` and `base_px` are its anchor in the drawing."""
    more = (f' text-anchor="{anchor}"' if anchor != "start" else "") + (
        f' class="{name}"' if name else ""
    )
    return f'<text x="{left}" y="{base_px}"{more}>{cleaned(text)}</text>'


def cleaned(text: str) -> str:
    """`text` for XML, without control characters."""
    return escape("".join(character if character.isprintable() else "?" for character in text))


def round_step_ns(least_ns: int) -> int:
    """The smallest 1, 2 or 5 times a power of ten that is not below `least_ns`."""
    step_ns = 1
    while True:
        for factor in (1, 2, 5):
            if step_ns * factor >= least_ns:
                return step_ns * factor
        step_ns *= 10
