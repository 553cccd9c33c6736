"""`NodeClock`: calls nodes at the deadlines they ask for.

Many nodes share instants (every millisecond, every five). They share one event of the queue then,
and are called in the order in which they asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simcore.kernel import Priority, Scheduler

if TYPE_CHECKING:
    from simcore.rig.host import NodeHost

_ECU = int(Priority.ECU)


class NodeClock:
    """Deadlines of all nodes of a rig."""

    __slots__ = ("_due", "_scheduler")

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._due: dict[int, list[NodeHost]] = {}

    def call_at(self, deadline_ns: int, host: NodeHost) -> None:
        """Call `host.tick` at `deadline_ns`; it returns when to call it again."""
        due = self._due.get(deadline_ns)
        if due is None:
            self._due[deadline_ns] = [host]
            self._scheduler.post(deadline_ns, _ECU, self._fire)
        else:
            due.append(host)

    def _fire(self) -> None:
        now_ns = self._scheduler.now_ns
        due = self._due
        together: list[NodeHost] = []
        together_ns = -1
        for host in due.pop(now_ns):
            deadline_ns = host.tick(now_ns)
            if deadline_ns == together_ns:  # as the one before: most nodes keep step
                together.append(host)
            elif deadline_ns is not None:
                again = due.get(deadline_ns)
                if again is None:
                    again = due[deadline_ns] = []
                    self._scheduler.post(deadline_ns, _ECU, self._fire)
                again.append(host)
                together, together_ns = again, deadline_ns
