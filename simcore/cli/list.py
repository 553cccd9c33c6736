"""`simcore list`: which scenarios there are and what they verify."""

from __future__ import annotations

import click

from simcore.cli.exits import Exit
from simcore.cli.selection import select


@click.command("list", short_help="List scenarios with the requirements they verify.")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
def list_scenarios(paths: tuple[str, ...]) -> None:
    """List scenarios with the requirements they verify; the shipped ones by default."""
    selection = select(paths)
    width = max((len(item.name) for item in selection.scenarios), default=0)
    for item in selection.scenarios:
        requirements = ", ".join(item.requirements) or "-"
        click.echo(f"{item.name:<{width}}  {requirements:<36}  {item.title}".rstrip())
    for _, error in selection.unreadable:
        click.echo(f"simcore: {error}", err=True)
    if selection.unreadable:
        raise click.exceptions.Exit(int(Exit.INVALID_INPUT))
