"""The coordinator's word on a bundle: commit or roll back, signed (Ed25519).

A member acts on nothing else once it has promised the new image. Keys are derived from a seed by
name and travel as bytes.
"""

from __future__ import annotations

from enum import IntEnum, unique
from typing import NamedTuple

_STATEMENT = b"simcore bundle decision\0"


@unique
class Decision(IntEnum):
    """What a coordinator decided; persisted before anybody is told."""

    NONE = 0
    COMMIT = 1
    ROLLBACK = 2
    ACTIVATE = 3
    """No decision yet: every member is ready, and may start its new image on trial."""


_GIVEN = (Decision.COMMIT, Decision.ROLLBACK, Decision.ACTIVATE)


class Authorisation(NamedTuple):
    """A signed decision."""

    campaign: bytes
    decision: Decision
    signature: bytes

    def to_bytes(self) -> bytes:
        """As sent over UDS: campaign 16, decision 1, signature 64 bytes."""
        return self.campaign + bytes([self.decision]) + self.signature

    @staticmethod
    def from_bytes(data: bytes) -> Authorisation | None:
        """The inverse; None where it is none."""
        if len(data) != 81 or data[16] not in _GIVEN:
            return None
        return Authorisation(data[:16], Decision(data[16]), data[17:])


def authorise(key: bytes, campaign: bytes, decision: Decision) -> Authorisation:
    """Sign a decision with a private key."""
    from simcore.update.metadata_keys import sign

    return Authorisation(campaign, decision, sign(key, _statement(campaign, decision)))


def is_genuine(authorisation: Authorisation, public_key: bytes) -> bool:
    """Whether the holder of the key said so."""
    from simcore.update.metadata_keys import is_signed

    statement = _statement(authorisation.campaign, authorisation.decision)
    return bool(public_key) and is_signed(public_key, authorisation.signature, statement)


def _statement(campaign: bytes, decision: Decision) -> bytes:
    return _STATEMENT + campaign + bytes([decision])
