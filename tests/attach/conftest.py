"""Buses to attach to; every test has to leave nothing behind that a program could find."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import can
import pytest

from simcore.attach import published
from simcore.attach.c_abi import header_path

Open = Callable[..., can.BusABC]
Compile = Callable[..., Path]


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    """What one test publishes must not be found by the next."""
    yield
    left = [session.name for session in published()]
    for session in published():
        session.close()
    assert left == []


@pytest.fixture
def open_bus() -> Iterator[Open]:
    """`open_bus("empty:x", ...)` is `can.Bus(interface="simcore", ...)`, shut down at the end."""
    buses: list[can.BusABC] = []

    def opened(channel: str | int | None = "empty:pair", **settings: object) -> can.BusABC:
        bus = can.Bus(interface="simcore", channel=channel, ignore_config=True, **settings)
        buses.append(bus)
        return bus

    yield opened
    for bus in buses:
        bus.shutdown()


@pytest.fixture
def pair(open_bus: Open) -> tuple[can.BusABC, can.BusABC]:
    """Two programs on an otherwise empty bus, in virtual time."""
    return open_bus("empty:pair"), open_bus("empty:pair")


@pytest.fixture(scope="session")
def compile_c(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """`compile_c(source, "-O1", name="x.so")` makes a shared library from a file or a text."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler `cc` on this machine")

    def compiled(source: Path | str, *options: str, name: str = "module.so") -> Path:
        folder = tmp_path_factory.mktemp("c")
        if isinstance(source, str):
            text, source = source, folder / "module.c"
            source.write_text(text, encoding="utf-8")
        command = [compiler, "-std=c99", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-Werror"]
        command += ["-O1", "-shared", "-fPIC", f"-I{header_path().parent}", *options]
        subprocess.run([*command, str(source), "-o", str(folder / name)], check=True)
        return folder / name

    return compiled


@pytest.fixture(scope="session")
def probe(compile_c: Compile) -> Path:
    """c_probe.c as a relocatable module."""
    return compile_c(Path(__file__).with_name("c_probe.c"), name="probe.so")


@pytest.fixture(scope="session")
def static_probe(compile_c: Compile) -> Path:
    """c_probe.c as a module that keeps everything in static variables and on the heap."""
    return compile_c(Path(__file__).with_name("c_probe.c"), "-DSTATICS", name="static_probe.so")
