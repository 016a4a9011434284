"""explain: why a server stands as it does."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from monitor.actions.explain import explain_now, explain_then
from monitor.cli.common import (
    clock,
    config_option,
    data_option,
    json_option,
    local,
    moment_of,
    open_database,
    print_json,
)
from monitor.identifiers import ServerId
from monitor.incidents.explaining import Account, CheckAccount, Seen
from monitor.language import LANGUAGES, Language, text
from monitor.station.shapes import instant
from monitor.store import readings


@click.command()
@click.argument("server")
@click.option("--at", metavar="MOMENT", default=None, help="A moment of the past; now if left out.")
@click.option(
    "--lang", "language", type=click.Choice(LANGUAGES), default="en", help="The language of the sentences."
)
@config_option
@data_option
@json_option
def explain(
    server: str, at: str | None, language: Language, config: Path, data: Path | None, *, as_json: bool
) -> None:
    """Tell why a server stands as it does: which looks, which rule, which reason to be quiet."""
    with closing(open_database(config, data)) as database:
        with database.reading() as tx:
            zone = readings.zone(tx)
        if at is not None:
            account = explain_then(database, ServerId(server), moment_of(at, zone, "--at"))
        else:
            with database.reading() as tx:
                account = explain_now(tx, ServerId(server), clock.now())
    if as_json:
        print_json(_shape(account))
        return
    if at is not None:
        click.echo(text("explain.past", language, moment=local(account.moment, zone)))
    for sentence in account.sentences:
        click.echo(sentence[language])
    for check in account.checks:
        click.echo()
        click.secho(f"{check.check.check} ({check.kind})", bold=True)
        for sentence in check.sentences:
            click.echo(f"  {sentence[language]}")
        for look in check.looks:
            click.echo(f"    {_line(look, zone)}")


def _line(look: Seen, zone: str) -> str:
    found = " · ".join(word for word in (look.cause or "", look.found) if word)
    return f"{local(look.at, zone)}  {look.outcome:<8}{look.took_ms:>7.0f} ms  {found}".rstrip()


def _shape(account: Account) -> dict[str, object]:
    return {
        "server": account.server,
        "at": instant(account.moment),
        "status": account.status,
        "because": account.because,
        "since": instant(account.since),
        "sentences": [dict(sentence) for sentence in account.sentences],
        "checks": [_check_shape(check) for check in account.checks],
    }


def _check_shape(check: CheckAccount) -> dict[str, object]:
    return {
        "id": check.check.check,
        "kind": check.kind,
        "state": check.state,
        "sentences": [dict(sentence) for sentence in check.sentences],
        "looks": [
            {
                "at": instant(look.at),
                "outcome": look.outcome,
                "cause": look.cause,
                "found": look.found,
                "took_ms": look.took_ms,
            }
            for look in check.looks
        ],
    }
