"""What an ECU has accepted of the repositories and compares everything new with.

Provisioned in the factory, replaced as a whole after a verification (one atomic write of
`to_bytes`). Versions never decrease, but for one case that both standards want: once the keys of
timestamp or snapshot are replaced by a new root, their old versions are forgotten, because whoever
had the old keys may have raised them beyond all reach (fast-forward attack, TUF 5.3.11).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from simcore.errors import InputError
from simcore.update.metadata import pack_files, unpack_files

_DIGEST_SIZE = 16


class TrustedRoles(NamedTuple):
    """The accepted state of one repository; version 0 stands for nothing accepted yet."""

    root: bytes
    """The root file in force."""
    timestamp: int = 0
    snapshot: int = 0
    targets: tuple[tuple[str, int], ...] = ()
    """Version of each targets file, `targets` and the delegated ones, by name."""

    def target_version(self, name: str) -> int:
        return dict(self.targets).get(name, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedMetadata:
    """Everything that must survive a reset. `image` is `None` on a partial verifier."""

    time_key: bytes
    director: TrustedRoles
    image: TrustedRoles | None = None
    time_s: int = 0
    """Latest attested time, in seconds since 1970."""
    release_counters: Mapping[str, int] = field(default_factory=dict)
    """Highest release counter accepted, by ECU."""

    def to_bytes(self) -> bytes:
        """One record with its own digest, so that a torn copy is never taken for a whole one."""
        files = {"director": self.director.root}
        state: dict[str, object] = {
            "time_key": self.time_key.hex(),
            "time_s": self.time_s,
            "director": _versions(self.director),
            "release_counters": dict(self.release_counters),
        }
        if self.image is not None:
            files["image"] = self.image.root
            state["image"] = _versions(self.image)
        text = json.dumps(state, sort_keys=True, separators=(",", ":"))
        packed = pack_files(files | {"state": text.encode()})
        return packed + _digest(packed)

    @classmethod
    def from_bytes(cls, data: bytes) -> TrustedMetadata:
        """The inverse of `to_bytes`. Raises `InputError` unless every byte is as written."""
        packed, digest = data[:-_DIGEST_SIZE], data[-_DIGEST_SIZE:]
        if _digest(packed) != digest:
            raise InputError("trusted metadata", expected="its own digest", got=digest.hex())
        files = unpack_files(packed)
        state = json.loads(files["state"])
        image = TrustedRoles(files["image"], *_read(state["image"])) if "image" in files else None
        return cls(
            time_key=bytes.fromhex(state["time_key"]),
            director=TrustedRoles(files["director"], *_read(state["director"])),
            image=image,
            time_s=state["time_s"],
            release_counters=state["release_counters"],
        )

    def __copy__(self) -> TrustedMetadata:
        return self

    def __deepcopy__(self, memo: object) -> TrustedMetadata:
        return self


def _versions(roles: TrustedRoles) -> list[object]:
    return [roles.timestamp, roles.snapshot, [list(pair) for pair in roles.targets]]


def _read(versions: list[object]) -> tuple[int, int, tuple[tuple[str, int], ...]]:
    timestamp, snapshot, targets = versions
    assert isinstance(timestamp, int) and isinstance(snapshot, int) and isinstance(targets, list)
    return timestamp, snapshot, tuple((name, version) for name, version in targets)


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=_DIGEST_SIZE, person=b"trusted").digest()
