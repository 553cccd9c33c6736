"""`Interface`: what a module in the place of a node has to be, as database and requirements say.

The database knows messages, cycles and ranges; the requirement file knows limits, and what plays
which role. Everything a case needs to name comes from here, so the same cases judge any network.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Self

from simcore.ecu.runtime.diagnostic_addresses import diagnostic_messages
from simcore.errors import InputError, UsageError
from simcore.network import Database, Message
from simcore.network.interaction_rules import SendRules, send_rules_of
from simcore.rig.requirements import (
    ROLES,
    Requirement,
    RequirementFile,
    load_requirement_file,
)

NODE = "node"
"""The role of whatever has no other."""
_MISSING = object()
_PLACEHOLDER = re.compile(r"\{(\w*)\}")


class NoRequirementError(InputError):
    """A case takes a number, and no requirement names the case: nothing is demanded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """One node of a network with the demands on it. Never changes: copies are itself."""

    database: Database
    node: str
    role: str
    """`actuator`, `controller` or `node`."""
    corner: str
    """What follows the last underscore of the node's name; the whole name where there is none."""
    requirements: Mapping[str, Requirement] = field(hash=False)
    """Those that concern the node, in the order of the file."""
    bindings: Mapping[str, Any] = field(hash=False)
    """The tables of `node` and of the role, placeholders filled in."""
    source: RequirementFile = field(hash=False, compare=False)
    """The file they are from, whole."""
    sent: tuple[Message, ...]
    """By the node, in database order, without diagnostics."""
    received: tuple[Message, ...]
    """By the node, in database order, without diagnostics."""
    rules: Mapping[str, SendRules] = field(hash=False, compare=False)
    """How each of these messages is sent, by name."""
    diag_request: Message | None
    diag_response: Message | None
    diag_functional: Message | None

    @classmethod
    def of(
        cls,
        database: Database,
        node: str,
        requirement_file: RequirementFile | Path | str | None = None,
        role: str | None = None,
    ) -> Interface:
        """The interface of a node; the shipped requirement list by default.

        The role is what the list says unless it is given. Raises `UsageError` for a node that the
        database does not have, and `InputError` for a placeholder that there is not.
        """
        if node not in database.nodes:
            raise UsageError(
                f"node {node!r}", expected=f"one of {', '.join(database.nodes)}", got=node
            )
        source = requirement_file
        if not isinstance(source, RequirementFile):
            source = load_requirement_file(None if source is None else Path(source))
        role = role_of(source, node) if role is None else role
        if role not in ROLES:
            raise UsageError("role", expected=f"one of {', '.join(ROLES)}", got=repr(role))
        corner = node.rpartition("_")[2]
        tables = {**source.interface.get(NODE, {}), **source.interface.get(role, {})}
        names = {"node": node, "corner": corner}
        links = diagnostic_messages(database, node)
        diagnostics = (
            (None, None, None)
            if links is None
            else (links.request, links.response, links.functional)
        )
        sent = _without(database.sent_by(node), diagnostics)
        others = (each for each in database.received_by(node) if node not in each.senders)
        received = _without(others, diagnostics)
        return cls(
            database=database,
            node=node,
            role=role,
            corner=corner,
            requirements={
                name: each for name, each in source.requirements.items() if each.concerns(node)
            },
            bindings=_filled(tables, names, f"interface.{role}", source.file),
            source=source,
            sent=sent,
            received=received,
            rules={each.name: send_rules_of(each, lenient=True) for each in (*sent, *received)},
            diag_request=diagnostics[0],
            diag_response=diagnostics[1],
            diag_functional=diagnostics[2],
        )

    @property
    def file(self) -> str:
        """The requirement file's name."""
        return self.source.file

    @property
    def cyclic_sent(self) -> tuple[Message, ...]:
        """Messages that the node sends all the time."""
        return tuple(each for each in self.sent if self.cycle_ns(each))

    @property
    def cyclic_received(self) -> tuple[Message, ...]:
        """Messages that the node is sent all the time."""
        return tuple(each for each in self.received if self.cycle_ns(each))

    def cycle_ns(self, message: Message) -> int:
        """Cycle time of a message of the node; 0 for one that is sent on events only."""
        return self.rules[message.name].cycle_ns

    @property
    def is_redundant(self) -> bool:
        """Whether the node is on two buses."""
        return self.node in self.database.redundant_nodes

    def requirements_of(self, case_id: str) -> tuple[str, ...]:
        """Ids of the requirements that a case verifies, in the order of the file."""
        return tuple(name for name, each in self.requirements.items() if each.verified_by(case_id))

    def parameter(self, case_id: str, name: str) -> float:
        """A number that a case takes, from the requirements that it verifies.

        Raises `InputError` where none of them has it, and where two of them disagree, and
        `NoRequirementError` where no requirement names the case.
        """
        ids = self.requirements_of(case_id)
        found = {
            each: self.requirements[each].parameters[name]
            for each in ids
            if name in self.requirements[each].parameters
        }
        if len(set(found.values())) == 1:
            return next(iter(found.values()))
        if not ids:
            raise NoRequirementError(
                f"no requirement names the case, so none says {name}", file=self.file
            )
        named = ", ".join(ids)
        raise InputError(
            f"parameter {name} of case {case_id}",
            expected=f"one value among the requirements it verifies ({named})",
            got=", ".join(f"{value:g} in {each}" for each, value in found.items()) or "none",
            file=self.file,
        )

    def binding(self, name: str, default: Any = _MISSING) -> Any:
        """What the requirement file binds to `name`. Raises `InputError` where nothing is."""
        if name in self.bindings:
            return self.bindings[name]
        if default is not _MISSING:
            return default
        raise InputError(
            f"interface.{self.role}.{name}",
            expected=f"an entry that binds it to the network of {self.node}",
            got="none",
            file=self.file,
        )

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


def role_of(source: RequirementFile, node: str) -> str:
    """The role that a requirement file gives a node."""
    for role, patterns in source.roles.items():
        if any(fnmatchcase(node, pattern) for pattern in patterns):
            return role
    return NODE


def _without(messages: Any, others: tuple[Message | None, ...]) -> tuple[Message, ...]:
    return tuple(each for each in messages if not any(each is other for other in others))


def _filled(value: Any, names: Mapping[str, str], where: str, file: str) -> Any:
    """`value` with the placeholders in all its texts, keys included, filled in."""
    if isinstance(value, dict):
        return {
            _filled(key, names, where, file): _filled(each, names, f"{where}.{key}", file)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_filled(each, names, where, file) for each in value]
    if not isinstance(value, str):
        return value
    for unknown in _PLACEHOLDER.findall(value):
        if unknown not in names:
            expected = " or ".join(f"{{{name}}}" for name in names)
            raise InputError(where, expected=expected, got=f"{{{unknown}}}", file=file)
    return _PLACEHOLDER.sub(lambda found: names[found[1]], value)
