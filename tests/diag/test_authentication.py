"""Authentication, 0x29: by certificate, and by challenge and response with known keys."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from simcore.diag.access import Access
from simcore.diag.authentication import AuthenticationRule, KnownKey
from simcore.diag.certificate import ED25519_INDICATOR, P256_INDICATOR
from simcore.diag.certificate_issuing import YEAR_S, Authority, KeyKind, SigningKey
from simcore.diag.codes import Nrc, Sid
from simcore.diag.table import ServiceRule
from simcore.errors import UsageError
from simcore.units import s

Benches = Callable[..., Any]

EPOCH_S = 1_767_225_600
P256, ED25519 = P256_INDICATOR.hex(), ED25519_INDICATOR.hex()

ORDER = [
    ("29", "7f2913"),
    ("29 02", "7f2912"),  # bidirectional: not offered
    ("29 07", "7f2912"),
    ("29 09", "7f2912"),
    ("29 00 00", "7f2913"),
    ("29 00", "690010"),
    ("29 08", "690802"),
    ("29 08 00", "7f2913"),
    ("29 01", "7f2913"),
    ("29 01 00 0001 30", "7f2913"),  # no challenge parameter
    ("29 01 00 0000 0000", "7f2913"),  # no certificate
    ("29 01 00 0002 30 0000", "7f2913"),  # lengths that do not fit
    ("29 01 00 0001 30 0000 00", "7f2913"),
    ("29 01 01 0001 30 0000", "7f295c"),  # secured communication
    ("29 01 00 0001 30 0000", "7f2954"),
    ("29 03", "7f2924"),  # the sequence before the length
    ("29 04 0001 0000", "7f2913"),
    ("29 04 0001 0001 30", "7f2954"),
    ("29 05 00", "7f2913"),
    (f"29 05 00 {P256} 00", "7f2913"),
    (f"29 05 02 {P256}", "7f295c"),
    (f"29 05 00 {ED25519}", "7f2922"),  # no known key is of this algorithm
    ("29 06", "7f2924"),
]


@pytest.mark.parametrize(("request_hex", "response"), ORDER)
def test_refusals_come_in_the_order_of_the_standard(
    uds_bench: Benches, request_hex: str, response: str
) -> None:
    assert uds_bench().ask(request_hex) == response


# ---- by certificate ----


@pytest.mark.parametrize("kind", list(KeyKind))
def test_a_certificate_and_its_key_give_the_role(uds_bench: Benches, kind: KeyKind) -> None:
    bench = uds_bench()
    key = SigningKey(b"any", kind)
    certificate = bench.certificate(public_key=key.public_key)
    assert bench.ask("22 01 05") == "7f2234"
    assert bench.authenticate(certificate, key) == "6903120000"
    assert bench.server.authenticated_role == "workshop"
    assert bench.ask("22 01 05") == "6201050a"


def test_the_certificate_alone_gives_nothing(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.show(bench.certificate())
    assert bench.ask("22 01 05") == "7f2234"


def test_the_proof_of_another_key_is_refused_and_uses_the_challenge_up(
    uds_bench: Benches,
) -> None:
    bench = uds_bench()
    assert bench.authenticate(key=SigningKey(b"thief")) == "7f2958"
    assert bench.ask("29 03 0001 00 0000") == "7f2924"
    assert bench.server.authenticated_role == ""


def test_the_proof_for_an_earlier_challenge_is_refused(
    uds_bench: Benches, uds_keys: dict[str, SigningKey]
) -> None:
    bench = uds_bench()
    first = bytes.fromhex(bench.show(bench.certificate()))[5:37]
    second = bytes.fromhex(bench.show(bench.certificate()))[5:37]
    assert first != second
    proof = uds_keys["tester"].sign(first)
    assert bench.ask(b"\x29\x03\x00\x40" + proof + b"\x00\x00") == "7f2958"


def test_lengths_of_the_proof_are_checked_without_using_the_challenge_up(
    uds_bench: Benches, uds_keys: dict[str, SigningKey]
) -> None:
    bench = uds_bench()
    challenge = bytes.fromhex(bench.show(bench.certificate()))[5:37]
    assert bench.ask("29 03 0000 0000") == "7f2913"
    proof = uds_keys["tester"].sign(challenge)
    assert bench.ask(b"\x29\x03\x00\x40" + proof) == "7f2913"
    assert bench.ask(b"\x29\x03\x00\x40" + proof + b"\x00\x00") == "6903120000"


def test_the_clock_is_the_simulated_one(uds_bench: Benches) -> None:
    bench = uds_bench()
    certificate = bench.certificate(not_before_s=EPOCH_S + 10, not_after_s=EPOCH_S + 20)
    answers = []
    for at_s in (9, 10, 20, 21):
        bench.now_ns = s(at_s)
        answers.append(bench.show(certificate)[:6])
    assert answers == ["7f2950", "690111", "690111", "7f2950"]


def test_roles_that_the_ecu_does_not_know_are_worth_nothing(uds_bench: Benches) -> None:
    bench = uds_bench()
    assert bench.show(bench.certificate(roles=("king",))) == "7f2955"
    bench.authenticate(bench.certificate(roles=("king", "factory", "workshop")))
    assert bench.server.authenticated_role == "workshop,factory"


def test_a_certificate_for_another_ecu_or_withdrawn_is_refused(uds_bench: Benches) -> None:
    bench = uds_bench()
    assert bench.show(bench.certificate(scope=("OTHER", "ECU2"))) == "7f2956"
    assert bench.show(bench.certificate(scope=("OTHER", "ECU"))).startswith("690111")
    assert bench.show(bench.certificate(serial_number=99)) == "7f2957"


def test_a_transmitted_certificate_is_judged_and_authenticates_nobody(uds_bench: Benches) -> None:
    bench = uds_bench()
    good, bad = bench.certificate(), bench.certificate(serial_number=99)
    for certificate, answer in ((good, "690413"), (bad, "7f2957")):
        size = len(certificate).to_bytes(2, "big")
        assert bench.ask(b"\x29\x04\x00\x01" + size + certificate) == answer
    assert bench.server.authenticated_role == ""
    assert bench.ask("29 03 0001 00 0000") == "7f2924"


# ---- by challenge and response ----


def respond(bench: Any, key: SigningKey, indicator: str = P256) -> str:
    response = bytes.fromhex(bench.ask(f"29 05 00 {P256}"))
    assert response[:3] == b"\x69\x05\x00", response.hex()
    assert response[3:19].hex() == P256
    assert response[19:21] == b"\x00\x20"
    assert response[53:] == b"\x00\x00"
    proof = key.sign(response[21:53])
    head = bytes.fromhex(f"29 06 {indicator}")
    answer: str = bench.ask(head + len(proof).to_bytes(2, "big") + proof + bytes(4))
    return answer


def test_a_known_key_gives_its_role(uds_bench: Benches, uds_keys: dict[str, SigningKey]) -> None:
    bench = uds_bench()
    assert respond(bench, uds_keys["known"]) == f"690612{P256}0000"
    assert bench.server.authenticated_role == "factory"
    assert bench.ask("22 01 05") == "7f2234"  # that needs another role


def test_an_unknown_key_gives_none(uds_bench: Benches) -> None:
    bench = uds_bench()
    assert respond(bench, SigningKey(b"unknown", KeyKind.P256)) == "7f2958"
    assert bench.ask("29 06") == "7f2924"


def test_a_proof_of_another_algorithm_than_asked_for_is_refused(
    uds_bench: Benches, uds_keys: dict[str, SigningKey]
) -> None:
    assert respond(uds_bench(), uds_keys["known"], ED25519) == "7f2958"


def test_the_two_ways_do_not_mix(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.show(bench.certificate())
    assert bench.ask("29 06") == "7f2924"
    bench.ask(f"29 05 00 {P256}")
    assert bench.ask("29 03") == "7f2924"


# ---- how long it lasts ----


def test_the_tester_can_take_its_role_off(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.authenticate()
    assert bench.ask("29 00") == "690010"
    assert bench.ask("22 01 05") == "7f2234"


def test_a_role_in_the_default_session_ends_with_s3(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.now_ns = s(1)
    bench.authenticate()
    assert bench.server.next_deadline_ns() == s(6)
    bench.wait(s(5))
    assert bench.server.authenticated_role == ""
    assert bench.server.next_deadline_ns() is None


def test_a_failed_try_leaves_the_role_as_it_is(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.authenticate()
    bench.authenticate(key=SigningKey(b"thief"))
    assert bench.server.authenticated_role == "workshop"


def test_a_dialogue_can_be_copied_in_the_middle(
    uds_bench: Benches, uds_keys: dict[str, SigningKey]
) -> None:
    bench = uds_bench()
    challenge = bytes.fromhex(bench.show(bench.certificate()))[5:37]
    proof = b"\x29\x03\x00\x40" + uds_keys["tester"].sign(challenge) + b"\x00\x00"
    for twin in (copy.deepcopy(bench), pickle.loads(pickle.dumps(bench))):
        assert twin.ask(proof) == "6903120000"
    assert bench.server.authenticated_role == ""


def test_a_condition_of_the_service_comes_before_the_certificate(uds_bench: Benches) -> None:
    rule = ServiceRule(Sid.AUTHENTICATION, condition=lambda now_ns: Nrc.CONDITIONS_NOT_CORRECT)
    bench = uds_bench(services=(rule,))
    assert bench.show(b"\x30") == "7f2922"
    assert bench.ask("29 04 0001 0001 30") == "7f2922"


# ---- tables ----


def test_only_the_declared_ways_are_offered(
    uds_bench: Benches, uds_root: Authority, uds_keys: dict[str, SigningKey]
) -> None:
    known = KnownKey(public_key=uds_keys["known"].public_key, roles=("factory",))
    roles = ("workshop", "factory")
    by_key = uds_bench(authentication=AuthenticationRule(roles=roles, keys=(known,)))
    assert by_key.ask("29 01") == "7f2912"
    assert by_key.ask("29 08") == "690803"
    by_certificate = uds_bench(
        authentication=AuthenticationRule(roles=roles, roots=(uds_root.certificate,))
    )
    assert by_certificate.ask("29 05") == "7f2912"
    assert by_certificate.ask("29 08") == "690802"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"roles": ()}, r"roles: expected names without commas, got \(\)"),
        ({"roles": ("a,b",)}, r"roles: expected names without commas"),
        ({"roots": ()}, r"authentication: expected roots or keys, got neither"),
        (
            {"keys": (KnownKey(public_key=b"\x30\x00", roles=("king",)),)},
            r"keys, roles: expected of workshop, got 'king'",
        ),
        ({"access": Access(role="workshop")}, r"access: expected sessions only"),
        ({"roots": (b"\x30\x00\x00",)}, r"roots: expected certificates in DER, got 300000"),
        (
            {"keys": (KnownKey(public_key=b"\x31", roles=("workshop",)),)},
            r"keys: expected public keys in DER, got 31",
        ),
    ],
)
def test_a_rule_that_cannot_work_is_refused(fields: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"roles": ("workshop",), "roots": (b"\x30\x00",)}
    AuthenticationRule(**good)
    with pytest.raises(UsageError, match=message):
        AuthenticationRule(**{**good, **fields})


def test_an_authority_cannot_issue_what_an_ecu_would_misread(uds_root: Authority) -> None:
    for roles in (("a,b",), ("",), ("x" * 128,)):
        with pytest.raises(UsageError, match="names in a certificate: expected without commas"):
            uds_root.issue(
                "x",
                uds_root.key.public_key,
                roles=roles,
                serial_number=1,
                not_before_s=EPOCH_S,
                not_after_s=EPOCH_S + YEAR_S,
            )
