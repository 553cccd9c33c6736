"""States of a TCP connection of a DoIP entity: enums, table, driver.

The table is total: `TRANSITIONS` and `IGNORED` are disjoint and together all pairs. ISO 13400-2:
2019, clause 9.4 (socket handling); CHECKING is its socket handler waiting for alive checks.
"""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class ConnectionState(IntEnum):
    """What a tester on the connection may do."""

    INITIALIZED = 0
    """Connected; the initial inactivity timer runs."""
    CHECKING = 1
    """It asked for activation, and whether others are alive has to be found out first."""
    CONFIRMING = 2
    """Registered; somebody in the vehicle has to agree."""
    ACTIVE = 3
    """Routing is active."""
    CLOSED = 4


@unique
class ConnectionEvent(IntEnum):
    """What moves it."""

    CHECK_STARTED = 0
    CONFIRMATION_ASKED = 1
    ACTIVATED = 2
    """Also once more by the same tester."""
    DENIED = 3
    """Answered with 0x00..0x07."""
    PROTOCOL_ERROR = 4
    """Header NACK 0x00 or 0x04, a foreign source address, a diagnostic message too early."""
    INACTIVITY_TIMEOUT = 5
    ALIVE_CHECK_TIMEOUT = 6
    PEER_CLOSED = 7
    STOPPED = 8
    """The entity goes: reset, supply lost, link down."""


_S = ConnectionState
_E = ConnectionEvent

TRANSITIONS: dict[tuple[ConnectionState, ConnectionEvent], ConnectionState] = {
    (_S.INITIALIZED, _E.CHECK_STARTED): _S.CHECKING,
    (_S.INITIALIZED, _E.CONFIRMATION_ASKED): _S.CONFIRMING,
    (_S.INITIALIZED, _E.ACTIVATED): _S.ACTIVE,
    (_S.INITIALIZED, _E.DENIED): _S.CLOSED,
    (_S.INITIALIZED, _E.PROTOCOL_ERROR): _S.CLOSED,
    (_S.INITIALIZED, _E.INACTIVITY_TIMEOUT): _S.CLOSED,
    (_S.INITIALIZED, _E.PEER_CLOSED): _S.CLOSED,
    (_S.INITIALIZED, _E.STOPPED): _S.CLOSED,
    (_S.CHECKING, _E.CONFIRMATION_ASKED): _S.CONFIRMING,
    (_S.CHECKING, _E.ACTIVATED): _S.ACTIVE,
    (_S.CHECKING, _E.DENIED): _S.CLOSED,
    (_S.CHECKING, _E.PROTOCOL_ERROR): _S.CLOSED,
    (_S.CHECKING, _E.PEER_CLOSED): _S.CLOSED,
    (_S.CHECKING, _E.STOPPED): _S.CLOSED,
    (_S.CONFIRMING, _E.ACTIVATED): _S.ACTIVE,
    (_S.CONFIRMING, _E.DENIED): _S.CLOSED,
    (_S.CONFIRMING, _E.PROTOCOL_ERROR): _S.CLOSED,
    (_S.CONFIRMING, _E.INACTIVITY_TIMEOUT): _S.CLOSED,
    (_S.CONFIRMING, _E.ALIVE_CHECK_TIMEOUT): _S.CLOSED,
    (_S.CONFIRMING, _E.PEER_CLOSED): _S.CLOSED,
    (_S.CONFIRMING, _E.STOPPED): _S.CLOSED,
    (_S.ACTIVE, _E.ACTIVATED): _S.ACTIVE,
    (_S.ACTIVE, _E.DENIED): _S.CLOSED,
    (_S.ACTIVE, _E.PROTOCOL_ERROR): _S.CLOSED,
    (_S.ACTIVE, _E.INACTIVITY_TIMEOUT): _S.CLOSED,
    (_S.ACTIVE, _E.ALIVE_CHECK_TIMEOUT): _S.CLOSED,
    (_S.ACTIVE, _E.PEER_CLOSED): _S.CLOSED,
    (_S.ACTIVE, _E.STOPPED): _S.CLOSED,
}

IGNORED: frozenset[tuple[ConnectionState, ConnectionEvent]] = frozenset(
    {
        # Only registered connections are asked whether they are alive.
        (_S.INITIALIZED, _E.ALIVE_CHECK_TIMEOUT),
        (_S.CHECKING, _E.ALIVE_CHECK_TIMEOUT),
        # It waits for others, and the alive check timer of those bounds that.
        (_S.CHECKING, _E.CHECK_STARTED),
        (_S.CHECKING, _E.INACTIVITY_TIMEOUT),
        # Registered: it has passed these.
        (_S.CONFIRMING, _E.CHECK_STARTED),
        (_S.CONFIRMING, _E.CONFIRMATION_ASKED),
        (_S.ACTIVE, _E.CHECK_STARTED),
        (_S.ACTIVE, _E.CONFIRMATION_ASKED),
    }
    | {(_S.CLOSED, each) for each in _E}
)
"""Pairs that change nothing."""


def next_state(state: ConnectionState, event: ConnectionEvent) -> ConnectionState:
    """The state after `event`."""
    return TRANSITIONS.get((state, event), state)
