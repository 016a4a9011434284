"""run and web: the service itself."""

from __future__ import annotations

import os
from pathlib import Path

import click

from monitor import __version__
from monitor.cli.common import clock, config_option, configuration, data_option, listen_option
from monitor.inventory import Configuration
from monitor.station.lifeline import only_watch
from monitor.station.listening import address_of, write_address
from monitor.station.listening import listen as listen_on
from monitor.station.logs import log_to_stderr
from monitor.station.preparing import prepare
from monitor.station.supervisor import (
    Programme,
    child_environment,
    python,
    supervise,
)


@click.command()
@config_option
@data_option
@listen_option
def run(config: Path, data: Path | None, listen: str | None) -> int:
    """Run the whole service: watch and page, each started again if it dies."""
    log_to_stderr()
    settings = configuration(config, listen=listen, data=data).settings
    with listen_on(settings.listen_host, settings.listen_port) as listener:
        address = address_of(listener)
        # From here on every part of the service, and the configuration itself, knows the bound address.
        os.environ["VIGIA_LISTEN"] = address
        with only_watch(settings.data):
            prepare(settings.data)
        write_address(settings.data, address)
        _greet(configuration(config, listen=address, data=data), address)
        return supervise(_programmes(config, settings.data, listener.fileno()), clock)


def _programmes(config: Path, data: Path, listener: int) -> list[Programme]:
    environment = child_environment()
    return [
        Programme(
            name="watch",
            arguments=python("monitor.cli", "watch", "--config", str(config), "--data", str(data)),
            environment=environment,
        ),
        Programme(
            name="web",
            arguments=python("web", "--data", str(data), "--fd", str(listener), "--parent", str(os.getpid())),
            environment=environment,
            # Held open here too: while web is started again, visitors wait a moment and are not refused.
            descriptors=(listener,),
        ),
    ]


def _greet(loaded: Configuration, address: str) -> None:
    page = f"http://{address}"
    click.echo(f"Vigía {__version__} watches {len(loaded.fleet.servers)} servers of {loaded.path}")
    click.echo(f"  page      {page}/")
    click.echo(f"  feed      {page}/history.rss")
    click.echo(f"  metrics   {page}/metrics")
    click.echo(f"  data      {loaded.settings.data}")


@click.command()
@config_option
@data_option
@listen_option
def web(config: Path, data: Path | None, listen: str | None) -> int:
    """Run only the page, its feeds and the metrics address."""
    settings = configuration(config, listen=listen, data=data).settings
    address = f"{settings.listen_host}:{settings.listen_port}"
    command = python("web", "--data", str(settings.data), "--listen", address)
    os.execv(command[0], command)  # noqa: S606 - our own interpreter, no shell
