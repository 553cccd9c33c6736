"""Encoding and decoding against cantools, message by message of the reference interface.

Both sides run interleaved in one process on the same values; each figure is the median over rounds
of processor time, so that a busy machine does not weigh on the slower side alone.
cantools runs as `message.encode(values)` and `message.decode(data, decode_choices=False)`.
Run with `python benchmarks/bench_codec.py`.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from math import exp, log
from time import process_time
from timeit import Timer
from typing import Any, TypeAlias

import cantools.database

from simcore.network import Database, Message
from simcore.resources import dbc_path

Action: TypeAlias = tuple[Callable[..., Any], Any, dict[str, Any]]
"""A function, its argument and its options."""

ROUNDS = 21
CALLS = 200


def run(rounds: int = ROUNDS, calls: int = CALLS) -> dict[str, Any]:
    """Times in ns per call and ratios: per message, and the geometric means over all."""
    database = Database.reference()
    foreign = cantools.database.load_file(dbc_path("chassis_fd.dbc"))
    assert isinstance(foreign, cantools.database.Database)
    rows = []
    for message in database.messages:
        theirs = foreign.get_message_by_name(message.name)
        rows.append(_compare(message, theirs, rounds, calls))
    return {
        "messages": rows,
        "encode_ratio": _geometric_mean([row["encode_ratio"] for row in rows]),
        "decode_ratio": _geometric_mean([row["decode_ratio"] for row in rows]),
        "reader_ns": _reader_ns(database, rounds, calls),
        "writer_ns": _writer_ns(database, rounds, calls),
    }


def sample_values(message: Message) -> dict[str, Any]:
    """Physical values in the middle of every signal's range, floats where scaling makes them."""
    values: dict[str, Any] = {}
    data = message.codec.writer().write()
    for name in message.codec.decode(data):
        signal = message.signal(name)
        low, high = signal.raw_limits
        if signal.minimum is not None and signal.maximum is not None:
            low = max(low, signal.to_raw(signal.minimum))
            high = min(high, signal.to_raw(signal.maximum))
        is_selector = signal.is_multiplexer
        middle = low + (high - low) / 3 if signal.is_float else low + (high - low) // 3
        values[name] = signal.start_value if is_selector else signal.to_physical(middle)
    return values


def _compare(message: Message, theirs: Any, rounds: int, calls: int) -> dict[str, Any]:
    values = sample_values(message)
    data = message.codec.encode(values)
    if data != theirs.encode(values):
        raise AssertionError(f"{message.name}: results differ")
    times = _interleaved(
        [
            (message.codec.encode, values, {}),
            (theirs.encode, values, {}),
            (message.codec.decode, data, {}),
            (theirs.decode, data, {"decode_choices": False}),
        ],
        rounds,
        calls,
    )
    return {
        "name": message.name,
        "signals": len(values),
        "encode_ns": times[0],
        "decode_ns": times[2],
        "encode_ratio": times[1] / times[0],
        "decode_ratio": times[3] / times[2],
    }


def _interleaved(actions: list[Action], rounds: int, calls: int) -> list[float]:
    samples: list[list[float]] = [[] for _ in actions]
    for _ in range(rounds):
        for (function, argument, options), sample in zip(actions, samples, strict=True):
            timer = Timer(
                "function(argument, **options)" if options else "function(argument)",
                timer=process_time,
                globals={"function": function, "argument": argument, "options": options},
            )
            sample.append(timer.timeit(calls) / calls * 1e9)
    return [statistics.median(sample) for sample in samples]


def _reader_ns(database: Database, rounds: int, calls: int) -> float:
    message = database.message("CDC_EmbCmd")
    reader = message.codec.reader("E2E_Cnt", "CDC_FL_FReq", "CDC_FL_Mode", "CDC_FL_ReqVld")
    return _interleaved([(reader.read, message.codec.writer().write(), {})], rounds, calls)[0]


def _writer_ns(database: Database, rounds: int, calls: int) -> float:
    message = database.message("CDC_EmbCmd")
    return _interleaved([(message.codec.writer("CDC_FL_FReq").write, 1234.5, {})], rounds, calls)[0]


def _geometric_mean(ratios: list[float]) -> float:
    return exp(sum(log(ratio) for ratio in ratios) / len(ratios))


def main() -> None:
    """Print the comparison."""
    result = run()
    print(f"{'message':<18}{'signals':>8}{'encode':>12}{'x':>7}{'decode':>12}{'x':>7}")
    for row in result["messages"]:
        print(
            f"{row['name']:<18}{row['signals']:>8}{row['encode_ns']:>9.0f} ns"
            f"{row['encode_ratio']:>7.1f}{row['decode_ns']:>9.0f} ns{row['decode_ratio']:>7.1f}"
        )
    print(
        f"geometric mean over cantools: encode {result['encode_ratio']:.1f} x, "
        f"decode {result['decode_ratio']:.1f} x"
    )
    print(
        f"reader of 4 signals of CDC_EmbCmd {result['reader_ns']:.0f} ns, "
        f"writer of 1 {result['writer_ns']:.0f} ns"
    )


if __name__ == "__main__":
    main()
