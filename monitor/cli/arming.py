"""arm: an operator ends the care of a first start, or of a directory that was put back."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.actions import arm as arming
from monitor.cli.common import author_option, clock, config_option, data_option, writing


@click.command()
@author_option
@config_option
@data_option
def arm(author: str, config: Path, data: Path | None) -> None:
    """Let faults open incidents now, and let deliveries go out without being looked up.

    After its first start watch opens nothing before everything was looked at once. After a directory was put back, what waits for
    the helpdesk is looked up there before it is sent. This ends both early; a running watch follows within seconds.
    """
    with writing(config, data) as tx:
        freed = arming.arm(tx, author, clock.now())
    click.echo(f"Armed. Deliveries that are no longer looked up first: {freed}.")
