"""Where a multiplexed message branches: from multiplexer numbers to the codec of that page.

The choice is a look-up in generated code. A page that was not met yet, an unknown number, a text
or a missing value leave through the slow functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from simcore.errors import UsageError
from simcore.network import codegen
from simcore.network.accepting import WrongLength
from simcore.network.layout import first_network_bit
from simcore.network.pages import listed

if TYPE_CHECKING:
    from simcore.network.codec import MessageCodec
    from simcore.network.flat import Decode, Encode, FlatCodec
    from simcore.network.messages import Signal

_MOST_PAGES = 1024
"""Pages kept per branch; beyond, they are looked up anew."""


class Branch:
    """Encodes and decodes messages on whose pages all of `signals` are present.

    Where the message has a defect, only `decode` may be called.
    """

    __slots__ = (
        "_codec",
        "_decoders",
        "_encoders",
        "_numbers",
        "_open",
        "_signals",
        "decode",
        "encode",
    )

    encode: Encode
    decode: Decode

    def __init__(
        self, codec: MessageCodec, signals: tuple[Signal, ...], numbers: Mapping[str, int]
    ) -> None:
        """`numbers` are those of the multiplexers whose pages are in `signals` already."""
        self._codec = codec
        self._signals = signals
        self._numbers = numbers
        self._open = _open_multiplexers(codec, signals, numbers)
        self._encoders: dict[Any, Encode] = {}
        self._decoders: dict[Any, Decode] = {}
        code = codegen.Generated()
        code.names.update(
            encoders=self._encoders,
            decoders=self._decoders,
            encode_page=self._encode_page,
            decode_page=self._decode_page,
        )
        values = ", ".join(f"values[{signal.name!r}]" for signal in self._open)
        code.lines += [
            "def encode(values, scaling=True, padding=False):",
            "    try:",
            f"        page = encoders[{values}]",
            "    except (KeyError, TypeError):",
            "        page = encode_page(values, scaling)",
            "    return page(values, scaling, padding)",
            "",
            "def decode(data, choices=False, scaling=True):",
            "    try:",
            f"        page = decoders[{', '.join(map(number_expression, self._open))}]",
            "    except (KeyError, IndexError):",
            "        page = decode_page(data, choices, scaling)",
            "    return page(data, choices, scaling)",
        ]
        title = f"pages of {codec.message.name}"
        self.encode = code.compiled("encode", title)
        self.decode = code.compiled("decode", title)
        if not all(signal.is_identity and not signal.is_float for signal in self._open):
            # Then the number of a page is not that in the bits, or not the same in every mode.
            self.encode, self.decode = self._encode_scaled, self._decode_scaled

    def _encode_scaled(
        self, values: Mapping[str, Any], scaling: bool = True, padding: bool = False
    ) -> bytes:
        return self._encode_page(values, scaling)(values, scaling, padding)

    def _decode_scaled(
        self, data: bytes, choices: bool = False, scaling: bool = True
    ) -> dict[str, Any]:
        return self._decode_page(data, choices, scaling)(data, choices, scaling)

    def _encode_page(self, values: Mapping[str, Any], scaling: bool) -> Encode:
        numbers = tuple(self._codec.number_from(each, values, scaling) for each in self._open)
        encode = self._page(numbers).encode
        given = tuple(values[signal.name] for signal in self._open)
        if all(isinstance(value, (int, str)) for value in given):
            if len(self._encoders) >= _MOST_PAGES:
                self._encoders.clear()
            self._encoders[given if len(given) > 1 else given[0]] = encode
        return encode

    def _decode_page(self, data: bytes, choices: bool, scaling: bool) -> Decode:
        message = self._codec.message
        if len(data) != message.length:
            raise WrongLength(message)(data)
        numbers = tuple(
            self._codec.number_in(each, data, choices=choices, scaling=scaling)
            for each in self._open
        )
        decode = self._page(numbers).decode
        if len(self._decoders) >= _MOST_PAGES:
            self._decoders.clear()
        self._decoders[numbers if len(numbers) > 1 else numbers[0]] = decode
        return decode

    def _page(self, numbers: tuple[int, ...]) -> FlatCodec | Branch:
        codec = self._codec
        signals = self._signals
        known = dict(self._numbers)
        for multiplexer, number in zip(self._open, numbers, strict=True):
            possible = codec.tree.numbers[multiplexer.name]
            if number not in possible:
                raise UsageError(
                    f"message {codec.message.label}, multiplexer {multiplexer.name}",
                    expected=listed(possible),
                    got=number,
                )
            signals += tuple(codec.tree.page(multiplexer, number))
            known[multiplexer.name] = number
        if _open_multiplexers(codec, signals, known):
            return Branch(codec, signals, known)
        return codec.flat(codec.active_signals(lambda multiplexer: known[multiplexer.name]))


def _open_multiplexers(
    codec: MessageCodec, signals: tuple[Signal, ...], numbers: Mapping[str, int]
) -> tuple[Signal, ...]:
    """The multiplexers among `signals` whose pages are not chosen yet."""
    return tuple(
        signal
        for signal in signals
        if signal.is_multiplexer
        and signal.name in codec.tree.numbers
        and signal.name not in numbers
    )


def number_expression(signal: Signal) -> str:
    """An expression for the raw value of a whole-number `signal` in the bytes `data`."""
    if signal.byte_order == "big_endian":
        begin = first_network_bit(signal)
        end = begin + signal.length
        first, last, shift = begin // 8, (end - 1) // 8, -end % 8
        order = "big"
    else:
        first = signal.start_bit // 8
        last = (signal.start_bit + signal.length - 1) // 8
        shift, order = signal.start_bit % 8, "little"
    if first == last:
        word = f"data[{first}]"
    else:
        word = f"int.from_bytes(data[{first}:{last + 1}], {order!r})"
    number = f"{word} >> {shift}" if shift else word
    number = f"{number} & {(1 << signal.length) - 1:#x}"
    if signal.is_signed:
        sign = 1 << signal.length - 1
        number = f"(({number}) ^ {sign:#x}) - {sign:#x}"
    return number
