"""desk receive: a letter as a mail server hands it over."""

from __future__ import annotations

import logging
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.common import clock, config_option, configuration, data_option, json_option, print_json
from monitor.errors import RefusedError, VigiaError
from monitor.post.imap import LETTER_LIMIT

if TYPE_CHECKING:
    from monitor.actions.desk_mail import TakenIn

_LOG = logging.getLogger(__name__)
# As mail servers understand it: keep the letter and try again.
_LATER = 75


@click.command()
@config_option
@data_option
@json_option
def receive(config: Path, data: Path | None, *, as_json: bool) -> None:
    """Take a letter from standard input: it becomes a ticket, or a word on one. Exit status 75 if it is to be handed over again."""
    try:
        raw = sys.stdin.buffer.read(LETTER_LIMIT + 1)
        # A mail server that cannot hand all of it over may take that for a failure.
        while sys.stdin.buffer.read(LETTER_LIMIT):
            pass
        taken = _taken(config, data, raw)
    except VigiaError as error:
        click.echo(f"vigia: {error}", err=True)
        raise click.exceptions.Exit(_LATER) from error
    except Exception as error:
        # Any other status has the mail server return the letter to whoever wrote it.
        _LOG.exception("a letter was not taken")
        click.echo(
            f"vigia: our own fault, {type(error).__name__}: the letter is to be handed over again", err=True
        )
        raise click.exceptions.Exit(_LATER) from error
    if as_json:
        print_json({"fate": taken.fate, "ticket": taken.ticket, "reason": taken.reason})
    else:
        click.echo(" ".join(part for part in (taken.fate, str(taken.ticket or ""), taken.reason) if part))


def _taken(config: Path, data: Path | None, raw: bytes) -> TakenIn:
    from monitor.actions.desk_mail import DeskMail  # noqa: PLC0415 - the other commands can do without
    from monitor.station.names import DATABASE  # noqa: PLC0415
    from monitor.station.office import mail_of, terms_of  # noqa: PLC0415
    from monitor.store.database import Database  # noqa: PLC0415

    settings = configuration(config, data=data).settings
    mail = mail_of(settings)
    if mail is None:
        raise RefusedError("the desk is not reached by mail: add `mail` below `helpdesk: {kind: desk}`")
    with closing(Database.open(settings.data / DATABASE, owner=False)) as database:
        return DeskMail(database, terms_of(settings, mail)).receive(raw, clock.now())
