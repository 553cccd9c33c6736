"""Bundles over diagnostics: members say how they stand, the coordinator says what to do.

Every updatable ECU has an identifier with its signed status; the coordinator's ECU (the domain
controller) has routines that take these and the signed version reports, and give the orders that a
tester carries to the members. A tester can withhold what it carries, but neither forge nor repeat
it: statuses are signed and numbered, decisions are signed by the coordinator.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from simcore.diag.codes import Nrc
from simcore.diag.operation import Answer
from simcore.diag.rows import Did, Routine
from simcore.ecu.runtime.diagnostics_rows import DiagnosticExtras
from simcore.ecu.runtime.software import Software
from simcore.ecu.runtime.software_rows import IN_UPDATE
from simcore.errors import UsageError
from simcore.update.bundle import (
    BundleCoordinator,
    BundleSettings,
    MemberOrder,
    MemberStatus,
    OrderKind,
    status_of,
)
from simcore.update.bundle_authority import Authorisation
from simcore.update.metadata_keys import SIGNATURE_SIZE, is_signed, sign
from simcore.update.states import UpdateState
from simcore.update.verification import Installed
from simcore.update.version_report import VersionReport, vehicle_manifest, verify_report

if TYPE_CHECKING:
    from simcore.ecu.runtime.ecu import Ecu

MEMBER_DID = 0xF1A4
MANIFEST_DID = 0xF1A5
BEGIN_RID, STATUS_RID, ORDERS_RID, ABANDON_RID, REPORT_RID = 0x0220, 0x0221, 0x0222, 0x0223, 0x0224
_HEAD = struct.Struct(">16s16sBBI")
_NAME_SIZE = 16
_HEARD = "bundle status heard"
"""Key in the coordinator's non-volatile memory, with the ECU: no status is taken twice."""
_COUNT = "bundle statuses"
"""Key in the non-volatile memory: how many statuses were given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinatorSettings:
    """What the coordinator's ECU knows of the vehicle."""

    bundle: BundleSettings
    vin: str
    public_keys: Mapping[str, bytes]
    """Of every ECU that can be updated, its own included."""

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


# ---- what goes over the wire ----


def pack_status(status: MemberStatus, counter: int, key: bytes) -> bytes:
    """A status, numbered and signed by its ECU."""
    flags = status.promised | status.doubtful << 1
    head = _HEAD.pack(
        status.ecu_id.encode().ljust(_NAME_SIZE, b"\0"),
        status.campaign,
        status.state,
        flags,
        counter,
    )
    texts = (status.refusal.encode()[:255], status.version.encode()[:255])
    body = head + b"".join(bytes((len(text),)) + text for text in texts)
    return body + sign(key, body)


def unpack_status(data: bytes, public_keys: Mapping[str, bytes]) -> tuple[MemberStatus, int] | None:
    """The status and its number; `None` where it is not an ECU of the vehicle that says so."""
    body, signature = data[:-SIGNATURE_SIZE], data[-SIGNATURE_SIZE:]
    if len(body) < _HEAD.size + 2:
        return None
    name, campaign, state, flags, counter = _HEAD.unpack_from(body)
    ecu_id = name.rstrip(b"\0").decode("ascii", "replace")
    if ecu_id not in public_keys or not is_signed(public_keys[ecu_id], signature, body):
        return None
    split = _HEAD.size + 1 + body[_HEAD.size]
    status = MemberStatus(
        ecu_id=ecu_id,
        campaign=campaign,
        state=UpdateState(state),
        promised=bool(flags & 1),
        doubtful=bool(flags & 2),
        refusal=body[_HEAD.size + 1 : split].decode(),
        version=body[split + 1 :].decode(),
    )
    return status, counter


def pack_order(order: MemberOrder) -> bytes:
    """Name, kind, and the authorisation where there is one, with its length before it."""
    word = b"" if order.authorisation is None else order.authorisation.to_bytes()
    return order.ecu_id.encode().ljust(_NAME_SIZE, b"\0") + bytes((order.kind, len(word))) + word


def unpack_orders(data: bytes) -> list[MemberOrder]:
    """Orders one behind the other. Raises `UsageError` for anything else."""
    orders = []
    while data:
        head, data = data[: _NAME_SIZE + 2], data[_NAME_SIZE + 2 :]
        if len(head) < _NAME_SIZE + 2 or len(data) < head[-1] or head[_NAME_SIZE] not in _KINDS:
            raise UsageError("orders of a bundle", expected="whole orders", got=head.hex())
        word, data = data[: head[-1]], data[head[-1] :]
        orders.append(
            MemberOrder(
                head[:_NAME_SIZE].rstrip(b"\0").decode(),
                OrderKind(head[_NAME_SIZE]),
                Authorisation.from_bytes(word),
            )
        )
    return orders


_KINDS = frozenset(OrderKind)


# ---- rows ----


class MemberRows:
    """What every ECU of a bundle adds to its table."""

    __slots__ = ("_ecu", "_software")

    def __init__(self, ecu: Ecu, software: Software) -> None:
        self._ecu = ecu
        self._software = software

    def extras(self) -> DiagnosticExtras:
        """The rows."""
        return DiagnosticExtras(
            dids=(Did(MEMBER_DID, "bundle: member status, signed", None, read=self.status),)
        )

    def status(self, now_ns: int) -> Answer:
        """How this ECU stands."""
        software = self._software
        client = software.client
        if client is None:
            return Nrc.CONDITIONS_NOT_CORRECT
        image = software.image
        version = "" if image is None else str(image.version)
        conditions = software.conditions
        before = conditions.dependents_ready
        conditions.dependents_ready = True  # whether they are is what the coordinator asks
        status = status_of(client.settings.ecu_id, client, version, now_ns)
        conditions.dependents_ready = before
        memory = self._ecu.port.memory
        counter = int.from_bytes(memory.get(_COUNT, b""), "big") + 1
        memory[_COUNT] = counter.to_bytes(4, "big")
        return pack_status(status, counter, software.settings.ecu_key)


class CoordinatorRows:
    """What the coordinator's ECU adds; begins where its last decision in flash says."""

    __slots__ = (
        "_coordinator",
        "_ecu",
        "_reports",
        "_settings",
        "_software",
        "_started_ns",
    )

    def __init__(
        self,
        ecu: Ecu,
        software: Software,
        settings: CoordinatorSettings,
        now_ns: int,
    ) -> None:
        self._ecu = ecu
        self._software = software
        self._settings = settings
        self._reports: dict[str, tuple[bytes, VersionReport]] = {}
        self._started_ns = now_ns
        self._coordinator = None if software.is_untouched else self._opened()

    @property
    def coordinator(self) -> BundleCoordinator:
        """The coordinator; without a decision in flash it is opened when it is first needed."""
        if self._coordinator is None:
            self._coordinator = self._opened()
        return self._coordinator

    def _opened(self) -> BundleCoordinator:
        region = self._software.settings.layout.records.on(self._software.flash)
        coordinator = BundleCoordinator(region, self._settings.bundle)
        coordinator.start(self._started_ns)
        return coordinator

    def extras(self) -> DiagnosticExtras:
        """The rows."""
        rows = (
            (BEGIN_RID, "bundle: begin", self.begin, 0),
            (STATUS_RID, "bundle: member status", self.take, None),
            (ORDERS_RID, "bundle: orders for the members", self.orders, 0),
            (ABANDON_RID, "bundle: abandon", self.abandon, 0),
            (REPORT_RID, "ECU version report of another ECU", self.report, None),
        )
        return DiagnosticExtras(
            dids=(Did(MANIFEST_DID, "vehicle version manifest, signed", None, read=self.manifest),),
            routines=tuple(
                Routine(rid, name, start=start, option_size=size, access=IN_UPDATE)
                for rid, name, start, size in rows
            ),
        )

    def installed(self) -> dict[str, Installed]:
        """What the other ECUs run, as their reports say."""
        return {
            name: Installed(
                report.hardware_id,
                report.sha256,
                report.version,
                report.release_counter,
                report.security_counter,
            )
            for name, (_, report) in self._reports.items()
        }

    def begin(self, option: bytes, now_ns: int) -> Answer:
        """Take up the bundle that the verified metadata of this ECU name."""
        client = self._software.client
        order = None if client is None else client.order
        if client is None or order is None or order.bundle is None:
            return Nrc.REQUEST_SEQUENCE_ERROR
        if not self.coordinator.begin(client.record.campaign, order.bundle.members, now_ns):
            return Nrc.CONDITIONS_NOT_CORRECT
        self._log()
        return bytes((self.coordinator.phase,))

    def take(self, option: bytes, now_ns: int) -> Answer:
        """A member's status; the phase of the bundle after it."""
        heard = unpack_status(option, self._settings.public_keys)
        if heard is None:
            return Nrc.SECURITY_ACCESS_DENIED
        status, counter = heard
        heard_key = f"{_HEARD} {status.ecu_id}"
        memory = self._ecu.port.memory
        if counter <= int.from_bytes(memory.get(heard_key, b""), "big"):
            return Nrc.REQUEST_OUT_OF_RANGE
        memory[heard_key] = counter.to_bytes(4, "big")
        before = self.coordinator.phase
        self.coordinator.take(status, now_ns)
        if self.coordinator.phase is not before:
            self._log()
        return bytes((self.coordinator.phase,))

    def orders(self, option: bytes, now_ns: int) -> Answer:
        """The phase, then what to tell the members now."""
        before = self.coordinator.phase
        orders = self.coordinator.orders(now_ns)
        if self.coordinator.phase is not before:
            self._log()
        packed = b"".join(pack_order(order) for order in orders)
        return bytes((self.coordinator.phase,)) + packed

    def abandon(self, option: bytes, now_ns: int) -> Answer:
        """Give the bundle up, unless it is decided."""
        if not self.coordinator.abandon(now_ns):
            return Nrc.CONDITIONS_NOT_CORRECT
        self._log()
        return bytes((self.coordinator.phase,))

    def report(self, option: bytes, now_ns: int) -> Answer:
        """A version report, as its ECU signed it."""
        for name, key in self._settings.public_keys.items():
            before = self._reports.get(name)
            above = -1 if before is None else before[1].counter
            verdict = verify_report(option, key, ecu_id=name, counter_above=above)
            if verdict.accepted and verdict.report is not None:
                self._reports[name] = (option, verdict.report)
                return b""
        return Nrc.SECURITY_ACCESS_DENIED

    def manifest(self, now_ns: int) -> Answer:
        """All reports heard so far, signed as the primary."""
        memory = self._ecu.port.memory
        counter = int.from_bytes(memory.get("manifests", b""), "big") + 1
        memory["manifests"] = counter.to_bytes(4, "big")
        return vehicle_manifest(
            self._settings.vin,
            self._settings.bundle.ecu_id,
            [data for data, _ in self._reports.values()],
            counter=counter,
            key=self._software.settings.ecu_key,
        )

    def _log(self) -> None:
        self._ecu.port.log("state", f"bundle {self.coordinator.phase.name}")
