"""An ECU with something of everything for the tests of the UDS server, and a bench to ask it.

`uds_bench()` gives a fresh one; requests and responses are written in hex, blanks do not matter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simcore.diag.authentication import AuthenticationRule, KnownKey
from simcore.diag.certificate_issuing import YEAR_S, Authority, KeyKind, SigningKey
from simcore.diag.codes import Nrc, ResetKind, Session
from simcore.diag.dtc import Dtc, DtcSettings
from simcore.diag.dtc_memory import DtcMemory
from simcore.diag.security import Blake2Key
from simcore.diag.server import UdsServer
from simcore.diag.table import (
    Access,
    DiagnosticTable,
    Did,
    IoControl,
    IoParameter,
    MemoryArea,
    ResetRule,
    Routine,
    SecurityLevel,
    SessionRule,
)
from simcore.kernel import RandomStream
from simcore.units import ms, s

EPOCH_S = 1_767_225_600
DEFAULT, PROGRAMMING, EXTENDED = Session.DEFAULT, Session.PROGRAMMING, Session.EXTENDED
BEYOND = (PROGRAMMING, EXTENDED)
LEVEL_1, LEVEL_11 = 0x01, 0x11
ROOT = Authority.root("root", b"root", not_before_s=EPOCH_S - YEAR_S, not_after_s=EPOCH_S + YEAR_S)
TESTER_KEY = SigningKey(b"tester")
KNOWN_KEY = SigningKey(b"known", KeyKind.P256)


class Work:
    """An operation that answers at a time."""

    def __init__(self, until_ns: int, result: bytes | Nrc, every_ns: int | None = None) -> None:
        self.until_ns = until_ns
        self.result = result
        self.every_ns = every_ns
        self.next_ns = until_ns if every_ns is None else min(every_ns, until_ns)
        self.steps = 0

    def step(self, now_ns: int) -> bytes | Nrc | None:
        self.steps += 1
        if now_ns >= self.until_ns:
            return self.result
        if self.every_ns is not None:
            self.next_ns = min(now_ns + self.every_ns, self.until_ns)
        return None

    def next_deadline_ns(self) -> int:
        return self.next_ns


class Software:
    """The handlers: they do as the tests say and remember what was asked."""

    def __init__(self) -> None:
        self.written: dict[str, bytes] = {}
        self.log: list[str] = []
        self.refuse: Nrc | None = None
        self.work_ns = 0
        self.data = b""
        self.answer: Any = b"\x00"
        self.block_size = 10

    # identifiers
    def read(self, now_ns: int) -> Any:
        return self.refuse or now_ns.to_bytes(8, "big")

    def read_slowly(self, now_ns: int) -> Work:
        return Work(now_ns + ms(20), b"\xab\xcd")

    def read_large(self, now_ns: int) -> bytes:
        return bytes(2000)

    def write(self, data: bytes, now_ns: int) -> Any:
        if self.refuse is None:
            self.written["did"] = data
        return self.refuse or b""

    def write_slowly(self, data: bytes, now_ns: int) -> Work:
        return Work(now_ns + ms(10), Nrc.GENERAL_PROGRAMMING_FAILURE if data == b"\xff" else b"")

    # routines
    def start_routine(self, option: bytes, now_ns: int) -> Any:
        self.log.append(f"start {option.hex()}")
        return self.refuse or self.answer

    def start_work(self, option: bytes, now_ns: int) -> Work:
        self.log.append("work")
        return Work(now_ns + self.work_ns, b"\x00")

    def stop_routine(self, option: bytes, now_ns: int) -> bytes:
        self.log.append("stop")
        return b""

    def results(self, option: bytes, now_ns: int) -> bytes:
        return b"\x11\x22"

    def end_routine(self, now_ns: int) -> None:
        self.log.append("end")

    # outputs
    def control(self, parameter: IoParameter, state: bytes, mask: bytes, now_ns: int) -> Any:
        self.log.append(f"io {parameter.name} {state.hex()} {mask.hex()}".rstrip())
        return self.refuse or b"\x55\x66"

    def control_lamp(self, parameter: IoParameter, state: bytes, mask: bytes, now_ns: int) -> bytes:
        self.log.append(f"lamp {parameter.name} {state.hex()} {mask.hex()}".rstrip())
        return b"\x01"

    # memory
    def begin(self, offset: int, size: int, data_format: int, now_ns: int) -> Any:
        self.log.append(f"begin {offset} {size} {data_format}")
        if self.work_ns:
            return Work(now_ns + self.work_ns, self.block_size.to_bytes(4, "big"))
        return self.refuse or self.block_size

    def take(self, data: bytes, now_ns: int) -> Any:
        if self.refuse is None:
            self.data += data
        return self.refuse or b""

    def give(self, size: int, now_ns: int) -> Any:
        self.log.append(f"give {size}")
        return self.refuse or bytes(range(size))

    def finish(self, parameters: bytes, now_ns: int) -> Any:
        self.log.append(f"finish {parameters.hex()}".rstrip())
        return self.refuse or b""

    def abandon(self, now_ns: int) -> None:
        self.log.append("abandon")

    # conditions
    def condition(self, now_ns: int) -> Nrc | None:
        return self.refuse


KEYS = {LEVEL_1: Blake2Key(b"first secret 123"), LEVEL_11: Blake2Key(b"other secret 123", 4)}
DTCS = DtcSettings((Dtc(0x4A1029, "silent"),))


def table_of(software: Software, **changes: Any) -> DiagnosticTable:
    """The table of the ECU under test."""
    locked = Access(sessions=BEYOND, level=LEVEL_1)
    fields: dict[str, Any] = {
        "node": "ECU",
        "sessions": (
            SessionRule(DEFAULT, "default"),
            SessionRule(
                PROGRAMMING,
                "programming",
                reached_from=BEYOND,
                p2_ns=ms(40),
                p2_star_ns=s(4),
                condition=software.condition,
            ),
            SessionRule(EXTENDED, "extended", reached_from=(DEFAULT, EXTENDED)),
            SessionRule(
                Session.SAFETY_SYSTEM,
                "safety",
                reached_from=(EXTENDED,),
                access=Access(level=LEVEL_1),
            ),
        ),
        "dids": (
            Did(0xF190, "VIN", 17, read=b"SIMCORE0123456789"),
            Did(0x0100, "time", 8, read=software.read),
            Did(0x0101, "slow", 2, read=software.read_slowly),
            Did(0x0102, "large", 2000, read=software.read_large),
            Did(0x0103, "extended", 1, read=b"\x07", access=Access(sessions=(EXTENDED,))),
            Did(0x0104, "secret", 1, read=b"\x09", access=Access(level=LEVEL_1)),
            Did(0x0105, "private", 1, read=b"\x0a", access=Access(role="workshop")),
            Did(
                0x0110,
                "setting",
                2,
                read=b"\x00\x00",
                write=software.write,
                write_access=Access(sessions=BEYOND),
            ),
            Did(0x0111, "locked", 2, write=software.write, access=locked),
            Did(0x0112, "text", None, write=software.write, access=Access(sessions=(EXTENDED,))),
            Did(0x0113, "slowly", 1, write=software.write_slowly, access=Access(sessions=BEYOND)),
        ),
        "routines": (
            Routine(
                0x0201,
                "all",
                start=software.start_routine,
                stop=software.stop_routine,
                results=software.results,
                end=software.end_routine,
                option_size=1,
                access=Access(sessions=(EXTENDED, PROGRAMMING)),
            ),
            Routine(0xFF00, "erase", start=software.start_work, access=Access(sessions=BEYOND)),
            Routine(
                0x0202,
                "guarded",
                start=software.start_routine,
                results=software.results,
                end=software.end_routine,
                option_size=None,
                access=locked,
            ),
        ),
        "areas": (
            MemoryArea(
                "flash",
                0x1000,
                0x1000,
                software,
                download=Access(sessions=(PROGRAMMING,)),
                condition=software.condition,
            ),
            MemoryArea(
                "vault",
                0x8000,
                0x100,
                software,
                download=Access(sessions=(PROGRAMMING,), level=LEVEL_11),
                upload=Access(sessions=(PROGRAMMING,)),
                formats=(0x00, 0x11),
            ),
            MemoryArea("log", 0x9000, 20, software, upload=Access(sessions=(PROGRAMMING,))),
        ),
        "io_controls": (
            IoControl(0x0301, "valve", 2, control=software.control, access=Access(sessions=BEYOND)),
            IoControl(
                0x0302,
                "lamp",
                1,
                control=software.control_lamp,
                mask_size=1,
                parameters=(IoParameter.RETURN_CONTROL, IoParameter.SHORT_TERM_ADJUSTMENT),
                access=Access(sessions=(EXTENDED,), level=LEVEL_1),
            ),
        ),
        "security": (
            SecurityLevel(LEVEL_1, key=KEYS[LEVEL_1], access=Access(sessions=BEYOND)),
            SecurityLevel(
                LEVEL_11,
                key=KEYS[LEVEL_11],
                seed_size=4,
                key_size=4,
                data_size=2,
                attempts=2,
                delay_ns=s(3),
                access=Access(sessions=(PROGRAMMING,)),
            ),
        ),
        "authentication": AuthenticationRule(
            roles=("workshop", "factory"),
            roots=(ROOT.certificate,),
            keys=(KnownKey(public_key=KNOWN_KEY.public_key, roles=("factory",)),),
            withdrawn=(99,),
        ),
        "resets": (
            ResetRule(ResetKind.HARD),
            ResetRule(ResetKind.SOFT, access=Access(sessions=BEYOND), condition=software.condition),
        ),
    }
    return DiagnosticTable(**{**fields, **changes})


class Bench:
    """An ECU, its server, and a tester who writes hex."""

    def __init__(self, memory: dict[str, bytes] | None = None, **changes: Any) -> None:
        self.software = Software()
        self.memory: dict[str, bytes] = {} if memory is None else memory
        self.dtcs = DtcMemory(DTCS, self.memory)
        self.dtcs.start(0)
        self.server = UdsServer(
            table_of(self.software, **changes),
            memory=self.memory,
            dtcs=self.dtcs,
            stream=RandomStream(1, "bench"),
        )
        self.now_ns = 0
        self.server.start(0)

    def ask(self, request: str | bytes, *, functional: bool = False, source: int = 0) -> str:
        """The responses in hex, separated by blanks; empty for none."""
        payload = bytes.fromhex(request) if isinstance(request, str) else request
        responses = self.server.request(payload, self.now_ns, functional=functional, source=source)
        return " ".join(response.hex() for response in responses)

    def all(self, *requests: str) -> None:
        """Ask several, each of which must be answered positively."""
        for request in requests:
            response = self.ask(request)
            assert response and not response.startswith("7f"), f"{request}: {response}"

    def wait_until(self, until_ns: int) -> list[tuple[int, str]]:
        """Let time pass; time and hex of every response."""
        said = []
        again = 0
        while (deadline_ns := self.server.next_deadline_ns()) is not None:
            if deadline_ns > until_ns:
                break
            assert deadline_ns >= self.now_ns, "a deadline in the past"
            again = again + 1 if deadline_ns == self.now_ns else 0
            assert again < 10, "time stands still"
            self.now_ns = deadline_ns
            for response in self.server.on_timer(deadline_ns):
                said.append((deadline_ns, response.hex()))
        self.now_ns = max(self.now_ns, until_ns)
        return said

    def wait(self, duration_ns: int) -> list[tuple[int, str]]:
        """Let a duration pass."""
        return self.wait_until(self.now_ns + duration_ns)

    def finish(self) -> str:
        """Wait for the work under way; the responses."""
        said = []
        while self.server.is_busy:
            deadline_ns = self.server.next_deadline_ns()
            assert deadline_ns is not None
            said += self.wait_until(deadline_ns)
        return " ".join(response for _, response in said)

    def go(self, place: str) -> None:
        """Into a session, by its first letters, with `+` and the level to be unlocked."""
        session, _, level = place.partition("+")
        self.all(*{"def": ["1001"], "ext": ["1003"], "prog": ["1003", "1002"]}[session])
        if level:
            self.unlock(int(level, 16))

    def unlock(self, level: int) -> None:
        """Seed and right key."""
        extra = "0000" if level == LEVEL_11 else ""
        response = self.ask(f"27{level:02x}{extra}")
        assert response.startswith(f"67{level:02x}"), response
        key = KEYS[level](bytes.fromhex(response[4:]))
        self.all(f"27{level + 1:02x}{key.hex()}")

    def certificate(self, **changes: Any) -> bytes:
        """A certificate of the tester, good unless changed."""
        fields: dict[str, Any] = {
            "roles": ("workshop",),
            "serial_number": 5,
            "not_before_s": EPOCH_S,
            "not_after_s": EPOCH_S + 1000,
        }
        issuer = changes.pop("issuer", ROOT)
        public_key = changes.pop("public_key", TESTER_KEY.public_key)
        return issuer.issue("tester", public_key, **{**fields, **changes})

    def show(self, certificate: bytes) -> str:
        """verifyCertificateUnidirectional without a challenge of the tester."""
        return self.ask(b"\x29\x01\x00" + _sized(certificate) + b"\x00\x00")

    def authenticate(self, certificate: bytes | None = None, key: SigningKey = TESTER_KEY) -> str:
        """Show a certificate and prove to own its key."""
        response = bytes.fromhex(self.show(certificate or self.certificate()))
        assert response[:3] == b"\x69\x01\x11", response.hex()
        return self.ask(b"\x29\x03" + _sized(key.sign(response[5:37])) + b"\x00\x00")


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


@pytest.fixture
def uds_bench() -> Callable[..., Bench]:
    """Makes benches; keyword arguments replace fields of the table."""
    return Bench


@pytest.fixture
def uds_table() -> Callable[..., DiagnosticTable]:
    """Makes the bench's table; keyword arguments replace its fields."""
    return _fresh_table


def _fresh_table(**changes: Any) -> DiagnosticTable:
    return table_of(Software(), **changes)


@pytest.fixture(scope="session")
def uds_root() -> Authority:
    """The authority that the bench trusts."""
    return ROOT


@pytest.fixture(scope="session")
def uds_keys() -> dict[str, SigningKey]:
    """`tester`: the one of the bench's certificates; `known`: the one that its ECU knows."""
    return {"tester": TESTER_KEY, "known": KNOWN_KEY}
