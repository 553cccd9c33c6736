"""What a DoIP entity is set up with: who it is, whom it lets in, its times and limits.

Times are those of ISO 13400-2:2019, table 12. Addresses after table 13: testers 0x0E00..0x0FFF,
entities 0x0001..0x0DFF and 0x1000..0x7FFF, functional groups 0xE400..0xEFFF.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, unique
from types import MappingProxyType
from typing import Any, Self

from simcore.diag.doip_codec import EID_SIZE, GID_SIZE, VERSIONS, VIN_SIZE
from simcore.errors import UsageError
from simcore.units import NS_PER_MS, NS_PER_S

TESTERS = range(0x0E00, 0x1000)
FUNCTIONAL_GROUPS = range(0xE400, 0xF000)
DEFAULT_ACTIVATION = 0x00
REGULATION_ACTIVATION = 0x01
"""Diagnostics required by regulation (WWH-OBD); the type some tools send by default."""
CENTRAL_SECURITY_ACTIVATION = 0xE0


def is_entity_address(address: int) -> bool:
    """Whether a logical address may be that of an ECU."""
    return 0x0001 <= address <= 0x0DFF or 0x1000 <= address <= 0x7FFF


@unique
class Confirmation(IntEnum):
    """Whether somebody in the vehicle has to agree to an activation."""

    NOT_NEEDED = 0
    ASKED = 1
    """Answered with 0x11; `DoipEntity.confirm` decides later."""


class _Frozen:
    """Never changes, so copies share it."""

    __slots__ = ()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationRule(_Frozen):
    """What one routing activation type asks for."""

    secret: bytes | None = None
    """The four bytes of the vehicle manufacturer that authenticate; `None` for nothing."""
    confirmation: Confirmation = Confirmation.NOT_NEEDED
    tls: bool = False
    """Only over TLS, which is not simulated: always refused with 0x07."""

    def __post_init__(self) -> None:
        if self.secret is not None and len(self.secret) != 4:
            raise UsageError("ActivationRule, secret", expected="4 bytes", got=self.secret.hex())


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedTester(_Frozen):
    """What one tester may do."""

    address: int
    targets: frozenset[int] | None = None
    """Logical addresses it may reach; `None` for all there are."""
    types: frozenset[int] = frozenset({DEFAULT_ACTIVATION, REGULATION_ACTIVATION})
    """Routing activation types it may use."""

    def __post_init__(self) -> None:
        if self.address not in TESTERS:
            raise UsageError(
                "AllowedTester, address", expected="0x0E00..0x0FFF", got=f"{self.address:#06x}"
            )

    def may_reach(self, target: int) -> bool:
        """Whether the tester may send to a logical address."""
        return self.targets is None or target in self.targets


_BASIC_RULES: Mapping[int, ActivationRule] = {
    DEFAULT_ACTIVATION: ActivationRule(),
    REGULATION_ACTIVATION: ActivationRule(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DoipSettings(_Frozen):
    """A DoIP entity. Times default to those of the standard."""

    address: int
    """Its own logical address."""
    vin: bytes
    eid: bytes
    """Entity identification, a MAC address."""
    gid: bytes
    """Group identification: the same for all entities of a vehicle."""
    testers: tuple[AllowedTester, ...]
    activations: Mapping[int, ActivationRule] = field(default_factory=lambda: _BASIC_RULES)
    """Routing activation types that are supported at all."""
    version: int = 0x03
    """Of announcements, and of answers to testers of another one."""
    is_gateway: bool = True
    max_sockets: int = 4
    """Testers at a time. One more connection is let in to be told that all are taken."""
    max_message_size: int = 0x1_0004
    """The longest DoIP payload: 64 KiB of diagnostic data with the two addresses."""
    memory_size: int = 0x4_0000
    """For all messages that are under way at a time."""
    initial_inactivity_ns: int = 2 * NS_PER_S
    general_inactivity_ns: int = 300 * NS_PER_S
    alive_check_ns: int = 500 * NS_PER_MS
    announce_wait_ns: int = 500 * NS_PER_MS
    """An announcement and an identification response wait a random time up to this."""
    announce_interval_ns: int = 500 * NS_PER_MS
    announce_count: int = 3

    def __post_init__(self) -> None:
        for name, size in (("vin", VIN_SIZE), ("eid", EID_SIZE), ("gid", GID_SIZE)):
            value: bytes = getattr(self, name)
            if len(value) != size:
                raise UsageError(
                    f"DoipSettings, {name}", expected=f"{size} bytes", got=f"{len(value)}"
                )
        if not is_entity_address(self.address):
            raise UsageError(
                "DoipSettings, address",
                expected="0x0001..0x0DFF or 0x1000..0x7FFF",
                got=f"{self.address:#06x}",
            )
        if self.version not in VERSIONS:
            raise UsageError("DoipSettings, version", expected="2 or 3", got=self.version)
        if not 1 <= self.max_sockets <= 254:
            raise UsageError("DoipSettings, max_sockets", expected="1..254", got=self.max_sockets)
        if not 11 <= self.max_message_size <= self.memory_size:
            raise UsageError(
                "DoipSettings, max_message_size",
                expected="at least 11 and at most memory_size",
                got=self.max_message_size,
            )
        addresses = [tester.address for tester in self.testers]
        if len(set(addresses)) != len(addresses):
            raise UsageError("DoipSettings, testers", expected="each address once", got=addresses)
        object.__setattr__(self, "activations", MappingProxyType(dict(self.activations)))

    def tester(self, address: int) -> AllowedTester | None:
        """The access of a tester; `None` for an unknown one."""
        return next((each for each in self.testers if each.address == address), None)

    def __reduce__(self) -> tuple[Any, ...]:
        values = {name: getattr(self, name) for name in self.__slots__}
        values["activations"] = dict(self.activations)  # a mapping proxy does not pickle
        return _settings_of, (values,)


def _settings_of(values: dict[str, Any]) -> DoipSettings:
    return DoipSettings(**values)
