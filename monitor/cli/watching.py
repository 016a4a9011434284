"""watch: the probes and the decisions alone."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.cli.common import clock, config_option, configuration, data_option, listen_option
from monitor.station.logs import log_to_stderr
from monitor.station.watch import run_watch


@click.command()
@config_option
@data_option
@listen_option
def watch(config: Path, data: Path | None, listen: str | None) -> int:
    """Run only the probes and the decisions."""
    log_to_stderr()
    return run_watch(lambda: configuration(config, listen=listen, data=data), clock)
