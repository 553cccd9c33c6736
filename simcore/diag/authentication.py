"""Authentication (service 0x29): what an ECU trusts, and the dialogue with one tester.

Two ways (ISO 14229-1:2020, 10.6): by certificate, where the tester shows a certificate and then
signs a challenge with its key (APCE, unidirectional), and by challenge and response with keys that
the ECU knows (ACR with asymmetric keys). Proof of ownership is the signature over the server's
challenge. Only bytes are kept, so that a server can be copied at any instant.
"""

from __future__ import annotations

from dataclasses import dataclass

from simcore.diag.access import ANYONE, Access
from simcore.diag.certificate import (
    Holder,
    check_certificate,
    der_size,
    indicator_of,
    is_signed_by,
)
from simcore.diag.codes import Nrc
from simcore.diag.rows import Row
from simcore.errors import UsageError
from simcore.kernel import RandomStream
from simcore.units import NS_PER_S

EPOCH_S = 1_767_225_600
"""2026-01-01T00:00:00Z in seconds since 1970: the date at which simulated time begins."""
CHALLENGE_SIZE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownKey:
    """A public key that the ECU knows, and the roles of whoever holds its private half."""

    public_key: bytes
    """SubjectPublicKeyInfo in DER."""
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticationRule(Row):
    """Whom the ECU believes: roots of certificates, known keys, and which roles there are."""

    roles: tuple[str, ...]
    roots: tuple[bytes, ...] = ()
    """Certificates of trusted authorities in DER; none: no authentication by certificate."""
    keys: tuple[KnownKey, ...] = ()
    """None: no authentication by challenge and response."""
    withdrawn: tuple[int, ...] = ()
    """Serial numbers of certificates that count no longer."""
    epoch_s: int = EPOCH_S
    """Seconds since 1970 when simulated time is 0; the ECU's clock is right."""
    access: Access = ANYONE

    def __post_init__(self) -> None:
        if not self.roles or any(not role or "," in role for role in self.roles):
            raise UsageError(
                "authentication, roles", expected="names without commas", got=repr(self.roles)
            )
        if not self.roots and not self.keys:
            raise UsageError("authentication", expected="roots or keys", got="neither")
        for root in self.roots:
            _check_der(root, "roots", "certificates")
        for key in self.keys:
            _check_der(key.public_key, "keys", "public keys")
            for role in key.roles:
                if role not in self.roles:
                    raise UsageError(
                        "authentication, keys, roles",
                        expected=f"of {', '.join(self.roles)}",
                        got=repr(role),
                    )
        if self.access.level or self.access.role:
            raise UsageError(
                "authentication, access", expected="sessions only", got="a level or a role"
            )


def _check_der(data: bytes, where: str, what: str) -> None:
    if der_size(data) != len(data):
        raise UsageError(
            f"authentication, {where}", expected=f"{what} in DER", got=data[:8].hex() or "nothing"
        )


class AuthenticationState:
    """Who the tester has proved to be, and the proof that it still owes."""

    __slots__ = ("_challenge", "_indicator", "_owner", "_rule", "roles")

    def __init__(self, rule: AuthenticationRule | None) -> None:
        self._rule = rule
        self.roles: tuple[str, ...] = ()
        """Of the authenticated tester; empty: nobody."""
        self._owner: Holder | None = None
        self._indicator = b""
        self._challenge = b""

    def clear(self) -> None:
        """Nobody is authenticated, no proof is expected."""
        self.roles = ()
        self._forget_challenge()

    @property
    def expects_certificate_proof(self) -> bool:
        """Whether a certificate was verified and its challenge not answered."""
        return self._owner is not None

    @property
    def expects_key_proof(self) -> bool:
        """Whether a challenge without certificate was not answered."""
        return bool(self._challenge) and self._owner is None

    def check(self, record: bytes, node: str, now_ns: int) -> Holder | Nrc:
        """The holder of a certificate record with a role the ECU knows, or the refusal."""
        rule = self._rule
        if rule is None:
            return Nrc.CONDITIONS_NOT_CORRECT
        holder = check_certificate(
            record,
            rule.roots,
            now_s=rule.epoch_s + now_ns // NS_PER_S,
            node=node,
            withdrawn=rule.withdrawn,
        )
        if isinstance(holder, Holder) and not any(role in rule.roles for role in holder.roles):
            return Nrc.CERTIFICATE_INVALID_CONTENT
        return holder

    def challenge_owner(self, owner: Holder, stream: RandomStream) -> bytes:
        """The challenge that the owner of a verified certificate has to sign."""
        self._challenge = stream.octets(CHALLENGE_SIZE)
        self._owner = owner
        return self._challenge

    def challenge_key(self, indicator: bytes, stream: RandomStream) -> bytes | None:
        """The challenge for a holder of a known key; `None` where no key is of that algorithm."""
        self._forget_challenge()
        if not self._keys(indicator):
            return None
        self._challenge = stream.octets(CHALLENGE_SIZE)
        self._indicator = indicator
        return self._challenge

    def prove_owner(self, proof: bytes) -> bool:
        """Whether the proof is right: then the tester is authenticated. Uses the challenge up."""
        owner, challenge = self._owner, self._challenge
        self._forget_challenge()
        if owner is None or not is_signed_by(owner.public_key, proof, challenge):
            return False
        self.roles = self._known(owner.roles)
        return True

    def prove_key(self, indicator: bytes, proof: bytes) -> bool:
        """As `prove_owner`, for known keys. The first key that fits decides on the roles."""
        challenge, expected = self._challenge, self._indicator
        self._forget_challenge()
        if indicator != expected:
            return False
        for key in self._keys(indicator):
            if is_signed_by(key.public_key, proof, challenge):
                self.roles = self._known(key.roles)
                return True
        return False

    def _keys(self, indicator: bytes) -> list[KnownKey]:
        keys = () if self._rule is None else self._rule.keys
        return [key for key in keys if indicator_of(key.public_key) == indicator]

    def _known(self, roles: tuple[str, ...]) -> tuple[str, ...]:
        known = () if self._rule is None else self._rule.roles
        return tuple(role for role in known if role in roles)

    def _forget_challenge(self) -> None:
        self._owner = None
        self._challenge = self._indicator = b""
