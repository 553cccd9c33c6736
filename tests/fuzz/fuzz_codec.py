"""Any payload of any message: what is decoded can be encoded, and says the same again.

The first byte picks a message of the reference network or of one with everything a codec can meet
(multiplexing, floats, big-endian, texts); the rest is the payload, and a bit of it the options.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from simcore.errors import SimcoreError
from simcore.network import Database, Message
from tests.fuzz.draw import Draw

NAME = "codec"
INSTRUMENTED = ("simcore.network",)
SIZE_MAX = 66
_CODEC_DBC = Path(__file__).parent.parent / "data" / "codec.dbc"


@lru_cache(maxsize=1)
def messages() -> tuple[Message, ...]:
    """All of both networks."""
    databases = Database.load(_CODEC_DBC), Database.reference()
    return tuple(message for each in databases for message in each.messages)


def seeds() -> list[bytes]:
    """The start values of every message."""
    return [bytes((number,)) + bytes(m.length) for number, m in enumerate(messages()[:255])]


def check(data: bytes) -> None:
    """One input."""
    draw = Draw(data)
    known = messages()
    message = known[draw.below(len(known))]
    options = draw.byte()
    payload = draw.rest()
    if options & 0x80:
        payload = payload[: message.length].ljust(message.length, b"\0")
    scaling, choices = bool(options & 1), bool(options & 2)
    codec = message.codec
    try:
        values = codec.decode(payload, choices, scaling)
    except SimcoreError:
        # A page that does not exist, a number that is none, a wrong length.
        if len(payload) == message.length and not message.is_undecodable:
            assert codec.is_multiplexed, message.label
        return
    assert len(payload) == message.length
    if any(value != value for value in values.values()):
        return  # NaN is equal to nothing
    try:
        again = codec.encode(values, scaling)
    except SimcoreError:
        return  # beyond the range that the database permits
    assert codec.decode(again, choices, scaling) == values, message.label
    assert codec.encode(codec.decode(again, choices, scaling), scaling) == again, message.label
