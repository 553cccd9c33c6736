"""The connection machine's table is total and has the shape of the standard's."""

from __future__ import annotations

from itertools import product

import pytest

from simcore.diag.doip_states import (
    IGNORED,
    TRANSITIONS,
    ConnectionEvent,
    ConnectionState,
    next_state,
)


def test_the_table_is_total() -> None:
    assert not TRANSITIONS.keys() & IGNORED
    assert TRANSITIONS.keys() | IGNORED == set(product(ConnectionState, ConnectionEvent))


def test_nothing_happens_on_a_closed_connection() -> None:
    for event in ConnectionEvent:
        assert next_state(ConnectionState.CLOSED, event) is ConnectionState.CLOSED


def test_only_an_activation_makes_routing_active() -> None:
    ways = {event for (_, event), after in TRANSITIONS.items() if after is ConnectionState.ACTIVE}
    assert ways == {ConnectionEvent.ACTIVATED}


@pytest.mark.parametrize(
    "event",
    [
        ConnectionEvent.DENIED,
        ConnectionEvent.PROTOCOL_ERROR,
        ConnectionEvent.PEER_CLOSED,
        ConnectionEvent.STOPPED,
    ],
)
def test_every_open_connection_ends_by(event: ConnectionEvent) -> None:
    for state in ConnectionState:
        assert next_state(state, event) is ConnectionState.CLOSED
