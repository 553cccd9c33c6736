"""Pauses of a node's messages that are in order: its own reset, and CommunicationControl.

Both are events of the node. What comes after them begins anew for the statistics of the cycle
times, as after a reset by the script; while transmission is stopped nothing is missing.
"""

from __future__ import annotations

from simcore.ecu.runtime.diagnostics import COMMUNICATION_TEXT
from simcore.rig.host_reset import RESET_TEXT
from simcore.rig.recorder import Recorder
from simcore.rig.result import Event


class Pauses:
    """Watches the event log for them; see `Bench.pauses`."""

    __slots__ = ("_recorder", "restarted", "stopped")

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.stopped: dict[str, int] = {}
        """Nodes that a tester keeps from sending, and since when."""
        self.restarted: set[str] = set()
        """Nodes that have reset themselves."""

    def look(self, event: Event) -> None:
        """An event was recorded."""
        if event.kind != "state":
            return
        if event.text.startswith(RESET_TEXT):
            self.stopped.pop(event.source, None)
            self._recorder.restart(event.source)
            self.restarted.add(event.source)
        elif event.text.startswith(COMMUNICATION_TEXT):
            if event.text.endswith("transmission off"):
                self.stopped[event.source] = event.time_ns
            elif self.stopped.pop(event.source, None) is not None:
                self._recorder.restart(event.source)
