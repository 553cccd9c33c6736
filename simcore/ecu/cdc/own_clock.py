"""The own clock as the suspect: nearly all senders seem late at once.

A controller whose clock runs fast finds everybody late, and its tasks, filters and deadlines are
wrong with it. It withdraws its requests and demands the safe state, so that the secondary takes
over. The reset that follows brings no better clock; the suspicion survives it, and the controller
stays without requests, watching, until the senders have kept time with it for a minute. So it does
not flap: while the drift goes on the secondary keeps commanding. Then it joins again like one that
was just started, from the secondary's forces. A clock that runs slow makes nobody late here; the
actuators and the secondary see its commands late and turn to the secondary by themselves.
"""

from __future__ import annotations

from simcore.ecu.cdc.trouble_codes import CLOCK_SUSPECT
from simcore.ecu.runtime.trouble_codes import NO_TROUBLE_CODES, TroubleCodeReports
from simcore.ecu.seam import Port

MEMORY = "cdc.clock_suspect"
"""Key in the memory that survives a reset."""


class OwnClock:
    """Whether the own clock may be trusted."""

    __slots__ = ("_codes", "_port", "_since_ns", "_trust_ns", "suspect")

    def __init__(
        self,
        port: Port,
        trust_ns: int,
        now_ns: int,
        codes: TroubleCodeReports = NO_TROUBLE_CODES,
    ) -> None:
        self._port = port
        self._codes = codes
        self._trust_ns = trust_ns
        self._since_ns = now_ns
        """Since when the senders have been in time."""
        self.suspect = bool(port.memory.get(MEMORY))
        if self.suspect:
            port.log("note", "own clock suspect since before this start: no requests")
            codes.failed(CLOCK_SUSPECT, now_ns)

    def judge(self, late: bool, now_ns: int) -> bool:
        """Once per period: whether the senders are late all at once. Returns True on finding it."""
        if late:
            self._since_ns = now_ns
            if self.suspect:
                return False
            self.suspect = True
            self._port.memory[MEMORY] = b"\x01"
            self._port.log("detection", "own clock suspect: all senders late at once")
            self._port.log("reaction", "requests withdrawn")
            self._codes.failed(CLOCK_SUSPECT, now_ns)
            return True
        if self.suspect and now_ns - self._since_ns >= self._trust_ns:
            self.suspect = False
            self._port.memory[MEMORY] = b""
            self._port.log("note", "own clock counts again")
            self._codes.passed(CLOCK_SUSPECT, now_ns)
        return False
