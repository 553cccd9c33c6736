"""One TUF repository in memory: keys, role files, rotation. What its owner, or a thief, can do.

The files are those of `tuf.api.metadata`, signed with Ed25519 keys derived from the seed. A
repository publishes a new set of files for a simulated time; nothing is read from a clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from simcore.errors import UsageError
from simcore.update.metadata_keys import canonical_json, derive_key, public_key, sign
from simcore.update.metadata_time import DAY_S, seconds_at, utc_text

Json = dict[str, object]

SPEC_VERSION = "1.0.31"
EXPIRY_S: Mapping[str, int] = {
    "root": 365 * DAY_S,
    "targets": 90 * DAY_S,
    "snapshot": 14 * DAY_S,
    "timestamp": 2 * DAY_S,
}
"""How long a file of a role is valid after it was signed."""
ROLES = ("root", "targets", "snapshot", "timestamp")


@dataclass(slots=True)
class Delegation:
    """A role to which the top-level targets leave some images."""

    name: str
    paths: tuple[str, ...]
    hardware_ids: tuple[str, ...]
    keys: tuple[bytes, ...]
    terminating: bool = True
    targets: dict[str, Json] = field(default_factory=dict)
    version: int = 0


class RepositoryRoles:
    """The role files of the Director or of the Image repository."""

    def __init__(self, name: str, seed: int, *, root_keys: int = 2) -> None:
        self.name = name
        self._seed = seed
        self.generations = dict.fromkeys(ROLES, 1)
        """Which keys a role has: raised by `rotate`."""
        self.key_counts = dict.fromkeys(ROLES, 1) | {"root": root_keys}
        self.thresholds = dict.fromkeys(ROLES, 1) | {"root": root_keys}
        self.versions = dict.fromkeys(ROLES, 0)
        self.roots: dict[int, bytes] = {}
        self.targets: dict[str, Json] = {}
        self.targets_fields: Json = {}
        """Further fields of the targets file."""
        self.delegations: dict[str, Delegation] = {}

    # ---- keys ----

    def keys(self, role: str, generation: int | None = None) -> tuple[bytes, ...]:
        """The private keys of a role."""
        if role in self.delegations:
            return self.delegations[role].keys
        number = self.generations[role] if generation is None else generation
        return tuple(
            derive_key(self._seed, self.name, role, str(number), str(index))
            for index in range(self.key_counts[role])
        )

    def rotate(self, role: str, now_ns: int) -> None:
        """Replace the keys of a role and publish the root that says so."""
        if role not in ROLES:
            raise UsageError(f"{self.name}: rotate()", expected=", ".join(ROLES), got=repr(role))
        before = self.keys("root")
        self.generations[role] += 1
        self.publish_root(now_ns, also_signed_by=before)

    def delegate(self, name: str, paths: Iterable[str], hardware_ids: Iterable[str]) -> None:
        """Leave images to a role of its own, finally (a terminating delegation)."""
        if name in ROLES or name in self.delegations:
            raise UsageError(f"{self.name}: delegate()", expected="a new name", got=repr(name))
        key = derive_key(self._seed, self.name, "delegated", name)
        self.delegations[name] = Delegation(name, tuple(paths), tuple(hardware_ids), (key,))

    # ---- files ----

    def publish_root(self, now_ns: int, also_signed_by: tuple[bytes, ...] = ()) -> bytes:
        """The next root file, signed by its own keys and those of the root before."""
        self.versions["root"] += 1
        version = self.versions["root"]
        signers = dict.fromkeys((*self.keys("root"), *also_signed_by))
        self.roots[version] = signed_file(self.root_content(version, now_ns), signers)
        return self.roots[version]

    def root_content(self, version: int, now_ns: int) -> Json:
        keys = {key_id(key): key_content(key) for role in ROLES for key in self.keys(role)}
        roles = {
            role: {
                "keyids": [key_id(key) for key in self.keys(role)],
                "threshold": self.thresholds[role],
            }
            for role in ROLES
        }
        content = role_content("root", version, now_ns)
        return content | {"consistent_snapshot": False, "keys": keys, "roles": roles}

    def publish(self, now_ns: int) -> dict[str, bytes]:
        """New targets, snapshot and timestamp files, by their names below the repository."""
        files = self._publish_targets(now_ns)
        listed = {f"{place.removeprefix('delegated/')}.json": data for place, data in files.items()}
        return files | self.publish_snapshot(now_ns, listed)

    def publish_snapshot(self, now_ns: int, listed: Mapping[str, bytes]) -> dict[str, bytes]:
        """The snapshot that lists these targets files, and the timestamp that lists it."""
        versions = {"targets.json": self.versions["targets"]} | {
            f"{each.name}.json": each.version for each in self.delegations.values()
        }
        self.versions["snapshot"] += 1
        content = role_content("snapshot", self.versions["snapshot"], now_ns)
        content["meta"] = {name: file_entry(d, versions[name]) for name, d in listed.items()}
        snapshot = signed_file(content, self.keys("snapshot"))
        return {"snapshot": snapshot, "timestamp": self.publish_timestamp(now_ns, snapshot)}

    def publish_timestamp(self, now_ns: int, snapshot: bytes) -> bytes:
        self.versions["timestamp"] += 1
        content = role_content("timestamp", self.versions["timestamp"], now_ns)
        entry = file_entry(snapshot, self.versions["snapshot"])
        return signed_file(content | {"meta": {"snapshot.json": entry}}, self.keys("timestamp"))

    def _publish_targets(self, now_ns: int) -> dict[str, bytes]:
        self.versions["targets"] += 1
        content = role_content("targets", self.versions["targets"], now_ns)
        content |= {"targets": self.targets, **self.targets_fields}
        if self.delegations:
            content["delegations"] = self._delegations_content()
        files = {"targets": signed_file(content, self.keys("targets"))}
        for each in self.delegations.values():
            each.version += 1
            content = role_content("targets", each.version, now_ns) | {"targets": each.targets}
            files[f"delegated/{each.name}"] = signed_file(content, each.keys)
        return files

    def _delegations_content(self) -> Json:
        every = self.delegations.values()
        return {
            "keys": {key_id(key): key_content(key) for each in every for key in each.keys},
            "roles": [
                {
                    "name": each.name,
                    "keyids": [key_id(key) for key in each.keys],
                    "threshold": len(each.keys),
                    "terminating": each.terminating,
                    "paths": list(each.paths),
                    "hardware_ids": list(each.hardware_ids),
                }
                for each in every
            ],
        }


# ---- contents ----


def role_content(role: str, version: int, now_ns: int) -> Json:
    """What every role file says, for a file signed now."""
    return {
        "_type": role,
        "spec_version": SPEC_VERSION,
        "version": version,
        "expires": utc_text(seconds_at(now_ns) + EXPIRY_S[role]),
    }


def file_entry(data: bytes, version: int) -> Json:
    """How one role file is listed in another."""
    digest = {"sha256": sha256(data).hexdigest()}
    return {"version": version, "length": len(data), "hashes": digest}


def key_content(private: bytes) -> Json:
    public = public_key(private).hex()
    return {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": public}}


def key_id(private: bytes) -> str:
    """The name of a key in metadata: SHA-256 of its canonical form (TUF 4.2)."""
    return sha256(canonical_json(key_content(private))).hexdigest()


def signed_file(content: Json, keys: Iterable[bytes]) -> bytes:
    """A role file as it is served: compact JSON, signed over its canonical form."""
    from securesystemslib.signer import Signature  # type: ignore[attr-defined]
    from tuf.api.metadata import Metadata
    from tuf.api.serialization.json import JSONSerializer

    file = Metadata.from_dict({"signed": _copy(content), "signatures": []})
    for key in keys:
        name = key_id(key)
        file.signatures[name] = Signature(name, sign(key, file.signed_bytes).hex())
    return file.to_bytes(JSONSerializer(compact=True))


def attested_time(now_ns: int, key: bytes) -> bytes:
    """The attestation of a time server."""
    signed = {"_type": "time", "time": utc_text(seconds_at(now_ns))}
    signature = sign(key, canonical_json(signed)).hex()
    return canonical_json({"signed": signed, "signature": signature})


def _copy(content: object) -> Json:
    """`Metadata.from_dict` takes apart what it reads."""
    from copy import deepcopy

    copied = deepcopy(content)
    assert isinstance(copied, dict)
    return copied
