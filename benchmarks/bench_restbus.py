"""A large FD network as a restbus against real time.

Without an argument a generated one: 330 messages, cycle times and lengths as in production files,
every tenth sent on events only. With one, any network file:
`python -m benchmarks.bench_restbus FILE [SECONDS]`. The figure is simulated seconds per second of
CPU time, for one stretch; loading is listed apart.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from simcore.cli.collector import relax_collector
from simcore.network import Database
from simcore.rig import Restbus
from simcore.units import s

SECONDS = 60
CYCLES_MS = (20, 50, 100, 100, 200, 200, 500, 500, 1000, 1000, 1000)
LENGTHS = (8, 8, 8, 16, 24, 32, 64)


def generated() -> str:
    """The text of a DBC with 30 nodes and 330 FD messages, three quarters of them protected."""
    messages, attributes = [], []
    for index in range(330):
        identifier, length = 0x40 + 2 * index, LENGTHS[index % len(LENGTHS)]
        messages.append(
            f"BO_ {identifier} Msg{index}: {length} N{index % 30}\n"
            ' SG_ Crc : 0|16@1+ (1,0) [0|0] "" N0\n SG_ Cnt : 16|8@1+ (1,0) [0|0] "" N0\n'
            ' SG_ Value : 24|16@1+ (0.01,0) [0|0] "" N0\n SG_ State : 40|4@1+ (1,0) [0|0] "" N0\n'
        )
        attributes.append(f'BA_ "VFrameFormat" BO_ {identifier} 14;')
        if index % 10:
            cycle_ms = CYCLES_MS[index % len(CYCLES_MS)]
            attributes.append(f'BA_ "GenMsgCycleTime" BO_ {identifier} {cycle_ms};')
        else:
            attributes.append(f'BA_ "GenMsgSendType" BO_ {identifier} 1;')
        if index % 4:
            attributes.append(f'BA_ "E2EProfile" BO_ {identifier} 1;')
            attributes.append(f'BA_ "E2EDataId" BO_ {identifier} {0x1000 + index};')
            attributes.append(f'BA_ "GenSigFuncType" SG_ {identifier} Crc 2;')
            attributes.append(f'BA_ "GenSigFuncType" SG_ {identifier} Cnt 1;')
    definitions = (
        'BA_DEF_ BO_ "VFrameFormat" INT 0 15;\nBA_DEF_ BO_ "GenMsgCycleTime" INT 0 65535;\n'
        'BA_DEF_ BO_ "GenMsgSendType" ENUM "Cyclic","Event";\n'
        'BA_DEF_ BO_ "E2EProfile" ENUM "None","P05";\nBA_DEF_ BO_ "E2EDataId" INT 0 65535;\n'
        'BA_DEF_ SG_ "GenSigFuncType" ENUM "NoFunction","Counter","Checksum";\n'
        'BA_DEF_DEF_ "VFrameFormat" 0;\nBA_DEF_DEF_ "GenMsgCycleTime" 0;\n'
        'BA_DEF_DEF_ "GenMsgSendType" "Cyclic";\nBA_DEF_DEF_ "E2EProfile" "None";\n'
        'BA_DEF_DEF_ "E2EDataId" 0;\nBA_DEF_DEF_ "GenSigFuncType" "NoFunction";\n'
    )
    nodes = " ".join(f"N{index}" for index in range(30))
    return f'VERSION ""\nBU_: {nodes}\n{"".join(messages)}{definitions}{chr(10).join(attributes)}\n'


def main(file: str | None = None, seconds: int = SECONDS) -> None:
    relax_collector()
    begun = time.process_time()
    if file is None:
        database = Database.from_text(generated(), name="generated network")
    else:
        database = Database.load(Path(file))
    bench = Restbus(database)
    built_s = time.process_time() - begun
    begun = time.process_time()
    bench.run_for(s(seconds))
    ran_s = time.process_time() - begun
    frames = len(bench.recorder.frames)
    print(
        f"restbus of {database.name}: {len(database.messages)} messages, {len(bench.played)} nodes"
    )
    print(f"  loaded and built in {built_s:.2f} s; load {100 * bench.buses[0].load_ratio:.1f} %")
    print(
        f"  {seconds} s: {seconds / ran_s:.1f} x real time, "
        f"{frames / ran_s / 1000:.0f} thousand frames per second of CPU"
    )
    for check in bench.invariants(()):
        print(f"  {check.requirement}: {check.measured}, {check.text}")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(
        arguments[0] if arguments else None,
        int(arguments[1]) if len(arguments) > 1 else SECONDS,
    )
