"""The end of a run, for modules that want to know.

A node may have a method `ended(now_ns)`: it is called once, when the run is over, lets go what it
holds outside of the simulation, and returns what it has to complain about as texts. They become
findings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simcore.rig.host_crash import record_crash

if TYPE_CHECKING:
    from simcore.rig.bench import Bench


def end_nodes(rig: Bench) -> None:
    """Tell every module in its place that the run is over."""
    for name in rig.nodes:
        ended = getattr(rig.node(name), "ended", None)
        if not callable(ended):
            continue
        try:
            for text in ended(rig.now_ns):
                rig.log.find(name, str(text))
        except (Exception, SystemExit) as error:  # a module we did not write
            record_crash(rig.log, name, "ended", error)
