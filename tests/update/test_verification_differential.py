"""Our check of one repository against python-tuf's client, on files mutilated in every way.

The oracle is `TrustedMetadataSet`, which keeps the workflow of the TUF specification; its clock is
set. Both have accepted an earlier publication and meet a later one that was tampered with, with or
without stolen keys.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tuf.api import exceptions
from tuf.api.serialization import DeserializationError
from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
from tuf.ngclient.config import EnvelopeType

from simcore.units import NS_PER_S
from simcore.update.metadata import MetadataLimits
from simcore.update.metadata_keys import derive_key
from simcore.update.metadata_time import DAY_S, seconds_at, utc_text
from simcore.update.repository_roles import RepositoryRoles, file_entry, signed_file
from simcore.update.trusted import TrustedRoles
from simcore.update.verification_roles import RepositoryCheck
from simcore.update.verification_verdict import Check, Finding

Files = dict[str, bytes]
DAY_NS = DAY_S * NS_PER_S
FIRST_NS, SECOND_NS = DAY_NS, 2 * DAY_NS
ROLE_OF = {"delegated/brakes": "brakes"}

CHECKS_OF: Mapping[type[Exception], set[Check]] = {
    exceptions.ExpiredMetadataError: {Check.EXPIRY},
    exceptions.BadVersionNumberError: {Check.VERSION, Check.LISTED_VERSION, Check.VERSION_JUMP},
    exceptions.UnsignedMetadataError: {Check.SIGNATURE},
    exceptions.LengthOrHashMismatchError: {Check.LISTED_HASH, Check.TOO_LONG},
    DeserializationError: {Check.FORMAT},
    exceptions.RepositoryError: {Check.FILE_DISAPPEARED, Check.LISTED_VERSION, Check.FORMAT},
    KeyError: {Check.MISSING},
}


@dataclass(frozen=True, slots=True)
class Meeting:
    """What both verifiers get: the files accepted before, and those offered now."""

    root: bytes
    before: Files
    offered: Files
    now_s: int


# ---- two verdicts ----


def our_verdict(meeting: Meeting) -> Check | None:
    """Accept `before`, then judge what is offered."""
    trusted = TrustedRoles(meeting.root)
    first = RepositoryCheck("image", meeting.before, 0, trusted, MetadataLimits())
    assert all_checks(first) is None
    second = RepositoryCheck(
        "image", meeting.offered, meeting.now_s, first.trusted, MetadataLimits()
    )
    finding = all_checks(second)
    return None if finding is None else finding.check


def all_checks(check: RepositoryCheck) -> Finding | None:
    return (
        check.check_roots()
        or check.check_timestamp()
        or check.check_snapshot()
        or check.check_targets()
        or delegated(check)
    )


def delegated(check: RepositoryCheck) -> Finding | None:
    assert check.targets is not None
    delegations = check.targets.delegations
    for role in (delegations.roles or {}).values() if delegations else ():
        finding = check.check_delegated(role)
        if finding:
            return finding
    return None


def tuf_verdict(meeting: Meeting) -> Exception | None:
    """The same by python-tuf, in the order of its client."""
    old, new = meeting.before, meeting.offered
    tuf = TrustedMetadataSet(meeting.root, EnvelopeType.METADATA)
    tuf.reference_time = datetime.fromtimestamp(meeting.now_s, UTC)
    try:
        for version in range(2, 2 + sum(name.startswith("image/root/") for name in new)):
            tuf.update_root(new[f"image/root/{version}"])
        quietly(lambda: tuf.update_timestamp(old["image/timestamp"]))
        try:
            tuf.update_timestamp(new["image/timestamp"])
        except exceptions.EqualVersionNumberError as error:
            if new["image/timestamp"] != old["image/timestamp"]:
                return error
        quietly(lambda: tuf.update_snapshot(old["image/snapshot"], trusted=True))
        tuf.update_snapshot(new["image/snapshot"])
        targets = tuf.update_targets(new["image/targets"])
        for role in (targets.delegations.roles or {}) if targets.delegations else ():
            tuf.update_delegated_targets(new[f"image/delegated/{role}"], role, "targets")
    except (exceptions.RepositoryError, KeyError) as error:
        return error
    return None


def quietly(load: Callable[[], object]) -> None:
    """Of what is kept from before, the client forgets what no longer verifies."""
    with suppress(exceptions.RepositoryError):
        load()


def is_alike(ours: Check | None, theirs: Exception | None) -> bool:
    """Both accept, or both refuse.

    But for two timestamps of one version with different contents: python-tuf silently goes on with
    the older one, Uptane (and we) with the newer one.
    """
    if isinstance(theirs, exceptions.EqualVersionNumberError):
        return True
    return (ours is None) is (theirs is None)


# ---- mutilation ----


def published(roles: RepositoryRoles, now_ns: int) -> Files:
    files = {f"image/{place}": data for place, data in roles.publish(now_ns).items()}
    for version, data in roles.roots.items():
        if version > 1:
            files[f"image/root/{version}"] = data
    return files


def make_roles() -> RepositoryRoles:
    roles = RepositoryRoles("image", 3)
    roles.publish_root(0)
    roles.delegate("brakes", ("emb-*",), ("EMB-HW",))
    entry = {"length": 3, "hashes": {"sha256": "ab" * 32}, "custom": {}}
    roles.targets["cdc.img"] = entry
    roles.delegations["brakes"].targets["emb.img"] = entry
    return roles


PLACES = ("timestamp", "snapshot", "targets", "delegated/brakes")
Content = dict[str, Any]


def keys_of(roles: RepositoryRoles, place: str) -> tuple[bytes, ...]:
    return roles.keys(ROLE_OF.get(place, place))


def edited(
    files: Files, roles: RepositoryRoles, place: str, change: Callable[[Content], None], signer: str
) -> None:
    """Change what a file says; sign it as said: not at all, with stolen keys, or with own ones."""
    name = f"image/{place}"
    try:
        file = json.loads(files[name])
        change(file["signed"])
        if signer == "nobody":
            files[name] = json.dumps(file).encode()
        else:
            own = (derive_key(9, "thief"),)
            keys = keys_of(roles, place) if signer == "stolen" else own
            files[name] = signed_file(file["signed"], keys)
    except (KeyError, ValueError, DeserializationError):
        pass  # an earlier change left nothing to change


def relisted(files: Files, roles: RepositoryRoles) -> None:
    """Stolen online keys: snapshot and timestamp list the files as they are now."""

    def list_targets(content: Content) -> None:
        for listed in content["meta"]:
            place = {"brakes.json": "delegated/brakes"}.get(listed, listed.removesuffix(".json"))
            data = files[f"image/{place}"]
            content["meta"][listed] = file_entry(data, json.loads(data)["signed"]["version"])

    def list_snapshot(content: Content) -> None:
        data = files["image/snapshot"]
        version = json.loads(data)["signed"]["version"]
        content["meta"]["snapshot.json"] = file_entry(data, version)

    edited(files, roles, "snapshot", list_targets, "stolen")
    edited(files, roles, "timestamp", list_snapshot, "stolen")


def version_to(number: int) -> Callable[[Content], None]:
    return lambda content: content.update(version=number)


def expired(content: Content) -> None:
    content["expires"] = utc_text(seconds_at(FIRST_NS))


def other_type(content: Content) -> None:
    content["_type"] = "snapshot" if content["_type"] != "snapshot" else "targets"


def unlisted(content: Content) -> None:
    content["meta"].pop("brakes.json", None)


def listed_version(content: Content) -> None:
    for entry in content["meta"].values():
        entry["version"] += 1


def listed_hash(content: Content) -> None:
    for entry in content["meta"].values():
        entry["hashes"]["sha256"] = "00" * 32


def threshold_two(content: Content) -> None:
    content["delegations"]["roles"][0]["threshold"] = 2


def undelegated(content: Content) -> None:
    content.pop("delegations", None)


CHANGES: Mapping[str, Callable[[Content], None]] = {
    **{f"version {n}": version_to(n) for n in (1, 2, 3, 4)},
    **{c.__name__: c for c in (expired, other_type, unlisted, listed_version, listed_hash)},
    **{c.__name__: c for c in (threshold_two, undelegated)},
}

Step = tuple[Any, ...]
STEPS = st.one_of(
    st.tuples(
        st.just("edit"),
        st.sampled_from(PLACES),
        st.sampled_from(sorted(CHANGES)),
        st.sampled_from(["nobody", "stolen", "own"]),
    ),
    st.tuples(st.just("relist")),
    st.tuples(st.just("old"), st.sampled_from(PLACES)),
    st.tuples(st.just("drop"), st.sampled_from(PLACES)),
    st.tuples(st.just("cut"), st.sampled_from(PLACES), st.integers(1, 400)),
    st.tuples(st.just("flip"), st.sampled_from(PLACES), st.integers(0, 400), st.integers(0, 7)),
    st.tuples(st.just("swap"), st.sampled_from(PLACES), st.sampled_from(PLACES)),
)


def apply(step: Step, files: Files, before: Files, roles: RepositoryRoles) -> None:
    name = f"image/{step[1]}" if len(step) > 1 else ""
    match step[0]:
        case "edit":
            edited(files, roles, step[1], CHANGES[step[2]], step[3])
        case "relist" if {f"image/{place}" for place in PLACES} <= set(files):
            with suppress(KeyError, ValueError):
                relisted(files, roles)
        case "old":
            files[name] = before[name]
        case "drop":
            files.pop(name, None)
        case "cut" if name in files:
            files[name] = files[name][: -step[2]]
        case "flip" if files.get(name):
            data = bytearray(files[name])
            data[step[2] % len(data)] ^= 1 << step[3]
            files[name] = bytes(data)
        case "swap" if name in files and f"image/{step[2]}" in files:
            other = f"image/{step[2]}"
            files[name], files[other] = files[other], files[name]


def meeting(steps: list[Step], rotates: str, days: int) -> Meeting:
    roles = make_roles()
    before = published(roles, FIRST_NS)
    if rotates == "online":
        roles.rotate("timestamp", SECOND_NS)
        roles.rotate("snapshot", SECOND_NS)
    elif rotates:
        roles.rotate(rotates, SECOND_NS)
    offered = published(roles, SECOND_NS)
    for step in steps:
        apply(step, offered, before, roles)
    return Meeting(roles.roots[1], before, offered, seconds_at(SECOND_NS + days * DAY_NS))


# ---- the tests ----


@pytest.mark.parametrize("rotates", ["", "root", "targets", "online"])
def test_both_accept_an_honest_publication(rotates: str) -> None:
    met = meeting([], rotates, 0)
    assert our_verdict(met) is None
    assert tuf_verdict(met) is None


@settings(max_examples=60)
@given(
    st.lists(STEPS, min_size=1, max_size=4),
    st.sampled_from(["", "", "root", "targets", "online"]),
    st.sampled_from([0, 0, 0, 1, 3, 20, 100, 400]),
)
def test_both_accept_or_both_refuse(steps: list[Step], rotates: str, days: int) -> None:
    met = meeting(steps, rotates, days)
    ours, theirs = our_verdict(met), tuf_verdict(met)
    assert is_alike(ours, theirs), (ours, theirs)


SINGLE_STEPS: list[list[Step]] = [
    *(
        [("edit", place, change, signer)]
        for place in PLACES
        for change in sorted(CHANGES)
        for signer in ("nobody", "stolen", "own")
    ),
    *(
        [("edit", place, change, "stolen"), ("relist",)]
        for place in PLACES[2:]
        for change in sorted(CHANGES)
    ),
    *([(kind, place)] for kind in ("old", "drop") for place in PLACES),
    *([("cut", place, 3)] for place in PLACES),
    *([("swap", one, other)] for one in PLACES for other in PLACES if one < other),
]


@pytest.mark.parametrize("days", [0, 20])
def test_both_give_the_same_reason_for_one_change(days: int) -> None:
    differing = []
    refusals = 0
    for steps in SINGLE_STEPS:
        met = meeting(steps, "", days)
        ours, theirs = our_verdict(met), tuf_verdict(met)
        assert is_alike(ours, theirs), (steps, ours, theirs)
        if ours is not None:
            refusals += 1
            if ours not in CHECKS_OF.get(type(theirs), set(Check)):
                differing.append((steps, ours, repr(theirs)))
    assert refusals > len(SINGLE_STEPS) // 2
    assert differing == [], (len(differing), differing[:5])
