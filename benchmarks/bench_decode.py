"""Decoding a million frames of one message at once, against cantools frame by frame.

Both sides run in one process on the same random payloads, cantools on the first of them, as
`message.decode(data, decode_choices=False)`; figures are medians over rounds of processor time per
frame. The memory of the results is part of what is measured. Below stands what `simcore decode`
does with a log of all messages of the reference interface: reading it into columns, against the
reader that gives entry by entry, and decoding and writing them as an npz archive.
Run with `python benchmarks/bench_decode.py`.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from time import process_time
from typing import Any

import cantools.database
import numpy as np

from simcore.attach.log_columns import Wanted, read_columns
from simcore.attach.log_reader import read_log
from simcore.bus import BusRecord, Frame
from simcore.network import Database, Message
from simcore.network.batch import BatchDecoder
from simcore.report import LOG_FORMATS, write_log
from simcore.report.columns import Table, write_npz
from simcore.resources import dbc_path

FRAMES = 1_000_000
SAMPLE = 20_000
LOG_FRAMES = 100_000
ROUNDS = 5
SEED = 20

EXTRA_DBC = """VERSION ""
NS_ :
BS_:
BU_: A B
BO_ 256 Motorola: 8 A
 SG_ Flag : 7|1@0+ (1,0) [0|0] "" B
 SG_ Whole13 : 6|13@0+ (2,-100) [0|0] "" B
 SG_ Signed11 : 9|11@0- (1,0) [0|0] "" B
 SG_ Fraction7 : 30|7@0+ (0.25,0) [0|0] "V" B
 SG_ Signed20 : 39|20@0- (0.01,-0.5) [0|0] "A" B
 SG_ Signed5 : 51|5@0- (1,0) [0|0] "" B
 SG_ Small7 : 62|7@0+ (1,3) [0|0] "" B
BO_ 257 Multiplexed: 8 A
 SG_ Common : 0|8@1+ (1,0) [0|0] "" B
 SG_ Page M : 8|1@1+ (1,0) [0|0] "" B
 SG_ Voltage m0 : 16|16@1+ (0.1,0) [0|0] "V" B
 SG_ Current m0 : 32|16@1- (0.01,0) [0|0] "A" B
 SG_ Pressure m1 : 16|12@1+ (0.05,0) [0|0] "bar" B
 SG_ Speed m1 : 39|20@0- (1,0) [0|0] "rpm" B
 SG_ Tail : 56|8@1- (1,0) [0|0] "" B
"""


def run(
    frames: int = FRAMES,
    sample: int = SAMPLE,
    rounds: int = ROUNDS,
    log_frames: int = LOG_FRAMES,
) -> dict[str, Any]:
    """Times in ns per frame and their ratio, per message; times per frame of logs, per format."""
    reference = Database.reference()
    theirs: Any = cantools.database.load_file(dbc_path("chassis_fd.dbc"))
    extra = Database.from_text(EXTRA_DBC)
    theirs_extra: Any = cantools.database.load_string(EXTRA_DBC)
    pairs = [
        (reference.message(name), theirs.get_message_by_name(name))
        for name in ("CDC_EmbCmd", "EMB_FL_St1", "BPS_Pedal")
    ]
    pairs += [
        (extra.message(name), theirs_extra.get_message_by_name(name))
        for name in ("Motorola", "Multiplexed")
    ]
    rows = [_compare(message, other, frames, sample, rounds) for message, other in pairs]
    return {
        "messages": rows,
        "least_ratio": min(row["ratio"] for row in rows),
        "logs": _logs(reference, log_frames),
    }


def _compare(
    message: Message, theirs: Any, frames: int, sample: int, rounds: int
) -> dict[str, Any]:
    data = np.random.default_rng(SEED).integers(0, 256, (frames, message.length), np.uint8)
    payloads = [row.tobytes() for row in data[:sample]]
    decoder = BatchDecoder(message)
    _assert_same(message, decoder, data[:100], theirs)
    batch_ns, scalar_ns, theirs_ns = [], [], []
    for _ in range(rounds):
        begin = process_time()
        decoder.decode(data)
        batch_ns.append((process_time() - begin) / frames * 1e9)
        begin = process_time()
        for payload in payloads:
            message.codec.decode(payload)
        scalar_ns.append((process_time() - begin) / sample * 1e9)
        begin = process_time()
        for payload in payloads:
            theirs.decode(payload, decode_choices=False)
        theirs_ns.append((process_time() - begin) / sample * 1e9)
    return {
        "name": message.name,
        "signals": len(message.signals),
        "batch_ns": statistics.median(batch_ns),
        "codec_ns": statistics.median(scalar_ns),
        "cantools_ns": statistics.median(theirs_ns),
        "ratio": statistics.median(theirs_ns) / statistics.median(batch_ns),
    }


def _logs(database: Database, frames: int) -> list[dict[str, Any]]:
    """What reading, decoding and writing a log takes, in ns per frame."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name in ("candump", "blf"):
            path = Path(folder) / f"drive{LOG_FORMATS[name].suffix}"
            write_log(path, _records(database, frames), name)
            begin = process_time()
            read_log(path)
            entries_ns = (process_time() - begin) / frames * 1e9
            begin = process_time()
            columns = read_columns(path, database.messages, Wanted(messages=database.messages))
            columns_ns = (process_time() - begin) / frames * 1e9
            begin = process_time()
            tables = [
                Table(name=each.message.name, message=each.message, time_ns=each.time_ns,
                      data=each.data)
                for each in columns.frames
            ]  # fmt: skip
            write_npz(Path(folder) / "drive.npz", tables)
            written_ns = (process_time() - begin) / frames * 1e9
            found.append(
                {
                    "format": name,
                    "entries_ns": entries_ns,
                    "columns_ns": columns_ns,
                    "written_ns": written_ns,
                }
            )
    return found


def _records(database: Database, frames: int) -> list[BusRecord]:
    """Random frames of all messages in turn."""
    random = np.random.default_rng(SEED)
    messages = database.messages
    records = []
    for index in range(frames):
        message = messages[index % len(messages)]
        frame = Frame(
            message.arbitration_id,
            random.bytes(message.length),
            is_extended_id=message.is_extended_id,
            is_fd=message.is_fd,
            bitrate_switch=message.bitrate_switch,
        )
        begin_ns = 200_000 * index
        records.append(BusRecord(begin_ns, begin_ns + 150_000, "A", frame, "CDC", begin_ns))
    return records


def _assert_same(message: Message, decoder: BatchDecoder, data: Any, theirs: Any) -> None:
    columns = {name: column.tolist() for name, column in decoder.decode(data).items()}
    for row, frame in enumerate(data):
        expected = theirs.decode(frame.tobytes(), decode_choices=False)
        if any(columns[name][row] != value for name, value in expected.items()):
            raise AssertionError(f"{message.name}: results differ in row {row}")


def main() -> None:
    """Print the comparison."""
    result = run()
    print(f"{'message':<14}{'signals':>8}{'cantools':>13}{'codec':>12}{'batch':>12}{'x':>8}")
    for row in result["messages"]:
        print(
            f"{row['name']:<14}{row['signals']:>8}{row['cantools_ns']:>10.0f} ns"
            f"{row['codec_ns']:>9.0f} ns{row['batch_ns']:>9.1f} ns{row['ratio']:>8.0f}"
        )
    print(f"least ratio over cantools: {result['least_ratio']:.0f} x")
    for log in result["logs"]:
        print(
            f"{log['format']} log, per frame: read into columns {log['columns_ns']:.0f} ns "
            f"(entry by entry {log['entries_ns']:.0f} ns), "
            f"decoded and written {log['written_ns']:.0f} ns"
        )


if __name__ == "__main__":
    main()
