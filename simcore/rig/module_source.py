"""`ModuleSource`: what makes the module for a place, as `simcore.attach.module("brake.so")` does.

`Bench.replace` takes one in place of a node: so a scenario puts a file in with one line.
"""

from __future__ import annotations

from typing import Protocol

from simcore.ecu import Node
from simcore.network import Database


class ModuleSource(Protocol):
    """Makes nodes for any place."""

    @property
    def label(self) -> str:
        """Where they come from, for the record: `brake.so`."""

    def build(self, node: str, database: Database) -> Node:
        """A new node for the place `node`."""


def module_of(given: Node | ModuleSource, name: str, database: Database) -> tuple[Node, str]:
    """The module to put into a place, and how the record calls it."""
    build = getattr(given, "build", None)
    if isinstance(given, type) or not callable(build) or hasattr(given, "on_timer"):
        return given, type(given).__name__  # type: ignore[return-value]
    node: Node = build(name, database)
    return node, f"{type(node).__name__} of {getattr(given, 'label', type(given).__name__)}"
