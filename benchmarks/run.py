"""All benchmarks, one after the other: `make bench`."""

from __future__ import annotations

import platform

from benchmarks import (
    bench_bus,
    bench_chassis,
    bench_codec,
    bench_decode,
    bench_protection,
    bench_restbus,
    bench_sequences,
    bench_update,
)


def main() -> None:
    print(f"{platform.python_implementation()} {platform.python_version()}, one process, CPU time")
    codec = (bench_codec, bench_decode, bench_protection)
    for benchmark in (
        *codec,
        bench_bus,
        bench_restbus,
        bench_chassis,
        bench_update,
        bench_sequences,
    ):
        print()
        benchmark.main()


if __name__ == "__main__":
    main()
