"""The role files of one repository, checked in the order of the standards.

Root by root (N+1, signed by the old and by the new keys), then timestamp, snapshot, targets and
delegated targets: Uptane 2.1, "How to check ... metadata", and TUF 5.3 to 5.7, whose files
`tuf.api.metadata` reads and whose signatures it verifies. Every check returns `None` or a finding,
so a verification reads as a chain of `or`. Time is handed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Generic, NamedTuple, TypeVar

from tuf.api.exceptions import (
    LengthOrHashMismatchError,
    RepositoryError,
    UnsignedMetadataError,
)
from tuf.api.metadata import (  # type: ignore[attr-defined]
    DelegatedRole,
    Key,
    Metadata,
    MetaFile,
    Root,
    Signed,
    Snapshot,
    Targets,
    Timestamp,
)
from tuf.api.serialization import DeserializationError

from simcore.update.metadata import MetadataLimits
from simcore.update.metadata_keys import canonical_json
from simcore.update.metadata_time import utc_text
from simcore.update.trusted import TrustedRoles
from simcore.update.verification_verdict import Check, Finding

_SignedT = TypeVar("_SignedT", Root, Timestamp, Snapshot, Targets)


class Loaded(NamedTuple, Generic[_SignedT]):
    """A role file: what it says, and what to verify its signatures with."""

    signed: _SignedT
    file: Metadata[_SignedT]


class RepositoryCheck:
    """One repository's part of a verification: call the `check_...` in order, then read `trusted`.

    Lives for one verification only; holds objects that cannot be copied.
    """

    def __init__(
        self,
        name: str,
        files: Mapping[str, bytes],
        now_s: int,
        trusted: TrustedRoles,
        limits: MetadataLimits,
    ) -> None:
        self.name = name
        self._files = files
        self._now_s = now_s
        self._limits = limits
        self._before = trusted
        self._root_bytes = trusted.root
        self.root: Root = Metadata[Root].from_bytes(trusted.root).signed
        self.timestamp: Timestamp | None = None
        self.snapshot: Snapshot | None = None
        self.targets: Targets | None = None
        self.delegated: dict[str, Targets] = {}

    @property
    def trusted(self) -> TrustedRoles:
        """What this repository's verified files amount to."""
        before = self._before
        versions = dict(before.targets)
        if self.snapshot is not None:
            listed = self.snapshot.meta.items()
            versions = {name.removesuffix(".json"): meta.version for name, meta in listed}
        elif self.targets is not None:
            versions["targets"] = self.targets.version
        return TrustedRoles(
            root=self._root_bytes,
            timestamp=before.timestamp if self.timestamp is None else self.timestamp.version,
            snapshot=before.snapshot if self.snapshot is None else self.snapshot.version,
            targets=tuple(sorted(versions.items())),
        )

    # ---- the checks, in order ----

    def check_roots(self) -> Finding | None:
        """Follow the chain of roots to the newest one and forget what replaced keys had signed."""
        old = self.root
        offered = self._offered_roots()
        if len(offered) > self._limits.roots_per_set:
            limit = self._limits.roots_per_set
            return self._finding(Check.TOO_LONG, "root", f"{len(offered)} roots, at most {limit}")
        for version in range(old.version + 1, max(offered, default=old.version) + 1):
            finding = self._check_next_root(version)
            if finding:
                return finding
        finding = self._check_expiry("root", self.root)
        self._forget_rotated(old)
        return finding

    def check_timestamp(self) -> Finding | None:
        loaded = self._load("timestamp", Timestamp, self._limits.timestamp_size)
        if isinstance(loaded, Finding):
            return loaded
        new, before = loaded.signed, self._before
        finding = (
            self._check_signatures("timestamp", "timestamp", self.root, loaded.file)
            or self._check_version("timestamp", new.version, before.timestamp)
            or self._check_version(
                "timestamp", new.snapshot_meta.version, before.snapshot, "snapshot"
            )
            or self._check_expiry("timestamp", new)
        )
        if finding is None:
            self.timestamp = new
        return finding

    def check_snapshot(self) -> Finding | None:
        assert self.timestamp is not None, "check_timestamp() comes first"
        listed = self.timestamp.snapshot_meta
        loaded = self._load("snapshot", Snapshot, self._limits.snapshot_size, listed)
        if isinstance(loaded, Finding):
            return loaded
        new = loaded.signed
        finding = (
            self._check_signatures("snapshot", "snapshot", self.root, loaded.file)
            or self._check_listed_version("snapshot", new.version, listed)
            or self._check_version("snapshot", new.version, self._before.snapshot)
            or self._check_listed_targets(new)
            or self._check_expiry("snapshot", new)
        )
        if finding is None:
            self.snapshot = new
        return finding

    def check_targets(self) -> Finding | None:
        """The top-level targets; without a snapshot (partial verification) by themselves."""
        loaded = self._checked_targets("targets", "targets", self.root)
        if isinstance(loaded, Finding):
            return loaded
        self.targets = loaded
        return None

    def check_delegated(self, role: DelegatedRole) -> Finding | None:
        """The targets file of a role to which the top-level targets delegate."""
        assert self.targets is not None, "check_targets() comes first"
        if role.name in self.delegated:
            return None
        loaded = self._checked_targets(f"delegated/{role.name}", role.name, self.targets)
        if isinstance(loaded, Finding):
            return loaded
        self.delegated[role.name] = loaded
        return None

    # ---- single steps ----

    def _offered_roots(self) -> list[int]:
        """Versions of the roots in the set that are newer than the trusted one."""
        prefix = f"{self.name}/root/"
        numbers = [name.removeprefix(prefix) for name in self._files if name.startswith(prefix)]
        versions = [int(n) for n in numbers if n.isascii() and n.isdigit() and len(n) < 10]
        return [version for version in versions if version > self.root.version]

    def _check_next_root(self, version: int) -> Finding | None:
        place = f"root/{version}"
        loaded = self._load(place, Root, self._limits.root_size)
        if isinstance(loaded, Finding):
            return loaded
        finding = self._check_signatures(place, "root", self.root, loaded.file)
        finding = finding or self._check_signatures(place, "root", loaded.signed, loaded.file)
        if finding:
            return finding
        if loaded.signed.version != version:
            check = Check.VERSION if loaded.signed.version < version else Check.VERSION_JUMP
            text = f"expected version {version}, got {loaded.signed.version}"
            return self._finding(check, place, text)
        bad_key = _bad_key(loaded.signed.keys) or _repeated_key(loaded.signed)
        if bad_key:
            return self._finding(Check.FORMAT, place, bad_key)
        self.root = loaded.signed
        self._root_bytes = self._files[f"{self.name}/{place}"]
        return None

    def _forget_rotated(self, old: Root) -> None:
        """Recovery from a fast-forward attack: versions signed by replaced keys do not bind."""
        before = self._before
        if _keys(old, "timestamp") != _keys(self.root, "timestamp") or (
            _keys(old, "snapshot") != _keys(self.root, "snapshot")
        ):
            before = before._replace(timestamp=0, snapshot=0, targets=())
        if _keys(old, "targets") != _keys(self.root, "targets"):
            kept = tuple(pair for pair in before.targets if pair[0] != "targets")
            before = before._replace(targets=kept)
        self._before = before

    def _checked_targets(
        self, place: str, role: str, delegator: Root | Targets
    ) -> Targets | Finding:
        listed = None
        if self.snapshot is not None:
            listed = self.snapshot.meta.get(f"{role}.json")
            if listed is None:
                text = "the snapshot does not list it"
                return self._finding(Check.LISTED_VERSION, place, text)
        loaded = self._load(place, Targets, self._limits.targets_size, listed)
        if isinstance(loaded, Finding):
            return loaded
        new, before = loaded.signed, self._before.target_version(role)
        finding = (
            (None if listed is None else self._check_listed_version(place, new.version, listed))
            or self._check_signatures(place, role, delegator, loaded.file)
            or self._check_delegations(place, new)
            or self._check_version(place, new.version, before)
            or self._check_expiry(place, new)
        )
        return finding or new

    def _load(
        self, place: str, role: type[_SignedT], limit: int, listed: MetaFile | None = None
    ) -> Loaded[_SignedT] | Finding:
        """Read a file: not longer than allowed, as listed, of the right type."""
        data = self._files.get(f"{self.name}/{place}")
        if data is None:
            return self._finding(Check.MISSING, place, "is not in the metadata set")
        if listed is not None and listed.length is not None:
            limit = min(limit, listed.length)
        if len(data) > limit:
            return self._finding(Check.TOO_LONG, place, f"{len(data)} bytes, at most {limit}")
        finding = self._check_listed_hash(place, data, listed)
        if finding:
            return finding
        try:
            file: Metadata[_SignedT] = Metadata.from_bytes(data)
        except (DeserializationError, RecursionError) as error:
            reason = str(error.__cause__ or error)
            return self._finding(Check.FORMAT, place, f"cannot be read: {reason[:120]}")
        if type(file.signed) is not role or type(file.signed.version) is not int:
            text = f"expected {role.type} metadata, got {file.signed.type}"
            return self._finding(Check.FORMAT, place, text)
        return Loaded(file.signed, file)

    def _check_listed_hash(
        self, place: str, data: bytes, listed: MetaFile | None
    ) -> Finding | None:
        """As its list says; a timestamp must list a hash, a snapshot may list versions only."""
        if listed is None:
            return None
        if place == "snapshot" and not listed.hashes:
            return self._finding(Check.LISTED_HASH, place, "the timestamp lists no hash of it")
        try:
            listed.verify_length_and_hashes(data)
        except LengthOrHashMismatchError:
            return self._finding(Check.LISTED_HASH, place, "is not the file that is listed")
        return None

    def _check_signatures(
        self, place: str, role: str, delegator: Root | Targets, file: Metadata[_SignedT]
    ) -> Finding | None:
        try:
            delegator.verify_delegate(role, file.signed_bytes, file.signatures)
        except (UnsignedMetadataError, RepositoryError, ValueError) as error:
            return self._finding(Check.SIGNATURE, place, str(error))
        return None

    def _check_delegations(self, place: str, new: Targets) -> Finding | None:
        bad_key = _bad_key(new.delegations.keys) if new.delegations is not None else ""
        return self._finding(Check.FORMAT, place, bad_key) if bad_key else None

    def _check_version(
        self, place: str, new: int, before: int, of_what: str = "its"
    ) -> Finding | None:
        subject = "version" if of_what == "its" else f"{of_what} version"
        if new < before:
            return self._finding(Check.VERSION, place, f"{subject} {new} after {before}")
        if new - before > self._limits.version_step:
            text = f"{subject} jumps from {before} to {new}"
            return self._finding(Check.VERSION_JUMP, place, text)
        return None

    def _check_listed_version(self, place: str, version: int, listed: MetaFile) -> Finding | None:
        if version == listed.version:
            return None
        text = f"version {version}, listed is {listed.version}"
        return self._finding(Check.LISTED_VERSION, place, text)

    def _check_listed_targets(self, new: Snapshot) -> Finding | None:
        """No targets file may get older or vanish."""
        for name, before in self._before.targets:
            listed = new.meta.get(f"{name}.json")
            if listed is None:
                text = f"{name} is no longer listed"
                return self._finding(Check.FILE_DISAPPEARED, "snapshot", text)
            finding = self._check_version("snapshot", listed.version, before, name)
            if finding:
                return finding
        return None

    def _check_expiry(self, place: str, signed: Signed) -> Finding | None:
        expires_s = int(signed.expires.timestamp())
        if self._now_s < expires_s:
            return None
        text = f"expired at {utc_text(expires_s)}, now {utc_text(self._now_s)}"
        return self._finding(Check.EXPIRY, place, text)

    def _finding(self, check: Check, place: str, text: str) -> Finding:
        return Finding(check, f"{self.name}/{place}", text)


def _keys(root: Root, role: str) -> list[str]:
    """The public keys of a role, by value: another name for the same key is no rotation."""
    return sorted(str(root.keys[each].keyval) for each in root.roles[role].keyids)


def _bad_key(keys: Mapping[str, Key]) -> str:
    """What is wrong with the name of a key: it must be the SHA-256 of its canonical form."""
    for name, key in keys.items():
        if sha256(canonical_json(key.to_dict())).hexdigest() != name:
            return f"{name[:8]} is not the name of its key"
    return ""


def _repeated_key(root: Root) -> str:
    """What is wrong where a role lists a key twice: a threshold counts keys, not names."""
    for role in root.roles.values():
        values = [str(root.keys[each].keyval) for each in role.keyids if each in root.keys]
        for value in values:
            if values.count(value) > 1:
                names = [n[:8] for n in role.keyids if str(root.keys[n].keyval) == value]
                return f"one key under several names: {', '.join(names)}"
    return ""
