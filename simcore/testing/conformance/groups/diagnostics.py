"""Diagnostics of any node: sessions, refusals and their order, requests to one and to all.

Which sessions there are says the table `diagnostics` of the requirement file; how a server behaves
that offers them says ISO 14229-1:2020 and -2:2021. What can be read and unlocked is in
`diagnostics_data`, what a tester can do to the module in `diagnostics_actions`, frames of ISO-TP in
`diagnostics_transport`, trouble codes in `diagnostics_codes`, software in `update`.
"""

from __future__ import annotations

from functools import partial

from simcore.diag.codes import Nrc
from simcore.testing.conformance.case import Case
from simcore.testing.conformance.dialogue import (
    NOT_NOW,
    TABLE,
    Dialogue,
    RawLink,
    known_identifiers,
    milliseconds,
    require_functional,
    single_frame,
)
from simcore.testing.conformance.dialogue import diagnostic_case as case
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_MS

RESERVED_SERVICES = ("15", "20", "32 00", "3A 01")
"""Service identifiers that ISO 14229-1:2020, table 2 keeps for itself."""
UNKNOWN_SUB_FUNCTIONS = ("10 7E", "3E 01", "19 7F")
"""Sub-functions that the standard reserves, of services that have any."""
TOO_SHORT = ("10", "3E", "22", "22 F1")
TOO_LONG = ("10 01 00", "3E 00 00")
NOT_MEANT = ("15", "10 7E", "3E 01")
"""Requests that a module not concerned leaves unanswered when they go to all (8.7.2)."""
SUPPRESS = "3E 80"


def cases(interface: Interface) -> list[Case]:
    """None for a node without diagnostic messages, or without a table of what it offers."""
    if interface.diag_request is None or not interface.binding(TABLE, {}):
        return []
    table = interface.binding(TABLE)
    return [*_sessions(table), *_refusals(), *_addressing()]


def _sessions(table: dict[str, object]) -> list[Case]:
    names = table.get("sessions", [])
    sessions = [str(each) for each in names] if isinstance(names, list) else []
    return [
        *(
            case(
                f"session.{session}",
                f"session 0x{session} is entered, announces its times and is told",
                partial(_session, session=session),
            )
            for session in [str(table.get("default_session", "01")), *sessions]
        ),
        case("session.timeout", "without requests the session ends after S3", _timeout),
        case("session.kept", "3E 80 keeps the session, and is not answered", _kept),
        case("session.left", "the default session ends what the other one allowed", _left),
        case("tester_present", "3E 00 is answered, 3E 80 is not", _tester_present),
    ]


def _refusals() -> list[Case]:
    return [
        case("refusal.service", "an unknown service is refused with 0x11", _unknown_service),
        case("refusal.sub_function", "an unknown sub-function: 0x12", _unknown_sub_function),
        case("refusal.length", "a request of wrong length is refused with 0x13", _wrong_length),
        case("refusal.order", "the first check that fails decides", _order),
        case("refusal.range", "an identifier that is not there is refused with 0x31", _range),
        case("refusal.session", "what the session does not offer: 0x7E or 0x7F", _not_in_session),
        case("refusal.not_suppressed", "a refusal comes although none is wanted", _not_suppressed),
        case("p2", "every response begins within P2", _p2),
    ]


def _addressing() -> list[Case]:
    return [
        case("functional.silent", "who is not meant by a request to all is silent", _not_meant),
        case("functional.answered", "a request to all is answered by its own response", _all),
        case("functional.session", "a request to all changes the session", _all_session),
        case("functional.length", "a request to all of wrong length is refused", _all_length),
    ]


# -- sessions -------------------------------------------------------------------------------------


def _session(trial: Trial, *, session: str) -> None:
    dialogue = Dialogue(trial)
    request = f"10 {session}"
    response = dialogue.positive(request, text=f"session 0x{session} can be entered")
    trial.expect(
        len(response) == 5 and response[:1].hex() == session,
        text="the response echoes the session and gives P2 and P2*",
        measured=response.hex(" ").upper() or "nothing",
        limit=f"{session} and four bytes",
    )
    p2_ms = int.from_bytes(response[1:3], "big")
    p2_star_ms = int.from_bytes(response[3:5], "big") * 10
    limit_ms, limit_star_ms = trial.parameter("p2_ms"), trial.parameter("p2_star_ms")
    trial.expect(
        0 < p2_ms <= limit_ms, text="announced P2", measured=p2_ms, limit=f"<= {limit_ms:g} ms"
    )
    trial.expect(
        0 < p2_star_ms <= limit_star_ms,
        text="announced P2*",
        measured=p2_star_ms,
        limit=f"<= {limit_star_ms:g} ms",
    )
    dialogue.expect_session(session, "the session that the module is in")


def _timeout(trial: Trial) -> None:
    dialogue = Dialogue(trial)
    s3_ns = milliseconds(trial.parameter("s3_ms"))
    margin_ns = milliseconds(trial.parameter("s3_tolerance_ms"))
    (session, *_), default = dialogue.offer.texts("sessions"), dialogue.default_session
    dialogue.enter()
    trial.run_for(s3_ns - margin_ns)
    dialogue.expect_session(session, "session shortly before S3 has passed")
    trial.run_for(s3_ns + margin_ns)
    dialogue.expect_session(default, "session shortly after S3 has passed")


def _kept(trial: Trial) -> None:
    dialogue = Dialogue(trial)
    s3_ns = milliseconds(trial.parameter("s3_ms"))
    dialogue.enter()
    for _ in range(3):
        trial.run_for(s3_ns * 2 // 5)
        dialogue.silent(SUPPRESS, text="3E 80 is not answered")
    trial.run_for(s3_ns * 2 // 5)
    dialogue.expect_session(dialogue.offer.texts("sessions")[0], "the session is kept")


def _left(trial: Trial) -> None:
    dialogue = Dialogue(trial)
    requests = dialogue.offer.texts("session_services")
    dialogue.enter()
    for request in requests:
        response = dialogue.ask(request)
        trial.expect(
            response is not None and response[2:3] not in [bytes((each,)) for each in NOT_NOW],
            text=f"{request} in this session",
            measured="no response" if response is None else response.hex(" ").upper(),
            limit="not refused for the session",
        )
    dialogue.enter(dialogue.default_session)
    dialogue.expect_session(dialogue.default_session, "back in the default session")
    for request in requests:
        dialogue.refused(request, *NOT_NOW, text=f"{request} after it")


def _tester_present(trial: Trial) -> None:
    dialogue = Dialogue(trial)
    dialogue.lives("3E 00 is answered")
    dialogue.silent(SUPPRESS, text="3E 80 is not answered")
    dialogue.lives("3E 00 is answered after it")


# -- refusals -------------------------------------------------------------------------------------


def _unknown_service(trial: Trial) -> None:
    dialogue = Dialogue(trial)
    for request in RESERVED_SERVICES:
        dialogue.refused(request, Nrc.SERVICE_NOT_SUPPORTED)
    dialogue.lives()


def _unknown_sub_function(trial: Trial) -> None:
    dialogue = Dialogue(trial)
    for request in UNKNOWN_SUB_FUNCTIONS:
        dialogue.refused(request, Nrc.SUB_FUNCTION_NOT_SUPPORTED)
    dialogue.expect_session(dialogue.default_session, "the session is the default one still")


def _wrong_length(trial: Trial) -> None:
    dialogue = Dialogue(trial)
    for request in (*TOO_SHORT, *TOO_LONG):
        dialogue.refused(request, Nrc.INCORRECT_MESSAGE_LENGTH_OR_INVALID_FORMAT)
    dialogue.lives()


def _order(trial: Trial) -> None:
    dialogue = Dialogue(trial)
    dialogue.refused(
        "10 7E 00 00", Nrc.SUB_FUNCTION_NOT_SUPPORTED, text="0x12 before the whole length, 0x13"
    )
    dialogue.refused("15 7E", Nrc.SERVICE_NOT_SUPPORTED, text="0x11 before everything")
    for request in dialogue.offer.texts("session_services"):
        dialogue.refused(request[:2], *NOT_NOW, text="the session before the length")


def _range(trial: Trial) -> None:
    dialogue = Dialogue(trial)
    absent = dialogue.offer.octets("no_identifier")
    dialogue.refused(b"\x22" + absent, Nrc.REQUEST_OUT_OF_RANGE)
    known = known_identifiers(dialogue)[0]
    data = dialogue.positive(b"\x22" + known + absent, text="one that is there and one that is not")
    trial.expect(
        data[:2] == known and absent not in data[-2:],
        text="what is there is read, what is not is left out",
        measured=data.hex(" ").upper(),
        limit=f"{known.hex(' ').upper()} with its data only",
    )


def _not_in_session(trial: Trial) -> None:
    dialogue = Dialogue(trial)
    for request in dialogue.offer.texts("session_services"):
        dialogue.refused(request, *NOT_NOW)


def _not_suppressed(trial: Trial) -> None:
    dialogue = Dialogue(trial)
    dialogue.refused("3E 81", Nrc.SUB_FUNCTION_NOT_SUPPORTED)
    dialogue.refused("10 FE", Nrc.SUB_FUNCTION_NOT_SUPPORTED)
    dialogue.silent(f"10 8{dialogue.offer.texts('sessions')[0][1]}", text="a change of session")
    dialogue.expect_session(dialogue.offer.texts("sessions")[0], "the change took place")


def _p2(trial: Trial) -> None:
    limit_ms = trial.parameter("p2_ms")
    link = RawLink(trial)
    offer = Dialogue(trial).offer
    known = [f"22 {each}" for each in offer["identifiers"]]
    worst_ms = 0.0
    requests = ["3E 00", "10 01", "15", *known, "3E 00"]
    answered = 0
    for request in requests:
        since_ns = link.send(single_frame(bytes.fromhex(request)))
        trial.run_for(2 * milliseconds(limit_ms))
        asked, came = link.requests(since_ns), link.records(since_ns)
        if asked and came:
            answered += 1
            worst_ms = max(worst_ms, (came[0].sof_ns - asked[0].eof_ns) / NS_PER_MS)
    trial.expect(
        answered == len(requests),
        text="requests that were answered",
        measured=f"{answered} of {len(requests)}",
        limit="all",
    )
    trial.expect(
        worst_ms <= limit_ms,
        text="longest time from request to response",
        measured=worst_ms,
        limit=f"<= {limit_ms:g} ms",
    )


# -- to one, to all -------------------------------------------------------------------------------


def _not_meant(trial: Trial) -> None:
    require_functional(trial)
    dialogue = Dialogue(trial)
    absent = dialogue.offer.octets("no_identifier")
    for request in NOT_MEANT:
        dialogue.silent_functionally(request)
    dialogue.silent_functionally(b"\x22" + absent)
    for request in dialogue.offer.texts("session_services"):
        dialogue.silent_functionally(request)
    dialogue.lives()


def _all(trial: Trial) -> None:
    require_functional(trial)
    dialogue = Dialogue(trial)
    present = dialogue.functional("3E 00")
    trial.expect(
        present == b"\x7e\x00",
        text="3E 00 to all",
        measured="no response" if present is None else present.hex(" ").upper(),
        limit="7E 00",
    )
    dialogue.silent_functionally(SUPPRESS)
    known = known_identifiers(dialogue)[0]
    alone, together = dialogue.ask(b"\x22" + known), dialogue.functional(b"\x22" + known)
    trial.expect(
        together is not None and together == alone,
        text="an identifier read by a request to all",
        measured="no response" if together is None else together.hex(" ").upper(),
        limit="as by a request to the module",
    )


def _all_session(trial: Trial) -> None:
    require_functional(trial)
    dialogue = Dialogue(trial)
    session = dialogue.offer.texts("sessions")[0]
    dialogue.silent_functionally(f"10 8{session[1]}", text="without a response wanted")
    dialogue.expect_session(session, "session after a request to all")


def _all_length(trial: Trial) -> None:
    require_functional(trial)
    dialogue = Dialogue(trial)
    dialogue.refused_functionally("3E 00 00", Nrc.INCORRECT_MESSAGE_LENGTH_OR_INVALID_FORMAT)
    dialogue.lives()
