"""Consent of the driver to one campaign: given, declined, or expired unanswered."""

from __future__ import annotations

from simcore.units import NS_PER_S

CONSENT_NS = 7 * 24 * 3600 * NS_PER_S


class Consent:
    """The question that is put to the driver, and until when.

    The answer itself is persisted in the record; after a restart the question is put again, with
    its whole time.
    """

    __slots__ = ("asked_ns", "valid_ns")

    def __init__(self, valid_ns: int = CONSENT_NS) -> None:
        self.valid_ns = valid_ns
        self.asked_ns: int | None = None

    def ask(self, now_ns: int) -> None:
        """The question is put."""
        self.asked_ns = now_ns

    def close(self) -> None:
        """Answered, or not asked any more."""
        self.asked_ns = None

    def deadline_ns(self) -> int | None:
        """When the question expires."""
        return None if self.asked_ns is None else self.asked_ns + self.valid_ns

    def is_expired(self, now_ns: int) -> bool:
        """Whether nobody answered in time."""
        deadline_ns = self.deadline_ns()
        return deadline_ns is not None and now_ns >= deadline_ns
