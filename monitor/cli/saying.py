"""What the commands share that put an operator's word about an incident on record."""

from __future__ import annotations

import click

from monitor.cli.common import print_json
from monitor.incidents.incident import Incident
from monitor.language import LANGUAGES
from monitor.station.shapes import incident_shape
from monitor.store.readings import TicketRow


def texts_of(words: tuple[str, ...]) -> dict[str, str]:
    """Return what was typed as `es=… en=…`, by language; anything else is wrong usage."""
    texts = dict(each.partition("=")[::2] for each in words)
    unknown = [language for language in texts if language not in LANGUAGES]
    if unknown or not all(text.strip() for text in texts.values()):
        languages = " or ".join(f"{language}=…" for language in LANGUAGES)
        raise click.BadParameter(f"write it as {languages}", param_hint="--text")
    return texts


def tell(told: Incident, ticket: TicketRow | None, sentence: str, *, as_json: bool) -> None:
    """Say what was done, or print the incident as it stands then."""
    if as_json:
        print_json(incident_shape(told, None if ticket is None else ticket.reference))
    else:
        click.echo(sentence)
