"""All or none: the coordinator of a bundle, two-phase commit over the update clients of a vehicle.

Sans-IO: it is told how the members stand (`take`) and says what to order them (`orders`). The
decision is persisted before anybody is told; members act on it only with its signature
(bundle_authority.py). A member that lost its new image after the decision rolls forward, because
it promised; before the decision everybody rolls back. A campaign is decided once: its identifier is
never taken up again, so an old order that comes late finds no other decision, and a member that
comes late still hears the one there is. What the coordinator hears is trusted: the network between
the ECUs is not secured here.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Any, NamedTuple, TypeVar

from simcore.errors import UsageError
from simcore.units import NS_PER_S
from simcore.update.block_list import BlockList
from simcore.update.bundle_authority import Authorisation, Decision, authorise
from simcore.update.bundle_phases import BundleEvent, BundlePhase, next_phase
from simcore.update.client import UpdateClient
from simcore.update.compatibility import Software, misfits
from simcore.update.record import RecordStore, Region
from simcore.update.states import UpdateState

_T = TypeVar("_T")
_S = UpdateState
_P = BundlePhase
_E = BundleEvent
MEMBERS_MAX = 8
_NAME_SIZE = 16
_BODY = struct.Struct(f"<B16sB{MEMBERS_MAX * _NAME_SIZE}s32s32s")


@unique
class OrderKind(IntEnum):
    """What a member is told."""

    ACTIVATE = 0
    COMMIT = 1
    ROLL_BACK = 2
    CANCEL = 3
    ACKNOWLEDGE = 4


class MemberOrder(NamedTuple):
    """One order for one member. Safe to repeat."""

    ecu_id: str
    kind: OrderKind
    authorisation: Authorisation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberStatus:
    """How one member stands."""

    ecu_id: str
    campaign: bytes
    state: UpdateState
    promised: bool = False
    doubtful: bool = False
    """Its self-test failed after it had promised."""
    refusal: str = ""
    """Why its activation guard would refuse now."""
    version: str = ""
    """Of the image that runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleSettings:
    """Of a coordinator."""

    ecu_id: str
    """Its own ECU: activated last, because its reset takes the coordinator away."""
    key: bytes
    """Signs the decision."""
    gathering_ns: int = 3600 * NS_PER_S
    activation_ns: int = 600 * NS_PER_S
    repeat_ns: int = NS_PER_S // 10
    """Between an order and the same order."""

    def __copy__(self: _T) -> _T:
        return self

    def __deepcopy__(self: _T, memo: dict[int, Any]) -> _T:
        return self


class BundleCoordinator:
    """Decides for a bundle. Its phase and decision lie in the last two sectors of a region."""

    __slots__ = (
        *("settings", "campaign", "members", "phase", "statuses", "committed", "rolled_back"),
        *("_store", "_since_ns", "_orders_ns"),
    )

    def __init__(self, region: Region, settings: BundleSettings) -> None:
        first = region.size // region.sector_size - 2
        self.settings = settings
        self._store = RecordStore(region, _BODY.size, first_sector=first)
        self.campaign = bytes(16)
        self.members: tuple[str, ...] = ()
        self.phase = _P.IDLE
        self.statuses: dict[str, MemberStatus] = {}
        self.committed = self.rolled_back = BlockList()
        """Campaigns that were decided."""
        self._since_ns = 0
        self._orders_ns = 0

    # ---- from outside ----

    def start(self, now_ns: int) -> None:
        """Go on where the last decision in flash says."""
        body = self._store.body
        if body is not None:
            phase, self.campaign, count, names, committed, rolled_back = _BODY.unpack(body)
            self.committed = BlockList.decode(committed)
            self.rolled_back = BlockList.decode(rolled_back)
            self.phase = BundlePhase(phase)
            places = range(0, count * _NAME_SIZE, _NAME_SIZE)
            self.members = tuple(
                names[at : at + _NAME_SIZE].rstrip(b"\0").decode() for at in places
            )
            self._store.write(body)  # it may have been half written
        self._since_ns = self._orders_ns = now_ns

    def begin(self, campaign: bytes, members: tuple[str, ...], now_ns: int) -> bool:
        """Take a bundle up; false while another one is under way, or once it was decided."""
        if self.phase is not _P.IDLE:
            return campaign == self.campaign
        if campaign in self.committed or campaign in self.rolled_back:
            return False
        long = [name for name in members if not 0 < len(name.encode()) <= _NAME_SIZE]
        if not members or len(members) > MEMBERS_MAX or long:
            raise UsageError(
                "bundle", expected=f"1..{MEMBERS_MAX} members of 1..16 bytes", got=members
            )
        self.campaign = campaign
        self.members = members
        self.statuses = {}
        self._move(_E.BEGUN, now_ns)
        return True

    def take(self, status: MemberStatus, now_ns: int) -> None:
        """How a member stands now."""
        if status.ecu_id in self.members:
            self.statuses[status.ecu_id] = status
            self._judge(now_ns)

    def abandon(self, now_ns: int) -> bool:
        """Give the bundle up, if nothing is decided yet."""
        before = self.phase
        self._move(_E.ABANDONED, now_ns)
        return self.phase is not before

    def orders(self, now_ns: int) -> tuple[MemberOrder, ...]:
        """What to tell the members now; the same again every `repeat_ns` until it is done."""
        if self.phase in (_P.GATHERING, _P.ACTIVATING) and now_ns >= self._expiry_ns():
            self._move(_E.EXPIRED, now_ns)
        if now_ns < self._orders_ns:
            return ()
        found = [order for name in self.members if (order := self._order(name)) is not None]
        if found:
            self._orders_ns = now_ns + self.settings.repeat_ns
        own = self.settings.ecu_id
        return tuple(sorted(found, key=lambda order: order.ecu_id == own))

    def next_deadline_ns(self) -> int | None:
        """When to ask for `orders` next; None while there is no bundle."""
        if any(self._order(name) is not None for name in self.members):
            return self._orders_ns
        if self.phase is _P.IDLE:
            return None
        if self.phase in (_P.GATHERING, _P.ACTIVATING):
            return self._expiry_ns()
        return self._orders_ns

    @property
    def decision(self) -> Decision:
        """What was decided."""
        if self.phase in (_P.COMMITTING, _P.COMMITTED):
            return Decision.COMMIT
        if self.phase in (_P.ROLLING_BACK, _P.ROLLED_BACK):
            return Decision.ROLLBACK
        return Decision.NONE

    # ---- inside ----

    def _expiry_ns(self) -> int:
        settings = self.settings
        is_gathering = self.phase is _P.GATHERING
        return self._since_ns + (settings.gathering_ns if is_gathering else settings.activation_ns)

    def _move(self, event: BundleEvent, now_ns: int) -> None:
        following = next_phase(self.phase, event)
        if following is self.phase:
            return
        names = b"".join(name.encode().ljust(_NAME_SIZE, b"\0") for name in self.members)
        committed, rolled_back = self.committed, self.rolled_back
        if following is _P.COMMITTING:
            committed = committed.blocking(self.campaign)
        elif following is _P.ROLLING_BACK:
            rolled_back = rolled_back.blocking(self.campaign)
        lists = committed.encode(), rolled_back.encode()
        self._store.write(_BODY.pack(following, self.campaign, len(self.members), names, *lists))
        self.phase = following
        self.committed, self.rolled_back = committed, rolled_back
        self._since_ns = self._orders_ns = now_ns

    def _judge(self, now_ns: int) -> None:
        if len(self.statuses) < len(self.members):
            if any(self._has_failed(each) for each in self.statuses.values()):
                self._move(_E.MEMBER_FAILED, now_ns)
            return
        everybody = tuple(self.statuses.values())
        if any(self._has_failed(each) for each in everybody):
            self._move(_E.MEMBER_FAILED, now_ns)
        for event, holds in _EVERYBODY.items():
            if all(holds(self, each) for each in everybody):
                self._move(event, now_ns)

    def _has_failed(self, status: MemberStatus) -> bool:
        if status.doubtful or status.state in (_S.FAILED, _S.RECOVERY):
            return True
        if status.state in (_S.ROLLING_BACK, _S.ROLLED_BACK):
            return status.campaign == self.campaign
        left = self.phase is _P.ACTIVATING and status.state in (_S.IDLE, _S.CLEANING)
        return left or (self._is_other(status) and self.phase is _P.ACTIVATING)

    def _is_other(self, status: MemberStatus) -> bool:
        return status.campaign != self.campaign

    def _is_staged(self, status: MemberStatus) -> bool:
        mine = not self._is_other(status)
        return mine and status.state is _S.STAGED and not status.refusal

    def _is_promising(self, status: MemberStatus) -> bool:
        return not self._is_other(status) and status.state is _S.TRIAL and status.promised

    def _is_new(self, status: MemberStatus) -> bool:
        """Only who has committed forgets the campaign: a promise cannot be cleaned away."""
        return status.state in (_S.COMMITTED, _S.CLEANING, _S.IDLE)

    def _is_old(self, status: MemberStatus) -> bool:
        done = (_S.IDLE, _S.CLEANING, _S.FAILED)
        is_back = status.state is _S.ROLLED_BACK and not status.promised
        return status.state in done or is_back or self._is_other(status)

    def _is_clean(self, status: MemberStatus) -> bool:
        return status.state is _S.IDLE or self._is_other(status)

    def _order(self, ecu_id: str) -> MemberOrder | None:
        status = self.statuses.get(ecu_id)
        kind = None if status is None else self._kind(status)
        if status is None or kind is None:
            return None
        decision = _SIGNED.get(kind)
        if decision is None:
            return MemberOrder(ecu_id, kind)
        return MemberOrder(ecu_id, kind, authorise(self.settings.key, status.campaign, decision))

    def _kind(self, status: MemberStatus) -> OrderKind | None:
        """What to tell a member: by the decision on its campaign, else by the phase."""
        ended = status.campaign == self.campaign and self.phase in (_P.COMMITTED, _P.ROLLED_BACK)
        is_held = status.state is _S.ROLLED_BACK and status.promised
        end = _ORDERS.get((self.phase, status.state)) if ended and not is_held else None
        if end is not None:
            return end
        if status.campaign in self.committed:
            return _ORDERS.get((_P.COMMITTING, status.state))
        if status.campaign in self.rolled_back:
            return _ORDERS.get((_P.ROLLING_BACK, status.state))
        return None if self._is_other(status) else _ORDERS.get((self.phase, status.state))


_SIGNED = {
    OrderKind.ACTIVATE: Decision.ACTIVATE,
    OrderKind.COMMIT: Decision.COMMIT,
    OrderKind.ROLL_BACK: Decision.ROLLBACK,
}
"""Orders that carry the coordinator's signature, and what it says."""
_EVERYBODY = {
    _E.ALL_STAGED: BundleCoordinator._is_staged,
    _E.ALL_PROMISED: BundleCoordinator._is_promising,
    _E.ALL_NEW: BundleCoordinator._is_new,
    _E.ALL_OLD: BundleCoordinator._is_old,
    _E.ALL_CLEAN: BundleCoordinator._is_clean,
}
"""Events that need the whole bundle, and what each member must show."""

_ORDERS: dict[tuple[BundlePhase, UpdateState], OrderKind] = {
    (_P.ACTIVATING, _S.STAGED): OrderKind.ACTIVATE,
    (_P.COMMITTING, _S.TRIAL): OrderKind.COMMIT,
    (_P.COMMITTING, _S.ROLLED_BACK): OrderKind.COMMIT,
    (_P.COMMITTING, _S.STAGED): OrderKind.COMMIT,
    (_P.ROLLING_BACK, _S.TRIAL): OrderKind.ROLL_BACK,
    (_P.ROLLING_BACK, _S.ROLLED_BACK): OrderKind.ROLL_BACK,
    (_P.ROLLING_BACK, _S.PENDING_CONSENT): OrderKind.CANCEL,
    (_P.ROLLING_BACK, _S.DOWNLOADING): OrderKind.CANCEL,
    (_P.ROLLING_BACK, _S.SUSPENDED): OrderKind.CANCEL,
    (_P.ROLLING_BACK, _S.VERIFYING): OrderKind.CANCEL,
    (_P.ROLLING_BACK, _S.READY): OrderKind.CANCEL,
    (_P.ROLLING_BACK, _S.STAGED): OrderKind.CANCEL,
    (_P.COMMITTED, _S.COMMITTED): OrderKind.ACKNOWLEDGE,
    (_P.ROLLED_BACK, _S.ROLLED_BACK): OrderKind.ACKNOWLEDGE,
    (_P.ROLLED_BACK, _S.FAILED): OrderKind.ACKNOWLEDGE,
}


# ---- the member's side ----


def status_of(ecu_id: str, client: UpdateClient, version: str, now_ns: int) -> MemberStatus:
    """What a member tells the coordinator."""
    record = client.record
    refusal = client.activation_refusal(now_ns) if client.state is _S.STAGED else None
    return MemberStatus(
        ecu_id=ecu_id,
        campaign=record.campaign,
        state=client.state,
        promised=record.promised,
        doubtful=client.is_doubtful,
        refusal="" if refusal is None else refusal.reason,
        version=version,
    )


def obey(client: UpdateClient, order: MemberOrder, now_ns: int) -> object:
    """What a member does with an order; its answer."""
    match order.kind:
        case OrderKind.ACTIVATE:
            return client.activate(now_ns)
        case OrderKind.COMMIT:
            return client.commit(order.authorisation, now_ns)
        case OrderKind.ROLL_BACK:
            return client.rollback(now_ns, order.authorisation)
        case OrderKind.CANCEL:
            return client.cancel(now_ns)
    return client.acknowledge(now_ns)


def driving_refusals(
    members: tuple[str, ...],
    statuses: Mapping[str, MemberStatus],
    catalogue: Mapping[tuple[str, str], Software],
) -> tuple[str, ...]:
    """Why the vehicle is not released for driving: empty when it is.

    `catalogue` says what software is behind an ECU and the version it reports.
    """
    silent = [name for name in members if not (name in statuses and statuses[name].version)]
    reasons = [f"{name} does not answer" for name in silent]
    software: dict[str, Software] = {}
    for name in members:
        if name in silent:
            continue
        found = catalogue.get((name, statuses[name].version))
        if found is None:
            reasons.append(f"{name} runs unknown software {statuses[name].version}")
        else:
            software[name] = found
    return (*reasons, *(str(each) for each in misfits(software)))
