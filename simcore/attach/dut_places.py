"""A module under test in its places: what `--dut MODULE --as NODE` asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simcore.attach.dut import Dut
from simcore.attach.outside import names_of
from simcore.ecu import Node
from simcore.errors import UsageError
from simcore.rig import Bench


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """A module, and the nodes it replaces: an instance each."""

    dut: Dut
    nodes: tuple[str, ...]

    @classmethod
    def of(cls, dut: Dut, nodes: str | Sequence[str]) -> Places:
        """`nodes` may be a text with commas. Raises `UsageError` for none."""
        names = names_of(nodes)
        if not names:
            raise UsageError(
                f"module under test {dut.spec}", expected="a node to replace", got="none"
            )
        return cls(dut=dut, nodes=names)

    def mount(self, rig: Bench) -> Mounted:
        """Put the module in, everywhere. Raises `UsageError` for a node that the rig lacks."""
        unknown = [name for name in self.nodes if name not in rig.nodes]
        if unknown:
            raise UsageError(
                f"module under test {self.dut.label} as {', '.join(unknown)}",
                expected=f"nodes of {rig.database.name}: {', '.join(rig.nodes)}",
            )
        for name in self.nodes:
            rig.replace(name, self.dut)
        return Mounted(rig=rig, modules={name: rig.node(name) for name in self.nodes})

    def __str__(self) -> str:
        """For header and report: what was tested, where, and its digest."""
        dut = self.dut
        kind = f"{dut.kind}, isolated" if dut.isolated else dut.kind
        return f"{dut.spec} as {','.join(self.nodes)} ({kind}, digest {dut.digest[:12]})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounted:
    """The module on one rig."""

    rig: Bench
    modules: Mapping[str, Node]

    def require_still_there(self) -> None:
        """A finding where the scenario has put something else in its place: it was not tested."""
        for name, module in self.modules.items():
            if self.rig.node(name) is not module:
                self.rig.log.find(
                    name,
                    "the scenario replaced the module under test by "
                    f"{type(self.rig.node(name)).__name__}: what it judges is not that module",
                )
