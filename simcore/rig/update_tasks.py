"""What a tester does to update one ECU, task by task: `UpdateDialogue` holds them in order.

Sans-IO: a task says what to send next and looks at what came back. All state is in plain objects,
so a fork goes on in the midst of a transfer.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Protocol

from simcore.diag.authentication import EPOCH_S
from simcore.diag.certificate_issuing import YEAR_S, SigningKey
from simcore.diag.codes import NEGATIVE_RESPONSE, POSITIVE_OFFSET, Nrc, Session, Sid
from simcore.ecu.runtime.diagnostics_rows import PROGRAMMER, test_authority
from simcore.ecu.runtime.software_rows import STATUS_DID
from simcore.units import NS_PER_MS, NS_PER_S
from simcore.update.states import UpdateState

POLL_NS = 50 * NS_PER_MS
_TURN_NS = 5 * NS_PER_MS
_STATUS_HEAD = 3
UPLOAD_SIZE = 32 * 1024
"""Asked for first; doubled while what is there is longer."""
UPLOAD_SIZE_MAX = 1 << 20
"""Of an audit log; what is shorter is filled up with line feeds."""
_BUSY = (Nrc.BUSY_REPEAT_REQUEST, Nrc.CONDITIONS_NOT_CORRECT)


class Task(Protocol):
    """A piece of a dialogue."""

    failure: str
    """Why it ended badly; empty where it did not."""

    def next(self, response: bytes | None, now_ns: int) -> bytes | int | None:
        """The next request; a time to wait for, or `None` when done. First with `None`."""


def refusal(response: bytes | None) -> str:
    """What is wrong with a response; empty for a positive one."""
    if response is None:
        return "no response"
    if response[:1] == bytes((NEGATIVE_RESPONSE,)):
        code = response[2] if len(response) > 2 else 0
        name = Nrc(code).name.lower() if code in set(Nrc) else "unknown"
        return f"0x{code:02X} {name}"
    return ""


class Ask:
    """One request that must succeed; repeated while the ECU says it is busy."""

    __slots__ = ("_begun_ns", "_patience_ns", "_payload", "_sent", "failure", "response", "what")

    def __init__(self, what: str, payload: bytes, *, patience_ns: int = 0) -> None:
        self.what = what
        self._payload = payload
        self._patience_ns = patience_ns
        """For so long 0x21 and 0x22 are no failure."""
        self._begun_ns: int | None = None
        self._sent = False
        self.failure = ""
        self.response = b""

    def next(self, response: bytes | None, now_ns: int) -> bytes | int | None:
        if self._begun_ns is None:
            self._begun_ns = now_ns
        if not self._sent:
            self._sent = True
            return self._payload
        wrong = refusal(response)
        if not wrong:
            self.response = response or b""
            return None
        if response is not None and len(response) > 2 and response[2] in _BUSY:
            if now_ns - self._begun_ns < self._patience_ns:
                self._sent = False
                return now_ns + POLL_NS
        self.failure = f"{self.what}: {wrong}"
        return None


class Certify:
    """Authentication by certificate, as somebody who may program."""

    __slots__ = ("_stage", "failure", "what")

    def __init__(self) -> None:
        self.what = "authentication"
        self._stage = 0
        self.failure = ""

    def next(self, response: bytes | None, now_ns: int) -> bytes | int | None:
        self._stage += 1
        if self._stage == 1:
            certificate = _certificate()
            size = len(certificate).to_bytes(2, "big")
            return bytes((Sid.AUTHENTICATION, 1, 0)) + size + certificate + bytes(2)
        wrong = refusal(response)
        if wrong or response is None:
            self.failure = f"{self.what}: {wrong}"
        elif self._stage == 2:
            length = int.from_bytes(response[3:5], "big")
            proof = _tester_key().sign(response[5 : 5 + length])
            return bytes((Sid.AUTHENTICATION, 3)) + len(proof).to_bytes(2, "big") + proof + bytes(2)
        return None


class Download:
    """34, 36 for every block, 37. `transferred` counts what the ECU has stored."""

    __slots__ = (
        "_address",
        "_block",
        "_counter",
        "_data",
        "_paused",
        "_size_per_s",
        "_stage",
        "_stops_after",
        "begun_ns",
        "ended_ns",
        "failure",
        "samples",
        "transferred",
        "what",
    )

    def __init__(
        self,
        what: str,
        address: int,
        data: bytes,
        *,
        size_per_s: int | None = None,
        stops_after: int | None = None,
    ) -> None:
        """With `size_per_s` it trickles, after `stops_after` bytes it stops: as thieves do it."""
        self.what = what
        self._size_per_s = size_per_s
        self._stops_after = stops_after
        self._address = address
        self._data = data
        self._stage = Sid.REQUEST_DOWNLOAD
        self._block = 0
        self._counter = 0
        self.transferred = 0
        self.begun_ns: int | None = None
        self.ended_ns: int | None = None
        """Of the blocks alone."""
        self._paused = False
        self.samples: list[tuple[int, int]] = []
        """Time and bytes stored, after every block."""
        self.failure = ""

    @property
    def size(self) -> int:
        """Bytes in all."""
        return len(self._data)

    def next(self, response: bytes | None, now_ns: int) -> bytes | int | None:
        if self._stage is Sid.REQUEST_DOWNLOAD:
            self._stage = Sid.TRANSFER_DATA
            start = self._address + self.transferred
            size = self.size - self.transferred
            numbers = start.to_bytes(4, "big") + size.to_bytes(4, "big")
            return bytes((Sid.REQUEST_DOWNLOAD, 0x00, 0x44)) + numbers
        if not self._paused:
            ended = self._heard(response, now_ns)
            if ended is not None:
                return ended or None
        if self._size_per_s is not None and not self._paused:
            self._paused = True
            self._block = min(self._block, self._size_per_s)
            return now_ns + NS_PER_S
        self._paused = False
        self._counter = (self._counter + 1) & 0xFF
        block = self._data[self.transferred : self.transferred + self._block]
        return bytes((Sid.TRANSFER_DATA, self._counter)) + block

    def _heard(self, response: bytes | None, now_ns: int) -> bytes | None:
        """Take a response; the last request, empty where there is none more, `None` for a block."""
        wrong = refusal(response)
        if wrong or response is None:
            self.failure = f"{self.what} at {self.transferred} of {self.size} bytes: {wrong}"
            return b""
        if self._stage is Sid.REQUEST_TRANSFER_EXIT:
            return b""
        if response[0] == Sid.REQUEST_DOWNLOAD + POSITIVE_OFFSET:
            size = response[1] >> 4
            self._block = int.from_bytes(response[2 : 2 + size], "big") - 2
            self.begun_ns = now_ns
        else:
            self.transferred = min(self.transferred + self._block, self.size)
            self.ended_ns = now_ns
        self.samples.append((now_ns, self.transferred))
        if self._stops_after is not None and self.transferred >= self._stops_after:
            self.failure = f"{self.what} stops at {self.transferred} of {self.size} bytes"
            return b""
        if self.transferred == self.size:
            self._stage = Sid.REQUEST_TRANSFER_EXIT
            return bytes((Sid.REQUEST_TRANSFER_EXIT,))
        return None


class Upload:
    """35, 36 until the line feeds behind the end come, 37. Asks for more where 35 is refused."""

    __slots__ = ("_address", "_counter", "_size", "_stage", "data", "failure", "what")

    def __init__(self, what: str, address: int) -> None:
        self.what = what
        self._address = address
        self._stage = Sid.REQUEST_UPLOAD
        self._counter = 0
        self._size = UPLOAD_SIZE
        self.data = b""
        self.failure = ""

    def next(self, response: bytes | None, now_ns: int) -> bytes | int | None:
        if self._stage is Sid.REQUEST_UPLOAD:
            self._stage = Sid.TRANSFER_DATA
            return self._request()
        wrong = refusal(response)
        too_short = response is not None and response[2:3] == bytes((Nrc.REQUEST_OUT_OF_RANGE,))
        if wrong and too_short and not self.data and self._size < UPLOAD_SIZE_MAX:
            self._size *= 2
            return self._request()
        if wrong or response is None:
            self.failure = f"{self.what} at {len(self.data)} bytes: {wrong}"
            return None
        if self._stage is Sid.REQUEST_TRANSFER_EXIT:
            return None
        if response[0] == Sid.TRANSFER_DATA + POSITIVE_OFFSET:
            self.data += response[2:]
        if len(self.data) >= self._size:
            self.data = self.data.rstrip(b"\n") + b"\n"
            self._stage = Sid.REQUEST_TRANSFER_EXIT
            return bytes((Sid.REQUEST_TRANSFER_EXIT,))
        self._counter = (self._counter + 1) & 0xFF
        return bytes((Sid.TRANSFER_DATA, self._counter))

    def _request(self) -> bytes:
        numbers = self._address.to_bytes(4, "big") + self._size.to_bytes(4, "big")
        return bytes((Sid.REQUEST_UPLOAD, 0x00, 0x44)) + numbers


class Resume:
    """Asks an ECU how much of an image it has; the download behind it goes on there."""

    __slots__ = ("_download", "_sent", "failure", "what")

    def __init__(self, download: Download) -> None:
        self.what = "status"
        self._download = download
        self._sent = False
        self.failure = ""

    def next(self, response: bytes | None, now_ns: int) -> bytes | int | None:
        if not self._sent:
            self._sent = True
            return bytes((Sid.READ_DATA_BY_IDENTIFIER,)) + STATUS_DID.to_bytes(2, "big")
        status = Status.of(response)
        if status is None:
            self.failure = f"{self.what}: {refusal(response)}"
        elif status.state is UpdateState.DOWNLOADING:
            self._download.transferred = status.done
        return None


class Status:
    """What the update status of an ECU says."""

    __slots__ = ("cause", "done", "is_doubtful", "promised", "size", "state", "tries")

    def __init__(self, record: bytes) -> None:
        self.state = UpdateState(record[0])
        self.tries = record[1]
        self.promised = bool(record[2] & 1)
        self.is_doubtful = bool(record[2] & 2)
        numbers = record[_STATUS_HEAD:]
        self.done = int.from_bytes(numbers[:4], "big")
        self.size = int.from_bytes(numbers[4:8], "big")
        self.cause = numbers[8:].decode()

    @classmethod
    def of(cls, response: bytes | None) -> Status | None:
        """Out of the response to a reading of `STATUS_DID`; `None` where it is none."""
        if refusal(response) or response is None or len(response) < 3 + _STATUS_HEAD + 8:
            return None
        return cls(response[3:])


class Await:
    """Polls the status until the update is in a wanted state, or in one that it does not leave."""

    __slots__ = (
        "_bad",
        "_begun_ns",
        "_patience_ns",
        "_poll",
        "_wanted",
        "failure",
        "status",
        "what",
    )

    def __init__(
        self,
        *wanted: UpdateState,
        bad: Iterable[UpdateState] = (UpdateState.FAILED, UpdateState.ROLLED_BACK),
        patience_ns: int = 120 * NS_PER_S,
    ) -> None:
        self.what = f"waiting for {' or '.join(state.name for state in wanted)}"
        self._wanted = wanted
        self._bad = tuple(bad)
        self._patience_ns = patience_ns
        self._begun_ns: int | None = None
        self._poll = True
        self.status: Status | None = None
        self.failure = ""

    def next(self, response: bytes | None, now_ns: int) -> bytes | int | None:
        if self._begun_ns is None:
            self._begun_ns = now_ns
        if self._poll:
            self._poll = False
            return bytes((Sid.READ_DATA_BY_IDENTIFIER,)) + STATUS_DID.to_bytes(2, "big")
        self._poll = True
        status = Status.of(response)
        if status is not None:
            self.status = status
            if status.state in self._wanted:
                return None
            if status.state in self._bad:
                self.failure = f"{self.what}: {status.state.name}, {status.cause or 'no cause'}"
                return None
        if now_ns - self._begun_ns > self._patience_ns:
            last = "no response" if status is None else status.state.name
            self.failure = f"{self.what}: {last} after {self._patience_ns // NS_PER_S} s"
            return None
        return now_ns + POLL_NS


class Baton:
    """Whoever has it may transfer: requests have lower identifiers than responses, so a second
    transfer on the bus would keep the first one's responses from getting through."""

    __slots__ = ("holder",)

    def __init__(self) -> None:
        self.holder: str | None = None

    def release(self, node: str) -> None:
        """The node needs it no longer."""
        if self.holder == node:
            self.holder = None


class Turn:
    """Waits for the baton, or gives it back."""

    __slots__ = ("_baton", "_gives", "_node", "failure", "what")

    def __init__(self, baton: Baton, node: str, *, gives: bool = False) -> None:
        self.what = "turn"
        self._baton = baton
        self._node = node
        self._gives = gives
        self.failure = ""

    def next(self, response: bytes | None, now_ns: int) -> bytes | int | None:
        baton = self._baton
        if self._gives:
            baton.release(self._node)
        elif baton.holder is None:
            baton.holder = self._node
        return None if self._gives or baton.holder == self._node else now_ns + _TURN_NS


class UpdateDialogue:
    """Tasks one after the other, until one fails; a `Dialogue` of the tester."""

    __slots__ = ("_begun", "_ends", "_place", "done", "failure", "resume_ns", "tasks")

    def __init__(self, tasks: Iterable[Task], *, ends: Turn | None = None) -> None:
        self.tasks = tuple(tasks)
        self._ends = ends
        """What is done at the end, good or bad."""
        self._place = 0
        self._begun = False
        self.done = False
        self.failure = ""
        self.resume_ns: int | None = None

    def next_request(self, response: bytes | None, now_ns: int) -> bytes | None:
        """See `Dialogue`."""
        while self._place < len(self.tasks):
            task = self.tasks[self._place]
            wanted = task.next(response if self._begun else None, now_ns)
            self._begun = True
            if isinstance(wanted, bytes):
                return wanted
            if wanted is not None:
                self.resume_ns = wanted
                return b""
            if task.failure:
                self.failure = task.failure
                break
            self._place += 1
            self._begun = False
        self.done = True
        if self._ends is not None:
            self._ends.next(None, now_ns)
        return None

    @property
    def transferred(self) -> int:
        """Bytes of all downloads that are stored."""
        return sum(task.transferred for task in self.tasks if isinstance(task, Download))


def enter() -> tuple[Task, ...]:
    """Into the extended session, and authenticated there."""
    session = bytes((Sid.DIAGNOSTIC_SESSION_CONTROL, Session.EXTENDED))
    return (Ask("extended session", session), Certify())


def routine(rid: int, option: bytes = b"", *, kind: int = 1) -> bytes:
    """A RoutineControl request; 1 starts, 2 stops."""
    return bytes((Sid.ROUTINE_CONTROL, kind)) + rid.to_bytes(2, "big") + option


@lru_cache(maxsize=1)
def _tester_key() -> SigningKey:
    return SigningKey(b"simcore update tester")


@lru_cache(maxsize=1)
def _certificate() -> bytes:
    certificate: bytes = test_authority().issue(
        "simcore update tester",
        _tester_key().public_key,
        roles=(PROGRAMMER,),
        serial_number=2,
        not_before_s=EPOCH_S,
        not_after_s=EPOCH_S + 10 * YEAR_S,
    )
    return certificate
