"""The steps of a verification, from the bytes of a metadata set to what each ECU shall install.

`FullSteps.run` and `PartialSteps.run` are the procedures of Uptane 2.1 ("Full verification",
"Partial verification") as chains of checks; those on single role files are in
`verification_roles`. Beyond the standard: the vehicle's identity, bundles, requirements between
versions, and the security counter.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from tuf.api.metadata import (  # type: ignore[attr-defined]
    DelegatedRole,
    TargetFile,
    Targets,
)

from simcore.errors import InputError
from simcore.update.compatibility import Software, misfits
from simcore.update.metadata import (
    Assignment,
    MetadataLimits,
    Target,
    assignments_of,
    target_of,
    unpack_files,
)
from simcore.update.metadata_keys import canonical_json, is_signed
from simcore.update.metadata_time import seconds_at, time_of, utc_text
from simcore.update.trusted import TrustedMetadata
from simcore.update.verification import FullVerification, Installed, PartialVerification
from simcore.update.verification_roles import RepositoryCheck
from simcore.update.verification_verdict import Check, Finding


class Steps:
    """What full and partial verification share."""

    def __init__(
        self,
        vin: str,
        limits: MetadataLimits,
        metadata: bytes,
        now_ns: int,
        trusted: TrustedMetadata,
        installed: Mapping[str, Installed],
    ) -> None:
        self._vin = vin
        self._limits = limits
        self._metadata = metadata
        self._before = trusted
        self._installed = installed
        self._files: dict[str, bytes] = {}
        self._now_s = seconds_at(now_ns)
        self._attested_s = trusted.time_s
        self._director: RepositoryCheck | None = None
        self._image: RepositoryCheck | None = None
        self.assignments: tuple[Assignment, ...] = ()

    def run(self) -> Finding | None:
        """All checks in order; the first that fails."""
        raise NotImplementedError

    @property
    def is_new(self) -> bool:
        """Whether anything ordered is not installed yet."""
        return any(
            each.ecu_id not in self._installed
            or self._installed[each.ecu_id].sha256 != each.target.sha256
            for each in self.assignments
        )

    def trusted(self) -> TrustedMetadata:
        """What to store: the verified versions, time and release counters."""
        counters = dict(self._before.release_counters)
        for each in self.assignments:
            counters[each.ecu_id] = max(counters.get(each.ecu_id, 0), each.target.release_counter)
        before = self._before
        return TrustedMetadata(
            time_key=before.time_key,
            director=before.director if self._director is None else self._director.trusted,
            image=before.image if self._image is None else self._image.trusted,
            time_s=self._attested_s,
            release_counters=counters,
        )

    # ---- set and time ----

    def _check_set(self) -> Finding | None:
        size, limit = len(self._metadata), self._limits.set_size
        if not size:
            return Finding(Check.NO_ANSWER, "metadata set", "nothing came")
        if size > limit:
            return Finding(Check.TOO_LONG, "metadata set", f"{size} bytes, at most {limit}")
        try:
            self._files = unpack_files(self._metadata)
        except InputError as error:
            is_short = isinstance(error.expected, str) and error.expected.startswith("at least")
            check = Check.MISSING if is_short else Check.CONTAINER
            return Finding(check, "metadata set", f"expected {error.expected}, got {error.got}")
        return None

    def _check_time(self) -> Finding | None:
        """The attested time is signed and does not go back; then the latest time known counts."""
        data = self._files.get("time")
        if data is None:
            return Finding(Check.MISSING, "time", "is not in the metadata set")
        if len(data) > self._limits.time_size:
            text = f"{len(data)} bytes, at most {self._limits.time_size}"
            return Finding(Check.TOO_LONG, "time", text)
        attested_s = _attested_time(data, self._before.time_key)
        if isinstance(attested_s, Finding):
            return attested_s
        if attested_s < self._before.time_s:
            text = f"{utc_text(attested_s)} after {utc_text(self._before.time_s)}"
            return Finding(Check.TIME_BACKWARDS, "time", text)
        self._attested_s = attested_s
        self._now_s = max(self._now_s, attested_s)
        return None

    def _repository(self, name: str) -> RepositoryCheck:
        before = self._before
        roles = before.director if name == "director" else before.image
        assert roles is not None, "full verification needs trusted metadata of both repositories"
        return RepositoryCheck(name, self._files, self._now_s, roles, self._limits)

    def _begin_director(self) -> Finding | None:
        self._director = self._repository("director")
        return None

    # ---- what the Director orders ----

    def _read_orders(self) -> Finding | None:
        """No delegation, this vehicle, each ECU once, no counter lower than before."""
        assert self._director is not None and self._director.targets is not None
        targets = self._director.targets
        if targets.delegations is not None and (
            targets.delegations.roles or targets.delegations.succinct_roles
        ):
            text = "the Director must not delegate"
            return Finding(Check.DIRECTOR_DELEGATION, "director/targets", text)
        vin = targets.unrecognized_fields.get("vin")
        if vin != self._vin:
            text = f"for vehicle {vin}, this is {self._vin}"
            return Finding(Check.VEHICLE, "director/targets", text)
        try:
            self.assignments = tuple(_orders(targets))
        except InputError as error:
            return Finding(Check.FORMAT, "director/targets", str(error))
        return self._check_each_once()

    def _check_each_once(self) -> Finding | None:
        seen: set[str] = set()
        for each in self.assignments:
            if each.ecu_id in seen:
                text = f"{each.ecu_id} is named more than once"
                return Finding(Check.REPEATED_ECU, "director/targets", text)
            seen.add(each.ecu_id)
        for each in self.assignments:
            missing = sorted(set(each.bundle.members) - seen) if each.bundle else []
            if each.bundle and (missing or each.ecu_id not in each.bundle.members):
                text = f"bundle {each.bundle.identifier}: {', '.join(missing or [each.ecu_id])} "
                text += "has no image" if missing else "is no member"
                return Finding(Check.BUNDLE_MEMBERS, "director/targets", text)
        return None

    def _check_order(self, each: Assignment, hardware_id: str) -> Finding | None:
        """The right hardware, and no counter lower than accepted or installed."""
        target = each.target
        place = f"director/targets: {target.filename} for {each.ecu_id}"
        if each.hardware_id != hardware_id or hardware_id not in target.hardware_ids:
            text = f"for {', '.join(target.hardware_ids)}, the ECU is {hardware_id}"
            return Finding(Check.HARDWARE_ID, place, text)
        installed = self._installed.get(each.ecu_id)
        release = self._before.release_counters.get(each.ecu_id, 0)
        security = 0
        if installed is not None:
            release = max(release, installed.release_counter)
            security = installed.security_counter
        if target.release_counter < release:
            text = f"release counter {target.release_counter} after {release}"
            return Finding(Check.RELEASE_COUNTER, place, text)
        if target.security_counter < security:
            text = f"security counter {target.security_counter} after {security}"
            return Finding(Check.SECURITY_COUNTER, place, text)
        return None


class FullSteps(Steps):
    """Full verification."""

    def __init__(
        self,
        settings: FullVerification,
        metadata: bytes,
        now_ns: int,
        trusted: TrustedMetadata,
        installed: Mapping[str, Installed],
    ) -> None:
        super().__init__(settings.vin, settings.limits, metadata, now_ns, trusted, installed)
        self._hardware = settings.hardware

    def run(self) -> Finding | None:
        finding = self._check_set() or self._check_time() or self._begin_director()
        if finding is None and self._director is not None:
            director = self._director
            finding = (
                director.check_roots()
                or director.check_timestamp()
                or director.check_snapshot()
                or director.check_targets()
                or self._read_orders()
                or self._check_vehicle()
            )
        if finding is not None or not self.is_new:
            return finding
        image = self._image = self._repository("image")
        return (
            image.check_roots()
            or image.check_timestamp()
            or image.check_snapshot()
            or image.check_targets()
            or self._check_matches(image)
            or self._check_orders()
            or self._check_compatibility()
        )

    def _check_vehicle(self) -> Finding | None:
        for each in self.assignments:
            if each.ecu_id not in self._hardware:
                text = f"{each.ecu_id} is not in this vehicle"
                return Finding(Check.UNKNOWN_ECU, "director/targets", text)
        return None

    def _check_matches(self, image: RepositoryCheck) -> Finding | None:
        """Every image that is ordered is in the Image repository too, and described the same."""
        for target in dict.fromkeys(each.target for each in self.assignments):
            found = _find(image, target)
            if isinstance(found, Finding):
                return found
            differing = _difference(target, found)
            if differing:
                place = f"director/targets: {target.filename}"
                return Finding(Check.REPOSITORIES_DIFFER, place, f"differ in {differing}")
        return None

    def _check_orders(self) -> Finding | None:
        for each in self.assignments:
            finding = self._check_order(each, self._hardware[each.ecu_id])
            if finding:
                return finding
        return None

    def _check_compatibility(self) -> Finding | None:
        after = {
            ecu_id: Software(each.hardware_id, each.version, each.requires)
            for ecu_id, each in self._installed.items()
        }
        for each in self.assignments:
            target = each.target
            after[each.ecu_id] = Software(each.hardware_id, target.version, target.requires)
        found = misfits(after, self._hardware)
        if found:
            return Finding(Check.COMPATIBILITY, "director/targets", str(found[0]))
        return None


class PartialSteps(Steps):
    """Partial verification."""

    def __init__(
        self,
        settings: PartialVerification,
        metadata: bytes,
        now_ns: int,
        trusted: TrustedMetadata,
        installed: Mapping[str, Installed],
    ) -> None:
        super().__init__(settings.vin, settings.limits, metadata, now_ns, trusted, installed)
        self._settings = settings

    def run(self) -> Finding | None:
        finding = self._check_set() or self._check_time() or self._begin_director()
        if finding is not None or self._director is None:
            return finding
        director = self._director
        if self._settings.follows_root:
            finding = director.check_roots()
        return finding or director.check_targets() or self._read_orders() or self._check_own()

    def _check_own(self) -> Finding | None:
        own = [each for each in self.assignments if each.ecu_id == self._settings.ecu_id]
        for each in own:
            finding = self._check_order(each, self._settings.hardware_id)
            if finding:
                return finding
        return None

    @property
    def is_new(self) -> bool:
        """Whether anything ordered for this ECU is not installed yet."""
        own = self._settings.ecu_id
        digest = self._installed[own].sha256 if own in self._installed else b""
        return any(e.ecu_id == own and e.target.sha256 != digest for e in self.assignments)


# ---- reading what is signed ----


def _attested_time(data: bytes, key: bytes) -> int | Finding:
    """The time in an attestation signed by the time server."""
    try:
        fields = json.loads(data)
        signed, signature = fields["signed"], bytes.fromhex(fields["signature"])
        payload = canonical_json(signed)
        if signed["_type"] != "time":
            raise InputError("time", expected="type time", got=repr(signed["_type"]))
        time_s = time_of(signed["time"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InputError) as error:
        return Finding(Check.FORMAT, "time", f"cannot be read: {str(error)[:120]}")
    if not is_signed(key, signature, payload):
        return Finding(Check.TIME_SIGNATURE, "time", "not signed by the time server")
    return time_s


def _orders(targets: Targets) -> Iterable[Assignment]:
    for filename, file in sorted(targets.targets.items()):
        target = _target(filename, file)
        yield from assignments_of(target, file.unrecognized_fields.get("custom"))


def _target(filename: str, file: TargetFile) -> Target:
    custom = file.unrecognized_fields.get("custom")
    return target_of(filename, file.length, file.hashes, custom)


def _find(image: RepositoryCheck, wanted: Target) -> Target | Finding:
    """The image in the top-level targets, else in the delegated ones, in listed order."""
    assert image.targets is not None
    name = wanted.filename
    place = f"director/targets: {name}"
    holder: Targets | None = image.targets if name in image.targets.targets else None
    for role in () if holder else _delegations(image.targets, wanted):
        finding = image.check_delegated(role)
        if finding:
            return finding
        if name in image.delegated[role.name].targets:
            holder = image.delegated[role.name]
            break
        if role.terminating:
            break
    if holder is None:
        return Finding(Check.NOT_IN_IMAGE_REPOSITORY, place, "is not in the Image repository")
    try:
        return _target(name, holder.targets[name])
    except InputError as error:
        return Finding(Check.FORMAT, f"image: {name}", str(error))


def _delegations(targets: Targets, wanted: Target) -> list[DelegatedRole]:
    """The delegations that hold for an image: by its path and its hardware."""
    delegations = targets.delegations
    roles = (delegations.roles or {}) if delegations is not None else {}
    return [
        role
        for role in roles.values()
        if role.is_delegated_path(wanted.filename)
        and set(role.unrecognized_fields.get("hardware_ids", [])) & set(wanted.hardware_ids)
    ]


def _difference(ordered: Target, released: Target) -> str:
    """What the two repositories say differently about an image."""
    pairs = {
        "length": (ordered.length, released.length),
        "sha256": (ordered.sha256, released.sha256),
        "hardware ids": (ordered.hardware_ids, released.hardware_ids),
        "release counter": (ordered.release_counter, released.release_counter),
        "security counter": (ordered.security_counter, released.security_counter),
        "version": (ordered.version, released.version),
        "requirements": (ordered.requires, released.requires),
    }
    return ", ".join(name for name, (one, other) in pairs.items() if one != other)
