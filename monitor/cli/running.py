"""run and web: the service itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import click

from monitor import __version__
from monitor.cli.common import config_option, configuration, data_option, listen_option
from monitor.inventory import Configuration
from monitor.station.lifeline import only_watch
from monitor.station.listening import address_of, write_address
from monitor.station.listening import listen as listen_on
from monitor.station.logs import log_to_stderr
from monitor.station.preparing import prepare
from monitor.station.supervisor import python, replace_by


@click.command()
@config_option
@data_option
@listen_option
def run(config: Path, data: Path | None, listen: str | None) -> NoReturn:
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
        replace_by(str(config), str(settings.data), listener.fileno())


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
