"""From an interface to the cases that judge it.

Which group modules there are, and for which roles, is the list here; which requirements a case
verifies is said by the requirement file. A pattern there that names no case is refused: it would be
a requirement that looks verified and is not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from importlib import import_module

from simcore.errors import InputError, UsageError
from simcore.rig.requirements import ROLES, Requirement, RequirementFile
from simcore.testing.conformance.case import Case, Group
from simcore.testing.conformance.interface import Interface, role_of

_ALL = ROLES
_GROUPS = "simcore.testing.conformance.groups"

MODULES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("startup", _ALL),
    ("cycles", _ALL),
    ("layout", _ALL),
    ("e2e_transmit", _ALL),
    ("timeouts", _ALL),
    ("bus_errors", _ALL),
    ("diagnostics", _ALL),
    ("diagnostics_data", _ALL),
    ("diagnostics_actions", _ALL),
    ("diagnostics_transport", _ALL),
    ("diagnostics_codes", _ALL),
    ("update", _ALL),
    ("power_modes", _ALL),
    ("actuator_control", ("actuator",)),
    ("actuator_status", ("actuator",)),
    ("actuator_idle", ("actuator",)),
    ("actuator_conditions", ("actuator",)),
    ("actuator_parking", ("actuator",)),
    ("actuator_e2e", ("actuator",)),
    ("actuator_redundancy", ("actuator",)),
    ("actuator_loss", ("actuator",)),
    ("actuator_faults", ("actuator",)),
    ("actuator_limits", ("actuator",)),
    ("actuator_watchdog", ("actuator",)),
    ("controller_control", ("controller",)),
    ("controller_told", ("controller",)),
    ("controller_slip", ("controller",)),
    ("controller_e2e", ("controller",)),
    ("controller_redundancy", ("controller",)),
    ("controller_faults", ("controller",)),
    ("controller_pedal", ("controller",)),
    ("controller_watchdog", ("controller",)),
    ("controller_runs", ("controller",)),
    ("robustness", _ALL),
    ("long_run", _ALL),
)
"""Modules of `groups` with the roles that they judge; each has `cases(interface)`."""


def plan(interface: Interface) -> list[Case]:
    """Every case for this place, in the order of the groups, with its requirements.

    Raises `UsageError` for two cases of one id and `InputError` for a pattern of the requirement
    file that names no case of any node it concerns.
    """
    cases = _cases(interface)
    unmatched = [
        (requirement, pattern)
        for requirement in interface.source.requirements.values()
        for pattern in requirement.cases
        if not (requirement.concerns(interface.node) and _names_one(pattern, cases))
    ]
    if unmatched:
        _refuse_idle_patterns(interface, unmatched)
    return [replace(case, requirements=interface.requirements_of(case.id)) for case in cases]


def _cases(interface: Interface) -> list[Case]:
    cases: list[Case] = []
    for name, roles in MODULES:
        if interface.role in roles:
            make: Callable[[Interface], Sequence[Case]] = import_module(f"{_GROUPS}.{name}").cases
            cases.extend(make(interface))
    seen: set[str] = set()
    for case in cases:
        if case.id in seen:
            raise UsageError(f"case {case.id}", expected="an id of its own", got="two of them")
        seen.add(case.id)
    order = list(Group)
    return sorted(cases, key=lambda case: order.index(case.group))


def _names_one(pattern: str, cases: Sequence[Case]) -> bool:
    return any(fnmatchcase(case.id, pattern) for case in cases)


def _refuse_idle_patterns(
    interface: Interface, unmatched: Sequence[tuple[Requirement, str]]
) -> None:
    """Ask the other nodes of the network, too; one that plays no part here says nothing."""
    source, database = interface.source, interface.database
    present = {role_of(source, node) for node in database.nodes}
    if not set(source.roles) <= present:
        return  # a list for several networks, of which this one is a part
    others: dict[str, list[Case]] = {}
    for requirement, pattern in unmatched:
        for node in database.nodes:
            if not requirement.concerns(node):
                continue
            if node not in others:
                others[node] = _cases(_interface_of(interface, source, node))
            if _names_one(pattern, others[node]):
                break
        else:
            raise InputError(
                f"requirement {requirement.id}, cases",
                expected="patterns of ids of cases that there are",
                got=repr(pattern),
                file=source.file,
            )


def _interface_of(interface: Interface, source: RequirementFile, node: str) -> Interface:
    if node == interface.node:
        return interface
    return Interface.of(interface.database, node, source)
