"""The `vigia` command. Exit status 0 is fine, 1 a bad answer, 2 wrong usage."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from monitor import __version__
from monitor.errors import VigiaError
from monitor.station.lifeline import SUPERVISOR
from monitor.station.supervisor import REFUSED

# Which room holds which command. A room is entered only when its command is asked for, so that `vigia status` does not
# wait for the imports of the prober.
_ROOMS = {
    "run": "running",
    "web": "running",
    "watch": "watching",
    "validate": "configuring",
    "plan": "applying",
    "apply": "applying",
    "backtest": "rehearsing",
    "doctor": "configuring",
    "probe": "looking",
    "status": "standing",
    "explain": "explaining",
    "uptime": "availability",
    "incident": "incidents",
    "ticket": "tickets",
    "desk": "desk",
    "window": "windows",
    "force": "forcing",
    "drill": "drilling",
    "heartbeat": "heartbeats",
    "arm": "arming",
    "rebuild": "keeping",
}


class _Rooms(click.Group):
    """The commands by their rooms."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return every command, in the order in which people meet them."""
        del ctx
        return list(_ROOMS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return one command, None if there is none of that name."""
        del ctx
        if cmd_name not in _ROOMS:
            return None
        command: click.Command = getattr(import_module(f"monitor.cli.{_ROOMS[cmd_name]}"), cmd_name)
        return command


@click.group(cls=_Rooms, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="vigia")
def cli() -> None:
    """Watch servers, publish incidents, open tickets."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status; our own errors become one clear text on standard error.

    `arguments` are the words after `vigia`, by default those that this process was called with.
    """
    try:
        status = cli.main(arguments, prog_name="vigia", standalone_mode=False)
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
