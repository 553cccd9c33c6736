"""ISO-TP of any node, frame by frame: what it makes of frames that no tester should send.

ISO 15765-2:2016: clauses 9.6.2 to 9.6.5 (frames), 9.7 (timing), 9.8.3 (unexpected frames). All
segmented requests are of 8-byte frames, which every network can carry.
"""

from __future__ import annotations

from itertools import pairwise

from simcore.bus.frame import DLC_TO_LENGTH
from simcore.bus.log import BusRecord
from simcore.testing.conformance.case import Case, Need
from simcore.testing.conformance.dialogue import (
    TABLE,
    Dialogue,
    RawLink,
    known_identifiers,
    milliseconds,
    payload_of,
)
from simcore.testing.conformance.dialogue import diagnostic_case as case
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_MS, ms

SINGLE, FIRST, CONSECUTIVE, FLOW = range(4)
CLEAR_TO_SEND, WAIT, OVERFLOW = "30 00 00", "31 00 00", "32 00 00"
GO_ON = "30 00 00"
_IDENTIFIERS_MIN = 4
"""So many make a request of two frames."""


def cases(interface: Interface) -> list[Case]:
    """None for a node without diagnostic messages, or without a table of what it offers."""
    if interface.diag_request is None or not interface.binding(TABLE, {}):
        return []
    late = Need.VIRTUAL_TIME
    return [
        case("isotp.request", "a request in several frames is taken and answered", _request),
        case("isotp.response", "a long response waits for flow control, then is whole", _response),
        case("isotp.pace", "block size and STmin of the tester are kept", _pace),
        case("isotp.wait", "FC.WAIT holds a response, FC.OVFLW ends it", _wait),
        case("isotp.abandoned", "no flow control: the response ends, the next comes", _abandoned,
             late),
        case("isotp.sequence", "a wrong sequence number ends the request", _sequence),
        case("isotp.missing", "a request that is not continued is forgotten", _missing, late),
        case("isotp.unexpected", "frames that continue nothing are ignored", _unexpected),
        case("isotp.too_long", "a message longer than any buffer is not taken", _too_long),
        case("isotp.invalid", "frames of wrong length or type are ignored", _invalid),
        case("isotp.interrupted", "a new request takes the place of one half received", _new),
        case("isotp.frames", "responses are frames as the standard has them", _frames),
    ]  # fmt: skip


# -- requests in several frames -------------------------------------------------------------------


def segmented(trial: Trial) -> tuple[bytes, list[bytes]]:
    """A request that asks for several identifiers, and its frames of 8 bytes."""
    known = known_identifiers(Dialogue(trial))
    if len(known) < _IDENTIFIERS_MIN:
        trial.not_tested(f"fewer than {_IDENTIFIERS_MIN} identifiers in the requirement list")
    request = b"\x22" + b"".join(known[:_IDENTIFIERS_MIN])
    frames = [bytes((0x10, len(request))) + request[:6]]
    rest, number = request[6:], 1
    while rest:
        frames.append(bytes((0x20 | number,)) + rest[:7])
        rest, number = rest[7:], (number + 1) & 0x0F
    return request, frames


def _request(trial: Trial) -> None:
    _, frames = segmented(trial)
    link = RawLink(trial)
    since_ns = link.send(frames[0])
    flow = _flow_control(trial, link, since_ns)
    if flow is None:
        return
    asked_ns = link.requests(since_ns)[0].eof_ns
    _expect_ms(
        trial,
        (flow.sof_ns - asked_ns) / NS_PER_MS,
        "n_br_ms",
        "from the first frame to the flow control",
    )
    since_ns = _send_rest(trial, link, flow, frames)
    _expect_answer(trial, link, since_ns, "the request is answered")
    trial.run_for(ms(20))
    Dialogue(trial).lives()


def _send_rest(trial: Trial, link: RawLink, flow: BusRecord, frames: list[bytes]) -> int:
    """Consecutive frames as the flow control wants them; when the last one was sent."""
    pause_ns = _st_min_ns(flow.frame.data[2]) + ms(1)
    since_ns = trial.now_ns
    for frame in frames[1:]:
        trial.run_for(pause_ns)
        since_ns = link.send(frame)
    return since_ns


def _flow_control(trial: Trial, link: RawLink, since_ns: int) -> BusRecord | None:
    """The flow control that a first frame must bring: clear to send, with values in range."""
    limit_ns = milliseconds(trial.parameter("n_br_ms"))
    trial.run_for(limit_ns + ms(10))
    found = [each for each in link.records(since_ns) if _kind(each) == FLOW]
    data = found[0].frame.data if found else b""
    passed = len(found) == 1 and len(data) >= 3 and not data[0] & 0x0F and _is_st_min(data[2])
    trial.expect(
        passed,
        text="flow control after a first frame",
        measured=data[:3].hex(" ").upper() or "none",
        limit="one, clear to send, STmin in range",
    )
    return found[0] if passed else None


# -- responses in several frames ------------------------------------------------------------------


class _Long:
    """A response that needs several frames, its first one received."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.link = RawLink(trial)
        known = known_identifiers(Dialogue(trial))
        request = b"\x22" + b"".join(known)
        self.since_ns = trial.now_ns
        octets = bytes((0, len(request))) + request if len(request) > 7 else request
        self.link.send(octets)
        trial.run_for(2 * milliseconds(trial.parameter("p2_ms")))
        records = self.link.records(self.since_ns)
        if not records or _kind(records[0]) != FIRST:
            if records and payload_of(records[0].frame.data) is not None:
                trial.not_tested("everything that can be read fits into one frame")
            trial.expect(False, text="first frame of a long response", measured="none", limit="one")
            self.is_there = False
            return
        self.is_there = True
        self.begun = records[0]
        head = records[0].frame.data
        self.size = (head[0] & 0x0F) << 8 | head[1]
        self.rest = self.size - (len(head) - 2)
        trial.expect(
            len(records) == 1,
            text="frames before a flow control",
            measured=f"{len(records)}",
            limit="the first one alone",
        )

    def consecutive(self) -> list[BusRecord]:
        """What came after the first frame."""
        return [each for each in self.link.records(self.since_ns)[1:] if _kind(each) == CONSECUTIVE]

    def expect_whole(self) -> None:
        """Everything came, in order."""
        frames = self.consecutive()
        numbers = [each.frame.data[0] & 0x0F for each in frames]
        wanted = [number & 0x0F for number in range(1, len(frames) + 1)]
        came = sum(len(each.frame.data) - 1 for each in frames)
        self.trial.expect(
            bool(frames) and numbers == wanted and came >= self.rest,
            text="consecutive frames after flow control",
            measured=f"{came} of {self.rest} bytes, numbers {numbers}",
            limit="all, in order from 1 on",
        )


def _response(trial: Trial) -> None:
    long = _Long(trial)
    if not long.is_there:
        return
    long.link.send(CLEAR_TO_SEND)
    trial.run_for(ms(50))
    long.expect_whole()
    Dialogue(trial).lives()


def _pace(trial: Trial) -> None:
    long = _Long(trial)
    if not long.is_there:
        return
    asked_ns = 20
    for _ in range(long.rest):  # one frame at a time, 20 ms apart
        known = len(long.consecutive())
        long.link.send(f"30 01 {asked_ns:02X}")
        trial.run_for(ms(60))
        fresh = len(long.consecutive()) - known
        came = sum(len(each.frame.data) - 1 for each in long.consecutive())
        if fresh != 1 or came >= long.rest:
            break
    trial.expect(
        fresh == 1, text="frames for a block size of 1", measured=f"{fresh}", limit="one at a time"
    )
    long.expect_whole()
    second = _Long(trial)
    second.link.send(f"30 00 {asked_ns:02X}")
    trial.run_for(ms(400))
    starts_ns = [each.sof_ns for each in second.consecutive()]
    if len(starts_ns) > 1:
        least_ms = min(b - a for a, b in pairwise(starts_ns)) / NS_PER_MS
        trial.expect(
            least_ms >= asked_ns,
            text="shortest time between consecutive frames",
            measured=least_ms,
            limit=f">= {asked_ns} ms",
        )
    second.expect_whole()


def _wait(trial: Trial) -> None:
    long = _Long(trial)
    if not long.is_there:
        return
    long.link.send(WAIT)
    trial.run_for(milliseconds(trial.parameter("n_bs_ms")) * 6 // 10)
    long.link.send(WAIT)
    trial.run_for(milliseconds(trial.parameter("n_bs_ms")) * 6 // 10)
    trial.expect(
        not long.consecutive(),
        text="consecutive frames while FC.WAIT holds them",
        measured=f"{len(long.consecutive())}",
        limit="none",
    )
    long.link.send(CLEAR_TO_SEND)
    trial.run_for(ms(50))
    long.expect_whole()
    ended = _Long(trial)
    ended.link.send(OVERFLOW)
    trial.run_for(ms(50))
    ended.link.send(CLEAR_TO_SEND)
    trial.run_for(ms(50))
    trial.expect(
        not ended.consecutive(),
        text="consecutive frames after FC.OVFLW",
        measured=f"{len(ended.consecutive())}",
        limit="none",
    )
    Dialogue(trial).lives()


def _abandoned(trial: Trial) -> None:
    long = _Long(trial)
    if not long.is_there:
        return
    trial.run_for(milliseconds(trial.parameter("n_bs_ms")) * 11 // 10)
    long.link.send(CLEAR_TO_SEND)
    trial.run_for(ms(50))
    trial.expect(
        not long.consecutive(),
        text="consecutive frames for a flow control after N_Bs",
        measured=f"{len(long.consecutive())}",
        limit="none",
    )
    Dialogue(trial).lives("the next request is answered")


# -- requests that go wrong -----------------------------------------------------------------------


def _sequence(trial: Trial) -> None:
    _, frames = segmented(trial)
    link = RawLink(trial)
    since_ns = link.send(frames[0])
    flow = _flow_control(trial, link, since_ns)
    if flow is None:
        return
    wrong = [frames[0], *(bytes((each[0] ^ 0x03,)) + each[1:] for each in frames[1:])]
    since_ns = _send_rest(trial, link, flow, wrong)
    _expect_no_answer(trial, link, since_ns, "a wrong sequence number")
    Dialogue(trial).lives()


def _missing(trial: Trial) -> None:
    _, frames = segmented(trial)
    link = RawLink(trial)
    since_ns = link.send(frames[0])
    flow = _flow_control(trial, link, since_ns)
    if flow is None:
        return
    trial.run_for(milliseconds(trial.parameter("n_cr_ms")) * 11 // 10)
    since_ns = _send_rest(trial, link, flow, frames)
    _expect_no_answer(trial, link, since_ns, "consecutive frames after N_Cr")
    Dialogue(trial).lives()


def _unexpected(trial: Trial) -> None:
    link = RawLink(trial)
    since_ns = trial.now_ns
    for frame in ("21 22 F1 90 00 00 00 00", CLEAR_TO_SEND, OVERFLOW, "2F 3E 00", WAIT):
        link.send(frame)
        trial.run_for(ms(10))
    _expect_no_answer(trial, link, since_ns, "consecutive frames and flow controls from nowhere")
    Dialogue(trial).lives()


def _too_long(trial: Trial) -> None:
    link = RawLink(trial)
    since_ns = link.send("10 00 7F FF FF FF 22 F1")
    heard = link.heard_after(since_ns, ms(100))
    status = [each[0] & 0x0F for each in heard if each and each[0] >> 4 == FLOW]
    trial.expect(
        status in ([], [2]),
        text="flow control for a message of 2 GiB",
        measured=" ".join(each[:3].hex().upper() for each in heard) or "none",
        limit="overflow or none",
    )
    Dialogue(trial).lives()


def _invalid(trial: Trial) -> None:
    link = RawLink(trial)
    since_ns = trial.now_ns
    for frame in (
        "00 00 3E 00",  # length 0 in the escape
        "00 FF 3E 00",  # longer than the frame
        "0F 22 F1 90",  # length of the short form beyond 7
        "40 3E 00",  # reserved types
        "F0 3E 00",
        "10 02 3E 00",  # a first frame of what fits into one
        "10 00 00 00 00 02 3E 00",
    ):
        link.send(frame)
        trial.run_for(ms(10))
    _expect_no_answer(trial, link, since_ns, "frames that are none")
    Dialogue(trial).lives()


def _new(trial: Trial) -> None:
    _, frames = segmented(trial)
    link = RawLink(trial)
    since_ns = link.send(frames[0])
    flow = _flow_control(trial, link, since_ns)
    if flow is None:
        return
    answers = link.ask("3E 00")
    trial.expect(
        [payload_of(each) for each in answers] == [b"\x7e\x00"],
        text="a request in one frame in the midst of another one",
        measured=" ".join(each[:4].hex().upper() for each in answers) or "no response",
        limit="7E 00",
    )
    since_ns = _send_rest(trial, link, flow, frames)
    _expect_no_answer(trial, link, since_ns, "the rest of the first one")


def _frames(trial: Trial) -> None:
    link = RawLink(trial)
    known = known_identifiers(Dialogue(trial))
    wrong = []
    requests = [b"\x3e\x00", b"\x15", *(b"\x22" + each for each in known)]
    for request in requests:
        for data in link.ask(request, wait_ns=2 * milliseconds(trial.parameter("p2_ms"))):
            payload = payload_of(data)
            if payload is None:
                if data[0] >> 4 != FIRST:
                    wrong.append(data)
            elif len(data) != _length_of(len(payload)):
                wrong.append(data)
    trial.expect(
        not wrong,
        text="single frames that are as long as they need be, and filled up to 8 bytes",
        measured=", ".join(each.hex().upper() for each in wrong) or "all",
        limit="all",
    )


def _length_of(size: int) -> int:
    """Of the frame for a message of so many bytes, 8 at least."""
    needed = size + (1 if size <= 7 else 2)
    return next(each for each in DLC_TO_LENGTH if each >= max(needed, 8))


# -- often needed ---------------------------------------------------------------------------------


def _kind(record: BusRecord) -> int:
    return record.frame.data[0] >> 4 if record.frame.data else -1


def _is_st_min(value: int) -> bool:
    return value <= 0x7F or 0xF1 <= value <= 0xF9


def _st_min_ns(value: int) -> int:
    return (value - 0xF0) * 100_000 if value >= 0xF1 else value * NS_PER_MS


def _answers(trial: Trial, link: RawLink, since_ns: int) -> list[bytes]:
    trial.run_for(2 * milliseconds(trial.parameter("p2_ms")))
    return [each.frame.data for each in link.records(since_ns) if _kind(each) in (SINGLE, FIRST)]


def _expect_answer(trial: Trial, link: RawLink, since_ns: int, text: str) -> None:
    answers = _answers(trial, link, since_ns)
    is_first = bool(answers) and answers[0][0] >> 4 == FIRST
    begin = answers[0][2:3] if is_first else (payload_of(answers[0]) or b"") if answers else b""
    trial.expect(
        len(answers) == 1 and begin[:1] == b"\x62",
        text=text,
        measured=answers[0][:8].hex(" ").upper() if answers else "no response",
        limit="62 ...",
    )
    if is_first:
        link.send(GO_ON)


def _expect_no_answer(trial: Trial, link: RawLink, since_ns: int, text: str) -> None:
    answers = _answers(trial, link, since_ns)
    trial.expect(
        not answers,
        text=f"response to {text}",
        measured=", ".join(each[:8].hex(" ").upper() for each in answers) or "none",
        limit="none",
    )


def _expect_ms(trial: Trial, measured_ms: float, name: str, text: str) -> None:
    limit_ms = trial.parameter(name)
    trial.expect(
        measured_ms <= limit_ms, text=text, measured=measured_ms, limit=f"<= {limit_ms:g} ms"
    )
