"""UDS requests: as they should be, almost, and anything."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from simcore.diag.codes import SUPPRESS_BIT, Sid
from simcore.testing.strategies.arguments import chosen_from, require_whole
from simcore.testing.strategies.shown import shown_as

UDS_KINDS = ("well_formed", "almost", "random")

_DIDS = (0xF190, 0xF189, 0xF18C, 0xF186, 0xF187, 0xF191, 0x0100, 0xFFFF)
_ADDRESS = st.sampled_from((0x00, 0x0800_0000, 0x1000_0000, 0xFFFF_FFFF))


def uds_requests(
    *,
    kinds: Iterable[str] | None = None,
    services: Iterable[int] | None = None,
    data_identifiers: Iterable[int] = _DIDS,
    routines: Iterable[int] = (0x0202, 0xFF00, 0xFF01),
    max_length: int = 64,
) -> SearchStrategy[bytes]:
    """UDS requests of 1..`max_length` bytes; shrink towards TesterPresent.

    `kinds`: `well_formed` (a service with sub-function and parameters as ISO 14229-1 has them),
    `almost` (one with a byte too few, too many or changed), `random` (any bytes). `services` are
    service identifiers (default: all of `simcore.diag.codes.Sid`), `data_identifiers` and
    `routines` the ones to ask for, from the table of the ECU: `simcore diag NODE`.
    """
    names = chosen_from("uds_requests, kinds", kinds, UDS_KINDS)
    require_whole("uds_requests", 1, max_length=max_length)
    known = [f"0x{sid:02X}" for sid in _BODIES]
    wanted = None if services is None else [f"0x{sid:02X}" for sid in services]
    chosen = [int(name, 16) for name in chosen_from("uds_requests, services", wanted, known)]
    dids = _numbers("uds_requests, data_identifiers", data_identifiers)
    rids = _numbers("uds_requests, routines", routines)
    good = st.one_of([_request(sid, dids, rids) for sid in chosen]).map(_Cut(max_length))
    parts = {
        "well_formed": good,
        "almost": _almost(good).map(_Cut(max_length)),
        "random": st.binary(min_size=1, max_size=max_length),
    }
    return shown_as(" or ".join(names) + " requests", st.one_of([parts[name] for name in names]))


class _Cut:
    def __init__(self, max_length: int) -> None:
        self._max_length = max_length

    def __call__(self, request: bytes) -> bytes:
        return request[: self._max_length]


def _numbers(where: str, numbers: Iterable[int]) -> SearchStrategy[bytes]:
    given = tuple(numbers)
    for number in given:
        require_whole(where, 0, number=number)
    # Nothing to ask for by number: what is asked for is there for nobody.
    return st.sampled_from([number.to_bytes(2, "big") for number in given] or [b"\xff\xff"])


@st.composite
def _request(
    draw: DrawFn, sid: int, dids: SearchStrategy[bytes], rids: SearchStrategy[bytes]
) -> bytes:
    return bytes((sid,)) + draw(_BODIES[sid](dids, rids))


def _joined(*parts: SearchStrategy[bytes]) -> SearchStrategy[bytes]:
    return st.tuples(*parts).map(b"".join)


def _sub(*functions: int) -> SearchStrategy[bytes]:
    plain = [bytes((each,)) for each in functions]
    return st.sampled_from([*plain, *(bytes((each | SUPPRESS_BIT,)) for each in functions)])


def _any(low: int, high: int) -> SearchStrategy[bytes]:
    return st.binary(min_size=low, max_size=high)


def _memory() -> SearchStrategy[bytes]:
    size = st.sampled_from((0, 1, 4096, 0xFFFF_FFFF))
    return st.tuples(_ADDRESS, size).map(
        lambda pair: b"\x00\x44" + pair[0].to_bytes(4, "big") + pair[1].to_bytes(4, "big")
    )


_BODIES = {
    int(Sid.TESTER_PRESENT): lambda dids, rids: _sub(0x00),
    int(Sid.READ_DATA_BY_IDENTIFIER): lambda dids, rids: st.lists(dids, min_size=1, max_size=3).map(
        b"".join
    ),
    int(Sid.DIAGNOSTIC_SESSION_CONTROL): lambda dids, rids: _sub(0x01, 0x03, 0x02),
    int(Sid.READ_DTC_INFORMATION): lambda dids, rids: st.one_of(
        _joined(_sub(0x01, 0x02), _any(1, 1)),
        _sub(0x0A, 0x0B, 0x0C, 0x03, 0x14),
        _joined(_sub(0x04, 0x06), _any(4, 4)),
    ),
    int(Sid.CLEAR_DIAGNOSTIC_INFORMATION): lambda dids, rids: st.one_of(
        st.just(b"\xff\xff\xff"), _any(3, 3)
    ),
    int(Sid.ROUTINE_CONTROL): lambda dids, rids: _joined(_sub(0x01, 0x02, 0x03), rids, _any(0, 8)),
    int(Sid.SECURITY_ACCESS): lambda dids, rids: st.one_of(
        _sub(0x01, 0x03), _joined(_sub(0x02, 0x04), _any(1, 16))
    ),
    int(Sid.AUTHENTICATION): lambda dids, rids: _joined(_sub(0x00, 0x08, 0x01), _any(0, 16)),
    int(Sid.WRITE_DATA_BY_IDENTIFIER): lambda dids, rids: _joined(dids, _any(1, 17)),
    int(Sid.INPUT_OUTPUT_CONTROL_BY_IDENTIFIER): lambda dids, rids: _joined(
        dids, st.sampled_from((b"\x00", b"\x02", b"\x03")), _any(0, 8)
    ),
    int(Sid.CONTROL_DTC_SETTING): lambda dids, rids: _sub(0x01, 0x02),
    int(Sid.COMMUNICATION_CONTROL): lambda dids, rids: _joined(
        _sub(0x00, 0x01, 0x03), st.sampled_from((b"\x01", b"\x02", b"\x03"))
    ),
    int(Sid.ECU_RESET): lambda dids, rids: _sub(0x01, 0x02, 0x03),
    int(Sid.REQUEST_DOWNLOAD): lambda dids, rids: _memory(),
    int(Sid.REQUEST_UPLOAD): lambda dids, rids: _memory(),
    int(Sid.TRANSFER_DATA): lambda dids, rids: _any(1, 32),
    int(Sid.REQUEST_TRANSFER_EXIT): lambda dids, rids: _any(0, 2),
}
"""What follows a service identifier; what only looks comes first."""


@st.composite
def _almost(draw: DrawFn, good: SearchStrategy[bytes]) -> bytes:
    request = draw(good)
    how = draw(st.sampled_from(("short", "long", "changed")))
    if how == "short" and len(request) > 1:
        return request[: draw(st.integers(1, len(request) - 1))]
    if how == "long":
        return request + draw(st.binary(min_size=1, max_size=4))
    place = draw(st.integers(0, len(request) - 1))
    byte = request[place] ^ draw(st.integers(1, 255))
    return request[:place] + bytes((byte,)) + request[place + 1 :]
