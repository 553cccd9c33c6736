"""`simcore icd`: write the interface control document of a network."""

from __future__ import annotations

from pathlib import Path

import click

from simcore.cli.output import unbroken_output
from simcore.version import __version__


@click.command(short_help="Write the interface control document (HTML) of a network.")
@click.argument("file", required=False, type=click.Path(path_type=Path), metavar="[FILE]")
@click.option(
    "--requirements",
    "requirement_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Requirement list. Default: the shipped one for the shipped network, else none.",
)
@click.option("--as", "node", metavar="NODE", help="What one node sends and receives, alone.")
@click.option("--lenient", is_flag=True, help="Keep what can be read of a file with errors.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("icd.html"),
    show_default=True,
    metavar="FILE",
    help="The page.",
)
def icd(
    file: Path | None,
    requirement_file: Path | None,
    node: str | None,
    lenient: bool,
    output: Path,
) -> None:
    """Write the interface of FILE (DBC, KCD, SYM, ARXML; default: the shipped one) as a page.

    \b
    Exit codes: 0 written, 2 usage, 3 invalid input.
    """
    from simcore.network import Database
    from simcore.report.icd import concerns, write_icd
    from simcore.rig.requirements import load_requirement_file

    database = Database.reference() if file is None else Database.load(file, lenient=lenient)
    requirements = None
    if requirement_file is not None or file is None:
        requirements = load_requirement_file(requirement_file)
    path = write_icd(output, database, requirements, version=__version__, node=node)
    with unbroken_output():
        messages = [each for each in database.messages if node is None or concerns(each, node)]
        found = [] if requirements is None else requirements.requirements.values()
        demands = [each for each in found if node is None or each.concerns(node)]
        click.echo(f"{path}: {len(messages)} messages, {len(demands)} requirements")
