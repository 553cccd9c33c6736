"""The compiled functions of a list of signals that are all present.

`codec` takes multiplexed messages apart into such lists. The functions for physical numbers are
compiled at once, those for texts and for raw values when first needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from simcore.errors import UsageError
from simcore.network import codegen, layout
from simcore.network.accepting import Acceptance, WrongLength, missing, raw_of
from simcore.network.pages import bit_mask
from simcore.network.write_decoder import NUMBERS, RAW, TEXTS, write_decoder
from simcore.network.write_encoder import write_encoder

if TYPE_CHECKING:
    from simcore.network.messages import Message, Signal


class Decode(Protocol):
    """The signature of `MessageCodec.decode`."""

    def __call__(
        self, data: bytes, choices: bool = False, scaling: bool = True
    ) -> dict[str, Any]: ...


class Encode(Protocol):
    """The signature of `MessageCodec.encode`."""

    def __call__(
        self, values: Mapping[str, Any], scaling: bool = True, padding: bool = False
    ) -> bytes: ...


class FlatCodec:
    """Encodes and decodes one list of signals; only decodes where the message has a defect."""

    __slots__ = ("_decoders", "_encode_raw", "_message", "_signals", "decode", "encode", "source")

    decode: Decode
    encode: Encode

    def __init__(self, message: Message, signals: tuple[Signal, ...]) -> None:
        self._message = message
        self._signals = signals
        self._decoders: dict[str, Callable[[bytes], dict[str, Any]]] = {}
        self._encode_raw: Callable[[Mapping[str, Any]], bytes] | None = None
        self.source = ""
        if not message.defect:
            self.encode = self._encoder(scaling=True)
        code = codegen.Generated()
        code.names["wrong_length"] = WrongLength(message)
        code.names["decode_otherwise"] = self._decode_otherwise
        write_decoder(code, "decode", signals, message.length, has_modes=True)
        self.source += "\n" + code.source
        self.decode = code.compiled("decode", message.name)

    def _encoder(self, *, scaling: bool) -> Any:
        code = codegen.Generated()
        code.names["accept"] = Acceptance(self._message, self._signals, scaling=scaling)
        code.names["encode_otherwise"] = self._encode_otherwise
        code.names["on_refusal"] = self._encode_slowly if scaling else self._encode_raw_slowly
        write_encoder(
            code,
            "encode",
            self._signals,
            self._message.length,
            scaling=scaling,
            has_modes=scaling,
        )
        if scaling:
            self.source = code.source
        return code.compiled(
            "encode", self._message.name if scaling else f"{self._message.name}, raw"
        )

    def _encode_otherwise(self, values: Mapping[str, Any], scaling: bool, padding: bool) -> bytes:
        if scaling:
            data = self.encode(values)
        else:
            if self._encode_raw is None:
                self._encode_raw = self._encoder(scaling=False)
            data = self._encode_raw(values)
        return self._padded(data) if padding else data

    def _padded(self, data: bytes) -> bytes:
        """`data` with the pattern for unused bits in every bit that no signal has."""
        pattern = bytes([self._message.unused_bit_pattern]) * len(data)
        unused = int.from_bytes(pattern, "little")
        for signal in self._signals:
            unused &= ~bit_mask(signal)
        return (int.from_bytes(data, "little") | unused).to_bytes(len(data), "little")

    def _decode_otherwise(self, data: bytes, choices: bool, scaling: bool) -> dict[str, Any]:
        if scaling:
            return self._decoder(TEXTS)(data)
        raws = self._decoder(RAW)(data)
        if not choices:
            return raws
        texts = {signal.name: signal.choices for signal in self._signals}
        return {name: texts[name].get(raw, raw) for name, raw in raws.items()}

    def _decoder(self, kind: str) -> Callable[[bytes], dict[str, Any]]:
        decode = self._decoders.get(kind)
        if decode is None:
            code = codegen.Generated()
            code.names["wrong_length"] = WrongLength(self._message)
            write_decoder(code, "decode", self._signals, self._message.length, kind=kind)
            decode = code.compiled("decode", f"{kind} of {self._message.name}")
            self._decoders[kind] = decode
        return decode

    def _encode_slowly(self, values: Mapping[str, Any]) -> bytes:
        return self._assembled(values, scaling=True)

    def _encode_raw_slowly(self, values: Mapping[str, Any]) -> bytes:
        return self._assembled(values, scaling=False)

    def _assembled(self, values: Mapping[str, Any], *, scaling: bool) -> bytes:
        """Encode without shortcuts, or raise the error that says what is wrong."""
        message = self._message
        names = [signal.name for signal in self._signals]
        lacking = [name for name in names if values.get(name) is None]
        if lacking:
            raise missing(message, lacking)
        unknown = [name for name in values if name not in names]
        if unknown:
            raise UsageError(
                f"message {message.label}",
                expected="only its own signals that are present",
                got=f"also {', '.join(map(str, unknown))}",
            )
        raws = [raw_of(message, s, values[s.name], scaling=scaling) for s in self._signals]
        return layout.assemble(self._signals, raws, message.length)


def reader_of(
    message: Message, signals: tuple[Signal, ...], *, raw: bool
) -> tuple[Callable[[bytes], tuple[Any, ...]], str]:
    """A compiled function from data to the tuple of the signals' values, and its source."""
    code = codegen.Generated()
    code.names["wrong_length"] = WrongLength(message)
    moved = tuple({signal.name: signal for signal in signals}.values())
    kind = RAW if raw else NUMBERS
    write_decoder(code, "read", moved, message.length, results=signals, kind=kind)
    return code.compiled("read", f"reader of {message.name}"), code.source
