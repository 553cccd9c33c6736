"""`Dialogue`: a tester's requests to the module under test, judged; and single frames of ISO-TP.

What diagnostics offers there is the table `diagnostics` of the requirement file; numbers of
services and refusals are the standard's. Requests are written as testers write them: `"22 F1 90"`.
Not here: what is asked, see `groups/diagnostics*`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simcore.bus import Frame
from simcore.bus.frame import DLC_TO_LENGTH
from simcore.bus.log import BusRecord
from simcore.diag.client import Outcome, OutcomeKind, shown
from simcore.diag.codes import NEGATIVE_RESPONSE, POSITIVE_OFFSET, Nrc, Sid
from simcore.errors import InputError
from simcore.network import Message
from simcore.testing.conformance.case import Case, Group, Need
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_MS, ms

TABLE = "diagnostics"
"""Name of the table of the requirement file."""
PADDING = 0xCC
NOT_NOW = (
    Nrc.SERVICE_NOT_SUPPORTED_IN_ACTIVE_SESSION,
    Nrc.SUB_FUNCTION_NOT_SUPPORTED_IN_ACTIVE_SESSION,
)
"""The refusals of what another session offers."""
_SINGLE_MAX = 7
"""Bytes of a single frame with the short length."""
_ANSWER_NS = 200 * NS_PER_MS
"""What a module gets for the answer to single frames: P2 and the way, with reserve."""


def diagnostic_case(name: str, title: str, run: Callable[[Trial], None], *needs: Need) -> Case:
    """A case of the group diagnostics."""
    return Case(
        id=f"diag.{name}",
        group=Group.DIAGNOSTICS,
        title=title,
        run=run,
        needs=frozenset({Need.DIAGNOSTICS, *needs}),
    )


class Offer:
    """The table `diagnostics`: what the module has to offer a tester."""

    __slots__ = ("_interface", "_table")

    def __init__(self, interface: Interface) -> None:
        self._interface = interface
        self._table: dict[str, Any] = interface.binding(TABLE, {})

    def __contains__(self, name: str) -> bool:
        return name in self._table

    def __getitem__(self, name: str) -> Any:
        if name not in self._table:
            raise self._wrong(name, "an entry", "none")
        return self._table[name]

    def texts(self, name: str) -> list[str]:
        """A list of requests or identifiers; empty where there is no entry."""
        return [str(each) for each in self._table.get(name, [])]

    def octets(self, name: str) -> bytes:
        """A request or an identifier."""
        return self.parsed(name, self[name])

    def parsed(self, name: str, text: object) -> bytes:
        """Hexadecimal text as bytes. Raises `InputError` for any other."""
        try:
            return bytes.fromhex(str(text))
        except ValueError:
            raise self._wrong(name, "hexadecimal bytes, as '22 F1 90'", repr(text)) from None

    def _wrong(self, name: str, expected: str, got: str) -> InputError:
        interface = self._interface
        where = f"interface.{interface.role}.{TABLE}.{name}"
        return InputError(where, expected=expected, got=got, file=interface.file)


class Dialogue:
    """Asks the module of a trial, and judges what it answers."""

    __slots__ = ("_trial", "offer")

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self.offer = Offer(trial.interface)

    # -- requests ---------------------------------------------------------------------------------

    def outcome(self, request: bytes | str) -> Outcome:
        """Ask, and wait for as long as the standard gives the module."""
        return self._trial.bench.tester.ask(self._trial.node, _octets(request))

    def ask(self, request: bytes | str) -> bytes | None:
        """As `outcome`: the final response, `None` without any."""
        return self.outcome(request).response

    def functional(self, request: bytes | str) -> bytes | None:
        """Ask all nodes at once; the response of the module, `None` without any."""
        return self._trial.bench.tester.functional(_octets(request)).get(self._trial.node)

    # -- what must come of them -------------------------------------------------------------------

    def positive(self, request: bytes | str, *, text: str = "", requirement: str = "") -> bytes:
        """The response must be positive; what follows the service in it, nothing if it is not."""
        asked = _octets(request)
        outcome = self.outcome(asked)
        response = outcome.response or b""
        passed = response[:1] == bytes((asked[0] + POSITIVE_OFFSET,))
        self._judge(passed, asked, text, said(outcome), "a positive response", requirement)
        return response[1:] if passed else b""

    def refused(self, request: bytes | str, *nrcs: Nrc, text: str = "") -> bool:
        """The response must be one of these refusals; without any named, some refusal."""
        asked = _octets(request)
        outcome = self.outcome(asked)
        return self._judge_refusal(asked, outcome.response, said(outcome), nrcs, text)

    def refused_functionally(self, request: bytes | str, *nrcs: Nrc, text: str = "") -> bool:
        """The same for a request to all."""
        asked = _octets(request)
        response = self.functional(asked)
        return self._judge_refusal(asked, response, named(response), nrcs, text)

    def silent(self, request: bytes | str, *, text: str = "") -> bool:
        """There must be no response."""
        asked = _octets(request)
        outcome = self.outcome(asked)
        passed = outcome.response is None and outcome.kind is not OutcomeKind.TRANSPORT
        return self._judge(passed, asked, text, said(outcome), "no response")

    def silent_functionally(self, request: bytes | str, *, text: str = "") -> bool:
        """The same for a request to all."""
        asked = _octets(request)
        response = self.functional(asked)
        return self._judge(response is None, asked, text, named(response), "no response")

    def lives(self, text: str = "diagnostics goes on") -> bool:
        """The module answers a plain request as ever."""
        asked = bytes((Sid.TESTER_PRESENT, 0))
        outcome = self.outcome(asked)
        passed = outcome.response == bytes((Sid.TESTER_PRESENT + POSITIVE_OFFSET, 0))
        return self._judge(passed, asked, text, said(outcome), "7E 00")

    def _judge_refusal(
        self,
        asked: bytes,
        response: bytes | None,
        measured: str,
        nrcs: tuple[Nrc, ...],
        text: str,
    ) -> bool:
        refusal = response or b""
        is_one = len(refusal) == 3 and refusal[0] == NEGATIVE_RESPONSE and refusal[1] == asked[0]
        passed = is_one and (not nrcs or refusal[2] in nrcs)
        limit = " or ".join(nrc_name(each) for each in nrcs) or "a refusal"
        return self._judge(passed, asked, text, measured, limit)

    def _judge(
        self,
        passed: bool,
        asked: bytes,
        text: str,
        measured: str,
        limit: str,
        requirement: str = "",
    ) -> bool:
        return self._trial.expect(
            passed,
            text=text or f"response to {shown(asked)}",
            measured=f"{shown(asked)} -> {measured}",
            limit=limit,
            requirement=requirement,
        )

    # -- often needed -----------------------------------------------------------------------------

    def enter(self, session: str | None = None) -> bool:
        """Into a session, the first beside the default one unless told otherwise."""
        number = self.offer.texts("sessions")[0] if session is None else session
        request = bytes((Sid.DIAGNOSTIC_SESSION_CONTROL,)) + self.offer.parsed("sessions", number)
        return bool(self.positive(request, text=f"session 0x{number} can be entered"))

    @property
    def default_session(self) -> str:
        """The number of the session that the module starts in."""
        return str(self.offer["default_session"])

    def session(self) -> bytes:
        """The session the module says it is in; empty where it does not."""
        identifier = self.offer.octets("session_identifier")
        response = self.ask(bytes((Sid.READ_DATA_BY_IDENTIFIER,)) + identifier) or b""
        return response[3:] if response[:3] == b"\x62" + identifier else b""

    def expect_session(self, session: str, text: str) -> bool:
        """Judge in which session the module is."""
        found = self.session()
        return self._trial.expect(
            found == self.offer.parsed("sessions", session),
            text=text,
            measured=f"session 0x{found.hex().upper()}" if found else "no answer",
            limit=f"session 0x{session}",
        )


class RawLink:
    """Single frames to and from the module, as no well-behaved tester sends them."""

    __slots__ = ("_functional", "_host", "_request", "_response", "_trial")

    def __init__(self, trial: Trial) -> None:
        interface = trial.interface
        request, response = interface.diag_request, interface.diag_response
        if request is None or response is None or not request.senders:
            trial.not_tested("the database has no diagnostic messages of the node")
        assert request is not None and response is not None
        self._trial = trial
        self._request: Message = request
        self._response: Message = response
        self._functional = interface.diag_functional
        self._host = trial.bench.host(request.senders[0])

    def send(self, data: bytes | str, *, functional: bool = False) -> int:
        """Send a frame with this content, filled up as CAN FD demands; the time before it."""
        since_ns = self._trial.now_ns
        message = self._functional if functional else self._request
        assert message is not None
        octets = _octets(data) if data else b""
        self._host.send(
            Frame(
                message.arbitration_id,
                filled(octets),
                is_extended_id=message.is_extended_id,
                is_fd=message.is_fd,
                bitrate_switch=message.bitrate_switch,
            )
        )
        return since_ns

    def ask(self, request: bytes | str, *, wait_ns: int = _ANSWER_NS) -> list[bytes]:
        """Send a single frame and wait; the frames that came back."""
        since_ns = self.send(single_frame(_octets(request)))
        return self.heard_after(since_ns, wait_ns)

    def heard_after(self, since_ns: int, wait_ns: int = _ANSWER_NS) -> list[bytes]:
        """Wait; the frames that the module has sent since."""
        self._trial.run_for(wait_ns)
        return [record.frame.data for record in self.records(since_ns)]

    def records(self, since_ns: int) -> list[BusRecord]:
        """What the module has sent since."""
        return self._trial.frames(self._response.name, since_ns)

    def requests(self, since_ns: int) -> list[BusRecord]:
        """What the tester has sent since."""
        identifier = self._request.arbitration_id
        return [
            record
            for record in self._trial.records(since_ns)
            if record.frame.arbitration_id == identifier and record.sof_ns >= since_ns
        ]


def single_frame(payload: bytes) -> bytes:
    """A message that fits into one frame, not yet filled up."""
    size = len(payload)
    return (bytes((size,)) if size <= _SINGLE_MAX else bytes((0, size))) + payload


def filled(data: bytes) -> bytes:
    """Content of the next length that a frame can have, of 8 bytes at least."""
    length = next(each for each in DLC_TO_LENGTH if each >= max(len(data), 8))
    return data.ljust(length, bytes((PADDING,)))


def payload_of(frame: bytes) -> bytes | None:
    """The message of a single frame; `None` of any other."""
    if not frame or frame[0] >> 4:
        return None
    size, start = (frame[0], 1) if frame[0] else (frame[1] if len(frame) > 1 else 0, 2)
    return frame[start : start + size] if size and start + size <= len(frame) else None


def known_identifiers(dialogue: Dialogue) -> list[bytes]:
    """All identifiers that anybody may read."""
    offer = dialogue.offer
    return [offer.parsed("identifiers", each) for each in offer["identifiers"]]


def require_functional(trial: Trial) -> None:
    """End a case of requests to all where the network has none."""
    if trial.interface.diag_functional is None:
        trial.not_tested("the database has no functional request to the node")


def nrc_name(code: int) -> str:
    """`0x31 request out of range`."""
    if code in frozenset(Nrc):
        return f"0x{code:02X} {Nrc(code).name.lower().replace('_', ' ')}"
    return f"0x{code:02X}"


def named(response: bytes | None) -> str:
    """A response for people."""
    if response is None:
        return "no response"
    if len(response) == 3 and response[0] == NEGATIVE_RESPONSE:
        return nrc_name(response[2])
    return shown(response)


def said(outcome: Outcome) -> str:
    """What came of a request, for people."""
    return named(outcome.response) if outcome.response is not None else outcome.text


def milliseconds(value_ms: float) -> int:
    """A parameter in ms as ns."""
    return ms(value_ms)


def _octets(request: bytes | str) -> bytes:
    return bytes.fromhex(request) if isinstance(request, str) else request
