"""Authentication, 0x29 (ISO 14229-1:2020, 10.6): by certificate and by challenge and response.

Both ways are unidirectional: the ECU shows no certificate of its own and agrees on no session key,
so a communicationConfiguration other than 0 is refused with 0x5C. Certificates are checked in
certificate.py, the dialogue's memory is in ../authentication.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, unique

from simcore.diag.access import Access
from simcore.diag.certificate import Holder
from simcore.diag.codes import Nrc, Sid
from simcore.diag.operation import Answer
from simcore.diag.services.service import (
    LENGTH,
    Request,
    Service,
    SubFunction,
    total_size,
)
from simcore.diag.session import DiagnosticState
from simcore.diag.table import DiagnosticTable


@unique
class Task(IntEnum):
    """authenticationTask (ISO 14229-1:2020, table 74)."""

    DE_AUTHENTICATE = 0x00
    VERIFY_CERTIFICATE_UNIDIRECTIONAL = 0x01
    PROOF_OF_OWNERSHIP = 0x03
    TRANSMIT_CERTIFICATE = 0x04
    REQUEST_CHALLENGE_FOR_AUTHENTICATION = 0x05
    VERIFY_PROOF_OF_OWNERSHIP_UNIDIRECTIONAL = 0x06
    AUTHENTICATION_CONFIGURATION = 0x08


@unique
class ReturnParameter(IntEnum):
    """authenticationReturnParameter (annex B.5)."""

    REQUEST_ACCEPTED = 0x00
    CONFIGURATION_APCE = 0x02
    CONFIGURATION_ACR_ASYMMETRIC = 0x03
    DE_AUTHENTICATION_SUCCESSFUL = 0x10
    CERTIFICATE_VERIFIED_OWNERSHIP_NECESSARY = 0x11
    OWNERSHIP_VERIFIED = 0x12
    CERTIFICATE_VERIFIED = 0x13


_NAMES = {
    Task.DE_AUTHENTICATE: "deAuthenticate",
    Task.VERIFY_CERTIFICATE_UNIDIRECTIONAL: "verifyCertificateUnidirectional",
    Task.PROOF_OF_OWNERSHIP: "proofOfOwnership",
    Task.TRANSMIT_CERTIFICATE: "transmitCertificate",
    Task.REQUEST_CHALLENGE_FOR_AUTHENTICATION: "requestChallengeForAuthentication",
    Task.VERIFY_PROOF_OF_OWNERSHIP_UNIDIRECTIONAL: "verifyProofOfOwnershipUnidirectional",
    Task.AUTHENTICATION_CONFIGURATION: "authenticationConfiguration",
}
_BY_CERTIFICATE = (
    Task.VERIFY_CERTIFICATE_UNIDIRECTIONAL,
    Task.PROOF_OF_OWNERSHIP,
    Task.TRANSMIT_CERTIFICATE,
)
_BY_KEY = (
    Task.REQUEST_CHALLENGE_FOR_AUTHENTICATION,
    Task.VERIFY_PROOF_OF_OWNERSHIP_UNIDIRECTIONAL,
)
_INDICATOR_SIZE = 16
_NOTHING = b"\x00\x00"
"""An absent parameter: length 0."""


class Authentication(Service):
    """Offers the tasks of the ways that the table declares."""

    __slots__ = ()
    sid = Sid.AUTHENTICATION
    has_sub_function = True

    def access(self, table: DiagnosticTable) -> Access | None:
        return None if table.authentication is None else table.authentication.access

    def sub_functions(self, table: DiagnosticTable) -> Mapping[int, SubFunction]:
        rule = table.authentication
        if rule is None:
            return {}
        tasks = [Task.DE_AUTHENTICATE, Task.AUTHENTICATION_CONFIGURATION]
        tasks += _BY_CERTIFICATE if rule.roots else ()
        tasks += _BY_KEY if rule.keys else ()
        return {task: SubFunction(_NAMES[task]) for task in sorted(tasks)}

    def serve(self, request: Request, state: DiagnosticState, now_ns: int) -> Answer:
        task = Task(request.sub_function)
        return _TASKS[task](request, state, now_ns)


def _answer(task: Task, value: ReturnParameter, parameters: bytes = b"") -> bytes:
    return bytes((task, value)) + parameters


def _with_length(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def _parameters(data: bytes, count: int) -> list[bytes] | None:
    """So many parameters with two bytes of length each, filling `data`; else `None`."""
    found = []
    for _ in range(count):
        size = int.from_bytes(data[:2], "big")
        if len(data) < 2 + size:
            return None
        found.append(data[2 : 2 + size])
        data = data[2 + size :]
    return None if data else found


def _deauthenticate(request: Request, state: DiagnosticState, now_ns: int) -> Answer:
    refusal = total_size(request, 2)
    if refusal is not None:
        return refusal
    state.authentication.clear()
    return _answer(Task.DE_AUTHENTICATE, ReturnParameter.DE_AUTHENTICATION_SUCCESSFUL)


def _configuration(request: Request, state: DiagnosticState, now_ns: int) -> Answer:
    refusal = total_size(request, 2)
    if refusal is not None:
        return refusal
    rule = state.table.authentication
    by_certificate = rule is not None and rule.roots
    value = (
        ReturnParameter.CONFIGURATION_APCE
        if by_certificate
        else ReturnParameter.CONFIGURATION_ACR_ASYMMETRIC
    )
    return _answer(Task.AUTHENTICATION_CONFIGURATION, value)


def _verify_certificate(request: Request, state: DiagnosticState, now_ns: int) -> Answer:
    parameters = _parameters(request.data[1:], 2)
    if parameters is None or not parameters[0]:
        return LENGTH
    refusal = _unready(request.data[0], state, now_ns)
    if refusal is not None:
        return refusal
    holder = state.authentication.check(parameters[0], state.table.node, now_ns)
    if not isinstance(holder, Holder):
        return holder
    challenge = state.authentication.challenge_owner(holder, state.stream)
    return _answer(
        Task.VERIFY_CERTIFICATE_UNIDIRECTIONAL,
        ReturnParameter.CERTIFICATE_VERIFIED_OWNERSHIP_NECESSARY,
        _with_length(challenge) + _NOTHING,  # no ephemeral key of the server
    )


def _prove_ownership(request: Request, state: DiagnosticState, now_ns: int) -> Answer:
    if not state.authentication.expects_certificate_proof:
        return Nrc.REQUEST_SEQUENCE_ERROR
    parameters = _parameters(request.data, 2)
    if parameters is None or not parameters[0]:
        return LENGTH
    if not state.authentication.prove_owner(parameters[0]):
        return Nrc.OWNERSHIP_VERIFICATION_FAILED
    return _answer(Task.PROOF_OF_OWNERSHIP, ReturnParameter.OWNERSHIP_VERIFIED, _NOTHING)


def _transmit_certificate(request: Request, state: DiagnosticState, now_ns: int) -> Answer:
    """Check a certificate without authenticating anybody, whatever its evaluation is for."""
    parameters = _parameters(request.data[2:], 1)
    if parameters is None or not parameters[0]:
        return LENGTH
    refusal = state.unmet(Sid.AUTHENTICATION, now_ns)
    if refusal is not None:
        return refusal
    holder = state.authentication.check(parameters[0], state.table.node, now_ns)
    if not isinstance(holder, Holder):
        return holder
    return _answer(Task.TRANSMIT_CERTIFICATE, ReturnParameter.CERTIFICATE_VERIFIED)


def _request_challenge(request: Request, state: DiagnosticState, now_ns: int) -> Answer:
    refusal = total_size(request, 3 + _INDICATOR_SIZE)
    refusal = refusal or _unready(request.data[0], state, now_ns)
    if refusal is not None:
        return refusal
    indicator = request.data[1:]
    challenge = state.authentication.challenge_key(indicator, state.stream)
    if challenge is None:
        return Nrc.CONDITIONS_NOT_CORRECT
    return _answer(
        Task.REQUEST_CHALLENGE_FOR_AUTHENTICATION,
        ReturnParameter.REQUEST_ACCEPTED,
        indicator + _with_length(challenge) + _NOTHING,  # no additional parameter needed
    )


def _verify_key(request: Request, state: DiagnosticState, now_ns: int) -> Answer:
    if not state.authentication.expects_key_proof:
        return Nrc.REQUEST_SEQUENCE_ERROR
    indicator = request.data[:_INDICATOR_SIZE]
    parameters = _parameters(request.data[_INDICATOR_SIZE:], 3)
    if parameters is None or not parameters[0]:
        return LENGTH
    if not state.authentication.prove_key(indicator, parameters[0]):
        return Nrc.OWNERSHIP_VERIFICATION_FAILED
    return _answer(
        Task.VERIFY_PROOF_OF_OWNERSHIP_UNIDIRECTIONAL,
        ReturnParameter.OWNERSHIP_VERIFIED,
        indicator + _NOTHING,
    )


def _unready(configuration: int, state: DiagnosticState, now_ns: int) -> Nrc | None:
    if configuration != 0:
        return Nrc.CONFIGURATION_DATA_USAGE_FAILED
    return state.unmet(Sid.AUTHENTICATION, now_ns)


_TASKS = {
    Task.DE_AUTHENTICATE: _deauthenticate,
    Task.VERIFY_CERTIFICATE_UNIDIRECTIONAL: _verify_certificate,
    Task.PROOF_OF_OWNERSHIP: _prove_ownership,
    Task.TRANSMIT_CERTIFICATE: _transmit_certificate,
    Task.REQUEST_CHALLENGE_FOR_AUTHENTICATION: _request_challenge,
    Task.VERIFY_PROOF_OF_OWNERSHIP_UNIDIRECTIONAL: _verify_key,
    Task.AUTHENTICATION_CONFIGURATION: _configuration,
}
