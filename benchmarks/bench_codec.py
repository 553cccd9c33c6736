"""Encoding and decoding against cantools: the reference interface, and cantools' own test files.

Both sides run interleaved in one process on the same values; each figure is the median over rounds
of processor time, so that a busy machine does not weigh on the slower side alone.
cantools runs as `message.encode(values)` and `message.decode(data, decode_choices=False)`.
The test files come from the source distribution of cantools where the tests have put it
(`tests/conftest.py`), or from the folders given. Run with
`python benchmarks/bench_codec.py [FOLDER ...]`.
"""

from __future__ import annotations

import logging
import os
import statistics
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from math import exp, isfinite, log
from pathlib import Path
from time import process_time
from timeit import Timer
from typing import Any, TypeAlias

import cantools.database

from simcore.errors import InputError, UsageError
from simcore.network import Database, Message, Signal
from simcore.network.loading import FORMATS
from simcore.resources import dbc_path

Action: TypeAlias = tuple[Callable[..., Any], Any, dict[str, Any]]
"""A function, its argument and its options."""

ROUNDS = 21
CALLS = 200
CORPUS_ROUNDS = 7
CORPUS_CALLS = 60


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


def run_corpus(folders: list[Path]) -> dict[str, Any]:
    """Geometric means over every message of every database in `folders` that both can handle."""
    rows = []
    files = 0
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            if file.suffix[1:].lower() in FORMATS:
                found = list(_rows_of(file))
                rows += found
                files += bool(found)
    multiplexed = [row for row in rows if row["is_multiplexed"]]
    return {
        "files": files,
        "messages": len(rows),
        "encode_ratio": _geometric_mean([row["encode_ratio"] for row in rows]),
        "decode_ratio": _geometric_mean([row["decode_ratio"] for row in rows]),
        "slowest_encode": min(rows, key=lambda row: float(row["encode_ratio"])),
        "slowest_decode": min(rows, key=lambda row: float(row["decode_ratio"])),
        "multiplexed": len(multiplexed),
        "multiplexed_encode_ratio": _geometric_mean([r["encode_ratio"] for r in multiplexed]),
        "multiplexed_decode_ratio": _geometric_mean([r["decode_ratio"] for r in multiplexed]),
    }


def _rows_of(file: Path) -> Iterator[dict[str, Any]]:
    try:
        foreign = cantools.database.load_file(file)
        database = Database.load(file)
    except (cantools.database.errors.Error, InputError):
        return
    assert isinstance(foreign, cantools.database.Database)
    for message, theirs in zip(database.messages, foreign.messages, strict=True):
        if message.defect or not message.signals:
            continue
        try:
            row = _compare(message, theirs, CORPUS_ROUNDS, CORPUS_CALLS)
        except (UsageError, cantools.database.errors.Error):
            continue  # no value in the middle of the range, or none that is allowed
        row["is_multiplexed"] = message.codec.is_multiplexed
        row["file"] = file.name
        yield row


def corpus_folders() -> list[Path]:
    """Folders given on the command line, else that of the tests if it is there."""
    if len(sys.argv) > 1:
        return [Path(each) for each in sys.argv[1:]]
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    name = f"cantools-{version('cantools')}"
    folder = Path(home) / "simcore-tests" / name / "tests" / "files"
    return [folder] if folder.is_dir() else []


def sample_values(message: Message) -> dict[str, Any]:
    """Physical values in the middle of every signal's range, floats where scaling makes them."""
    values: dict[str, Any] = {}
    for signal in message.codec.active_signals(lambda multiplexer: int(multiplexer.start_value)):
        if signal.is_multiplexer:
            values[signal.name] = signal.start_value
            continue
        values[signal.name] = signal.to_physical(_middle(signal))
    return values


def _middle(signal: Signal) -> int | float:
    low, high = signal.raw_limits
    if signal.minimum is not None and signal.maximum is not None:
        ends = sorted((signal.to_raw(signal.minimum), signal.to_raw(signal.maximum)))
        low, high = max(low, ends[0]), min(high, ends[1])
    if signal.is_float:
        middle = low + (high - low) / 3
        return middle if isfinite(middle) else 1.5
    return low + (high - low) // 3


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
        f"geometric mean over the reference interface: encode {result['encode_ratio']:.1f} x, "
        f"decode {result['decode_ratio']:.1f} x"
    )
    print(
        f"reader of 4 signals of CDC_EmbCmd {result['reader_ns']:.0f} ns, "
        f"writer of 1 {result['writer_ns']:.0f} ns"
    )
    folders = corpus_folders()
    if not folders:
        print("no corpus: run the tests once, or give a folder of databases")
        return
    logging.disable(logging.WARNING)  # cantools tells of every message that hides another
    corpus = run_corpus(folders)
    print(
        f"corpus of {corpus['files']} files, {corpus['messages']} messages: "
        f"encode {corpus['encode_ratio']:.1f} x, decode {corpus['decode_ratio']:.1f} x"
    )
    print(
        f"of them {corpus['multiplexed']} multiplexed: "
        f"encode {corpus['multiplexed_encode_ratio']:.1f} x, "
        f"decode {corpus['multiplexed_decode_ratio']:.1f} x"
    )
    for what in ("encode", "decode"):
        row = corpus[f"slowest_{what}"]
        print(
            f"least ratio of {what}: {row[f'{what}_ratio']:.1f} x, {row['name']} of {row['file']}, "
            f"{row['signals']} signals, {row[f'{what}_ns']:.0f} ns"
        )


if __name__ == "__main__":
    main()
