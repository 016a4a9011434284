"""From a file that was found to be right to the values that the rest of the house works with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from ipaddress import ip_address
from pathlib import Path

from monitor.checks.policy import TargetPolicy
from monitor.fleet import CheckPlan, Department, Fleet, Group, PlannedWindow, Server, Site
from monitor.identifiers import GroupId, ServerId
from monitor.inventory import model
from monitor.inventory.fields import Language as SpokenLanguage
from monitor.inventory.fields import minutes_of, split_listen, weekdays_of
from monitor.inventory.helpdesk import ChosenHelpdesk
from monitor.inventory.settings import DrillPlan, Keep, ResolverChoice, Settings
from monitor.language import LANGUAGES
from monitor.support.escalation import Promise
from monitor.support.hours import Hours, Shift
from monitor.support.reach import Support, Way
from monitor.tickets.priorities import Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What flags decide over the file: where the page is served, the address it is reached by, the data folder."""

    listen: str
    address: str
    data: Path


def fleet_of(file: model.File, checks: Sequence[tuple[CheckPlan, ...]], bound: Bound) -> Fleet:
    """Return what is watched; `checks` holds the plans of each server in the order of the file."""
    default = file.site.languages[0]
    return Fleet(
        site=_site(file, bound),
        groups=tuple(
            Group(id=GroupId(group.id), name=in_all_languages(group.name, default)) for group in file.groups
        ),
        servers=tuple(
            _server(server, plans, file.defaults, default)
            for server, plans in zip(file.servers, checks, strict=True)
        ),
        windows=tuple(
            PlannedWindow(
                id=window.id,
                servers=tuple(ServerId(server) for server in window.servers),
                lasts=window.lasts,
                title=in_all_languages(window.title, default),
                rule=window.rule,
            )
            for window in file.windows
        ),
        departments=tuple(
            Department(
                id=department.id,
                name=in_all_languages(department.name, default),
                email=department.email or "",
                hours=_hours(department.hours) if department.hours else None,
            )
            for department in file.support.departments
        ),
        support=_support(file.support, default),
    )


def settings_of(file: model.File, helpdesk: ChosenHelpdesk, bound: Bound) -> Settings:
    """Return how we run."""
    host, port = split_listen(bound.listen)
    return Settings(
        listen_host=host,
        listen_port=port,
        data=bound.data,
        keep=Keep(
            observations=file.keep.observations, five_minutes=file.keep.five_minutes, hours=file.keep.hours
        ),
        helpdesk_kind=helpdesk.kind,
        helpdesk=helpdesk.options,
        probers=None if file.probers == "auto" else file.probers,
        resolver=_resolver(file.resolver),
        targets=TargetPolicy(refuse=tuple(file.targets.refuse), allow=tuple(file.targets.allow)),
        operators=tuple(file.notify.operators),
        heads={each.id: each.head for each in file.support.departments if each.head is not None},
        sentinels=tuple(sentinel.model_dump(exclude_none=True) for sentinel in file.sentinels),
        drill=_drill(file.drill),
    )


def in_all_languages(texts: Mapping[SpokenLanguage, str], default: str) -> dict[str, str]:
    """Return a text in every language that we speak; one that the page does not speak gets the default's words."""
    given = {str(language): words for language, words in texts.items()}
    fallback = given.get(default) or next(iter(given.values()))
    return {language: given.get(language, fallback) for language in LANGUAGES}


def _site(file: model.File, bound: Bound) -> Site:
    return Site(
        name=file.site.name,
        url=file.site.url or f"http://{_reachable(bound.address)}",
        timezone=file.site.timezone,
        languages=tuple(file.site.languages),
        metrics_networks=tuple(file.metrics.allow),
        demo=file.demo,
    )


def _support(support: model.Support, default: str) -> Support:
    return Support(
        hours=_hours(support.hours),
        ways=tuple(
            Way(
                kind=channel.kind,
                plans=tuple(channel.plans),
                number=channel.number or "",
                url=channel.url or "",
                email=channel.email or "",
            )
            for channel in support.channels
        ),
        plans={plan.id: in_all_languages(plan.name, default) for plan in support.plans},
        promise=Promise(
            after=support.unanswered.after,
            in_service=support.unanswered.count == "service",
            departments=tuple(support.unanswered.departments),
        ),
        average_over=support.average_over,
    )


def _hours(hours: model.Hours) -> Hours:
    return Hours(
        shifts=tuple(
            Shift(
                days=weekdays_of(shift.days), opens=minutes_of(shift.opens), closes=minutes_of(shift.closes)
            )
            for shift in (hours, *hours.also)
        ),
        country=hours.holidays or "",
        closed=tuple(date.fromisoformat(day) for day in hours.closed),
        open=tuple(date.fromisoformat(day) for day in hours.open),
    )


def _server(
    server: model.Server, checks: tuple[CheckPlan, ...], defaults: model.Defaults, language: str
) -> Server:
    given = server.model_fields_set
    return Server(
        id=ServerId(server.id),
        name=server.name or server.id,
        group=GroupId(server.group),
        checks=checks,
        resolve_after=(server if "resolve_after" in given else defaults).resolve_after,
        reopen_within=(server if "reopen_within" in given else defaults).reopen_within,
        host=server.host or "",
        addresses=tuple(server.addresses),
        depends_on=tuple(ServerId(parent) for parent in server.depends_on),
        plans=tuple(server.plans),
        description=in_all_languages(server.description, language) if server.description else {},
    )


def _drill(drill: model.Drill | None) -> DrillPlan | None:
    if drill is None:
        return None
    return DrillPlan(
        server=ServerId(drill.server),
        # The end of a day is the beginning of the next.
        at=time(*divmod(minutes_of(drill.at) % 1440, 60)),
        lasts=drill.lasts,
        warn_after=drill.warn_after,
        priority=Priority(drill.priority),
    )


def _resolver(resolver: model.Resolver | None) -> ResolverChoice | None:
    if resolver is None:
        return None
    return ResolverChoice(servers=tuple(resolver.servers), reference=resolver.reference)


def _reachable(address: str) -> str:
    """Return an address that links can use: one that means "every interface" leads nowhere."""
    host, port = split_listen(address)
    try:
        unspecified = ip_address(host).is_unspecified
    except ValueError:
        unspecified = False
    return f"127.0.0.1:{port}" if unspecified else address
