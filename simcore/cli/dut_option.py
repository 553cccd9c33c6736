"""`--dut`, `--as` and `--isolated`: the module under test of a command.

@click.command()
@dut_options
def command(..., dut: str | None, nodes: str | None, isolated: bool) -> None:
    places = places_of(dut, nodes, isolated)
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import click

from simcore.errors import UsageError

if TYPE_CHECKING:
    from simcore.attach.dut import Dut
    from simcore.attach.dut_places import Places

_Command = TypeVar("_Command", bound=Callable[..., Any])


def dut_options(command: _Command) -> _Command:
    """Add the three options; the command gets them as `dut`, `nodes` and `isolated`."""
    for add in (
        click.option(
            "--isolated", is_flag=True, help="Run a C module or an FMU in a child process."
        ),
        click.option(
            "--as",
            "nodes",
            metavar="NODE",
            help="The node that --dut replaces; several with commas, an instance each.",
        ),
        click.option(
            "--dut",
            metavar="MODULE",
            help="Module under test: a .py (::CLASS), .so, .dll or .fmu file, "
            "can:INTERFACE:CHANNEL, or 'reference'.",
        ),
    ):
        command = add(command)
    return command


def places_of(dut: str | None, nodes: str | None, isolated: bool) -> Places | None:
    """The module and its places; `None` without `--dut`.

    Raises `UsageError` for one option without the other, `InputError` for a bad module.
    """
    if dut is None:
        for given, option in ((nodes is not None, "--as"), (isolated, "--isolated")):
            if given:
                raise UsageError(option, expected="--dut MODULE with it")
        return None
    if not nodes:
        raise UsageError("--dut", expected="--as NODE with it: the place of the module")
    from simcore.attach.dut import load_dut
    from simcore.attach.dut_places import Places

    return Places.of(load_dut(dut, isolated=isolated), nodes)


def warn_of_crashes(dut: Dut) -> None:
    """Say of a C module inside this process what its crash means, and let a crash name its place.

    Python prints where it was; the last line of simcore's own is the call into the module.
    """
    if dut.kind != "c" or dut.isolated:
        return
    import faulthandler

    with suppress(OSError, ValueError):  # a standard error without a file behind it
        faulthandler.enable()
    click.echo(
        f"note: {dut.label} runs inside simcore: if it crashes or hangs, so does simcore; "
        "--isolated makes that a finding",
        err=True,
    )


def dut_words(dut: str | None, nodes: str | None, isolated: bool) -> list[str]:
    """The options as a replay command states them."""
    if dut is None or nodes is None:
        return []
    return ["--dut", dut, "--as", nodes, *(["--isolated"] if isolated else [])]
