"""The `vigia` command. Exit status 0 is fine, 1 a bad answer, 2 wrong usage."""

from __future__ import annotations

import os
import sys

import click

from monitor import __version__
from monitor.cli import configuring, incidents, keeping, looking, running, tickets, windows
from monitor.errors import VigiaError
from monitor.station.lifeline import SUPERVISOR
from monitor.station.supervisor import REFUSED


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="vigia")
def cli() -> None:
    """Watch servers, publish incidents, open tickets."""


for _room in (running, configuring, looking, incidents, tickets, windows, keeping):
    for _command in _room.COMMANDS:
        cli.add_command(_command)


def main() -> int:
    """Run the command and return its exit status; our own errors become one clear text on standard error."""
    try:
        status = cli.main(prog_name="vigia", standalone_mode=False)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.Abort:
        return 1
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except VigiaError as error:
        print(f"vigia: {error}", file=sys.stderr)
        return REFUSED if SUPERVISOR in os.environ else 1
    except BrokenPipeError:
        # The reader (`| head`) had enough; that is no failure of ours.
        sys.stderr.close()
        return 0
    return status if isinstance(status, int) else 0
