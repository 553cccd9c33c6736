"""Entry point: the command group, and what becomes of errors."""

from __future__ import annotations

import sys

import click

from simcore.cli.audit import audit
from simcore.cli.bridge import bridge
from simcore.cli.conformance import conformance
from simcore.cli.dbc import dbc
from simcore.cli.decode import decode
from simcore.cli.diag import diag
from simcore.cli.exits import Exit
from simcore.cli.faults import faults
from simcore.cli.ftti import ftti
from simcore.cli.icd import icd
from simcore.cli.list import list_scenarios
from simcore.cli.power_cut import power_cut
from simcore.cli.replay import replay
from simcore.cli.restbus import restbus
from simcore.cli.rta import rta
from simcore.cli.run import run
from simcore.cli.serve import serve
from simcore.cli.update import update
from simcore.errors import InputError, SimcoreError, UsageError
from simcore.version import __version__


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="simcore")
def cli() -> None:
    """Simulate a chassis domain controller and four brake actuators on a CAN FD bus."""


cli.add_command(run)
cli.add_command(conformance)
cli.add_command(list_scenarios)
cli.add_command(faults)
cli.add_command(ftti)
cli.add_command(diag)
cli.add_command(update)
cli.add_command(audit)
cli.add_command(power_cut)
cli.add_command(dbc)
cli.add_command(icd)
cli.add_command(decode)
cli.add_command(rta)
cli.add_command(replay)
cli.add_command(restbus)
cli.add_command(bridge)
cli.add_command(serve)


def main() -> None:
    """Run the command line; turns errors into one clear line and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A report may hold any character; a terminal that cannot show one shows its code.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = cli.main(prog_name="simcore", standalone_mode=False)
    except click.exceptions.Exit as error:
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = Exit.USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        code = Exit.INTERRUPTED
    except InputError as error:
        click.echo(f"simcore: {error}", err=True)
        code = Exit.INVALID_INPUT
    except UsageError as error:
        click.echo(f"simcore: {error}", err=True)
        code = Exit.USAGE
    except SimcoreError as error:
        click.echo(f"simcore: {error}", err=True)
        code = Exit.INTERNAL
    except SystemExit:  # what click makes of a reader of our output that has gone
        code = Exit.PASSED
    except Exception as error:
        import traceback

        click.echo(traceback.format_exc(), err=True)
        click.echo(f"simcore: internal error, {type(error).__name__}: {error}", err=True)
        code = Exit.INTERNAL
    sys.exit(int(code or 0))
