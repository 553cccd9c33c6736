"""What a handler of a diagnostic service answers: data, a refusal, or work that takes time.

Handlers are bound methods of the ECU's software (deep-copyable). They return `bytes` (the data
after the echoed identifiers), a `Nrc`, or an `Operation` that the server steps until it is done;
meanwhile the server answers 0x78.
"""

from __future__ import annotations

from typing import Protocol, TypeAlias, runtime_checkable

from simcore.diag.codes import Nrc


@runtime_checkable
class Operation(Protocol):
    """Work of a handler that goes on: erasing, programming, verifying.

    One that the server gives up, after too many 0x78 or because of a reset, is not called again.
    """

    def step(self, now_ns: int) -> bytes | Nrc | None:
        """Go on; the answer once there is one. Called at `next_deadline_ns`."""

    def next_deadline_ns(self) -> int:
        """When to call `step` next; later after each step that gave no answer."""


Answer: TypeAlias = bytes | Nrc | Operation
"""What every handler returns."""
