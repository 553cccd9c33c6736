"""How far a valid command may raise the force: what pedal or emergency braking explain.

A command with a right checksum can still be nonsense: corrupted before it was protected, or
computed wrongly. The actuator reads the pedal itself; a request that the pedal explains is followed
as commanded. Everything else it only knows from the command it judges, so it wants to hear it more
than `confirm_commands` times in a row:

- the emergency flag, which explains every request;
- a request that cruise control or hold may need (`assist_explained_ratio`);
- any request while there is no usable pedal. The last one that was usable counts for another
  deadline.

What is not explained, or not yet, rises by `assist_gradient_n_per_s` only and ends at
`assist_force_ratio` of the largest force: three corrupted commands of 40 kN in a row raise the
request by 1.5 kN, with or without the flag (SAF-004), while three honest ones close the clearance.
Falling requests are never limited: braking less is the other brakes' matter, and every slope is
limited in the application. A controller that goes on for longer is its own level 2's matter.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from simcore.ecu.emb.communication import QUALITY_VALID
from simcore.ecu.emb.parameters import EmbParameters
from simcore.ecu.emb.trouble_codes import REQUEST_LIMITED
from simcore.ecu.runtime import Reception
from simcore.ecu.runtime.trouble_codes import NO_TROUBLE_CODES, TroubleCodeReports
from simcore.network import SignalReader
from simcore.units import NS_PER_MS, NS_PER_S

_RECENT_NS = 30 * NS_PER_MS
"""A pedal read longer ago explains nothing any more."""


class RequestLimit:
    """Limits the rise of one actuator's force request."""

    __slots__ = (
        "_before_ratio",
        "_beyond_count",
        "_beyond_ns",
        "_codes",
        "_data",
        "_enabled",
        "_log",
        "_parameters",
        "_pedal",
        "_read_ns",
        "_read_pedal",
        "_share_ratio",
        "doubted_n",
        "emergency_ns",
        "limiting",
    )

    def __init__(
        self,
        parameters: EmbParameters,
        pedal: Reception,
        read_pedal: SignalReader,
        log: Callable[[str, str], None],
        *,
        enabled: bool = True,
        codes: TroubleCodeReports = NO_TROUBLE_CODES,
    ) -> None:
        """`enabled=False` follows every request."""
        self._enabled = enabled
        self._parameters = parameters
        self._pedal = pedal
        self._read_pedal = read_pedal
        self._log = log
        self._codes = codes
        self._data: bytes | None = None
        self._read_ns = -_RECENT_NS - 1
        self._share_ratio = self._before_ratio = 0.0
        self._beyond_count = 0
        """Commands in a row beyond what is followed of them, ..."""
        self._beyond_ns = 0
        """... the last of them at this time."""
        self.emergency_ns = 0
        """Since when the commands obeyed have the emergency flag, written by who obeys them."""
        self.doubted_n = 0.0
        """A request far beyond what explains it, waiting to be confirmed."""
        self.limiting = False
        """A request far beyond what explains it is being limited."""

    def explained_n(self, now_ns: int) -> float:
        """Clamp force that the pedal explains; infinite where there is no pedal to tell."""
        pedal = self._pedal
        deadline_ns = pedal.timeout_ns or 0
        if not pedal.usable(now_ns) and (
            pedal.updated_ns is None or now_ns - pedal.updated_ns > 2 * deadline_ns
        ):
            return inf
        if pedal.data is not self._data:
            self._data = pedal.data
            share_ratio = self._pedal_share(pedal.data)
            # A command answers the pedal of a cycle ago: a released pedal explains it once more.
            recent = now_ns - self._read_ns <= _RECENT_NS
            self._before_ratio = self._share_ratio if recent else share_ratio
            self._share_ratio = share_ratio
            self._read_ns = now_ns
        p = self._parameters
        share_ratio = max(self._share_ratio, self._before_ratio)
        return share_ratio * p.pedal_plausible_ratio * p.pedal_direct_force_n

    def limited_n(
        self, force_n: float, previous_n: float, *, emergency: int, cycle_ns: int, now_ns: int
    ) -> float:
        """What of a request is followed, `previous_n` being what was followed before it."""
        if force_n <= previous_n or not self._enabled:
            self.settle(emergency, now_ns)
            return force_n
        p = self._parameters
        # Half a cycle of jitter: the command after so many others.
        confirming_ns = p.confirm_commands * cycle_ns - cycle_ns // 2
        if emergency and now_ns - self.emergency_ns >= confirming_ns:
            return self._followed(force_n, now_ns)
        pedal_n = self.explained_n(now_ns)
        explained_n = 0.0 if pedal_n == inf else pedal_n
        if force_n <= explained_n:
            return self._followed(force_n, now_ns)
        step_n = p.assist_gradient_n_per_s * cycle_ns / NS_PER_S
        most_n = max(explained_n, previous_n, p.assist_force_ratio * p.force_control.force_max_n)
        allowed_n = min(max(explained_n, previous_n) + step_n, most_n)
        if force_n <= allowed_n:
            return self._followed(force_n, now_ns)
        in_a_row = now_ns - self._beyond_ns <= cycle_ns + cycle_ns // 2
        self._beyond_count = self._beyond_count + 1 if in_a_row else 1
        self._beyond_ns = now_ns
        assist_n = inf if pedal_n == inf else p.assist_explained_ratio * p.pedal_direct_force_n
        if force_n <= assist_n and self._beyond_count > p.confirm_commands:
            return self._followed(force_n, now_ns)
        if force_n > max(allowed_n + p.implausible_step_n, assist_n):
            if emergency:
                self.doubted_n = force_n
            elif not self.limiting:
                self._detect(
                    f"request of {force_n:.0f} N, {previous_n:.0f} N before: neither pedal nor "
                    "emergency braking explains it",
                    now_ns,
                )
                self._log("reaction", f"request limited to {allowed_n:.0f} N")
        return allowed_n

    def settle(self, emergency: int, now_ns: int) -> None:
        """The request does not rise any more; with the flag gone what was doubted was nonsense."""
        if self.doubted_n and not emergency and not self.limiting:
            text = f"request of {self.doubted_n:.0f} N withdrawn, nothing has explained it"
            self._detect(text, now_ns)
        self._end(now_ns)

    def _followed(self, force_n: float, now_ns: int) -> float:
        self._end(now_ns)
        return force_n

    def _end(self, now_ns: int) -> None:
        self.doubted_n = 0.0
        if self.limiting:
            self.limiting = False
            self._codes.passed(REQUEST_LIMITED, now_ns)

    def _detect(self, text: str, now_ns: int) -> None:
        self.limiting = True
        self._log("detection", text)
        self._codes.failed(REQUEST_LIMITED, now_ns)

    def _pedal_share(self, data: bytes) -> float:
        """Share of the full travel, by the channel that says more; infinite without any."""
        p = self._parameters
        travel_1_mm, travel_2_mm, quality_1, quality_2 = self._read_pedal.read(data)
        if quality_1 != QUALITY_VALID and quality_2 != QUALITY_VALID:
            return inf
        travel_mm = float(max(travel_1_mm, travel_2_mm))
        share_ratio = (travel_mm - p.pedal_dead_travel_mm) / (
            p.pedal_full_travel_mm - p.pedal_dead_travel_mm
        )
        return min(1.0, max(0.0, share_ratio))
