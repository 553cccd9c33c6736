"""`EchoFilter`: tells one's own frames, which some interfaces hand back, from foreign ones.

python-can's udp_multicast does, and so does any adapter that is set to receive its own messages.
"""

from __future__ import annotations

from collections import deque

from simcore.bus import Frame
from simcore.units import NS_PER_S

ECHO_WITHIN_NS = NS_PER_S
"""A frame that has not come back by then does not come back."""


class EchoFilter:
    """Remembers what was sent for a second. Times are of any one clock."""

    def __init__(self) -> None:
        self._sent: deque[tuple[int, Frame]] = deque()
        self._expected: dict[Frame, deque[int]] = {}
        """When each frame went out that may still come back."""
        self.count = 0
        """Echoes so far."""

    def sent(self, frame: Frame, clock_ns: int) -> None:
        """A frame goes out: one like it may come back."""
        self._forget(clock_ns - ECHO_WITHIN_NS)
        self._sent.append((clock_ns, frame))
        self._expected.setdefault(frame, deque()).append(clock_ns)

    def is_echo(self, frame: Frame, clock_ns: int) -> bool:
        """Whether a frame that came in is one that went out; that one is expected no more."""
        self._forget(clock_ns - ECHO_WITHIN_NS)
        times_ns = self._expected.get(frame)
        if not times_ns:
            return False
        times_ns.popleft()
        self.count += 1
        return True

    def _forget(self, before_ns: int) -> None:
        sent, expected = self._sent, self._expected
        while sent and sent[0][0] < before_ns:
            _, frame = sent.popleft()
            times_ns = expected.get(frame)
            while times_ns and times_ns[0] < before_ns:
                times_ns.popleft()
            if not times_ns:
                expected.pop(frame, None)
