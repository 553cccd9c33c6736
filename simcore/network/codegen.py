"""What generated codec functions are made of: collected source, names, limits.

`write_decoder` and `write_encoder` add functions to a `Generated`, specialised to one flat list of
signals. "Flat" means that all signals are present at once: `codec` takes multiplexed messages
apart.
"""

from __future__ import annotations

import keyword
import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simcore.network.messages import Number, Signal

_RESERVED = frozenset(
    "accept choice_of choices copy_of_all data decode_otherwise encode_otherwise found len "
    "on_refusal padding raw round rounded scaling struct_error values "
    "wrong_length KeyError REFUSALS".split()
)
_OWN_PREFIXES = ("_", "pack_", "unpack_", "signal_", "BITS_", "BYTE_", "TEXT_", "VALUE_")


class Generated:
    """Source lines and the names they need, compiled together by `compiled`."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names: dict[str, Any] = {"struct_error": struct.error}
        self._tables: dict[Any, str] = {}

    def table(self, prefix: str, content: Any) -> str:
        """The name of `content`; equal content gets one name."""
        key = (prefix, repr(content))
        if key not in self._tables:
            self._tables[key] = name = f"{prefix}_{len(self._tables)}"
            self.names[name] = content
        return self._tables[key]

    @property
    def source(self) -> str:
        return "\n".join(self.lines) + "\n"

    def compiled(self, name: str, title: str) -> Callable[..., Any]:
        """The function `name` of the source; `title` stands for the file in tracebacks."""
        space = dict(self.names)
        exec(compile(self.source, f"<{title}>", "exec"), space)
        function: Callable[..., Any] = space[name]
        return function


def identifiers(signals: Sequence[Signal]) -> list[str]:
    """A Python name per signal: its own where that is possible."""
    names = []
    for index, signal in enumerate(signals):
        name = signal.name
        usable = name.isascii() and name.isidentifier() and not keyword.iskeyword(name)
        taken = name in _RESERVED or name.startswith(_OWN_PREFIXES)
        names.append(name if usable and not taken and name not in names else f"_signal_{index}")
    return names


def fits(signal: Signal, raw: Number) -> bool:
    """Whether `raw` fits the bits of `signal`."""
    lowest, highest = signal.raw_limits
    return lowest <= raw <= highest


def acceptable(signal: Signal, value: Number, raw: Number) -> bool:
    """Whether `value`, whose raw is `raw`, may be sent: it fits and is in range or has a text.

    The tolerance of a millionth of a step at the limits is that of cantools.
    """
    if not fits(signal, raw):
        return False
    if raw in signal.choices:
        return True
    tolerance = abs(signal.scale) * 1e-6
    above = signal.minimum is None or value >= signal.minimum - tolerance
    return above and (signal.maximum is None or value <= signal.maximum + tolerance)


def physical_limits(signal: Signal) -> tuple[Number, Number]:
    """The least and the greatest physical value that is in range and fits the raw bits."""
    ends = sorted(signal.to_physical(raw) for raw in signal.raw_limits)
    low = ends[0] if signal.minimum is None else max(signal.minimum, ends[0])
    high = ends[1] if signal.maximum is None else min(signal.maximum, ends[1])
    return low, high


def raw_limits_in_range(signal: Signal) -> tuple[int, int] | None:
    """The least and the greatest acceptable raw value of a whole-number signal without text.

    None where they cannot be told: nothing in range, or numbers beyond the precision of floats.
    """
    lowest, highest = (int(raw) for raw in signal.raw_limits)
    if signal.minimum is None and signal.maximum is None:
        return lowest, highest
    ends = []
    for limit in (signal.minimum, signal.maximum):
        if limit is None:
            continue
        try:
            near = int(signal.to_raw(limit))
        except (OverflowError, ValueError):
            return None
        if abs(near) < 1 << 53:
            ends += [raw for raw in range(near - 2, near + 3) if _in_range(signal, raw)]
        elif lowest <= near <= highest:
            return None
    ends += [raw for raw in (lowest, highest) if _in_range(signal, raw)]
    return (min(ends), max(ends)) if ends else None


def _in_range(signal: Signal, raw: int) -> bool:
    tolerance = abs(signal.scale) * 1e-6
    value = signal.to_physical(raw)
    return (
        fits(signal, raw)
        and (signal.minimum is None or value >= signal.minimum - tolerance)
        and (signal.maximum is None or value <= signal.maximum + tolerance)
    )
