"""How we speak to any helpdesk over HTTP: where to, what an answer's status says of an action's fate, and what can be read in it."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from pydantic import Field, SecretStr, field_validator

from monitor.checks.options.durations import Duration
from monitor.language.phrases import one_line, without_userinfo
from monitor.language.refusals import RefusalError
from monitor.post.port import Authority
from monitor.tickets.port import Action, DeliveryError, Fate, HelpdeskOptions

TOTAL_DEADLINE = timedelta(seconds=30)
SEARCH_LAG = timedelta(seconds=30)
# A page of tickets with everything that was said on them.
LIST_LIMIT = 8 * 1024 * 1024
_LONGEST_WORDS = 300
# Names of what is said, where every other one is the name of a field that something is said about.
_ENVELOPE = frozenset(
    ("error", "errors", "message", "messages", "detail", "details", "description", "error_human", "title")
)


class HttpOptions(HelpdeskOptions):
    """The keys of every helpdesk that is spoken to over HTTP.

    Plain http is only for loopback and private networks; it is checked again for each connection. `ca_file` is the authority that
    signed the other side's certificate, if it is a private one; it must be there. `timeout` holds for a whole exchange. `search_lag` is how long a
    ticket may be missing in the answer to a look-up after it was made.
    """

    url: str
    ca_file: Authority | None = None
    timeout: Duration = Field(default=TOTAL_DEADLINE, gt=timedelta(0), le=TOTAL_DEADLINE)
    search_lag: Duration = SEARCH_LAG

    @field_validator("url")
    @classmethod
    def _url_is_safe(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RefusalError("configuration.helpdesk.form", found=url)
        if parts.username or parts.password or parts.fragment:
            raise RefusalError("configuration.helpdesk.user")
        if parts.scheme == "http" and _is_public(parts.hostname):
            raise RefusalError("configuration.helpdesk.clear", found=url)
        return url


class UnreadableError(DeliveryError):
    """An answer is not what was asked for, such as a page that asks to sign in: that leaves the fate uncertain."""

    def __init__(self) -> None:
        detail = "the helpdesk's answer cannot be read"
        super().__init__(Fate.UNCERTAIN, detail, remedy="helpdesk.address")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer with a status of 200 to 299; `headers` by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body decoded; what is no JSON, such as a page that asks to sign in, leaves the fate uncertain."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise UnreadableError from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request below the helpdesk's URL.

    `action` is what it does to a ticket, None if it only reads: that decides what a 404 means. Of `json` and `form` at most one is
    given. `query` may repeat a name. What is read may be a list, and longer than the answer to an action.
    """

    method: str
    path: str = ""
    action: Action | None = None
    query: tuple[tuple[str, str], ...] = ()
    json: object = None
    form: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Client:
    """One helpdesk's address with everything that each request to it carries; every request opens a line of its own.

    `headers` gives the credentials, which go nowhere else: no redirect is followed, no proxy, netrc or other setting of the
    machine has a say, and no error quotes them.
    """

    def __init__(
        self,
        options: HttpOptions,
        now: Callable[[], datetime],
        headers: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._options = options
        self._now = now
        self._headers = headers

    def ask(self, ask: Ask) -> Reply:
        """Return the answer to one request, or raise DeliveryError with the fate that its status tells."""
        answer = self.answer(ask)
        self.require(answer, ask.action)
        return answer

    def require(self, answer: Reply, action: Action | None = None) -> None:
        """Raise DeliveryError with the fate of an answer that is not good; `action` is None for a look-up."""
        raise_for_status(answer, action, self._now(), self._secrets())

    def answer(self, ask: Ask) -> Reply:
        """Return the answer to one request, whatever its status, or raise DeliveryError if nothing whole comes back."""
        body, kind = _body(ask)
        headers = {**self._headers(), **kind, **ask.headers}
        long = ask.action is None or ask.method == "GET"
        return self.send(ask.method, self._url(ask), body, headers, long=long)

    def send(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str], *, long: bool = False
    ) -> Reply:
        """Return whatever comes back from `url`, or raise DeliveryError if nothing whole does; a `long` answer may be a list."""
        # The library is needed when there is something to say, which for most of a service's life there is not.
        from monitor.tickets.line import ANSWER_LIMIT, Call, exchange  # noqa: PLC0415

        sent = {"User-Agent": "vigia", **headers}
        limit = LIST_LIMIT if long else ANSWER_LIMIT
        call = Call(
            method=method, url=url, headers=sent, body=body, ca_file=self._options.ca_file, limit=limit
        )
        answer = exchange(call, self._options.timeout)
        return Reply(status=answer.status, headers=answer.headers, body=answer.body)

    def _secrets(self) -> tuple[str, ...]:
        """Return what no error may quote: our credentials, and how they are sent."""
        kept = (value.get_secret_value() for _, value in self._options if isinstance(value, SecretStr))
        sent = self._headers().get("Authorization", "").rpartition(" ")[2]
        return tuple(filter(None, (*kept, sent)))

    def _url(self, ask: Ask) -> str:
        url = self._options.url.rstrip("/") + ask.path
        return f"{url}?{urlencode(ask.query)}" if ask.query else url


def raise_for_status(
    answer: Reply, action: Action | None, now: datetime, secrets: Iterable[str] = ()
) -> None:
    """Raise DeliveryError with the fate that an answer's status tells; `action` is None for a look-up.

    What a refusal says of itself is quoted, without `secrets`.
    """
    if 200 <= answer.status < 300:
        return
    wait = retry_after(answer.headers.get("retry-after", ""), now)
    words = _words(answer, secrets) if 400 <= answer.status < 500 else ""
    raise DeliveryError(
        _fate(answer.status, action, wait),
        f"the helpdesk answers {answer.status}" + (f": {words}" if words else ""),
        retry_after=wait,
        remedy="helpdesk.address" if _is_elsewhere(answer.status, action) else "",
    )


def retry_after(value: str, now: datetime) -> timedelta | None:
    """Return how long the other side asks us to wait, by seconds or by date; None if it does not say."""
    if value.isascii() and value.isdigit():
        return timedelta(seconds=min(int(value[:9]), 86_400))
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(aware - now, timedelta(0))


def link(url: str) -> str:
    """Only what a browser may safely follow is kept of a link that somebody else gives us."""
    return url if url.startswith(("https://", "http://")) and url.isprintable() and len(url) <= 2000 else ""


def _words(answer: Reply, secrets: Iterable[str]) -> str:
    """Return what an answer in JSON says of itself, on one line and cut; nothing of any other, such as a page."""
    try:
        said = "; ".join(dict.fromkeys(_sentences(json.loads(answer.body))))
    except (ValueError, RecursionError):
        return ""
    for secret in secrets:
        said = said.replace(secret, "***")
    shown = one_line(without_userinfo(said))
    return shown if len(shown) <= _LONGEST_WORDS else shown[: _LONGEST_WORDS - 1] + "…"


def _sentences(said: object, name: str = "") -> Iterator[str]:
    """Yield the texts of an answer, each behind the name of the field that it is about."""
    if isinstance(said, str) and said.strip():
        yield f"{name}: {said.strip()}" if name else said.strip()
    elif isinstance(said, list):
        for each in said:
            yield from _sentences(each, name)
    elif isinstance(said, dict):
        for key, each in said.items():
            yield from _sentences(each, name if key in _ENVELOPE else str(key))


def _is_elsewhere(status: int, action: Action | None) -> bool:
    """Is there probably no interface of a helpdesk at this address?"""
    return 300 <= status < 400 or (status in (404, 410) and action in (None, Action.CREATE))


def _body(ask: Ask) -> tuple[bytes, dict[str, str]]:
    if ask.form is not None:
        return urlencode(ask.form).encode(), {"Content-Type": "application/x-www-form-urlencoded"}
    if ask.json is not None:
        return json.dumps(ask.json, ensure_ascii=False).encode(), {"Content-Type": "application/json"}
    return b"", {}


def _fate(status: int, action: Action | None, wait: timedelta | None) -> Fate:
    if status in (401, 403) or 300 <= status < 400:
        return Fate.FORBIDDEN
    if status in (425, 429) or (status == 503 and wait is not None):
        return Fate.NOT_SENT
    if status == 409:
        return Fate.CONFLICT
    if status in (404, 410) and action not in (None, Action.CREATE):
        return Fate.MISSING
    # 408 says that the other side gave up waiting for us, not what it did with what it had.
    return Fate.REFUSED if 400 <= status < 500 and status != 408 else Fate.UNCERTAIN


def _is_public(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_private)
