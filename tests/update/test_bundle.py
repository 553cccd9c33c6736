"""All or none: five ECUs, one coordinator, and everything that may come in between."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest

from simcore.diag.codes import Nrc
from simcore.errors import UsageError
from simcore.update.bundle import BundleCoordinator, MemberStatus, OrderKind, driving_refusals
from simcore.update.bundle_authority import Authorisation, Decision, authorise, is_genuine
from simcore.update.bundle_phases import BundlePhase
from simcore.update.bundle_reference import (
    COORDINATOR,
    HARDWARE,
    NEW,
    OLD,
    START_NS,
    Example,
    built,
)
from simcore.update.bundle_vehicle import BundleVehicle
from simcore.update.client_ports import Accepted
from simcore.update.flash import Flash, FlashRegion
from simcore.update.flash_geometry import CutKind, FlashGeometry, PowerCut, PowerLost
from simcore.update.guards import Refused, fit_conditions
from simcore.update.image_format import Behaviour
from simcore.update.metadata_keys import derive_key, public_key
from simcore.update.power_cut import SweepPlan, count_operations, run_device, single_cuts
from simcore.update.power_cut_devices import BundleUpdateStory, UpdatePlot
from simcore.update.reset_cause import ResetCause
from simcore.update.states import UpdateState

_S = UpdateState
_P = BundlePhase
ALL = tuple(HARDWARE)
EXAMPLE = Example(ecus=ALL, in_bundle=True)


def vehicle(example: Example = EXAMPLE, *, shared_supply: bool = True) -> BundleVehicle:
    of = BundleVehicle(built(example).vehicle_plan(), shared_supply=shared_supply)
    of.now_ns = START_NS
    of.power_on(ResetCause.POWER_ON)
    return of


def run(of: BundleVehicle, until: Callable[[BundleVehicle], bool] | None = None) -> BundleVehicle:
    for _ in range(600):
        if of.is_over if until is None else until(of):
            return of
        of.round()
    phase = None if of.coordinator is None else of.coordinator.phase.name
    raise AssertionError(f"not reached in {phase}, {states(of)}")


def states(of: BundleVehicle) -> list[str]:
    return ["off" if e.client is None else e.client.state.name for e in of.ecus.values()]


def versions(of: BundleVehicle) -> set[str]:
    return {ecu.version for ecu in of.ecus.values()}


def all_in(*wanted: UpdateState) -> Callable[[BundleVehicle], bool]:
    def hold(of: BundleVehicle) -> bool:
        clients = [ecu.client for ecu in of.ecus.values()]
        return all(client is not None and client.state in wanted for client in clients)

    return hold


def coordinator(of: BundleVehicle) -> BundleCoordinator:
    assert of.coordinator is not None
    return of.coordinator


def test_five_ecus_commit_together() -> None:
    of = run(vehicle())
    assert of.ended is _P.COMMITTED
    assert versions(of) == {str(NEW)}
    assert {ecu.security_counter for ecu in of.ecus.values()} == {NEW.major}
    assert not of.driving_refusals()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    "behaviour", [Behaviour.SELF_TEST_FAILS, Behaviour.HANGS, Behaviour.HANGS_AT_START]
)
def test_one_member_that_fails_its_trial_takes_all_back(name: str, behaviour: Behaviour) -> None:
    of = run(vehicle(Example(ecus=ALL, in_bundle=True, behaviours=((name, behaviour),))))
    assert of.ended is _P.ROLLED_BACK
    assert versions(of) == {str(OLD)}
    assert {ecu.security_counter for ecu in of.ecus.values()} == {OLD.major}


@pytest.mark.parametrize("name", ALL)
def test_one_image_that_is_refused_lets_nobody_activate(name: str) -> None:
    of = run(vehicle(Example(ecus=ALL, in_bundle=True, strangers=(name,))))
    assert of.ended is _P.ROLLED_BACK
    assert versions(of) == {str(OLD)}
    assert all(ecu.requests == [] for ecu in of.ecus.values())


def test_one_member_whose_guard_is_lost_keeps_all_from_activating() -> None:
    of = vehicle()
    of.ecus["EMB_RR"].surroundings.seen = fit_conditions(parked_confirmed=False)
    run(of, all_in(_S.STAGED))
    for _ in range(30):
        of.round()
    assert all_in(_S.STAGED)(of) and coordinator(of).phase is _P.GATHERING
    of.ecus["EMB_RR"].surroundings.seen = fit_conditions()
    assert run(of).ended is _P.COMMITTED


def test_a_bundle_of_which_only_some_activated_ends_with_the_old_versions() -> None:
    of = vehicle()
    run(of, lambda of: coordinator(of).phase is _P.ACTIVATING)
    stuck = of.ecus["EMB_FR"]
    stuck.surroundings.seen = fit_conditions(epb_moving=True)
    for _ in range(40):
        of.round()
    assert versions(of) == {str(OLD), str(NEW)}
    assert of.driving_refusals(), "a mixture is not released"
    of.now_ns += of.plan.coordinator.activation_ns
    run(of)
    assert of.ended is _P.ROLLED_BACK
    assert versions(of) == {str(OLD)}
    assert of.mixed_drives == 0


def test_who_lost_the_new_image_after_the_decision_rolls_forward() -> None:
    """One try: a reset on trial brings the old image back."""
    of = vehicle(Example(ecus=ALL, in_bundle=True, tries=1), shared_supply=False)
    run(of, lambda of: coordinator(of).phase is _P.COMMITTING)
    lost = of.ecus["EMB_FL"]
    assert lost.client is not None and lost.client.state is _S.COMMITTING
    lost.flash.cut = PowerCut(lost.flash.operations, CutKind.BEFORE)  # of the confirm flag
    with pytest.raises(PowerLost):
        lost.client.step(lost.client.busy_until_ns)
    lost.boot(ResetCause.POWER_ON, of.now_ns)
    assert lost.version == str(OLD)
    assert of.driving_refusals()
    assert run(of).ended is _P.COMMITTED
    assert versions(of) == {str(NEW)} and of.mixed_drives == 0


def test_who_loses_the_new_image_before_the_decision_takes_all_back() -> None:
    of = vehicle(Example(ecus=ALL, in_bundle=True, tries=1), shared_supply=False)
    run(of, lambda of: of.ecus["EMB_FL"].is_on_trial)
    of.ecus["EMB_FL"].boot(ResetCause.WATCHDOG, of.now_ns)
    of.ecus["EMB_FL"].boot(ResetCause.WATCHDOG, of.now_ns)
    assert run(of).ended is _P.ROLLED_BACK
    assert versions(of) == {str(OLD)}


def promised() -> BundleVehicle:
    """All members but one have promised: the coordinator has decided nothing."""
    of = vehicle()
    run(of, lambda of: coordinator(of).phase is _P.ACTIVATING)
    of.ecus["EMB_RR"].surroundings.seen = fit_conditions(epb_moving=True)
    for _ in range(20):
        of.round()
    client = of.ecus["EMB_FL"].client
    assert client is not None and client.state is _S.TRIAL and client.record.promised
    return of


def test_who_promised_acts_on_nothing_but_the_coordinators_signed_word() -> None:
    of = promised()
    client = of.ecus["EMB_FL"].client
    assert client is not None
    key = of.plan.coordinator.key
    word = authorise(key, of.plan.campaign, Decision.COMMIT)
    forged = authorise(derive_key(9, "thief"), of.plan.campaign, Decision.COMMIT)
    other = authorise(key, b"another campaign", Decision.COMMIT)
    now_ns = of.now_ns
    for bad, nrc in (
        (None, Nrc.SECURITY_ACCESS_DENIED),
        (forged, Nrc.SECURITY_ACCESS_DENIED),
        (word._replace(decision=Decision.ROLLBACK), Nrc.SECURITY_ACCESS_DENIED),
        (other, Nrc.REQUEST_OUT_OF_RANGE),
        (authorise(key, of.plan.campaign, Decision.ROLLBACK), Nrc.REQUEST_OUT_OF_RANGE),
    ):
        answer = client.commit(bad, now_ns)
        assert isinstance(answer, Refused) and answer.nrc is nrc
    for refused in (client.rollback(now_ns), client.rollback(now_ns, word)):
        assert isinstance(refused, Refused)
    assert isinstance(client.cancel(now_ns), Refused)
    assert client.next_deadline_ns() is None, "it waits as long as it takes"
    assert client.state is _S.TRIAL
    assert client.commit(word, now_ns) == Accepted()
    assert client.commit(word, now_ns) == Accepted(repeated=True)


def test_who_has_not_promised_is_not_committed_even_with_the_word() -> None:
    of = vehicle()
    run(of, lambda of: of.ecus["EMB_FL"].is_on_trial)
    client = of.ecus["EMB_FL"].client
    assert client is not None and not client.record.promised
    word = authorise(of.plan.coordinator.key, of.plan.campaign, Decision.COMMIT)
    answer = client.commit(word, of.now_ns)
    assert answer == Refused(Nrc.CONDITIONS_NOT_CORRECT, "the self-test has not passed")


def test_a_self_test_that_fails_after_the_promise_takes_all_back_before_the_decision() -> None:
    of = promised()
    client = of.ecus["EMB_FL"].client
    assert client is not None
    client.report_self_test(False, of.now_ns)
    assert client.state is _S.TRIAL and client.is_doubtful
    assert run(of).ended is _P.ROLLED_BACK


def test_an_authorisation_survives_the_wire() -> None:
    key = derive_key(1, "coordinator")
    word = authorise(key, b"c" * 16, Decision.ROLLBACK)
    assert Authorisation.from_bytes(word.to_bytes()) == word
    assert is_genuine(word, public_key(key))
    assert not is_genuine(word, b"")
    assert Authorisation.from_bytes(word.to_bytes() + b"x") is None
    assert Authorisation.from_bytes(b"c" * 16 + b"\0" + bytes(64)) is None


# ---- the coordinator by itself ----


def alone(*, sectors: int = 4) -> tuple[BundleCoordinator, FlashRegion]:
    geometry = FlashGeometry(size=sectors * 1024, sector_size=1024)
    region = FlashRegion(Flash(geometry), 0, geometry.size, "records")
    found = BundleCoordinator(region, built(EXAMPLE).coordinator)
    found.start(0)
    return found, region


def status(ecu_id: str, state: UpdateState, **fields: object) -> MemberStatus:
    return MemberStatus(ecu_id=ecu_id, campaign=b"c" * 16, state=state, **fields)  # type: ignore[arg-type]


def test_a_coordinator_goes_on_where_its_last_decision_in_flash_says() -> None:
    for operation in range(8):
        for kind in CutKind:
            one, region = alone()
            region.flash.cut = PowerCut(operation, kind, operation)
            reached = one.phase
            told: list[OrderKind] = []
            try:
                one.begin(b"c" * 16, ("A", COORDINATOR), 0)
                for state, word in ((_S.STAGED, False), (_S.TRIAL, True)):
                    for name in ("A", COORDINATOR):
                        one.take(status(name, state, promised=word), 0)
                    reached = one.phase
                    told += [order.kind for order in one.orders(one.next_deadline_ns() or 0)]
            except PowerLost:
                pass
            region.flash.cut = None
            again = BundleCoordinator(region, one.settings)
            again.start(0)
            assert again.phase >= reached, "nothing that was acted on is forgotten"
            if OrderKind.COMMIT in told:
                assert again.decision is Decision.COMMIT


def test_its_own_ecu_is_activated_last() -> None:
    one, _ = alone()
    one.begin(b"c" * 16, (COORDINATOR, "A", "B"), 0)
    for name in one.members:
        one.take(status(name, _S.STAGED), 0)
    orders = one.orders(0)
    assert [order.ecu_id for order in orders] == ["A", "B", COORDINATOR]
    assert {order.kind for order in orders} == {OrderKind.ACTIVATE}
    assert one.orders(0) == (), "not twice at once"
    assert one.orders(one.settings.repeat_ns) == orders


def test_who_does_not_come_in_time_takes_all_back() -> None:
    one, _ = alone()
    one.begin(b"c" * 16, ("A", "B"), 0)
    one.take(status("A", _S.STAGED), 5)
    assert one.orders(one.settings.gathering_ns - 1) == ()
    (order,) = one.orders(one.settings.gathering_ns)
    assert (order.kind, one.decision) == (OrderKind.CANCEL, Decision.ROLLBACK)


def test_a_decided_campaign_is_never_taken_up_again_and_who_comes_late_hears_of_it() -> None:
    one, region = alone()
    one.begin(b"c" * 16, ("A", "B"), 0)
    assert one.begin(b"c" * 16, ("A", "B"), 0), "the same once more"
    assert not one.begin(b"d" * 16, ("A", "B"), 0)
    assert one.abandon(0) and not one.abandon(0)
    for name in ("A", "B"):
        one.take(status(name, _S.IDLE), 0)
    assert one.phase is _P.IDLE
    one = BundleCoordinator(region, one.settings)
    one.start(0)
    assert not one.begin(b"c" * 16, ("A", "B"), 0)
    one.take(status("A", _S.TRIAL, promised=True), 0)
    (order,) = one.orders(10)
    assert order.kind is OrderKind.ROLL_BACK and order.authorisation is not None
    assert one.begin(b"d" * 16, ("A", "B"), 20)


def test_a_bundle_has_members_with_names_that_fit() -> None:
    one, _ = alone()
    for members in ((), ("x" * 17,), tuple("ABCDEFGHI")):
        with pytest.raises(UsageError, match=r"bundle: expected 1\.\.8 members of 1\.\.16 bytes"):
            one.begin(b"c" * 16, members, 0)


def test_the_vehicle_is_released_only_with_versions_that_fit() -> None:
    catalogue = built(EXAMPLE).catalogue
    fresh = {name: status(name, _S.IDLE, version=str(OLD)) for name in ALL}
    assert driving_refusals(ALL, fresh, catalogue) == ()
    mixed = fresh | {"CDC": status("CDC", _S.IDLE, version=str(NEW))}
    assert any(
        "CDC requires EMB-HW >= 2.0.0" in each for each in driving_refusals(ALL, mixed, catalogue)
    )
    silent = {name: fresh[name] for name in ALL[1:]}
    assert driving_refusals(ALL, silent, catalogue) == ("EMB_FL does not answer",)
    odd = fresh | {"CDC": status("CDC", _S.IDLE, version="9.9.9")}
    assert driving_refusals(ALL, odd, catalogue) == ("CDC runs unknown software 9.9.9",)


# ---- loss of power ----


@pytest.mark.parametrize("shared_supply", [True, False])
@pytest.mark.parametrize("plot", [UpdatePlot.COMMIT, UpdatePlot.ROLLBACK])
def test_a_cut_at_operations_of_every_ecu_ends_all_new_or_all_old(
    plot: UpdatePlot, shared_supply: bool
) -> None:
    """A few operations of every ECU; all of them by `make power-cut`."""
    story = BundleUpdateStory(plot=plot, shared_supply=shared_supply)
    fresh = story.device()
    operations = count_operations(story).operations
    for case in single_cuts(operations, SweepPlan(torn_seeds=0, stride=151)):
        result = run_device(copy.deepcopy(fresh), case)
        assert not result.is_bad, (str(case[0]), result.verdict)


def test_losses_that_use_the_tries_up_end_all_new_or_all_old() -> None:
    story = BundleUpdateStory(shared_supply=False, tries=1)
    fresh = story.device()
    operations = count_operations(story).operations
    ends = set()
    for case in single_cuts(operations, SweepPlan(torn_seeds=0, stride=1)):
        cut = case[0]
        if (
            cut.flash == 2
            and cut.kind is CutKind.AFTER
            and cut.operation % 4 == 0
            and cut.operation > 70
        ):
            result = run_device(copy.deepcopy(fresh), case)
            assert not result.is_bad, (str(cut), result.verdict)
            ends.add(result.verdict.outcome.value)
    assert "new" in ends


def test_vehicles_copy_and_pickle_in_the_middle() -> None:
    of = run(vehicle(), lambda of: coordinator(of).phase is _P.ACTIVATING)
    twin = copy.deepcopy(of)
    third = pickle.loads(pickle.dumps(of))
    ends = {
        (run(each).now_ns, tuple(ecu.flash.operations for ecu in each.ecus.values()))
        for each in (of, twin, third)
    }
    assert len(ends) == 1
