"""Virtual time: the event queue, pacing, named random streams and the digest of a run."""

from simcore.kernel.digest import TraceDigest, chained
from simcore.kernel.pacing import FreeRunning, Pacing, RealTime
from simcore.kernel.rng import RandomStream, RandomStreams
from simcore.kernel.scheduler import Priority, Scheduler, StuckError, Timer

__all__ = [
    "FreeRunning",
    "Pacing",
    "Priority",
    "RandomStream",
    "RandomStreams",
    "RealTime",
    "Scheduler",
    "StuckError",
    "Timer",
    "TraceDigest",
    "chained",
]
