"""`simcore diag`: what a tester can do with the reference ECUs, from the tables they run with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from simcore.cli.output import unbroken_output
from simcore.errors import InputError, UsageError

if TYPE_CHECKING:
    from simcore.diag import UdsServer
    from simcore.diag.documentation import Documented
    from simcore.rig import Rig


@click.command(short_help="Print what a tester can do with an ECU: its diagnostic table.")
@click.argument("node", required=False)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["md", "html", "json"]),
    default="md",
    show_default=True,
    help="Markdown, an HTML page, or JSON.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write there instead of printing.",
)
def diag(node: str | None, kind: str, output: Path | None) -> None:
    """Print sessions, services, identifiers, routines, memory and trouble codes of NODE.

    Without NODE of every reference ECU that has diagnostics. The text is generated from the
    tables that the ECUs answer with.
    """
    from simcore.diag import documentation
    from simcore.rig import Rig

    rig = Rig()
    found = documented(rig)
    if node is not None:
        if node not in found:
            raise UsageError("NODE", expected=f"one of {', '.join(found)}", got=repr(node))
        found = {node: found[node]}
    write = {
        "md": documentation.markdown,
        "html": documentation.html,
        "json": documentation.as_json,
    }[kind]
    text = write(found.values())
    if output is None:
        with unbroken_output():
            click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(f"cannot write: {error.strerror}", file=str(output)) from error


def documented(rig: Rig) -> dict[str, Documented]:
    """Table and trouble codes of every ECU on a rig that has diagnostics, by name."""
    found: dict[str, Documented] = {}
    for name in rig.nodes:
        node = rig.node(name)
        server = _server_of(node, rig.now_ns)
        if server is not None:
            codes = getattr(node, "trouble_codes", None)
            memory = None if codes is None else codes.memory
            found[name] = (server.table, None if memory is None else memory.settings)
    return found


def _server_of(node: object, now_ns: int) -> UdsServer | None:
    """The server of an ECU, or the gateway's own."""
    require = getattr(node, "require_diagnostics", None)
    answering = None if require is None else require(now_ns)
    server: UdsServer | None = getattr(answering or getattr(node, "local", None), "server", None)
    return server
