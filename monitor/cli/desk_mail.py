"""desk receive: a letter as a mail server hands it over."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from monitor.cli.common import clock, config_option, configuration, data_option, json_option, print_json
from monitor.errors import BusyError, RefusedError
from monitor.post.imap import LETTER_LIMIT

# As mail servers understand it: keep the letter and try again.
_LATER = 75


@click.command()
@config_option
@data_option
@json_option
def receive(config: Path, data: Path | None, *, as_json: bool) -> None:
    """Take a letter from standard input: it becomes a ticket, or a word on one."""
    from monitor.actions.desk_mail import DeskMail  # noqa: PLC0415 - the other commands can do without
    from monitor.station.names import DATABASE  # noqa: PLC0415
    from monitor.station.office import mail_of, terms_of  # noqa: PLC0415
    from monitor.store.database import Database  # noqa: PLC0415

    settings = configuration(config, data=data).settings
    mail = mail_of(settings)
    if mail is None:
        raise RefusedError("the desk is not reached by mail: add `mail` below `helpdesk: {kind: desk}`")
    raw = sys.stdin.buffer.read(LETTER_LIMIT)
    database = Database.open(settings.data / DATABASE, owner=False)
    try:
        taken = DeskMail(database, terms_of(settings, mail)).receive(raw, clock.now())
    except BusyError as error:
        click.echo(f"vigia: {error}", err=True)
        raise click.exceptions.Exit(_LATER) from error
    finally:
        database.close()
    if as_json:
        print_json({"fate": taken.fate, "ticket": taken.ticket, "reason": taken.reason})
    else:
        click.echo(" ".join(part for part in (taken.fate, str(taken.ticket or ""), taken.reason) if part))
