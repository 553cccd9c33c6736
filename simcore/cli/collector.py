"""The garbage collector of a process that does nothing but run scenarios."""

from __future__ import annotations

import gc


def relax_collector() -> None:
    """Look for reference cycles less often.

    A run makes few cycles and very many records that last; searching those again and again is some
    8 % of the run. Only for a process of our own: a library must not change this for its caller.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
