"""Software updates of a node with a flash, over UDS as the shipped protocol has them.

A back end releases images of 4 KiB, a tester brings them, and what the module then says it runs is
what counts: UN R156 and Uptane. How the vehicle is parked says the table `parked` of the role. A
module that is updated another way leaves these cases out in its sidecar.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise

from simcore.ecu.runtime.software_rows import (
    ACTIVATE_RID,
    CONSENT_RID,
    RXSWIN_DID,
    STATUS_DID,
)
from simcore.errors import InputError
from simcore.rig import DRIVING, Backend
from simcore.rig.software import FACTORY_VERSION, ecu_key
from simcore.rig.update_tasks import refusal, routine
from simcore.testing.conformance.case import Case, Group, Need
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.stands import has_flash
from simcore.testing.conformance.trial import Trial
from simcore.testing.conformance.update_scene import (
    LOADING_NS,
    NEW,
    SIZE,
    DamagedBackend,
    Update,
    demand,
)
from simcore.units import NS_PER_MS, ms, s
from simcore.update.audit_verify import verify_log
from simcore.update.image import Behaviour, SigningKey
from simcore.update.metadata_keys import public_key
from simcore.update.states import UpdateState

GENUINE, WHOLE, GUARDED = "genuine", "whole", "guarded"
TRIED, CALM, LOGGED = "tried", "calm", "logged"
OLDER = "0.9.0"
VERSION_DID = 0xF189
_STILL_NS = s(4)
"""So long a parked module may say that it has not stood still for long enough."""
_UP_NS = ms(600)
"""A module that got its supply back is up, and diagnostics answers."""
_LAST_STEPS = ("-> TRIAL", "COMMITTING -> COMMITTED")


def cases(interface: Interface) -> list[Case]:
    """None for a place without a flash, or without diagnostic messages."""
    if interface.diag_request is None or not has_flash(interface):
        return []
    cuts = (UpdateState.DOWNLOADING, UpdateState.INSTALLING, UpdateState.ACTIVATING)
    made = [
        _case("identity", "version and RXSWIN are read, and not written", _identity),
        _case("stranger", "who has not authenticated changes nothing", _stranger),
        _case("whole", "a good image is loaded, activated when parked, tried, and kept", _whole),
        *(
            _case(f"refused.{name}", text, partial(_refused, name=name))
            for name, text in _BAD.items()
        ),
        _case("interrupted", "a transfer that was cut goes on where it was", _interrupted),
        *(
            _case(
                f"power_cut.{state.name.lower()}",
                f"power lost while {state.name.lower()}: the old software runs, or the new",
                partial(_power_cut, state=state),
            )
            for state in cuts
        ),
        _case("guard", "no activation unparked, moving, or without consent", _guard),
        _case("trial.self_test", "an image whose self-test fails gives way to the old one",
              partial(_trial, behaviour=Behaviour.SELF_TEST_FAILS)),
        _case("trial.hangs", "an image that hangs gives way after its tries",
              partial(_trial, behaviour=Behaviour.HANGS)),
        _case("driving", "a transfer disturbs no cycle", _driving),
    ]  # fmt: skip
    return made


_BAD = {
    "key": "an image that somebody else signed is refused",
    "older": "an image older than the one that runs is refused",
    "damaged": "an image that changed on its way is refused",
    "short": "an image that is not whole is refused",
    "hardware": "an image that the metadata say is for other hardware is refused",
    "hardware_image": "so is one that only says so itself",
}


def _case(name: str, title: str, run: Callable[[Trial], None]) -> Case:
    return Case(
        id=f"update.{name}",
        group=Group.UPDATE,
        title=title,
        run=run,
        needs=frozenset({Need.FLASH, Need.DIAGNOSTICS, Need.VIRTUAL_TIME}),
    )


# -- what is told ---------------------------------------------------------------------------------


def _identity(trial: Trial) -> None:
    update = Update(trial)
    campaign = update.release()
    update.expect_version([FACTORY_VERSION], "version that runs", LOGGED)
    for did in (VERSION_DID, RXSWIN_DID, STATUS_DID):
        before = campaign.read(trial.node, did)
        trial.expect(
            bool(before),
            text=f"0x{did:04X} is read by anybody",
            measured="nothing" if not before else before.hex(" ").upper(),
            limit="data",
            requirement=demand(trial, LOGGED),
        )
        forged = b"\x2e" + did.to_bytes(2, "big") + (before or b"0")
        wrong = refusal(campaign.order(trial.node, forged))
        trial.expect(
            bool(wrong) and campaign.read(trial.node, did) == before,
            text=f"writing 0x{did:04X}, authenticated",
            measured=wrong or "accepted",
            limit="refused",
            requirement=demand(trial, LOGGED),
        )


def _stranger(trial: Trial) -> None:
    update = Update(trial)
    update.release()
    tester = trial.bench.tester
    tester.request(trial.node, bytes.fromhex("10 03"))
    for text, request in (
        ("a download", bytes.fromhex("34 00 44 08 00 00 00 00 00 10 00")),
        ("consent", routine(CONSENT_RID)),
        ("activation", routine(ACTIVATE_RID)),
    ):
        wrong = refusal(tester.request(trial.node, request))
        trial.expect(
            bool(wrong),
            text=f"{text} by somebody who has not authenticated",
            measured=wrong or "accepted",
            limit="refused",
            requirement=demand(trial, GENUINE),
        )
    update.expect_version([FACTORY_VERSION], "version that runs", GENUINE)


# -- an update from end to end --------------------------------------------------------------------


def _whole(trial: Trial) -> None:
    update = Update(trial)
    update.park()
    update.release()
    update.expect_loaded(update.load(), GENUINE)
    wrong = update.activate(_STILL_NS)
    trial.expect(
        not wrong,
        text="activation of a parked vehicle, with consent",
        measured=wrong or "accepted",
        limit="accepted",
        requirement=demand(trial, GUARDED),
    )
    _expect_trial(update)
    update.until(UpdateState.COMMITTED, UpdateState.IDLE, UpdateState.CLEANING)
    update.expect_version([NEW], "version that runs in the end", GENUINE)
    _expect_log(update)
    trial.power_cycle()
    trial.run_for(_UP_NS)
    update.expect_version([NEW], "version after a power cycle", TRIED)
    trial.check_safe()


def _expect_trial(update: Update) -> None:
    """New software is on trial first, and not confirmed before its self-test."""
    trial = update.trial
    found = update.until(UpdateState.TRIAL, UpdateState.COMMITTING, UpdateState.COMMITTED)
    trial.expect(
        found is UpdateState.TRIAL,
        text="first state after the start of new software",
        measured="no answer" if found is None else found.name,
        limit=UpdateState.TRIAL.name,
        requirement=demand(trial, TRIED),
    )
    begun_ns = trial.now_ns
    update.until(UpdateState.COMMITTED, UpdateState.IDLE)
    tried_ms = (trial.now_ns - begun_ns) / NS_PER_MS
    least_ms = trial.parameter("trial_ms")
    trial.expect(
        tried_ms >= least_ms,
        text="time on trial before it is confirmed",
        measured=tried_ms,
        limit=f">= {least_ms:g} ms",
        requirement=demand(trial, TRIED),
    )


def _expect_log(update: Update) -> None:
    trial = update.trial
    key = public_key(ecu_key(trial.node))
    data = update.ordered.upload_audit(trial.node)
    try:
        verdict = verify_log(data, key)
    except InputError as error:  # what the module gave is no log at all
        trial.expect(
            False,
            text="the log of the update",
            measured=str(error),
            limit="genuine, every step",
            requirement=demand(trial, LOGGED),
        )
        return
    steps = [entry.text for entry in verdict.entries if entry.kind == "update"]
    missing = [each for each in _LAST_STEPS if not any(each in step for step in steps)]
    trial.expect(
        verdict.accepted and not missing,
        text="the log of the update",
        measured=f"{verdict}, {len(steps)} steps, missing {', '.join(missing) or 'none'}",
        limit="genuine, every step",
        requirement=demand(trial, LOGGED),
    )
    broken = data.replace(b"COMMITTED", b"COMMITTEE", 1)
    trial.expect(
        broken != data and not verify_log(broken, key).accepted,
        text="the log with a word changed",
        measured="found out" if broken != data else "nothing to change",
        limit="found out",
        requirement=demand(trial, LOGGED),
    )


# -- what must not run ----------------------------------------------------------------------------


def _refused(trial: Trial, *, name: str) -> None:
    update = Update(trial, DamagedBackend() if name == "damaged" else Backend())
    update.park()
    trial.run_for(s(3))
    if name == "key":
        update.release(key=SigningKey.of(77, "images of somebody else"))
    elif name == "older":
        update.release(OLDER, security_counter=0)
    elif name in ("hardware", "hardware_image"):
        update.release_foreign(labelled=name == "hardware")
    else:
        update.release()
    if name == "short":
        update.ordered.load_one(trial.node, through=UpdateState.READY)
        dialogue = update.ordered.dialogues[trial.node]
        stand = update.stand
        stand.run_until(lambda: dialogue.transferred >= SIZE // 4, timeout=LOADING_NS)
        _cut_tester(update)
        loaded = False
    else:
        loaded = update.load()
    trial.expect(
        not loaded,
        text="loading an image that must not run",
        measured="loaded" if loaded else "refused",
        limit="refused",
        requirement=demand(trial, GENUINE),
    )
    wrong = update.activate()
    trial.expect(
        bool(wrong),
        text="its activation",
        measured=wrong or "accepted",
        limit="refused",
        requirement=demand(trial, GENUINE),
    )
    trial.run_for(_UP_NS)
    update.expect_version([FACTORY_VERSION], "version that runs", GENUINE)


def _cut_tester(update: Update) -> None:
    """The tester loses its supply for a while."""
    request = update.trial.interface.diag_request
    assert request is not None
    tester = request.senders[0]
    update.stand.silence(tester)
    update.trial.run_for(ms(700))
    update.stand.supply(tester)


# -- what is cut off ------------------------------------------------------------------------------


def _interrupted(trial: Trial) -> None:
    update = Update(trial)
    update.park()
    update.release(size=4 * SIZE)
    campaign = update.ordered
    campaign.load_one(trial.node, through=UpdateState.STAGED)
    dialogue = campaign.dialogues[trial.node]
    update.stand.run_until(lambda: dialogue.transferred >= SIZE, timeout=LOADING_NS)
    _cut_tester(update)
    update.expect_version([FACTORY_VERSION], "version that runs meanwhile", WHOLE)
    campaign.reload(trial.node)
    loaded = campaign.wait(timeout=LOADING_NS)
    update.expect_loaded(loaded, WHOLE)


def _power_cut(trial: Trial, *, state: UpdateState) -> None:
    update = Update(trial)
    update.park()
    update.release(size=4 * SIZE)
    campaign = update.ordered
    if state is UpdateState.ACTIVATING:
        update.expect_loaded(update.load(), WHOLE)
        update.activate(_STILL_NS)
        trial.run_for(ms(30))  # the swap is under way
    else:
        campaign.load_one(trial.node)
        _run_to(update, state)
    trial.power_cycle()
    trial.run_for(_UP_NS)
    update.until(
        UpdateState.IDLE,
        UpdateState.COMMITTED,
        UpdateState.DOWNLOADING,
        UpdateState.STAGED,
        UpdateState.INSTALLING,
    )
    update.expect_version([FACTORY_VERSION, NEW], "version that runs after it", WHOLE)
    message = min(trial.interface.cyclic_sent, key=lambda each: each.cycle_time_ns or 0)
    count = len(trial.frames(message.name, trial.now_ns - ms(100)))
    trial.expect(
        count > 0,
        text=f"frames of {message.name} in 100 ms",
        measured=f"{count}",
        limit="some",
        requirement=demand(trial, WHOLE),
    )
    trial.check_safe()


def _run_to(update: Update, state: UpdateState) -> None:
    """Until the dialogue has come to a state, and some way into it."""
    dialogue = update.ordered.dialogues[update.trial.node]
    stand = update.stand
    stand.run_until(lambda: dialogue.transferred >= SIZE, timeout=LOADING_NS)
    if state is UpdateState.INSTALLING:
        stand.run_until(lambda: dialogue.transferred >= 4 * SIZE, timeout=LOADING_NS)
        update.trial.run_for(ms(60))


# -- when it may be activated ---------------------------------------------------------------------


def _guard(trial: Trial) -> None:
    update = Update(trial)
    update.release()
    update.expect_loaded(update.load(), GUARDED)
    trial.run_for(_STILL_NS // 2)
    since_ns = trial.now_ns
    _expect_refused(update, "the vehicle is not parked")
    update.park()
    update.park("moving")
    trial.run_for(ms(300))
    _expect_refused(update, "the vehicle moves")
    update.park("parked")
    update.park("still")
    update.ordered.order(trial.node, routine(CONSENT_RID, kind=2))
    trial.run_for(_STILL_NS * 3 // 4)
    _expect_refused(update, "consent is withdrawn")
    trial.run_for(_UP_NS)
    found = update.state()
    trial.expect(
        found is UpdateState.STAGED,
        text="state of the update after it",
        measured="no answer" if found is None else found.name,
        limit=UpdateState.STAGED.name,
        requirement=demand(trial, GUARDED),
    )
    update.expect_version([FACTORY_VERSION], "version that runs", GUARDED)
    _expect_no_pause(trial, since_ns, GUARDED)


def _expect_refused(update: Update, reason: str) -> None:
    wrong = update.activate()
    update.trial.expect(
        bool(wrong),
        text=f"activation while {reason}",
        measured=wrong or "accepted",
        limit="refused",
        requirement=demand(update.trial, GUARDED),
    )


def _expect_no_pause(trial: Trial, since_ns: int, requirement: str) -> None:
    message = min(trial.interface.cyclic_sent, key=lambda each: each.cycle_time_ns or 0)
    cycle_ns = message.cycle_time_ns or 0
    starts_ns = [record.sof_ns for record in trial.frames(message.name, since_ns)]
    longest_ns = max((b - a for a, b in pairwise(starts_ns)), default=trial.now_ns)
    trial.expect(
        longest_ns < 3 * cycle_ns,
        text=f"longest pause of {message.name}",
        measured=longest_ns / NS_PER_MS,
        limit=f"< {3 * cycle_ns / NS_PER_MS:g} ms",
        requirement=demand(trial, requirement),
    )


# -- the trial ------------------------------------------------------------------------------------


def _trial(trial: Trial, *, behaviour: Behaviour) -> None:
    update = Update(trial)
    update.park()
    update.release(behaviour=behaviour)
    update.expect_loaded(update.load(), TRIED)
    update.activate(_STILL_NS)
    update.until(UpdateState.ROLLED_BACK, UpdateState.FAILED, UpdateState.IDLE, timeout=s(20))
    trial.run_for(_UP_NS)
    update.expect_version([FACTORY_VERSION], "version that runs in the end", TRIED)
    trial.power_cycle()
    trial.run_for(_UP_NS)
    update.expect_version([FACTORY_VERSION], "version after a power cycle", TRIED)


# -- beside driving -------------------------------------------------------------------------------


def _driving(trial: Trial) -> None:
    update = Update(trial)
    update.release(pace=DRIVING)
    since_ns = trial.now_ns
    loaded = update.load(through=UpdateState.READY)
    trial.expect(
        loaded,
        text="metadata and image at the pace of driving",
        measured="; ".join(update.ordered.failures.values()) or "ready",
        limit="ready",
        requirement=demand(trial, CALM),
    )
    tolerance_pct = trial.parameter("cycle_tolerance_pct")
    for message in trial.interface.cyclic_sent:
        cycle_ns = message.cycle_time_ns or 0
        starts_ns = [record.sof_ns for record in trial.frames(message.name, since_ns)]
        worst_ns = max((abs(b - a - cycle_ns) for a, b in pairwise(starts_ns)), default=0)
        trial.expect(
            worst_ns * 100.0 <= tolerance_pct * cycle_ns,
            text=f"{message.name}: worst deviation from its cycle meanwhile",
            measured=100.0 * worst_ns / cycle_ns if cycle_ns else 0.0,
            limit=f"<= {tolerance_pct:g} %",
            requirement=demand(trial, CALM),
        )
    trial.check_safe(since_ns)
