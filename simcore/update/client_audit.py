"""The update client's entries in the audit log (audit.py), numbered: none is written twice."""

from __future__ import annotations

from simcore.update.audit import AuditLog

KIND = "update"


class ClientLog:
    """The audit log as the client sees it."""

    __slots__ = ("_log",)

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    def settle(self, now_ns: int) -> None:
        """Make sure of what was found at the start."""
        self._log.settle(now_ns)

    def append(self, step: int, text: str, now_ns: int) -> None:
        """Add an entry; a full log refuses it and says so itself."""
        self._log.append(KIND, text, now_ns, {"step": step})

    def has_room(self) -> bool:
        """Whether the log takes further entries."""
        return not self._log.is_full

    def last_step(self) -> int:
        """The number of the last entry of the client; 0 where there is none."""
        for entry in reversed(self._log.entries()):
            step = entry.fields.get("step")
            if entry.kind == KIND and isinstance(step, int):
                return step
        return 0
