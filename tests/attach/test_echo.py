"""Own frames that an interface hands back."""

from __future__ import annotations

from simcore.attach.echo import EchoFilter
from simcore.bus import Frame
from simcore.units import ms, s

FRAME = Frame(0x123, b"\x01")


def test_a_frame_that_went_out_comes_back_once() -> None:
    echoes = EchoFilter()
    echoes.sent(FRAME, 0)
    assert echoes.is_echo(Frame(0x123, b"\x01"), ms(1))
    assert not echoes.is_echo(FRAME, ms(2))
    assert echoes.count == 1


def test_a_frame_with_other_data_is_foreign() -> None:
    echoes = EchoFilter()
    echoes.sent(FRAME, 0)
    assert not echoes.is_echo(Frame(0x123, b"\x02"), ms(1))
    assert not echoes.is_echo(Frame(0x123, b"\x01", is_extended_id=True), ms(1))


def test_after_a_second_nothing_comes_back_any_more() -> None:
    echoes = EchoFilter()
    echoes.sent(FRAME, 0)
    assert not echoes.is_echo(FRAME, s(1) + 1)


def test_a_message_with_constant_data_keeps_its_echoes_apart() -> None:
    echoes = EchoFilter()
    for index in range(30):
        echoes.sent(FRAME, ms(100) * index)
        assert echoes.is_echo(FRAME, ms(100) * index + ms(3))
        assert not echoes.is_echo(FRAME, ms(100) * index + ms(50))


def test_what_never_comes_back_is_forgotten() -> None:
    echoes = EchoFilter()
    for index in range(5000):
        echoes.sent(Frame(index % 0x800, index.to_bytes(4, "big")), ms(1) * index)
    assert len(echoes._sent) == len(echoes._expected) == 1001
