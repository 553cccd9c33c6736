"""Who may use a service, an identifier, a routine or a memory area.

An access rule names the sessions, the security level (service 0x27) and the role (service 0x29)
that are needed. The session decides between "supported" and "not supported in this session"; level
and role decide between serving and the refusals 0x33 and 0x34 (ISO 14229-1:2020, 8.7).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from simcore.diag.codes import Nrc
from simcore.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Sessions, security level and role that are needed; the default lets everybody in."""

    sessions: tuple[int, ...] | None = None
    """`None`: every session."""
    level: int = 0
    """Sub-function of requestSeed of the level (odd); 0: none."""
    role: str = ""
    """Role that the tester's certificate must carry; empty: none."""
    either: bool = False
    """With level and role: one of the two is enough."""

    def __post_init__(self) -> None:
        if self.sessions is not None and (type(self.sessions) is not tuple or not self.sessions):
            raise UsageError(
                "access, sessions", expected="a tuple of sessions or None", got=repr(self.sessions)
            )
        if self.either and not (self.level and self.role):
            raise UsageError(
                "access, either", expected="a level and a role to choose from", got=repr(self)
            )

    def in_session(self, session: int) -> bool:
        """Whether the session is one of those named."""
        return self.sessions is None or session in self.sessions

    def denial(self, unlocked_level: int, roles: tuple[str, ...]) -> Nrc | None:
        """The refusal for a tester that unlocked this level and has these roles, if it is one."""
        has_role = not self.role or self.role in roles
        has_level = not self.level or self.level == unlocked_level
        if self.either:
            return None if has_role or has_level else Nrc.SECURITY_ACCESS_DENIED
        if not has_role:
            return Nrc.AUTHENTICATION_REQUIRED
        return None if has_level else Nrc.SECURITY_ACCESS_DENIED

    def __copy__(self) -> Access:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Access:
        return self


ANYONE = Access()
"""No restriction."""


def union_of_sessions(rules: Iterable[Access]) -> Access | None:
    """Where at least one of the rules can be met, level and role aside; `None` without rules."""
    sessions: set[int] = set()
    found = False
    for rule in rules:
        found = True
        if rule.sessions is None:
            return ANYONE
        sessions.update(rule.sessions)
    return Access(sessions=tuple(sorted(sessions))) if found else None
