"""A helpdesk that is reached by mail alone: each action is a letter, and what it answers is read in a mailbox if there is one.

Nothing can be looked up there. What may have been sent is sent again under the same Message-ID, which every action keeps for
all its attempts; most helpdesks take it once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from monitor.checks.options import patterns
from monitor.checks.options.patterns import Pattern
from monitor.language import text
from monitor.language.phrases import Phrase
from monitor.language.refusals import RefusalError
from monitor.post.composing import Letter, compose
from monitor.post.port import Address, ImapOptions, Outcome, PostError, SmtpOptions
from monitor.post.smtp import Envelope, offer, send
from monitor.tickets.beforehand import Fitness
from monitor.tickets.email_answers import Answers, tag_in
from monitor.tickets.letterbook import LetterBook, Thread, identity_of, reference_in
from monitor.tickets.port import (
    Action,
    DeliveryError,
    Fate,
    Found,
    HelpdeskKind,
    HelpdeskOptions,
    HelpdeskTools,
    Order,
    Priority,
    Receipt,
    TicketStatus,
)

_ACKNOWLEDGED_WITHIN = timedelta(minutes=2)
Urgency = Annotated[int, Field(ge=1, le=5)]
_URGENCIES: Mapping[Priority, int] = {
    Priority.LOW: 5,
    Priority.NORMAL: 3,
    Priority.HIGH: 2,
    Priority.URGENT: 1,
}


def _one_group(pattern: str) -> str:
    if patterns.groups_of(pattern) != 1:
        raise RefusalError("options.capture.group", found=pattern)
    return pattern


class EmailOptions(HelpdeskOptions):
    """Where letters go, whose they are, and how.

    `to` is the helpdesk's address for every department that `departments` does not send to another one. `sender` (`from`) is our
    own, which the helpdesk takes for the requester. `priorities` are those of X-Priority, 1 to 5. With `imap`, the mailbox of that address, answers are read:
    the tag that the helpdesk puts into subjects is learnt, and `tag` is a pattern for one that is not known here, its one group what
    subjects repeat. `automatic` adds the headers by which machines know a machine; left out, they are there as long as no `imap` waits for an acknowledgement.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    to: Address
    sender: Address = Field(alias="from")
    smtp: SmtpOptions
    imap: ImapOptions | None = None
    tag: Annotated[Pattern, AfterValidator(_one_group)] | None = None
    automatic: bool | None = None
    departments: Mapping[str, Address] = Field(default_factory=dict)
    priorities: Mapping[Priority, Urgency] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _a_loop_is_none(self) -> Self:
        if self.sender.lower() in {each.lower() for each in (self.to, *self.departments.values())}:
            raise RefusalError("configuration.helpdesk.loop", found=self.sender)
        if self.tag is not None and self.imap is None:
            raise RefusalError("configuration.helpdesk.tag")
        return self

    def cautions(self) -> tuple[Phrase, ...]:
        """Without a mailbox no tag is learnt."""
        return () if self.imap is not None else (Phrase("helpdesk.email.blind"),)


class Email:
    """Sends one letter for each action; a ticket is known by the Message-ID of the letter that opened it."""

    name = "email"
    search_lag: timedelta | None = None

    def __init__(self, options: EmailOptions, book: LetterBook, now: Callable[[], datetime]) -> None:
        self._options = options
        self._book = book
        self._now = now
        self._domain = options.sender.rpartition("@")[2]
        self._fitness = Fitness(self.inspect, options.language)
        self.records: Answers | None = None
        if options.imap is not None:
            self.records = Answers(options.imap, book, now, lambda subject: tag_in(subject, options.tag))

    def inspect(self) -> tuple[Phrase, ...]:
        """Ask the mail server, without sending anything, whether it would take a letter for each address."""
        flaws: list[Phrase] = []
        for address in dict.fromkeys((self._options.to, *self._options.departments.values())):
            try:
                offer(self._options.smtp, self._options.sender, address)
            except PostError as error:
                if error.outcome is not Outcome.REFUSED:
                    raise _delivery_error(error) from error
                flaws.append(Phrase("helpdesk.email.recipient", {"address": address, "reason": error.detail}))
        return tuple(flaws)

    def perform(self, order: Order) -> Receipt:
        """Send what the order says; a ticket that was not opened by a letter of ours is missing here."""
        if order.action is Action.CREATE:
            self._fitness.require()
            thread = self._opened(order)
        else:
            thread = self._followed(order)
        self._send(order, thread)
        self._book.keep(self._after(thread, order))
        return Receipt(ticket=thread.identity, url=f"mailto:{self._to(order)}")

    def find(self, reference: str) -> tuple[Found, ...]:
        """Nothing can be looked up by mail."""
        del reference
        return ()

    def _opened(self, order: Order) -> Thread:
        """Return the ticket that a letter is to open. It is known before that goes out, for its acknowledgement may be read at once."""
        identity = identity_of(order.key, self._domain)
        known = self._book.thread(identity)
        if known is not None:
            # It may have gone out before: with the tag it opens no second ticket.
            return self._caught_up(known)
        begun = self._begun(order, identity)
        self._book.keep(begun)
        return begun

    def _followed(self, order: Order) -> Thread:
        """Return the ticket that a letter is to follow, with its tag as soon as there is one in the mailbox.

        Whoever goes by tags alone would make another ticket of a letter without: for a while it is kept back.
        """
        if not reference_in(order.ticket):
            raise DeliveryError(Fate.MISSING, "no letter of ours opened this ticket")
        thread = self._book.thread(order.ticket)
        if thread is None:
            return self._begun(order, order.ticket)
        thread = self._caught_up(thread)
        age = self._now() - thread.opened_at
        if self.records is not None and not thread.tag and timedelta(0) <= age < _ACKNOWLEDGED_WITHIN:
            raise DeliveryError(Fate.NOT_SENT, "it waits for the tag of the helpdesk's acknowledgement")
        return thread

    def _caught_up(self, thread: Thread) -> Thread:
        """Return a ticket with its tag, if that is in the mailbox by now."""
        if thread.tag or self.records is None:
            return thread
        self.records.catch_up()
        return self._book.thread(thread.identity) or thread

    def _send(self, order: Order, thread: Thread) -> None:
        identity = identity_of(order.key, self._domain)
        before = thread.before(identity)
        told = self._options.automatic
        tagged = f"{thread.tag} {order.subject}" if thread.tag else order.subject
        letter = Letter(
            sender=self._options.sender,
            recipient=self._to(order),
            name="Vigía",
            subject=tagged,
            body=self._body(order),
            identity=identity,
            at=self._now(),
            in_reply_to=before[-1] if before else "",
            references=before,
            urgency=self._options.priorities.get(order.priority, _URGENCIES[order.priority]),
            automatic=self._options.imap is None if told is None else told,
            confidential=order.internal,
        )
        envelope = Envelope(sender=self._options.sender, recipient=letter.recipient, letter=compose(letter))
        try:
            send(self._options.smtp, envelope)
        except PostError as error:
            raise _delivery_error(error) from error

    def _body(self, order: Order) -> str:
        """Helpdesks pass the headers of urgency over, so that it stands in the words as well."""
        if order.action not in (Action.CREATE, Action.PRIORITY):
            return order.body
        priority = text(f"ticket.priority.{order.priority}", order.language)
        return f"{text('helpdesk.email.priority', order.language, priority=priority)}\n\n{order.body}"

    def _to(self, order: Order) -> str:
        return self._options.departments.get(order.department, self._options.to)

    def _begun(self, order: Order, identity: str) -> Thread:
        return Thread(
            reference=order.reference,
            identity=identity,
            subject=order.subject,
            department=order.department,
            priority=order.priority,
            status=TicketStatus.OPEN,
            opened_at=self._now(),
            changed_at=self._now(),
        )

    def _after(self, thread: Thread, order: Order) -> Thread:
        now = self._now()
        identity = identity_of(order.key, self._domain)
        told = replace(
            thread,
            priority=order.priority,
            opened_at=thread.opened_at if thread.letters else now,
            changed_at=now,
            letters=(*thread.letters, *thread.before(identity), identity),
        )
        if order.action is Action.RESOLVE:
            return replace(told, status=TicketStatus.CLOSED, closed_at=now)
        if order.action is Action.REOPEN:
            return replace(told, status=TicketStatus.OPEN, closed_at=None)
        return told


def _delivery_error(error: PostError) -> DeliveryError:
    return DeliveryError(Fate(error.outcome), error.detail)


def _build(options: EmailOptions, tools: HelpdeskTools) -> Email:
    return Email(options, tools.letters, tools.now)


EMAIL = HelpdeskKind(name="email", options=EmailOptions, build=_build)
