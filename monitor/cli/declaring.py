"""incident open, incident update: what an operator tells customers."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.actions import declare
from monitor.actions.declare import Declaration, News
from monitor.cli.common import author_option, clock, config_option, data_option, json_option, writing
from monitor.cli.saying import tell, texts_of
from monitor.identifiers import IncidentId, ServerId
from monitor.incidents.incident import Impact, Stage
from monitor.store import readings

_STAGES = [stage.value for stage in Stage if stage is not Stage.RESOLVED]
_IMPACTS = [impact.value for impact in Impact]


@click.command("open")
@click.option(
    "--server", "servers", multiple=True, required=True, metavar="ID", help="A server; may be repeated."
)
@click.option("--impact", required=True, type=click.Choice(_IMPACTS), help="How bad it is for customers.")
@click.option("--title", required=True, help="What customers read first, in the site's first language.")
@click.option("--title-en", default=None, help="The same in English.")
@click.option(
    "--text",
    "words",
    multiple=True,
    required=True,
    metavar="LANGUAGE=TEXT",
    help="What customers read, as es=… and en=….",
)
@click.option("--ticket", "wants_ticket", is_flag=True, help="Open a ticket as well.")
@author_option
@config_option
@data_option
@json_option
def open_(
    servers: tuple[str, ...],
    impact: str,
    title: str,
    title_en: str | None,
    words: tuple[str, ...],
    author: str,
    config: Path,
    data: Path | None,
    *,
    wants_ticket: bool,
    as_json: bool,
) -> None:
    """Tell customers of a problem that the checks do not see; it stays open until you resolve it."""
    declared = Declaration(
        servers=tuple(map(ServerId, servers)),
        impact=Impact(impact),
        title={"es": title, "en": title_en or title},
        words=texts_of(words),
        ticket=wants_ticket,
    )
    with writing(config, data) as tx:
        opened = declare.declare(tx, declared, author=author, moment=clock.now())
    tell(opened, None, f"Opened {opened.id}.", as_json=as_json)


@click.command()
@click.argument("incident_id", metavar="INCIDENT")
@click.option("--stage", default=None, type=click.Choice(_STAGES), help="Where it stands now.")
@click.option("--impact", default=None, type=click.Choice(_IMPACTS), help="How bad it is now.")
@click.option(
    "--text",
    "words",
    multiple=True,
    required=True,
    metavar="LANGUAGE=TEXT",
    help="What customers read, as es=… and en=….",
)
@author_option
@config_option
@data_option
@json_option
def update(
    incident_id: str,
    stage: str | None,
    impact: str | None,
    words: tuple[str, ...],
    author: str,
    config: Path,
    data: Path | None,
    *,
    as_json: bool,
) -> None:
    """Add a word to an incident that customers read, whoever opened it."""
    news = News(
        words=texts_of(words),
        stage=None if stage is None else Stage(stage),
        impact=None if impact is None else Impact(impact),
    )
    with writing(config, data) as tx:
        told = declare.update(tx, IncidentId(incident_id), news, author=author, moment=clock.now())
        ticket = readings.ticket_of(tx, told.id)
    tell(told, ticket, f"{incident_id} is {told.stage}.", as_json=as_json)
