"""`simcore faults`: what can be broken, by layer, and the parameters of one kind of fault."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from simcore.cli.output import unbroken_output

if TYPE_CHECKING:
    from simcore.faults.catalogue import Entry


@click.command(short_help="List what can be broken, layer by layer.")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print it for a program, with all details.")
def faults(name: str | None, as_json: bool) -> None:
    """List every fault by layer with a line each; with NAME all about that one.

    A fault is an object: `rig.inject(TaskHung(node="CDC", task="control"))` begins it now,
    `.at(s(1))`, `.during(s(1), s(2))` and `.after("reaction", source="CDC")` say when else.
    """
    from simcore.faults.catalogue import catalogue, entry_named

    entries = catalogue() if name is None else (entry_named(name),)
    with unbroken_output():
        if as_json:
            found = [asdict(entry) for entry in entries]
            click.echo(json.dumps(found if name is None else found[0], indent=2))
        elif name is None:
            _list(entries)
        else:
            _describe(entries[0])


def _list(entries: tuple[Entry, ...]) -> None:
    from simcore.faults.catalogue import LAYER_TEXTS

    width = max(len(entry.name) for entry in entries)
    layer = ""
    for entry in entries:
        if entry.layer != layer:
            click.echo(f"{'' if not layer else chr(10)}{entry.layer}: {LAYER_TEXTS[entry.layer]}")
            layer = entry.layer
        click.echo(f"  {entry.name:<{width}}  {entry.summary}")


def _describe(entry: Entry) -> None:
    click.echo(f"{entry.name} ({entry.layer})\n{entry.summary}")
    if entry.text:
        click.echo(f"\n{entry.text}")
    if entry.parameters:
        click.echo("\nparameters:")
    for each in entry.parameters:
        unit = f" [{each.unit}]" if each.unit else ""
        default = "" if each.default is None else f" = {each.default}"
        click.echo(f"  {each.name}{unit}: {each.kind}{default}")
        for line in each.text.splitlines():
            click.echo(f"      {line}")
