"""What a ticket says: everything that a technician needs, so that nobody has to ask back.

Pure. A ticket that is made late tells the whole story so far; each later action adds what is new.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from monitor.errors import NotFoundError
from monitor.fleet import Fleet, Server
from monitor.identifiers import ServerId
from monitor.incidents.incident import CheckEvidence, Incident, Origin, Update
from monitor.journal.entries import (
    Entry,
    IncidentAcknowledged,
    IncidentOpened,
    IncidentReopened,
    IncidentResolved,
    IncidentRetracted,
    IncidentUpdated,
    Reason,
    TicketDisputed,
)
from monitor.language import moments, text
from monitor.tickets.classes import urgency
from monitor.tickets.story import (
    Story,
    department,
    evidence_so_far,
    is_for_staff,
    is_open,
    is_recovered,
    problem,
)

_SHORTEST_FENCE = 3
# A ticket about more servers names each in a list, and shows the evidence of so many checks.
_MOST_TOLD = 3
_MOST_EVIDENCE = 20


def subject(story: Story) -> str:
    """Return `[VG-…] <server>: <what>`, the same for the whole life of a ticket as long as its impact is."""
    first = next((each for each in story.mass if each.id == each.mass), None)
    if first is not None:
        name = _servers(replace(story, incident=first))
        return _line(text("ticket.mass.subject", story.language, reference=story.reference, server=name))
    if is_for_staff(story):
        title = story.incident.title.get(story.language, "")
        return _line(text("ticket.subject.staff", story.language, reference=story.reference, title=title))
    return _line(
        text(
            "ticket.subject",
            story.language,
            reference=story.reference,
            server=_servers(story),
            what=_what(story, story.incident.impact),
        )
    )


def creation(story: Story) -> str:
    """Return the first message of a ticket; it says so if the fault is over already."""
    evidence = evidence_so_far(story.entries)
    newest = story.incident.updates[-1] if story.incident.updates else None
    parts = [
        _urgency(story),
        _gathering(story) if story.mass else _opening(story),
        _gathered(story) if story.mass else _facts(story),
        "" if story.mass else _published(story, newest),
        *_evidence(story, evidence),
        _links(story),
    ]
    if (held := story.incident.acknowledged) is not None:
        parts.insert(2, _in_hand(story, held.author, held.until))
    if story.replaces:
        parts.insert(2, text("ticket.replaces", story.language, ticket=story.replaces))
    elif not is_open(story):
        parts.insert(2, text("ticket.late", story.language))
    return "\n\n".join(part for part in parts if part)


def comment(story: Story, entry: Entry) -> str:
    """Return what an update, or an operator's word, adds to the ticket."""
    body = entry.body
    if isinstance(body, IncidentAcknowledged):
        return _in_hand(story, entry.actor, body.until)
    if isinstance(body, IncidentRetracted):
        return _retraction(story, entry.actor, body.reason)
    if isinstance(body, IncidentOpened):
        return _another(story, body)
    if isinstance(body, IncidentReopened):
        return _again(story, entry, body)
    if isinstance(body, IncidentResolved):
        return _end(story, entry)
    if isinstance(body, TicketDisputed):
        return _disputed(story, entry)
    if not isinstance(body, IncidentUpdated):
        raise TypeError(f"{entry.kind} is told by no comment")
    opening = text(
        f"ticket.comment.{body.reason}",
        story.language,
        server=_servers(story),
        what=_what(story, body.impact),
        moment=_moment(story, body.ended_at or entry.moment),
        behind=moments.listed([_name(story, server) for server in body.unreachable], story.language),
    )
    parts = [opening, _named(story, body), _published(story, body.update), *_evidence(story, body.evidence)]
    return "\n\n".join(part for part in parts if part)


def _another(story: Story, body: IncidentOpened) -> str:
    """Tell of one more incident on the ticket of a mass, with all that a ticket of its own would say."""
    opening = text("ticket.mass.another", story.language, incident=_in_short(story, body.incident))
    newest = body.incident.updates[-1] if body.incident.updates else None
    parts = [
        opening,
        _facts(story),
        _published(story, newest),
        *_evidence(story, body.evidence),
        _links(story),
    ]
    return "\n\n".join(part for part in parts if part)


def _again(story: Story, entry: Entry, body: IncidentReopened) -> str:
    opening = text(
        "ticket.mass.again", story.language, server=_servers(story), moment=_moment(story, entry.moment)
    )
    return "\n\n".join([opening, *_evidence(story, body.evidence)])


def _gathering(story: Story) -> str:
    return text("ticket.mass.creation", story.language, count=len(story.mass))


def _gathered(story: Story) -> str:
    """Name every incident that the ticket of a mass tells of, and what became of it."""
    lines = [f"- {_in_short(story, each)}" for each in story.mass]
    return "\n".join([*lines, "", _fact(story, "department", _department(story))])


def _in_short(story: Story, incident: Incident) -> str:
    over = "recovered" if is_recovered(story, incident) else "ended"
    return text(
        "ticket.mass.one" if incident.open else f"ticket.mass.{over}",
        story.language,
        server=", ".join(_line(_name(story, server)) for server in incident.servers),
        what=_what(story, incident.impact),
        since=_moment(story, incident.started_at),
        ended=_moment(story, incident.ended_at or incident.started_at),
        incident=incident.id,
    )


def _named(story: Story, body: IncidentUpdated) -> str:
    """Name every server where more join, so that each leads to this ticket."""
    if body.reason not in (Reason.JOINED, Reason.WORSENED, Reason.RELAPSED) or len(body.servers) == 1:
        return ""
    return _list(story, "servers", body.servers)


def rise(story: Story, impact: str, priority: str) -> str:
    """Return why the priority of a ticket rises."""
    return text(
        "ticket.priority",
        story.language,
        priority=text(f"ticket.priority.{priority}", story.language),
        server=_servers(story),
        what=_what(story, impact),
    )


def resolution(story: Story, entry: Entry) -> str:
    """Return the last word on a fault, or on a mass of them: until when it lasted and how long that was."""
    if not story.mass:
        return _end(story, entry)
    return f"{_end(story, entry)}\n\n{text('ticket.mass.end', story.language, count=len(story.mass))}"


def _end(story: Story, entry: Entry) -> str:
    body = entry.body
    if isinstance(body, IncidentRetracted):
        return _retraction(story, entry.actor, body.reason)
    if not isinstance(body, IncidentResolved):
        raise TypeError(f"{entry.kind} ends nothing")
    by = "" if entry.actor == "vigia" else text("ticket.resolution.by", story.language, actor=entry.actor)
    if not body.recovered:
        # Nothing but their word says that it is over.
        return by or _last_word(story, body)
    incident = story.incident
    words = text(
        "ticket.resolution.staff" if is_for_staff(story) else "ticket.resolution",
        story.language,
        words=_last_word(story, body),
        server=_servers(story),
        since=_moment(story, incident.started_at),
        ended=_moment(story, body.ended_at),
        duration=moments.duration(max(body.ended_at - incident.started_at, timedelta(0)), story.language),
    )
    return f"{words}\n\n{by}" if by else words


def _last_word(story: Story, body: IncidentResolved) -> str:
    """What operators read at the end: whether it was mended, or has become something else, stands there."""
    return body.update.text.get(story.language, "")


def _in_hand(story: Story, actor: str, until: datetime | None) -> str:
    if until is None:
        return text("ticket.acknowledged", story.language, actor=actor)
    return text("ticket.acknowledged.until", story.language, actor=actor, until=_moment(story, until))


def _retraction(story: Story, actor: str, reason: str) -> str:
    return text("ticket.retraction", story.language, server=_servers(story), actor=actor, reason=reason)


def reopening(story: Story, entry: Entry) -> str:
    """Return why a ticket that was closed is open again."""
    if isinstance(entry.body, IncidentOpened):
        return _another(story, entry.body)
    if isinstance(entry.body, TicketDisputed):
        return f"{_disputed(story, entry)} {text('ticket.disputed.reopened', story.language)}"
    evidence = entry.body.evidence if isinstance(entry.body, IncidentReopened) else ()
    opening = text(
        "ticket.reopening", story.language, server=_servers(story), moment=_moment(story, entry.moment)
    )
    return "\n\n".join([opening, *_evidence(story, evidence)])


def _disputed(story: Story, entry: Entry) -> str:
    """Say of a ticket that a person closed that what it is about goes on."""
    lasting = next((each for each in story.told if each.open), story.incident)
    return text(
        "ticket.disputed",
        story.language,
        server=_servers(replace(story, incident=lasting)),
        what=_what(story, lasting.impact),
        moment=_moment(story, entry.moment),
    )


def duplicate(language: str, kept: str) -> str:
    """Return what is written on a second ticket of one reference before it is closed."""
    return text("ticket.duplicate", language, ticket=kept)


def _urgency(story: Story) -> str:
    if story.incident.drill:
        return text("ticket.urgency.drill", story.language)
    if not is_open(story):
        return text("ticket.urgency.over", story.language)
    kind = problem(story)
    return urgency(kind, story.classes[kind], story.language)


def _opening(story: Story) -> str:
    incident = story.incident
    if is_for_staff(story):
        return _staff_opening(story)
    declared = incident.origin is Origin.OPERATOR
    values: Mapping[str, object] = {
        "actor": incident.updates[0].author if incident.updates else "",
        "server": _servers(story),
        "what": _what(story, incident.impact),
        "since": _moment(story, incident.started_at),
    }
    if incident.open or incident.ended_at is None:
        return text("ticket.creation.declared" if declared else "ticket.creation", story.language, **values)
    return text(
        "ticket.creation.recovered" if is_recovered(story, incident) else "ticket.creation.ended",
        story.language,
        ended=_moment(story, incident.ended_at),
        duration=moments.duration(incident.ended_at - incident.started_at, story.language),
        **values,
    )


def _staff_opening(story: Story) -> str:
    """The first word that operators read says it all; it may be settled since."""
    incident = story.incident
    words = incident.updates[0].text.get(story.language, "") if incident.updates else ""
    if incident.open or incident.ended_at is None:
        return words
    over = text("ticket.creation.settled", story.language, ended=_moment(story, incident.ended_at))
    return f"{words}\n\n{over}"


def _facts(story: Story) -> str:
    servers, behind = story.incident.servers, story.incident.unreachable
    if len(servers) > _MOST_TOLD:
        lines = [_list(story, "servers", servers)]
    else:
        lines = [fact for server in servers for fact in _about(story, server)]
    if behind:
        lines.append(_list(story, "behind", behind))
    lines.append(_fact(story, "department", _department(story)))
    lines.append(_fact(story, "impact", text(f"ticket.impact.{story.incident.impact}", story.language)))
    lines.append(
        _fact(story, "drill" if story.incident.drill else "since", _exact(story, story.incident.started_at))
    )
    return "\n".join(lines)


def _list(story: Story, key: str, servers: Sequence[ServerId]) -> str:
    names = ", ".join(_name(story, server) for server in servers)
    return f"{text(f'ticket.fact.{key}', story.language, count=len(servers))}: {_line(names)}"


def _about(story: Story, identity: ServerId) -> Iterator[str]:
    server = _server(story.fleet, identity)
    if server is None:
        yield _fact(story, "server", identity)
        return
    yield _fact(story, "server", f"{server.name} ({server.id})")
    yield _fact(story, "group", _group(story, server))
    addresses = dict.fromkeys(filter(None, (server.host, *server.addresses)))
    if addresses:
        yield _fact(story, "address", ", ".join(addresses))
    if server.plans:
        yield _fact(story, "plans", ", ".join(server.plans))


def _published(story: Story, update: Update | None) -> str:
    """What customers read meanwhile, so that nobody tells them something else."""
    if is_for_staff(story):
        return ""
    words = "" if update is None else update.text.get(story.language, "")
    return _fact(story, "published", words) if words else ""


def _evidence(story: Story, evidence: tuple[CheckEvidence, ...]) -> list[str]:
    if not evidence:
        return []
    heading = text("ticket.evidence", story.language, count=len(evidence))
    told = [_one(story, place, each) for place, each in enumerate(evidence[:_MOST_EVIDENCE], 1)]
    left = len(evidence) - len(told)
    if left:
        incident = story.incident.id
        told.append(text("ticket.evidence.more", story.language, count=left, incident=incident))
    return [heading, *told]


def _one(story: Story, place: int, evidence: CheckEvidence) -> str:
    cause = "" if evidence.cause is None else text(f"cause.{evidence.cause}", story.language)
    last_ok = (
        text("ticket.never", story.language)
        if evidence.last_ok_at is None
        else _exact(story, evidence.last_ok_at)
    )
    facts = (
        ("cause", cause),
        ("found", evidence.found),
        ("since", _exact(story, evidence.failing_since)),
        ("last_ok", last_ok),
        ("looked", _exact(story, evidence.looked_at)),
        ("peer", evidence.address or ""),
        ("phases", _phases(story, evidence)),
    )
    lines = [f"{place}. {evidence.check} ({evidence.kind})"]
    lines += [f"   {_fact(story, key, value)}" for key, value in facts if value]
    blocks = [_block(story, key, value) for key, value in _quotes(evidence) if value.strip()]
    return "\n".join([*lines, *blocks])


def _quotes(evidence: CheckEvidence) -> tuple[tuple[str, str], ...]:
    return (
        ("via", "\n".join(evidence.via)),
        ("excerpt", evidence.excerpt),
        ("reproduce", evidence.reproduce),
    )


def _block(story: Story, key: str, quoted: str) -> str:
    """Fence what came from outside so that nothing in it can end the fence."""
    runs = (len(list(run)) for letter, run in groupby(quoted) if letter == "`")
    fence = "`" * max(_SHORTEST_FENCE, 1 + max(runs, default=0))
    return "\n".join(
        (f"   {text(f'ticket.fact.{key}', story.language)}:", fence, printable(quoted.strip("\n")), fence)
    )


def _phases(story: Story, evidence: CheckEvidence) -> str:
    parts = [f"{_phase(story, name)} {took:.0f} ms" for name, took in evidence.phases.items()]
    if "total" not in evidence.phases:
        parts.append(f"{_phase(story, 'total')} {evidence.took_ms:.0f} ms")
    return ", ".join(parts)


def _phase(story: Story, name: str) -> str:
    try:
        return text(f"ticket.phase.{name}", story.language)
    except KeyError:
        # A kind of check may measure a step of its own; its plain name is clearer than none.
        return name.replace("_", " ")


def _links(story: Story) -> str:
    site = story.fleet.site.url.rstrip("/")
    root = site if story.language == story.fleet.site.languages[0] else f"{site}/{story.language}"
    # What customers do not read of has no page.
    pages = () if is_for_staff(story) else (f"{root}/incidents/{story.incident.id}",)
    lines = [_fact(story, "incident_page", page) for page in pages]
    if len(story.incident.servers) <= _MOST_TOLD:
        lines += [
            _fact(story, "server_page", f"{root}/servers/{server}") for server in story.incident.servers
        ]
    return "\n".join(lines)


def _servers(story: Story) -> str:
    first, *others = story.incident.servers or (ServerId("?"),)
    name = _name(story, first)
    return text("ticket.servers", story.language, first=name, count=len(others)) if others else name


def _name(story: Story, identity: ServerId) -> str:
    known = _server(story.fleet, identity)
    return known.name if known else identity


def _group(story: Story, server: Server) -> str:
    for group in story.fleet.groups:
        if group.id == server.group:
            return group.name.get(story.language) or next(iter(group.name.values()), group.id)
    return server.group


def _department(story: Story) -> str:
    wanted = department(story)
    for one in story.fleet.departments:
        if one.id == wanted:
            return one.name.get(story.language) or next(iter(one.name.values()), one.id)
    return wanted


def _what(story: Story, impact: str) -> str:
    return text(f"ticket.what.{impact}", story.language)


def _fact(story: Story, key: str, value: str) -> str:
    return f"{text(f'ticket.fact.{key}', story.language)}: {_line(value)}"


def _moment(story: Story, moment: datetime) -> str:
    return moments.full_moment(moment, ZoneInfo(story.fleet.site.timezone), story.language)


def _exact(story: Story, moment: datetime) -> str:
    """A moment for people, and to the second in UTC for whoever compares it with a log."""
    return f"{_moment(story, moment)} ({moment.astimezone(UTC):%H:%M:%S} UTC)"


def _server(fleet: Fleet, identity: ServerId) -> Server | None:
    try:
        return fleet.server(identity)
    except NotFoundError:
        # It was retired while its ticket was under way.
        return None


def _line(value: str) -> str:
    """One line, whatever a target or a file put into it: a line of its own could pose as a header."""
    return " ".join(printable(value).split())


def printable(value: str) -> str:
    """Return what came from outside with nothing in it that a terminal or a mail program would obey."""
    if value.isprintable():
        return value
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}"
        for letter in value
    )
