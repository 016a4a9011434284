"""Who speaks with the helpdesk: what the deliverer and the clerk are made of, and everything that the clerk has to do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from monitor.actions.answers import TicketReader
from monitor.actions.append import append
from monitor.actions.calendars import HolidayKeeper
from monitor.actions.clerk import Clerk, Duty
from monitor.actions.deliver import Deliverer
from monitor.actions.desk import StoredDesk
from monitor.actions.desk_letters import LetterWriter
from monitor.actions.desk_linked import LinkedTickets
from monitor.actions.desk_mail import DeskMail, Terms
from monitor.actions.fitness import Inspector
from monitor.actions.follow import Follower
from monitor.actions.letters import StoredLetters
from monitor.actions.outbox import Append
from monitor.clock import Clock, HouseClock
from monitor.inventory import Configuration, Settings
from monitor.journal.consequences import Channel
from monitor.store.database import Database
from monitor.subscribers.operators import AppriseMessenger, messengers
from monitor.tickets import KINDS
from monitor.tickets.classes import graded
from monitor.tickets.desk import DESK, DeskOptions
from monitor.tickets.desk_mail import DeskMailOptions
from monitor.tickets.port import Helpdesk, HelpdeskTools
from monitor.tickets.priorities import Priority

_SOON = timedelta(seconds=15)
_MAIL = timedelta(seconds=30)
_MINUTE = timedelta(minutes=1)
_OFTEN = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """Who carries tickets and messages out, and who reads what the helpdesk says."""

    deliverer: Deliverer
    clerk: Clerk


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an office is made of."""

    configuration: Configuration
    database: Database
    clock: HouseClock
    installation: str


def office_of(
    wanted: Wanted,
    *,
    on_result: Callable[[str], None],
    on_news: Callable[[], None],
    on_fit: Callable[[str, bool], None] = lambda _kind, _is_fit: None,
) -> Office:
    """Return who carries tickets to the configured helpdesk and messages to the operators, and who reads its answers.

    `on_result` is told the result of every ticket's action. On another thread `on_news` is told that something was put on record, and
    `on_fit` whether the helpdesk of this kind lacks nothing.
    """
    helpdesk = helpdesk_of(wanted.configuration, wanted.database, wanted.clock)
    stopping = threading.Event()
    duties = _duties(wanted, helpdesk, partial(on_fit, helpdesk.name), stopping)
    return Office(
        deliverer=_deliverer(wanted, helpdesk, on_result),
        clerk=Clerk(duties, wanted.clock, on_news, stopping),
    )


def helpdesk_of(configuration: Configuration, database: Database, clock: Clock) -> Helpdesk:
    """Return the configured helpdesk."""
    page = configuration.fleet.site.url
    tools = HelpdeskTools(
        book=StoredDesk(database, page), letters=StoredLetters(database), now=clock.now, page=page
    )
    settings = configuration.settings
    return KINDS[settings.helpdesk_kind].build(settings.helpdesk, tools)


def _deliverer(wanted: Wanted, helpdesk: Helpdesk, on_result: Callable[[str], None]) -> Deliverer:
    settings, clock = wanted.configuration.settings, wanted.clock
    return Deliverer(
        database=wanted.database,
        helpdesk=helpdesk,
        operators=messengers(settings.operators),
        clock=clock,
        lived=clock.lived,
        installation=wanted.installation,
        append=_append(clock),
        department=settings.helpdesk.department,
        language=settings.helpdesk.language,
        public=settings.helpdesk.follow_ups == "public",
        classes=graded(settings.helpdesk.classes),
        drill=Priority.LOW if settings.drill is None else settings.drill.priority,
        fallback=messengers(settings.helpdesk.fallback),
        heads={department: AppriseMessenger(url) for department, url in settings.heads.items()},
        mail=mail_of(settings),
        at_home=_at_home(settings),
        on_result=on_result,
    )


def _duties(
    wanted: Wanted, helpdesk: Helpdesk, on_fit: Callable[[bool], None], stopping: threading.Event
) -> tuple[Duty, ...]:
    """Return what the clerk has to do again and again, until `stopping` is set."""
    tickets = TicketReader(wanted.database, helpdesk)
    holidays = HolidayKeeper(wanted.database)
    return (
        Duty(name="inspect the helpdesk", every=_OFTEN, do=_inspector(wanted, helpdesk, on_fit).inspect),
        Duty(
            name="follow what people do to tickets",
            every=_MINUTE,
            do=_follower(wanted, helpdesk, stopping).follow,
        ),
        Duty(name="note the holidays", every=_OFTEN, do=holidays.note),
        Duty(name="read the tickets of the helpdesk", every=_reading(helpdesk), do=tickets.read),
        *_duties_of_the_desk(wanted),
        *_duties_of_mail(wanted),
    )


def _reading(helpdesk: Helpdesk) -> timedelta:
    """Return how often tickets are read: at home it costs next to nothing."""
    return _SOON if helpdesk.name == DESK.name else _OFTEN


def _inspector(wanted: Wanted, helpdesk: Helpdesk, on_fit: Callable[[bool], None]) -> Inspector:
    return Inspector(wanted.database, helpdesk, _append(wanted.clock), on_fit)


def _follower(wanted: Wanted, helpdesk: Helpdesk, stopping: threading.Event) -> Follower:
    reopens = wanted.configuration.settings.helpdesk.reopen_closed
    return Follower(
        wanted.database, helpdesk, _append(wanted.clock), reopens=reopens, is_over=stopping.is_set
    )


def _append(clock: Clock) -> Append:
    return lambda tx, entries: append(tx, entries, clock.now())


def _duties_of_the_desk(wanted: Wanted) -> tuple[Duty, ...]:
    helpdesk = wanted.configuration.settings.helpdesk
    if not isinstance(helpdesk, DeskOptions) or not helpdesk.close_linked:
        return ()
    linked = LinkedTickets(wanted.database)
    return (Duty(name="let tickets follow their incidents", every=_SOON, do=linked.follow),)


def _duties_of_mail(wanted: Wanted) -> tuple[Duty, ...]:
    settings = wanted.configuration.settings
    mail = mail_of(settings)
    if mail is None:
        return ()
    # It begins, so that what comes in is answered and what was said before is not.
    writer = LetterWriter(wanted.database, mail.sender)
    written = Duty(name="write to requesters", every=_SOON, do=writer.write)
    if mail.imap is None:
        return (written,)
    reader = DeskMail(wanted.database, terms_of(settings, mail))
    return (written, Duty(name="read the desk's mailbox", every=_MAIL, do=reader.fetch))


def mail_of(settings: Settings) -> DeskMailOptions | None:
    """Return how the built-in desk is reached by mail, None if it is not."""
    return settings.helpdesk.mail if isinstance(settings.helpdesk, DeskOptions) else None


def terms_of(settings: Settings, mail: DeskMailOptions) -> Terms:
    """Return on which terms the desk takes letters in."""
    desk = settings.helpdesk
    within = desk.reopen_within if isinstance(desk, DeskOptions) else timedelta(0)
    return Terms(mail=mail, reopen_within=within, department=desk.department)


def _at_home(settings: Settings) -> frozenset[Channel]:
    """Return the channels from which nothing leaves the house."""
    found: set[Channel] = set()
    if settings.helpdesk_kind == DESK.name:
        found |= {Channel.TICKET, Channel.VERIFY, Channel.RAISE}
    if not settings.heads:
        found |= {Channel.COMPLAINT}
    if mail_of(settings) is None:
        found |= {Channel.MAIL}
    return frozenset(found)
