"""States of a UDS client's request as a total table. ISO 14229-2:2021, clause 7.

What each event means for timers and results is the client's.
"""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class ClientState(IntEnum):
    """Of the one request a client may have open."""

    IDLE = 0
    SENDING = 1
    WAITING = 2
    """The request is out; P2 or P2* runs."""
    RECEIVING = 3
    """A response of several frames has begun."""


@unique
class ClientEvent(IntEnum):
    """What happens to it."""

    REQUESTED = 0
    SENT = 1
    RESPONSE_BEGAN = 2
    PENDING = 3
    """A 0x78."""
    ENDED = 4
    """A final response, silence, or a failure of the transport."""


_S, _E = ClientState, ClientEvent
TRANSITIONS: dict[tuple[ClientState, ClientEvent], ClientState] = {
    (_S.IDLE, _E.REQUESTED): _S.SENDING,
    (_S.SENDING, _E.SENT): _S.WAITING,
    (_S.SENDING, _E.PENDING): _S.WAITING,  # overtook the confirmation
    (_S.SENDING, _E.ENDED): _S.IDLE,
    (_S.WAITING, _E.RESPONSE_BEGAN): _S.RECEIVING,
    (_S.WAITING, _E.PENDING): _S.WAITING,  # P2* begins again
    (_S.WAITING, _E.ENDED): _S.IDLE,
    (_S.RECEIVING, _E.PENDING): _S.WAITING,  # in place of the message that had begun
    (_S.RECEIVING, _E.ENDED): _S.IDLE,
}
IGNORED: frozenset[tuple[ClientState, ClientEvent]] = frozenset(
    {
        (_S.IDLE, _E.SENT),  # of a sign of life
        (_S.IDLE, _E.RESPONSE_BEGAN),  # to nothing that was asked
        (_S.IDLE, _E.PENDING),
        (_S.IDLE, _E.ENDED),
        (_S.SENDING, _E.REQUESTED),  # refused by the client
        (_S.SENDING, _E.RESPONSE_BEGAN),
        (_S.WAITING, _E.REQUESTED),
        (_S.WAITING, _E.SENT),
        (_S.RECEIVING, _E.REQUESTED),
        (_S.RECEIVING, _E.SENT),
        (_S.RECEIVING, _E.RESPONSE_BEGAN),
    }
)


def next_state(state: ClientState, event: ClientEvent) -> ClientState:
    """The state after an event; the same one where the event means nothing."""
    return TRANSITIONS.get((state, event), state)
