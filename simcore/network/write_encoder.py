"""Writes the Python function that encodes one flat list of signals.

Words, shifts, masks, scales and limits stand in it as constants; a small unscaled signal becomes
one look-up from value to shifted bits. Whatever is not the plain case (a text, an odd type, a value
out of range or missing) leaves through `accept` or `on_refusal`, which find out exactly and slowly.
Rounding is that of cantools: half to even of (physical - offset) / scale.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

from simcore.network import layout
from simcore.network.codegen import (
    Generated,
    acceptable,
    identifiers,
    physical_limits,
    raw_limits_in_range,
)

if TYPE_CHECKING:
    from simcore.network.messages import Number, Signal

_TABLE_BITS = 8
"""Signals up to this length are encoded by look-up."""
_EXACT = 1 << 53
"""Below this, float arithmetic on whole numbers is exact."""
_MODE_PARAMETERS = ", scaling=True, padding=False"
_MODES = (
    "    if padding or not scaling:",
    "        return encode_otherwise(values, scaling, padding)",
)


def write_encoder(
    code: Generated,
    function: str,
    signals: Sequence[Signal],
    length: int,
    *,
    arguments: Sequence[Signal] | None = None,
    scaling: bool = True,
    has_modes: bool = False,
) -> None:
    """Add `function(values)`, or one of positional `arguments`, the other signals at their start.

    Without `scaling` the numbers are raw. Needs in `code.names`: `accept(signal_index, value)`,
    which returns the value or raises, and `on_refusal(...)` with the parameters of the function;
    with `has_modes` also `encode_otherwise(values, scaling, padding)`, to which the added
    parameters switch.
    """
    plan = layout.lay_out(signals, length, byte_lookup=False)
    names = identifiers(signals)
    where = {signal.name: index for index, signal in enumerate(signals)}
    given = [where[signal.name] for signal in (signals if arguments is None else arguments)]
    pieces: list[list[layout.Piece]] = [[] for _ in signals]
    wholes = {p.signal for word in plan.words for p in word.pieces if word.is_whole_signal}
    for word in plan.words:
        for piece in word.pieces:
            pieces[piece.signal].append(piece)
    body: list[str] = []
    shifted: dict[int, str] = {}
    for index in sorted(given):
        signal, name = signals[index], names[index]
        source = name if arguments is not None else f"values[{signal.name!r}]"
        if not _has_table(signal, scaling):
            body += _checked(code, signal, index, name, source, scaling)
            continue
        only = pieces[index][0] if len(pieces[index]) == 1 else None
        shift = only.shift if only is not None else 0
        mask = -1 if index in wholes else (1 << signal.length) - 1
        table = code.table("BITS", _bits_of_values(signal, shift, mask, scaling))
        if only is not None:
            shifted[index] = f"{table}[{source}]"
        else:
            body.append(f"{name} = {table}[{source}]")
    words = [_packed(code, signals, names, word, given, shifted) for word in plan.words]
    code.names[pack := f"pack_{function}"] = struct.Struct(plan.format).pack
    parameters = ["values"] if arguments is None else [names[i] for i in given]
    code.names["REFUSALS"] = (KeyError, TypeError, OverflowError, struct.error)
    count = [f"if len(values) != {len(signals)}:", "    raise KeyError"]
    code.lines += [
        f"def {function}({', '.join(parameters)}{_MODE_PARAMETERS if has_modes else ''}):",
        f"    # {plan.format}",
        *(_MODES if has_modes else []),
        "    try:",
        *(f"        {line}" for line in ([] if arguments is not None else count) + body),
        f"        return {pack}(",
        *(f"            {word}," for word in words),
        "        )",
        "    except REFUSALS:",
        f"        return on_refusal({', '.join(parameters)})",
        "",
    ]


def _has_table(signal: Signal, scaling: bool) -> bool:
    if signal.is_float or signal.length > _TABLE_BITS:
        return False
    if not scaling or signal.is_identity:
        return True
    return signal.is_whole and abs(signal.scale) == 1


def _bits_of_values(
    signal: Signal, shift: int, mask: int, scaling: bool
) -> dict[Number | str, int]:
    lowest, highest = signal.raw_limits
    table: dict[Number | str, int] = {}
    for each in range(int(lowest), int(highest) + 1):
        value = signal.to_physical(each)
        if acceptable(signal, value, each):
            table[value if scaling else each] = (each & mask) << shift
    for each, text in signal.choices.items():
        if lowest <= each <= highest:
            table[text] = (each & mask) << shift
    return table


def _checked(
    code: Generated, signal: Signal, index: int, name: str, source: str, scaling: bool
) -> list[str]:
    """Lines that leave the raw value of one signal in `name`."""
    lines = [] if source == name else [f"{name} = {source}"]
    limits = _safe_limits(signal, scaling)
    if limits is not None:
        low, high = limits
        lines.append(f"if not {low!r} <= {name} <= {high!r}:")
        lines.append(f"    {name} = accept({index}, {name})")
    else:
        lines.append(f"{name} = accept({index}, {name})")
    code.names["rounded"] = rounded
    if signal.is_identity or not scaling:
        if not signal.is_float:
            lines += [f"if {name}.__class__ is not int:", f"    {name} = rounded({name})"]
    elif max(map(abs, physical_limits(signal))) >= _EXACT:
        code.names[f"signal_{index}"] = signal
        lines.append(f"{name} = signal_{index}.to_raw({name})")
    else:
        lines.append(f"{name} = {_unscaled(signal, name)}")
    return lines


def _safe_limits(signal: Signal, scaling: bool) -> tuple[Number, Number] | None:
    """Limits between which every value may certainly be sent, or None."""
    if scaling or signal.is_identity:
        low, high = physical_limits(signal)
        return (low, high) if _limits_are_safe(signal, low, high) else None
    if signal.is_float:
        unlimited = signal.minimum is None and signal.maximum is None
        return signal.raw_limits if unlimited else None
    return raw_limits_in_range(signal)


def _unscaled(signal: Signal, name: str) -> str:
    # The offset as a float changes no result below 2**53 and keeps foreign integer types from
    # wrapping round.
    sign, offset = "-+"[signal.offset < 0], abs(float(signal.offset))
    difference = name if signal.offset == 0 else f"({name} {sign} {offset!r})"
    quotient = difference if signal.scale == 1 else f"{difference} / {signal.scale!r}"
    return quotient if signal.is_float else f"round({quotient})"


def rounded(value: object) -> int:
    """`value` rounded half to even; `TypeError` for what is no number of Python's."""
    if isinstance(value, (float, int)):
        return round(value)
    raise TypeError


def _limits_are_safe(signal: Signal, low: Number, high: Number) -> bool:
    """Whether every value between the limits certainly fits the raw bits after rounding."""
    try:
        raws = [signal.to_raw(value) for value in (low, high)]
    except (OverflowError, ValueError):
        return False
    lowest, highest = signal.raw_limits
    return all(lowest <= raw <= highest for raw in raws) and low <= high


def _packed(
    code: Generated,
    signals: Sequence[Signal],
    names: Sequence[str],
    word: layout.Word,
    given: Sequence[int],
    shifted: dict[int, str],
) -> str:
    """The expression of one word."""
    terms, constant = [], 0
    for piece in word.pieces:
        signal = signals[piece.signal]
        mask = (1 << piece.length) - 1
        if piece.signal in shifted:
            terms.append(shifted[piece.signal])
            continue
        whole = word.is_whole_signal and piece.length == signal.length
        if piece.signal not in given:
            start = signal.start_raw
            if whole:
                return repr(start)
            bits = layout.float_bits(start, signal.length) if signal.is_float else int(start)
            constant |= (bits >> piece.raw_shift & mask) << piece.shift
            continue
        name = names[piece.signal]
        if whole:
            return name
        if signal.is_float:
            unpack, pack = f"unpack_word_{signal.length}", f"pack_float_{signal.length}"
            code.names[unpack], code.names[pack] = layout.word_of_float(signal.length)
            name = f"{unpack}({pack}({name}))[0]"
        terms.append(_placed(signal, piece, name, mask))
    if constant or not terms:
        terms.append(hex(constant))
    return " | ".join(terms)


def _placed(signal: Signal, piece: layout.Piece, name: str, mask: int) -> str:
    text = f"{name} >> {piece.raw_shift}" if piece.raw_shift else name
    is_top = piece.raw_shift + piece.length == signal.length
    if signal.is_signed or not is_top:
        text = f"({text} & {mask:#x})"
    elif piece.raw_shift:
        text = f"({text})"
    return f"{text} << {piece.shift}" if piece.shift else text
