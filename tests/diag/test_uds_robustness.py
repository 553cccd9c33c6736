"""Any bytes in any order: nothing breaks, and session and security are where a small model says.

The model knows only sessions, one security level, S3 and the delay, written down independently of
the server. `pytest --hypothesis-profile=nightly` walks longer.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simcore.diag.security import Blake2Key
from simcore.units import ms, s

Benches = Callable[..., Any]
QUICK = settings(
    max_examples=25 if settings().max_examples <= 100 else settings().max_examples,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

# ---- any bytes ----

NRCS = {
    0x10: "12 13 22 33",
    0x11: "12 13 22 33",
    0x14: "13 22 31 72",
    0x19: "12 13 22 31",
    0x22: "13 14 22 31 33",
    0x27: "12 13 22 24 31 35 36 37",
    0x28: "12 13 22 31",
    0x29: "12 13 22 24 50 51 52 53 54 55 56 57 58 59 5a 5b 5c 5d",
    0x2E: "13 22 31 33 72",
    0x2F: "13 22 31 33",
    0x31: "12 13 22 24 31 33 72",
    0x34: "13 22 31 33 70",
    0x35: "13 22 31 33 70",
    0x36: "13 24 31 71 72 73",
    0x37: "13 24 31 72",
    0x3E: "12 13",
    0x85: "12 13 22 31",
}
"""What ISO 14229-1 allows each service; beside 11 7F 7E 21 78 10 34, which all may give."""
SUB_FUNCTIONED = (0x10, 0x11, 0x19, 0x27, 0x28, 0x29, 0x31, 0x3E, 0x85)
EVERYWHERE = {0x11, 0x7F, 0x21, 0x78, 0x10, 0x34}
FUNCTIONALLY_SILENT = {0x11, 0x12, 0x31, 0x7E, 0x7F}

TELLING = [
    *(
        "1001 1002 1003 1083 1101 1181 3e00 3e80 2800 280103 280301 8501 8502 14ffffff 1902ff"
    ).split(),
    *("22f190 220101 220104f190 2e01100001 2e011300 2e0113ff 310102010a 31020201 31030201").split(),
    *("3101ff00 3181ff00 2701 2711aaaa 27020000000000000000 2f030102 2f03010312 2f030100").split(),
    *(
        "34002210000010 35002290000014 34002210000004 36010001020304 3601 3602 3600 37 37aabb"
    ).split(),
    *("2900 2908 2901000001300000 290500 2903 2906 190a 19060000").split(),
]
requests = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(TELLING).map(bytes.fromhex),
    st.tuples(st.sampled_from(sorted(NRCS)), st.binary(max_size=8)).map(
        lambda pair: bytes((pair[0],)) + pair[1]
    ),
    st.tuples(st.sampled_from(TELLING), st.binary(min_size=1, max_size=3)).map(
        lambda pair: bytes.fromhex(pair[0])[:-1] + pair[1]
    ),
)
pauses_ns = st.sampled_from([0, 0, 1, ms(5), ms(45), ms(300), s(4), s(5), s(6), s(11)])
steps = st.tuples(requests, st.booleans(), pauses_ns, st.booleans())


def check_response(
    payload: bytes, response: bytes, *, functional: bool, after_pending: bool
) -> None:
    """Well-formed, of this request, with a refusal that its service may give."""
    sid = payload[0]
    if response[0] != 0x7F:
        assert response[0] == sid + 0x40
        assert sid in NRCS
        if sid in SUB_FUNCTIONED:
            assert response[1] == payload[1] & 0x7F
            assert after_pending or not payload[1] & 0x80
        return
    assert len(response) == 3
    assert response[1] == sid
    allowed = {int(nrc, 16) for nrc in NRCS.get(sid, "").split()} | EVERYWHERE
    if sid in SUB_FUNCTIONED and sid != 0x31:
        allowed |= {0x7E, 0x33}
    assert response[2] in allowed, response.hex()
    if functional and not after_pending:
        assert response[2] not in FUNCTIONALLY_SILENT


@QUICK
@given(walk=st.lists(steps, max_size=40))
def test_no_bytes_in_any_order_break_the_server(
    uds_bench: Benches, walk: list[tuple[bytes, bool, int, bool]]
) -> None:
    bench = uds_bench()
    bench.software.work_ns = ms(100)
    for payload, functional, pause_ns, leaves in walk:
        busy = bench.server.is_busy or bench.server.state.reset is not None
        said = bench.server.request(payload, bench.now_ns, functional=functional)
        assert len(said) <= 1
        for response in said:
            check_response(payload, response, functional=functional, after_pending=False)
            assert not busy or response[2] == 0x21
        if bench.server.is_busy and not busy:
            follow(bench, payload, functional=functional)
        if leaves:
            bench.server.sent(bench.now_ns)
        if bench.server.take_reset() is not None:
            bench.server.start(bench.now_ns)
            assert bench.server.session == 1
        bench.wait(pause_ns)
    assert copy.deepcopy(bench).wait(s(60)) == bench.wait(s(60))
    assert bench.server.next_deadline_ns() is None
    assert bench.server.session == 1


def follow(bench: Any, payload: bytes, *, functional: bool) -> None:
    """What a request that takes time is answered with, until it is done."""
    pending = False
    while bench.server.is_busy:
        deadline_ns = bench.server.next_deadline_ns()
        assert deadline_ns is not None
        for _, text in bench.wait_until(deadline_ns):
            response = bytes.fromhex(text)
            check_response(payload, response, functional=functional, after_pending=pending)
            pending = pending or response[2:] == b"\x78"


# ---- session and security against a model ----

S3_NS, DELAY_NS, ATTEMPTS = 5_000_000_000, 10_000_000_000, 3
REACHES = {(1, 1), (1, 3), (2, 1), (2, 2), (3, 1), (3, 2), (3, 3), (4, 1)}


@dataclass
class Model:
    """Sessions 1 to 4, level 0x01 beyond the default session, nothing else."""

    now_ns: int = 0
    session: int = 1
    unlocked: bool = False
    seed: str = ""
    failures: int = 0
    delay_end_ns: int | None = None
    s3_end_ns: int | None = None

    def wait(self, pause_ns: int) -> None:
        self.now_ns += pause_ns
        if self.s3_end_ns is not None and self.now_ns >= self.s3_end_ns:
            self.enter(1)
            self.s3_end_ns = None
        if self.delay_end_ns is not None and self.now_ns >= self.delay_end_ns:
            self.delay_end_ns = None
            self.failures = 0

    def enter(self, session: int) -> None:
        self.session, self.unlocked, self.seed = session, False, ""

    def answered(self) -> None:
        self.s3_end_ns = None if self.session == 1 else self.now_ns + S3_NS

    def change(self, session: int) -> str:
        if not 1 <= session <= 4:
            return "7f1012"
        if (self.session, session) not in REACHES | {(3, 4)}:
            return "7f107e"
        if session == 4 and not self.unlocked:
            return "7f1033"
        self.enter(session)
        return f"50{session:02x}" + ("00280190" if session == 2 else "003201f4")

    def ask_for_seed(self, seed: str) -> str:
        if self.session not in (2, 3):
            return "7f277f"
        self.seed = ""
        if self.unlocked:
            return "6701" + "00" * 8
        if self.delay_end_ns is not None:
            return "7f2737"
        self.seed = seed
        return "6701" + seed

    def send_key(self, is_right: bool) -> str:
        if self.session not in (2, 3):
            return "7f277f"
        if not self.seed:
            return "7f2724"
        self.seed = ""
        if is_right:
            self.unlocked, self.failures = True, 0
            return "6702"
        self.failures += 1
        if self.failures < ATTEMPTS:
            return "7f2735"
        self.delay_end_ns = self.now_ns + DELAY_NS
        return "7f2736"

    def read_secret(self) -> str:
        return "62010409" if self.unlocked else "7f2233"

    def write_locked(self) -> str:
        if self.session not in (2, 3):
            return "7f2e7f"
        return "6e0111" if self.unlocked else "7f2e33"

    def restart(self) -> None:
        self.enter(1)
        self.s3_end_ns = None
        if self.delay_end_ns is not None:
            self.delay_end_ns = self.now_ns + DELAY_NS


moves = st.one_of(
    st.tuples(st.just("session"), st.sampled_from([1, 2, 3, 3, 2, 4, 5])),
    st.tuples(st.just("seed"), st.just(0)),
    st.tuples(st.just("key"), st.sampled_from([0, 0, 1])),
    st.tuples(st.just("read"), st.just(0)),
    st.tuples(st.just("write"), st.just(0)),
    st.tuples(st.just("present"), st.just(0)),
    st.tuples(st.just("restart"), st.just(0)),
    st.tuples(st.just("unlock"), st.just(0)),
    st.tuples(st.just("wait"), st.sampled_from([1, ms(700), s(4), s(5) - 1, s(5), s(10)])),
)


@QUICK
@given(walk=st.lists(moves, max_size=60))
def test_session_and_security_are_where_the_model_is(
    uds_bench: Benches, walk: list[tuple[str, int]]
) -> None:
    bench, model = uds_bench(), Model()
    for what, number in walk:
        if what == "wait":
            bench.wait(number)
            model.wait(number)
        elif what == "restart":
            bench.server.start(bench.now_ns)
            model.restart()
        else:
            for move, argument in {
                "unlock": [("seed", 0), ("key", 1)],
            }.get(what, [(what, number)]):
                ask_both(bench, model, move, argument)
        assert bench.server.session == model.session, walk
        assert bench.server.unlocked_level == (0x01 if model.unlocked else 0), walk
        deadlines_ns = [at for at in (model.s3_end_ns, model.delay_end_ns) if at is not None]
        assert bench.server.next_deadline_ns() == min(deadlines_ns, default=None), walk


def ask_both(bench: Any, model: Model, what: str, number: int) -> None:
    """The same request to server and model: the same answer."""
    if what == "session":
        answer, expected = bench.ask(bytes((0x10, number))), model.change(number)
    elif what == "seed":
        answer = bench.ask("27 01")
        expected = model.ask_for_seed(answer[4:])
    elif what == "key":
        key = Blake2Key(b"first secret 123")(bytes.fromhex(model.seed)) if number else bytes(8)
        answer, expected = bench.ask(b"\x27\x02" + key), model.send_key(number == 1)
    elif what == "read":
        answer, expected = bench.ask("22 01 04"), model.read_secret()
    elif what == "write":
        answer, expected = bench.ask("2e 01 11 00 00"), model.write_locked()
    else:
        answer, expected = bench.ask("3e 80"), ""
    assert answer == expected, (what, number)
    model.answered()
