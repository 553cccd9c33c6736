"""What comes out of a DoIP entity: bytes for a connection, its end, datagrams."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Send:
    """Bytes for a TCP connection."""

    connection: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """The entity ends a TCP connection, after what was sent before."""

    connection: int


@dataclass(frozen=True, slots=True)
class Datagram:
    """A UDP message; without a receiver it is for everybody on the link."""

    data: bytes
    receiver: Hashable | None


Action: TypeAlias = Send | Close | Datagram
